//! A list to choose from: what to sort by, which columns to show, what colours the map.

use crate::app::{App, Overlay, has_level};
use crate::column::{COLUMNS, NAME, Which};
use ratatui::layout::Rect;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Sort,
    Columns,
    Colour,
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Menu {
    pub(crate) kind: Kind,
    /// The columns to choose from.
    pub(crate) items: Vec<Which>,
    pub(crate) at: usize,
}

impl Menu {
    pub(crate) fn open(app: &App, kind: Kind) -> Menu {
        let fits = |c: &Which| match kind {
            Kind::Sort => app.useful[*c],
            Kind::Columns => *c != NAME,
            Kind::Colour => app.useful[*c] && has_level(*c),
        };
        let items: Vec<Which> = (0..COLUMNS.len()).filter(fits).collect();
        let now = match kind {
            Kind::Sort => app.sort,
            Kind::Columns => NAME,
            Kind::Colour => app.colour,
        };
        Menu { kind, at: items.iter().position(|c| *c == now).unwrap_or(0), items }
    }

    /// Where it stands on the screen, its frame included.
    pub(crate) fn area(&self, screen: Rect) -> Rect {
        let width = 74.min(screen.width);
        let height = (self.items.len() as u16 + 2).min(screen.height.saturating_sub(2)).max(3).min(screen.height);
        Rect { x: (screen.width - width) / 2, y: (screen.height - height) / 2, width, height }
    }

    /// The first item that is seen in so many rows.
    pub(crate) fn top(&self, rows: usize) -> usize {
        (self.at + 1).saturating_sub(rows)
    }
}

impl App {
    /// Does what the chosen item says. The menu of columns stays open, since one rarely wants only one.
    pub(crate) fn choose(&mut self, menu: Menu) {
        let Some(which) = menu.items.get(menu.at).copied() else { return self.overlay = Overlay::None };
        match menu.kind {
            Kind::Columns => {
                self.wanted[which] = !self.wanted[which];
                self.overlay = Overlay::Menu(menu);
            }
            Kind::Sort => {
                self.overlay = Overlay::None;
                self.sort_by(which);
            }
            Kind::Colour => {
                self.colour = which;
                self.overlay = Overlay::None;
            }
        }
    }

    /// Sorts by a column; by the same one again, the other way round.
    pub(crate) fn sort_by(&mut self, which: Which) {
        self.reversed = self.sort == which && !self.reversed;
        self.sort = which;
        self.arrange();
    }
}

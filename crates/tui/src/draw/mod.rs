//! The screen as a function of the state and the size.

mod header;
mod health;
mod list;
mod map;
mod node;
mod overlay;
mod parts;
mod processes;
mod section;
mod spark;

pub(crate) use list::column_at;
pub(crate) use node::overflow as node_overflow;
pub(crate) use overlay::help_overflow;
pub(crate) use processes::{
    column_at as process_column_at, columns as process_columns, row_at as process_row_at, rows as process_rows,
};

use crate::app::{App, Overlay, Page};
use crate::theme::{Palette, Role};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Span;

/// Rows and columns from which the header has three lines, gauges among them.
const TALL: u16 = 16;
const WIDE: u16 = 64;

/// Where what stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Areas {
    pub(crate) header: Rect,
    /// The column titles, or the map's legend.
    pub(crate) titles: Rect,
    pub(crate) body: Rect,
    pub(crate) footer: Rect,
}

pub(crate) fn areas(app: &App) -> Areas {
    let (width, height) = app.size;
    let header = match (app.page, width, height) {
        (_, _, 0..=3) => 0,
        (page, ..) if page.node().is_some() => 1,
        (_, _, 4..=6) => 1,
        (_, w, h) if w >= WIDE && h >= TALL => 3,
        _ => 2,
    };
    let titles = u16::from(!matches!(app.page, Page::Node(..) | Page::Process(..)) && height >= 2);
    let footer = match app.overlay {
        Overlay::Prompt(_) => 4,
        _ if app.keyless => 0,
        _ => u16::from(height >= 5),
    };
    let footer = footer.min(height.saturating_sub(header + titles));
    let row = |y: u16, height: u16| Rect { x: 0, y, width, height };
    let body = height - header - titles - footer;
    Areas {
        header: row(0, header),
        titles: row(header, titles),
        body: row(header + titles, body),
        footer: row(height - footer, footer),
    }
}

impl App {
    /// Draws everything. Where the cursor of the terminal belongs, if anywhere.
    pub fn draw(&self, buffer: &mut Buffer) -> Option<(u16, u16)> {
        let mut pen = Pen { buffer, palette: self.palette };
        let areas = areas(self);
        header::draw(self, &mut pen, areas.header);
        match (&self.table, self.page) {
            (None, _) => header::waiting(self, &mut pen, areas.body),
            (Some(_), Page::Processes(id)) => processes::draw(self, id, &mut pen, areas.titles, areas.body),
            (Some(table), Page::Node(id, scrolled) | Page::Process(id, scrolled)) => {
                node::draw(self, table, id, scrolled, &mut pen, areas.body);
            }
            (Some(table), Page::List) => list::draw(self, table, &mut pen, areas.titles, areas.body),
            (Some(table), Page::Map) => map::draw(self, table, &mut pen, areas.titles, areas.body),
        }
        let screen = Rect::new(0, 0, self.size.0, self.size.1);
        if !matches!(self.overlay, Overlay::Prompt(_)) {
            header::footer(self, &mut pen, areas.footer);
        }
        match &self.overlay {
            Overlay::Prompt(prompt) => return overlay::prompt(prompt, &mut pen, areas.footer),
            Overlay::Menu(menu) => overlay::menu(self, menu, &mut pen, screen),
            Overlay::Help(scrolled) => overlay::help(*scrolled, &mut pen, screen),
            Overlay::None => {}
        }
        None
    }
}

/// Columns a text takes.
pub(crate) fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { Span::raw(text).width() }
}

/// Writes into the buffer, inside it only.
pub(crate) struct Pen<'a> {
    pub(crate) buffer: &'a mut Buffer,
    pub(crate) palette: Palette,
}

impl Pen<'_> {
    pub(crate) fn style(&self, role: Role) -> Style {
        self.palette.style(role)
    }

    /// Writes a text into at most `room` columns, with an ellipsis if it is longer; how many it took.
    pub(crate) fn text(&mut self, x: u16, y: u16, room: u16, text: &str, style: Style) -> u16 {
        let area = self.buffer.area;
        if y >= area.bottom() || x >= area.right() {
            return 0;
        }
        let room = room.min(area.right() - x);
        if room == 0 {
            return 0;
        }
        if width(text) <= room as usize {
            return self.buffer.set_stringn(x, y, text, room as usize, style).0 - x;
        }
        let (end, _) = self.buffer.set_stringn(x, y, text, room as usize - 1, style);
        self.buffer.set_string(end, y, "…", style);
        end + 1 - x
    }

    /// As [`Pen::text`], with its end at the right.
    pub(crate) fn right(&mut self, x: u16, y: u16, room: u16, text: &str, style: Style) {
        let wide = (width(text) as u16).min(room);
        self.text(x + room - wide, y, wide, text, style);
    }

    /// Writes pieces one after the other, whole ones only but the first; how many columns they took.
    pub(crate) fn pieces(&mut self, x: u16, y: u16, room: u16, pieces: &[(String, Style)]) -> u16 {
        let mut used = 0;
        for (i, (text, style)) in pieces.iter().enumerate() {
            if i > 0 && used + width(text) as u16 > room {
                break;
            }
            used += self.text(x + used, y, room.saturating_sub(used), text, *style);
        }
        used
    }

    pub(crate) fn fill(&mut self, area: Rect, style: Style) {
        let area = area.intersection(self.buffer.area);
        self.buffer.set_style(area, style);
    }

    pub(crate) fn clear(&mut self, area: Rect) {
        let area = area.intersection(self.buffer.area);
        for position in area.positions() {
            self.buffer[position].reset();
        }
    }
}

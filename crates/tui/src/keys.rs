//! What keys and the mouse do.

use crate::app::{App, Line, Order, Overlay, Page, REFRESHES, Spot};
use crate::column::COLUMNS;
use crate::draw;
use crate::menu::{Kind, Menu};
use crate::processes::Move;
use crate::prompt::{Prompt, Typed};
use crate::table::Id;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};
use std::time::Duration;

/// Two clicks within this are a double click.
const DOUBLE_CLICK: Duration = Duration::from_millis(400);
/// Lines that one step of the wheel scrolls.
const WHEEL: usize = 3;

/// All keys, for the help: what to press, what it does.
pub(crate) const HELP: &[(&str, &str)] = &[
    ("up down  k j", "one line; in the map left and right, too (h l)"),
    ("PgUp PgDn", "one page (Ctrl-B Ctrl-F); Home End or G: the first, the last"),
    ("Enter", "look at a node, then at its processes, then at one of them; fold or unfold a group"),
    ("Esc", "back; in the list: all nodes again, no cursor"),
    ("s  S  < >", "sort: choose a column, the other way round, the column beside"),
    ("/", "show only nodes for which an expression holds, e.g. cpu.busy > 90%, or with this in their names"),
    ("g", "group by zone, by each label, not at all"),
    ("m", "map: a cell for each node, coloured by a column (c chooses it)"),
    ("c", "choose columns"),
    ("t", "colours: dark, light, plain"),
    ("space", "hold still, and go on"),
    ("+ -", "ask more often, less often"),
    ("left right", "on a node's page: the node before, the node after; on a process's likewise"),
    ("Ctrl-L  Ctrl-Z", "draw afresh; to the background"),
    ("q", "end"),
    ("mouse", "wheel scrolls, a click on a title sorts, on a line chooses it, twice looks at it"),
];

/// Where a movement goes.
#[derive(Clone, Copy)]
enum Step {
    Lines(isize),
    Pages(isize),
    First,
    Last,
}

impl App {
    pub(crate) fn handle_key(&mut self, key: KeyEvent) -> bool {
        if key.kind == KeyEventKind::Release {
            return false;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if control => self.order(Order::Quit),
            KeyCode::Char('z') if control => self.order(Order::Suspend),
            KeyCode::Char('l') if control => self.order(Order::Redraw),
            _ => match std::mem::replace(&mut self.overlay, Overlay::None) {
                Overlay::Prompt(prompt) => self.key_in_prompt(prompt, key),
                Overlay::Menu(menu) => self.key_in_menu(menu, key),
                Overlay::Help(scrolled) => self.key_in_help(scrolled, key),
                Overlay::None => self.key_on_page(key),
            },
        }
        true
    }

    fn key_in_prompt(&mut self, mut prompt: Prompt, key: KeyEvent) {
        match prompt.handle_key(key, self.table.as_ref()) {
            Typed::More => self.overlay = Overlay::Prompt(prompt),
            Typed::Cancelled => {}
            Typed::Done(text) => {
                if let Err(e) = self.filter(&text) {
                    prompt.error = Some(e);
                    self.overlay = Overlay::Prompt(prompt);
                }
            }
        }
        self.show_cursor();
    }

    fn key_in_menu(&mut self, mut menu: Menu, key: KeyEvent) {
        let last = menu.items.len().saturating_sub(1);
        match key.code {
            KeyCode::Esc | KeyCode::Char('q') => return,
            KeyCode::Char('s') if menu.kind == Kind::Sort => return,
            KeyCode::Char('c') if menu.kind != Kind::Sort => return,
            KeyCode::Enter if menu.kind == Kind::Columns => return,
            KeyCode::Enter | KeyCode::Char(' ') => return self.choose(menu),
            KeyCode::Char('S') if menu.kind == Kind::Sort => {
                self.reversed = !self.reversed;
                self.arrange();
            }
            KeyCode::Up | KeyCode::Char('k') => menu.at = menu.at.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => menu.at = (menu.at + 1).min(last),
            KeyCode::PageUp | KeyCode::Home => menu.at = 0,
            KeyCode::PageDown | KeyCode::End => menu.at = last,
            _ => {}
        }
        self.overlay = Overlay::Menu(menu);
    }

    fn key_in_help(&mut self, scrolled: usize, key: KeyEvent) {
        let most = draw::help_overflow(self);
        self.overlay = match key.code {
            KeyCode::Up | KeyCode::Char('k') | KeyCode::PageUp => Overlay::Help(scrolled.saturating_sub(1)),
            KeyCode::Down | KeyCode::Char('j') | KeyCode::PageDown => Overlay::Help((scrolled + 1).min(most)),
            _ => Overlay::None,
        };
    }

    fn key_on_page(&mut self, key: KeyEvent) {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Up | KeyCode::Char('k') => self.step(Step::Lines(-1)),
            KeyCode::Down | KeyCode::Char('j') => self.step(Step::Lines(1)),
            KeyCode::PageUp => self.step(Step::Pages(-1)),
            KeyCode::PageDown => self.step(Step::Pages(1)),
            KeyCode::Char('b' | 'u') if control => self.step(Step::Pages(-1)),
            KeyCode::Char('f' | 'd') if control => self.step(Step::Pages(1)),
            KeyCode::Home => self.step(Step::First),
            KeyCode::End | KeyCode::Char('G') => self.step(Step::Last),
            KeyCode::Left | KeyCode::Char('h') => self.sideways(-1),
            KeyCode::Right | KeyCode::Char('l') => self.sideways(1),
            KeyCode::Enter => self.enter(),
            KeyCode::Esc | KeyCode::Backspace => self.leave(),
            KeyCode::Char('q') => self.order(Order::Quit),
            KeyCode::Char('?') | KeyCode::F(1) => self.overlay = Overlay::Help(0),
            KeyCode::Char('t') => self.palette.theme = self.palette.theme.next(),
            KeyCode::Char(' ') => self.pause(),
            KeyCode::Char('+' | '=') => self.refresh_by(-1),
            KeyCode::Char('-') => self.refresh_by(1),
            KeyCode::Char('m') => self.turn_map(),
            KeyCode::Char('p') if matches!(self.page, Page::Node(..)) => self.enter(),
            code if self.page.node().is_some() => self.key_in_processes(code),
            KeyCode::Char('s') => self.overlay = Overlay::Menu(Menu::open(self, Kind::Sort)),
            KeyCode::Char('c') if self.page == Page::Map => self.overlay = Overlay::Menu(Menu::open(self, Kind::Colour)),
            KeyCode::Char('c') => self.overlay = Overlay::Menu(Menu::open(self, Kind::Columns)),
            KeyCode::Char('S') => {
                self.reversed = !self.reversed;
                self.arrange();
            }
            KeyCode::Char('<' | ',') => self.sort_beside(-1),
            KeyCode::Char('>' | '.') => self.sort_beside(1),
            KeyCode::Char('/') => {
                let text = self.filter.as_ref().map_or("", |f| &f.text).to_string();
                self.overlay = Overlay::Prompt(Prompt::new(&text));
                self.show_cursor();
            }
            KeyCode::Char('g') => self.next_group(),
            _ => {}
        }
    }

    fn key_in_processes(&mut self, code: KeyCode) {
        let Page::Processes(id) = self.page else { return };
        match code {
            KeyCode::Char('S') => self.move_processes(id, Move::Turn),
            KeyCode::Char('<' | ',') => self.move_processes(id, Move::Sort(-1)),
            KeyCode::Char('>' | '.' | 's') => self.move_processes(id, Move::Sort(1)),
            _ => {}
        }
    }

    fn pause(&mut self) {
        self.paused = !self.paused;
        self.order(Order::Pause(self.paused));
    }

    fn refresh_by(&mut self, by: isize) {
        self.refresh = self.refresh.saturating_add_signed(by).min(REFRESHES.len() - 1);
        self.order(Order::Every(self.every()));
    }

    fn turn_map(&mut self) {
        self.go(if self.page == Page::Map { Page::List } else { Page::Map });
        self.top = 0;
        self.show_cursor();
    }

    /// Sorts by the column that stands beside the present one.
    fn sort_beside(&mut self, by: isize) {
        let seen: Vec<_> = (0..COLUMNS.len()).filter(|c| self.wanted[*c] && self.useful[*c]).collect();
        let at = seen.iter().position(|c| *c == self.sort);
        let next = at.map_or(0, |at| at.saturating_add_signed(by).min(seen.len().saturating_sub(1)));
        if let Some(which) = seen.get(next) {
            self.sort = *which;
            self.reversed = false;
            self.arrange();
        }
    }

    fn step(&mut self, step: Step) {
        let rows = draw::areas(self).body.height as usize;
        let page = rows.saturating_sub(1).max(1) as isize;
        if let Page::Node(_, scrolled) | Page::Process(_, scrolled) = &self.page {
            let most = draw::node_overflow(self);
            let to = match step {
                Step::Lines(n) => scrolled.saturating_add_signed(n),
                Step::Pages(n) => scrolled.saturating_add_signed(n * page),
                Step::First => 0,
                Step::Last => most,
            };
            if let Page::Node(_, scrolled) | Page::Process(_, scrolled) = &mut self.page {
                *scrolled = to.min(most);
            }
            return;
        }
        if let Page::Processes(id) = self.page {
            let page = draw::process_rows(self).saturating_sub(1).max(1) as isize;
            return self.move_processes(
                id,
                match step {
                    Step::Lines(n) => Move::Rows(n),
                    Step::Pages(n) => Move::Rows(n * page),
                    Step::First => Move::First,
                    Step::Last => Move::Last,
                },
            );
        }
        if self.page == Page::Map {
            match step {
                Step::Lines(n) => return self.map_rows(n),
                Step::Pages(n) => return self.map_rows(n * page),
                Step::First | Step::Last => {}
            }
        }
        let last = self.lines.len().saturating_sub(1);
        // Without a cursor, the first key puts it on what is seen first.
        let to = match (self.cursor_line(), step) {
            (_, Step::First) => 0,
            (_, Step::Last) => last,
            (None, Step::Lines(_)) => self.top,
            (None, Step::Pages(n)) => self.top.saturating_add_signed(n * page),
            (Some(at), Step::Lines(n)) => at.saturating_add_signed(n),
            (Some(at), Step::Pages(n)) => at.saturating_add_signed(n * page),
        };
        self.cursor = self.spot(to.min(last));
        self.show_cursor();
    }

    fn sideways(&mut self, by: isize) {
        match self.page {
            Page::Map => self.map_cells(by),
            Page::Node(id, _) => {
                let Some(table) = &self.table else { return };
                let shown: Vec<_> = self
                    .lines
                    .iter()
                    .filter_map(|l| if let Line::Node(i) = l { Some(table.nodes[*i].id) } else { None })
                    .collect();
                let at = shown.iter().position(|n| *n == id);
                let next = at.map_or(0, |at| at.saturating_add_signed(by)).min(shown.len().saturating_sub(1));
                if let Some(next) = shown.get(next) {
                    self.go(Page::Node(*next, 0));
                    self.cursor = Some(Spot::Node(*next));
                }
            }
            Page::Process(id, _) => self.move_processes(id, Move::Rows(by)),
            Page::Processes(id) => self.move_processes(id, Move::Sort(by)),
            Page::List => {
                if let Some(Spot::Group(name)) = &self.cursor {
                    if by < 0 {
                        self.folded.insert(name.clone());
                    } else {
                        self.folded.remove(name);
                    }
                    self.arrange();
                }
            }
        }
    }

    fn enter(&mut self) {
        match self.page {
            // Of other nodes no processes are known here.
            Page::Node(id, _) if self.is_own(id) => {
                self.go(Page::Processes(id));
                return self.show_process();
            }
            Page::Processes(id) => return self.open_process(id),
            Page::Node(..) | Page::Process(..) => return,
            Page::List | Page::Map => {}
        }
        match self.cursor.clone() {
            None => self.step(Step::Lines(0)),
            Some(Spot::Node(id)) => {
                self.back = self.page;
                self.go(Page::Node(id, 0));
            }
            Some(Spot::Group(name)) => {
                if !self.folded.remove(&name) {
                    self.folded.insert(name);
                }
                self.arrange();
            }
        }
    }

    fn leave(&mut self) {
        if let Some(id) = self.page.node() {
            self.go(match self.page {
                Page::Process(..) => Page::Processes(id),
                Page::Processes(_) => Page::Node(id, 0),
                _ => self.back,
            });
            self.show_process();
        } else if self.filter.take().is_none() {
            self.cursor = None;
        }
        self.arrange();
    }

    pub(crate) fn handle_mouse(&mut self, mouse: MouseEvent) -> bool {
        let at = Position { x: mouse.column, y: mouse.row };
        match mouse.kind {
            MouseEventKind::ScrollUp => self.wheel(-1),
            MouseEventKind::ScrollDown => self.wheel(1),
            MouseEventKind::Down(MouseButton::Left) => self.click(at),
            _ => return false,
        }
        true
    }

    fn wheel(&mut self, direction: isize) {
        let key = if direction < 0 { KeyCode::Up } else { KeyCode::Down };
        match (&self.overlay, self.page) {
            (Overlay::None, Page::List) => {
                // a terminal may be too low for any
                let rows = (draw::areas(self).body.height as usize).max(1);
                let to = self.top.saturating_add_signed(direction * WHEEL as isize);
                self.top = to.min(self.lines.len().saturating_sub(rows));
                // The cursor stays where the eyes are.
                if let Some(line) = self.cursor_line() {
                    self.cursor = self.spot(line.clamp(self.top, (self.top + rows).min(self.lines.len()) - 1));
                }
            }
            (Overlay::Prompt(_), _) => {}
            (Overlay::None, Page::Node(..) | Page::Processes(_) | Page::Process(..)) => {
                self.step(Step::Lines(direction * WHEEL as isize));
            }
            _ => {
                self.handle_key(KeyEvent::new(key, KeyModifiers::NONE));
            }
        }
    }

    fn click(&mut self, at: Position) {
        match std::mem::replace(&mut self.overlay, Overlay::None) {
            Overlay::Help(_) => return,
            Overlay::Prompt(prompt) => return self.overlay = Overlay::Prompt(prompt),
            Overlay::Menu(mut menu) => {
                let area = menu.area(Rect::new(0, 0, self.size.0, self.size.1));
                let rows = area.height.saturating_sub(2) as usize;
                if area.contains(at) && at.y > area.y && (at.y - area.y) as usize <= rows {
                    menu.at = (menu.top(rows) + (at.y - area.y - 1) as usize).min(menu.items.len().saturating_sub(1));
                    self.choose(menu);
                }
                return;
            }
            Overlay::None => {}
        }
        let areas = draw::areas(self);
        let spot = match self.page {
            Page::Node(..) | Page::Process(..) => return,
            Page::Processes(id) => return self.click_process(id, at),
            Page::List if at.y == areas.titles.y && areas.titles.height > 0 => {
                if let Some(which) = draw::column_at(self, at.x) {
                    self.sort_by(which);
                }
                return;
            }
            Page::List if areas.body.contains(at) => self.spot(self.top + (at.y - areas.body.y) as usize),
            Page::Map if areas.body.contains(at) => self.map_at(at),
            _ => return,
        };
        let Some(spot) = spot else { return };
        let again = self.clicked.take().is_some_and(|(s, when)| s == spot && self.now - when < DOUBLE_CLICK);
        self.cursor = Some(spot.clone());
        if again {
            self.enter();
        } else {
            self.clicked = Some((spot, self.now));
        }
    }

    fn click_process(&mut self, id: Id, at: Position) {
        if at.y == draw::areas(self).titles.y {
            return self.move_processes(id, Move::SortAt(at.x));
        }
        let Some(row) = draw::process_row_at(self, at) else { return };
        let pid = self.own.order().get(self.own.top + row).map(|p| p.pid);
        if pid.is_some() && pid == self.own.cursor {
            return self.open_process(id);
        }
        self.own.cursor = pid.or(self.own.cursor);
    }
}

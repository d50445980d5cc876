//! Sections of a page: a title and what is below it, entry by entry.

use super::header::fold;
use super::{Pen, spark};
use crate::app::App;
use crate::history::Trace;
use crate::table::Node;
use crate::theme::Role;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Where the text of an entry begins, in so many columns.
pub(super) fn indent(width: u16) -> u16 {
    if width < 50 { 13 } else { 19 }
}
/// Rows of a chart.
const CHART: u16 = 4;

/// What draws a row.
pub(super) type Draw<'a> = Box<dyn Fn(&mut Pen<'_>, Rect) + 'a>;

pub(super) enum Item<'a> {
    /// A name and what it says; long texts go on in the next lines.
    Entry(String, String, Style),
    /// A name, a bar and what it says.
    Gauge(&'static str, f64, String),
    Chart(Trace),
    /// A name, the last tries of a probe, the oldest first, and what they say.
    Tries(String, String, String, Style),
    /// A line of its own.
    Said(String, Style),
    /// A row of a table, which is drawn by somebody else.
    Row(Draw<'a>),
    /// Something as high as it needs to be at a width, which is drawn by somebody else.
    Block(Box<dyn Fn(u16) -> u16 + 'a>, Draw<'a>),
}

pub(super) struct Section<'a> {
    pub(super) title: &'static str,
    pub(super) items: Vec<Item<'a>>,
}

impl<'a> Section<'a> {
    pub(super) fn new(title: &'static str) -> Section<'a> {
        Section { title, items: Vec::new() }
    }

    pub(super) fn entry(&mut self, name: &str, text: Option<String>) {
        if let Some(text) = text.filter(|t| !t.is_empty()) {
            self.items.push(Item::Entry(name.to_string(), text, Style::new()));
        }
    }

    pub(super) fn gauge(&mut self, name: &'static str, level: Option<f64>, text: impl Fn(f64) -> String) {
        if let Some(level) = level {
            self.items.push(Item::Gauge(name, level, text(level)));
        }
    }

    pub(super) fn chart(&mut self, app: &App, n: &Node, trace: Trace) {
        if trace.of(n).is_some() && app.history.any() {
            self.items.push(Item::Chart(trace));
        }
    }

    pub(super) fn height(&self, width: u16) -> u16 {
        2 + self.items.iter().map(|i| i.height(width)).sum::<u16>()
    }
}

impl Item<'_> {
    fn height(&self, width: u16) -> u16 {
        match self {
            Item::Entry(_, text, _) => fold(text, width.saturating_sub(indent(width)) as usize).len() as u16,
            Item::Said(text, _) => fold(text, width.saturating_sub(1) as usize).len() as u16,
            Item::Tries(_, tries, text, _) => tries_height(tries, text, width),
            Item::Gauge(..) | Item::Row(_) => 1,
            Item::Chart(_) => CHART,
            Item::Block(height, _) => height(width.saturating_sub(1)),
        }
    }
}

/// Draws sections one below the other; the row after the last.
pub(super) fn draw(app: &App, n: &Node, sections: &[Section<'_>], pen: &mut Pen<'_>, x: u16, mut y: u16, width: u16) -> u16 {
    for section in sections {
        let style = pen.style(Role::Accent);
        pen.text(x, y, width, section.title, style);
        y += 1;
        for item in &section.items {
            let height = item.height(width);
            self::item(app, n, item, pen, Rect { x, y, width, height });
            y += height;
        }
        y += 1;
    }
    y
}

fn item(app: &App, n: &Node, item: &Item<'_>, pen: &mut Pen<'_>, area: Rect) {
    let dim = pen.style(Role::Dim);
    let indent = indent(area.width);
    let beside = Rect { x: area.x + indent, width: area.width.saturating_sub(indent), ..area };
    match item {
        Item::Entry(name, text, style) => {
            pen.text(area.x + 1, area.y, indent - 2, name, dim);
            for (y, line) in (area.y..).zip(fold(text, beside.width as usize)) {
                pen.text(beside.x, y, beside.width, &line, *style);
            }
        }
        Item::Gauge(name, level, text) => {
            pen.text(area.x + 1, area.y, indent - 2, name, dim);
            let bar = beside.width.saturating_sub(24).clamp(4, 30).min(beside.width);
            spark::gauge(pen, beside.x, area.y, bar, *level);
            pen.text(beside.x + bar + 1, area.y, beside.width.saturating_sub(bar + 1), text, Style::new());
        }
        Item::Said(text, style) => {
            for (y, line) in (area.y..).zip(fold(text, area.width.saturating_sub(1) as usize)) {
                pen.text(area.x + 1, y, area.width.saturating_sub(1), &line, *style);
            }
        }
        Item::Row(draw) | Item::Block(_, draw) => draw(pen, Rect { x: area.x + 1, width: area.width.saturating_sub(1), ..area }),
        Item::Tries(name, tries, text, style) => {
            pen.text(area.x + 1, area.y, indent - 2, name, dim);
            let shown = shown(tries, beside.width);
            spark::tries(pen, beside.x, area.y, shown);
            let after = shown.len() as u16 + 2;
            if area.height == 1 {
                pen.text(beside.x + after, area.y, beside.width.saturating_sub(after), text, *style);
            } else {
                for (y, line) in (area.y + 1..).zip(fold(text, beside.width as usize)) {
                    pen.text(beside.x, y, beside.width, &line, *style);
                }
            }
        }
        Item::Chart(trace) => {
            let name = match trace {
                Trace::Receive => "received",
                Trace::Send => "sent",
                _ => "",
            };
            pen.text(area.x + 1, area.y, indent - 2, name, dim);
            let style = matches!(trace, Trace::Receive | Trace::Send).then(|| pen.style(Role::Accent));
            spark::chart(pen, beside, app.history.cells(n.id, *trace, beside.width as usize, 1), style);
        }
    }
}

/// Columns beside the tries of a probe that are left for a time.
const TIME: u16 = 9;

/// As many of the last tries as have room with a time beside them.
fn shown(tries: &str, width: u16) -> &str {
    let room = usize::from(width.saturating_sub(TIME));
    tries.char_indices().rev().nth(room.saturating_sub(1)).map_or(tries, |(at, _)| &tries[at..])
}

/// What tries say stands beside them, or below if it is longer.
fn tries_height(tries: &str, text: &str, width: u16) -> u16 {
    let beside = width.saturating_sub(indent(width));
    let room = usize::from(beside).saturating_sub(shown(tries, beside).len() + 2);
    if super::width(text) <= room { 1 } else { 1 + fold(text, beside as usize).len() as u16 }
}

//! What stands over the page: menus, help, and the line for filters.

use super::Pen;
use super::header::fold;
use crate::app::App;
use crate::column::COLUMNS;
use crate::keys::HELP;
use crate::menu::{Kind, Menu};
use crate::prompt::Prompt;
use crate::theme::Role;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Where the explanation of a key begins.
const KEY: u16 = 18;

fn frame(pen: &mut Pen<'_>, area: Rect, title: &str) -> Rect {
    pen.clear(area);
    let dim = pen.style(Role::Dim);
    let across = "─".repeat(area.width.saturating_sub(2) as usize);
    pen.text(area.x, area.y, area.width, &format!("┌{across}┐"), dim);
    for y in area.y + 1..area.bottom().saturating_sub(1) {
        pen.text(area.x, y, 1, "│", dim);
        pen.text(area.right().saturating_sub(1), y, 1, "│", dim);
    }
    pen.text(area.x, area.bottom().saturating_sub(1), area.width, &format!("└{across}┘"), dim);
    let accent = pen.style(Role::Accent);
    pen.text(area.x + 2, area.y, area.width.saturating_sub(4), &format!(" {title} "), accent);
    Rect { x: area.x + 1, y: area.y + 1, width: area.width.saturating_sub(2), height: area.height.saturating_sub(2) }
}

pub(super) fn menu(app: &App, menu: &Menu, pen: &mut Pen<'_>, screen: Rect) {
    let title = match menu.kind {
        Kind::Sort => "Sort by",
        Kind::Columns => "Columns: space turns on and off",
        Kind::Colour => "Colour the map by",
    };
    let inner = frame(pen, menu.area(screen), title);
    let rows = inner.height as usize;
    let top = menu.top(rows);
    for (y, (i, which)) in (inner.y..).zip(menu.items.iter().enumerate().skip(top).take(rows)) {
        let column = &COLUMNS[*which];
        let on = match menu.kind {
            Kind::Sort => app.sort == *which,
            Kind::Columns => app.wanted[*which],
            Kind::Colour => app.colour == *which,
        };
        let sign = match (menu.kind, on) {
            (Kind::Sort, true) if column.falls() != app.reversed => "▼",
            (Kind::Sort, true) => "▲",
            (_, true) => "●",
            (Kind::Columns, false) => "○",
            (_, false) => " ",
        };
        let dim = if app.useful[*which] { Style::new() } else { pen.style(Role::Dim) };
        pen.text(inner.x + 1, y, 1, sign, dim);
        pen.text(inner.x + 3, y, 8, column.title, dim);
        let help = pen.style(Role::Dim);
        pen.text(inner.x + 12, y, inner.width.saturating_sub(13), column.help, help);
        if i == menu.at {
            let style = pen.style(Role::Cursor);
            pen.fill(Rect { x: inner.x, y, width: inner.width, height: 1 }, style);
        }
    }
}

/// The help's lines in so many columns: the key where a line begins with one, and the text.
fn help_lines(width: u16) -> Vec<(&'static str, String)> {
    let room = width.saturating_sub(KEY + 1).max(10) as usize;
    let lines = HELP.iter().flat_map(|(key, text)| {
        let folded = fold(text, room).into_iter().enumerate();
        folded.map(|(i, line)| (if i == 0 { *key } else { "" }, line))
    });
    lines.collect()
}

fn help_area(screen: Rect) -> Rect {
    let width = 78.min(screen.width);
    let height = (help_lines(width.saturating_sub(2)).len() as u16 + 4).min(screen.height);
    Rect { x: (screen.width - width) / 2, y: (screen.height - height) / 2, width, height }
}

/// Lines of the help that do not fit on the screen.
pub(crate) fn help_overflow(app: &App) -> usize {
    let area = help_area(Rect::new(0, 0, app.size.0, app.size.1));
    (help_lines(area.width.saturating_sub(2)).len() + 2).saturating_sub(area.height.saturating_sub(2) as usize)
}

pub(super) fn help(scrolled: usize, pen: &mut Pen<'_>, screen: Rect) {
    let inner = frame(pen, help_area(screen), "Keys");
    let (accent, dim) = (pen.style(Role::Accent), pen.style(Role::Dim));
    let mut lines: Vec<(&str, String, Style)> =
        help_lines(inner.width).into_iter().map(|(key, text)| (key, text, Style::new())).collect();
    lines.push(("", String::new(), dim));
    let marks = "● up  ◐ suspect  ◌ stale  ✖ down  ○ left  ★ to use now".to_string();
    lines.push(("marks", marks, dim));
    for (y, (key, text, style)) in (inner.y..inner.bottom()).zip(lines.iter().skip(scrolled)) {
        pen.text(inner.x + 1, y, KEY - 2, key, accent);
        pen.text(inner.x + KEY, y, inner.width.saturating_sub(KEY), text, *style);
    }
}

/// The filter's line, and under it what is wrong with it. Where the cursor belongs.
pub(super) fn prompt(prompt: &Prompt, pen: &mut Pen<'_>, area: Rect) -> Option<(u16, u16)> {
    if area.height == 0 {
        return None;
    }
    pen.clear(area);
    let label = if area.width >= 40 { "show where: " } else { "/" };
    let lead = super::width(label) as u16;
    let accent = pen.style(Role::Accent);
    pen.text(0, area.y, area.width, label, accent);
    // Scrolled so that the cursor is seen, wide characters included.
    let room = area.width.saturating_sub(lead + 1) as usize;
    let columns = |from: usize, to: usize| super::width(&prompt.text[from..to].iter().collect::<String>());
    let mut from = 0;
    while columns(from, prompt.at) > room && from < prompt.at {
        from += 1;
    }
    let seen: String = prompt.text[from..].iter().collect();
    pen.buffer.set_stringn(lead, area.y, &seen, room + 1, Style::new());
    let cursor = lead + columns(from, prompt.at) as u16;
    match &prompt.error {
        Some(e) if !prompt.text.is_empty() && area.height >= 2 => {
            let text: String = prompt.text.iter().collect();
            // The filter is read without the spaces around it.
            let skipped = text.len() - text.trim_start().len();
            let character = |byte: usize| text[..text.floor_char_boundary((byte + skipped).min(text.len()))].chars().count();
            let (start, end) = (character(e.range().start).max(from), character(e.range().end).max(from));
            let bad = pen.style(Role::Bad);
            let caret = lead + columns(from, start) as u16;
            let wide = columns(start, end.max(start)).max(1);
            pen.text(caret, area.y + 1, area.width.saturating_sub(caret), &"^".repeat(wide), bad);
            pen.text(1, area.y + 2, area.width.saturating_sub(1), e.message(), bad);
            if let Some(hint) = e.hint() {
                let dim = pen.style(Role::Dim);
                pen.text(1, area.y + 3, area.width.saturating_sub(1), hint, dim);
            }
        }
        _ if area.height >= 2 => {
            let dim = pen.style(Role::Dim);
            let said = "e.g. cpu.busy < 20% && mem.available > 8GiB, label.room == \"b12\", or a part of a name";
            pen.text(1, area.y + 2, area.width.saturating_sub(1), said, dim);
            pen.text(1, area.y + 3, area.width.saturating_sub(1), "Enter shows them, Esc leaves it as it was", dim);
        }
        _ => {}
    }
    Some((cursor.min(area.right().saturating_sub(1)), area.y))
}

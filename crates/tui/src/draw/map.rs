//! The map of all nodes.

use super::Pen;
use super::header::mark;
use crate::app::{App, Line, Spot};
use crate::column::COLUMNS;
use crate::map::Row;
use crate::table::{Node, Table};
use crate::theme::Role;
use peermon_api::State;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

/// Levels without colours.
const SHADES: [&str; 9] = ["▁", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
/// Cells of the legend's scale.
const SCALE: usize = 20;

pub(super) fn draw(app: &App, table: &Table, pen: &mut Pen<'_>, legend: Rect, body: Rect) {
    if legend.height > 0 {
        self::legend(app, table, pen, legend);
    }
    let grid = app.grid();
    let cursor = app.cursor_line();
    let rows = grid.rows.iter().skip(app.map_top(&grid)).take(body.height as usize);
    for (y, row) in (body.y..).zip(rows) {
        match row {
            Row::Title(g) => super::list::group(app, &app.groups[*g], pen, Rect { y, height: 1, ..body }),
            Row::Cells(from, to) => {
                for (i, line) in app.lines[*from..*to].iter().enumerate() {
                    let Line::Node(n) = line else { continue };
                    let x = body.x + (i * grid.cell) as u16;
                    cell(app, &table.nodes[*n], pen, (x, y), grid.cell as u16, cursor == Some(from + i));
                }
            }
        }
    }
}

fn cell(app: &App, n: &Node, pen: &mut Pen<'_>, (x, y): (u16, u16), wide: u16, chosen: bool) {
    let column = &COLUMNS[app.colour];
    let level = column.level(n).filter(|_| n.fresh());
    let style = match level {
        Some(level) => pen.palette.cell(level),
        None => pen.style(Role::Dim),
    };
    // A gap between cells, where they are wide enough.
    let inner = if wide >= 5 { wide - 1 } else { wide };
    let shade = level.map_or(" ", |l| if pen.palette.plain() { SHADES[(l * 8.0).ceil() as usize % 9] } else { " " });
    let sign = match (n.best, n.view.state) {
        (Some(_), _) => "★",
        (_, State::Alive) if level.is_some() => shade,
        (_, state) => mark(state),
    };
    let best = if n.best.is_some() { style.add_modifier(Modifier::BOLD) } else { style };
    let style = if chosen { style.add_modifier(Modifier::REVERSED) } else { style };
    pen.fill(Rect { x, y, width: inner, height: 1 }, style);
    if inner < 4 {
        pen.text(x, y, inner, sign, style.patch(best));
        if inner == 2 && pen.palette.plain() {
            pen.text(x + 1, y, 1, shade, style);
        }
        return;
    }
    pen.text(x, y, 1, sign, style.patch(best));
    let value = level.and_then(|_| column.text(n, app.waited())).unwrap_or_default();
    if inner >= 10 {
        pen.text(x + 1, y, inner - 6, &n.view.name, style);
        pen.right(x + inner - 5, y, 5, &value, style);
    } else if inner >= 7 {
        pen.text(x + 1, y, inner - 1, &tail(&n.view.name, usize::from(inner) - 1), style);
    } else {
        pen.right(x, y, inner, &value, style);
    }
}

/// The end of a name, which tells it from its neighbours.
fn tail(name: &str, room: usize) -> std::borrow::Cow<'_, str> {
    if super::width(name) <= room {
        return name.into();
    }
    let end = name.char_indices().map(|(i, _)| &name[i..]).find(|t| super::width(t) < room).unwrap_or("");
    format!("…{end}").into()
}

fn legend(app: &App, table: &Table, pen: &mut Pen<'_>, area: Rect) {
    let head = pen.style(Role::Head);
    pen.fill(area, head);
    let column = &COLUMNS[app.colour];
    let mut x = pen.text(1, area.y, area.width.saturating_sub(1), column.title, head.patch(pen.style(Role::Accent))) + 2;
    if area.width as usize > SCALE + 30 {
        for i in 0..SCALE {
            let level = i as f64 / (SCALE - 1) as f64;
            let style = pen.palette.cell(level);
            let shade = if pen.palette.plain() { SHADES[(level * 8.0).ceil() as usize] } else { " " };
            pen.text(x, area.y, 1, shade, head.patch(style));
            x += 1;
        }
        x += 1 + pen.text(x + 1, area.y, 30, "★ to use now", head);
    }
    // What the cursor is on, in words.
    if let Some(Spot::Node(id)) = &app.cursor
        && let Some(n) = table.find(*id)
    {
        let value = column.text(n, app.waited()).unwrap_or("not known".into());
        let said = format!("{}: {} {value}, {} ", n.view.name, column.title, n.view.state.name());
        pen.right(x + 2, area.y, area.width.saturating_sub(x + 2), &said, head.patch(Style::new().add_modifier(Modifier::BOLD)));
    }
}

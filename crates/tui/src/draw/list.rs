//! The list: a line for each node.

use super::header::{mark, states};
use super::{Pen, spark};
use crate::app::{App, Group, GroupLine, Line};
use crate::column::{COLUMNS, NAME, Shows, Which};
use crate::history::Trace;
use crate::table::{Node, Table};
use crate::theme::Role;
use crate::units;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Columns before the name: the mark of the best, and the state's.
const LEAD: u16 = 3;
/// Cells of a sparkline, the least and the most.
const SPARK_MIN: u16 = 6;
const SPARK_MAX: u16 = 24;
/// Points that a cell of a sparkline is the mean of: it changes every few seconds only, which is calm, and little to send.
const POINTS_PER_CELL: usize = 4;

/// Which sparklines come first where there is little room, and with them before which columns.
const SPARKS: &[(Trace, u8)] = &[
    (Trace::Cpu, 238),
    (Trace::Memory, 228),
    (Trace::Network, 220),
    (Trace::Pressure, 193),
    (Trace::Gpu, 192),
    (Trace::Load, 99),
    (Trace::Disk, 98),
];

/// A column on the screen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) which: Which,
    x: u16,
    spark: u16,
    text: u16,
}

/// The columns that fit into so many, from left to right.
pub(super) fn slots(app: &App, width: u16) -> Vec<Slot> {
    let longest = (app.name_width as u16).max(COLUMNS[NAME].width);
    let name = longest.min(match width {
        0..60 => 12,
        60..100 => 16,
        _ => 24,
    });
    let mut left = width.saturating_sub(LEAD + name);
    let wanted = |c: &Which| app.wanted[*c] && app.useful[*c] && *c != NAME;
    // What may be there, columns and sparklines, the most important first.
    let mut parts: Vec<(u8, Which, bool)> = Vec::new();
    for which in (0..COLUMNS.len()).filter(wanted) {
        parts.push((COLUMNS[which].priority, which, false));
        if let Some((_, priority)) = SPARKS.iter().find(|(t, _)| COLUMNS[which].trace == Some(*t))
            && app.history.any()
        {
            parts.push((*priority, which, true));
        }
    }
    parts.sort_by_key(|p| std::cmp::Reverse(p.0));
    let mut slots = vec![Slot { which: NAME, x: LEAD, spark: 0, text: name }];
    for (_, which, is_spark) in parts {
        let need = 1 + if is_spark { SPARK_MIN } else { COLUMNS[which].width };
        if need > left {
            continue;
        }
        match (is_spark, slots.iter_mut().find(|s| s.which == which)) {
            (true, Some(slot)) => slot.spark = SPARK_MIN,
            (true, None) => continue,
            (false, _) => slots.push(Slot { which, x: 0, spark: 0, text: COLUMNS[which].width }),
        }
        left -= need;
    }
    let grow = longest.saturating_sub(name).min(left);
    slots[0].text += grow;
    left -= grow;
    let sparks = slots.iter().filter(|s| s.spark > 0).count() as u16;
    let more = left.checked_div(sparks).unwrap_or(0).min(SPARK_MAX - SPARK_MIN);
    slots.iter_mut().filter(|s| s.spark > 0).for_each(|s| s.spark += more);
    slots.sort_by_key(|s| s.which);
    let mut x = LEAD;
    for s in &mut slots {
        s.x = x;
        x += s.wide() + 1;
    }
    slots
}

impl Slot {
    fn wide(&self) -> u16 {
        self.text + if self.spark > 0 { self.spark + 1 } else { 0 }
    }
}

/// The column whose title is at `x`.
pub(crate) fn column_at(app: &App, x: u16) -> Option<Which> {
    slots(app, app.size.0).into_iter().find(|s| x <= s.x + s.wide()).map(|s| s.which)
}

pub(super) fn draw(app: &App, table: &Table, pen: &mut Pen<'_>, titles: Rect, body: Rect) {
    let slots = slots(app, body.width);
    if titles.height > 0 {
        self::titles(app, &slots, pen, titles);
    }
    let cursor = app.cursor_line();
    let lines = app.lines.iter().enumerate().skip(app.top).take(body.height as usize);
    for (y, (i, line)) in (body.y..).zip(lines) {
        let row = Rect { y, height: 1, ..body };
        match line {
            Line::Group(g) => group(app, &app.groups[*g], pen, row),
            Line::Node(n) => node(app, &table.nodes[*n], &slots, pen, row),
        }
        if cursor == Some(i) {
            let style = pen.style(Role::Cursor);
            pen.fill(row, style);
        }
    }
    if app.lines.is_empty() {
        let said = if table.nodes.is_empty() {
            "The table is empty: this daemon has heard no node yet. `peermon invite` and `peermon join` bring machines together."
        } else {
            "No node is like that. Esc shows all, / writes another filter."
        };
        let style = pen.style(Role::Dim);
        for (y, line) in (body.y..body.bottom()).zip(super::header::fold(said, body.width.saturating_sub(2) as usize)) {
            pen.text(1, y, body.width.saturating_sub(1), &line, style);
        }
    }
}

fn titles(app: &App, slots: &[Slot], pen: &mut Pen<'_>, area: Rect) {
    let style = pen.style(Role::Head);
    pen.fill(area, style);
    for s in slots {
        let column = &COLUMNS[s.which];
        if s.which != app.sort {
            if column.right() {
                pen.right(s.x, area.y, s.wide(), column.title, style);
            } else {
                pen.text(s.x, area.y, s.text, column.title, style);
            }
            continue;
        }
        let style = style.patch(pen.style(Role::Accent));
        let arrow = if column.falls() != app.reversed { "▼" } else { "▲" };
        if column.right() {
            // The gap before the column has room for the arrow.
            pen.right(s.x - 1, area.y, s.wide() + 1, &format!("{arrow}{}", column.title), style);
        } else {
            pen.text(s.x, area.y, s.text, &format!("{}{arrow}", column.title), style);
        }
    }
}

fn node(app: &App, n: &Node, slots: &[Slot], pen: &mut Pen<'_>, row: Rect) {
    let (y, waited) = (row.y, app.waited());
    let fresh = n.fresh();
    let dim = pen.style(Role::Dim);
    if n.best.is_some() {
        let style = pen.style(Role::Best);
        pen.text(0, y, 1, "★", style);
    }
    pen.text(1, y, 1, mark(n.view.state), pen.palette.state(n.view.state));
    for s in slots {
        let column = &COLUMNS[s.which];
        let at = s.x + s.wide() - s.text;
        if s.spark > 0
            && let Some(trace) = column.trace
        {
            let style = matches!(trace, Trace::Network).then(|| pen.style(Role::Accent));
            spark::line(pen, s.x, y, app.history.cells(n.id, trace, s.spark as usize, POINTS_PER_CELL), style);
        }
        let Some(text) = column.text(n, waited) else {
            pen.right(at, y, s.text, "-", dim);
            continue;
        };
        let style = match &column.shows {
            _ if s.which == NAME && n.view.this => pen.style(Role::Strong),
            _ if s.which == NAME => Style::new(),
            _ if column.name == "state" => pen.palette.state(n.view.state),
            Shows::Clock(_) if column.name == "age" => age_style(n, waited, pen),
            // What was last heard is not what is now.
            _ if !fresh => dim,
            Shows::Level(_, _, level) => level(n).map_or(Style::new(), |l| pen.palette.level(l)),
            Shows::Text(_) => dim,
            _ => Style::new(),
        };
        if column.right() {
            pen.right(at, y, s.text, &text, style);
        } else {
            pen.text(at, y, s.text, &text, style);
        }
    }
}

/// Ages stand out from 3 periods on, when a row has certainly been missed, and more from 10 on.
pub(super) fn age_style(n: &Node, waited: f64, pen: &Pen<'_>) -> Style {
    match n.view.age_seconds.map(|a| (a + waited) / n.view.period_seconds.max(1.0)) {
        Some(periods) if periods > 10.0 => pen.style(Role::Bad),
        Some(periods) if periods > 3.0 => pen.style(Role::Warn),
        _ => pen.style(Role::Dim),
    }
}

/// A group's title, with its sums.
pub(super) fn group(app: &App, g: &GroupLine, pen: &mut Pen<'_>, row: Rect) {
    let t = &g.totals;
    let name = match (&app.group, g.name.as_str()) {
        (Group::Label(key), "") => format!("without {key}"),
        (_, "") => "without a zone".to_string(),
        (Group::Label(key), value) => format!("{key} {value}"),
        (_, zone) => zone.to_string(),
    };
    let (accent, dim) = (pen.style(Role::Accent), pen.style(Role::Dim));
    let folded = if g.folded { "▸" } else { "▾" };
    let mut pieces = vec![(format!("{folded} {name}"), accent)];
    pieces.extend(states(t, pen, false));
    pieces.push(("  cpu".to_string(), dim));
    pieces.push((format!(" {:>4}", units::short_percent(t.cpu())), pen.palette.level(t.cpu())));
    pieces.push((format!(" of {}", units::short_count(t.threads)), dim));
    pieces.push(("  mem".to_string(), dim));
    pieces.push((format!(" {:>4}", units::short_percent(t.mem())), pen.palette.level(t.mem())));
    pieces.push((format!(" of {}", units::bytes(t.mem_total)), dim));
    pieces.push((format!("  load {}", units::short_number(t.load)), dim));
    pieces.push((format!("  ↓ {} ↑ {}", units::rate(t.rx), units::rate(t.tx)), dim));
    if t.gpus > 0.0 {
        pieces.push((format!("  GPUs {}", units::short_count(t.gpus)), dim));
    }
    let zone = app.table.iter().flat_map(|t| &t.zones).find(|z| app.group == Group::Zone && z.name == g.name);
    if let Some(z) = zone.filter(|z| z.partial || z.stale) {
        let said = if z.stale {
            "  cut off: as last heard".to_string()
        } else {
            format!("  {} of {} listed", t.nodes(), z.totals.as_ref().map_or(t.nodes(), |t| (t.up + t.down) as usize))
        };
        let role = if z.stale { Role::Warn } else { Role::Dim };
        pieces.insert(1, (said, pen.style(role)));
    }
    pen.pieces(row.x, row.y, row.width, &pieces);
}

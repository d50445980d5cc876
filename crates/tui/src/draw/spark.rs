//! Lines and bars of block characters.

use super::Pen;
use crate::theme::Role;
use ratatui::layout::Rect;
use ratatui::style::Style;

const EIGHTHS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
/// Less than this is told from nothing only by a calmer colour.
const NOTHING: f64 = 0.004;
const LEFT_EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// One row of levels, coloured by level unless a style is given; a gap where nothing is known.
pub(super) fn line(pen: &mut Pen<'_>, x: u16, y: u16, levels: impl Iterator<Item = Option<f64>>, style: Option<Style>) {
    for (i, level) in levels.enumerate() {
        let Some(level) = level else { continue };
        let style = if level < NOTHING { pen.style(Role::Dim) } else { style.unwrap_or_else(|| pen.palette.level(level)) };
        let symbol = EIGHTHS[((level * 8.0).ceil() as usize).clamp(1, 8)];
        pen.text(x + i as u16, y, 1, symbol, style);
    }
}

/// Levels as columns of several rows.
pub(super) fn chart(pen: &mut Pen<'_>, area: Rect, levels: impl Iterator<Item = Option<f64>>, style: Option<Style>) {
    let rows = usize::from(area.height);
    for (i, level) in levels.take(usize::from(area.width)).enumerate() {
        let Some(level) = level else { continue };
        let eighths = ((level * 8.0 * rows as f64).round() as usize).max(1);
        for row in 0..rows {
            let part = eighths.saturating_sub(row * 8).min(8);
            if part > 0 {
                let style = style.unwrap_or_else(|| pen.palette.level((row as f64 + 0.5) / rows as f64));
                pen.text(area.x + i as u16, area.bottom() - 1 - row as u16, 1, EIGHTHS[part], style);
            }
        }
    }
}

/// The last tries of a probe, the oldest first: `.` good, `l` late, `x` failed.
pub(super) fn tries(pen: &mut Pen<'_>, x: u16, y: u16, tries: &str) {
    for (x, try_) in (x..).zip(tries.chars()) {
        let (symbol, role) = match try_ {
            '.' => ("▪", Role::Good),
            'l' => ("◦", Role::Warn),
            'x' => ("✖", Role::Bad),
            _ => (" ", Role::Dim),
        };
        let style = pen.style(role);
        pen.text(x, y, 1, symbol, style);
    }
}

/// A bar from the left, the rest dotted.
pub(super) fn gauge(pen: &mut Pen<'_>, x: u16, y: u16, room: u16, level: f64) {
    let eighths = (level.clamp(0.0, 1.0) * 8.0 * f64::from(room)).round() as u16;
    let (full, part) = (eighths / 8, usize::from(eighths % 8));
    let style = pen.palette.level(level);
    pen.text(x, y, room, &"█".repeat(usize::from(full)), style);
    let rest = x + full;
    let dim = pen.style(Role::Dim);
    pen.text(rest, y, room - full, &"·".repeat(usize::from(room - full)), dim);
    if part > 0 {
        pen.text(rest, y, 1, LEFT_EIGHTHS[part], style);
    }
}

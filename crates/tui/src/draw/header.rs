//! The cluster in a few lines, how it stands with the daemon, and what keys there are.

use super::{Pen, spark};
use crate::app::{App, Group, Page};
use crate::column::COLUMNS;
use crate::table::Totals;
use crate::theme::Role;
use crate::units;
use peermon_api::State;
use ratatui::layout::Rect;
use ratatui::style::Style;

pub(super) const fn mark(state: State) -> &'static str {
    match state {
        State::Alive => "●",
        State::Suspect => "◐",
        State::Stale => "◌",
        State::Down => "✖",
        State::Left => "○",
    }
}

/// How many nodes are in each state, all pieces with a leading space.
pub(super) fn states(totals: &Totals, pen: &Pen<'_>, words: bool) -> Vec<(String, Style)> {
    let counts = [
        (State::Alive, totals.up, "up"),
        (State::Suspect, totals.suspect, "suspect"),
        (State::Stale, totals.stale, "stale"),
        (State::Down, totals.down, "down"),
        (State::Left, totals.left, "left"),
    ];
    let shown = counts.into_iter().filter(|(s, n, _)| *n > 0 || *s == State::Alive);
    let mut pieces = Vec::new();
    for (state, n, word) in shown {
        let word = if words { format!(" {word}") } else { String::new() };
        pieces.push((format!("  {}", mark(state)), pen.palette.state(state)));
        pieces.push((format!(" {n}{word}"), pen.style(if state == State::Alive { Role::Text } else { Role::Strong })));
    }
    pieces
}

pub(super) fn draw(app: &App, pen: &mut Pen<'_>, area: Rect) {
    if area.height == 0 {
        return;
    }
    let default = Totals::default();
    let totals = app.table.as_ref().map_or(&default, |t| &t.totals);
    let wide = area.width >= super::WIDE;
    let (news, alarming) = link(app, area.width);
    let style = pen.style(if alarming { Role::Alarm } else { Role::Dim });
    let room = (super::width(&news) as u16).min(area.width);
    pen.right(0, area.y, area.width, &news, style);
    let left = area.width.saturating_sub(room + 1);
    let mut pieces = vec![(if wide { " peermon".to_string() } else { String::new() }, pen.style(Role::Accent))];
    if app.table.is_some() {
        let worded = states(totals, pen, true);
        let needed: usize = pieces.iter().chain(&worded).map(|(text, _)| super::width(text)).sum();
        pieces.extend(if needed <= left.into() { worded } else { states(totals, pen, false) });
    }
    pen.pieces(0, area.y, left, &pieces);
    if app.table.is_none() {
        return;
    }
    if area.height == 2 {
        let least = if totals.at_least { "≥" } else { "" };
        let text = format!(
            " cpu {} mem {} load {least}{} ↓{least}{} ↑{least}{}",
            units::short_percent(totals.cpu()),
            units::short_percent(totals.mem()),
            units::short_number(totals.load),
            units::short_rate(totals.rx),
            units::short_rate(totals.tx)
        );
        pen.text(0, area.y + 1, area.width, &text, Style::new());
    }
    if area.height == 3 {
        gauges(totals, pen, area);
        sums(totals, pen, area);
    }
}

fn gauges(totals: &Totals, pen: &mut Pen<'_>, area: Rect) {
    let half = area.width / 2;
    let bar = half.saturating_sub(30).clamp(6, 40);
    let dim = pen.style(Role::Dim);
    let strong = pen.style(Role::Strong);
    let y = area.y + 1;
    pen.text(1, y, 3, "CPU", dim);
    spark::gauge(pen, 5, y, bar, totals.cpu());
    pen.right(6 + bar, y, 4, &units::short_percent(totals.cpu()), strong);
    pen.text(11 + bar, y, half.saturating_sub(12 + bar), &format!("of {} cores", units::short_count(totals.threads)), dim);
    pen.text(half, y, 3, "MEM", dim);
    spark::gauge(pen, half + 4, y, bar, totals.mem());
    pen.right(half + 5 + bar, y, 4, &units::short_percent(totals.mem()), strong);
    let of = format!("{} of {}", units::bytes(totals.mem_used), units::bytes(totals.mem_total));
    pen.text(half + 10 + bar, y, area.width.saturating_sub(half + 10 + bar), &of, dim);
}

fn sums(totals: &Totals, pen: &mut Pen<'_>, area: Rect) {
    let (dim, text) = (pen.style(Role::Dim), Style::new());
    let least = if totals.at_least { "≥ " } else { "" };
    let mut pieces = vec![
        (" load".to_string(), dim),
        (format!(" {least}{:<6}", units::short_number(totals.load)), text),
        ("  net".to_string(), dim),
        (format!(" ↓ {least}{:<9}", units::rate(totals.rx)), text),
        (format!(" ↑ {least}{:<9}", units::rate(totals.tx)), text),
    ];
    if totals.gpus > 0.0 {
        pieces.push(("  GPUs".to_string(), dim));
        pieces.push((format!(" {}", units::short_count(totals.gpus)), text));
    }
    pen.pieces(0, area.y + 2, area.width, &pieces);
}

/// Who is asked, how old what is shown is, and whether something is wrong.
fn link(app: &App, width: u16) -> (String, bool) {
    let age = app.table.as_ref().map(|_| units::short_seconds(app.waited()));
    if let Some((seconds, _)) = app.silence() {
        let age =
            age.map_or(String::new(), |a| if width >= super::WIDE { format!(", values {a} old") } else { format!(", {a} old") });
        return (format!(" no answer for {}{age} ", units::short_seconds(seconds)), true);
    }
    let Some(age) = age else { return (String::new(), false) };
    if app.paused {
        return (format!(" paused, values {age} old "), false);
    }
    if width < super::WIDE {
        return (format!(" {age:>4} "), false);
    }
    let who = app.table.as_ref().and_then(|t| t.nodes.iter().find(|n| n.view.this)).map_or(&app.asked, |n| &n.view.name);
    if app.keyless {
        return (format!("as {who} knows it "), false);
    }
    let every = crate::app::REFRESHES[app.refresh];
    (format!("asks {who} every {every} s, {age:>4} old "), false)
}

/// Before the first table.
pub(super) fn waiting(app: &App, pen: &mut Pen<'_>, area: Rect) {
    let said = match app.silence() {
        Some((_, Some((why, _)))) => why.to_string(),
        _ => format!("Waiting for the first answer of {} ...", app.asked),
    };
    let style = pen.style(Role::Dim);
    for (i, line) in fold(&said, area.width.saturating_sub(2) as usize).iter().enumerate() {
        pen.text(1, area.y + i as u16, area.width.saturating_sub(1), line, style);
    }
}

/// Breaks a text at spaces, and words that are longer than a line anywhere.
pub(super) fn fold(text: &str, most: usize) -> Vec<String> {
    let most = most.max(2);
    let mut lines: Vec<String> = Vec::new();
    let mut last = String::new();
    for word in text.split_whitespace() {
        if !last.is_empty() && super::width(&last) + 1 + super::width(word) > most {
            lines.push(std::mem::take(&mut last));
        } else if !last.is_empty() {
            last.push(' ');
        }
        if super::width(&last) + super::width(word) <= most {
            last.push_str(word);
            continue;
        }
        for c in word.chars() {
            if super::width(&last) + 2 > most {
                lines.push(std::mem::take(&mut last));
            }
            last.push(c);
        }
    }
    lines.push(last);
    lines
}

pub(super) fn footer(app: &App, pen: &mut Pen<'_>, area: Rect) {
    if area.height == 0 {
        return;
    }
    if let Some((_, why)) = app.silence() {
        let text = match why {
            Some((_, next)) if app.table.is_none() => format!(" Asked again in {next:.0} s."),
            Some((why, next)) => format!(" Asked again in {next:.0} s: {why}"),
            None => " The daemon holds the connection but says nothing: it is stopped or very busy.".to_string(),
        };
        let style = pen.style(Role::Bad);
        pen.text(0, area.y, area.width, &text, style);
        return;
    }
    let (dim, accent) = (pen.style(Role::Dim), pen.style(Role::Accent));
    let mut used = 0;
    let told = told(app);
    if !told.is_empty() {
        used = pen.text(0, area.y, area.width, &format!(" {told} "), accent);
    }
    let keys: &[(&str, &str)] = match app.page {
        Page::Node(id, _) if app.is_own(id) => {
            &[("Esc", "back"), ("⏎", "processes"), ("←→", "others"), ("↑↓", "scroll"), ("?", "help"), ("q", "quit")]
        }
        Page::Node(..) => &[("Esc", "back"), ("←→", "others"), ("↑↓", "scroll"), ("?", "help"), ("q", "quit")],
        Page::Processes(_) => {
            &[("Esc", "back"), ("⏎", "process"), ("↑↓", "move"), ("←→", "sort"), ("S", "turn"), ("?", "help"), ("q", "quit")]
        }
        Page::Process(..) => &[("Esc", "back"), ("←→", "others"), ("↑↓", "scroll"), ("?", "help"), ("q", "quit")],
        Page::Map => &[
            ("?", "help"),
            ("q", "quit"),
            ("m", "list"),
            ("⏎", "node"),
            ("c", "colour"),
            ("s", "sort"),
            ("/", "filter"),
            ("g", "group"),
        ],
        Page::List => &[
            ("?", "help"),
            ("q", "quit"),
            ("⏎", "node"),
            ("s", "sort"),
            ("/", "filter"),
            ("g", "group"),
            ("m", "map"),
            ("c", "columns"),
            ("t", "colours"),
            ("space", "pause"),
        ],
    };
    for (key, does) in keys {
        if used + super::width(key) as u16 + super::width(does) as u16 + 3 > area.width {
            break;
        }
        used += pen.text(used, area.y, area.width, &format!(" {key}"), accent);
        used += pen.text(used, area.y, area.width - used, &format!(" {does}"), dim) + 1;
    }
}

/// What is not the usual about the list.
fn told(app: &App) -> String {
    let Some(table) = &app.table else { return String::new() };
    let mut told = Vec::new();
    if let Some(filter) = &app.filter {
        let waited = app.waited();
        let passing = table.nodes.iter().filter(|n| filter.passes(n, waited)).count();
        told.push(format!("{passing} of {} with {}", table.nodes.len(), filter.text));
    }
    match &app.group {
        Group::None => {}
        Group::Zone => told.push("by zone".into()),
        Group::Label(key) => told.push(format!("by {key}")),
    }
    if app.page == Page::Map {
        told.push(format!("sorted by {}", COLUMNS[app.sort].name));
    }
    if app.page.node().is_some() {
        told.clear();
    }
    told.join(" · ")
}

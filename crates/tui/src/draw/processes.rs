//! The processes and users of the node that answers: a few on its page, all of them as a list, one on a page of its own.

use super::section::{self, Item, Section};
use super::{Pen, areas};
use crate::app::App;
use crate::processes::{COLUMNS, Shows, gpu_memory, processors};
use crate::table::{Id, Node};
use crate::theme::Role;
use crate::units;
use peermon_api::{ProcessView, UsageAnswer, UserView};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;

/// Rows of the list's page above the list: what it is of.
const ABOVE: u16 = 1;
const SAID_BY_OTHERS: &str = "No other machine is told of its processes: peermon ps and peermon top show them there.";
const NONE: &str = "None are told: nothing was looked at yet, or the option `processes` of the daemon is off.";

/// A column on the screen.
struct Slot {
    which: usize,
    x: u16,
    wide: u16,
}

/// The columns that fit into so many, from left to right.
fn slots(usage: &UsageAnswer, width: u16) -> Vec<Slot> {
    let mut left = width;
    let gpus = usage.gpus.iter().any(|g| g.mem.is_some());
    let mut parts: Vec<usize> = (0..COLUMNS.len()).filter(|c| gpus || COLUMNS[*c].title != "GMEM").collect();
    parts.sort_by_key(|c| std::cmp::Reverse(COLUMNS[*c].priority));
    parts.retain(|c| {
        let need = COLUMNS[*c].width + 1;
        let fits = need <= left;
        left -= if fits { need } else { 0 };
        fits
    });
    parts.sort_unstable();
    let mut x = 0;
    let place = |which: usize| {
        let last = which + 1 == COLUMNS.len();
        let slot = Slot { which, x, wide: COLUMNS[which].width + if last { left } else { 0 } };
        x += slot.wide + 1;
        slot
    };
    parts.into_iter().map(place).collect()
}

fn right(which: usize) -> bool {
    !matches!(COLUMNS[which].shows, Shows::Text(_))
}

fn shown(app: &App) -> Vec<Slot> {
    app.own.usage().map_or_else(Vec::new, |u| slots(u, app.size.0.saturating_sub(2)))
}

/// The columns of the list that are seen.
pub(crate) fn columns(app: &App) -> impl Iterator<Item = usize> {
    shown(app).into_iter().map(|s| s.which)
}

/// The column whose title is at `x`.
pub(crate) fn column_at(app: &App, x: u16) -> Option<usize> {
    shown(app).into_iter().find(|s| x <= 1 + s.x + s.wide).map(|s| s.which)
}

/// Rows of the list that fit.
pub(crate) fn rows(app: &App) -> usize {
    usize::from(areas(app).body.height.saturating_sub(above(app)))
}

/// The row of the list at a place.
pub(crate) fn row_at(app: &App, at: Position) -> Option<usize> {
    let body = areas(app).body;
    let from = body.y + above(app);
    (body.contains(at) && at.y >= from).then(|| usize::from(at.y - from))
}

fn above(app: &App) -> u16 {
    if areas(app).body.height > 4 { ABOVE } else { 0 }
}

pub(super) fn draw(app: &App, id: Id, pen: &mut Pen<'_>, titles: Rect, body: Rect) {
    let dim = pen.style(Role::Dim);
    let usage = match app.own.told.as_ref().map(|t| &t.usage) {
        _ if !app.is_own(id) => return said(SAID_BY_OTHERS, pen, body),
        None => return said("Asking for the processes ...", pen, body),
        Some(Err(why)) => return said(why, pen, body),
        Some(Ok(usage)) if usage.processes.is_empty() => return said(NONE, pen, body),
        Some(Ok(usage)) => usage,
    };
    let slots = shown(app);
    if titles.height > 0 {
        self::titles(app, &slots, pen, titles);
    }
    let from = body.y + above(app);
    if above(app) > 0 {
        let age = units::seconds((app.now - app.own.at).as_secs_f64());
        let (told, watched) = (usage.processes.len(), usage.watched);
        let text = format!(" The {told} of {watched} that use most of {}, told {age} ago; 100% is one processor", usage.name);
        pen.text(0, body.y, body.width, &text, dim);
    }
    for (y, p) in (from..body.bottom()).zip(app.own.order().into_iter().skip(app.own.top)) {
        row(p, usage, &slots, pen, Rect { x: 1, y, width: body.width.saturating_sub(2), height: 1 });
        if app.own.cursor == Some(p.pid) {
            let style = pen.style(Role::Cursor);
            pen.fill(Rect { y, height: 1, ..body }, style);
        }
    }
}

fn said(text: &str, pen: &mut Pen<'_>, body: Rect) {
    let style = pen.style(Role::Dim);
    for (y, line) in (body.y..body.bottom()).zip(super::header::fold(text, body.width.saturating_sub(2) as usize)) {
        pen.text(1, y, body.width.saturating_sub(1), &line, style);
    }
}

fn titles(app: &App, slots: &[Slot], pen: &mut Pen<'_>, area: Rect) {
    let style = pen.style(Role::Head);
    pen.fill(area, style);
    for s in slots {
        let (title, x) = (COLUMNS[s.which].title, 1 + s.x);
        let sorted = s.which == app.own.sort;
        let style = if sorted { style.patch(pen.style(Role::Accent)) } else { style };
        let falls = matches!(COLUMNS[s.which].shows, Shows::Number(..));
        let arrow = if !sorted {
            ""
        } else if falls != app.own.reversed {
            "▼"
        } else {
            "▲"
        };
        if right(s.which) {
            pen.right(x.saturating_sub(1), area.y, s.wide + 1, &format!("{arrow}{title}"), style);
        } else {
            pen.text(x, area.y, s.wide, &format!("{title}{arrow}"), style);
        }
    }
}

/// What stands in which column of a few rows.
fn names(slots: &[Slot], pen: &mut Pen<'_>, area: Rect) {
    let dim = pen.style(Role::Dim);
    for s in slots {
        let (title, x) = (COLUMNS[s.which].title.to_lowercase(), area.x + s.x);
        if right(s.which) {
            pen.right(x, area.y, s.wide, &title, dim);
        } else {
            pen.text(x, area.y, s.wide, &title, dim);
        }
    }
}

fn row(p: &ProcessView, usage: &UsageAnswer, slots: &[Slot], pen: &mut Pen<'_>, area: Rect) {
    let dim = pen.style(Role::Dim);
    for s in slots {
        let (text, style) = match &COLUMNS[s.which].shows {
            Shows::Pid => (Some(p.pid.to_string()), dim),
            Shows::Text(of) => (of(p).map(Into::into), Style::new()),
            Shows::Number(of, write) => (of(p, usage).map(write), Style::new()),
        };
        let style = match (COLUMNS[s.which].title, p.cpus) {
            ("CPU", Some(cpus)) => pen.palette.level(cpus.min(1.0)),
            _ => style,
        };
        let (text, style) = text.map_or(("-".to_string(), dim), |t| (t, style));
        let x = area.x + s.x;
        if right(s.which) {
            pen.right(x, area.y, s.wide, &text, style);
        } else {
            pen.text(x, area.y, s.wide, &text, style);
        }
    }
}

/// The processes and the users that use most, for the page of their node.
pub(super) fn sections<'a>(app: &'a App, n: &Node, processes: usize, users: usize) -> [Section<'a>; 2] {
    let (mut all, mut by_user) = (Section::new("Processes"), Section::new("Users"));
    let dim = app.palette.style(Role::Dim);
    let usage = match app.own.told.as_ref().map(|t| &t.usage) {
        _ if !n.view.this => {
            all.items.push(Item::Said(SAID_BY_OTHERS.into(), dim));
            return [all, by_user];
        }
        None => return [all, by_user],
        Some(Err(why)) => {
            all.items.push(Item::Said(why.clone(), dim));
            return [all, by_user];
        }
        Some(Ok(usage)) => usage,
    };
    if !usage.processes.is_empty() {
        all.items.push(Item::Row(Box::new(move |pen, area| names(&slots(usage, area.width), pen, area))));
    }
    for p in usage.processes.iter().take(processes) {
        all.items.push(Item::Row(Box::new(move |pen, area| row(p, usage, &slots(usage, area.width), pen, area))));
    }
    if usage.processes.is_empty() {
        all.items.push(Item::Said(NONE.into(), dim));
    } else if let Some(more) = usage.processes.len().checked_sub(processes).filter(|m| *m > 0) {
        all.items.push(Item::Said(format!("and {more} more of {}: Enter shows them", usage.watched), dim));
    }
    for u in usage.users.iter().take(users) {
        by_user.items.push(Item::Entry(u.user.clone(), user(u), Style::new()));
    }
    [all, by_user]
}

fn user(u: &UserView) -> String {
    let processes = format!("{} process{}", u.processes, if u.processes == 1 { "" } else { "es" });
    let disk = if u.read + u.written >= 1.0 { format!(", disks {}", units::rate(u.read + u.written)) } else { String::new() };
    format!("CPU {}, {}, {processes}{disk}", processors(u.cpus), units::bytes(u.mem as f64))
}

/// Who holds memory of GPUs.
pub(super) fn gpus(usage: &UsageAnswer, section: &mut Section<'_>) {
    for g in &usage.gpus {
        let held = g.mem.map_or(String::new(), |m| format!(" {}", units::bytes(m as f64)));
        let who = g.user.as_ref().map_or(String::new(), |u| format!(" of {u}"));
        section.entry(
            &format!("GPU {}", g.gpu),
            Some(format!("{}{who} ({}){held}", g.command.as_deref().unwrap_or("a process"), g.pid)),
        );
    }
}

/// All that is known of one process.
pub(super) fn page(app: &App, n: &Node, width: u16) -> Buffer {
    let mut sections = Vec::new();
    let Some((p, gone)) = &app.own.process else { return Buffer::empty(Rect::new(0, 0, width, 1)) };
    let details = app.own.details.as_ref().filter(|(pid, _)| *pid == p.pid).map(|(_, d)| d);
    let usage = app.own.usage();

    let mut is = Section::new("What it is");
    is.entry("command line", details.and_then(|d| d.command_line.clone()));
    is.entry("user", p.user.clone());
    is.entry("does", p.state.as_deref().map(|s| if s == "waits" { "waits for a disk or the like" } else { s }.to_string()));
    is.entry("started", p.running_seconds.map(|s| format!("{} ago", units::seconds(s + (app.now - app.own.at).as_secs_f64()))));
    let parent = p.parent.map(|parent| {
        let known = usage.and_then(|u| u.processes.iter().find(|q| q.pid == parent)?.command.as_deref());
        known.map_or(parent.to_string(), |name| format!("{parent} {name}"))
    });
    is.entry("started by", parent);
    if let Some(d) = details {
        is.entry("program", d.program.clone());
        is.entry("folder", d.folder.clone());
        is.entry("group", d.group.clone());
    }
    sections.push(is);

    let mut uses = Section::new("What it uses");
    uses.entry("processors", p.cpus.map(|c| format!("{}, 100% is one", processors(c))));
    let share = n.number("mem.total").filter(|t| *t > 0.0).map(|t| format!(", {} of all", units::percent(p.mem as f64 / t)));
    uses.entry("memory", Some(format!("{}{}", units::bytes(p.mem as f64), share.unwrap_or_default())));
    uses.entry("GPU memory", usage.and_then(|u| gpu_memory(p, u)).map(units::bytes));
    uses.entry("reads", p.read.map(|r| format!("{} from disks", units::rate(r))));
    uses.entry("writes", p.written.map(|r| format!("{} to disks", units::rate(r))));
    uses.entry("open files", details.and_then(|d| d.open_files).map(|n| n.to_string()));
    uses.entry("threads", p.threads.map(|t| t.to_string()));
    let old = p.age_seconds + (app.now - app.own.at).as_secs_f64();
    uses.entry("looked at", Some(format!("{} ago", units::seconds(old))));
    sections.push(uses);

    let column = width.saturating_sub(2);
    let height = 3 + sections.iter().map(|s| s.height(column)).sum::<u16>();
    let mut page = Buffer::empty(Rect::new(0, 0, width, height));
    let mut pen = Pen { buffer: &mut page, palette: app.palette };
    let (strong, dim, bad) = (pen.style(Role::Strong), pen.style(Role::Dim), pen.style(Role::Bad));
    let name = p.command.clone().unwrap_or_else(|| "a process".into());
    pen.pieces(0, 0, width, &[(format!(" {name}"), strong), (format!("  process {} of {}", p.pid, n.view.name), dim)]);
    let news =
        if *gone { (" It has ended, or is no longer among those that use most; this was told last.", bad) } else { ("", dim) };
    pen.text(0, 1, width, news.0, news.1);
    section::draw(app, n, &sections, &mut pen, 1, 3, column);
    page
}

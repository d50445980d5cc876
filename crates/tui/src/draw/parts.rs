//! The parts of the machine of the node that answers, on its page: a bar for each processor, a row for each disk, file system and
//! network interface. What does not fit is folded or counted.

use super::section::{Item, Section, indent};
use super::{Pen, spark, width};
use crate::app::App;
use crate::table::{Node, natural};
use crate::theme::Role;
use crate::units;
use peermon_api::{CoreView, DiskView, FileSystemView, InterfaceView, MemoryView};
use ratatui::layout::Rect;
use ratatui::style::Style;

const SAID_BY_OTHERS: &str =
    "No other machine is told of its single cores, disks, file systems and interfaces: peermon top shows them there.";
/// Rows that bars with a number, and strips of one column for each processor or for several, may take.
const BAR_ROWS: usize = 8;
const STRIP_ROWS: usize = 4;
/// Columns of a processor's bar, and of its share.
const BAR: u16 = 6;
const SHARE: u16 = 5;
/// Columns between two of them.
const GAP: u16 = 2;
/// Rows of a table; a line says how many more there are.
const ROWS: usize = 8;
/// Columns of the name at the beginning of a row, at most.
const NAME: u16 = 28;

/// Where to look for the parts of a node that is not the one that answers, or why they are not here.
pub(super) fn elsewhere<'a>(app: &'a App, n: &Node) -> Section<'a> {
    let mut section = Section::new("Its parts");
    let dim = app.palette.style(Role::Dim);
    let said = match app.own.told.as_ref().map(|t| &t.parts) {
        _ if !n.view.this => SAID_BY_OTHERS,
        Some(Err(why)) => why,
        None | Some(Ok(_)) => return section,
    };
    section.items.push(Item::Said(said.into(), dim));
    section
}

/// How processors are laid out in a width.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Layout {
    /// So many bars beside each other, each after a name of so many columns.
    Bars { across: usize, name: u16 },
    /// A column for each so many of them, and so many columns.
    Strip { each: usize, across: usize },
}

fn layout(cores: &[CoreView], width: u16) -> Layout {
    let name = cores.iter().map(|c| super::width(&c.name)).max().unwrap_or(0) as u16;
    let across = usize::from((beside(width) + GAP) / (name + 1 + BAR + SHARE + GAP)).max(1);
    if cores.len().div_ceil(across) <= BAR_ROWS {
        return Layout::Bars { across, name };
    }
    let across = usize::from(beside(width)).max(1);
    Layout::Strip { each: cores.len().div_ceil(across * STRIP_ROWS).max(1), across }
}

fn beside(width: u16) -> u16 {
    // the item is drawn one column to the right of its entry's name
    (width + 1).saturating_sub(indent(width + 1))
}

pub(super) fn cores<'a>(cores: &'a [CoreView], section: &mut Section<'a>) {
    if cores.iter().all(|c| c.busy.is_none()) {
        return;
    }
    let height = |width: u16| match layout(cores, width) {
        Layout::Bars { across, .. } => cores.len().div_ceil(across) as u16,
        Layout::Strip { each, across } => cores.len().div_ceil(each * across) as u16,
    };
    section.items.push(Item::Block(Box::new(height), Box::new(|pen, area| draw_cores(cores, pen, area))));
    let busiest = cores.iter().max_by(|a, b| a.busy.unwrap_or(-1.0).total_cmp(&b.busy.unwrap_or(-1.0)));
    section.entry("busiest core", busiest.and_then(busiest_core));
    let clocks = || cores.iter().filter_map(|c| c.frequency);
    let ghz = |hertz: f64| format!("{:.1}", hertz / 1e9);
    let clock = clocks().reduce(f64::min).zip(clocks().reduce(f64::max)).map(|(low, high)| match (ghz(low), ghz(high)) {
        (low, high) if low == high => format!("{high} GHz"),
        (low, high) => format!("{low} to {high} GHz"),
    });
    section.entry("clocks", clock);
}

fn busiest_core(core: &CoreView) -> Option<String> {
    let mut text = format!("{}: {}", core.name, units::percent(core.busy?));
    for (share, what) in [(core.system, "in the kernel"), (core.iowait, "waits for disks")] {
        if let Some(share) = share.filter(|s| *s >= 0.005) {
            text.push_str(&format!(", {} {what}", units::percent(share)));
        }
    }
    Some(text)
}

fn draw_cores(cores: &[CoreView], pen: &mut Pen<'_>, area: Rect) {
    let dim = pen.style(Role::Dim);
    let room = beside(area.width);
    let x = area.right().saturating_sub(room);
    let label = area.width.saturating_sub(room).saturating_sub(1);
    match layout(cores, area.width) {
        Layout::Bars { across, name } => {
            pen.text(area.x, area.y, label, "each", dim);
            for (i, core) in cores.iter().enumerate() {
                let at = x + (i % across) as u16 * (name + 1 + BAR + SHARE + GAP);
                let y = area.y + (i / across) as u16;
                pen.right(at, y, name, &core.name, dim);
                let Some(busy) = core.busy else { continue };
                let bar = BAR.min(area.right().saturating_sub(at + name + 1));
                spark::gauge(pen, at + name + 1, y, bar, busy);
                let style = pen.palette.level(busy);
                pen.right(at + name + 1 + BAR, y, SHARE, &units::short_percent(busy), style);
            }
        }
        Layout::Strip { each, across } => {
            for (row, of_row) in cores.chunks(each * across).enumerate() {
                let y = area.y + row as u16;
                let ends = of_row.first().zip(of_row.last()).map_or(String::new(), |(a, b)| format!("{}-{}", a.name, b.name));
                let name = if each > 1 { format!("{ends} by {each}") } else { ends };
                pen.text(area.x, y, label, &name, dim);
                spark::line(pen, x, y, of_row.chunks(each).map(mean), None);
            }
        }
    }
}

/// The mean share of those of which it is known.
fn mean(cores: &[CoreView]) -> Option<f64> {
    let (sum, known) = cores.iter().filter_map(|c| c.busy).fold((0.0, 0), |(sum, n), busy| (sum + busy, n + 1));
    (known > 0).then(|| sum / f64::from(known))
}

pub(super) fn memory(m: &MemoryView, section: &mut Section<'_>) {
    let bytes = |n: u64| units::bytes(n as f64);
    let total = m.total.filter(|t| *t > 0);
    let cached = m.cached.map(|c| c.saturating_add(m.buffers.unwrap_or(0)));
    for (name, part) in [("cache", cached), ("free", m.free)] {
        let of_all = |part: u64| total.map_or(String::new(), |t| format!(", {}", units::percent(part as f64 / t as f64)));
        section.entry(name, part.map(|part| format!("{}{}", bytes(part), of_all(part))));
    }
    let kinds = [(m.kernel, "the kernel's"), (m.shared, "shared"), (m.dirty.filter(|d| *d > 0), "to be written to disks")];
    let kinds: Vec<String> = kinds.iter().filter_map(|(n, what)| Some(format!("{} {what}", bytes((*n)?)))).collect();
    section.entry("of it", Some(kinds.join(", ")));
    let swaps = m.swap_in.zip(m.swap_out).filter(|(i, o)| i + o >= 1.0);
    section.entry("swaps", swaps.map(|(i, o)| format!("{} in, {} out", units::rate(i), units::rate(o))));
}

/// What stands in a cell of a table.
enum Cell {
    Text(String, Style),
    Bar(f64),
    Unknown,
}

/// A column of a table: its title, its width, and how long it is kept on a narrow terminal.
struct Column(&'static str, u16, u8);

/// A row: its name, and its cells.
type Row = (String, Vec<Cell>);

fn known(value: Option<f64>, write: fn(f64) -> String) -> Cell {
    value.map_or(Cell::Unknown, |v| Cell::Text(write(v), Style::new()))
}

/// As [`known`], in a style if there is any of it.
fn bad(value: Option<f64>, style: Style) -> Cell {
    match value {
        Some(v) if v > 0.0 => Cell::Text(units::short_number(v), style),
        Some(_) => Cell::Text("0".into(), Style::new()),
        None => Cell::Unknown,
    }
}

fn level(value: Option<f64>) -> Cell {
    value.map_or(Cell::Unknown, Cell::Bar)
}

/// Puts a table into a section: its titles, its first rows and, if there are more, what is said of the rest.
fn table<'a>(columns: &'static [Column], named: &'static str, rows: Vec<Row>, more: Option<String>, section: &mut Section<'a>) {
    if rows.is_empty() {
        return;
    }
    let name = rows.iter().map(|(name, _)| width(name) as u16).max().unwrap_or(0).clamp(width(named) as u16, NAME);
    section.items.push(Item::Row(Box::new(move |pen, area| {
        let dim = pen.style(Role::Dim);
        let (name, slots) = slots(columns, name, area.width);
        pen.text(area.x, area.y, name, named, dim);
        for (column, x) in slots {
            pen.right(area.x + x, area.y, columns[column].1, columns[column].0, dim);
        }
    })));
    for (text, cells) in rows {
        section.items.push(Item::Row(Box::new(move |pen, area| {
            let (name, slots) = slots(columns, name, area.width);
            pen.text(area.x, area.y, name, &text, Style::new());
            for (column, x) in slots {
                let (x, wide) = (area.x + x, columns[column].1);
                let dim = pen.style(Role::Dim);
                match cells.get(column) {
                    Some(Cell::Text(text, style)) => pen.right(x, area.y, wide, text, *style),
                    Some(Cell::Bar(level)) => {
                        spark::gauge(pen, x, area.y, wide - SHARE, *level);
                        let style = pen.palette.level(*level);
                        pen.right(x + wide - SHARE, area.y, SHARE, &units::short_percent(*level), style);
                    }
                    Some(Cell::Unknown) | None => pen.right(x, area.y, wide, "-", dim),
                }
            }
        })));
    }
    if let Some(more) = more {
        section.items.push(Item::Said(more, Style::new()));
    }
}

/// The columns that fit, each with its place, and how wide the name may be.
fn slots(columns: &[Column], name: u16, room: u16) -> (u16, Vec<(usize, u16)>) {
    let mut left = room.saturating_sub(name.min(room / 2));
    let mut parts: Vec<usize> = (0..columns.len()).collect();
    parts.sort_by_key(|c| std::cmp::Reverse(columns[*c].2));
    parts.retain(|c| {
        let need = columns[*c].1 + 1;
        let fits = need <= left;
        left -= if fits { need } else { 0 };
        fits
    });
    parts.sort_unstable();
    let name = (name.min(room / 2) + left).min(name);
    let mut x = name + 1;
    let place = |c: usize| {
        let at = x;
        x += columns[c].1 + 1;
        (c, at)
    };
    (name, parts.into_iter().map(place).collect())
}

pub(super) fn disks(disks: &[DiskView], section: &mut Section<'_>) {
    static COLUMNS: &[Column] = &[
        Column("busy", BAR + SHARE, 250),
        Column("read", 6, 240),
        Column("write", 6, 241),
        Column("ops/s", 6, 220),
        Column("takes", 7, 230),
        Column("queue", 5, 210),
    ];
    let row = |d: &DiskView| {
        let ops = d.reads.zip(d.writes).map(|(r, w)| r + w);
        let cells = vec![
            level(d.busy),
            known(d.read, units::short_rate),
            known(d.written, units::short_rate),
            known(ops, units::short_count),
            known(d.latency_seconds, units::short_moment),
            known(d.queue, units::short_count),
        ];
        (d.name.clone(), cells)
    };
    let rest =
        disks.get(ROWS..).unwrap_or_default().iter().max_by(|a, b| a.busy.unwrap_or(-1.0).total_cmp(&b.busy.unwrap_or(-1.0)));
    let more = rest.map(|most| {
        let busy = most.busy.map_or(String::new(), |b| format!(", of which {} is the busiest, {}", most.name, units::percent(b)));
        format!("and {} more{busy}", disks.len() - ROWS)
    });
    table(COLUMNS, "disk", disks.iter().take(ROWS).map(row).collect(), more, section);
}

pub(super) fn file_systems(all: &[FileSystemView], style: Style, section: &mut Section<'_>) {
    static COLUMNS: &[Column] =
        &[Column("used", BAR + SHARE, 250), Column("free", 6, 240), Column("size", 6, 230), Column("kind", 8, 220)];
    // Those that do not answer first, then the fullest.
    let mut list: Vec<&FileSystemView> = all.iter().collect();
    let urgency = |f: &FileSystemView| if f.answers { f.used.unwrap_or(-1.0) } else { f64::INFINITY };
    list.sort_by(|a, b| urgency(b).total_cmp(&urgency(a)).then_with(|| natural(&a.point, &b.point)));
    let bytes = |n: Option<u64>| known(n.map(|n| n as f64), units::short_bytes);
    let row = |f: &&FileSystemView| {
        let used = if f.answers { level(f.used) } else { Cell::Text("no answer".into(), style) };
        let kind = if f.read_only { format!("{} ro", f.kind) } else { f.kind.clone() };
        (f.point.clone(), vec![used, bytes(f.available), bytes(f.size), Cell::Text(kind, Style::new())])
    };
    let more = list.len().checked_sub(ROWS).filter(|m| *m > 0).map(|m| format!("and {m} more that are less full"));
    table(COLUMNS, "mounted at", list.iter().take(ROWS).map(row).collect(), more, section);
}

pub(super) fn interfaces(all: &[InterfaceView], style: Style, section: &mut Section<'_>) {
    static COLUMNS: &[Column] = &[
        Column("in", 6, 250),
        Column("out", 6, 249),
        Column("of speed", BAR + SHARE, 230),
        Column("speed", 6, 225),
        Column("drops/s", 7, 240),
        Column("errors/s", 8, 235),
    ];
    // Those that carried most first, which changes rarely; those without a link, and those that carried nothing, last.
    let mut list: Vec<&InterfaceView> = all.iter().collect();
    let carried = |i: &InterfaceView| i.received_bytes.unwrap_or(0).saturating_add(i.sent_bytes.unwrap_or(0));
    list.sort_by_key(|i| (i.link == Some(false), std::cmp::Reverse(carried(i))));
    let row = |i: &&InterfaceView| {
        let most = i.received.into_iter().chain(i.sent).reduce(f64::max);
        let of_speed = most.zip(i.speed.filter(|s| *s > 0.0)).map(|(bytes, speed)| bytes * 8.0 / speed);
        let cells = vec![
            known(i.received, units::short_rate),
            known(i.sent, units::short_rate),
            level(of_speed),
            known(i.speed, |bits| format!("{}b", units::short_rate(bits))),
            bad(i.drops, style),
            bad(i.errors, style),
        ];
        (if i.link == Some(false) { format!("{} (no link)", i.name) } else { i.name.clone() }, cells)
    };
    let more = list.len().checked_sub(ROWS).filter(|m| *m > 0).map(|m| format!("and {m} more that carried less"));
    table(COLUMNS, "interface", list.iter().take(ROWS).map(row).collect(), more, section);
}

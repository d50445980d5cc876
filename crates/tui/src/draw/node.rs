//! One node's page: what is known of it, in sections; what is not measured is left out.

use super::header::mark;
use super::section::{self, Section};
use super::{Pen, areas, health, parts, processes};
use crate::app::{App, Page};
use crate::history::Trace;
use crate::table::{Id, Node, Table};
use crate::theme::Role;
use crate::units;
use peermon_api::{FactValue, State, ZoneView};
use peermon_model::vitals;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use std::collections::BTreeSet;

/// Columns from which sections stand in two columns.
const TWO_COLUMNS: u16 = 100;
/// Processes and users of the node that answers that stand on its page; all of them have a page of their own.
const PROCESSES: usize = 5;
const USERS: usize = 4;

pub(super) fn draw(app: &App, table: &Table, id: Id, scrolled: usize, pen: &mut Pen<'_>, area: Rect) {
    let Some(n) = table.find(id) else {
        let style = pen.style(Role::Dim);
        pen.text(1, area.y, area.width, "This node is no longer in the table. Esc leads back.", style);
        return;
    };
    let page = render(app, table, n, area.width);
    for y in 0..area.height.min(page.area.height.saturating_sub(scrolled as u16)) {
        for x in 0..area.width {
            if let Some(cell) = page.cell(Position { x, y: y + scrolled as u16 }) {
                pen.buffer[(x, area.y + y)] = cell.clone();
            }
        }
    }
    let below = usize::from(page.area.height).saturating_sub(scrolled + usize::from(area.height));
    if below > 0 && area.height > 1 {
        let style = pen.style(Role::Accent);
        pen.right(0, area.bottom() - 1, area.width, &format!(" ↓ {below} more "), style);
    }
}

/// Rows of the page that do not fit on the screen.
pub(crate) fn overflow(app: &App) -> usize {
    let (Some(table), Some(id)) = (&app.table, app.page.node()) else { return 0 };
    let body = areas(app).body;
    let page = table.find(id).map(|n| render(app, table, n, body.width));
    page.map_or(0, |p| usize::from(p.area.height.saturating_sub(body.height)))
}

fn render(app: &App, table: &Table, n: &Node, width: u16) -> Buffer {
    if matches!(app.page, Page::Process(..)) {
        return processes::page(app, n, width);
    }
    let zone = table.zones.iter().find(|z| z.name == n.view.zone);
    let sections = [measured(app, n), told(app, n, zone)].map(|mut side| {
        side.retain(|s| !s.items.is_empty());
        side
    });
    let two = width >= TWO_COLUMNS;
    let column = if two { (width - 3) / 2 } else { width.saturating_sub(2) };
    let heights = sections.each_ref().map(|side| side.iter().map(|s| s.height(column)).sum::<u16>());
    let height = 3 + if two { heights[0].max(heights[1]) } else { heights[0] + heights[1] };
    let mut page = Buffer::empty(Rect::new(0, 0, width, height));
    let mut pen = Pen { buffer: &mut page, palette: app.palette };
    head(app, n, &mut pen, width);
    let (mut x, mut y) = (1, 3);
    for (i, side) in sections.iter().enumerate() {
        if i == 1 && two {
            (x, y) = (column + 2, 3);
        }
        y = section::draw(app, n, side, &mut pen, x, y, column);
    }
    page
}

fn head(app: &App, n: &Node, pen: &mut Pen<'_>, width: u16) {
    let v = &n.view;
    let waited = app.waited();
    let state = pen.palette.state(v.state);
    let (dim, best) = (pen.style(Role::Dim), pen.style(Role::Best));
    let mut pieces = vec![
        (format!(" {} ", mark(v.state)), state),
        (v.name.clone(), pen.style(Role::Strong)),
        (format!("  {} for {}", v.state.name(), units::seconds(v.state_seconds + waited)), state),
    ];
    if let Some(place) = n.best {
        pieces.push((
            if place == 0 { "  ★ the best to use now".into() } else { format!("  ★ number {} to use now", place + 1) },
            best,
        ));
    }
    if v.this {
        pieces.push(("  this node".into(), dim));
    }
    pen.pieces(0, 0, width, &pieces);
    let age = match v.age_seconds {
        Some(age) => (format!("   values {} old", units::seconds(age + waited)), super::list::age_style(n, waited, pen)),
        None => ("   no values have come yet".to_string(), dim),
    };
    let pieces =
        [age, (format!(", told every {}", units::seconds(v.period_seconds)), dim), (format!(". {}", verdict(n)), Style::new())];
    pen.pieces(0, 1, width, &pieces);
}

/// How it is, in words.
fn verdict(n: &Node) -> String {
    match (n.view.state, n.vital("health")) {
        (State::Suspect, _) => "It was silent in the last period.".into(),
        (State::Down, _) => "It answers nobody; what is shown was last heard.".into(),
        (State::Left, _) => "It said that it leaves.".into(),
        (State::Stale, _) => "Its zone is cut off; what is shown was last heard.".into(),
        (State::Alive, Some(h)) if h <= 0.0 => "It must not be used.".into(),
        (State::Alive, Some(h)) if h < 0.995 => format!("It trusts itself to {} only.", units::percent(h)),
        (State::Alive, _) if n.view.avoided.is_some() => "It is avoided here.".into(),
        (State::Alive, Some(_)) => "It is well.".into(),
        (State::Alive, None) => String::new(),
    }
}

/// What is measured, with charts.
fn measured<'a>(app: &'a App, n: &'a Node) -> Vec<Section<'a>> {
    let percent = |name: &str| n.vital(name).map(units::percent);
    let count = |fact: &str| n.number(fact).map(|c| format!("{c:.0}"));

    let mut cpu = Section::new("Processor");
    cpu.chart(app, n, Trace::Cpu);
    cpu.gauge("busy", n.vital("cpu.busy"), units::percent);
    cpu.entry("waits for disks", percent("cpu.iowait"));
    cpu.entry("taken by VMs", percent("cpu.steal"));
    cpu.entry("kernel, most", percent("cpu.system.max3m").map(|p| format!("{p} in the last 3 min")));
    let cores = [("cpu.threads", "thread"), ("cpu.cores", "core"), ("cpu.sockets", "socket")];
    let plural = |c: &str| if c == "1" { "" } else { "s" };
    let cores = cores.iter().filter_map(|(fact, word)| count(fact).map(|c| format!("{c} {word}{}", plural(&c))));
    let cores: Vec<String> = cores.collect();
    cpu.entry("cores", Some(cores.join(", ")));
    let own = app.own.parts().filter(|_| n.view.this);
    own.inspect(|own| parts::cores(&own.cores, &mut cpu));
    cpu.entry("model", n.text("cpu.model").map(Into::into));
    cpu.entry("temperature", n.vital("temperature.max").map(|t| format!("{t:.0} °C at the hottest sensor")));

    let mut load = Section::new("Load");
    let threads = n.number("cpu.threads").filter(|t| *t > 0.0);
    let per = |l: f64| threads.map_or(String::new(), |t| format!(", {} for each thread", units::short_number(l / t)));
    load.entry("1 minute", n.vital("load.1").map(|l| format!("{}{}", units::short_number(l), per(l))));
    load.entry("running now", n.vital("procs.running").map(|p| format!("{p:.0}")));
    load.entry("users", n.vital("users.logged_in").map(|u| format!("{u:.0} logged in")));

    let mut memory = Section::new("Memory");
    memory.chart(app, n, Trace::Memory);
    let of = |used: Option<f64>, total: Option<f64>| Some(format!("{} of {}", units::bytes(used?), units::bytes(total?)));
    let used = of(n.mem_used(), n.number("mem.total")).unwrap_or_default();
    memory.gauge("used", Trace::Memory.of(n), |_| used.clone());
    memory.entry("available", n.vital("mem.available").map(units::bytes));
    memory.entry("swap used", of(n.vital("swap.used"), n.number("swap.total").filter(|t| *t > 0.0)));

    own.inspect(|own| parts::memory(&own.memory, &mut memory));

    let mut pressure = Section::new("Pressure: time in which some task waited");
    pressure.gauge("for processor", n.vital("pressure.cpu"), units::percent);
    pressure.gauge("for memory", n.vital("pressure.memory"), units::percent);
    pressure.gauge("for disks", n.vital("pressure.io"), units::percent);

    let mut disks = Section::new("Disks");
    disks.gauge("busiest", n.vital("disk.busy"), |b| format!("{} of the time", units::percent(b)));

    own.inspect(|own| parts::disks(&own.disks, &mut disks));
    let mut files = Section::new("File systems");
    own.inspect(|own| parts::file_systems(&own.file_systems, app.palette.style(Role::Bad), &mut files));

    let mut gpus = Section::new("GPUs");
    gpus.chart(app, n, Trace::Gpu);
    gpus.gauge("busiest", n.vital("gpu.busy"), units::percent);
    let total = n.number("gpu.mem.total").map_or(String::new(), |t| format!(" of {}", units::bytes(t)));
    gpus.gauge("memory", n.vital("gpu.mem.used"), |m| format!("{}{total}", units::percent(m)));
    gpus.entry("GPUs", n.number("gpu.count").filter(|c| *c > 0.0).map(|c| format!("{c:.0}")));

    if let Some(usage) = app.own.usage().filter(|_| n.view.this) {
        processes::gpus(usage, &mut gpus);
    }
    vec![health::section(app, n), cpu, memory, load, pressure, disks, files, gpus, parts::elsewhere(app, n)]
}

/// Traffic, and what was told about it once.
fn told<'a>(app: &'a App, n: &'a Node, zone: Option<&ZoneView>) -> Vec<Section<'a>> {
    let v = &n.view;
    let mut network = Section::new("Network");
    network.chart(app, n, Trace::Receive);
    network.entry("received", n.vital("net.rx.rate").map(units::rate));
    network.chart(app, n, Trace::Send);
    network.entry("sent", n.vital("net.tx.rate").map(units::rate));
    if let Some(own) = app.own.parts().filter(|_| v.this) {
        parts::interfaces(&own.interfaces, app.palette.style(Role::Bad), &mut network);
    }
    let cards: BTreeSet<&str> = v.facts.keys().filter_map(|k| Some(k.strip_prefix("nic.")?.rsplit_once('.')?.0)).collect();
    for card in cards {
        let told = CARD.iter().filter_map(|(what, before)| {
            let name = format!("nic.{card}.{what}");
            Some(format!("{before}{}", fact(&name, v.facts.get(&name)?)))
        });
        network.entry(card, Some(told.collect::<Vec<_>>().join(", ")));
    }

    let mut notices = Section::new("Notices");
    let others = v.notices.iter().filter(|n| !health::found(n));
    others.for_each(|notice| notices.entry(&notice.topic, Some(notice.text.clone())));

    let mut labels = Section::new("Labels");
    let mut facts = Section::new("Facts");
    for (name, value) in &v.facts {
        if let Some(key) = name.strip_prefix("label.") {
            labels.entry(key, Some(fact(name, value)));
        } else if !SHOWN_ELSEWHERE.contains(&&**name) && !name.starts_with("nic.") {
            facts.entry(name, Some(fact(name, value)));
        }
    }
    facts.entry("addresses", Some(v.addresses.join(", ")));
    facts.entry("id", Some(v.id.clone()));
    facts.entry("incarnation", Some(v.incarnation.to_string()));

    let mut own = Section::new("Its own values");
    for (name, value) in v.vitals.iter().filter(|(name, _)| vitals::find(name).is_none()) {
        own.entry(name, Some(units::value(name, *value)));
    }

    let mut place = Section::new("Zone");
    if let Some(z) = zone {
        place.entry("name", Some(z.name.clone()));
        let state = if z.stale { ", cut off" } else { "" };
        place.entry("nodes", Some(format!("{} that are up{state}", z.totals.as_ref().map_or(z.nodes, |t| t.up as usize))));
        place.entry("relays", Some(z.relays.join(", ")));
        place.entry("values", z.age_seconds.map(|a| format!("{} old at best", units::seconds(a + app.waited()))));
    } else if !v.zone.is_empty() {
        place.entry("name", Some(v.zone.clone()));
    }
    let [processes, users] = processes::sections(app, n, PROCESSES, USERS);
    vec![processes, users, network, notices, place, labels, own, facts]
}

/// What is told of a network interface, and the word before it.
const CARD: &[(&str, &str)] = &[("speed", ""), ("duplex", ""), ("mtu", "MTU "), ("driver", ""), ("firmware", "firmware ")];

/// Facts that have their place in a section of their own.
const SHOWN_ELSEWHERE: &[&str] = &[
    "cpu.threads",
    "cpu.cores",
    "cpu.sockets",
    "cpu.model",
    "mem.total",
    "swap.total",
    "gpu.count",
    "gpu.mem.total",
    "boot.time",
];

fn fact(name: &str, value: &FactValue) -> String {
    match value {
        FactValue::Text(t) => t.clone(),
        FactValue::Number(n) => units::value(name, *n),
    }
}

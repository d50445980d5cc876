//! The columns of the list, in the order they stand, and what each shows.

use crate::history::Trace;
use crate::table::{Node, natural};
use crate::units;
use peermon_api::State;
use std::borrow::Cow;
use std::cmp::Ordering;

/// A column: one entry in [`COLUMNS`].
pub(crate) struct Column {
    /// What it is called on the command line.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// One sentence, for the menu of columns.
    pub(crate) help: &'static str,
    /// Cells its text takes; of the name the least.
    pub(crate) width: u16,
    /// On a narrow terminal the columns with the lowest are left out.
    pub(crate) priority: u8,
    /// Shown unless the user says otherwise.
    pub(crate) usual: bool,
    /// A sparkline beside it where there is room.
    pub(crate) trace: Option<Trace>,
    pub(crate) shows: Shows,
}

pub(crate) enum Shows {
    Text(for<'a> fn(&'a Node) -> Cow<'a, str>),
    Number(fn(&Node) -> Option<f64>, fn(f64) -> String),
    /// As a number, and how much it is of the most there can be.
    Level(fn(&Node) -> Option<f64>, fn(f64) -> String, fn(&Node) -> Option<f64>),
    /// Seconds that go on while nothing new comes.
    Clock(fn(&Node) -> Option<f64>),
}
use Shows::{Clock, Level, Number, Text};

/// A column's place in [`COLUMNS`].
pub(crate) type Which = usize;

pub(crate) const NAME: Which = 0;

macro_rules! column {
    ($name:literal, $title:literal, $width:literal, $priority:literal, $usual:literal, $trace:expr, $shows:expr, $help:literal) => {
        Column {
            name: $name,
            title: $title,
            help: $help,
            width: $width,
            priority: $priority,
            usual: $usual,
            trace: $trace,
            shows: $shows,
        }
    };
}

/// All columns.
pub(crate) static COLUMNS: &[Column] = &[
    column!("name", "NAME", 8, 255, true, None, Text(|n| Cow::Borrowed(&n.view.name)), "The node's name"),
    column!("state", "STATE", 7, 190, true, None, Text(|n| Cow::Borrowed(n.view.state.name())), "How the others see it"),
    column!("age", "AGE", 5, 235, true, None, Clock(|n| n.view.age_seconds), "How old its values are"),
    column!("zone", "ZONE", 8, 120, false, None, Text(|n| Cow::Borrowed(&n.view.zone)), "The zone it is in"),
    column!(
        "cpu",
        "CPU",
        4,
        250,
        true,
        Some(Trace::Cpu),
        Level(|n| n.vital("cpu.busy"), units::short_percent, |n| n.vital("cpu.busy")),
        "Processor time that is not idle"
    ),
    column!(
        "mem",
        "MEM",
        4,
        245,
        true,
        Some(Trace::Memory),
        Level(|n| Trace::Memory.of(n), units::short_percent, |n| Trace::Memory.of(n)),
        "Memory in use"
    ),
    column!(
        "avail",
        "AVAIL",
        5,
        210,
        true,
        None,
        Number(|n| n.vital("mem.available"), units::short_bytes),
        "Memory available to new programs"
    ),
    column!(
        "load",
        "LOAD",
        5,
        240,
        true,
        Some(Trace::Load),
        Level(|n| n.vital("load.1"), units::short_number, |n| Trace::Load.of(n)),
        "Processes running or waiting, over a minute; coloured by thread"
    ),
    column!("cores", "CORE", 4, 200, true, None, Number(|n| n.number("cpu.threads"), units::short_count), "Hardware threads"),
    column!(
        "net",
        "NET",
        5,
        230,
        true,
        Some(Trace::Network),
        Number(Node::traffic, units::short_rate),
        "Bytes received and sent per second"
    ),
    column!("rx", "RX", 5, 100, false, None, Number(|n| n.vital("net.rx.rate"), units::short_rate), "Bytes received per second"),
    column!("tx", "TX", 5, 99, false, None, Number(|n| n.vital("net.tx.rate"), units::short_rate), "Bytes sent per second"),
    column!(
        "press",
        "PRES",
        4,
        215,
        true,
        Some(Trace::Pressure),
        Level(Node::pressure, units::short_percent, Node::pressure),
        "Pressure: time in which some task waited for processor, memory or disk, the largest"
    ),
    column!(
        "disk",
        "DISK",
        4,
        180,
        true,
        Some(Trace::Disk),
        Level(|n| n.vital("disk.busy"), units::short_percent, |n| n.vital("disk.busy")),
        "Time in which the busiest disk had work"
    ),
    column!(
        "iowait",
        "IOW",
        4,
        60,
        false,
        None,
        Level(|n| n.vital("cpu.iowait"), units::short_percent, |n| n.vital("cpu.iowait")),
        "Processor time that waited for disks"
    ),
    column!(
        "gpu",
        "GPU",
        4,
        205,
        true,
        Some(Trace::Gpu),
        Level(|n| n.vital("gpu.busy"), units::short_percent, |n| n.vital("gpu.busy")),
        "Time in which the busiest GPU had work"
    ),
    column!(
        "gpumem",
        "GMEM",
        4,
        170,
        true,
        None,
        Level(|n| n.vital("gpu.mem.used"), units::short_percent, |n| n.vital("gpu.mem.used")),
        "GPU memory in use"
    ),
    column!(
        "temp",
        "TEMP",
        4,
        90,
        false,
        None,
        Level(|n| n.vital("temperature.max"), |t| format!("{t:.0}°"), |n| Some((n.vital("temperature.max")? - 30.0) / 65.0)),
        "The hottest sensor, in degrees Celsius"
    ),
    column!(
        "run",
        "RUN",
        4,
        80,
        false,
        None,
        Number(|n| n.vital("procs.running"), units::short_count),
        "Processes able to run now"
    ),
    column!("users", "USR", 3, 85, false, None, Number(|n| n.vital("users.logged_in"), units::short_count), "Users logged in"),
    column!("swap", "SWAP", 5, 70, false, None, Number(|n| n.vital("swap.used"), units::short_bytes), "Swap space in use"),
    column!(
        "health",
        "HLTH",
        4,
        195,
        true,
        None,
        Level(|n| n.vital("health"), units::short_percent, |n| Some(1.0 - n.vital("health")?)),
        "How far the node trusts itself"
    ),
    column!("since", "SINCE", 5, 75, false, None, Clock(|n| Some(n.view.state_seconds)), "How long it has been in its state"),
    column!(
        "version",
        "VERSION",
        8,
        50,
        false,
        None,
        Text(|n| Cow::Borrowed(n.text("peermon.version").unwrap_or(""))),
        "The version of its daemon"
    ),
    column!(
        "address",
        "ADDRESS",
        21,
        55,
        false,
        None,
        Text(|n| Cow::Borrowed(n.view.addresses.first().map_or("", |a| a))),
        "Where it receives gossip"
    ),
    column!(
        "source",
        "SOURCE",
        14,
        110,
        true,
        None,
        Text(|n| Cow::Borrowed(n.text("source").unwrap_or(""))),
        "Where its values come from, if not from itself"
    ),
    column!("id", "ID", 8, 40, false, None, Text(|n| Cow::Borrowed(n.view.id.get(..8).unwrap_or(&n.view.id))), "Its identity"),
];

impl Column {
    /// Whether it shows a number, which stands right.
    pub(crate) fn right(&self) -> bool {
        !matches!(self.shows, Text(_))
    }

    /// Numbers are more interesting from the top, texts from the beginning.
    pub(crate) fn falls(&self) -> bool {
        !matches!(self.shows, Text(_))
    }

    /// The number by which nodes are compared.
    pub(crate) fn value(&self, n: &Node) -> Option<f64> {
        let value = match self.shows {
            Text(_) => None,
            Number(value, _) | Level(value, _, _) | Clock(value) => value(n),
        };
        value.filter(|v| v.is_finite())
    }

    /// How much its value is, 0 to 1, of the most there can be.
    pub(crate) fn level(&self, n: &Node) -> Option<f64> {
        match self.shows {
            Level(_, _, level) => level(n),
            _ => self.trace.and_then(|t| t.of(n)),
        }
    }

    /// What stands in the column, `waited` seconds after it was told; `None` is not known.
    pub(crate) fn text<'a>(&self, n: &'a Node, waited: f64) -> Option<Cow<'a, str>> {
        Some(match self.shows {
            Text(text) => text(n),
            Number(_, show) | Level(_, show, _) => show(self.value(n)?).into(),
            Clock(_) => units::short_seconds(self.value(n)? + waited).into(),
        })
    }

    /// Whether a node of the table says anything here.
    pub(crate) fn anything(&self, nodes: &[Node]) -> bool {
        nodes.iter().any(|n| match self.shows {
            Text(text) => !text(n).is_empty(),
            _ => self.value(n).is_some(),
        })
    }
}

/// The column of this name.
pub(crate) fn find(name: &str) -> Option<Which> {
    COLUMNS.iter().position(|c| c.name == name)
}

/// Sorts nodes, given by their places, by a column; what is not known comes last whichever way, and places, which are in order of names,
/// decide among equals.
pub(crate) fn sort(order: &mut [usize], nodes: &[Node], by: Which, reversed: bool) {
    let column = &COLUMNS[by];
    let falls = column.falls() != reversed;
    let turn = |o: Ordering| if falls { o.reverse() } else { o };
    if by == NAME {
        return order.sort_by(|a, b| turn(a.cmp(b)));
    }
    if column.name == "state" {
        return order.sort_by(|a, b| turn(trouble(&nodes[*a]).cmp(&trouble(&nodes[*b])).reverse()).then(a.cmp(b)));
    }
    if let Text(text) = column.shows {
        return order.sort_by(|a, b| turn(natural(&text(&nodes[*a]), &text(&nodes[*b]))).then(a.cmp(b)));
    }
    let values: Vec<Option<f64>> = nodes.iter().map(|n| column.value(n)).collect();
    order.sort_by(|a, b| match (values[*a], values[*b]) {
        (Some(x), Some(y)) => turn(x.total_cmp(&y)).then(a.cmp(b)),
        (x, y) => y.is_some().cmp(&x.is_some()).then(a.cmp(b)),
    });
}

/// Whose state needs eyes first.
fn trouble(n: &Node) -> u8 {
    match n.view.state {
        State::Left => 0,
        State::Alive => 1,
        State::Stale => 2,
        State::Suspect => 3,
        State::Down => 4,
    }
}

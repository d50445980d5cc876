//! What each node's values were in the last minutes: the sparklines and charts.
//!
//! A point is a second (or what [`Past::step`] says), told by its number since the start, so that a drawn cell always stands
//! for the same seconds and does not flicker as time goes on. A value is kept as a byte: how much of the most there can be, in
//! 250 steps, which is finer than both a screen and what travels between nodes.

use crate::table::{Id, Node, Scales};
use peermon_model::Instant;
use std::collections::BTreeMap;

/// Points that are kept of each value: two minutes of seconds, as many as the widest chart shows.
pub(crate) const POINTS: usize = 120;
/// Steps of a kept value; more are not known.
const STEPS: f64 = 250.0;
const UNKNOWN: u8 = 255;
/// Between two answers a value is taken to stand for so many points; what was not asked for longer is a gap.
pub(crate) const HOLD_MAX: u64 = 5;

/// What has a history.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Trace {
    Cpu,
    Memory,
    Network,
    Receive,
    Send,
    Pressure,
    Load,
    Disk,
    Gpu,
}

impl Trace {
    const ALL: [Trace; 9] = [
        Trace::Cpu,
        Trace::Memory,
        Trace::Network,
        Trace::Receive,
        Trace::Send,
        Trace::Pressure,
        Trace::Load,
        Trace::Disk,
        Trace::Gpu,
    ];

    /// How much it is, 0 to 1, of the most there can be, from a node's vitals and facts: traffic in a logarithm from 1 kB/s to
    /// 10 GB/s, load by thread, everything else as it is.
    fn level(self, vital: &dyn Fn(&str) -> Option<f64>, number: &dyn Fn(&str) -> Option<f64>) -> Option<f64> {
        let traffic = |rate: f64| (rate.max(1e3) / 1e3).log10() / 7.0;
        let level = match self {
            Trace::Cpu => vital("cpu.busy")?,
            Trace::Memory => 1.0 - vital("mem.available")? / number("mem.total").filter(|t| *t > 0.0)?,
            Trace::Network => traffic(vital("net.rx.rate")? + vital("net.tx.rate")?),
            Trace::Receive => traffic(vital("net.rx.rate")?),
            Trace::Send => traffic(vital("net.tx.rate")?),
            Trace::Pressure => {
                ["pressure.cpu", "pressure.memory", "pressure.io"].iter().filter_map(|p| vital(p)).reduce(f64::max)?
            }
            Trace::Load => vital("load.1")? / number("cpu.threads").filter(|t| *t > 0.0)?,
            Trace::Disk => vital("disk.busy")?,
            Trace::Gpu => vital("gpu.busy")?,
        };
        level.is_finite().then(|| level.clamp(0.0, 1.0))
    }

    /// What it is now.
    pub(crate) fn of(self, node: &Node) -> Option<f64> {
        self.level(&|name| node.vital(name), &|fact| node.number(fact))
    }
}

/// The values of one attribute of one node, the newest last.
#[derive(Clone, Debug)]
pub struct PastSeries {
    /// The node's id.
    pub node: String,
    /// Which attribute.
    pub attribute: String,
    /// In base units; `None` is not known.
    pub values: Vec<Option<f64>>,
}

/// What somebody else remembers, to begin with.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// Seconds from one value to the next.
    pub step: f64,
    /// How old the last value of each series is, in seconds.
    pub ago: f64,
    /// All series.
    pub series: Vec<PastSeries>,
}

/// The attributes that traces are made of.
pub const ATTRIBUTES: &[&str] = &[
    "cpu.busy",
    "mem.available",
    "net.rx.rate",
    "net.tx.rate",
    "pressure.cpu",
    "pressure.memory",
    "pressure.io",
    "load.1",
    "disk.busy",
    "gpu.busy",
];

/// Each trace's level as a code.
pub(crate) type Levels = [u8; Trace::ALL.len()];
/// Of a node of which nothing is known.
pub(crate) const NOTHING: Levels = [UNKNOWN; Trace::ALL.len()];

/// The levels of vitals, given the facts that they are shares of.
pub(crate) fn levels(vital: &dyn Fn(&str) -> Option<f64>, number: &dyn Fn(&str) -> Option<f64>) -> Levels {
    Trace::ALL.map(|t| t.level(vital, number).map_or(UNKNOWN, code))
}

/// What somebody else remembers, made ready to be taken: as [`crate::Ready`], on the thread that asks.
#[derive(Clone, Debug, Default)]
pub struct Remembered {
    step: f64,
    ago: f64,
    /// Of each node, the oldest first.
    nodes: Vec<(Id, Vec<Levels>)>,
}

impl Remembered {
    /// The past of those nodes whose scales are known.
    pub fn of(past: &Past, scales: &Scales) -> Remembered {
        let mut by_node: BTreeMap<Id, Vec<&PastSeries>> = BTreeMap::new();
        past.series.iter().for_each(|s| by_node.entry(Id::of(&s.node)).or_default().push(s));
        let node = |(id, series): (Id, Vec<&PastSeries>)| {
            // The newest values stand at the end of each.
            let longest = series.iter().map(|s| s.values.len()).max().unwrap_or(0);
            let at = |back: usize| {
                let vital = |name: &str| {
                    let values = &series.iter().find(|s| s.attribute == name)?.values;
                    values.get(values.len().checked_sub(1 + back)?).copied().flatten()
                };
                levels(&vital, &|fact| scales.number(id, fact))
            };
            (id, (0..longest).rev().map(at).collect())
        };
        let nodes = by_node.into_iter().filter(|(id, _)| scales.holds(*id)).map(node).collect();
        Remembered { step: past.step, ago: past.ago, nodes }
    }
}

type Rings = [[u8; POINTS]; Trace::ALL.len()];

/// The last values of all nodes.
#[derive(Debug, Default)]
pub(crate) struct History {
    rings: BTreeMap<Id, Box<Rings>>,
    /// The number of the newest point; none before the first table.
    newest: Option<u64>,
}

impl History {
    /// Takes what the nodes are now.
    pub(crate) fn take(&mut self, nodes: &[Node], now: Instant) {
        let point = point(now);
        let before = self.newest.unwrap_or(point);
        // Points nobody asked for are gaps, except that a value stands a while.
        let missed = point.saturating_sub(before).min(POINTS as u64);
        let held = if missed <= HOLD_MAX { missed } else { 0 };
        for rings in self.rings.values_mut() {
            for ring in rings.iter_mut() {
                for p in (point + 1 - missed)..=point {
                    ring[slot(p)] = UNKNOWN;
                }
            }
        }
        self.newest = Some(point);
        for n in nodes {
            let rings = self.rings.entry(n.id).or_insert_with(|| Box::new([[UNKNOWN; POINTS]; Trace::ALL.len()]));
            if !n.fresh() {
                continue;
            }
            for (ring, code) in rings.iter_mut().zip(n.levels).filter(|(_, code)| *code != UNKNOWN) {
                for p in (point + 1).saturating_sub(held.max(1))..=point {
                    ring[slot(p)] = code;
                }
            }
        }
        if self.rings.len() > nodes.len() {
            let there: std::collections::BTreeSet<Id> = nodes.iter().map(|n| n.id).collect();
            self.rings.retain(|id, _| there.contains(id));
        }
    }

    /// Takes what somebody else remembers, where nothing was seen by ourselves. Nodes that are not known are passed over.
    pub(crate) fn fill(&mut self, past: &Remembered) {
        let Some(newest) = self.newest else { return };
        if !(past.step > 0.0 && past.step.is_finite() && past.ago.is_finite()) {
            return;
        }
        for (id, remembered) in &past.nodes {
            let Some(rings) = self.rings.get_mut(id) else { continue };
            for back in 1..(POINTS as u64).min(newest + 1) {
                let steps_back = ((back as f64 - past.ago).max(0.0) / past.step) as usize;
                let Some(i) = remembered.len().checked_sub(1 + steps_back) else { break };
                for (ring, level) in rings.iter_mut().zip(remembered[i]) {
                    let cell = &mut ring[slot(newest - back)];
                    if *cell == UNKNOWN {
                        *cell = level;
                    }
                }
            }
        }
    }

    /// The last `cells` means of `per_cell` points each, 0 to 1, oldest first; the last one may not be full yet.
    pub(crate) fn cells(&self, id: Id, trace: Trace, cells: usize, per_cell: usize) -> impl Iterator<Item = Option<f64>> {
        let ring = self.rings.get(&id).and_then(|r| r.get(Trace::ALL.iter().position(|t| *t == trace)?));
        let per = per_cell.max(1) as u64;
        let newest = self.newest.unwrap_or(0);
        let last = newest / per;
        (0..cells as u64).rev().map(move |back| {
            let (ring, cell) = (ring?, last.checked_sub(back)?);
            let (mut sum, mut known) = (0.0, 0_u32);
            for p in (cell * per)..=(cell * per + per - 1).min(newest) {
                if p + POINTS as u64 > newest && ring[slot(p)] != UNKNOWN {
                    sum += f64::from(ring[slot(p)]) / STEPS;
                    known += 1;
                }
            }
            (known > 0).then(|| sum / f64::from(known))
        })
    }

    /// Whether there is more to show than the newest value.
    pub(crate) fn any(&self) -> bool {
        self.rings.values().any(|r| r.iter().any(|ring| ring.iter().filter(|c| **c != UNKNOWN).count() > 1))
    }
}

/// The number of the point that a moment is in. The first ones are left free for the past.
fn point(now: Instant) -> u64 {
    now.as_nanos() / 1_000_000_000 + POINTS as u64
}

fn slot(point: u64) -> usize {
    (point % POINTS as u64) as usize
}

fn code(level: f64) -> u8 {
    (level * STEPS).round().clamp(0.0, STEPS) as u8
}

//! The table as it was told last: nodes, zones, and sums over them.

use crate::column::COLUMNS;
use crate::history::{self, Levels};
use peermon_api::{FactValue, NodeView, State, ZoneView};
use peermon_model::Instant;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// What the daemon told in one round of questions.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// All nodes.
    pub nodes: Vec<NodeView>,
    /// The ids of the nodes to use now, the best first.
    pub best: Vec<String>,
    /// All zones.
    pub zones: Vec<ZoneView>,
}

/// An answer made ready to be shown. With thousands of nodes that takes longer than a frame may, so it is made on the thread that asks.
#[derive(Clone, Debug)]
pub struct Ready {
    pub(crate) table: Table,
    /// Whether each of [`crate::column::COLUMNS`] says anything.
    pub(crate) useful: Vec<bool>,
    /// Columns of the longest name.
    pub(crate) name_width: usize,
}

impl From<Answer> for Ready {
    fn from(answer: Answer) -> Ready {
        let table = Table::new(answer);
        let useful = COLUMNS.iter().map(|c| c.anything(&table.nodes)).collect();
        let name_width = table.nodes.iter().map(|n| crate::draw::width(&n.view.name)).max().unwrap_or(0);
        Ready { table, useful, name_width }
    }
}

impl Ready {
    /// What the past of its nodes is measured by.
    pub fn scales(&self) -> Scales {
        let of = |n: &Node| (n.id, SCALES.map(|fact| n.number(fact)));
        Scales(self.table.nodes.iter().map(of).collect())
    }
}

/// The facts that levels are shares of.
const SCALES: [&str; 2] = ["mem.total", "cpu.threads"];

/// Facts of nodes that levels of the past are shares of.
#[derive(Clone, Debug)]
pub struct Scales(BTreeMap<Id, [Option<f64>; SCALES.len()]>);

impl Scales {
    /// A fact of a node, if it is one of them.
    pub(crate) fn number(&self, id: Id, fact: &str) -> Option<f64> {
        self.0.get(&id)?[SCALES.iter().position(|s| *s == fact)?]
    }

    pub(crate) fn holds(&self, id: Id) -> bool {
        self.0.contains_key(&id)
    }
}

/// A node's identity, short enough to be copied: the first half of its id's digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Id(u128);

impl Id {
    pub(crate) fn of(id: &str) -> Id {
        let digits = id.get(..32).unwrap_or(id);
        Id(u128::from_str_radix(digits, 16).unwrap_or_else(|_| {
            // Not an id as daemons write them; FNV-1a still tells it from others.
            id.bytes().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, |h, b| {
                (h ^ u128::from(b)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
            })
        }))
    }
}

/// One node.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) id: Id,
    pub(crate) view: NodeView,
    /// Its place among the nodes to use now.
    pub(crate) best: Option<usize>,
    /// What it is now, for its history.
    pub(crate) levels: Levels,
}

/// Everything that was told, ready to be shown.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    /// In the order in which people count their names.
    pub(crate) nodes: Vec<Node>,
    pub(crate) zones: Vec<ZoneView>,
    pub(crate) totals: Totals,
    /// When it was taken.
    pub(crate) at: Instant,
    /// The keys of all labels.
    pub(crate) labels: BTreeSet<String>,
}

impl Table {
    fn new(answer: Answer) -> Table {
        let best: Vec<Id> = answer.best.iter().map(|id| Id::of(id)).collect();
        let mut nodes: Vec<Node> = answer.nodes.into_iter().map(|v| Node::new(v, &best)).collect();
        nodes.sort_by(|a, b| natural(&a.view.name, &b.view.name).then_with(|| a.view.id.cmp(&b.view.id)));
        let mut zones = answer.zones;
        for z in &mut zones {
            clean(&mut z.name);
            z.relays.iter_mut().for_each(clean);
        }
        let labels = nodes.iter().flat_map(|n| n.view.facts.keys().filter_map(|k| k.strip_prefix("label."))).map(Into::into);
        Table { labels: labels.collect(), totals: Totals::of_cluster(&nodes, &zones), nodes, zones, at: Instant::ZERO }
    }

    pub(crate) fn find(&self, id: Id) -> Option<&Node> {
        self.nodes.iter().find(|n| n.id == id)
    }
}

impl Node {
    fn new(mut view: NodeView, best: &[Id]) -> Node {
        let id = Id::of(&view.id);
        clean(&mut view.name);
        clean(&mut view.zone);
        for fact in view.facts.values_mut() {
            if let FactValue::Text(t) = fact {
                clean(t);
            }
        }
        view.addresses.iter_mut().for_each(clean);
        for n in &mut view.notices {
            clean(&mut n.topic);
            clean(&mut n.text);
        }
        let mut node = Node { best: best.iter().position(|b| *b == id), id, view, levels: history::NOTHING };
        node.levels = history::levels(&|name| node.vital(name), &|fact| node.number(fact));
        node
    }

    pub(crate) fn vital(&self, name: &str) -> Option<f64> {
        self.view.vitals.get(name).copied()
    }

    pub(crate) fn number(&self, fact: &str) -> Option<f64> {
        match self.view.facts.get(fact)? {
            FactValue::Number(n) => Some(*n),
            FactValue::Text(_) => None,
        }
    }

    pub(crate) fn text(&self, fact: &str) -> Option<&str> {
        match self.view.facts.get(fact)? {
            FactValue::Text(t) => Some(t),
            FactValue::Number(_) => None,
        }
    }

    /// Whether its values are of now: it publishes, and some came in the last periods.
    pub(crate) fn fresh(&self) -> bool {
        let late = |age: f64| age > PERIODS_LATE * self.view.period_seconds.max(1.0);
        matches!(self.view.state, State::Alive | State::Suspect) && !self.view.age_seconds.is_none_or(late)
    }

    pub(crate) fn label<'a>(&'a self, key: &str) -> Option<Cow<'a, str>> {
        match self.view.facts.get(&format!("label.{key}"))? {
            FactValue::Text(t) => Some(Cow::Borrowed(t)),
            FactValue::Number(n) => Some(Cow::Owned(n.to_string())),
        }
    }

    pub(crate) fn mem_used(&self) -> Option<f64> {
        Some((self.number("mem.total")? - self.vital("mem.available")?).max(0.0))
    }

    /// The largest of the three pressures.
    pub(crate) fn pressure(&self) -> Option<f64> {
        ["pressure.cpu", "pressure.memory", "pressure.io"].iter().filter_map(|p| self.vital(p)).reduce(f64::max)
    }

    /// Received and sent together.
    pub(crate) fn traffic(&self) -> Option<f64> {
        Some(self.vital("net.rx.rate")? + self.vital("net.tx.rate")?)
    }
}

/// Values older than so many periods are not of now: several rows in a row were missed.
const PERIODS_LATE: f64 = 10.0;

/// Sums over nodes. What is summed is of the nodes that are up, and of those for which it is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Totals {
    pub(crate) up: usize,
    pub(crate) suspect: usize,
    pub(crate) stale: usize,
    pub(crate) down: usize,
    pub(crate) left: usize,
    pub(crate) threads: f64,
    /// Threads of the nodes whose work is known.
    pub(crate) watched: f64,
    /// Threads' worth of work.
    pub(crate) busy: f64,
    pub(crate) mem_total: f64,
    pub(crate) mem_used: f64,
    pub(crate) load: f64,
    pub(crate) rx: f64,
    pub(crate) tx: f64,
    pub(crate) gpus: f64,
    /// Load, traffic and so on are of the nodes in the table only: a zone tells of the rest in sums without them.
    pub(crate) at_least: bool,
}

impl Totals {
    pub(crate) fn of<'a>(nodes: impl Iterator<Item = &'a Node>) -> Totals {
        let mut t = Totals::default();
        nodes.for_each(|n| t.add(n));
        t
    }

    /// Of the whole cluster: zones of which only some nodes are in the table count with the sums that they tell.
    fn of_cluster(nodes: &[Node], zones: &[ZoneView]) -> Totals {
        let summed: Vec<_> =
            zones.iter().filter(|z| z.partial && !z.stale).filter_map(|z| Some((z, z.totals.as_ref()?))).collect();
        let partial = |n: &Node| summed.iter().any(|(z, _)| z.name == n.view.zone);
        let mut all = Totals::of(nodes.iter().filter(|n| !partial(n)));
        let listed = Totals::of(nodes.iter().filter(|n| partial(n)));
        for (_, z) in &summed {
            all.up += z.up as usize;
            all.down += z.down as usize;
            all.threads += f64::from(z.threads);
            all.watched += f64::from(z.threads);
            all.busy += f64::from(z.threads) * z.cpu_busy;
            all.gpus += f64::from(z.gpus);
            all.mem_total += z.mem_total;
            all.mem_used += (z.mem_total - z.mem_available).max(0.0);
        }
        (all.load, all.rx, all.tx) = (all.load + listed.load, all.rx + listed.rx, all.tx + listed.tx);
        all.at_least = !summed.is_empty();
        all
    }

    fn add(&mut self, n: &Node) {
        match n.view.state {
            State::Alive => self.up += 1,
            State::Suspect => self.suspect += 1,
            State::Stale => self.stale += 1,
            State::Down => self.down += 1,
            State::Left => self.left += 1,
        }
        if !matches!(n.view.state, State::Alive | State::Suspect) {
            return;
        }
        if let Some(threads) = n.number("cpu.threads") {
            self.threads += threads;
            if let Some(busy) = n.vital("cpu.busy") {
                self.watched += threads;
                self.busy += threads * busy;
            }
        }
        if let (Some(total), Some(used)) = (n.number("mem.total"), n.mem_used()) {
            self.mem_total += total;
            self.mem_used += used;
        }
        self.load += n.vital("load.1").unwrap_or(0.0);
        self.rx += n.vital("net.rx.rate").unwrap_or(0.0);
        self.tx += n.vital("net.tx.rate").unwrap_or(0.0);
        self.gpus += n.number("gpu.count").unwrap_or(0.0);
    }

    /// All nodes there are.
    pub(crate) fn nodes(&self) -> usize {
        self.up + self.suspect + self.stale + self.down + self.left
    }

    /// Share of processor time that is not idle.
    pub(crate) fn cpu(&self) -> f64 {
        if self.watched > 0.0 { self.busy / self.watched } else { 0.0 }
    }

    /// Share of memory in use.
    pub(crate) fn mem(&self) -> f64 {
        if self.mem_total > 0.0 { self.mem_used / self.mem_total } else { 0.0 }
    }
}

/// Takes out control characters and direction marks: what comes from other machines must not steer this terminal.
pub(crate) fn clean(text: &mut String) {
    let bad = |c: char| c.is_control() || matches!(c as u32, 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x2069);
    if text.contains(bad) {
        text.retain(|c| !bad(c));
    }
}

/// The order in which people count: `node-2` before `node-10`.
pub(crate) fn natural(a: &str, b: &str) -> Ordering {
    let (mut x, mut y) = (a.as_bytes(), b.as_bytes());
    while let (Some(p), Some(q)) = (x.first(), y.first()) {
        if p.is_ascii_digit() && q.is_ascii_digit() {
            let (m, n) = (digits(x), digits(y));
            let (u, v) = (without_zeros(&x[..m]), without_zeros(&y[..n]));
            let order = u.len().cmp(&v.len()).then_with(|| u.cmp(v));
            if order != Ordering::Equal {
                return order;
            }
            (x, y) = (&x[m..], &y[n..]);
        } else if p == q {
            (x, y) = (&x[1..], &y[1..]);
        } else {
            return p.cmp(q);
        }
    }
    x.len().cmp(&y.len()).then_with(|| a.cmp(b))
}

fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|b| b.is_ascii_digit()).count()
}

fn without_zeros(number: &[u8]) -> &[u8] {
    &number[number.iter().take_while(|b| **b == b'0').count()..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_count_like_this() {
        let mut names = ["node-10", "node-2", "a", "node-02", "node-1-b", "node", "node-1", "10", "9"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["9", "10", "a", "node", "node-1", "node-1-b", "node-02", "node-2", "node-10"]);
    }

    #[test]
    fn ids_are_told_apart_even_if_they_are_none() {
        assert_ne!(Id::of(&"ab".repeat(32)), Id::of(&"ac".repeat(32)));
        assert_ne!(Id::of("x"), Id::of("y"));
        assert_ne!(Id::of(""), Id::of("機械"));
    }

    #[test]
    fn what_steers_a_terminal_is_taken_out() {
        let mut text = "a\u{1b}[31mb\u{202e}c\n".to_string();
        clean(&mut text);
        assert_eq!(text, "a[31mbc");
    }
}

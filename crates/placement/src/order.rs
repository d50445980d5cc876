//! Ordering nodes by any numbers, the highest first.

use crate::chance::Chance;
use crate::{Reason, Sight, Wanted};
use peermon_expr::{Dimension, Error, Expression, Measure, NodeKey, NodeWords};
use peermon_model::Snapshot;
use std::cmp::Ordering;
use std::time::Duration;

/// What nodes are ordered by: the first number decides, the next one among those that hardly differ in it, and the lot among
/// those that hardly differ in any.
#[derive(Clone, Debug)]
pub struct Order {
    keys: Vec<Measure<NodeKey>>,
    texts: Vec<String>,
    delta: f64,
}

impl Order {
    /// The share of a number that counts as no difference, unless told otherwise: what one process more or less makes of most.
    pub const DELTA: f64 = 0.05;

    /// By these numbers, the highest first. `delta` is the share of the best one's value that counts as no difference: too small
    /// and everybody runs to the same machine, too large and worse ones are offered beside the best. A negative one or a NaN
    /// counts as 0. Of numbers without a unit it is a share of 1 at least, since 5 % of almost no load is no difference.
    pub fn new(keys: &[Expression], delta: f64, snapshot: &Snapshot) -> Result<Order, Error> {
        let words = NodeWords::of(snapshot);
        let texts = keys.iter().map(ToString::to_string).collect();
        let keys = keys.iter().map(|k| k.measure(&words)).collect::<Result<_, _>>()?;
        // max also turns a NaN into 0.
        Ok(Order { keys, texts, delta: delta.max(0.0) })
    }

    /// Why a node stands where it stands, in sentences for people.
    pub fn reasons(&self, sight: &Sight<'_>, placed: &Placed) -> Vec<String> {
        let node = &sight.snapshot.nodes[placed.index];
        let row = sight.row(node);
        let mut reasons: Vec<String> = self
            .keys
            .iter()
            .zip(&self.texts)
            .zip(&placed.keys)
            .map(|((key, text), value)| {
                let Some(value) = value else { return format!("{text} is not known") };
                let mut said = format!("{text} = {}", amount(*value, key.dimension()));
                let used: Vec<String> = key
                    .values(&row)
                    .into_iter()
                    .filter(|(name, _)| *name != text)
                    .map(|(name, v)| format!("{name} is {}", v.as_deref().unwrap_or("not known")))
                    .collect();
                if !used.is_empty() {
                    said += &format!(" ({})", used.join(", "));
                }
                said
            })
            .collect();
        let claimed = sight.claimed(node);
        if !claimed.is_nothing() {
            reasons.push(format!("claims take {claimed} of it"));
        }
        reasons.push(crate::rank::better(placed.better));
        if placed.equals > 1 {
            let share = self.delta * 100.0;
            reasons.push(format!("one of {} that count as equal (within {share:.0} %): placed among them by lot", placed.equals));
        }
        reasons
    }
}

/// A node that is offered.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// Which of the snapshot's nodes.
    pub index: usize,
    /// What it was ordered by, in base units; what is not known stands behind everything known.
    pub keys: Vec<Option<f64>>,
    /// How old its values are.
    pub age: Duration,
    /// Its place, counted from 1.
    pub place: usize,
    /// Nodes that count as its equals, itself among them; among them the lot decides.
    pub equals: usize,
    /// Nodes that are better.
    pub better: usize,
}

/// What [`Sight::rank_by`] found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ordered {
    /// Best first, at most as many as asked for.
    pub best: Vec<Placed>,
    /// Every other node by its index in the snapshot, and why it is not offered.
    pub left_out: Vec<(usize, Reason)>,
}

impl Sight<'_> {
    /// The first `n` of the nodes that have what is wanted, in order. The same arguments always give the same answer; another
    /// `seed` draws another lot among equals.
    pub fn rank_by(&self, n: usize, order: &Order, wanted: &Wanted, seed: u64) -> Ordered {
        let mut found = Ordered::default();
        let mut rows = Vec::new();
        for (index, node) in self.snapshot.nodes.iter().enumerate() {
            let age = match self.usable(node).and_then(|age| self.met(wanted, node).map(|()| age).map_err(Reason::Unmet)) {
                Ok(age) => age,
                Err(reason) => {
                    found.left_out.push((index, reason));
                    continue;
                }
            };
            let row = self.row(node);
            let keys: Vec<_> = order.keys.iter().map(|k| k.value(&row)).collect();
            if !keys.is_empty() && keys.iter().all(Option::is_none) {
                found.left_out.push((index, Reason::NoOrder));
                continue;
            }
            rows.push(Placed { index, keys, age, place: 0, equals: 0, better: 0 });
        }
        // So that the order of the snapshot does not decide anything.
        rows.sort_by_key(|r| self.snapshot.nodes[r.index].record.id);
        let lot = |r: &Placed| Chance::of(seed, &self.snapshot.nodes[r.index].record.id).bits();
        arrange(&mut rows, 0, order, &lot, 0);
        let of = rows.len();
        let behind = rows.split_off(n.min(of));
        found.best = rows;
        let behind = behind.into_iter().map(|r| (r.index, Reason::NotAmongFirst { place: r.place, of, n }));
        found.left_out.splice(0..0, behind);
        found
    }
}

/// Puts rows that are equals in all keys before `key` in order; `better` rows stand before them.
fn arrange(rows: &mut [Placed], key: usize, order: &Order, lot: &dyn Fn(&Placed) -> u64, mut better: usize) {
    if key == order.keys.len() {
        rows.sort_by_cached_key(lot);
        let equals = rows.len();
        for (i, r) in rows.iter_mut().enumerate() {
            (r.place, r.equals, r.better) = (better + i + 1, equals, better);
        }
        return;
    }
    rows.sort_by(|a, b| highest_first(a.keys[key], b.keys[key]));
    let least = if order.keys[key].dimension() == Dimension::PLAIN { 1.0 } else { 0.0 };
    let mut rest = rows;
    while let Some(leader) = rest.first().map(|r| r.keys[key]) {
        let near = |r: &Placed| match (leader, r.keys[key]) {
            (Some(best), Some(v)) => best - v <= order.delta * best.abs().max(least),
            (a, b) => a.is_none() && b.is_none(),
        };
        let size = rest.partition_point(near);
        let (group, behind) = rest.split_at_mut(size);
        arrange(group, key + 1, order, lot, better);
        better += size;
        rest = behind;
    }
}

/// A number as people read it.
fn amount(value: f64, dimension: Dimension) -> String {
    match dimension {
        Dimension::BYTES => format!("{:.1} GiB", value / (1024.0 * 1024.0 * 1024.0)),
        _ if value.abs() >= 1e6 => format!("{value:.3e}"),
        _ => format!("{value:.2}"),
    }
}

fn highest_first(a: Option<f64>, b: Option<f64>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => b.total_cmp(&a),
        (a, b) => b.is_some().cmp(&a.is_some()),
    }
}

//! What a zone tells the others of itself: its sums, and in a large cluster only its best nodes.

use peermon_gossip::Engine;
use peermon_model::{Instant, MemberState, NodeEntry, NodeId, ZoneSummary};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Nodes of each zone, besides its relays, that the others know in a cluster too large to tell of all; and of those, nodes chosen for their
/// GPUs, if there are any.
const BEST: usize = 16;
const BEST_GPU: usize = 4;
/// How often they are chosen: telling of another one costs every node of the cluster a record, and of each zone the rows of all it tells of.
const CHOOSE_EVERY: Duration = Duration::from_secs(10);
/// What the newest look counts for in what a node is worth: it is not what it does in one second.
const NEWEST: f64 = 1.0 / 3.0;
/// Who is told of stays so until it is worth less than half of what the last of the best is, in steps.
const LOYALTY: i32 = 2;

/// What a node has to offer: idle processors, each weighed by the share of memory that is free, and GPUs.
#[derive(Clone, Copy, Debug)]
struct Worth {
    processors: f64,
    gpus: f64,
}

/// What a node that passes rows into other zones has to remember for it.
#[derive(Debug, Default)]
pub(crate) struct Speaker {
    worth: BTreeMap<NodeId, Worth>,
    /// The turn at which it chose last, and how often it has chosen.
    turn: Option<u64>,
    times: u32,
}

impl Speaker {
    /// With its next row, such a node says what the others need to know.
    pub(crate) fn speak(&mut self, engine: &mut Engine, now: Instant) {
        let partial = engine.is_relay() && engine.is_partial();
        if !partial {
            *self = Speaker::default();
            if engine.exports().is_some() {
                engine.set_exports(now, None);
            }
        }
        // all relays at the same moments, when all have the same rows: so they come to the same, though each chooses alone
        let turn = engine.cluster_time(now).0 / CHOOSE_EVERY.as_micros() as u64;
        let chooses = partial && self.turn != Some(turn);
        if !chooses && !engine.wants_summary() {
            return;
        }
        let table = engine.snapshot(now);
        let zone = engine.record().zone.clone();
        let ours: Vec<&NodeEntry> = table.nodes.iter().filter(|n| n.record.zone == zone && !n.record.listen_only).collect();
        if engine.wants_summary() {
            engine.set_summary(summary(&ours));
        }
        if chooses {
            self.turn = Some(turn);
            self.times = self.times.saturating_add(1);
            // the first choice is one for the time until the others choose as well
            let first = self.times <= 2;
            if first {
                self.worth.clear();
            }
            let up = ours.iter().filter(|n| is_up(n)).map(|n| (n.record.id, worth(n)));
            self.worth = up.map(|(id, new)| (id, self.worth.get(&id).map_or(new, |old| old.moved(new)))).collect();
            let told = engine.exports().into_iter().flatten().filter(|_| !first).collect();
            engine.set_exports(now, Some(&best(&self.worth, &told)));
        }
    }
}

impl Worth {
    fn moved(self, new: Worth) -> Worth {
        let moved = |old: f64, new: f64| old + (new - old) * NEWEST;
        Worth { processors: moved(self.processors, new.processors), gpus: moved(self.gpus, new.gpus) }
    }
}

fn is_up(n: &NodeEntry) -> bool {
    matches!(n.state, MemberState::Alive | MemberState::Suspect)
}

fn fact(n: &NodeEntry, name: &str) -> f64 {
    n.record.facts.number(name).filter(|v| v.is_finite()).unwrap_or(0.0)
}

fn vital(n: &NodeEntry, name: &str) -> Option<f64> {
    n.record.vital(&n.vitals, name).filter(|v| v.is_finite())
}

fn summary(nodes: &[&NodeEntry]) -> ZoneSummary {
    let up = || nodes.iter().copied().filter(|n| is_up(n));
    let threads: f64 = up().map(|n| fact(n, "cpu.threads")).sum();
    let busy: f64 = up().map(|n| vital(n, "cpu.busy").unwrap_or(0.0) * fact(n, "cpu.threads")).sum();
    ZoneSummary {
        up: up().count() as u32,
        down: nodes.iter().filter(|n| n.state == MemberState::Down).count() as u32,
        threads: threads as u32,
        gpus: up().map(|n| fact(n, "gpu.count")).sum::<f64>() as u32,
        mem_total: up().map(|n| fact(n, "mem.total")).sum(),
        mem_available: up().filter_map(|n| vital(n, "mem.available")).sum(),
        cpu_busy: if threads > 0.0 { busy / threads } else { 0.0 },
    }
}

fn worth(n: &NodeEntry) -> Worth {
    let idle = (1.0 - vital(n, "cpu.busy").unwrap_or(1.0)) * fact(n, "cpu.threads").max(1.0);
    let total = fact(n, "mem.total");
    let free = vital(n, "mem.available").map_or(0.0, |a| if total > 0.0 { (a / total).min(1.0) } else { 0.0 });
    let health = vital(n, "health").unwrap_or(1.0);
    // the busiest of several GPUs says little of the others, memory in use more
    let gpu = (1.0 - vital(n, "gpu.busy").unwrap_or(0.0) / 2.0) * (1.0 - vital(n, "gpu.mem.used").unwrap_or(0.0));
    Worth { processors: idle * (0.25 + 0.75 * free) * health, gpus: fact(n, "gpu.count") * gpu * health }
}

/// Whom to tell of.
fn best(worth: &BTreeMap<NodeId, Worth>, told: &BTreeSet<NodeId>) -> Vec<NodeId> {
    let with_gpus: Vec<(NodeId, f64)> = worth.iter().map(|(id, w)| (*id, w.gpus)).filter(|w| w.1 > 0.0).collect();
    let mut chosen = first(with_gpus, told, BEST_GPU);
    let others: Vec<(NodeId, f64)> = worth.iter().filter(|w| !chosen.contains(w.0)).map(|(id, w)| (*id, w.processors)).collect();
    chosen.extend(first(others, told, BEST - chosen.len()));
    chosen
}

/// The best of them, but rather who is told of already. Worth counts in steps of the square root of two, and of those on one step the lowest ids are
/// first.
fn first(nodes: Vec<(NodeId, f64)>, told: &BTreeSet<NodeId>, most: usize) -> Vec<NodeId> {
    let step = |worth: f64| (worth.max(1e-9).log2() * 2.0).floor() as i32;
    let mut ranked: Vec<(i32, NodeId)> = nodes.into_iter().map(|(id, worth)| (-step(worth), id)).collect();
    ranked.sort_unstable();
    let last = ranked.get(most.saturating_sub(1)).map_or(i32::MAX, |r| r.0.saturating_add(LOYALTY));
    let (stay, others): (Vec<_>, Vec<_>) = ranked.into_iter().partition(|(step, id)| *step <= last && told.contains(id));
    stay.into_iter().chain(others).map(|r| r.1).take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(i: u8) -> NodeId {
        NodeId([i; 32])
    }

    fn zone(processors: impl Fn(u8) -> f64, gpus: impl Fn(u8) -> f64) -> BTreeMap<NodeId, Worth> {
        (0..100).map(|i| (id(i), Worth { processors: processors(i), gpus: gpus(i) })).collect()
    }

    #[test]
    fn who_is_about_as_good_changes_nothing() {
        let first = best(&zone(|i| 8.0 - f64::from(i % 7) * 0.05, |_| 0.0), &BTreeSet::new());
        assert_eq!(first.len(), BEST);
        let told: BTreeSet<NodeId> = first.iter().copied().collect();
        let later = best(&zone(|i| 8.0 - f64::from((i + 3) % 5) * 0.4, |_| 0.0), &told);
        assert_eq!(later.into_iter().collect::<BTreeSet<_>>(), told);
    }

    #[test]
    fn who_has_become_busy_goes_and_the_others_stay() {
        let told: BTreeSet<NodeId> = best(&zone(|_| 8.0, |_| 0.0), &BTreeSet::new()).into_iter().collect();
        let busy = *told.first().expect("somebody");
        let later: BTreeSet<NodeId> =
            best(&zone(|i| if id(i) == busy { 2.0 } else { 8.0 }, |_| 0.0), &told).into_iter().collect();
        assert_eq!(later.len(), BEST);
        assert_eq!(told.difference(&later).collect::<Vec<_>>(), [&busy]);
    }

    #[test]
    fn nodes_with_gpus_are_told_of_though_others_have_more_processors() {
        let chosen = best(&zone(f64::from, |i| if i < 3 { 2.0 } else { 0.0 }), &BTreeSet::new());
        assert_eq!(chosen.len(), BEST);
        assert!((0..3).all(|i| chosen.contains(&id(i))) && chosen.contains(&id(99)));
    }

    #[test]
    fn what_a_node_does_for_a_moment_counts_for_little() {
        let (idle, busy) = (Worth { processors: 8.0, gpus: 0.0 }, Worth { processors: 0.0, gpus: 0.0 });
        let moved = idle.moved(busy);
        assert!(moved.processors > 5.0 && moved.moved(busy).moved(busy).moved(busy).processors < 2.0);
    }
}

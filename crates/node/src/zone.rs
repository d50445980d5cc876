//! What a zone tells the others of itself: its sums, and in a large cluster only its best nodes.

use peermon_gossip::Engine;
use peermon_model::{Instant, MemberState, NodeEntry, NodeId, ZoneSummary};
use std::collections::BTreeSet;

/// Nodes of each zone, besides its relays, that the others know in a cluster too large to tell of all.
const BEST: usize = 16;
/// One told of stays so until it is no longer among so many: telling of another one costs a record.
const LOYALTY: usize = 32;

/// With its next row, a node that passes rows into other zones says what those need to know.
pub(crate) fn speak(engine: &mut Engine, now: Instant) {
    let partial = engine.is_relay() && engine.is_partial();
    if !partial && !engine.wants_summary() {
        if engine.exports().is_some() {
            engine.set_exports(now, None);
        }
        return;
    }
    let table = engine.snapshot(now);
    let zone = engine.record().zone.clone();
    let ours: Vec<&NodeEntry> = table.nodes.iter().filter(|n| n.record.zone == zone && !n.record.listen_only).collect();
    if engine.wants_summary() {
        engine.set_summary(summary(&ours));
    }
    if partial {
        let told: BTreeSet<NodeId> = engine.exports().into_iter().flatten().collect();
        let best = best(&ours, &told);
        engine.set_exports(now, Some(&best));
    } else if engine.exports().is_some() {
        engine.set_exports(now, None);
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

/// The nodes with the most idle processors, each weighed by the share of its memory that is free.
fn best(nodes: &[&NodeEntry], told: &BTreeSet<NodeId>) -> Vec<NodeId> {
    let score = |n: &NodeEntry| {
        let idle = (1.0 - vital(n, "cpu.busy").unwrap_or(1.0)) * fact(n, "cpu.threads").max(1.0);
        let total = fact(n, "mem.total");
        let free = vital(n, "mem.available").map_or(0.0, |a| if total > 0.0 { (a / total).min(1.0) } else { 0.0 });
        idle * (0.25 + 0.75 * free) * vital(n, "health").unwrap_or(1.0)
    };
    let mut ranked: Vec<(f64, NodeId)> = nodes.iter().filter(|n| is_up(n)).map(|n| (score(n), n.record.id)).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let loyal = ranked.iter().take(LOYALTY).filter(|(_, id)| told.contains(id));
    let mut chosen: Vec<NodeId> = loyal.map(|r| r.1).take(BEST).collect();
    for (_, id) in &ranked {
        if chosen.len() >= BEST {
            break;
        }
        if !chosen.contains(id) {
            chosen.push(*id);
        }
    }
    chosen
}

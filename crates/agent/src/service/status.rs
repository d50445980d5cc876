use crate::shared::Shared;
use peermon_api::{BudgetView, CollectorView, LinkView, PaceView, State, Status};
use peermon_model::{Instant, MemberState};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The daemon's health, from what the loop published last.
pub(super) fn of(shared: &Shared, now: Instant) -> Status {
    let (health, snapshot) = (shared.health.load_full(), shared.snapshot.load_full());
    let shown = || snapshot.nodes.iter().filter(|n| !n.record.listen_only && !n.hidden);
    let nodes = State::ALL.iter().map(|s| {
        let count = shown().filter(|n| n.state == MemberState::from(*s)).count();
        (s.name().to_string(), count)
    });
    let ages: Vec<Duration> = shown().filter(|n| n.state == MemberState::Alive).filter_map(|n| snapshot.age(n, now)).collect();
    let mut counters: std::collections::BTreeMap<_, _> = health.counters.iter().map(|(k, v)| ((*k).to_string(), *v)).collect();
    // Held for a reading only; a panic in one leaves the list as it was.
    for face in shared.counting.lock().unwrap_or_else(std::sync::PoisonError::into_inner).iter() {
        counters.extend((face.0)().into_iter().map(|(name, n)| (name.to_string(), n)));
    }
    counters.insert("peermon.requests.refused".to_string(), shared.refused.load(Ordering::Relaxed));
    let kept = shared.memory.lock().unwrap_or_else(std::sync::PoisonError::into_inner).size();
    for (name, n) in [("rows", kept.rows), ("bytes", kept.bytes as u64), ("rows.dropped", kept.rows_dropped)] {
        counters.insert(format!("memory.{name}"), n);
    }
    let collectors = shared.samples.load_full().map_or_else(Vec::new, |latest| {
        let view = |r: &peermon_model::CollectorReport| CollectorView {
            name: r.collector.to_string(),
            seconds: r.duration.as_secs_f64(),
            every_seconds: r.every.as_secs_f64(),
            failure: r.failure.clone(),
        };
        latest.0.reports.iter().map(view).collect()
    });
    Status {
        name: health.name.clone(),
        id: health.id.to_string(),
        version: env!("CARGO_PKG_VERSION").to_string(),
        incarnation: health.incarnation,
        uptime_seconds: (now - shared.started).as_secs_f64(),
        listen: health.listen.iter().map(ToString::to_string).collect(),
        api: shared.api.load().to_vec(),
        period_seconds: health.pace.period.as_secs_f64(),
        pace: PaceView {
            budget_bytes: health.pace.budget,
            cost_bytes: health.pace.cost,
            age_mean_seconds: health.pace.age_mean.as_secs_f64(),
            age_most_seconds: health.pace.age_most.as_secs_f64(),
        },
        nodes: nodes.collect(),
        links: health
            .links
            .iter()
            .map(|l| LinkView {
                name: l.name.clone(),
                address: l.address.to_string(),
                rtt_seconds: l.rtt.map(|r| r.as_secs_f64()),
                role: l.role.to_string(),
            })
            .collect(),
        age_mean_seconds: (!ages.is_empty()).then(|| ages.iter().sum::<Duration>().as_secs_f64() / ages.len() as f64),
        age_max_seconds: ages.iter().max().map(Duration::as_secs_f64),
        cpu_share: health.cpu_share,
        budget: BudgetView {
            cpu_share: health.budget.share(),
            used_share: health.budget.used(),
            stretch: health.budget.stretch(),
            why: health.budget.why(),
        },
        resident_bytes: health.resident_bytes,
        clock_locked: health.clock_locked,
        clock_error_seconds: health.clock_error_seconds,
        seeds_waiting: health.seeds_waiting.clone(),
        counters,
        collectors,
    }
}

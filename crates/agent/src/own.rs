//! The daemon's own attributes: what its loop and its node count, as samples of this host.

use crate::budget::Budget;
use peermon_model::{Attribute, Kind, Sample, Samples, Unit};
use std::borrow::Cow;
use std::sync::OnceLock;

static DELAY: Attribute =
    Attribute::gauge("peermon.loop.delay", Unit::Seconds, "How late the loop served a timer, at most, since the last round.");

static BUDGET: Attribute = Attribute::gauge("self.cpu.budget", Unit::Ratio, "Share of one processor the daemon may use.");
static STRETCH: Attribute = Attribute::gauge(
    "self.stretch",
    Unit::None,
    "How many times as long as usual collectors that can wait do wait, so that the daemon keeps its budget.",
);

/// What the loop counts, with what it means.
const COUNTED: &[(&str, &str)] = &[
    ("peermon.loop.turns", "Times the loop went round."),
    ("peermon.loop.snapshots", "Snapshots of the table published."),
    ("peermon.rounds.late", "Rounds published without samples because the collectors did not answer in time."),
    ("peermon.state.failures", "Times something could not be stored in the state directory."),
    ("peermon.sleeps", "Times the machine was asleep."),
    ("peermon.identities", "Times the node took a new identity because another machine had its key."),
    ("peermon.reloads", "Times the configuration was read again."),
    ("peermon.sockets.reopened", "Sockets opened anew because they kept failing."),
    ("peermon.sockets.errors", "Errors while receiving."),
    ("peermon.dropped.oversized", "Datagrams dropped because they were longer than any of ours."),
];

static ALL: OnceLock<Vec<&'static Attribute>> = OnceLock::new();

/// The catalogue entries of everything that is counted: here, and by the node (names and sentences). They live as long as the
/// program and are made once.
pub(crate) fn attributes(by_node: impl Iterator<Item = (&'static str, &'static str)>) -> &'static [&'static Attribute] {
    ALL.get_or_init(|| {
        let counted = COUNTED.iter().copied().chain(by_node);
        let entry = |(name, help): (&'static str, &'static str)| {
            let (name, help) = (Cow::Borrowed(name), Cow::Borrowed(help));
            let unit = if name.ends_with("bytes") { Unit::Bytes } else { Unit::Count };
            &*Box::leak(Box::new(Attribute { name, unit, kind: Kind::Counter, help, prometheus: None }))
        };
        [&DELAY, &BUDGET, &STRETCH].into_iter().chain(counted.map(entry)).collect()
    })
}

/// Adds the daemon's own values to a round.
pub(crate) fn add(samples: &mut Samples, counters: &[(&'static str, u64)], delay_seconds: f64, budget: &Budget) {
    let sample = |attribute, value| Sample { attribute, instance: None, labels: None, value };
    samples.list.push(sample(&DELAY, delay_seconds));
    samples.list.extend(budget.share().map(|share| sample(&BUDGET, share)));
    samples.list.push(sample(&STRETCH, budget.stretch()));
    for attribute in ALL.get().into_iter().flatten() {
        if let Some((_, count)) = counters.iter().find(|(name, _)| *name == attribute.name) {
            samples.list.push(sample(attribute, *count as f64));
        }
    }
}

/// Resident memory of this process, in bytes.
pub(crate) fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_daemons_own_counts_are_in_the_catalogue_and_in_the_round() {
        let catalogue = peermon_model::Catalogue::new([attributes([].into_iter())]);
        let mut samples = Samples::default();
        add(&mut samples, &[("peermon.loop.turns", 7)], 0.25, &Budget::new(Some(0.01)));
        assert_eq!((samples.value("peermon.loop.turns"), samples.value("peermon.loop.delay")), (Some(7.0), Some(0.25)));
        assert_eq!((samples.value("self.cpu.budget"), samples.value("self.stretch")), (Some(0.01), Some(1.0)));
        assert!(COUNTED.iter().all(|(name, _)| catalogue.find(name).is_some()));
    }

    #[test]
    fn resident_memory_is_known() {
        assert!(resident_bytes().expect("/proc is there") > 100_000);
    }
}

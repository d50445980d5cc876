//! What this host's self-probes say of it.

use crate::{GOOD_RUN, History};
use peermon_model::{Instant, Outcome, ProbeResult, Severity};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long trust takes to come back whole, once nothing fails any more: a node that fails now and then must not flap between all
/// and nothing (CoDeeN gives such a node less for about a minute).
pub const RECOVERY: Duration = Duration::from_mins(1);
/// Trust in a node at the moment it has recovered, and while it is only weak.
const WEAK: f64 = 0.5;
/// Late tries of the newest few that are as bad as a failed one.
const LATE: (u32, u32) = (2, 4);
/// Instances of all probes: mounts and name servers of a large host.
pub(crate) const TESTS_MAX: usize = 256;
/// Tries whose times make the mean.
const MEAN_OF: f64 = 32.0;

/// One probe of one thing.
#[derive(Clone, Debug)]
pub struct Test {
    /// Its last tries.
    pub history: History,
    /// How long the last try took.
    pub took: Duration,
    /// Mean of the good and late ones, seconds: each counts as one of 32.
    pub mean: Option<f64>,
    /// What is wrong, while it fails.
    pub failing: Option<Reason>,
    /// Tries so far.
    pub tries: u64,
}

/// Why a node is not, or not fully, to be used.
#[derive(Clone, PartialEq, Debug)]
pub struct Reason {
    /// Which probe says so.
    pub probe: &'static str,
    /// Of what.
    pub instance: Option<Arc<str>>,
    /// How bad it is.
    pub severity: Severity,
    /// Since when.
    pub since: Instant,
    /// In words.
    pub words: Box<str>,
}

type Key = (&'static str, Option<Arc<str>>);

/// All self-probes of this host, and how much it may be trusted.
#[derive(Clone, Default, Debug)]
pub struct Own {
    tests: BTreeMap<Key, Test>,
    /// When trust began to come back, and how much there was then.
    recovering: Option<(Instant, f64)>,
}

impl Own {
    /// Takes one try. True if the reasons are others now.
    pub fn take(&mut self, now: Instant, result: &ProbeResult) -> bool {
        let before = self.trust(now);
        let key = (result.probe, result.instance.clone());
        if self.tests.len() >= TESTS_MAX && !self.tests.contains_key(&key) {
            return false;
        }
        let test = self.tests.entry(key).or_insert_with(|| Test {
            history: History::default(),
            took: Duration::ZERO,
            mean: None,
            failing: None,
            tries: 0,
        });
        test.history.push(result.outcome);
        test.took = result.took;
        test.tries += 1;
        if result.outcome != Outcome::Failed {
            let took = result.took.as_secs_f64();
            test.mean = Some(test.mean.map_or(took, |m| m + (took - m) / MEAN_OF.min(test.tries as f64)));
        }
        let changed = test.judge(now, result);
        if changed {
            self.after_change(now, before);
        }
        changed
    }

    /// Forgets a test whose thing is gone: an unmounted file system. True if the reasons are others now.
    pub fn forget(&mut self, now: Instant, probe: &'static str, instance: Option<&Arc<str>>) -> bool {
        let before = self.trust(now);
        let gone = self.tests.remove(&(probe, instance.cloned()));
        let failed = gone.is_some_and(|t| t.failing.is_some());
        if failed {
            self.after_change(now, before);
        }
        failed
    }

    fn after_change(&mut self, now: Instant, before: f64) {
        self.recovering = match self.worst() {
            None if before < 1.0 => Some((now, before.max(WEAK))),
            None => self.recovering,
            Some(_) => None,
        };
    }

    fn worst(&self) -> Option<Severity> {
        self.tests.values().filter_map(|t| t.failing.as_ref()).map(|r| r.severity).max()
    }

    /// How far this host may be trusted: 1 is well, 0 is unusable; it falls at once and comes back over [`RECOVERY`].
    pub fn trust(&self, now: Instant) -> f64 {
        match (self.worst(), self.recovering) {
            (Some(Severity::Avoid), _) => 0.0,
            (Some(Severity::Weak), _) => WEAK,
            (None, Some((since, from))) => {
                let share = (now.since(since).as_secs_f64() / RECOVERY.as_secs_f64()).min(1.0);
                from + (1.0 - from) * share
            }
            (None, None) => 1.0,
        }
    }

    /// What is wrong, the worst and then the oldest first.
    pub fn reasons(&self) -> Vec<&Reason> {
        let mut all: Vec<&Reason> = self.tests.values().filter_map(|t| t.failing.as_ref()).collect();
        all.sort_by_key(|r| (std::cmp::Reverse(r.severity), r.since));
        all
    }

    /// All tests, by probe and instance.
    pub fn tests(&self) -> impl Iterator<Item = (&'static str, Option<&Arc<str>>, &Test)> {
        self.tests.iter().map(|((probe, instance), test)| (*probe, instance.as_ref(), test))
    }
}

impl Test {
    /// Whether it fails now; true if that, or why, has changed.
    fn judge(&mut self, now: Instant, result: &ProbeResult) -> bool {
        let severity = match result.outcome {
            Outcome::Good => {
                let over = self.failing.is_some() && self.history.good_run() >= GOOD_RUN;
                if over {
                    self.failing = None;
                }
                return over;
            }
            Outcome::Late if self.history.bad_of(LATE.1) < LATE.0 => Severity::Weak,
            Outcome::Late | Outcome::Failed => result.severity,
        };
        let since = self.failing.as_ref().map_or(now, |r| r.since);
        // what was worse lasts until it is over
        let severity = self.failing.as_ref().map_or(severity, |r| r.severity.max(severity));
        let reason =
            Reason { probe: result.probe, instance: result.instance.clone(), severity, since, words: result.words.clone() };
        let changed = self.failing.as_ref() != Some(&reason);
        self.failing = Some(reason);
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Outcome::{Failed, Good, Late};

    fn result(probe: &'static str, outcome: Outcome, severity: Severity) -> ProbeResult {
        let words = if outcome == Good { "" } else { "it broke" };
        ProbeResult { probe, instance: None, outcome, severity, took: Duration::from_millis(10), words: words.into() }
    }

    /// Tries once a second; the trust after each, in percent.
    fn check(severity: Severity, outcomes: &[Outcome], want: &[u32]) {
        let mut own = Own::default();
        let mut now = Instant::from_millis(1_000_000);
        let got: Vec<u32> = outcomes
            .iter()
            .map(|o| {
                now += Duration::from_secs(1);
                own.take(now, &result("sockets", *o, severity));
                (own.trust(now) * 100.0).round() as u32
            })
            .collect();
        assert_eq!(got, want, "{outcomes:?}");
    }

    #[test]
    fn who_fails_is_avoided_at_once_and_trusted_again_little_by_little() {
        check(Severity::Avoid, &[Good, Failed, Good, Good], &[100, 0, 0, 0]);
        check(Severity::Weak, &[Good, Failed, Good, Late], &[100, 50, 50, 50]);
        check(Severity::Avoid, &[Late, Good, Good, Good, Late, Late], &[50, 50, 50, 50, 50, 0]);
        let mut tries = vec![Failed];
        tries.extend([Good; 15]);
        let mut want = vec![0; 12];
        want.extend([50, 51, 52, 53]);
        check(Severity::Avoid, &tries, &want);
    }

    #[test]
    fn a_failing_has_a_beginning_and_a_word_and_ends_with_its_thing() {
        let mut own = Own::default();
        let at = Instant::from_millis;
        assert!(own.take(at(1_000), &result("resolver", Failed, Severity::Weak)));
        assert!(!own.take(at(2_000), &result("resolver", Failed, Severity::Weak)), "nothing new");
        assert!(own.take(at(3_000), &result("mounts", Failed, Severity::Avoid)));
        let seen: Vec<_> = own.reasons().iter().map(|r| (r.probe, r.since.as_micros() / 1_000, &*r.words)).collect();
        assert_eq!(seen, [("mounts", 3_000, "it broke"), ("resolver", 1_000, "it broke")]);
        assert!(own.forget(at(4_000), "mounts", None) && !own.forget(at(4_000), "mounts", None));
        assert_eq!((own.reasons().len(), own.trust(at(4_000))), (1, 0.5));
        let mut other = result("resolver", Failed, Severity::Avoid);
        other.words = "answers wrongly".into();
        assert!(own.take(at(5_000), &other) && own.trust(at(5_000)) == 0.0);
    }

    #[test]
    fn trust_is_whole_after_a_minute() {
        let mut own = Own::default();
        own.take(Instant::from_millis(1_000), &result("sockets", Failed, Severity::Avoid));
        for s in 2..=13 {
            own.take(Instant::from_millis(s * 1_000), &result("sockets", Good, Severity::Avoid));
        }
        let trust = |s: u64| own.trust(Instant::from_millis(s * 1_000));
        assert!((trust(13), trust(43), trust(73), trust(99)) == (0.5, 0.75, 1.0, 1.0));
    }

    #[test]
    fn things_are_bounded() {
        let mut own = Own::default();
        for i in 0..2 * TESTS_MAX {
            let mut r = result("mounts", Failed, Severity::Avoid);
            r.instance = Some(i.to_string().into());
            own.take(Instant::ZERO, &r);
        }
        assert_eq!(own.tests().count(), TESTS_MAX);
    }
}

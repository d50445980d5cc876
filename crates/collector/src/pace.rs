//! How often each collector looks: as usual or as configured, rarely while nobody asks, and less often while the daemon is to
//! cost less.

use crate::collect::{Entry, Need};
use crate::limits::{PUBLISHED_EVERY_MAX, REST_EVERY, STRETCHED_EVERY_MAX};
use std::time::Duration;

/// What is wanted of a source from now on.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Demand {
    /// Somebody reads the samples.
    pub asked: bool,
    /// How many times as long as usual whoever can wait shall wait; 1 or more.
    pub stretch: f64,
}

impl Default for Demand {
    /// Everything, as often as usual.
    fn default() -> Self {
        Demand { asked: true, stretch: 1.0 }
    }
}

/// One collector's pace.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Pace {
    /// As usual or as configured.
    base: Duration,
    need: Need,
}

impl Pace {
    /// Of a collector asked once a `round`; `configured` overrides what is usual.
    pub(crate) fn new(entry: &Entry, need: Need, configured: Option<Duration>, round: Duration) -> Self {
        Pace { base: configured.unwrap_or(entry.every).max(round), need }
    }

    /// How long it shall be from one look to the next.
    pub(crate) fn every(&self, demand: Demand) -> Duration {
        if self.need == Need::Published {
            return self.base;
        }
        let stretched = self.base.mul_f64(demand.stretch.clamp(1.0, f64::from(u16::MAX))).min(STRETCHED_EVERY_MAX.max(self.base));
        if demand.asked || self.need == Need::Watched { stretched } else { stretched.max(REST_EVERY) }
    }

    /// Whether it is time, so long after the last look. Rounds come a little early or late: a tenth is no matter.
    pub(crate) fn is_due(&self, demand: Demand, since: Duration) -> bool {
        since >= self.every(demand).mul_f64(0.9)
    }
}

/// The most that may be configured for a collector of this name; `None` if there is none.
pub fn period_max(collector: &str) -> Option<Duration> {
    let entry = crate::COLLECTORS.iter().find(|e| e.name == collector)?;
    Some(if entry.need == Need::Published { PUBLISHED_EVERY_MAX } else { crate::limits::EVERY_MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND: Duration = Duration::from_secs(1);

    /// The pace of a collector that looks every `usual` seconds as a rule, under a demand, in seconds.
    fn check(need: Need, usual: u64, asked: bool, stretch: f64, want: f64) {
        let entry = Entry { every: Duration::from_secs(usual), ..crate::COLLECTORS[0] };
        let every = Pace::new(&entry, need, None, ROUND).every(Demand { asked, stretch });
        assert_eq!(every.as_secs_f64(), want, "{need:?}, usually {usual} s, asked {asked}, stretched {stretch}");
    }

    #[test]
    fn who_can_wait_waits() {
        use Need::{Asked, Published, Watched};
        // What all nodes see is as fresh as ever.
        check(Published, 0, false, 16.0, 1.0);
        check(Published, 10, false, 16.0, 10.0);
        // Nobody asks.
        check(Asked, 0, false, 1.0, 30.0);
        check(Asked, 60, false, 1.0, 60.0);
        check(Watched, 0, false, 1.0, 1.0);
        // Somebody asks, and the daemon costs too much.
        check(Asked, 0, true, 1.0, 1.0);
        check(Asked, 0, true, 2.5, 2.5);
        check(Asked, 10, true, 16.0, 120.0);
        check(Watched, 0, true, 4.0, 4.0);
        // No demand makes anything faster, or endless.
        check(Asked, 0, true, 0.0, 1.0);
        check(Asked, 0, true, f64::INFINITY, 120.0);
        check(Asked, 600, true, 2.0, 600.0);
    }

    #[test]
    fn rounds_a_little_early_are_in_time() {
        let pace = Pace::new(&crate::COLLECTORS[0], Need::Asked, Some(Duration::from_secs(5)), ROUND);
        let due = |ms| pace.is_due(Demand::default(), Duration::from_millis(ms));
        assert!(!due(4000) && due(4990) && due(5010));
    }

    #[test]
    fn what_all_nodes_see_may_not_be_old() {
        assert_eq!(period_max("cpu"), Some(PUBLISHED_EVERY_MAX));
        assert_eq!(period_max("fans"), Some(crate::limits::EVERY_MAX));
        assert_eq!(period_max("fan"), None);
    }
}

//! The cluster clock: microseconds since the founding, agreed on by everybody without trusting any time of day.
//!
//! A node follows its peers' clocks in small steps, and those that differ from the others little. If a peer is far ahead it steps forward at once, so the
//! clock of the oldest cluster wins wherever two meet, and nobody's clock ever jumps back.

use crate::config::constants as c;
use crate::time::ClusterTime;
use peermon_model::Instant;
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Clock {
    /// Cluster time minus local time, microseconds.
    offset: i64,
    /// Distance to the median of the peers at the last adjustment.
    error: i64,
    measured: bool,
}

impl Clock {
    /// A new cluster's clock. It begins at one second so that no row of it has version 0.
    pub(crate) fn new(now: Instant) -> Self {
        Clock { offset: 1_000_000 - now.as_micros() as i64, error: 0, measured: false }
    }

    pub(crate) fn at(&self, now: Instant) -> ClusterTime {
        ClusterTime(now.as_micros().saturating_add_signed(self.offset))
    }

    /// When the clock will show this time.
    pub(crate) fn local(&self, t: ClusterTime) -> Instant {
        Instant::from_micros(t.0.saturating_add_signed(-self.offset))
    }

    /// Steps forward if `theirs`, what a peer's clock shows now, is far ahead. True if it did.
    pub(crate) fn step_to(&mut self, theirs: ClusterTime, now: Instant) -> bool {
        let ahead = theirs.0 as i64 - self.at(now).0 as i64;
        if ahead <= c::CLOCK_STEP {
            return false;
        }
        self.offset += ahead;
        self.error = 0;
        true
    }

    /// Moves half way to where the peers are: the mean of their offsets, none of which counts as further from their median than
    /// [`c::CLOCK_OUTLIER`] (Huber's estimator). The median alone would leave two groups apart for ever when each node has
    /// more peers in its own, as relays between zones have. `lead`: the mean offset of those to follow rather,
    /// and how far to move besides. Returns by how much it moved.
    pub(crate) fn follow(&mut self, offsets: &mut [i64], (lead, besides): (Option<i64>, i64)) -> i64 {
        if offsets.is_empty() {
            self.measured = false;
            return 0;
        }
        offsets.sort_unstable();
        let n = offsets.len();
        let median = if n % 2 == 1 { offsets[n / 2] } else { (offsets[n / 2 - 1] + offsets[n / 2]) / 2 };
        let near = |o: &i64| (*o).clamp(median - c::CLOCK_OUTLIER, median + c::CLOCK_OUTLIER);
        let mean = offsets.iter().map(near).sum::<i64>() / n as i64;
        let target = lead.map_or(mean, |lead| (mean + c::CLOCK_RELAYS * lead) / (1 + c::CLOCK_RELAYS));
        let by = (target / 2 + besides).clamp(-c::CLOCK_SLEW, c::CLOCK_SLEW);
        self.offset += by;
        self.error = median - by;
        self.measured = true;
        by
    }

    /// Whether waves are aligned: in step with the peers, or alone.
    pub(crate) fn is_locked(&self) -> bool {
        self.error.abs() <= c::UNLOCKED
    }

    /// Distance to the median of the peers; zero before the first measurement.
    pub(crate) fn error(&self) -> Duration {
        Duration::from_micros(self.error.unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_follows_its_peers_and_steps_only_forward() {
        let now = Instant::from_millis(5);
        let mut clock = Clock::new(now);
        assert_eq!((clock.at(now).0, clock.local(clock.at(now))), (1_000_000, now));
        assert_eq!(clock.follow(&mut [400, 100, -9_000_000], (None, 0)), (400 + 100 + 100 - c::CLOCK_OUTLIER) / 6);
        assert_eq!(clock.follow(&mut [350, 150], (None, 0)), 125);
        assert!(clock.at(now).0 < 1_000_125);
        assert!(!clock.step_to(ClusterTime(1_000_000 + 90_000), now));
        assert!(!clock.step_to(ClusterTime(0), now));
        assert!(clock.step_to(ClusterTime(77_000_000), now));
        assert_eq!(clock.at(now).0, 77_000_000);
        assert_eq!(clock.follow(&mut [-400_000], (None, 0)), -c::CLOCK_SLEW);
        assert!(!clock.is_locked());
        clock.follow(&mut [], (None, 0));
        assert_eq!(clock.follow(&mut [-100, 100], (Some(-80), 5)), -25);
    }
}

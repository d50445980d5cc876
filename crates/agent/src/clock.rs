//! The daemon's clock: time since boot, time asleep included, so that a resume is seen as the gap that it is. The time of day
//! is read once, to begin a life; setting it, forwards or backwards, changes nothing.

use peermon_model::Instant;
use rustix::time::{ClockId, Timespec, clock_gettime};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Now.
pub(crate) fn now() -> Instant {
    Instant::from_nanos(nanos(clock_gettime(ClockId::Boottime)))
}

/// Seconds since 1970, by the clock on the wall; 0 if it stands before that.
pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

/// Processor time this process has used.
pub(crate) fn process_time() -> Duration {
    Duration::from_nanos(nanos(clock_gettime(ClockId::ProcessCPUTime)))
}

/// Processor time this thread has used.
pub(crate) fn thread_time() -> Duration {
    Duration::from_nanos(nanos(clock_gettime(ClockId::ThreadCPUTime)))
}

fn nanos(t: Timespec) -> u64 {
    // Both parts are never negative on these clocks.
    (t.tv_sec as u64).saturating_mul(1_000_000_000).saturating_add(t.tv_nsec as u64)
}

/// A duration as the system calls want it.
pub(crate) fn timespec(d: Duration) -> Timespec {
    Timespec { tv_sec: i64::try_from(d.as_secs()).unwrap_or(i64::MAX), tv_nsec: d.subsec_nanos().into() }
}

/// Sees that the machine was asleep: the clock that counts sleep has gained on the one that does not.
#[derive(Debug)]
pub(crate) struct SleepWatch {
    asleep: Duration,
}

/// Shorter gaps come from reading one clock after the other.
const SLEEP_MIN: Duration = Duration::from_millis(100);

impl SleepWatch {
    pub(crate) fn new() -> Self {
        SleepWatch { asleep: asleep() }
    }

    /// How long the machine has been asleep since the last look, if it has.
    pub(crate) fn look(&mut self) -> Option<Duration> {
        self.seen(asleep())
    }

    fn seen(&mut self, asleep: Duration) -> Option<Duration> {
        let gap = asleep.checked_sub(self.asleep).filter(|g| *g >= SLEEP_MIN)?;
        self.asleep = asleep;
        Some(gap)
    }
}

/// All time asleep since boot.
fn asleep() -> Duration {
    let awake = nanos(clock_gettime(ClockId::Monotonic));
    Duration::from_nanos(nanos(clock_gettime(ClockId::Boottime)).saturating_sub(awake))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleep_is_seen_once() {
        let mut w = SleepWatch { asleep: Duration::from_secs(5) };
        assert_eq!(w.seen(Duration::from_secs(5)), None);
        assert_eq!(w.seen(Duration::from_micros(5_000_040)), None);
        assert_eq!(w.seen(Duration::from_secs(65)), Some(Duration::from_mins(1)));
        assert_eq!(w.seen(Duration::from_secs(65)), None);
    }

    #[test]
    fn the_clock_goes_forward() {
        let a = now();
        assert!(now() >= a && a > Instant::ZERO);
    }
}

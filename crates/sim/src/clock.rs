//! A machine's own clock: it began at any moment, runs a little fast or slow, and goes on while the machine sleeps.

use peermon_model::Instant;
use std::time::Duration;

/// What CLOCK_BOOTTIME shows on a host. There is no clock of day here: nodes are never told one, so a jump of it is nothing
/// that could be simulated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HostClock {
    /// The world's time at which the rate was set last, and what the clock showed then.
    world: Instant,
    shown: Instant,
    rate: f64,
}

impl HostClock {
    /// A clock that shows `shown` at the world's beginning and runs fast by this share.
    pub(crate) fn new(shown: Duration, rate: f64) -> Self {
        HostClock { world: Instant::ZERO, shown: Instant::ZERO + shown, rate }
    }

    pub(crate) fn at(&self, now: Instant) -> Instant {
        let passed = now.as_nanos() - self.world.as_nanos();
        // only the small part is a float: whole nanoseconds stay exact for days
        let gained = (passed as f64 * self.rate) as i64;
        Instant::from_nanos(self.shown.as_nanos().saturating_add(passed).saturating_add_signed(gained))
    }

    /// When it will show `shown`, in the world's time; rather a little late than early.
    pub(crate) fn when(&self, shown: Instant) -> Instant {
        if shown == Instant::NEVER {
            return Instant::NEVER;
        }
        let passed = shown.as_nanos().saturating_sub(self.shown.as_nanos());
        let gained = (passed as f64 * (self.rate / (1.0 + self.rate))) as i64;
        Instant::from_nanos(self.world.as_nanos().saturating_add(passed).saturating_add_signed(-gained).saturating_add(2))
    }

    /// From now on it runs fast by this share.
    pub(crate) fn set_rate(&mut self, now: Instant, rate: f64) {
        *self = HostClock { world: now, shown: self.at(now), rate };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_never_goes_back_and_its_times_are_found_again() {
        for ppm in [-200.0, -50.0, 0.0, 0.3, 200.0] {
            let mut clock = HostClock::new(Duration::from_secs(1_000_000), ppm * 1e-6);
            let mut last = clock.at(Instant::ZERO);
            for i in 1..2_000u64 {
                let now = Instant::from_nanos(i * 86_399_999_977);
                let shown = clock.at(now);
                assert!(shown > last);
                last = shown;
                let wake = clock.when(shown);
                assert!(clock.at(wake) >= shown && wake.as_nanos() - now.as_nanos() < 200, "{ppm} ppm: {now:?} {wake:?}");
                if i == 1_000 {
                    clock.set_rate(now, -ppm * 1e-6);
                }
            }
            let passed = 1_999.0 * 86.399_999_977;
            let off = last.as_secs_f64() - 1e6 - passed;
            assert!(off.abs() < 200e-6 * 86.4 * 1.001, "the two halves cancel: {off}");
        }
    }
}

//! Rates from counters.

use peermon_model::Instant;
use std::time::Duration;

/// Shorter intervals give no rate: a counter's own grain would dominate it.
const INTERVAL_MIN: Duration = Duration::from_millis(10);

/// What counters said the last time, and when.
pub(crate) struct Former<T> {
    last: Option<(Instant, T)>,
}

impl<T> Default for Former<T> {
    fn default() -> Self {
        Former { last: None }
    }
}

impl<T> Former<T> {
    /// Puts the new reading in the former's place and gives the former with the seconds since then; `None` if there is none
    /// or it is too recent (it then stays).
    pub(crate) fn replace(&mut self, now: Instant, new: T) -> Option<(f64, T)> {
        if self.last.as_ref().is_some_and(|(then, _)| now.since(*then) < INTERVAL_MIN) {
            return None;
        }
        let (then, old) = self.last.replace((now, new))?;
        Some((now.since(then).as_secs_f64(), old))
    }
}

/// A counter's growth per second; `None` if it went back, because its machine part was reset.
pub(crate) fn per_second(old: u64, new: u64, seconds: f64) -> Option<f64> {
    Some(new.checked_sub(old)? as f64 / seconds)
}

/// A share of time from a counter of time, at most 1.
pub(crate) fn share(old: f64, new: f64, seconds: f64) -> Option<f64> {
    (new >= old).then(|| ((new - old) / seconds).min(1.0))
}

/// The higher of two values that may be unknown.
pub(crate) fn higher(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    a.into_iter().chain(b).reduce(f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_need_a_former_reading_and_time() {
        let mut f = Former::default();
        assert_eq!(f.replace(Instant::from_millis(1000), 5), None);
        assert_eq!(f.replace(Instant::from_millis(1001), 6), None, "too soon");
        assert_eq!(f.replace(Instant::from_millis(3000), 7), Some((2.0, 5)));
        assert_eq!(per_second(5, 9, 2.0), Some(2.0));
        assert_eq!(per_second(9, 5, 2.0), None, "a counter that was reset");
        assert_eq!(share(1.0, 9.0, 2.0), Some(1.0));
    }
}

//! Whether the clock of day is kept right: files from a machine whose clock is off confuse make, tickets and logs.

use super::{Kind, Plan, Probe, Told, Tried, attributes_of};
use crate::adjtimex::{self, ClockState};
use peermon_model::Severity;
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(10);
/// An offset that tools notice.
const OFFSET_MAX: Duration = Duration::from_secs(1);

attributes_of!("time", "asking the kernel how its clock is kept");
pub(super) const KIND: Kind = Kind { name: "time", failed: &FAILED, time: &TIME, list };

fn list(_: &Told) -> Vec<Plan> {
    vec![Plan {
        instance: None,
        every: EVERY,
        late: Duration::from_secs(3),
        fails: Duration::from_secs(10),
        words: "asking the kernel for its clock's state takes long".into(),
        severity: Severity::Weak,
        once_good: true,
        make: Box::new(|| Box::new(Time)),
    }]
}

struct Time;

impl Probe for Time {
    fn try_once(&mut self, _: &Told) -> Option<Tried> {
        judge(adjtimex::read()?)
    }
}

fn judge(state: ClockState) -> Option<Tried> {
    if state.offset >= OFFSET_MAX {
        return Tried::failed(Severity::Weak, "the clock is off by more than a second");
    }
    if !state.synchronised {
        return Tried::failed(Severity::Weak, "the clock is not synchronised any more");
    }
    Tried::good()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_goes_its_own_way_is_told() {
        let check = |synchronised, offset_ms, want: &str| {
            let state = ClockState { synchronised, offset: Duration::from_millis(offset_ms) };
            assert_eq!(judge(state).map(|t| t.words).as_deref(), Some(want));
        };
        check(true, 999, "");
        check(false, 0, "the clock is not synchronised any more");
        check(true, 1_200, "the clock is off by more than a second");
    }

    #[test]
    fn the_kernel_answers() {
        assert!(adjtimex::read().is_some());
    }
}

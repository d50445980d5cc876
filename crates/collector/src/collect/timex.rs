//! How well the machine's clock is kept, by the kernel's own word.

use super::{Collector, Round, Setup};
use crate::CollectError;
use crate::adjtimex::ask;
use crate::attributes::{attributes, put};
use peermon_model::Unit::{None as NoUnit, Ratio, Seconds};
use peermon_model::{Attribute, Sample};

attributes! {
    SYNCHRONISED = &Attribute::gauge("clock.synchronised", NoUnit, "Whether something keeps the clock in step with others: 1 or 0.").prom("node_timex_sync_status", "", &[]);
    OFFSET = &Attribute::gauge("clock.offset", Seconds, "How far the clock was off when it was last corrected.").prom("node_timex_offset_seconds", "", &[]);
    ERROR_MAX = &Attribute::gauge("clock.error.max", Seconds, "How far the clock may be off at most; it grows until the next correction.").prom("node_timex_maxerror_seconds", "", &[]);
    ERROR = &Attribute::gauge("clock.error", Seconds, "How far the clock is off, by what corrects it.").prom("node_timex_estimated_error_seconds", "", &[]);
    FREQUENCY = &Attribute::gauge("clock.frequency", Ratio, "How fast the clock is made to run; 1 is its own speed.").prom("node_timex_frequency_adjustment_ratio", "", &[]);
    TAI = &Attribute::gauge("clock.tai_offset", Seconds, "Seconds between atomic time and the clock's, where the kernel was told.").prom("node_timex_tai_offset_seconds", "", &[]);
}

/// What the kernel counts a frequency in: parts per million, times 2 to the 16th.
const FREQUENCY_UNIT: f64 = 65_536.0 * 1e6;

struct Timex {
    is_host: bool,
}

pub(super) fn make(setup: &Setup) -> Box<dyn Collector> {
    Box::new(Timex { is_host: setup.root.is_host() })
}

impl Collector for Timex {
    fn collect(&mut self, _: &Round, out: &mut Vec<Sample>) -> Result<(), CollectError> {
        if !self.is_host {
            return Ok(());
        }
        // A sandbox may forbid the call.
        let Some((state, t)) = ask() else { return Ok(()) };
        put_all(out, state, &t);
        Ok(())
    }
}

fn put_all(out: &mut Vec<Sample>, state: i32, t: &libc::timex) {
    let nano = t.status & libc::STA_NANO != 0;
    put(out, SYNCHRONISED, state != libc::TIME_ERROR);
    put(out, OFFSET, t.offset as f64 / if nano { 1e9 } else { 1e6 });
    put(out, ERROR_MAX, t.maxerror as f64 / 1e6);
    put(out, ERROR, t.esterror as f64 / 1e6);
    put(out, FREQUENCY, 1.0 + t.freq as f64 / FREQUENCY_UNIT);
    put(out, TAI, f64::from(t.tai));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_become_base_units() {
        let (_, mut t) = ask().expect("this system answers");
        (t.offset, t.maxerror, t.esterror, t.freq, t.tai, t.status) = (-1500, 250_000, 40, 65_536 * 12, 37, libc::STA_NANO);
        let said = |state, t: &libc::timex| {
            let mut out = Vec::new();
            put_all(&mut out, state, t);
            out.iter().map(|s| s.value).collect::<Vec<_>>()
        };
        assert_eq!(said(libc::TIME_OK, &t), [1.0, -1.5e-6, 0.25, 4e-5, 1.0 + 12e-6, 37.0]);
        t.status = 0;
        assert_eq!(said(libc::TIME_ERROR, &t)[..2], [0.0, -1.5e-3]);
    }
}

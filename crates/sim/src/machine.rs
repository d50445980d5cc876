//! A made-up machine: vitals that wander as real ones do.

use crate::Rng;
use peermon_model::Vitals;
use peermon_model::vitals::Slot;

/// What a machine does: each of its vitals keeps still for a while and then moves on.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    levels: [f64; 13],
    /// Share of vitals that move in a period.
    restless: f64,
    /// Every vital changes every time: the stress case of the protocol's figures.
    pub(crate) stress: bool,
}

impl Machine {
    pub(crate) fn new(rng: &mut Rng) -> Self {
        Machine { levels: std::array::from_fn(|_| 150.0 * rng.unit()), restless: 0.15 + 0.35 * rng.unit(), stress: false }
    }

    pub(crate) fn sample(&mut self, rng: &mut Rng) -> Vitals {
        let mut row = Vitals::default();
        for (i, level) in self.levels.iter_mut().enumerate() {
            if self.stress {
                *level = (*level + 40.0) % 200.0;
            } else if rng.chance(self.restless) {
                *level = (*level + 30.0 * (rng.unit() - 0.5)).clamp(0.0, 200.0);
            }
            // the stress case is 10 fields of 12-byte rows
            if !self.stress || i < 10 {
                row.put(Slot::new(i).expect("a slot"), *level as u8);
            }
        }
        row
    }
}

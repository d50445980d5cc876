//! What peermon's nodes publish, for programs that publish keys and values: the same recorded machines, coded and thinned alike.

use anyhow::{Context, Result};
use peermon_bench::fleet::trace;
use peermon_collector::Source;
use peermon_collector::replay::Replay;
use peermon_model::vitals::VITALS;
use peermon_model::{Instant, Quantiser};
use std::time::Duration;

/// A change that is smaller than its dead-band is published after so many periods all the same, as peermon does.
const STALE_AFTER: u32 = 16;

/// One node's vitals, second by second.
pub(crate) struct Records {
    replay: Replay,
    second: u64,
    told: Vec<Option<(u8, u32)>>,
}

impl Records {
    /// What peermon's daemon number `i` publishes.
    pub(crate) fn of(i: usize) -> Result<Records> {
        let wanted = trace(i);
        let (name, from) = wanted.split_once('@').context("a trace and its beginning")?;
        let from: u64 = from.trim_end_matches('s').parse().context("seconds into a trace")?;
        let replay = Replay::builtin(name).with_context(|| format!("there is no trace {name}"))?;
        Ok(Records { replay: replay.starting_at(Duration::from_secs(from)), second: 0, told: vec![None; VITALS.len()] })
    }

    /// What changed in the next second: key and value, a byte each as peermon has them, here as short texts.
    pub(crate) fn changes(&mut self) -> Vec<(String, String)> {
        let samples = self.replay.round(Instant::from_millis(self.second * 1000));
        let facts = self.replay.facts();
        self.second += 1;
        let mut changes = Vec::new();
        for (v, told) in VITALS.iter().zip(&mut self.told) {
            let Some(value) = samples.value(&v.attribute.name) else { continue };
            let scale = match v.quantiser {
                Quantiser::ShareOf(fact) => facts.number(fact),
                _ => None,
            };
            let code = v.quantiser.encode(value, scale);
            let moved =
                told.is_none_or(|(before, age)| code != before && (code.abs_diff(before) >= v.dead_band || age >= STALE_AFTER));
            match told {
                Some((_, age)) if !moved => *age += 1,
                _ => {
                    *told = Some((code, 1));
                    changes.push((format!("{:x}", v.slot.index()), code.to_string()));
                }
            }
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_a_third_of_the_values_changes_each_second() {
        let (mut changed, mut none, mut keys) = (0, 0, 0);
        let (nodes, seconds) = (8, 60);
        for i in 0..nodes {
            let mut r = Records::of(i).expect("a trace");
            keys += r.changes().len();
            for _ in 0..seconds {
                let n = r.changes().len();
                changed += n;
                none += usize::from(n == 0);
            }
        }
        let share = changed as f64 / (keys * seconds) as f64;
        assert!((0.1..0.5).contains(&share), "{share}");
        let quiet = none as f64 / (nodes * seconds) as f64;
        assert!(quiet < 0.2, "{quiet}");
        eprintln!("{share:.3} of the values change in a second; in {quiet:.3} of all seconds none does");
    }
}

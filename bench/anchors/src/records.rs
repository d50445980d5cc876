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

/// The key of the time of sampling; the others are a slot's number.
const STAMP: &str = "t";

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

    /// What changed in the next second: key and value, a byte each as peermon has them, here as short texts. Last comes when that
    /// was: peermon's rows say it, and whoever wants to know ages must.
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
        changes.push((STAMP.into(), self.second.to_string()));
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_the_values_changes_each_second_and_the_stamp_always() {
        let (mut changed, mut keys) = (0, 0);
        let (nodes, seconds) = (8, 60);
        for i in 0..nodes {
            let mut r = Records::of(i).expect("a trace");
            keys += r.changes().len();
            for second in 2..seconds + 2 {
                let changes = r.changes();
                assert_eq!(changes.last(), Some(&(STAMP.into(), second.to_string())));
                changed += changes.len();
            }
        }
        let share = changed as f64 / (keys * seconds) as f64;
        assert!((0.15..0.45).contains(&share), "{share}");
        eprintln!("{share:.3} of the values change in a second");
    }
}

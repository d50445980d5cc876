//! Losses that come together: a way is good for a while, then bad for a while.

use crate::Rng;
use peermon_model::Instant;
use std::collections::BTreeMap;
use std::time::Duration;

/// Two states with exponential lengths and a loss in each (Gilbert 1960, Elliott 1963), in continuous time, since packets here
/// come in waves and not evenly.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Burst {
    /// Mean length of a good time.
    pub good: Duration,
    /// Mean length of a bad one.
    pub bad: Duration,
    /// Share of datagrams lost in a good time.
    pub loss_good: f64,
    /// Share of datagrams lost in a bad one.
    pub loss_bad: f64,
    /// What turns bad at once.
    pub scope: Scope,
}

/// What turns bad at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// One direction between two hosts.
    Pair,
    /// All a host sends and receives.
    Host,
}

impl Burst {
    /// Share of datagrams lost in the long run on one way: of both hosts together if whole hosts turn bad.
    pub fn mean_loss(&self) -> f64 {
        let bad = self.bad.as_secs_f64() / (self.good + self.bad).as_secs_f64();
        let one = bad * self.loss_bad + (1.0 - bad) * self.loss_good;
        match self.scope {
            Scope::Pair => one,
            Scope::Host => 1.0 - (1.0 - one) * (1.0 - one),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct State {
    bad: bool,
    until: Instant,
}

/// In which state each way is. States are drawn when first asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Weather(BTreeMap<(u32, u32), State>);

/// So many mean cycles after it was last looked at, a state tells nothing about the present one.
const FORGOTTEN_CYCLES: u32 = 16;

impl Weather {
    /// Whether a datagram is lost on its way now.
    pub(super) fn loses(&mut self, burst: &Burst, rng: &mut Rng, now: Instant, from: usize, to: usize) -> bool {
        let (from, to) = (from as u32, to as u32);
        match burst.scope {
            Scope::Pair => self.lost_at(burst, rng, now, (from, to)),
            Scope::Host => self.lost_at(burst, rng, now, (from, from)) || self.lost_at(burst, rng, now, (to, to)),
        }
    }

    fn lost_at(&mut self, burst: &Burst, rng: &mut Rng, now: Instant, way: (u32, u32)) -> bool {
        let cycle = burst.good + burst.bad;
        let state = self.0.entry(way).or_insert(State { bad: false, until: Instant::ZERO });
        if now > state.until + cycle * FORGOTTEN_CYCLES || state.until == Instant::ZERO {
            state.bad = rng.chance(burst.bad.as_secs_f64() / cycle.as_secs_f64());
            state.until = now + length(burst, state.bad, rng);
        }
        while state.until <= now {
            state.bad = !state.bad;
            state.until += length(burst, state.bad, rng);
        }
        let loss = if state.bad { burst.loss_bad } else { burst.loss_good };
        rng.chance(loss)
    }

    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}

/// Never nothing, or a mean of zero would never end.
fn length(burst: &Burst, bad: bool, rng: &mut Rng) -> Duration {
    let mean = if bad { burst.bad } else { burst.good };
    Duration::from_secs_f64(rng.exponential(mean.as_secs_f64())).max(Duration::from_micros(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_come_together_and_their_share_is_as_told() {
        for scope in [Scope::Pair, Scope::Host] {
            let (good, bad) = (Duration::from_millis(900), Duration::from_millis(100));
            let burst = Burst { good, bad, loss_good: 0.0, loss_bad: 0.9, scope };
            let (mut weather, mut rng) = (Weather::default(), Rng::new(5));
            let lost: Vec<bool> =
                (0..400_000u64).map(|i| weather.loses(&burst, &mut rng, Instant::from_millis(5 * i), 1, 2)).collect();
            let share = lost.iter().filter(|l| **l).count() as f64 / lost.len() as f64;
            assert!((share - burst.mean_loss()).abs() < 0.01, "{scope:?}: {share} for {}", burst.mean_loss());
            let after_a_loss = lost.windows(2).filter(|w| w[0]).map(|w| f64::from(u8::from(w[1])));
            let (n, sum) = after_a_loss.fold((0.0, 0.0), |(n, s), l| (n + 1.0, s + l));
            assert!(sum / n > 0.75, "a loss is followed by a loss: {}", sum / n);
        }
    }
}

//! What came of it.

use super::job::Job;
use super::{Arrivals, Kind, Scenario};
use std::collections::BTreeMap;

/// A job that was counted.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Done {
    /// What it asked for.
    pub kind: Kind,
    /// Time taken / time on an empty machine that has enough of all.
    pub slow_down: f64,
}

/// Where the jobs of one burst went.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Burst {
    /// Of what kind they are.
    pub kind: Option<Kind>,
    /// Processes of the burst by machine.
    pub on: BTreeMap<usize, usize>,
}

/// All jobs of a run.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Outcome {
    /// Those that came after the warm-up.
    pub done: Vec<Done>,
    /// In order of time; none if jobs came one by one.
    pub bursts: Vec<Burst>,
    /// Jobs that took so long that nobody waited.
    pub given_up: usize,
}

impl Outcome {
    pub(crate) fn put(&mut self, scenario: &Scenario, job: &Job, ended: f64) {
        if job.at >= scenario.warm_up {
            self.done.push(Done { kind: job.kind, slow_down: (ended - job.at) / job.seconds });
        }
    }

    pub(crate) fn placed(&mut self, scenario: &Scenario, number: usize, on: &[usize]) {
        let Arrivals::Bursts { many, .. } = scenario.arrivals else { return };
        let burst = number / many;
        self.bursts.resize(self.bursts.len().max(burst + 1), Burst::default());
        self.bursts[burst].kind = Some(Kind::ALL[burst % Kind::ALL.len()]);
        for i in on {
            *self.bursts[burst].on.entry(*i).or_default() += 1;
        }
    }

    /// Adds another run's jobs.
    pub fn join(&mut self, other: Outcome) {
        self.done.extend(other.done);
        self.bursts.extend(other.bursts);
        self.given_up += other.given_up;
    }

    /// Mean slow-down of the jobs of a kind, or of all; NaN without any.
    pub fn mean(&self, kind: Option<Kind>) -> f64 {
        let (mut sum, mut n) = (0.0, 0.0);
        for d in self.of(kind) {
            sum += d;
            n += 1.0;
        }
        sum / n
    }

    /// The slow-down that this share of them does not pass; NaN without any.
    pub fn quantile(&self, kind: Option<Kind>, share: f64) -> f64 {
        let mut all: Vec<f64> = self.of(kind).collect();
        all.sort_by(f64::total_cmp);
        let i = ((all.len() as f64 * share) as usize).min(all.len().saturating_sub(1));
        all.get(i).copied().unwrap_or(f64::NAN)
    }

    /// Most processes of a burst on one machine, the mean of bursts of a kind; NaN without any.
    pub fn most_on_one(&self, kind: Kind) -> f64 {
        let most: Vec<f64> =
            self.bursts.iter().filter(|b| b.kind == Some(kind)).filter_map(|b| b.on.values().max()).map(|n| *n as f64).collect();
        most.iter().sum::<f64>() / most.len() as f64
    }

    fn of(&self, kind: Option<Kind>) -> impl Iterator<Item = f64> {
        self.done.iter().filter(move |d| kind.is_none_or(|k| k == d.kind)).map(|d| d.slow_down)
    }
}

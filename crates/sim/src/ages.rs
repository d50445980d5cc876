//! Distributions of data ages.

use std::collections::BTreeMap;
use std::time::Duration;

/// A distribution of data ages. Most rows of a wave have one age at one look, so counts take little room.
#[derive(Clone, Debug, Default)]
pub struct Ages {
    counts: BTreeMap<Duration, u64>,
    all: u64,
}

impl Ages {
    /// The distribution of these.
    pub fn of(ages: impl IntoIterator<Item = Duration>) -> Self {
        let mut of = Ages::default();
        of.extend(ages);
        of
    }

    /// Mean in seconds; 0 without any.
    pub fn mean(&self) -> f64 {
        self.counts.iter().map(|(age, n)| age.as_secs_f64() * *n as f64).sum::<f64>() / self.all.max(1) as f64
    }

    /// The age in seconds that this share of all does not pass; 0 without any.
    pub fn quantile(&self, q: f64) -> f64 {
        let place = ((self.all as f64 * q) as u64).min(self.all.saturating_sub(1));
        let mut passed = 0;
        let found = self.counts.iter().find(|(_, n)| {
            passed += **n;
            passed > place
        });
        found.map_or(0.0, |(age, _)| age.as_secs_f64())
    }

    /// The oldest, in seconds; 0 without any.
    pub fn max(&self) -> f64 {
        self.counts.keys().next_back().map_or(0.0, Duration::as_secs_f64)
    }
}

impl Extend<Duration> for Ages {
    fn extend<I: IntoIterator<Item = Duration>>(&mut self, ages: I) {
        for age in ages {
            *self.counts.entry(age).or_default() += 1;
            self.all += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_tell_what_a_sorted_list_would() {
        let ages: Vec<Duration> = [5, 1, 1, 3, 9, 1].map(Duration::from_secs).into();
        let of = Ages::of(ages.iter().copied());
        let mut sorted = ages;
        sorted.sort_unstable();
        for (i, age) in sorted.iter().enumerate() {
            assert_eq!(of.quantile(i as f64 / 6.0 + 0.01), age.as_secs_f64());
        }
        assert!((of.mean() - 20.0 / 6.0).abs() < 1e-9);
        assert_eq!((of.max(), of.quantile(1.0), Ages::default().quantile(0.5)), (9.0, 9.0, 0.0));
    }
}

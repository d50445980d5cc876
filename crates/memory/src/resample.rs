//! From rows at their own moments to values at even steps.

use crate::Row;
use peermon_model::Instant;
use std::time::Duration;

/// What becomes of several values in one step.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Fold {
    /// Their mean.
    #[default]
    Mean,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// The latest.
    Last,
}

/// Even steps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Grid {
    /// The end of the last step.
    pub to: Instant,
    /// How long a step is.
    pub step: Duration,
    /// How many there are.
    pub points: usize,
}

impl Grid {
    /// The start of the first step.
    pub fn from(&self) -> Instant {
        self.to.before(self.step * self.points as u32)
    }
}

/// Values at even steps, oldest first. A value holds until the next row, but for `holds` at most: after that nothing is known,
/// and a step in which nothing was known has none.
pub fn resample(rows: &[Row], grid: &Grid, holds: Duration, fold: Fold, value: impl Fn(&Row) -> Option<f64>) -> Vec<Option<f64>> {
    let mut values = Vec::with_capacity(grid.points);
    let mut next = 0;
    let mut from = grid.from();
    for _ in 0..grid.points {
        let to = from + grid.step;
        while rows.get(next + 1).is_some_and(|r| r.at <= from) {
            next += 1;
        }
        let mut found = Folded::default();
        for row in rows[next..].iter().take_while(|r| r.at < to) {
            // one that came before counts while nothing newer came
            if row.at >= from
                && let Some(v) = value(row)
            {
                found.add(v);
            }
        }
        if found.n == 0 {
            let held = rows.get(next).filter(|r| r.at < to && from.since(r.at) <= holds);
            if let Some(v) = held.and_then(&value) {
                found.add(v);
            }
        }
        values.push(found.value(fold));
        from = to;
    }
    values
}

#[derive(Default)]
struct Folded {
    n: u32,
    sum: f64,
    min: f64,
    max: f64,
    last: f64,
}

impl Folded {
    fn add(&mut self, v: f64) {
        (self.min, self.max) = if self.n == 0 { (v, v) } else { (self.min.min(v), self.max.max(v)) };
        self.n += 1;
        self.sum += v;
        self.last = v;
    }

    fn value(&self, fold: Fold) -> Option<f64> {
        (self.n > 0).then_some(match fold {
            Fold::Mean => self.sum / f64::from(self.n),
            Fold::Min => self.min,
            Fold::Max => self.max,
            Fold::Last => self.last,
        })
    }
}

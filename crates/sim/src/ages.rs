use std::time::Duration;

/// A distribution of data ages.
#[derive(Clone, Debug, Default)]
pub struct Ages {
    sorted: Vec<Duration>,
}

impl Ages {
    /// The distribution of these.
    pub fn of(mut ages: Vec<Duration>) -> Self {
        ages.sort_unstable();
        Ages { sorted: ages }
    }

    /// Mean in seconds; 0 without any.
    pub fn mean(&self) -> f64 {
        self.sorted.iter().map(Duration::as_secs_f64).sum::<f64>() / self.sorted.len().max(1) as f64
    }

    /// The age in seconds that this share of all does not pass.
    pub fn quantile(&self, q: f64) -> f64 {
        let i = ((self.sorted.len() as f64 * q) as usize).min(self.sorted.len().saturating_sub(1));
        self.sorted.get(i).map_or(0.0, Duration::as_secs_f64)
    }

    /// The oldest, in seconds.
    pub fn max(&self) -> f64 {
        self.quantile(1.0)
    }
}

//! How long it took until others knew that a node had died.

use crate::figures::Figures;

/// One node's death, as the others saw it: seconds after it, one for each that noticed.
#[derive(Clone, Debug, Default)]
pub struct Death {
    /// When each first suspected it; fewer than all of them, where a node was told that it is down at once.
    pub suspected: Vec<f64>,
    /// When each knew that it is down.
    pub down: Vec<f64>,
}

/// Notes the times of several deaths: means over the deaths of the first and of the last of each, and the worst of all.
pub fn put_deaths(figures: &mut Figures, deaths: &[Death]) {
    let mut mean = |key: &str, of: &dyn Fn(&Death) -> Option<f64>| {
        let found: Vec<f64> = deaths.iter().filter_map(of).collect();
        if !found.is_empty() {
            figures.put(key, found.iter().sum::<f64>() / found.len() as f64);
        }
    };
    mean("suspect.first", &|d| d.suspected.iter().copied().reduce(f64::min));
    // a mean over some of the others would not be the time of all
    mean("suspect.all", &|d| d.suspected.iter().copied().reduce(f64::max).filter(|_| d.suspected.len() >= d.down.len()));
    mean("down.first", &|d| d.down.iter().copied().reduce(f64::min));
    mean("down.all", &|d| d.down.iter().copied().reduce(f64::max));
    if let Some(worst) = deaths.iter().flat_map(|d| &d.down).copied().reduce(f64::max) {
        figures.put("down.worst", worst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn firsts_and_lasts_are_means_over_deaths() {
        let mut f = Figures::default();
        let deaths = [
            Death { suspected: vec![1.0, 1.5], down: vec![2.0, 3.0] },
            Death { suspected: vec![2.0], down: vec![4.0, 7.0] },
            Death::default(),
        ];
        put_deaths(&mut f, &deaths);
        let got = ["suspect.first", "suspect.all", "down.first", "down.all", "down.worst"].map(|k| f.value(k));
        assert_eq!(got, [1.5, 1.5, 3.0, 5.0, 7.0].map(Some));
        let mut none = Figures::default();
        put_deaths(&mut none, &[]);
        assert_eq!(none, Figures::default());
    }
}

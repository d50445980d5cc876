//! A made-up machine, whose vitals follow those of a real one.

use crate::Rng;
use crate::traces::Series;
use peermon_model::Vitals;
use peermon_model::vitals::Slot;

/// What the machines of a world do.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Workload {
    /// A mixed cluster. Half of the machines have little to do: one in four is idle, at one in four somebody works at a
    /// terminal. Each of the others has one of the remaining recorded loads, all equally likely.
    #[default]
    Mixed,
    /// All have the recorded load of this name (see [`Series::all`]).
    Only(&'static str),
    /// No recorded load at all: a third of 13 vitals moves in a period, each by some steps.
    Wandering,
}

/// Loads of machines that have little to do, and the share of machines that have one of them, in [`Workload::Mixed`].
const QUIET: [&str; 2] = ["idle", "interactive"];
const QUIET_SHARE: f64 = 0.5;
/// Vitals of a machine that follows no recorded load, and how many change in the stress case: 10 fields make rows of 13 bytes.
const MADE_UP: usize = 13;
const STRESSED: usize = 10;

/// A machine.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    /// What it follows, and where in it it is.
    recorded: Option<(&'static Series, usize)>,
    levels: [f64; MADE_UP],
    /// Share of levels that move in a period.
    restless: f64,
    /// Every vital changes every time: the stress case of the protocol's figures.
    pub(crate) stress: bool,
}

impl Machine {
    /// A machine of a world with this workload. It begins anywhere in its recorded load, and begins that anew at its end.
    ///
    /// # Panics
    /// If there is no recorded load of the name given.
    pub(crate) fn new(rng: &mut Rng, workload: Workload) -> Self {
        let series = match workload {
            Workload::Mixed => {
                let quiet = rng.chance(QUIET_SHARE);
                let such: Vec<_> = Series::all().iter().filter(|s| QUIET.contains(&&*s.name) == quiet).collect();
                Some(such[rng.below(such.len())])
            }
            Workload::Only(name) => {
                let names = || Series::all().iter().map(|s| &*s.name).collect::<Vec<_>>().join(", ");
                Some(Series::of(name).unwrap_or_else(|| panic!("there is no load {name:?}; there are {}", names())))
            }
            Workload::Wandering => None,
        };
        Machine {
            recorded: series.map(|s| (s, rng.below(s.rows.len()))),
            levels: std::array::from_fn(|_| 150.0 * rng.unit()),
            restless: 0.15 + 0.35 * rng.unit(),
            stress: false,
        }
    }

    /// What it measures in the next period. A line of a recorded load stands for a period, however long that is.
    pub(crate) fn sample(&mut self, rng: &mut Rng) -> Vitals {
        if let (Some((series, at)), false) = (&mut self.recorded, self.stress) {
            let row = series.rows[*at];
            *at = (*at + 1) % series.rows.len();
            return row;
        }
        let mut row = Vitals::default();
        for (i, level) in self.levels.iter_mut().enumerate() {
            if self.stress {
                *level = (*level + 40.0) % 200.0;
            } else if rng.chance(self.restless) {
                *level = (*level + 30.0 * (rng.unit() - 0.5)).clamp(0.0, 200.0);
            }
            if !self.stress || i < STRESSED {
                row.put(Slot::new(i).expect("a slot"), *level as u8);
            }
        }
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_follows_its_load_round_and_round() {
        let series = Series::of("compile").expect("there is such a load");
        let rng = &mut Rng::new(1);
        let mut machine = Machine::new(rng, Workload::Only("compile"));
        let first: Vec<_> = series.rows.iter().map(|_| machine.sample(rng)).collect();
        let at = (0..first.len()).find(|at| first.iter().eq(series.rows.iter().cycle().skip(*at).take(first.len())));
        assert!(at.is_some(), "not the series, turned round");
        assert!(first.iter().all(|row| machine.sample(rng) == *row), "it begins anew");
    }

    #[test]
    fn machines_are_a_function_of_chance_and_mixed() {
        let kind = |seed| Machine::new(&mut Rng::new(seed), Workload::Mixed).recorded.map(|(s, at)| (&*s.name, at));
        assert!((0..50).all(|seed| kind(seed) == kind(seed)));
        let drawn: Vec<_> = (0..2_000).filter_map(kind).collect();
        let quiet = drawn.iter().filter(|k| QUIET.contains(&k.0)).count();
        assert!((900..1_100).contains(&quiet), "{quiet} of {} are quiet", drawn.len());
        for s in Series::all() {
            let share = drawn.iter().filter(|k| k.0 == s.name).count();
            assert!(share > 60, "{share} of {} are {}", drawn.len(), s.name);
        }
    }

    #[test]
    fn in_the_stress_case_ten_vitals_change_every_time() {
        let rng = &mut Rng::new(2);
        let mut machine = Machine::new(rng, Workload::Mixed);
        machine.stress = true;
        let rows: Vec<_> = (0..50).map(|_| machine.sample(rng)).collect();
        for pair in rows.windows(2) {
            let changed = pair[0].codes().iter().zip(pair[1].codes()).filter(|(a, b)| a.abs_diff(**b) >= 10).count();
            assert_eq!(changed, STRESSED);
        }
    }
}

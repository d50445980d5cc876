use peermon_model::Outcome;
use std::fmt;

/// Tries a history holds (CoDeeN's depth).
pub const DEPTH: u32 = 32;

/// The last 32 outcomes, newest first.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct History {
    /// Bit 0 is the newest try. A try that is in neither was good.
    late: u32,
    failed: u32,
    len: u32,
}

impl History {
    /// Adds an outcome; the oldest one goes.
    pub fn push(&mut self, outcome: Outcome) {
        self.late = self.late << 1 | u32::from(outcome == Outcome::Late);
        self.failed = self.failed << 1 | u32::from(outcome == Outcome::Failed);
        self.len = (self.len + 1).min(DEPTH);
    }

    /// The newest outcome turned out to be another one.
    pub fn amend(&mut self, outcome: Outcome) {
        if self.len > 0 {
            self.late = self.late & !1 | u32::from(outcome == Outcome::Late);
            self.failed = self.failed & !1 | u32::from(outcome == Outcome::Failed);
        }
    }

    /// Tries held, at most [`DEPTH`].
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Nothing has been tried yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many failed.
    pub fn failed(&self) -> u32 {
        self.failed.count_ones()
    }

    /// How many were late.
    pub fn late(&self) -> u32 {
        self.late.count_ones()
    }

    /// The newest outcome.
    pub fn last(&self) -> Option<Outcome> {
        self.iter().next()
    }

    /// How many of the newest `n` were not good.
    pub fn bad_of(&self, n: u32) -> u32 {
        let mask = if n >= DEPTH { u32::MAX } else { (1 << n) - 1 };
        ((self.late | self.failed) & mask).count_ones()
    }

    /// How many good ones in a row are the newest.
    pub fn good_run(&self) -> u32 {
        (self.late | self.failed).trailing_zeros().min(self.len)
    }

    /// The outcomes, newest first.
    pub fn iter(&self) -> impl Iterator<Item = Outcome> + use<> {
        let h = *self;
        (0..h.len).map(move |i| match (h.failed >> i & 1, h.late >> i & 1) {
            (1, _) => Outcome::Failed,
            (_, 1) => Outcome::Late,
            _ => Outcome::Good,
        })
    }
}

impl fmt::Display for History {
    /// A sign for each try, oldest first: `.` good, `l` late, `x` failed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut signs: Vec<char> = self
            .iter()
            .map(|o| match o {
                Outcome::Good => '.',
                Outcome::Late => 'l',
                Outcome::Failed => 'x',
            })
            .collect();
        signs.reverse();
        f.pad(&String::from_iter(signs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn outcome() -> impl Strategy<Value = Outcome> {
        prop_oneof![Just(Outcome::Good), Just(Outcome::Late), Just(Outcome::Failed)]
    }

    proptest! {
        #[test]
        fn it_is_the_last_thirty_two(all in proptest::collection::vec(outcome(), 0..80)) {
            let mut h = History::default();
            all.iter().for_each(|o| h.push(*o));
            let last: Vec<Outcome> = all.iter().rev().take(32).copied().collect();
            prop_assert_eq!(h.iter().collect::<Vec<_>>(), last.clone());
            prop_assert_eq!(h.failed() as usize, last.iter().filter(|o| **o == Outcome::Failed).count());
            prop_assert_eq!(h.late() as usize, last.iter().filter(|o| **o == Outcome::Late).count());
            prop_assert_eq!(h.good_run() as usize, last.iter().take_while(|o| **o == Outcome::Good).count());
            prop_assert_eq!(h.bad_of(4) as usize, last.iter().take(4).filter(|o| **o != Outcome::Good).count());
            prop_assert_eq!((h.last(), h.is_empty()), (last.first().copied(), last.is_empty()));
        }
    }

    #[test]
    fn it_reads_from_left_to_right() {
        let mut h = History::default();
        [Outcome::Failed, Outcome::Late, Outcome::Good].iter().for_each(|o| h.push(*o));
        assert_eq!(h.to_string(), "xl.");
    }
}

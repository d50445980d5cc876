/// Remembers which counters have come, so that none counts twice: the highest one and a window below it (as RFC 4303, 3.4.3).
#[derive(Clone, Debug)]
pub struct ReplayWindow {
    /// One more than the highest counter seen; 0 before the first.
    next: u64,
    bits: [u64; ReplayWindow::WORDS],
}

impl Default for ReplayWindow {
    fn default() -> Self {
        ReplayWindow { next: 0, bits: [0; Self::WORDS] }
    }
}

impl ReplayWindow {
    const WORDS: usize = 16;
    /// Datagrams that may overtake one another.
    pub const SPAN: u64 = (Self::WORDS * 64) as u64;

    /// A window in which everything below `next` has been seen.
    pub fn starting_at(next: u64) -> Self {
        ReplayWindow { next, bits: [!0; Self::WORDS] }
    }

    /// The counter after the highest one seen.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Whether a datagram with this counter would be new. Ask before opening it; [`Self::accept`] once it proved authentic.
    pub fn is_new(&self, counter: u64) -> bool {
        counter >= self.next || (self.next - counter <= Self::SPAN && self.bits[word(counter)] >> (counter % 64) & 1 == 0)
    }

    /// Marks a counter as seen. False if it was seen before or is too old.
    pub fn accept(&mut self, counter: u64) -> bool {
        if !self.is_new(counter) {
            return false;
        }
        if counter >= self.next {
            let fresh = counter - self.next + 1;
            if fresh >= Self::SPAN {
                self.bits = [0; Self::WORDS];
            } else {
                for c in self.next..=counter {
                    self.bits[word(c)] &= !(1 << (c % 64));
                }
            }
            self.next = counter + 1;
        }
        self.bits[word(counter)] |= 1 << (counter % 64);
        true
    }
}

fn word(counter: u64) -> usize {
    (counter / 64 % ReplayWindow::WORDS as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn agrees_with_a_set(steps in prop::collection::vec(prop_oneof![0..40u64, 0..3000u64], 1..300)) {
            let mut window = ReplayWindow::default();
            let mut seen = BTreeSet::new();
            for c in steps {
                let too_old = seen.last().is_some_and(|max: &u64| max + 1 > c + ReplayWindow::SPAN);
                let expected = !too_old && !seen.contains(&c);
                prop_assert_eq!(window.accept(c), expected, "{}", c);
                if expected { seen.insert(c); }
            }
        }
    }

    #[test]
    fn a_restored_window_accepts_only_what_is_newer() {
        let mut w = ReplayWindow::starting_at(100);
        assert!(!w.accept(99) && w.accept(101) && w.accept(100) && !w.accept(100));
        let mut end = ReplayWindow::starting_at(u64::MAX - 1);
        assert!(end.accept(u64::MAX - 1));
    }
}

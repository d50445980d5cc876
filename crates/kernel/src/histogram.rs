//! Histograms as the kernel counts them: slot k holds events of 2^k to 2^(k+1) nanoseconds.

/// Slots; the last one holds everything longer. As in `bpf/capture.bpf.c`.
pub(crate) const SLOTS: usize = 41;
/// A processor's histogram as it lies in the kernel's memory: the slots, then sum, epoch, max, former epoch, former max.
pub(crate) type Raw = [u64; SLOTS + 5];

/// All processors' counts together, since the programs were loaded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Histogram {
    pub(crate) slots: [u64; SLOTS],
    /// Nanoseconds.
    pub(crate) sum: u64,
    /// The longest event of the epoch asked for, in nanoseconds; 0 if it is not known.
    pub(crate) max: u64,
}

impl Histogram {
    pub(crate) const EMPTY: Histogram = Histogram { slots: [0; SLOTS], sum: 0, max: 0 };

    /// Adds up what each processor counted; the longest event is that of `epoch`.
    pub(crate) fn add_up<'a>(processors: impl IntoIterator<Item = &'a Raw>, epoch: u64) -> Self {
        let mut all = Histogram::EMPTY;
        for raw in processors {
            for (slot, n) in all.slots.iter_mut().zip(raw) {
                *slot = slot.wrapping_add(*n);
            }
            all.sum = all.sum.wrapping_add(raw[SLOTS]);
            let [at, max, former_at, former_max] = [raw[SLOTS + 1], raw[SLOTS + 2], raw[SLOTS + 3], raw[SLOTS + 4]];
            // An event of the next epoch may have come before the reader did: then it is the former one.
            let longest = [(at, max), (former_at, former_max)].into_iter().find(|(at, _)| *at == epoch);
            all.max = all.max.max(longest.map_or(0, |(_, max)| max));
        }
        all
    }

    /// What came since `former`.
    pub(crate) fn since(&self, former: &Histogram) -> Histogram {
        let mut slots = [0; SLOTS];
        for (i, slot) in slots.iter_mut().enumerate() {
            *slot = self.slots[i].wrapping_sub(former.slots[i]);
        }
        Histogram { slots, sum: self.sum.wrapping_sub(former.sum), max: self.max }
    }

    pub(crate) fn count(&self) -> u64 {
        self.slots.iter().sum()
    }

    /// Events of less than 2^`power` nanoseconds.
    pub(crate) fn below(&self, power: usize) -> u64 {
        self.slots[..power.min(SLOTS)].iter().sum()
    }

    /// The quantile `q` (0 to 1) in seconds, exact to within its slot; between a slot's ends, events are taken to lie evenly
    /// on a logarithmic scale. `None` without events.
    pub(crate) fn quantile(&self, q: f64) -> Option<f64> {
        let count = self.count();
        let rank = (q * count as f64).ceil().max(1.0);
        let mut before = 0_u64;
        for (k, n) in self.slots.iter().enumerate() {
            if *n > 0 && (before + n) as f64 >= rank {
                let within = (rank - before as f64 - 0.5) / *n as f64;
                let ns = (k as f64 + within).exp2();
                return Some(if self.max > 0 { ns.min(self.max as f64) } else { ns } / 1e9);
            }
            before += n;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(events: &[(usize, u64)], max: u64) -> Histogram {
        let mut h = Histogram { max, ..Histogram::EMPTY };
        for (slot, n) in events {
            h.slots[*slot] += n;
        }
        h
    }

    #[test]
    fn quantiles_lie_in_the_right_slot() {
        let check = |events: &[(usize, u64)], max: u64, q: f64, low_ns: f64, high_ns: f64| {
            let got = of(events, max).quantile(q).expect("there are events") * 1e9;
            assert!(low_ns <= got && got <= high_ns, "{events:?} max {max} q {q}: {got} not in {low_ns}..{high_ns}");
        };
        check(&[(0, 1)], 0, 0.5, 1.0, 2.0);
        check(&[(10, 1)], 1100, 0.5, 1024.0, 1100.0);
        check(&[(10, 99), (20, 1)], 2_000_000, 0.5, 1024.0, 2048.0);
        check(&[(10, 99), (20, 1)], 2_000_000, 0.99, 1024.0, 2048.0);
        check(&[(10, 98), (20, 2)], 1_100_000, 0.99, 1_048_576.0, 1_100_000.0);
        check(&[(10, 1), (11, 1), (12, 1)], 0, 0.0, 1024.0, 2048.0);
        check(&[(10, 1), (11, 1), (12, 1)], 0, 1.0, 4096.0, 8192.0);
        check(&[(40, 3)], 0, 0.99, 1.0995e12, 2.2e12);
        assert_eq!(of(&[], 0).quantile(0.5), None);
    }

    #[test]
    fn processors_are_added_up_and_the_longest_is_of_the_epoch_asked_for() {
        let raw = |slot: usize, n: u64, sum: u64, rest: [u64; 4]| {
            let mut r: Raw = [0; SLOTS + 5];
            r[slot] = n;
            r[SLOTS] = sum;
            r[SLOTS + 1..].copy_from_slice(&rest);
            r
        };
        let all = [
            raw(3, 5, 50, [7, 15, 6, 99]),
            raw(3, 1, 9, [8, 77, 7, 14]),   // an event came after the epoch was counted up
            raw(4, 2, 40, [5, 1000, 4, 1]), // nothing came in this one
        ];
        let got = Histogram::add_up(&all, 7);
        assert_eq!((got.slots[3], got.slots[4], got.sum, got.max), (6, 2, 99, 15));
        assert_eq!((got.count(), got.below(3), got.below(4), got.below(99)), (8, 0, 6, 8));
        assert_eq!(Histogram::add_up(&all, 8).max, 77);
        assert_eq!(Histogram::add_up(&all, 9).max, 0);
        let later = got.since(&Histogram::add_up(&all[..1], 7));
        assert_eq!((later.slots[3], later.slots[4], later.sum), (1, 2, 49));
    }
}

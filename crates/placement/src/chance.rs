use peermon_model::NodeId;

/// splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014): even seeds that follow one
/// another give unrelated sequences, which is what callers with a counter need. Not for secrets.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Chance(seed)
    }

    /// One node's lot: whoever draws it, and whatever other nodes there are, the same seed gives the same.
    pub(crate) fn of(seed: u64, node: &NodeId) -> Self {
        Chance(seed ^ node.nid())
    }

    /// 64 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number above 0, up to 1.
    fn unit(&mut self) -> f64 {
        ((self.bits() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    /// A place to sort by, the least first: among several, whoever has twice the weight is twice as likely to be first, and so on
    /// among the rest (P. Efraimidis and P. Spirakis, "Weighted random sampling with a reservoir", IPL 2006). The weight is above 0.
    pub(crate) fn place(&mut self, weight: f64) -> f64 {
        -self.unit().ln() / weight
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_splitmix64() {
        // The published test vector of seed 1234567.
        let mut c = Chance::new(1_234_567);
        let got: Vec<u64> = (0..3).map(|_| c.bits()).collect();
        assert_eq!(got, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn twice_the_weight_is_twice_as_often_first() {
        let weights = [1.0, 2.0, 4.0];
        let mut first = [0u32; 3];
        for seed in 0..14_000 {
            let mut chance = Chance::new(seed);
            let places = weights.map(|w| chance.place(w));
            assert!(places.iter().all(|p| p.is_finite() && *p >= 0.0));
            let least = places.iter().copied().fold(f64::INFINITY, f64::min);
            first[places.iter().position(|p| *p == least).expect("one of them")] += 1;
        }
        // 2,000 to 4,000 to 8,000 with deviations below 60; the seeds are fixed.
        let near = |n: u32, expected: u32| n.abs_diff(expected) < 250;
        assert!(near(first[0], 2_000) && near(first[1], 4_000) && near(first[2], 8_000), "{first:?}");
    }

    #[test]
    fn every_order_is_about_equally_likely() {
        let mut seen = std::collections::BTreeMap::new();
        const ROUNDS: u32 = 24_000;
        let nodes = [3, 17, 4, 200].map(|n| NodeId([n; 32]));
        for seed in 0..u64::from(ROUNDS) {
            let mut list = [0, 1, 2, 3];
            let places = nodes.map(|n| Chance::of(seed, &n).place(1.0));
            list.sort_by(|a: &usize, b| places[*a].total_cmp(&places[*b]));
            *seen.entry(list).or_insert(0u32) += 1;
        }
        assert_eq!(seen.len(), 24);
        // The expected count is 1,000 with a deviation of 31; the seeds are fixed, so this never flickers.
        assert!(seen.values().all(|n| (850..1150).contains(n)), "{seen:?}");
    }
}

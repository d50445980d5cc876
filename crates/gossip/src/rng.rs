//! A small deterministic random source (xoshiro256++, Blackman and Vigna), so that a run replays from its seed.

/// Not for secrets: those come from hashes of the start-up seed.
#[derive(Clone, Debug)]
pub(crate) struct Rng([u64; 4]);

/// SplitMix64's finaliser: a fixed, well-mixing hash of one word.
pub(crate) const fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Rng([mix(seed), mix(seed ^ 1), mix(seed ^ 2), mix(seed ^ 3)])
    }

    pub(crate) fn next(&mut self) -> u64 {
        let s = &mut self.0;
        let out = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        out
    }

    /// A number below `n`; 0 if `n` is 0.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }
}

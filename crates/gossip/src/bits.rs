//! A growing bit set over table handles.

#[derive(Clone, Default, Debug)]
pub(crate) struct Bits(Vec<u64>);

impl Bits {
    pub(crate) fn get(&self, i: u16) -> bool {
        self.0.get(i as usize / 64).is_some_and(|w| w >> (i % 64) & 1 == 1)
    }

    /// Sets a bit; true if it was clear.
    pub(crate) fn set(&mut self, i: u16) -> bool {
        let w = i as usize / 64;
        if w >= self.0.len() {
            self.0.resize(w + 1, 0);
        }
        let was = self.get(i);
        self.0[w] |= 1 << (i % 64);
        !was
    }

    /// Clears a bit; true if it was set.
    pub(crate) fn clear(&mut self, i: u16) -> bool {
        let was = self.get(i);
        if was {
            self.0[i as usize / 64] &= !(1 << (i % 64));
        }
        was
    }
}

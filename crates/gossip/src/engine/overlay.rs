//! The rings: who talks to whom, computed by every node alone from the set of living members.

use super::members::Handle;
use crate::config::constants::RINGS;
use crate::rng::mix;

/// Up to three cyclic orders of the living members, each by its own hash.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    rings: [Vec<(u64, Handle)>; RINGS.2],
}

fn position(ring: usize, nid: u64) -> u64 {
    mix(nid ^ mix(ring as u64 + 1))
}

impl Overlay {
    /// Living members.
    pub(crate) fn len(&self) -> usize {
        self.rings[0].len()
    }

    /// Rings in use: two suffice for a small cluster.
    fn active(&self) -> usize {
        if self.len() < RINGS.1 { RINGS.0 } else { RINGS.2 }
    }

    pub(crate) fn insert(&mut self, nid: u64, h: Handle) {
        for (r, ring) in self.rings.iter_mut().enumerate() {
            let key = (position(r, nid), h);
            if let Err(i) = ring.binary_search(&key) {
                ring.insert(i, key);
            }
        }
    }

    pub(crate) fn remove(&mut self, nid: u64, h: Handle) {
        for (r, ring) in self.rings.iter_mut().enumerate() {
            if let Ok(i) = ring.binary_search(&(position(r, nid), h)) {
                ring.remove(i);
            }
        }
    }

    /// The neighbours of a node on all rings, each once: those it has links with and that watch over it. The node itself
    /// need not be in the rings.
    pub(crate) fn neighbours(&self, nid: u64, h: Handle) -> Vec<Handle> {
        let mut found = Vec::with_capacity(6);
        for (r, ring) in self.rings.iter().enumerate().take(self.active()) {
            let n = ring.len();
            if n == 0 {
                continue;
            }
            let at = ring.partition_point(|x| *x < (position(r, nid), h));
            let next = if ring.get(at).is_some_and(|x| x.1 == h) { at + 1 } else { at };
            for x in [ring[next % n].1, ring[(at + n - 1) % n].1] {
                if x != h && !found.contains(&x) {
                    found.push(x);
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_mutual_and_few() {
        for n in [1u16, 2, 3, 5, 63, 64, 300] {
            let mut o = Overlay::default();
            (0..n).for_each(|h| o.insert(mix(u64::from(h)), h));
            for h in 0..n {
                let near = o.neighbours(mix(u64::from(h)), h);
                let most = if n < 64 { 4 } else { 6 };
                assert!(near.len() <= most && near.len() >= most.min(n as usize - 1).min(2), "{n}: {near:?}");
                assert!(!near.contains(&h));
                for x in near {
                    assert!(o.neighbours(mix(u64::from(x)), x).contains(&h), "{n}: {h} {x}");
                }
            }
            o.remove(mix(0), 0);
            assert_eq!(o.len(), n as usize - 1);
            assert!((1..n).all(|h| !o.neighbours(mix(u64::from(h)), h).contains(&0)));
        }
    }
}

//! The rings: who talks to whom, computed by every node alone from the set of living members. The few members of a small
//! cluster all talk to each other: on rings, two that fail at once could be all neighbours of a third, which then bears out
//! nobody's accusation and hears of nobody else.

use super::members::Handle;
use crate::config::constants::{MESH_MAX, RINGS};
use crate::rng::mix;

/// Up to three cyclic orders of the living members, each by its own hash; of each, a node keeps only its own two neighbours.
#[derive(Debug)]
pub(crate) struct Overlay {
    nid: u64,
    members: usize,
    /// All others, if there are few.
    few: Vec<(u64, Handle)>,
    rings: [Sides; RINGS.2],
}

/// The members next to this node on one ring: how far away, and which.
#[derive(Clone, Copy, Debug, Default)]
struct Sides {
    before: Option<(u64, Handle)>,
    after: Option<(u64, Handle)>,
}

impl Sides {
    fn take_in(&mut self, here: u64, there: u64, h: Handle) {
        let nearer = |side: &mut Option<(u64, Handle)>, distance| {
            if side.is_none_or(|s| (distance, h) < s) {
                *side = Some((distance, h));
            }
        };
        nearer(&mut self.before, here.wrapping_sub(there));
        nearer(&mut self.after, there.wrapping_sub(here));
    }

    fn has(&self, h: Handle) -> bool {
        [self.before, self.after].into_iter().flatten().any(|s| s.1 == h)
    }
}

fn position(ring: usize, nid: u64) -> u64 {
    mix(nid ^ mix(ring as u64 + 1))
}

impl Overlay {
    /// The rings as seen by the node with this nid.
    pub(crate) fn around(nid: u64) -> Self {
        Overlay { nid, members: 0, few: Vec::new(), rings: Default::default() }
    }

    /// Living members.
    pub(crate) fn len(&self) -> usize {
        self.members
    }

    /// Rings in use: two suffice for a small cluster.
    fn active(&self) -> usize {
        if self.len() < RINGS.1 { RINGS.0 } else { RINGS.2 }
    }

    /// Whether everybody is everybody's neighbour.
    fn is_mesh(&self) -> bool {
        self.members <= MESH_MAX
    }

    /// A member is up that was not.
    pub(crate) fn insert(&mut self, nid: u64, h: Handle) {
        self.members += 1;
        self.take_in(nid, h);
    }

    fn take_in(&mut self, nid: u64, h: Handle) {
        if nid != self.nid {
            if self.is_mesh() {
                self.few.push((nid, h));
            }
            for (r, sides) in self.rings.iter_mut().enumerate() {
                sides.take_in(position(r, self.nid), position(r, nid), h);
            }
        }
    }

    /// A member is up no more; `up` are those that still are.
    pub(crate) fn remove(&mut self, nid: u64, h: Handle, up: impl Iterator<Item = (u64, Handle)>) {
        self.members -= 1;
        let was_near = nid != self.nid && self.rings.iter().any(|sides| sides.has(h));
        if !(was_near || self.is_mesh()) {
            return;
        }
        self.rings = Default::default();
        self.few.clear();
        up.for_each(|(nid, h)| self.take_in(nid, h));
    }

    /// The neighbours of this node on all rings, each once: those it has links with and that watch over it. The node itself
    /// need not be in the rings.
    pub(crate) fn neighbours(&self) -> Vec<Handle> {
        if self.is_mesh() {
            return self.few.iter().map(|(_, h)| *h).collect();
        }
        self.next_to(self.active())
    }

    /// The neighbours on the first two rings, also in a small cluster: what all are to hear once goes over those.
    pub(crate) fn flooding(&self) -> Vec<Handle> {
        self.next_to(RINGS.0)
    }

    /// The members next to this node on the first so many rings, each once.
    fn next_to(&self, rings: usize) -> Vec<Handle> {
        let mut found = Vec::with_capacity(6);
        for sides in &self.rings[..rings] {
            for (_, h) in [sides.after, sides.before].into_iter().flatten() {
                if !found.contains(&h) {
                    found.push(h);
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
        for n in [1u16, 2, 3, 4, 5, 6, 7, 63, 127, 128, 300] {
            let nids: Vec<(u64, Handle)> = (0..n).map(|h| (mix(u64::from(h)), h)).collect();
            let mut views: Vec<Overlay> = nids.iter().map(|(nid, _)| Overlay::around(*nid)).collect();
            views.iter_mut().for_each(|o| nids.iter().for_each(|(nid, h)| o.insert(*nid, *h)));
            for h in 0..n {
                let near = views[h as usize].neighbours();
                let most = if n < 128 { 4 } else { 6 };
                assert!(near.len() <= most && near.len() >= if n <= 5 { n as usize - 1 } else { 2 }, "{n}: {near:?}");
                assert!(!near.contains(&h));
                assert!(near.iter().all(|x| views[*x as usize].neighbours().contains(&h)), "{n}: {h}");
            }
            views.iter_mut().skip(1).for_each(|o| o.remove(nids[0].0, 0, nids[1..].iter().copied()));
            assert!(views.iter().skip(1).all(|o| o.len() == n as usize - 1 && !o.neighbours().contains(&0)));
            // as if it had never been
            for (o, (nid, _)) in views.iter().zip(&nids).skip(1) {
                let mut fresh = Overlay::around(*nid);
                nids[1..].iter().for_each(|(nid, h)| fresh.insert(*nid, *h));
                assert_eq!(o.neighbours(), fresh.neighbours());
            }
        }
    }
}

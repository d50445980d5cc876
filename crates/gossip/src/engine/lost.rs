//! Rows of a peer that could not be taken although their packets were acknowledged, because what their handle means was not known.
//!
//! The peer believes they were taken, and its next rows may build on them. So of such a handle only a whole row will do, from a packet
//! sent later. That the peer names the handle anew meanwhile proves nothing: it does so until it hears that it was understood. Nor is
//! saying once that it was not enough, since that word may be lost as well.

use std::collections::BTreeMap;

/// By the peer's handle: the newest packet, by its counter, with a row that was lost.
#[derive(Debug, Default)]
pub(crate) struct Lost(BTreeMap<u16, u64>);

impl Lost {
    /// A row of this handle, in the packet of this counter, could not be taken.
    pub(crate) fn note(&mut self, handle: u16, packet: u64) {
        let newest = self.0.entry(handle).or_default();
        *newest = packet.max(*newest);
    }

    /// Whether a row in this packet may build on a lost one. If it does not, later ones do not either.
    pub(crate) fn lacks_base(&mut self, handle: u16, whole: bool, packet: u64) -> bool {
        let Some(newest) = self.0.get(&handle) else { return false };
        let lacks = !whole || packet <= *newest;
        if !lacks {
            self.0.remove(&handle);
        }
        lacks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_lost_row_only_a_whole_one_sent_later_will_do() {
        let mut lost = Lost::default();
        assert!(!lost.lacks_base(7, false, 4));
        lost.note(7, 5);
        lost.note(7, 3);
        assert!(lost.lacks_base(7, false, 6), "it may build on the lost one");
        assert!(lost.lacks_base(7, true, 4), "it was sent before, and what followed it may build on the lost one");
        assert!(!lost.lacks_base(8, false, 6), "another handle");
        assert!(!lost.lacks_base(7, true, 7));
        assert!(!lost.lacks_base(7, false, 8));
    }
}

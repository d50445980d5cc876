//! Records shared by all nodes of a world: each is checked and kept once instead of by every node.

use peermon_node::{Published, SharedRecords};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// By the first bytes of the signature.
#[derive(Debug, Default)]
pub(crate) struct Shared(Mutex<BTreeMap<[u8; 16], Arc<Published>>>);

fn key(signed: &[u8]) -> Option<[u8; 16]> {
    signed.get(signed.len().checked_sub(peermon_trust::SIGNATURE_BYTES)?..)?.first_chunk().copied()
}

impl SharedRecords for Shared {
    fn find(&self, signed: &[u8]) -> Option<Arc<Published>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&key(signed)?).filter(|p| *p.signed == *signed).cloned()
    }

    fn keep(&self, published: &Arc<Published>) {
        if let Some(key) = key(&published.signed) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(published));
        }
    }
}

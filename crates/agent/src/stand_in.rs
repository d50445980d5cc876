//! A daemon without a network: it answers from a table that somebody else keeps. For benches and for work on faces; nothing of the
//! product uses it.

use crate::clock;
use crate::letter::Letter;
use crate::mailbox::mailbox;
use crate::service::Answers;
use crate::shared::{Fanout, Health, Shared};
use arc_swap::{ArcSwap, ArcSwapOption};
use peermon_api::Local;
use peermon_memory::{Bounds, Memory};
use peermon_model::{Catalogue, Instant, NodeId, Samples, Snapshot};
use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

/// Answers as a daemon does, of the table last published. Nobody opens its letters, so what changes something is refused.
#[derive(Debug)]
pub struct StandIn {
    shared: Arc<Shared>,
}

impl StandIn {
    /// With an empty table, as seen by this node.
    ///
    /// # Errors
    /// If the system has no more file descriptors.
    pub fn new(me: NodeId) -> io::Result<StandIn> {
        // The other end is dropped: whoever sends is told at once that nobody takes it.
        let (post, _) = mailbox::<Letter>(1)?;
        let now = clock::now();
        let shared = Shared {
            snapshot: ArcSwap::from_pointee(Snapshot::empty(me)),
            samples: ArcSwapOption::from_pointee((Arc::new(Samples::default()), now)),
            asked: AtomicU64::new(now.as_micros()),
            health: ArcSwap::from_pointee(Health::unknown(me)),
            api: ArcSwap::default(),
            fanout: Fanout::default(),
            post,
            catalogue: Catalogue::new(peermon_collector::attribute_lists()),
            started: now,
            ended: AtomicBool::new(false),
            counting: Mutex::default(),
            choosing: Mutex::default(),
            memory: Mutex::new(Memory::new(Bounds { keep: Duration::from_hours(1), bytes_max: 256_000_000 })),
            refused: AtomicU64::new(0),
        };
        Ok(StandIn { shared: Arc::new(shared) })
    }

    /// The clock that snapshots are taken by.
    pub fn now() -> Instant {
        clock::now()
    }

    /// Everybody who asks from now on sees this table.
    pub fn publish(&self, snapshot: Snapshot) {
        self.shared.show(snapshot);
    }

    /// What it answers.
    pub fn service(&self) -> Arc<dyn Local> {
        Arc::new(Answers(Arc::clone(&self.shared)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use peermon_api::{BestQuery, Error, NodesQuery};

    #[test]
    fn it_answers_and_changes_nothing() {
        let stand_in = StandIn::new(NodeId([7; 32])).expect("a descriptor");
        let service = stand_in.service();
        assert_eq!(service.nodes(&NodesQuery::default()).expect("an answer"), []);
        assert!(service.best(&BestQuery::default()).expect("an answer").best.is_empty());
        assert_eq!(service.ready(), Ok(()));
        assert!(matches!(service.rotate_key(), Err(Error::TooMany(_))));
    }
}

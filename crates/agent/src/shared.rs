//! What the loop publishes and everybody else reads: whole values swapped in one step. A reader holds nothing the loop waits for.

use crate::budget::Budget;
use crate::clock;
use crate::letter::Letter;
use crate::mailbox::Post;
use arc_swap::{ArcSwap, ArcSwapOption};
use peermon_api::{Event, EventSink, EventStream};
use peermon_model::{Catalogue, Instant, NodeId, Samples, Snapshot};
use peermon_node::PaceInfo;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Readers of events at once: each costs a queue, and a page or a tool needs one.
pub(crate) const SUBSCRIBERS_MAX: usize = 64;

/// How long after a reading of samples the next one is expected. Who reads more rarely than that finds values that may be
/// [`peermon_collector::limits::REST_EVERY`] old.
const ASKED_FOR: Duration = Duration::from_secs(90);

/// What all threads share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The table.
    pub(crate) snapshot: ArcSwap<Snapshot>,
    /// The latest round of samples and when it came.
    pub(crate) samples: ArcSwapOption<(Arc<Samples>, Instant)>,
    /// When somebody last read them.
    pub(crate) asked: AtomicU64,
    /// How the daemon itself is.
    pub(crate) health: ArcSwap<Health>,
    /// Where the API listens, for `status`.
    pub(crate) api: ArcSwap<Vec<String>>,
    /// Readers of events.
    pub(crate) fanout: Fanout,
    /// The way to the loop.
    pub(crate) post: Post<Letter>,
    /// Every attribute there is.
    pub(crate) catalogue: Catalogue,
    /// When the daemon started.
    pub(crate) started: Instant,
    /// The loop has ended.
    pub(crate) ended: AtomicBool,
    /// What faces beside the API count, for `status`.
    pub(crate) counting: Mutex<Vec<Counting>>,
    /// Held by whoever chooses nodes and claims them, until the table shows the claims: so the next one sees them.
    pub(crate) choosing: Mutex<()>,
    /// The last hour of all nodes. Readers take what is kept of one node at a time, for the loop waits for this.
    pub(crate) memory: Mutex<peermon_memory::Memory>,
    /// Requests that found the loop's mailbox full.
    pub(crate) refused: AtomicU64,
}

impl Shared {
    /// The latest round of samples, for somebody who wants to know.
    pub(crate) fn ask_samples(&self) -> Option<Arc<(Arc<Samples>, Instant)>> {
        self.asked.store(clock::now().as_micros(), Ordering::Relaxed);
        self.samples.load_full()
    }

    /// Whether somebody has read samples lately.
    pub(crate) fn is_asked(&self, now: Instant) -> bool {
        now.since(Instant::from_micros(self.asked.load(Ordering::Relaxed))) < ASKED_FOR
    }

    /// Shows a table from now on, and remembers what is new in it.
    pub(crate) fn show(&self, snapshot: Snapshot) {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).take(&snapshot);
        self.snapshot.store(Arc::new(snapshot));
    }
}

/// Something that counts by itself: read whenever somebody asks.
pub(crate) struct Counting(pub(crate) Box<dyn Fn() -> Vec<(&'static str, u64)> + Send>);

impl std::fmt::Debug for Counting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Counting")
    }
}

/// The daemon about itself, made anew about once a second.
#[derive(Clone, Debug)]
pub(crate) struct Health {
    pub(crate) id: NodeId,
    pub(crate) name: String,
    pub(crate) incarnation: u32,
    pub(crate) pace: PaceInfo,
    pub(crate) listen: Vec<SocketAddr>,
    pub(crate) counters: Vec<(&'static str, u64)>,
    pub(crate) links: Vec<LinkHealth>,
    pub(crate) clock_locked: bool,
    pub(crate) clock_error_seconds: f64,
    pub(crate) seeds_waiting: Vec<String>,
    pub(crate) cpu_share: Option<f64>,
    pub(crate) budget: Budget,
    pub(crate) resident_bytes: Option<u64>,
    /// Cluster keys, the oldest first.
    pub(crate) keys: Vec<KeyHealth>,
}

impl Health {
    /// Before the loop has looked.
    pub(crate) fn unknown(id: NodeId) -> Self {
        Health {
            id,
            name: String::new(),
            incarnation: 0,
            pace: PaceInfo::default(),
            listen: Vec::new(),
            counters: Vec::new(),
            links: Vec::new(),
            clock_locked: false,
            clock_error_seconds: 0.0,
            seeds_waiting: Vec::new(),
            cpu_share: None,
            budget: Budget::new(None),
            resident_bytes: None,
            keys: Vec::new(),
        }
    }
}

/// One peer.
#[derive(Clone, Debug)]
pub(crate) struct LinkHealth {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    pub(crate) rtt: Option<Duration>,
    pub(crate) role: &'static str,
}

/// One cluster key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct KeyHealth {
    pub(crate) id: u8,
    pub(crate) sending: bool,
    pub(crate) fingerprint: String,
}

/// All readers of events. None can hold the loop up: a slow one loses events and is told how many.
#[derive(Debug, Default)]
pub(crate) struct Fanout(Mutex<Vec<EventSink>>);

impl Fanout {
    /// One more reader; `None` if there are too many.
    pub(crate) fn subscribe(&self) -> Option<EventStream> {
        let mut sinks = self.lock();
        if sinks.len() >= SUBSCRIBERS_MAX {
            return None;
        }
        let (sink, stream) = EventStream::pair();
        sinks.push(sink);
        Some(stream)
    }

    /// Tells everybody; readers that are gone are forgotten.
    pub(crate) fn tell(&self, event: &Event) {
        self.lock().retain(|s| s.send(event.clone()));
    }

    /// Whether anybody reads.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Ends all streams.
    pub(crate) fn end(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<EventSink>> {
        // Held for a push or a round of non-blocking sends; a panic in between leaves a list that is still right.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use peermon_api::NextEvent;

    #[test]
    fn readers_are_bounded_and_forgotten_when_gone() {
        let f = Fanout::default();
        let mut streams: Vec<_> = (0..SUBSCRIBERS_MAX).map(|_| f.subscribe().expect("room")).collect();
        assert!(f.subscribe().is_none());
        streams.truncate(1);
        // Those that are gone make room at the next event.
        let event = Event::Record { name: "a".into(), id: "b".into(), incarnation: 1, sequence: 2 };
        f.tell(&event);
        assert_eq!(streams[0].next(Duration::ZERO), NextEvent::Event(event));
        assert!(f.subscribe().is_some());
        f.end();
        assert!(f.is_empty());
        assert_eq!(streams[0].next(Duration::ZERO), NextEvent::Ended);
    }
}

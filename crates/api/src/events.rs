use serde::{Deserialize, Serialize};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, atomic::AtomicU64, atomic::Ordering};
use std::time::Duration;

/// A change in the table that somebody may want to hear of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A node was seen for the first time, or entered another state.
    Member {
        /// The node's name.
        name: String,
        /// The node's id.
        id: String,
        /// The state it is in now.
        state: crate::State,
        /// Which life of the node.
        incarnation: u32,
    },
    /// A node published a new record (facts, addresses, notices).
    Record {
        /// The node's name.
        name: String,
        /// The node's id.
        id: String,
        /// Which life of the node.
        incarnation: u32,
        /// Which version of its record within that life.
        sequence: u32,
    },
    /// Events were lost because this reader was too slow.
    Lost {
        /// How many.
        count: u64,
    },
}

/// One reader's own bounded queue of events. Dropping it ends the subscription.
#[derive(Debug)]
pub struct EventStream {
    queue: Receiver<Event>,
    lost: Arc<AtomicU64>,
}

/// The daemon's end of an [`EventStream`].
#[derive(Debug)]
pub struct EventSink {
    queue: SyncSender<Event>,
    lost: Arc<AtomicU64>,
}

/// What waiting for an event gave.
#[derive(Clone, Debug, PartialEq)]
pub enum NextEvent {
    /// An event.
    Event(Event),
    /// Nothing within the time given.
    Quiet,
    /// The daemon ended the stream.
    Ended,
}

impl EventStream {
    /// Events a reader may be behind; further ones are dropped and counted. A mass join of a few hundred nodes fits.
    pub const QUEUE_MAX: usize = 1024;

    /// A stream and the end that feeds it.
    pub fn pair() -> (EventSink, EventStream) {
        let (tx, rx) = sync_channel(Self::QUEUE_MAX);
        let lost = Arc::new(AtomicU64::new(0));
        (EventSink { queue: tx, lost: lost.clone() }, EventStream { queue: rx, lost })
    }

    /// The next event, or news that some were lost.
    pub fn next(&self, timeout: Duration) -> NextEvent {
        match self.lost.swap(0, Ordering::Relaxed) {
            0 => {}
            count => return NextEvent::Event(Event::Lost { count }),
        }
        match self.queue.recv_timeout(timeout) {
            Ok(e) => NextEvent::Event(e),
            Err(RecvTimeoutError::Timeout) => NextEvent::Quiet,
            Err(RecvTimeoutError::Disconnected) => NextEvent::Ended,
        }
    }
}

impl EventSink {
    /// Hands an event to the reader without ever waiting for it. False once the reader is gone.
    pub fn send(&self, event: Event) -> bool {
        match self.queue.try_send(event) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                self.lost.fetch_add(1, Ordering::Relaxed);
                true
            }
            Err(TrySendError::Disconnected(_)) => false,
        }
    }
}

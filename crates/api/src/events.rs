use serde::{Deserialize, Serialize};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64, atomic::Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// A change in the table that somebody may want to hear of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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

impl Event {
    /// The kind's name in JSON and in the event stream: `member`, `record` or `lost`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Event::Member { .. } => "member",
            Event::Record { .. } => "record",
            Event::Lost { .. } => "lost",
        }
    }
}

/// One reader's own bounded queue of events. Dropping it ends the subscription.
#[derive(Debug)]
pub struct EventStream {
    queue: Receiver<Event>,
    shared: Arc<Shared>,
}

/// The daemon's end of an [`EventStream`].
#[derive(Debug)]
pub struct EventSink {
    /// `None` only while it is dropped.
    queue: Option<SyncSender<Event>>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    lost: AtomicU64,
    /// Whom to wake when something comes; held for a store or a take, never longer.
    waker: Mutex<Option<Waker>>,
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
        let shared = Arc::new(Shared::default());
        (EventSink { queue: Some(tx), shared: shared.clone() }, EventStream { queue: rx, shared })
    }

    /// The next event, or news that some were lost.
    pub fn next(&self, timeout: Duration) -> NextEvent {
        if let Some(lost) = self.lost() {
            return NextEvent::Event(lost);
        }
        match self.queue.recv_timeout(timeout) {
            Ok(e) => NextEvent::Event(e),
            Err(RecvTimeoutError::Timeout) => NextEvent::Quiet,
            Err(RecvTimeoutError::Disconnected) => NextEvent::Ended,
        }
    }

    /// As [`EventStream::next`] for a reader that must not block: when nothing is there, the context's waker is called as
    /// soon as something is. Never ready with [`NextEvent::Quiet`].
    pub fn poll(&self, context: &mut Context<'_>) -> Poll<NextEvent> {
        if let Some(lost) = self.lost() {
            return Poll::Ready(NextEvent::Event(lost));
        }
        // Registered before looking, so that what arrives between the two still wakes.
        *self.shared.waker() = Some(context.waker().clone());
        match self.queue.try_recv() {
            Ok(e) => Poll::Ready(NextEvent::Event(e)),
            Err(TryRecvError::Disconnected) => Poll::Ready(NextEvent::Ended),
            Err(TryRecvError::Empty) => Poll::Pending,
        }
    }

    fn lost(&self) -> Option<Event> {
        match self.shared.lost.swap(0, Ordering::Relaxed) {
            0 => None,
            count => Some(Event::Lost { count }),
        }
    }
}

impl EventSink {
    /// Hands an event to the reader without ever waiting for it. False once the reader is gone.
    pub fn send(&self, event: Event) -> bool {
        let Some(queue) = &self.queue else { return false };
        match queue.try_send(event) {
            Ok(()) => {
                self.shared.wake();
                true
            }
            Err(TrySendError::Full(_)) => {
                self.shared.lost.fetch_add(1, Ordering::Relaxed);
                true
            }
            Err(TrySendError::Disconnected(_)) => false,
        }
    }

    /// Whether the reader is still there.
    pub fn wanted(&self) -> bool {
        // The reader holds the only other reference.
        Arc::strong_count(&self.shared) > 1
    }
}

impl Drop for EventSink {
    fn drop(&mut self) {
        // First the queue, so that a woken reader finds it ended.
        self.queue = None;
        self.shared.wake();
    }
}

impl Shared {
    fn waker(&self) -> MutexGuard<'_, Option<Waker>> {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        let waker = self.waker().take();
        if let Some(w) = waker {
            w.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    const NOW: Duration = Duration::ZERO;

    fn record(sequence: u32) -> Event {
        Event::Record { name: "a".into(), id: "00".into(), incarnation: 1, sequence }
    }

    #[test]
    fn events_come_in_order_and_the_end_is_seen() {
        let (sink, stream) = EventStream::pair();
        assert_eq!(stream.next(NOW), NextEvent::Quiet);
        assert!(sink.send(record(1)) && sink.send(record(2)));
        drop(sink);
        assert_eq!(stream.next(NOW), NextEvent::Event(record(1)));
        assert_eq!(stream.next(NOW), NextEvent::Event(record(2)));
        assert_eq!(stream.next(NOW), NextEvent::Ended);
    }

    #[test]
    fn a_slow_reader_loses_events_and_is_told_how_many() {
        let (sink, stream) = EventStream::pair();
        for i in 0..EventStream::QUEUE_MAX as u32 + 7 {
            assert!(sink.send(record(i)), "the sink never waits");
        }
        assert_eq!(stream.next(NOW), NextEvent::Event(Event::Lost { count: 7 }));
        assert_eq!(stream.next(NOW), NextEvent::Event(record(0)));
        assert!(sink.send(record(9999)));
        let rest = std::iter::from_fn(|| match stream.next(NOW) {
            NextEvent::Event(e) => Some(e),
            _ => None,
        });
        assert_eq!(rest.last(), Some(record(9999)));
    }

    #[test]
    fn the_sink_learns_that_the_reader_is_gone() {
        let (sink, stream) = EventStream::pair();
        assert!(sink.wanted());
        drop(stream);
        assert!(!sink.wanted());
        assert!(!sink.send(record(1)));
    }

    #[derive(Default)]
    struct Calls(AtomicUsize);
    impl Wake for Calls {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_polling_reader_is_woken_by_an_event_and_by_the_end() {
        let (sink, stream) = EventStream::pair();
        let calls = Arc::new(Calls::default());
        let waker = Waker::from(calls.clone());
        let mut cx = Context::from_waker(&waker);
        assert_eq!(stream.poll(&mut cx), Poll::Pending);
        sink.send(record(1));
        assert_eq!(calls.0.load(Ordering::SeqCst), 1);
        assert_eq!(stream.poll(&mut cx), Poll::Ready(NextEvent::Event(record(1))));
        assert_eq!(stream.poll(&mut cx), Poll::Pending);
        drop(sink);
        assert_eq!(calls.0.load(Ordering::SeqCst), 2);
        assert_eq!(stream.poll(&mut cx), Poll::Ready(NextEvent::Ended));
    }

    #[test]
    fn events_are_tagged_json() {
        for (event, json) in [
            (Event::Lost { count: 3 }, r#"{"event":"lost","count":3}"#),
            (record(2), r#"{"event":"record","name":"a","id":"00","incarnation":1,"sequence":2}"#),
        ] {
            assert_eq!(serde_json::to_string(&event).expect("plain"), json);
            assert_eq!(serde_json::from_str::<Event>(json).expect("plain"), event);
            assert!(json.contains(&format!(r#""event":"{}""#, event.kind())));
        }
    }
}

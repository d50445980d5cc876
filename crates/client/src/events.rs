//! Server-sent events into an [`EventStream`].

use crate::http::{Answer, Failure};
use crate::limits;
use peermon_api::{Error, Event, EventSink, EventStream};
use std::io;
use std::time::{Duration, Instant};

/// How often the thread looks whether its reader is still there.
const LOOK: Duration = Duration::from_secs(1);

/// Reads events on a thread of its own, until the daemon ends them, is silent for too long, or nobody reads them any more.
pub(crate) fn follow(mut answer: Answer, silence: Duration) -> Result<EventStream, Error> {
    answer.wait_for_ever();
    let (sink, stream) = EventStream::pair();
    let failed = |e| Error::Unavailable(format!("cannot follow the daemon's events: {e}; check the limit on processes"));
    std::thread::Builder::new().name("events".into()).spawn(move || run(answer, &sink, silence)).map_err(failed)?;
    Ok(stream)
}

fn run(mut answer: Answer, sink: &EventSink, silence: Duration) {
    if answer.limit_read(LOOK.min(silence)).is_err() {
        return;
    }
    let mut lines = Lines::default();
    let mut heard = Instant::now();
    while sink.wanted() {
        match answer.part() {
            Ok(Some(part)) => {
                heard = Instant::now();
                if !lines.take(&part, |event| sink.send(event)) {
                    return;
                }
            }
            Err(Failure::Io(e)) if matches!(e.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock) => {
                if heard.elapsed() >= silence {
                    return;
                }
            }
            Ok(None) | Err(_) => return,
        }
    }
}

/// Lines of an event stream, put together to events.
#[derive(Default)]
struct Lines {
    line: Vec<u8>,
    data: String,
}

impl Lines {
    /// Takes bytes and hands out the events that they complete. False when there should be no more: the reader has gone, or
    /// the stream is nonsense.
    fn take(&mut self, bytes: &[u8], mut hand_out: impl FnMut(Event) -> bool) -> bool {
        for &b in bytes {
            if b != b'\n' {
                self.line.push(b);
                if self.line.len() > limits::LINE_BYTES_MAX {
                    return false;
                }
                continue;
            }
            let line = String::from_utf8_lossy(&self.line).trim_end_matches('\r').to_string();
            self.line.clear();
            if line.is_empty() {
                // Kinds of events that a newer daemon may send are passed over.
                if let Ok(event) = serde_json::from_str(&self.data)
                    && !hand_out(event)
                {
                    return false;
                }
                self.data.clear();
            } else if let Some(data) = line.strip_prefix("data:") {
                self.data.push_str(data.strip_prefix(' ').unwrap_or(data));
                if self.data.len() > limits::LINE_BYTES_MAX {
                    return false;
                }
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_out_however_they_are_cut() {
        let text = b": hello\n\nevent: lost\ndata: {\"event\":\"lost\",\ndata: \"count\":1}\n\nevent: new\ndata: {\"event\":\"new\"}\n\n\
                     data:{\"event\":\"lost\",\"count\":2}\r\n\r\n: still here\n\n";
        for size in 1..text.len() {
            let mut lines = Lines::default();
            let mut seen = Vec::new();
            for part in text.chunks(size) {
                assert!(lines.take(part, |e| {
                    seen.push(e);
                    true
                }));
            }
            assert_eq!(seen, [Event::Lost { count: 1 }, Event::Lost { count: 2 }], "in parts of {size}");
        }
    }

    #[test]
    fn nonsense_is_bounded() {
        let mut lines = Lines::default();
        assert!(!lines.take(&vec![b'x'; limits::LINE_BYTES_MAX + 1], |_| true));
        let mut lines = Lines::default();
        assert!(!lines.take(&b"data:xxxxxxxxxxxxxxx\n".repeat(limits::LINE_BYTES_MAX / 10), |_| true));
        assert!(!Lines::default().take(b"data:{\"event\":\"lost\",\"count\":2}\n\n", |_| false), "the reader has gone");
    }
}

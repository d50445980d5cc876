//! A host's own line: so many bytes a second each way, and a queue before it that holds so many.

use peermon_model::Instant;
use std::time::Duration;

/// What a host's line carries.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Line {
    /// Bytes per second each way, with IP and UDP headers.
    pub rate: f64,
    /// Bytes that may wait before it each way; what comes on top is dropped.
    pub queue: usize,
}

/// IP and UDP headers (IPv4).
pub(crate) const HEADERS: usize = 28;

/// A line in use.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    pub(super) line: Line,
    /// Until when what was given to it takes: out, and in.
    busy: [Instant; 2],
}

/// Directions of a lane.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    Out,
    In,
}

impl Lane {
    pub(super) fn new(line: Line) -> Self {
        Lane { line, busy: [Instant::ZERO; 2] }
    }

    /// When a payload of so many bytes that comes now has passed; `None` if the queue is full.
    pub(super) fn pass(&mut self, way: Way, now: Instant, payload: usize) -> Option<Instant> {
        let busy = &mut self.busy[way as usize];
        let bytes = (payload + HEADERS) as f64;
        let waiting = (*busy - now).as_secs_f64() * self.line.rate;
        if waiting + bytes > self.line.queue as f64 {
            return None;
        }
        *busy = (*busy).max(now) + Duration::from_secs_f64(bytes / self.line.rate);
        Some(*busy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_carries_its_rate_and_drops_what_does_not_fit() {
        let mut lane = Lane::new(Line { rate: 10_000.0, queue: 5_000 });
        let now = Instant::from_millis(7);
        let passed: Vec<_> = (0..10).map(|_| lane.pass(Way::Out, now, 972)).collect();
        let at = |ms| Some(Instant::from_millis(ms));
        assert_eq!(passed[..6], [at(107), at(207), at(307), at(407), at(507), None]);
        assert_eq!(lane.pass(Way::In, now, 972), at(107), "the other way is free");
        assert_eq!(lane.pass(Way::Out, Instant::from_millis(107), 972), at(607));
        assert_eq!(lane.pass(Way::Out, Instant::from_millis(9_000), 972), at(9_100));
    }
}

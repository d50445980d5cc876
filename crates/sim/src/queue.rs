//! What is to happen, in order of time, and of planning within one moment.

use peermon_model::Instant;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Steps by time. The heap holds small keys; the steps lie still in slots that are used again, so that a datagram moves in
/// once and out once.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    heap: BinaryHeap<Reverse<(Instant, u64, u32)>>,
    slots: Vec<Option<T>>,
    free: Vec<u32>,
    planned: u64,
}

impl<T> Queue<T> {
    pub(crate) fn new() -> Self {
        Queue { heap: BinaryHeap::new(), slots: Vec::new(), free: Vec::new(), planned: 0 }
    }

    pub(crate) fn push(&mut self, at: Instant, step: T) {
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = Some(step);
                slot
            }
            None => {
                self.slots.push(Some(step));
                (self.slots.len() - 1) as u32
            }
        };
        self.heap.push(Reverse((at, self.planned, slot)));
        self.planned += 1;
    }

    /// The next step, if it is not later than `end`.
    pub(crate) fn pop_until(&mut self, end: Instant) -> Option<(Instant, T)> {
        let Reverse((at, _, slot)) = *self.heap.peek()?;
        if at > end {
            return None;
        }
        self.heap.pop();
        self.free.push(slot);
        let step = self.slots[slot as usize].take().expect("every key has its step");
        Some((at, step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_come_in_order_of_time_and_planning_and_slots_are_used_again() {
        let mut queue = Queue::new();
        for round in 0..3u64 {
            let at = |n| Instant::from_millis(10 * round + n);
            for (t, c) in [(at(3), 'c'), (at(1), 'a'), (at(3), 'd'), (at(2), 'b')] {
                queue.push(t, c);
            }
            let got: String = std::iter::from_fn(|| queue.pop_until(at(3))).map(|s| s.1).collect();
            assert_eq!(got, "abcd");
        }
        queue.push(Instant::from_millis(99), 'z');
        assert_eq!((queue.pop_until(Instant::from_millis(98)), queue.slots.len()), (None, 4));
    }
}

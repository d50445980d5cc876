//! Work that may hang: done one piece after another by a thread that is given up when a piece does not return in time.
//!
//! The invariant: at any moment each piece of work is in exactly one hand, the caller's, the queue's or a worker's. A piece
//! that hangs keeps its thread and its own state; the pieces behind it get a fresh thread and keep theirs. When the hung one
//! returns, its thread ends and its state comes back through [`Lane::returned`].

use crate::limits::THREAD_STACK_BYTES;
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How patient a lane is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// With one piece of work.
    pub(crate) piece: Duration,
    /// With all of one call.
    pub(crate) call: Duration,
    /// How many threads may be stuck; with that many, nothing runs until one returns.
    pub(crate) stuck_max: usize,
}

/// What became of a piece of work in one call.
#[derive(Debug, PartialEq)]
pub(crate) enum Outcome<S, R> {
    /// It returned.
    Done {
        /// Its state, for the next call.
        state: S,
        /// What it said.
        result: R,
        /// How long it took.
        took: Duration,
    },
    /// It has not returned and keeps its state until it does.
    Hung,
    /// Its turn did not come.
    NotRun {
        /// Its state, for the next call.
        state: S,
        /// Why.
        reason: NotRun,
    },
}

/// Why a piece of work did not run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum NotRun {
    /// Others took all the time there was.
    NoTime,
    /// Too many threads are stuck already.
    TooManyStuck,
    /// The system gives no thread.
    NoThread(String),
}

/// One line of work with its worker thread. `K` names a piece, `S` is its state, `A` what all pieces of a call are told.
pub(crate) struct Lane<K, S, A, R> {
    name: &'static str,
    work: fn(&mut S, &A) -> R,
    patience: Patience,
    worker: Option<Arc<Shared<K, S, A, R>>>,
    stuck: Vec<Stuck<K, S, A, R>>,
}

struct Stuck<K, S, A, R> {
    key: K,
    since: Instant,
    worker: Arc<Shared<K, S, A, R>>,
}

struct Shared<K, S, A, R> {
    state: Mutex<Desk<K, S, A, R>>,
    work_came: Condvar,
    work_done: Condvar,
}

/// What lies between the caller and a worker.
struct Desk<K, S, A, R> {
    queue: VecDeque<(K, S)>,
    told: Option<A>,
    running: Option<(K, Instant)>,
    done: Vec<(K, Outcome<S, R>)>,
    dismissed: bool,
}

impl<K, S, A, R> Lane<K, S, A, R>
where
    K: Clone + Send + 'static,
    S: Send + 'static,
    A: Clone + Send + 'static,
    R: Send + 'static,
{
    /// A lane whose threads are called `name` and do `work`, which must not panic.
    pub(crate) fn new(name: &'static str, work: fn(&mut S, &A) -> R, patience: Patience) -> Self {
        Lane { name, work, patience, worker: None, stuck: Vec::new() }
    }

    /// Does all pieces in order and says what became of each, waiting no longer than the lane's patience.
    pub(crate) fn run(&mut self, pieces: Vec<(K, S)>, told: &A) -> Vec<(K, Outcome<S, R>)> {
        let end = Instant::now() + self.patience.call;
        let mut outcomes = Vec::with_capacity(pieces.len());
        let mut rest = VecDeque::from(pieces);
        while !rest.is_empty() {
            if Instant::now() >= end {
                refuse(&mut outcomes, rest, &NotRun::NoTime);
                break;
            }
            let worker = match self.worker() {
                Ok(w) => w,
                Err(reason) => {
                    refuse(&mut outcomes, rest, &reason);
                    break;
                }
            };
            rest = self.batch(&worker, rest, told, end, &mut outcomes);
        }
        outcomes
    }

    /// Hands `pieces` to a worker and waits for it; gives back what it did not get to.
    fn batch(
        &mut self,
        worker: &Arc<Shared<K, S, A, R>>,
        pieces: VecDeque<(K, S)>,
        told: &A,
        end: Instant,
        outcomes: &mut Vec<(K, Outcome<S, R>)>,
    ) -> VecDeque<(K, S)> {
        let mut desk = worker.desk();
        desk.queue = pieces;
        desk.told = Some(told.clone());
        worker.work_came.notify_one();
        let begun = Instant::now();
        let late = loop {
            if desk.queue.is_empty() && desk.running.is_none() {
                break None;
            }
            let now = Instant::now();
            let piece_begun = desk.running.as_ref().map_or(begun, |(_, since)| *since);
            let until = (piece_begun + self.patience.piece).min(end);
            if until <= now {
                break desk.running.clone();
            }
            desk = worker.work_done.wait_timeout(desk, until - now).unwrap_or_else(PoisonError::into_inner).0;
        };
        outcomes.append(&mut desk.done);
        let rest = std::mem::take(&mut desk.queue);
        if let Some((key, since)) = late {
            desk.dismissed = true;
            outcomes.push((key.clone(), Outcome::Hung));
            self.worker = None;
            self.stuck.push(Stuck { key, since, worker: Arc::clone(worker) });
        }
        rest
    }

    /// The pieces that hung and have returned since, with their state.
    pub(crate) fn returned(&mut self) -> Vec<(K, S)> {
        let mut back = Vec::new();
        self.stuck.retain(|s| {
            let mut desk = s.worker.desk();
            if desk.running.is_some() {
                return true;
            }
            back.extend(desk.done.drain(..).filter_map(|(key, outcome)| match outcome {
                Outcome::Done { state, .. } | Outcome::NotRun { state, .. } => Some((key, state)),
                Outcome::Hung => None,
            }));
            false
        });
        back
    }

    /// The pieces that hang, and how long each has.
    pub(crate) fn hung(&self) -> impl Iterator<Item = (&K, Duration)> {
        self.stuck.iter().map(|s| (&s.key, s.since.elapsed()))
    }

    fn worker(&mut self) -> Result<Arc<Shared<K, S, A, R>>, NotRun> {
        if let Some(w) = &self.worker {
            return Ok(Arc::clone(w));
        }
        if self.stuck.len() >= self.patience.stuck_max {
            return Err(NotRun::TooManyStuck);
        }
        let worker = start(self.name, self.work).map_err(|e| NotRun::NoThread(e.to_string()))?;
        self.worker = Some(Arc::clone(&worker));
        Ok(worker)
    }
}

impl<K, S, A, R> Drop for Lane<K, S, A, R> {
    /// Tells the worker to end, and waits for none: a stuck one ends when it returns.
    fn drop(&mut self) {
        if let Some(w) = &self.worker {
            w.desk().dismissed = true;
            w.work_came.notify_one();
        }
    }
}

impl<K, S, A, R> Shared<K, S, A, R> {
    fn desk(&self) -> MutexGuard<'_, Desk<K, S, A, R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refuse<K, S, R>(outcomes: &mut Vec<(K, Outcome<S, R>)>, rest: VecDeque<(K, S)>, reason: &NotRun) {
    outcomes.extend(rest.into_iter().map(|(k, state)| (k, Outcome::NotRun { state, reason: reason.clone() })));
}

fn start<K, S, A, R>(name: &'static str, work: fn(&mut S, &A) -> R) -> io::Result<Arc<Shared<K, S, A, R>>>
where
    K: Clone + Send + 'static,
    S: Send + 'static,
    A: Clone + Send + 'static,
    R: Send + 'static,
{
    let desk = Desk { queue: VecDeque::new(), told: None, running: None, done: Vec::new(), dismissed: false };
    let shared = Arc::new(Shared { state: Mutex::new(desk), work_came: Condvar::new(), work_done: Condvar::new() });
    let worker = Arc::clone(&shared);
    thread::Builder::new().name(name.into()).stack_size(THREAD_STACK_BYTES).spawn(move || serve(&worker, work))?;
    Ok(shared)
}

/// A worker's life: one piece after another until it is dismissed.
fn serve<K: Clone, S, A: Clone, R>(shared: &Shared<K, S, A, R>, work: fn(&mut S, &A) -> R) {
    let mut desk = shared.desk();
    while !desk.dismissed {
        let (Some(told), Some((key, mut state))) = (desk.told.clone(), desk.queue.pop_front()) else {
            desk = shared.work_came.wait(desk).unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        let begun = Instant::now();
        desk.running = Some((key.clone(), begun));
        drop(desk);
        let result = work(&mut state, &told);
        let took = begun.elapsed();
        desk = shared.desk();
        desk.running = None;
        desk.done.push((key, Outcome::Done { state, result, took }));
        if desk.queue.is_empty() {
            desk.told = None;
            shared.work_done.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, Sender, channel};

    /// A piece that returns at once, or when the test says so.
    enum Piece {
        Quick,
        Waits(Receiver<()>),
    }

    fn work(piece: &mut Piece, told: &u32) -> u32 {
        if let Piece::Waits(gate) = piece {
            // A closed gate is an open one.
            let _: Result<(), _> = gate.recv();
        }
        told + 1
    }

    fn lane(stuck_max: usize) -> Lane<&'static str, Piece, u32, u32> {
        // Quick pieces must never be late, however slow the machine: only gates hold pieces up for ever.
        let patience = Patience { piece: Duration::from_millis(800), call: Duration::from_secs(60), stuck_max };
        Lane::new("test-lane", work, patience)
    }

    fn gate() -> (Sender<()>, Piece) {
        let (open, wait) = channel();
        (open, Piece::Waits(wait))
    }

    fn said(outcomes: &[(&'static str, Outcome<Piece, u32>)]) -> Vec<String> {
        let word = |o: &Outcome<Piece, u32>| match o {
            Outcome::Done { result, .. } => result.to_string(),
            Outcome::Hung => "hung".into(),
            Outcome::NotRun { reason, .. } => format!("{reason:?}"),
        };
        outcomes.iter().map(|(k, o)| format!("{k} {}", word(o))).collect()
    }

    fn wait_for_return(lane: &mut Lane<&'static str, Piece, u32, u32>) -> Vec<&'static str> {
        loop {
            let back = lane.returned();
            if !back.is_empty() {
                return back.into_iter().map(|(k, _)| k).collect();
            }
            thread::yield_now();
        }
    }

    #[test]
    fn a_hung_piece_costs_only_itself_and_comes_back() {
        let mut lane = lane(4);
        assert_eq!(said(&lane.run(vec![("a", Piece::Quick), ("b", Piece::Quick)], &1)), ["a 2", "b 2"]);
        let (open, waits) = gate();
        let got = lane.run(vec![("a", Piece::Quick), ("stuck", waits), ("b", Piece::Quick)], &2);
        assert_eq!(said(&got), ["a 3", "stuck hung", "b 3"]);
        assert_eq!(lane.hung().map(|(k, _)| *k).collect::<Vec<_>>(), ["stuck"]);
        assert!(lane.returned().is_empty());
        assert_eq!(said(&lane.run(vec![("a", Piece::Quick)], &3)), ["a 4"]);
        drop(open);
        assert_eq!(wait_for_return(&mut lane), ["stuck"]);
        assert_eq!(lane.hung().count(), 0);
    }

    #[test]
    fn stuck_threads_are_bounded() {
        let mut lane = lane(2);
        let (open1, w1) = gate();
        let (_open2, w2) = gate();
        let got = lane.run(vec![("1", w1), ("2", w2), ("3", Piece::Quick)], &0);
        assert_eq!(said(&got), ["1 hung", "2 hung", "3 TooManyStuck"]);
        drop(open1);
        assert_eq!(wait_for_return(&mut lane), ["1"]);
        assert_eq!(said(&lane.run(vec![("3", Piece::Quick)], &0)), ["3 1"]);
    }

    #[test]
    fn the_call_ends_in_time() {
        let patience = Patience { piece: Duration::from_secs(3600), call: Duration::from_millis(800), stuck_max: 9 };
        let mut lane = Lane::new("test-lane", work, patience);
        let (_open, waits) = gate();
        assert_eq!(said(&lane.run(vec![("1", waits), ("2", Piece::Quick)], &0)), ["1 hung", "2 NoTime"]);
        assert_eq!(said(&lane.run(vec![("2", Piece::Quick)], &0)), ["2 1"]);
    }
}

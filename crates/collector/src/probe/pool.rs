//! Threads for tries: one is enough while all return; one that is stuck is left to itself.

use super::{Probe, Report, Told, Tried};
use crate::limits::{HUNG_PROBES_MAX, THREAD_STACK_BYTES};
use std::collections::VecDeque;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// A try that has waited this long for a thread gets a new one.
const WAIT_MAX: Duration = Duration::from_millis(50);
/// A thread that had nothing to do this long ends, but for one.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// Which thing, of all that the schedule has ever had.
pub(super) type Number = u64;

/// What comes to the schedule.
pub(super) enum Message {
    /// A try has ended.
    Done { number: Number, probe: Box<dyn Probe>, tried: Option<Tried>, took: Duration },
    /// The cluster is another one now.
    Told(Told),
    /// Nobody listens any more.
    End,
}

struct Job {
    number: Number,
    probe: Box<dyn Probe>,
    told: Arc<Told>,
    since: Instant,
}

#[derive(Default)]
struct Desk {
    queue: VecDeque<Job>,
    threads: usize,
    idle: usize,
    ended: bool,
}

struct Shared {
    desk: Mutex<Desk>,
    work: Condvar,
}

/// The threads.
pub(super) struct Pool {
    shared: Arc<Shared>,
    results: Sender<Message>,
}

impl Pool {
    pub(super) fn new(results: Sender<Message>) -> Self {
        Pool { shared: Arc::new(Shared { desk: Mutex::default(), work: Condvar::new() }), results }
    }

    /// Hands over a try.
    pub(super) fn start(&self, number: Number, probe: Box<dyn Probe>, told: &Arc<Told>) {
        let mut desk = self.shared.desk();
        desk.queue.push_back(Job { number, probe, told: Arc::clone(told), since: Instant::now() });
        if desk.threads == 0 {
            self.spawn(&mut desk);
        }
        self.shared.work.notify_one();
    }

    /// Starts a thread for tries that wait because all others are busy or stuck. When the next look is needed.
    pub(super) fn look(&self, now: Instant) -> Option<Duration> {
        let mut desk = self.shared.desk();
        let waited = now.saturating_duration_since(desk.queue.front()?.since);
        if waited >= WAIT_MAX && desk.idle == 0 && desk.threads < HUNG_PROBES_MAX {
            self.spawn(&mut desk);
        }
        Some(WAIT_MAX)
    }

    fn spawn(&self, desk: &mut Desk) {
        let (shared, results) = (Arc::clone(&self.shared), self.results.clone());
        let thread = thread::Builder::new().name("probe".into()).stack_size(THREAD_STACK_BYTES);
        // without a thread the tries wait, and are late
        if thread.spawn(move || serve(&shared, &results)).is_ok() {
            desk.threads += 1;
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.desk().ended = true;
        self.shared.work.notify_all();
    }
}

impl Shared {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn serve(shared: &Shared, results: &Sender<Message>) {
    let mut desk = shared.desk();
    while !desk.ended {
        if let Some(mut job) = desk.queue.pop_front() {
            drop(desk);
            let begun = Instant::now();
            let tried = job.probe.try_once(&job.told);
            let done = Message::Done { number: job.number, probe: job.probe, tried, took: begun.elapsed() };
            let heard = results.send(done).is_ok();
            desk = shared.desk();
            if !heard {
                break;
            }
            continue;
        }
        desk.idle += 1;
        let (back, waited) = shared.work.wait_timeout(desk, IDLE_MAX).unwrap_or_else(PoisonError::into_inner);
        desk = back;
        desk.idle -= 1;
        if waited.timed_out() && desk.queue.is_empty() && desk.threads > 1 {
            break;
        }
    }
    desk.threads -= 1;
}

/// Where reports go; false: nobody wants them any more.
pub(super) type Out = Box<dyn Fn(Report) -> bool + Send>;

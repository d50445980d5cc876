//! A thread that loads the programs and reads them, so that whoever asks never waits for the kernel.

use crate::capture::{Capture, Part};
use crate::error::LoadError;
use peermon_model::{CollectorReport, Instant, Sample, Samples};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread;
use std::time::Duration;

/// Name of this part in reports.
const NAME: &str = "kernel";
/// How long an answer is waited for. Reading takes some tenths of a millisecond; the rest is room for busy machines.
const READ_TIME_MAX: Duration = Duration::from_millis(100);
/// Stack of the thread: parsing the kernel's description of itself goes a few calls deep, and its data are on the heap.
const STACK_BYTES: usize = 512 << 10;

/// What became of loading, told once.
pub type Loaded<'a> = Result<(&'a [Part], &'a [(Part, String)]), &'a LoadError>;

/// Reads the programs once a round. When it is dropped, they are taken out of the kernel.
#[derive(Debug)]
pub struct Reader {
    asks: SyncSender<Instant>,
    answers: Receiver<Answer>,
    /// Whether the programs are loaded. Until then, and for ever if they cannot be, nothing is asked.
    ready: Arc<AtomicBool>,
    state: State,
    patience: Duration,
}

/// How this round stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Nothing is loaded.
    Idle,
    /// An answer will come.
    Asked,
    /// The answer of a former round has not come.
    Behind,
    /// The thread has ended though it should not have.
    Ended,
}

/// The samples of a round, the time they took, and why some are missing.
#[derive(Debug)]
struct Answer {
    list: Vec<Sample>,
    took: Duration,
    failure: Option<String>,
}

impl Reader {
    /// Starts to load the programs, in a thread of its own; `told` hears there what became of it.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(told: impl FnOnce(Loaded<'_>) + Send + 'static) -> Result<Self, LoadError> {
        Reader::reading(move || {
            let capture = Capture::load();
            told(capture.as_ref().map(|c| (c.parts(), c.refused())));
            let mut capture = capture.ok()?;
            Some(move |now, list: &mut Vec<Sample>| capture.read(now, list).map_err(|e| e.to_string()))
        })
    }

    /// With whatever `load` makes in the thread to read from; `None` ends it.
    fn reading<R: FnMut(Instant, &mut Vec<Sample>) -> Result<(), String>>(
        load: impl FnOnce() -> Option<R> + Send + 'static,
    ) -> Result<Self, LoadError> {
        let (asks, asked) = sync_channel::<Instant>(1);
        let (answer, answers) = sync_channel(1);
        let ready = Arc::new(AtomicBool::new(false));
        let loaded = Arc::clone(&ready);
        let work = move || {
            let Some(mut read) = load() else { return };
            loaded.store(true, Ordering::Release);
            for now in asked {
                let begun = std::time::Instant::now();
                let mut list = Vec::new();
                let failure = read(now, &mut list).err();
                if answer.send(Answer { list, took: begun.elapsed(), failure }).is_err() {
                    return;
                }
            }
        };
        let builder = thread::Builder::new().name("peermon-kernel".into()).stack_size(STACK_BYTES);
        builder.spawn(work).map_err(LoadError::NoThread)?;
        Ok(Reader { asks, answers, ready, state: State::Idle, patience: READ_TIME_MAX })
    }

    /// Asks for a round, which is read while the caller does something else.
    pub fn ask(&mut self, now: Instant) {
        if !self.ready.load(Ordering::Acquire) {
            return;
        }
        // One that is too late for its round is thrown away: what it spans is lost but for the sums, and the next is whole again.
        if self.state == State::Behind && self.answers.try_recv().is_err_and(|e| e == TryRecvError::Empty) {
            return;
        }
        self.state = if self.asks.try_send(now).is_ok() { State::Asked } else { State::Ended };
    }

    /// Adds the round asked for to `round`. Says nothing where nothing is loaded: that was told.
    pub fn answer(&mut self, round: &mut Samples) {
        if self.state == State::Asked {
            match self.answers.recv_timeout(self.patience) {
                Ok(mut answer) => {
                    round.list.append(&mut answer.list);
                    let Answer { took, failure, .. } = answer;
                    round.reports.push(CollectorReport { collector: NAME, duration: took, every: Duration::ZERO, failure });
                    return;
                }
                Err(RecvTimeoutError::Timeout) => self.state = State::Behind,
                Err(RecvTimeoutError::Disconnected) => self.state = State::Ended,
            }
        }
        let failure = match self.state {
            State::Behind => {
                format!("it has not answered within {} ms; it is asked again when it does", self.patience.as_millis())
            }
            State::Ended => "its thread has ended, which is a mistake in the program; please report what the log says".into(),
            State::Idle | State::Asked => return,
        };
        round.reports.push(CollectorReport {
            collector: NAME,
            duration: self.patience,
            every: Duration::ZERO,
            failure: Some(failure),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attributes::RETRANSMITS;
    use std::sync::mpsc::channel;

    /// How long an answer that must come is waited for, however slow the machine.
    const LONG: Duration = Duration::from_secs(60);

    /// What a round holds: the values, and the failure.
    fn round(reader: &mut Reader, seconds: u64) -> (Vec<f64>, String) {
        let mut round = Samples::default();
        reader.ask(Instant::from_millis(seconds * 1000));
        reader.answer(&mut round);
        let failures = round.reports.into_iter().filter_map(|r| r.failure);
        (round.list.iter().map(|s| s.value).collect(), failures.collect())
    }

    fn wait_until_ready(reader: &Reader) {
        while !reader.ready.load(Ordering::Acquire) {
            thread::yield_now();
        }
    }

    #[test]
    fn one_that_hangs_is_left_alone_and_comes_back() {
        let (open, gate) = channel::<()>();
        let (loading, loaded) = channel::<()>();
        let mut reader = Reader::reading(move || {
            let _: Result<(), _> = loaded.recv();
            Some(move |now: Instant, list: &mut Vec<Sample>| {
                list.push(Sample { attribute: RETRANSMITS, instance: None, labels: None, value: now.as_secs_f64() });
                match now.as_secs_f64() {
                    2.0 => gate.recv().map_err(|e| e.to_string()),
                    5.0 => Err("refused".into()),
                    _ => Ok(()),
                }
            })
        })
        .expect("a thread");
        assert_eq!(round(&mut reader, 0), (vec![], String::new()), "nothing is awaited while it loads");
        loading.send(()).expect("it waits");
        wait_until_ready(&reader);
        reader.patience = LONG;
        assert_eq!(round(&mut reader, 1), (vec![1.0], String::new()));
        reader.patience = READ_TIME_MAX;
        for late in [2, 3] {
            let (list, failure) = round(&mut reader, late);
            assert!(list.is_empty() && failure.contains("has not answered within 100 ms"), "{late}: {list:?} {failure}");
        }
        open.send(()).expect("it hangs there");
        reader.patience = LONG;
        let back = std::iter::repeat_with(|| round(&mut reader, 4)).find(|(list, _)| !list.is_empty());
        assert_eq!(back, Some((vec![4.0], String::new())), "the late answer is not taken for this one");
        assert_eq!(round(&mut reader, 5), (vec![5.0], "refused".into()), "what it has stays");
    }

    #[test]
    fn one_that_cannot_load_is_silent_and_one_that_dies_is_told() {
        type Read = fn(Instant, &mut Vec<Sample>) -> Result<(), String>;
        let mut none = Reader::reading(|| None::<Read>).expect("a thread");
        let mut dies = Reader::reading(|| Some((|_, _| panic!("a mistake made on purpose")) as Read)).expect("a thread");
        wait_until_ready(&dies);
        // Telling of the panic may take longer than a round is waited for.
        let told = std::iter::repeat_with(|| round(&mut dies, 1).1).find(|t| !t.contains("has not answered"));
        assert!(told.as_ref().is_some_and(|t| t.contains("thread has ended")), "{told:?}");
        for second in 1..4 {
            assert_eq!(round(&mut none, second), (vec![], String::new()));
            assert!(round(&mut dies, second).1.contains("thread has ended"), "{second}");
        }
    }

    #[test]
    fn dropping_it_ends_the_thread_and_what_it_holds() {
        let (held, gone) = channel::<()>();
        let reader = Reader::reading(move || {
            Some(move |_: Instant, _: &mut Vec<Sample>| {
                let _ = &held;
                Ok(())
            })
        });
        drop(reader.expect("a thread"));
        assert!(gone.recv().is_err(), "the other end is dropped with the thread");
    }
}

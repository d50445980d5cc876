//! The thread that reads this machine. The loop asks and goes on; it never waits for a collector.

use crate::config::{Config, OwnVital, ValueSource};
use crate::{clock, kernel, realtime};
use peermon_collector::limits::TRACE_BYTES_MAX;
use peermon_collector::replay::{self, Replay, TraceError};
use peermon_collector::{CustomValue, Demand, Root, Runner, Source};
use peermon_model::{CollectorReport, Facts, Instant, Samples};
use std::io::{self, Read};
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

/// Requests that may wait: a round and facts.
const REQUESTS_MAX: usize = 2;
/// Stack of the thread: the collectors' own work runs on theirs.
const STACK_BYTES: usize = 256 * 1024;
/// A round that takes longer than three quarters of a period, or this, is not waited for. The collectors themselves give up
/// after half a second.
const WAIT_MAX: Duration = Duration::from_millis(750);

/// What the thread is asked for.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Request {
    Round(Demand),
    Facts,
}

/// What it answers.
#[derive(Debug)]
pub(crate) enum Answer {
    Samples(Samples),
    Facts(Facts),
}

/// The loop's side of the thread.
#[derive(Debug)]
pub(crate) struct Collecting {
    requests: SyncSender<Request>,
    /// When the round asked for must be there; `None`: none is awaited.
    due: Option<Instant>,
    wait: Duration,
    /// Rounds that were published without samples.
    pub(crate) late: u64,
}

impl Collecting {
    /// Starts the thread, which ends when this is dropped; `answer` hands over what it has and says whether to go on.
    pub(crate) fn start(
        mut source: Box<dyn Source>,
        period: Duration,
        realtime: bool,
        answer: impl Fn(Answer) -> bool + Send + 'static,
    ) -> io::Result<Self> {
        let (requests, asked) = sync_channel(REQUESTS_MAX);
        let work = move || {
            if realtime {
                // the loop has said it if it is refused
                realtime::raise_thread().ok();
            }
            for request in asked {
                let done = match request {
                    Request::Round(demand) => {
                        source.demand(demand);
                        Answer::Samples(source.round(clock::now()))
                    }
                    Request::Facts => Answer::Facts(source.facts()),
                };
                if !answer(done) {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("collect".into()).stack_size(STACK_BYTES).spawn(work)?;
        Ok(Collecting { requests, due: None, wait: (period * 3 / 4).min(WAIT_MAX), late: 0 })
    }

    /// Asks for a round. One that is still under way is the one that comes.
    pub(crate) fn ask_round(&mut self, now: Instant, demand: Demand) {
        self.requests.try_send(Request::Round(demand)).ok();
        self.due = Some(now + self.wait);
    }

    /// Asks for a round that nobody awaits: rates are over the time since the former one, so the first row needs one before it;
    /// and a node that only listens has no rows at all.
    pub(crate) fn look(&self, demand: Demand) {
        self.requests.try_send(Request::Round(demand)).ok();
    }

    /// Asks for facts; if the thread is busy, next time.
    pub(crate) fn ask_facts(&self) {
        self.requests.try_send(Request::Facts).ok();
    }

    /// A round has come; true if it was still awaited.
    pub(crate) fn came(&mut self) -> bool {
        self.due.take().is_some()
    }

    /// When a round in arrears must be given up.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// The round to publish instead of one that has not come: nothing is known, and the report says why.
    pub(crate) fn give_up(&mut self) -> Samples {
        self.due = None;
        self.late += 1;
        let failure = format!("no answer within {} ms; published without samples", self.wait.as_millis());
        Samples {
            list: Vec::new(),
            reports: vec![CollectorReport {
                collector: "all",
                duration: self.wait,
                every: Duration::ZERO,
                failure: Some(failure),
            }],
            ..Samples::default()
        }
    }
}

/// Why values cannot be had from where the configuration says.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The collectors cannot be set up.
    #[error(
        "cannot set up the collectors: {0}; correct `without_collectors`, `collector_periods` or `vital` in the configuration"
    )]
    Host(#[from] peermon_collector::ConfigError),
    /// The trace's file cannot be read.
    #[error("there is no trace {trace:?} in the program ({}), and no such file can be read: {source}", builtin())]
    TraceFile {
        /// The trace.
        trace: String,
        /// Why not.
        source: io::Error,
    },
    /// The trace makes no sense.
    #[error("cannot replay: {0}")]
    Trace(#[from] TraceError),
}

fn builtin() -> String {
    let names: Vec<_> = replay::BUILTIN.iter().map(|(name, _)| *name).collect();
    format!("it has {}", names.join(", "))
}

/// Where the configuration says that values come from.
pub(crate) fn source(config: &Config) -> Result<Box<dyn Source>, SourceError> {
    match &config.source {
        ValueSource::Host => {
            let custom = |v: &OwnVital| {
                let help = "A value that this node's configuration adds.";
                Some(CustomValue::new(&v.published.name, v.published.unit, help, v.file.as_ref()?, v.factor))
            };
            let custom = config.vitals.iter().filter_map(custom).collect::<Result<_, _>>()?;
            let without = config.without_collectors.clone();
            let published = config.vitals.iter().map(|v| v.published.name.to_string()).collect();
            let (round, periods) = (Some(config.period), config.collector_periods.clone());
            let (system_window, processes) = (Some(config.probes.cpu_window), config.processes);
            let host = peermon_collector::Config { custom, without, round, periods, published, system_window, processes };
            let host = Box::new(Runner::new(&Root::host(), host)?);
            Ok(if config.kernel { kernel::beside(host) } else { host })
        }
        ValueSource::Replay { trace, from } => {
            let replay = match Replay::builtin(trace) {
                Some(replay) => replay,
                None => {
                    let text = read_trace(trace).map_err(|source| SourceError::TraceFile { trace: trace.clone(), source })?;
                    let name = Path::new(trace).file_stem().map_or_else(|| trace.clone(), |s| s.to_string_lossy().into_owned());
                    Replay::parse(&name, &text)?
                }
            };
            Ok(Box::new(replay.starting_at(*from)))
        }
    }
}

fn read_trace(path: &str) -> io::Result<String> {
    let mut text = String::new();
    // One byte more than is taken, so that the parser sees that it is too long.
    std::fs::File::open(path)?.take(TRACE_BYTES_MAX as u64 + 1).read_to_string(&mut text)?;
    Ok(text)
}

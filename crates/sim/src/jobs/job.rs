//! Jobs: what they ask of machines, and when they come.

use super::Scenario;
use crate::Rng;

/// What a job asks for most.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// One thread over much memory: it crawls where memory is short.
    Memory,
    /// Some threads and little memory.
    Cpu,
    /// A process on each of [`PARALLEL`] machines; it ends with the slowest.
    Parallel,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 3] = [Kind::Memory, Kind::Cpu, Kind::Parallel];

    /// Its name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Memory => "memory-bound",
            Kind::Cpu => "CPU-bound",
            Kind::Parallel => "parallel of 8",
        }
    }

    /// How many times longer a page that is not in memory takes than all the work between two touches of pages: 0.1 ms (a page
    /// from a solid-state disk) to 4 us, 100 us and 20 us of work.
    pub(crate) const fn faults(self) -> f64 {
        match self {
            Kind::Memory => 25.0,
            Kind::Cpu => 1.0,
            Kind::Parallel => 5.0,
        }
    }
}

/// Processes of a parallel job, each on a machine of its own (PeerMon's MPI program).
pub const PARALLEL: usize = 8;

/// A job, and who places it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Job {
    pub(crate) kind: Kind,
    /// When it is placed, in seconds.
    pub(crate) at: f64,
    /// At which machine whoever places it sits.
    pub(crate) from: usize,
    /// The chance of whoever places it.
    pub(crate) seed: u64,
    /// Of each process.
    pub(crate) threads: f64,
    /// Bytes of each process.
    pub(crate) memory: f64,
    /// How long it runs on an empty machine that has enough of all.
    pub(crate) seconds: f64,
}

impl Job {
    /// On how many machines it runs.
    pub(crate) fn width(&self) -> usize {
        if self.kind == Kind::Parallel { PARALLEL } else { 1 }
    }
}

/// Log-uniform: what runs of batch jobs (A. Downey, "Using queue time predictions for processor allocation", 1997) and most sizes
/// in computing look like.
pub(crate) fn log_uniform(rng: &mut Rng, (low, high): (f64, f64)) -> f64 {
    low * (high / low).powf(rng.unit())
}

/// The mean of that.
pub(crate) fn log_uniform_mean((low, high): (f64, f64)) -> f64 {
    (high - low) / (high / low).ln()
}

/// Seconds that jobs run on an empty machine.
pub(crate) const SECONDS: (f64, f64) = (10.0, 600.0);
/// Bytes of a memory-bound job.
const MEMORY: (f64, f64) = (1e9, 32e9);
/// Threads of a CPU-bound job, all equally likely: powers of two, as D. Feitelson's archive of workloads has them.
const THREADS: [f64; 5] = [1.0, 2.0, 4.0, 8.0, 16.0];
/// How many of 100 jobs are of each kind, as [`Kind::ALL`].
const MIX: [f64; 3] = [0.4, 0.4, 0.2];
/// Threads and bytes of each process of a parallel job.
const PROCESS: (f64, f64) = (2.0, 4e9);
/// Bytes of a CPU-bound job.
const SMALL: f64 = 0.5e9;

/// Threads of all processes of a job, on average.
fn threads_mean() -> f64 {
    let cpu = THREADS.iter().sum::<f64>() / THREADS.len() as f64;
    MIX[0] + MIX[1] * cpu + MIX[2] * PARALLEL as f64 * PROCESS.0
}

/// Jobs at random moments (Poisson), so many that they would keep `scenario.offered` of all cores busy.
pub(crate) fn stream(scenario: &Scenario, cores: f64, rng: &mut Rng) -> Vec<Job> {
    let rate = scenario.offered * cores / (threads_mean() * log_uniform_mean(SECONDS));
    let mut jobs = Vec::new();
    let mut at = rng.exponential(1.0 / rate);
    while at < scenario.warm_up + scenario.seconds {
        jobs.push(any(rng, at, scenario.nodes));
        at += rng.exponential(1.0 / rate);
    }
    jobs
}

fn any(rng: &mut Rng, at: f64, nodes: usize) -> Job {
    let dice = rng.unit();
    let kind = match dice {
        d if d < MIX[0] => Kind::Memory,
        d if d < MIX[0] + MIX[1] => Kind::Cpu,
        _ => Kind::Parallel,
    };
    let threads = THREADS[rng.below(THREADS.len())];
    let memory = log_uniform(rng, MEMORY);
    let (threads, memory) = match kind {
        Kind::Memory => (1.0, memory),
        Kind::Cpu => (threads, SMALL),
        Kind::Parallel => PROCESS,
    };
    Job { kind, at, from: rng.below(nodes), seed: rng.bits(), threads, memory, seconds: log_uniform(rng, SECONDS) }
}

/// Seconds from one burst to the next: the last one's jobs are done by then, and load averages have forgotten them.
pub(crate) const BURST_EVERY: f64 = 600.0;
/// Seconds that a burst's jobs run on an empty machine.
const BURST_SECONDS: f64 = 60.0;

/// Bursts: `many` people at as many machines who start the same thing within `window` seconds, as a class does. The kinds take
/// turns.
pub(crate) fn bursts(scenario: &Scenario, many: usize, window: f64, rng: &mut Rng) -> Vec<Job> {
    let mut jobs = Vec::new();
    let mut at = scenario.warm_up;
    let mut round = 0;
    while at < scenario.warm_up + scenario.seconds {
        let kind = Kind::ALL[round % Kind::ALL.len()];
        let (threads, memory) = match kind {
            Kind::Memory => (1.0, 4e9),
            Kind::Cpu => (2.0, SMALL),
            Kind::Parallel => (1.0, 1e9),
        };
        let start = at + rng.unit();
        let mut seats: Vec<usize> = (0..scenario.nodes).collect();
        let mut burst: Vec<Job> = (0..many)
            .map(|i| {
                let other = i + rng.below(seats.len() - i);
                seats.swap(i, other);
                let at = start + window * rng.unit();
                Job { kind, at, from: seats[i], seed: rng.bits(), threads, memory, seconds: BURST_SECONDS }
            })
            .collect();
        burst.sort_by(|a, b| a.at.total_cmp(&b.at));
        jobs.extend(burst);
        at += BURST_EVERY;
        round += 1;
    }
    jobs
}

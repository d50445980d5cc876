//! Jobs on a cluster that others use too: what choosing machines well is worth, in made-up time.
//!
//! Machines of 4 to 64 cores and 8 to 512 GB have a life of their own: other people's processes come, go and take memory, on most
//! machines little, on some too much. On top of it come jobs that somebody places by a [`Chooser`]. All choosers but the random one
//! and the oracle use the ranking of [`peermon_placement`] on a real [`Snapshot`](peermon_model::Snapshot) whose rows were published once a
//! second, coded and thinned as a daemon does, and took their time on the way. A run is a pure function of scenario, chooser and
//! seed; scenarios of the same seed have the same machines, others and jobs for every chooser.
//!
//! What it is not: a model of networks, disks, caches or of users who wait or give up. Others' work is not slowed by ours.

mod chooser;
mod job;
mod machine;
mod outcome;
mod told;

pub use chooser::{CLAIM_SECONDS, Chooser, Decay};
pub use job::{Kind, PARALLEL};
pub use outcome::{Burst, Done, Outcome};

use crate::Rng;
use crate::queue::Queue;
use chooser::{Claim, View};
use job::Job;
use machine::{LOAD_SECONDS, Machine, Stir};
use peermon_model::Instant;
use peermon_placement::crowd;
use told::{PERIOD, Told};

/// How jobs come.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Arrivals {
    /// One by one at random moments.
    Stream,
    /// Every 10 minutes so many alike at once: within `window` seconds.
    Bursts {
        /// How many people.
        many: usize,
        /// Seconds from the first to the last.
        window: f64,
    },
}

/// A cluster and its jobs.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Scenario {
    /// How many machines.
    pub nodes: usize,
    /// How jobs come.
    pub arrivals: Arrivals,
    /// Share of all cores that a stream's jobs would keep busy if nothing slowed them. Default 0.1.
    pub offered: f64,
    /// Seconds before jobs are counted, so that others' work is as it always is. Default 1,200.
    pub warm_up: f64,
    /// Seconds in which jobs come that are counted. Default 3,600.
    pub seconds: f64,
    /// Seconds that a row takes to a table, at most; evenly spread. Default 0.06: at 500 nodes rows are 0.53 s old on average and
    /// 1.06 s at most (`docs/internals/gossip-figures.md`), of which the period makes 0.5 and 1.
    pub row_delay: f64,
    /// Seconds until others have heard of a claim. Default 0.06, a wave's way.
    pub claim_delay: f64,
    /// Of the random source.
    pub seed: u64,
}

impl Scenario {
    /// A stream of jobs on so many machines.
    pub fn stream(nodes: usize, seed: u64) -> Scenario {
        Scenario {
            nodes,
            arrivals: Arrivals::Stream,
            offered: 0.1,
            warm_up: 1200.0,
            seconds: 3600.0,
            row_delay: 0.06,
            claim_delay: 0.06,
            seed,
        }
    }

    /// Bursts of so many people.
    pub fn bursts(nodes: usize, many: usize, window: f64, seed: u64) -> Scenario {
        Scenario { arrivals: Arrivals::Bursts { many, window }, ..Scenario::stream(nodes, seed) }
    }

    /// Places its jobs by `chooser`, and waits for all of them.
    pub fn run(&self, chooser: Chooser) -> Outcome {
        World::new(self, chooser).run()
    }
}

/// Jobs that are not done so many seconds after the last came are given up and counted as if they ended then.
const PATIENCE: f64 = 4.0 * 3600.0;
/// Cores of machines, and how many of 100 have so many.
const CORES: [(f64, usize); 5] = [(4.0, 25), (8.0, 30), (16.0, 25), (32.0, 12), (64.0, 8)];
/// Bytes of memory for each core, all equally likely; a machine has 8 to 512 GB.
const MEMORY_PER_CORE: [f64; 3] = [2e9, 4e9, 8e9];
const MEMORY: (f64, f64) = (8e9, 512e9);

#[derive(Clone, Copy)]
enum Step {
    Job(usize),
    Settle(usize),
    Grow(usize, usize),
    End(usize, u32),
    Stir(usize, Stir),
    Look(usize),
    Publish(usize),
}

struct World<'a> {
    scenario: &'a Scenario,
    chooser: Chooser,
    machines: Vec<Machine>,
    told: Vec<Told>,
    jobs: Vec<Job>,
    /// Processes of each job that still run.
    running: Vec<usize>,
    claims: Vec<Claim>,
    /// The number of the latest one.
    claimed: u16,
    queue: Queue<Step>,
    outcome: Outcome,
    left: usize,
}

impl<'a> World<'a> {
    fn new(scenario: &'a Scenario, chooser: Chooser) -> Self {
        let mut rng = Rng::new(scenario.seed);
        let mut queue = Queue::new();
        let (mut machines, mut told) = (Vec::new(), Vec::new());
        for i in 0..scenario.nodes {
            // The shares are kept exactly, so that two clusters of one size have the same cores.
            let place = i * 100 / scenario.nodes;
            let mut sum = 0;
            let cores = CORES.iter().find(|c| {
                sum += c.1;
                place < sum
            });
            let cores = cores.map_or(CORES[0].0, |c| c.0);
            let memory = (cores * MEMORY_PER_CORE[rng.below(MEMORY_PER_CORE.len())]).clamp(MEMORY.0, MEMORY.1);
            let mut machine = Machine::new(cores, memory, Rng::new(rng.bits()));
            for stir in [Stir::Processors, Stir::Memory] {
                queue.push(instant(machine.next_stir(0.0, stir)), Step::Stir(i, stir));
            }
            queue.push(instant(rng.unit() * LOAD_SECONDS), Step::Look(i));
            queue.push(instant(rng.unit() * PERIOD.as_secs_f64()), Step::Publish(i));
            machines.push(machine);
            told.push(Told::new(i, cores, memory));
        }
        let cores = machines.iter().map(|m| m.cores).sum();
        let jobs = match scenario.arrivals {
            Arrivals::Stream => job::stream(scenario, cores, &mut rng),
            Arrivals::Bursts { many, window } => job::bursts(scenario, many, window, &mut rng),
        };
        jobs.iter().enumerate().for_each(|(i, j)| queue.push(instant(j.at), Step::Job(i)));
        let running = vec![0; jobs.len()];
        let left = jobs.len();
        World {
            scenario,
            chooser,
            machines,
            told,
            jobs,
            running,
            claims: Vec::new(),
            claimed: 0,
            queue,
            outcome: Outcome::default(),
            left,
        }
    }

    fn run(mut self) -> Outcome {
        let end = self.jobs.last().map_or(0.0, |j| j.at) + PATIENCE;
        while self.left > 0
            && let Some((at, step)) = self.queue.pop_until(instant(end))
        {
            self.step(at.as_secs_f64(), step);
        }
        for (job, _) in self.jobs.iter().zip(&self.running).filter(|(_, running)| **running > 0) {
            self.outcome.put(self.scenario, job, end);
            self.outcome.given_up += 1;
        }
        self.outcome
    }

    fn step(&mut self, now: f64, step: Step) {
        match step {
            Step::Job(job) if self.chooser.bids() => {
                self.choose(now, job, crowd::BID.as_secs_f64());
                self.queue.push(instant(now + crowd::WAIT.as_secs_f64()), Step::Settle(job));
            }
            Step::Job(job) | Step::Settle(job) => self.place(now, job),
            Step::Grow(i, job) => {
                if let Some(next) = self.machines[i].grow(now, job) {
                    self.queue.push(instant(next), Step::Grow(i, job));
                }
                self.plan_end(i);
            }
            Step::End(i, turn) if turn == self.machines[i].turn => {
                for job in self.machines[i].end(now) {
                    self.running[job] -= 1;
                    if self.running[job] == 0 {
                        self.left -= 1;
                        self.outcome.put(self.scenario, &self.jobs[job], now);
                    }
                }
                self.plan_end(i);
            }
            Step::End(..) => {}
            Step::Stir(i, what) => {
                let next = self.machines[i].stir(now, what);
                self.queue.push(instant(next), Step::Stir(i, what));
                self.plan_end(i);
            }
            Step::Look(i) => {
                self.machines[i].look(now);
                self.queue.push(instant(now + LOAD_SECONDS), Step::Look(i));
            }
            Step::Publish(i) => {
                let measured = self.machines[i].measure(now);
                self.told[i].publish(now, &measured);
                self.queue.push(instant(now + PERIOD.as_secs_f64()), Step::Publish(i));
            }
        }
    }

    /// Chooses for a job, and claims or bids instead of what was bid before.
    fn choose(&mut self, now: f64, number: usize, lasts: f64) -> Vec<usize> {
        let job = self.jobs[number];
        self.claims.retain(|c| now - c.at < c.lasts && now - c.until < self.scenario.claim_delay);
        let view = View {
            now,
            machines: &self.machines,
            told: &self.told,
            claims: &self.claims,
            row_delay: self.scenario.row_delay,
            claim_delay: self.scenario.claim_delay,
        };
        let chosen = self.chooser.choose(&view, number, &job);
        let amounts = self.chooser.claims(&job);
        self.claims.iter_mut().filter(|c| c.job == number).for_each(|c| c.until = now);
        for on in &chosen {
            self.claimed = self.claimed.wrapping_add(1);
            self.claims.push(Claim {
                at: now,
                lasts,
                until: f64::INFINITY,
                job: number,
                number: self.claimed,
                from: job.from,
                on: *on,
                amounts,
            });
        }
        chosen
    }

    fn place(&mut self, now: f64, number: usize) {
        let chosen = self.choose(now, number, CLAIM_SECONDS);
        let job = self.jobs[number];
        self.running[number] = chosen.len();
        self.outcome.placed(self.scenario, number, &chosen);
        for on in chosen {
            self.machines[on].start(now, number, &job);
            // It takes memory from now on.
            self.queue.push(instant(now + 0.1), Step::Grow(on, number));
            self.plan_end(on);
        }
    }

    fn plan_end(&mut self, i: usize) {
        let at = self.machines[i].next_end();
        if at.is_finite() {
            self.queue.push(instant(at), Step::End(i, self.machines[i].turn));
        }
    }
}

/// Rounded up, so that nothing is looked for before it is due.
fn instant(seconds: f64) -> Instant {
    Instant::from_nanos((seconds * 1e9) as u64 + 1)
}

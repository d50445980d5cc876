//! What is measured: protocols, and for each the runs that do not depend on one another.

use super::cluster::Cluster;
use super::figures::{Figure, Figures};
use super::stories::{Pace, Story};
use anyhow::{Context, Result};
use peermon_sim::World;
use peermon_sim::baseline::{Crowd, PeerMon, PeerMonOptions, Push, PushOptions};
use std::time::Duration;

/// A protocol measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Protocol {
    /// Its key in the file of figures, and the word for `--only`.
    pub(crate) key: &'static str,
    /// Its name in tables.
    pub(crate) name: &'static str,
    pub(crate) period: Duration,
}

const fn s(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// This project's own.
pub(crate) const WAVE: Protocol = Protocol { key: "wave", name: "wave (this project)", period: s(1) };
pub(crate) const PEERMON_SLOW: Protocol = Protocol { key: "peermon-10s", name: "PeerMon, 10 s", period: s(10) };
pub(crate) const PEERMON_FAST: Protocol = Protocol { key: "peermon-1s", name: "PeerMon, 1 s", period: s(1) };
pub(crate) const PUSH: Protocol = Protocol { key: "push", name: "newest-first push", period: s(1) };
pub(crate) const PROTOCOLS: [Protocol; 4] = [WAVE, PEERMON_SLOW, PEERMON_FAST, PUSH];

/// Loss in the steady state: condition and share.
pub(crate) const LOSSES: [(&str, f64); 4] = [("loss-0", 0.0), ("loss-1", 0.01), ("loss-5", 0.05), ("loss-20", 0.2)];

/// The push's ticks, and its datagrams' payload: the same as this project's largest.
const PUSH_TICK: Duration = Duration::from_millis(50);
const PUSH_PAYLOAD: usize = 1_352;

/// No byte budget: the period stays as it is told.
const NO_BUDGET: u32 = 0;

/// One run of a simulated cluster.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cell {
    pub(crate) nodes: usize,
    pub(crate) protocol: Protocol,
    pub(crate) run: Run,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Run {
    /// Losses from none to 20 %; this project's own then also crash, and are watched, at 20 %.
    Losses,
    /// A mass join, crashes, a cut, stalls.
    Events,
    /// Ten vitals in each row: 13 bytes.
    FullRows,
    /// As often as PeerMon's bandwidth allows.
    Budget,
}

impl Run {
    pub(crate) const ALL: [Run; 4] = [Run::Losses, Run::Events, Run::FullRows, Run::Budget];

    /// The word for `--runs`.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Run::Losses => "losses",
            Run::Events => "events",
            Run::FullRows => "full-rows",
            Run::Budget => "bandwidth",
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Run::Losses => "losses",
            Run::Events => "events",
            Run::FullRows => "full rows",
            Run::Budget => "PeerMon's bandwidth",
        }
    }
}

/// What all runs are told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// How long this project's nodes are watched for false alarms at 20 % loss.
    pub(crate) watch: Duration,
    /// Larger shares of [`LOSSES`] are left out.
    pub(crate) loss_max: f64,
    /// Shorter in everything: for tests of this tool.
    pub(crate) brief: bool,
}

/// The period at which this project's nodes send about what PeerMon does at 2,200 nodes, 0.16 Mbit/s: the sizes that have a gate.
pub(crate) fn budget_period(nodes: usize) -> Option<Duration> {
    match nodes {
        500 => Some(Duration::from_millis(250)),
        // the nearest multiple of 1/64 s above 0.9 s
        2_200 => Some(Duration::from_micros(58 * 15_625)),
        _ => None,
    }
}

/// The runs of one protocol.
pub(crate) fn cells(nodes: usize, protocol: Protocol) -> Vec<Cell> {
    let mut runs = vec![Run::Losses, Run::Events];
    if protocol == WAVE {
        runs.push(Run::FullRows);
        runs.extend(budget_period(nodes).map(|_| Run::Budget));
    }
    runs.into_iter().map(|run| Cell { nodes, protocol, run }).collect()
}

impl Cell {
    /// Runs it. The push's rows are as long as this project's were at that size, which must be known already.
    pub(crate) fn measure(&self, plan: &Plan, known: &Figures) -> Result<Vec<Figure>> {
        let seed = plan.seed;
        match self.protocol.key {
            "wave" => Ok(self.measure_wave(plan)),
            "push" => {
                let row_bytes = known.at(self.nodes, WAVE.key, "loss-0", "row_bytes").with_context(|| {
                    format!(
                        "newest-first push takes this project's row length at {} nodes: measure that first (--only wave)",
                        self.nodes
                    )
                })?;
                let options = PushOptions { period: s(1), tick: PUSH_TICK, row_bytes, payload_max: PUSH_PAYLOAD };
                Ok(self.tell(plan, Crowd::<Push>::new(seed, options)))
            }
            _ => Ok(self.tell(plan, Crowd::<PeerMon>::new(seed, PeerMonOptions { period: self.protocol.period }))),
        }
    }

    fn measure_wave(&self, plan: &Plan) -> Vec<Figure> {
        let mut world = World::new(plan.seed);
        world.count_false_alarms();
        // goals and reference are for a fixed period, whatever it costs
        world.template.budget = NO_BUDGET;
        match self.run {
            Run::Losses | Run::Events => return self.tell(plan, world),
            Run::FullRows => world.stress = true,
            Run::Budget => world.template.period = budget_period(self.nodes).unwrap_or(WAVE.period),
        }
        // as many seconds as at 1 s: joins and clocks take their time whatever the period
        let (pace, period) = (self.pace(plan), world.template.period);
        let periods = |n: u32| (pace.period * n).div_duration_f64(period).ceil() as u32;
        let pace =
            Pace { period, warm: periods(pace.warm), window: periods(pace.window), patience: periods(pace.patience), ..pace };
        let mut story = Story::begin(world, self.nodes, pace, plan.seed);
        let condition = if self.run == Run::Budget { "budget" } else { "full-rows" };
        story.steady(condition);
        story.figures
    }

    fn tell(&self, plan: &Plan, cluster: impl Cluster) -> Vec<Figure> {
        let mut story = Story::begin(cluster, self.nodes, self.pace(plan), plan.seed);
        if self.run == Run::Losses {
            for (condition, loss) in LOSSES.into_iter().filter(|l| l.1 <= plan.loss_max) {
                if loss > 0.0 {
                    story.set_loss(loss);
                }
                story.steady(condition);
            }
            if self.protocol == WAVE && plan.loss_max >= LOSSES[3].1 {
                story.watch("watch-20", plan.watch);
                story.crash("crash-20");
            }
        } else {
            story.join("join");
            story.crash("crash");
            story.partition("partition");
            story.stalls("stalls");
        }
        story.figures
    }

    fn pace(&self, plan: &Plan) -> Pace {
        // as many looked-up rows whatever the size
        let observers = (20_000 / self.nodes.max(1)).clamp(3, 10);
        let crashes = if self.nodes <= 500 { 12 } else { 4 };
        let period = self.protocol.period;
        // trees are learned anew 3, 12 and 39 periods after the start, and clocks agree long before; with 10,000 nodes a period
        // takes minutes
        let warm = if self.nodes <= 5_000 { 45 } else { 15 };
        let pace = match self.protocol.key {
            "wave" => Pace { period, warm, settle: 8, window: 12, patience: 20, crashes, observers },
            // rows are up to 8 periods old, and nobody is down before 10; what is each node's own phase needs no spreading
            _ => Pace { period, warm: 20, settle: 12, window: 12, patience: 40, crashes: 1, observers },
        };
        if plan.brief { Pace { warm: 12, settle: 4, window: 4, crashes: 1, ..pace } } else { pace }
    }
}

//! What happens to a cluster while it is measured.

use super::cluster::{Cluster, Traffic, View};
use super::figures::Figure;
use peermon_model::Instant;
use peermon_sim::{Ages, Rng};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long things take. Everything but the cut is in periods, so that slow protocols get the same number of their own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// The protocol's period.
    pub(crate) period: Duration,
    /// From the start to the first measurement, in periods.
    pub(crate) warm: u32,
    /// After each change, in periods.
    pub(crate) settle: u32,
    /// Measured, in periods.
    pub(crate) window: u32,
    /// What does not happen within so many periods counts as never.
    pub(crate) patience: u32,
    /// Crashes of 10 %, at moments evenly spread over a period.
    pub(crate) crashes: u32,
    /// Nodes whose tables are looked at, at each look.
    pub(crate) observers: usize,
}

/// A look every so much of a period: no divisor of it, so that all phases are seen.
const LOOK: f64 = 0.018_034;
/// Length of the cut.
const CUT: Duration = Duration::from_secs(30);
/// Time in which 10 % of new nodes come.
const JOIN_WITHIN: Duration = Duration::from_millis(200);
/// Periods after an event in which the ages are looked at.
const AFTERMATH: u32 = 3;
/// A row this many periods old is fresh.
const FRESH: f64 = 1.3;
/// How long processes are stopped, at least and at most.
const STALL: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(900));
/// Share of the processes that are stopped each period, and for how many periods this goes on.
const STALLED: (f64, u32) = (0.02, 30);
/// A stall's consequences are told by then.
const STALL_TOLD: Duration = Duration::from_secs(4);
const SECOND: Duration = Duration::from_secs(1);

/// A story under way: the cluster, and what was measured so far.
pub(crate) struct Story<C> {
    pub(crate) cluster: C,
    pace: Pace,
    /// Draws victims, apart from the cluster's own chance.
    rng: Rng,
    pub(crate) figures: Vec<Figure>,
}

impl<C: Cluster> Story<C> {
    /// Starts a cluster of `n` and warms it up.
    pub(crate) fn begin(mut cluster: C, n: usize, pace: Pace, seed: u64) -> Self {
        cluster.start_cluster(n);
        let mut story = Story { cluster, pace, rng: Rng::new(seed ^ 0x5107), figures: Vec::new() };
        story.wait(pace.patience, C::all_know_all);
        story.run(pace.warm);
        story
    }

    /// Sets the loss and lets the cluster get used to it.
    pub(crate) fn set_loss(&mut self, loss: f64) {
        self.cluster.network().loss = loss;
        self.run(self.pace.settle);
    }

    /// The steady state: ages and traffic.
    pub(crate) fn steady(&mut self, condition: &'static str) {
        let (start, running) = (self.cluster.now(), self.cluster.running());
        let before: Vec<Traffic> = running.iter().map(|i| self.cluster.traffic(*i)).collect();
        let looks = self.look_for(self.pace.period * self.pace.window);
        let seconds = (self.cluster.now() - start).as_secs_f64();
        let nodes = running.len() as f64;
        let after = running.iter().map(|i| self.cluster.traffic(*i));
        let spent: Vec<Traffic> = after.zip(before).map(|(a, b)| minus(&a, &b)).collect();
        let sum = |of: fn(&Traffic) -> u64| spent.iter().map(of).sum::<u64>() as f64;
        let tx = sum(|t| t.tx_bytes) / nodes / seconds;
        let row_bytes = sum(|t| t.row_bytes_sent) / sum(|t| t.rows_sent);
        let bound = (nodes - 1.0) * row_bytes / self.pace.period.as_secs_f64();
        let busiest = spent.iter().map(|t| t.tx_bytes).max().unwrap_or(0) as f64;
        self.put_ages(condition, &looks);
        self.put(condition, "sent", tx);
        self.put(condition, "received", sum(|t| t.rx_bytes) / nodes / seconds);
        self.put(condition, "redundancy", tx / bound);
        self.put(condition, "rows_per_new", sum(|t| t.rows_received) / sum(|t| t.rows_new));
        self.put(condition, "datagrams", sum(|t| t.tx_datagrams) / nodes / seconds);
        self.put(condition, "busiest", busiest / seconds / tx);
        self.put(condition, "row_bytes", row_bytes);
        self.put_false(condition, start, |_, _| true);
        self.put(condition, "watched", seconds);
    }

    /// Only false positives, for longer.
    pub(crate) fn watch(&mut self, condition: &'static str, length: Duration) {
        let start = self.cluster.now();
        self.cluster.run_for(length);
        self.put_false(condition, start, |_, _| true);
        self.put(condition, "watched", length.as_secs_f64());
    }

    /// 10 % of new nodes join.
    pub(crate) fn join(&mut self, condition: &'static str) {
        let start = self.cluster.now();
        let count = tenth(self.cluster.running().len());
        let before = self.sent();
        for _ in 0..count {
            self.cluster.join();
            self.cluster.run_for(JOIN_WITHIN / count as u32);
        }
        let took = self.wait(self.pace.patience, C::all_know_all);
        let complete = took.map_or(f64::INFINITY, |_| (self.cluster.now() - start).as_secs_f64());
        let rest = SECOND.saturating_sub(self.cluster.now() - start);
        self.cluster.run_for(rest);
        // joins that took longer: the mean second of them
        let seconds = (self.cluster.now() - start).as_secs_f64();
        let nodes = self.cluster.running().len() as f64;
        self.put(condition, "complete", complete);
        self.put(condition, "sent_per_second", (self.sent() - before) as f64 / nodes / seconds);
        self.put_false(condition, start, |_, _| true);
        self.run(self.pace.settle);
    }

    /// 10 % of the nodes crash at once, and come back; as often as the pace says.
    pub(crate) fn crash(&mut self, condition: &'static str) {
        let (period, mut rounds) = (self.pace.period, Vec::new());
        for round in 0..self.pace.crashes {
            // in the middle of each part of a period: what is known when follows a sawtooth, whose mean is that of such moments
            let wanted = period * (2 * round + 1) / (2 * self.pace.crashes);
            let since = self.cluster.phase(period);
            self.cluster.run_for(if wanted >= since { wanted - since } else { wanted + period - since });
            rounds.push(self.crash_once());
        }
        let mean = |of: fn(&Crash) -> f64| rounds.iter().map(of).sum::<f64>() / rounds.len() as f64;
        let most = |of: fn(&Crash) -> f64| rounds.iter().map(of).fold(0.0, f64::max);
        if C::SUSPECTS {
            self.put(condition, "suspect_mean", mean(|r| r.suspect.mean));
            self.put(condition, "suspect_worst", most(|r| r.suspect.worst));
            self.put(condition, "false_suspect", rounds.iter().map(|r| r.wrong.0 as f64).sum());
        }
        self.put(condition, "dead_mean", mean(|r| r.dead.mean));
        self.put(condition, "dead_worst", most(|r| r.dead.worst));
        self.put(condition, "age_p99", most(|r| r.age_p99));
        self.put(condition, "age_max", most(|r| r.age_max));
        self.put(condition, "sent_first_second", mean(|r| r.sent));
        self.put(condition, "false_down", rounds.iter().map(|r| r.wrong.1 as f64).sum());
    }

    fn crash_once(&mut self) -> Crash {
        let running = self.cluster.running();
        let victims = self.draw(&running, tenth(running.len()));
        let before: u64 = running.iter().filter(|i| !victims.contains(i)).map(|i| self.cluster.traffic(*i).tx_bytes).sum();
        let at = self.cluster.now();
        for i in &victims {
            self.cluster.crash(*i);
        }
        let observers = self.cluster.running();
        let mut looks = self.look_for(SECOND);
        let sent = (self.sent() - before) as f64 / observers.len() as f64;
        looks.extend(self.look_for((self.pace.period * AFTERMATH).saturating_sub(SECOND)));
        let end = at + self.pace.period * self.pace.patience;
        let dead = loop {
            let dead = self.told(&observers, &victims, at, Told::Down);
            if dead.worst.is_finite() || self.cluster.now() >= end {
                break dead;
            }
            self.run(1);
        };
        let suspect = self.told(&observers, &victims, at, Told::Trouble);
        let wrong = self.wrong(at, |_, who| !victims.contains(&who));
        for i in &victims {
            self.cluster.restart(*i);
        }
        self.wait(self.pace.patience, C::all_know_all);
        self.run(self.pace.settle);
        // the worst moment, not the mean of moments
        let age_p99 = looks.iter().map(|l| Ages::of(l.iter().flatten().copied()).quantile(0.99)).fold(0.0, f64::max);
        let age_max = looks.iter().flatten().flatten().max().map_or(0.0, Duration::as_secs_f64);
        Crash { suspect: suspect.everywhere(), dead: dead.everywhere(), age_p99, age_max, sent, wrong }
    }

    /// A cut through the middle for 30 s.
    pub(crate) fn partition(&mut self, condition: &'static str) {
        let (a, b): (Vec<usize>, Vec<usize>) = self.cluster.running().into_iter().partition(|i| i % 2 == 0);
        let cut_at = self.cluster.now();
        self.cluster.network().part(&a, &b);
        let cut_peak = self.peak(CUT);
        let sides = [self.told(&a, &b, cut_at, Told::Down), self.told(&b, &a, cut_at, Told::Down)];
        let wrong = self.wrong(cut_at, |by, who| by % 2 == who % 2);
        let own = |side: &[usize]| side.len() * side.len().saturating_sub(1);
        let pairs = (own(&a) + own(&b)).max(1) as f64;
        let own_down = (self.called_down(&a, cut_at) + self.called_down(&b, cut_at)) as f64 / pairs;
        let still_down = (self.told(&a, &a, cut_at, Told::Down).known + self.told(&b, &b, cut_at, Told::Down).known) as f64;
        let healed_at = self.cluster.now();
        self.cluster.network().cut.clear();
        let before = self.sent();
        let fresh_least = self.pace.period.mul_f64(FRESH);
        let took = self.wait(self.pace.patience, |c: &C| c.all_fresh(fresh_least.max(c.now() - healed_at)));
        let rest = SECOND.saturating_sub(self.cluster.now() - healed_at);
        self.cluster.run_for(rest);
        let seconds = (self.cluster.now() - healed_at).as_secs_f64();
        let heal_sent = (self.sent() - before) as f64 / (a.len() + b.len()) as f64 / seconds;
        self.run(self.pace.settle);
        let later = self.wrong(healed_at, |_, _| true);
        self.put(condition, "down_mean", (sides[0].mean_of_pairs() + sides[1].mean_of_pairs()) / 2.0);
        self.put(condition, "down_worst", sides[0].worst.max(sides[1].worst));
        self.put(condition, "sent_peak", cut_peak);
        self.put(condition, "sent_per_heal_second", heal_sent);
        self.put(condition, "fresh", took.map_or(f64::INFINITY, |t| t.as_secs_f64()));
        if C::SUSPECTS {
            self.put(condition, "false_suspect", wrong.0 as f64);
            self.put(condition, "later_suspect", later.0 as f64);
        }
        self.put(condition, "false_down", wrong.1 as f64);
        self.put(condition, "own_down", own_down);
        self.put(condition, "own_down_at_end", still_down / pairs);
        self.put(condition, "later_down", later.1 as f64);
    }

    /// Processes are stopped for a moment, some each period.
    pub(crate) fn stalls(&mut self, condition: &'static str) {
        let (start, mut stalls) = (self.cluster.now(), Vec::new());
        for _ in 0..STALLED.1 {
            let running = self.cluster.running();
            let count = ((running.len() as f64 * STALLED.0).round() as usize).max(1);
            for i in self.draw(&running, count) {
                let length = STALL.0 + (STALL.1 - STALL.0).mul_f64(self.rng.unit());
                if !self.cluster.stall(i, length) {
                    return;
                }
                stalls.push((self.cluster.now(), i));
            }
            self.run(1);
        }
        self.cluster.run_for(STALL_TOLD);
        let mut told: BTreeMap<usize, Vec<(Instant, View)>> = BTreeMap::new();
        for i in self.cluster.running() {
            for (at, who, view) in self.cluster.told(i, start) {
                told.entry(who).or_default().push((at, view));
            }
        }
        let named = |wanted: View| {
            let named = |(at, i): &&(Instant, usize)| {
                let of = told.get(i).into_iter().flatten();
                of.filter(|t| t.1 == wanted).any(|t| t.0 >= *at && t.0 - *at < STALL_TOLD)
            };
            stalls.iter().filter(named).count() as f64
        };
        let (suspected, dead) = (named(View::Suspect), named(View::Down));
        self.put(condition, "stalls", stalls.len() as f64);
        self.put(condition, "suspected", suspected);
        self.put(condition, "dead", dead);
    }

    fn run(&mut self, periods: u32) {
        self.cluster.run_for(self.pace.period * periods);
    }

    /// Runs until this holds, asking a hundred times a period; how long it took, or none if it does not in time.
    fn wait(&mut self, periods: u32, done: impl Fn(&C) -> bool) -> Option<Duration> {
        let (start, most) = (self.cluster.now(), self.pace.period * periods);
        while !done(&self.cluster) {
            if self.cluster.now() - start >= most {
                return None;
            }
            self.cluster.run_for(self.pace.period / 100);
        }
        Some(self.cluster.now() - start)
    }

    /// Runs for a while and looks at ages on the way.
    fn look_for(&mut self, length: Duration) -> Vec<Vec<Option<Duration>>> {
        let (mut looks, end) = (Vec::new(), self.cluster.now() + length);
        while self.cluster.now() < end {
            self.cluster.run_for(self.pace.period.mul_f64(LOOK).min(end - self.cluster.now()));
            looks.push(self.cluster.ages(self.pace.observers));
        }
        looks
    }

    /// Bytes that all running nodes sent since their start.
    fn sent(&self) -> u64 {
        self.cluster.running().into_iter().map(|i| self.cluster.traffic(i).tx_bytes).sum()
    }

    /// The most that a node sent in a second, in the mean over nodes.
    fn peak(&mut self, length: Duration) -> f64 {
        let (nodes, mut most) = (self.cluster.running().len() as f64, 0.0_f64);
        for _ in 0..length.as_secs() {
            let before = self.sent();
            self.cluster.run_for(SECOND);
            most = most.max((self.sent() - before) as f64 / nodes);
        }
        most
    }

    /// Draws some of these, each once.
    fn draw(&mut self, of: &[usize], count: usize) -> Vec<usize> {
        let mut left = of.to_vec();
        (0..count.min(of.len())).map(|_| left.swap_remove(self.rng.below(left.len()))).collect()
    }

    /// When the observers told of the subjects.
    fn told(&self, observers: &[usize], subjects: &[usize], since: Instant, what: Told) -> Knowledge {
        let place: BTreeMap<usize, usize> = subjects.iter().enumerate().map(|(k, s)| (*s, k)).collect();
        let mut worst = vec![0.0_f64; subjects.len()];
        let (mut sum, mut count, mut known) = (0.0, 0, 0);
        for i in observers {
            let mut times = vec![None; subjects.len()];
            for (at, who, view) in self.cluster.told(*i, since) {
                let Some(k) = place.get(&who) else { continue };
                match what {
                    Told::Trouble if view != View::Up => times[*k] = times[*k].or(Some(at)),
                    Told::Down if view == View::Down => times[*k] = Some(at),
                    // it was not for good
                    Told::Down if view == View::Up => times[*k] = None,
                    _ => {}
                }
            }
            for (k, t) in times.into_iter().enumerate() {
                let seconds = t.map_or(f64::INFINITY, |t: Instant| (t - since).as_secs_f64());
                worst[k] = worst[k].max(seconds);
                sum += seconds;
                count += 1;
                known += usize::from(t.is_some());
            }
        }
        Knowledge { sum, count, known, worst: worst.iter().copied().fold(0.0, f64::max), by_subject: worst }
    }

    /// How many pairs of these there are of which one called the other down since then.
    fn called_down(&self, among: &[usize], since: Instant) -> usize {
        let members: BTreeSet<usize> = among.iter().copied().collect();
        let called = |by: &usize| {
            let told = self.cluster.told(*by, since).into_iter().filter(|t| t.2 == View::Down && members.contains(&t.1));
            told.map(|t| t.1).collect::<BTreeSet<_>>().len()
        };
        among.iter().map(called).sum()
    }

    /// How many running nodes were called suspect, and down, since then; of the tellings that count.
    fn wrong(&self, since: Instant, counts: impl Fn(usize, usize) -> bool) -> (usize, usize) {
        let running: BTreeSet<usize> = self.cluster.running().into_iter().collect();
        let (mut suspect, mut down) = (BTreeSet::new(), BTreeSet::new());
        for by in &running {
            for (_, who, view) in self.cluster.told(*by, since) {
                if running.contains(&who) && counts(*by, who) {
                    match view {
                        View::Up => false,
                        View::Suspect => suspect.insert(who),
                        View::Down => down.insert(who),
                    };
                }
            }
        }
        (suspect.len(), down.len())
    }

    fn put(&mut self, condition: &'static str, quantity: &'static str, value: f64) {
        self.figures.push(Figure { condition, quantity, value });
    }

    fn put_false(&mut self, condition: &'static str, since: Instant, counts: impl Fn(usize, usize) -> bool) {
        let (suspect, down) = self.wrong(since, counts);
        if C::SUSPECTS {
            self.put(condition, "false_suspect", suspect as f64);
        }
        self.put(condition, "false_down", down as f64);
    }

    fn put_ages(&mut self, condition: &'static str, looks: &[Vec<Option<Duration>>]) {
        let all: usize = looks.iter().map(Vec::len).sum();
        let held = || looks.iter().flatten().flatten().copied();
        let missing = (all - held().count()) as f64 / all.max(1) as f64;
        let ages = Ages::of(held());
        self.put(condition, "age_mean", ages.mean());
        self.put(condition, "age_p99", ages.quantile(0.99));
        self.put(condition, "age_max", ages.max());
        self.put(condition, "rows_missing", missing);
    }
}

/// What is looked for in what was told.
#[derive(Clone, Copy)]
enum Told {
    /// The first word of trouble.
    Trouble,
    /// The last word is that it is down.
    Down,
}

/// When a crowd knew of some nodes' trouble, in seconds; infinite if somebody did not.
struct Knowledge {
    sum: f64,
    count: usize,
    /// Pairs of which the one knew.
    known: usize,
    worst: f64,
    /// For each subject, when the last observer knew.
    by_subject: Vec<f64>,
}

impl Knowledge {
    fn mean_of_pairs(&self) -> f64 {
        self.sum / self.count.max(1) as f64
    }

    fn everywhere(&self) -> Everywhere {
        Everywhere { mean: self.by_subject.iter().sum::<f64>() / self.by_subject.len().max(1) as f64, worst: self.worst }
    }
}

/// Time until everybody knew, in seconds: mean over subjects, and worst.
struct Everywhere {
    mean: f64,
    worst: f64,
}

struct Crash {
    suspect: Everywhere,
    dead: Everywhere,
    age_p99: f64,
    age_max: f64,
    sent: f64,
    wrong: (usize, usize),
}

fn tenth(n: usize) -> usize {
    (n / 10).max(1)
}

fn minus(a: &Traffic, b: &Traffic) -> Traffic {
    Traffic {
        tx_bytes: a.tx_bytes - b.tx_bytes,
        tx_datagrams: a.tx_datagrams - b.tx_datagrams,
        rx_bytes: a.rx_bytes - b.rx_bytes,
        rows_received: a.rows_received - b.rows_received,
        rows_new: a.rows_new - b.rows_new,
        rows_sent: a.rows_sent - b.rows_sent,
        row_bytes_sent: a.row_bytes_sent - b.row_bytes_sent,
    }
}

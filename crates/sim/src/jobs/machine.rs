//! One machine: its processors are shared evenly among all threads, and whoever uses more memory than there is waits for pages.

use super::job::{log_uniform, log_uniform_mean};
use crate::Rng;

/// What the system itself holds of a machine's memory.
const SYSTEM_MEMORY: f64 = 1e9;
/// Between two looks of the kernel at who runs, for its load average.
pub(crate) const LOAD_SECONDS: f64 = 5.0;
/// The kernel's load average: numbers in 1/2048, and what is left of one after a look (`EXP_1` of `sched/loadavg.h`).
const FIXED_1: u64 = 1 << 11;
const EXP_1: u64 = 1884;
/// How much of other people's work waits for pages, as `Kind::faults`.
const OTHERS_FAULTS: f64 = 5.0;
/// In how many steps a process takes its memory, over [`RAMP_SECONDS`].
const RAMP_STEPS: u32 = 4;
const RAMP_SECONDS: f64 = 4.0;

/// How much others use a machine.
#[derive(Clone, Copy, Debug)]
struct Habit {
    share: f64,
    /// Threads of others for each core, and their part of the memory, on average while it lasts.
    threads: f64,
    memory: f64,
}

/// Most machines are idle at most times (M. Mutka and M. Livny 1991; A. Acharya et al. 1997: 60 to 80 %), and some are worn out by
/// people who always take the same (PeerMon's motive). Processors and memory each have a habit of their own.
const HABITS: [Habit; 3] = [
    Habit { share: 0.60, threads: 0.05, memory: 0.1 },
    Habit { share: 0.25, threads: 0.5, memory: 0.4 },
    Habit { share: 0.15, threads: 1.5, memory: 0.9 },
];
/// Seconds that a habit lasts on average.
const HABIT_SECONDS: f64 = 600.0;
/// Seconds that one of the others' runs lasts, for processors and for memory.
const RUN_SECONDS: (f64, f64) = (5.0, 500.0);
const HOLD_SECONDS: (f64, f64) = (20.0, 1200.0);
/// What one of the others holds, as a share of the machine.
const HOLD_SHARE: (f64, f64) = (0.02, 0.2);
/// Share of time in which a thread of others can run: from, to.
const DUTY: (f64, f64) = (0.3, 1.0);

/// Something of other people.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Other {
    threads: u32,
    duty: f64,
    memory: f64,
}

/// What happens at a machine next because of others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stir {
    Processors,
    Memory,
}

/// A process of a job.
#[derive(Clone, Copy, Debug)]
struct Process {
    job: usize,
    threads: f64,
    memory: f64,
    grown: u32,
    faults: f64,
    /// Seconds of work left at full speed.
    left: f64,
    rate: f64,
}

/// What a machine measured over its last period.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    pub(crate) busy: f64,
    pub(crate) waits_cpu: f64,
    pub(crate) waits_memory: f64,
    pub(crate) available: f64,
    pub(crate) swapped: f64,
    pub(crate) running: f64,
    pub(crate) load: f64,
}

#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) cores: f64,
    pub(crate) memory: f64,
    rng: Rng,
    habits: [(usize, f64); 2],
    others: Vec<(f64, Other)>,
    processes: Vec<Process>,
    /// All below is as it is at this second.
    at: f64,
    miss: f64,
    demand: f64,
    since: f64,
    busy: f64,
    waits_cpu: f64,
    waits_memory: f64,
    load: u64,
    /// Counts changes, so that a planned end that no longer holds is known.
    pub(crate) turn: u32,
}

impl Machine {
    /// A machine without jobs, as some others use it.
    pub(crate) fn new(cores: f64, memory: f64, mut rng: Rng) -> Machine {
        let habits = [habit(&mut rng), habit(&mut rng)];
        let habits = habits.map(|h| (h, rng.exponential(HABIT_SECONDS)));
        let mut m = Machine {
            cores,
            memory,
            rng,
            habits,
            others: Vec::new(),
            processes: Vec::new(),
            at: 0.0,
            miss: 0.0,
            demand: 0.0,
            since: 0.0,
            busy: 0.0,
            waits_cpu: 0.0,
            waits_memory: 0.0,
            load: 0,
            turn: 0,
        };
        m.settle();
        m
    }

    /// Somebody else begins something, or people change their habits. Returns when that happens next.
    pub(crate) fn stir(&mut self, now: f64, what: Stir) -> f64 {
        self.advance(now);
        let i = usize::from(what == Stir::Memory);
        if self.habits[i].1 <= now {
            self.habits[i] = (habit(&mut self.rng), now + self.rng.exponential(HABIT_SECONDS));
        } else {
            let (other, seconds) = match what {
                Stir::Processors => {
                    let threads = self.threads()[self.rng.below(3)];
                    let duty = DUTY.0 + (DUTY.1 - DUTY.0) * self.rng.unit();
                    (Other { threads, duty, memory: 0.0 }, RUN_SECONDS)
                }
                Stir::Memory => {
                    let memory = self.memory * log_uniform(&mut self.rng, HOLD_SHARE);
                    (Other { threads: 0, duty: 0.0, memory }, HOLD_SECONDS)
                }
            };
            let until = now + log_uniform(&mut self.rng, seconds);
            self.others.push((until, other));
        }
        self.settle();
        self.next_stir(now, what)
    }

    /// When the next of that is. The first one may begin nothing, which does no harm.
    pub(crate) fn next_stir(&mut self, now: f64, what: Stir) -> f64 {
        let i = usize::from(what == Stir::Memory);
        let habit = HABITS[self.habits[i].0];
        let every = match what {
            Stir::Processors => {
                let threads = self.threads().map(f64::from).iter().sum::<f64>() / 3.0 * (DUTY.0 + DUTY.1) / 2.0;
                threads * log_uniform_mean(RUN_SECONDS) / (habit.threads * self.cores)
            }
            Stir::Memory => log_uniform_mean(HOLD_SHARE) * log_uniform_mean(HOLD_SECONDS) / habit.memory,
        };
        (now + self.rng.exponential(every)).min(self.habits[i].1)
    }

    /// Threads of one of the others' runs: 1, 2 or 4, if there are so many cores.
    fn threads(&self) -> [u32; 3] {
        [1, 2, 4].map(|n: u32| n.min(self.cores as u32))
    }

    /// A process of a job begins.
    pub(crate) fn start(&mut self, now: f64, job: usize, of: &super::job::Job) {
        self.advance(now);
        let (threads, memory) = (of.threads, of.memory);
        self.processes.push(Process { job, threads, memory, grown: 0, faults: of.kind.faults(), left: of.seconds, rate: 1.0 });
        self.settle();
    }

    /// A job's process has touched some more of its memory; tells when it does again.
    pub(crate) fn grow(&mut self, now: f64, job: usize) -> Option<f64> {
        self.advance(now);
        let process = self.processes.iter_mut().find(|p| p.job == job)?;
        process.grown += 1;
        let more = process.grown < RAMP_STEPS;
        self.settle();
        more.then_some(now + RAMP_SECONDS / f64::from(RAMP_STEPS))
    }

    /// The next moment at which something here ends: others' things, or a process.
    pub(crate) fn next_end(&self) -> f64 {
        let others = self.others.iter().map(|o| o.0);
        let own = self.processes.iter().map(|p| self.at + (p.left / p.rate).max(0.0));
        others.chain(own).fold(f64::INFINITY, f64::min)
    }

    /// Ends what has come to its end; returns jobs of which a process ended.
    pub(crate) fn end(&mut self, now: f64) -> Vec<usize> {
        self.advance(now);
        // A microsecond of work is lost in rounding.
        let done = |p: &Process| p.left <= 1e-6;
        let ended = self.processes.iter().filter(|p| done(p)).map(|p| p.job).collect();
        self.processes.retain(|p| !done(p));
        self.others.retain(|o| o.0 > now + 1e-9);
        self.settle();
        ended
    }

    /// How much slower than on an empty machine one more process would run here now, and how much slower it would make those of
    /// other jobs, together; and how full the processors and the memory would be.
    pub(crate) fn cost(&self, of: &super::job::Job) -> (f64, f64) {
        let slow = |m: &Machine| m.processes.iter().map(|p| 1.0 / p.rate).sum::<f64>();
        // As they will be when they have taken all their memory.
        let mut grown = self.clone();
        grown.processes.iter_mut().for_each(|p| p.grown = RAMP_STEPS);
        grown.settle();
        let before = slow(&grown);
        let (threads, memory) = (of.threads, of.memory);
        let faults = of.kind.faults();
        grown.processes.push(Process { job: usize::MAX, threads, memory, grown: RAMP_STEPS, faults, left: 1.0, rate: 1.0 });
        grown.settle();
        (slow(&grown) - before, (grown.demand / grown.cores).max(grown.held() / grown.memory))
    }

    /// The kernel looks at who runs or waits for a disk.
    pub(crate) fn look(&mut self, now: f64) {
        self.advance(now);
        let active = (self.others_active() + self.processes.iter().map(|p| p.threads).sum::<f64>()) as u64 * FIXED_1;
        let mut load = self.load * EXP_1 + active * (FIXED_1 - EXP_1);
        if active >= self.load {
            load += FIXED_1 - 1;
        }
        self.load = load / FIXED_1;
    }

    /// What is measured at the end of a period.
    pub(crate) fn measure(&mut self, now: f64) -> Measured {
        self.advance(now);
        let period = (now - self.since).max(1e-3);
        // What others' threads do in one second is not their mean.
        let mean: f64 = self.others.iter().map(|o| f64::from(o.1.threads) * o.1.duty).sum();
        let seen = (0..4).map(|_| self.others_active()).sum::<f64>() / 4.0;
        let noise = (seen - mean) / self.cores;
        let waiting: f64 = self.processes.iter().map(|p| p.threads / (1.0 + p.faults * self.miss)).sum();
        let measured = Measured {
            busy: (self.busy / period + noise).clamp(0.0, 1.0),
            waits_cpu: (self.waits_cpu / period).min(1.0),
            waits_memory: (self.waits_memory / period).min(1.0),
            // Linux never tells that there is nothing at all.
            available: (self.memory - self.held()).max(0.01 * self.memory),
            swapped: (self.held() - self.memory).max(0.0),
            running: self.others_active() + waiting.round(),
            load: self.load as f64 / FIXED_1 as f64,
        };
        (self.since, self.busy, self.waits_cpu, self.waits_memory) = (now, 0.0, 0.0, 0.0);
        measured
    }

    fn others_active(&mut self) -> f64 {
        let mut active = 0;
        for (_, other) in &self.others {
            active += (0..other.threads).filter(|_| self.rng.chance(other.duty)).count();
        }
        active as f64
    }

    fn held(&self) -> f64 {
        let own = |p: &Process| p.memory * f64::from(p.grown) / f64::from(RAMP_STEPS);
        SYSTEM_MEMORY + self.others.iter().map(|o| o.1.memory).sum::<f64>() + self.processes.iter().map(own).sum::<f64>()
    }

    fn advance(&mut self, now: f64) {
        let passed = (now - self.at).max(0.0);
        self.at = self.at.max(now);
        self.processes.iter_mut().for_each(|p| p.left -= passed * p.rate);
        self.busy += passed * (self.demand / self.cores).min(1.0);
        self.waits_cpu += if self.demand > self.cores { passed } else { 0.0 };
        let most = self.processes.iter().map(|p| p.faults).fold(OTHERS_FAULTS, f64::max) * self.miss;
        self.waits_memory += passed * most / (1.0 + most);
    }

    /// How fast everybody is from now on. All pages are touched equally often, so the share of touches that wait is the share of
    /// pages that are not in memory; who waits needs no processor. What is left of the processors is shared by need.
    fn settle(&mut self) {
        self.turn += 1;
        self.miss = (1.0 - self.memory / self.held()).max(0.0);
        let miss = self.miss;
        let others: f64 = self.others.iter().map(|o| f64::from(o.1.threads) * o.1.duty).sum();
        let wait = |faults: f64| 1.0 + faults * miss;
        self.demand = others / wait(OTHERS_FAULTS) + self.processes.iter().map(|p| p.threads / wait(p.faults)).sum::<f64>();
        let share = (self.cores / self.demand).min(1.0);
        self.processes.iter_mut().for_each(|p| p.rate = share / wait(p.faults));
    }
}

fn habit(rng: &mut Rng) -> usize {
    let dice = rng.unit();
    usize::from(dice >= HABITS[0].share) + usize::from(dice >= HABITS[0].share + HABITS[1].share)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::Kind;
    use crate::jobs::job::Job;

    /// A machine that nobody else uses.
    fn alone(cores: f64, memory: f64) -> Machine {
        Machine::new(cores, memory, Rng::new(1))
    }

    fn job(kind: Kind, threads: f64, memory: f64) -> Job {
        Job { kind, at: 0.0, from: 0, seed: 0, threads, memory, seconds: 100.0 }
    }

    /// How many times longer each of so many such jobs takes than one on an empty machine that has enough.
    fn slow_down(m: &mut Machine, of: &Job, many: usize) -> f64 {
        for number in 0..many {
            m.start(0.0, number, of);
            while m.grow(0.0, number).is_some() {}
        }
        m.next_end() / of.seconds
    }

    #[test]
    fn processors_are_shared_and_short_memory_is_worse() {
        let check = |many, of: Job, low: f64, high: f64| {
            let slow = slow_down(&mut alone(4.0, 16e9), &of, many);
            assert!((low..=high).contains(&slow), "{many} of {of:?}: {slow}");
        };
        check(1, job(Kind::Cpu, 4.0, 1e9), 1.0, 1.0);
        check(2, job(Kind::Cpu, 4.0, 1e9), 2.0, 2.0);
        check(1, job(Kind::Cpu, 16.0, 1e9), 4.0, 4.0);
        check(3, job(Kind::Memory, 1.0, 4e9), 1.0, 1.0);
        // 21 of 16 GB: a quarter of all pages are not there.
        check(5, job(Kind::Memory, 1.0, 4e9), 6.9, 7.0);
        check(5, job(Kind::Cpu, 1.0, 4e9), 1.2, 1.25);
    }

    #[test]
    fn what_is_measured_is_what_happens() {
        let mut m = alone(8.0, 32e9);
        slow_down(&mut m, &job(Kind::Cpu, 4.0, 10e9), 1);
        for i in 1..=12 {
            m.look(f64::from(i) * LOAD_SECONDS);
        }
        // After a minute 1 - 1/e of it is to be seen in the average.
        let got = m.measure(60.0);
        assert!((2.4..2.7).contains(&got.load) && (got.busy - 0.5).abs() < 1e-9, "{got:?}");
        assert_eq!((got.running, got.swapped, got.available), (4.0, 0.0, 21e9));
        assert!(m.end(99.0).is_empty());
        assert_eq!(m.end(100.0), [0]);
        assert_eq!(m.measure(101.0).running, 0.0);
    }

    #[test]
    fn others_come_and_go_as_much_as_their_habits_say() {
        let (mut threads, mut held, mut looks) = (0.0, 0.0, 0.0);
        for seed in 0..60 {
            let mut m = Machine::new(16.0, 64e9, Rng::new(seed));
            let mut next = [Stir::Processors, Stir::Memory].map(|s| (m.next_stir(0.0, s), s));
            for second in 0..6_000 {
                let now = f64::from(second);
                for (at, what) in &mut next {
                    while *at <= now {
                        *at = m.stir(*at + 1e-9, *what);
                    }
                }
                m.end(now);
                if second > 2_000 && second % 100 == 0 {
                    threads += m.demand / m.cores;
                    held += (m.held() - SYSTEM_MEMORY) / m.memory;
                    looks += 1.0;
                }
            }
        }
        let (threads, held) = (threads / looks, held / looks);
        let expected = |of: fn(&Habit) -> f64| HABITS.iter().map(|h| h.share * of(h)).sum::<f64>();
        assert!((threads / expected(|h| h.threads) - 1.0).abs() < 0.25, "{threads}");
        assert!((held / expected(|h| h.memory) - 1.0).abs() < 0.25, "{held}");
    }
}

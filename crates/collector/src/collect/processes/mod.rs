//! The processes and users that use most. A bounded number of processes is looked at in a round, all in turn, and those that
//! used most processor time every round: what it costs does not depend on how many there are.

mod look;
mod rank;

use super::{Collector, ProcessPrivacy, Round, Setup};
use crate::CollectError;
use crate::attributes::{attributes, put, put_some};
use crate::hot_file::HotFile;
use crate::limits::{
    KERNEL_THREADS_SKIPPED, PROCESS_ENTRIES_PER_ROUND, PROCESSES_HOT, PROCESSES_INTERVAL, PROCESSES_MAX, PROCESSES_PER_ROUND,
};
use crate::root::Root;
use crate::text::words;
use crate::user_names::UserNames;
use look::{Look, Proc};
use peermon_model::Unit::{Count, Seconds};
use peermon_model::{Attribute, Instant, Sample, Samples, Usage};
use std::collections::HashMap;
use std::sync::Arc;

attributes! {
    WATCHED = &Attribute::gauge("procs.watched", Count, "Processes whose use of the machine is known.");
    CYCLE = &Attribute::gauge("procs.cycle", Seconds, "How long it took to look at every process once: no figure of a process is older.");
}

struct Processes {
    root: Root,
    privacy: ProcessPrivacy,
    proc: Option<Proc>,
    known: HashMap<u32, Known>,
    hot: Vec<u32>,
    /// Which time through all processes this is, when it began, and how long the former took.
    cycle: u32,
    begun: Option<Instant>,
    cycle_seconds: Option<f64>,
    users: UserNames,
    boot: HotFile,
    usage: Option<Arc<Usage>>,
    ranked: Option<Instant>,
}

/// What is known of one process.
struct Known {
    look: Look,
    at: Instant,
    command: Arc<str>,
    cpu: Option<f64>,
    read: Option<f64>,
    written: Option<f64>,
    /// The time through all processes in which it was last met.
    cycle: u32,
}

pub(super) fn make(setup: &Setup) -> Box<dyn Collector> {
    Box::new(Processes {
        root: setup.root.clone(),
        privacy: setup.processes,
        proc: None,
        known: HashMap::new(),
        hot: Vec::new(),
        cycle: 0,
        begun: None,
        cycle_seconds: None,
        users: UserNames::new(setup.root.path("etc/passwd")),
        boot: setup.hot("proc/uptime"),
        usage: None,
        ranked: None,
    })
}

impl Collector for Processes {
    fn collect(&mut self, round: &Round, out: &mut Vec<Sample>) -> Result<(), CollectError> {
        if self.privacy == ProcessPrivacy::Off {
            return Ok(());
        }
        let now = round.now;
        let mut proc = match self.proc.take() {
            Some(p) => p,
            None => Proc::open(&self.root)?,
        };
        let result = self.look_at_some(&mut proc, now);
        self.proc = Some(proc);
        if self.ranked.is_none_or(|at| now.since(at) >= PROCESSES_INTERVAL) {
            self.ranked = Some(now);
            self.users.refresh(now);
            self.hot = rank::hottest(&self.known, PROCESSES_HOT);
            let at = rank::At { now, uptime: self.uptime(), ticks_per_second: self.root.ticks_per_second() };
            self.usage = Some(Arc::new(rank::usage(&self.known, &mut self.users, self.privacy, at)));
        }
        put(out, WATCHED, self.known.len() as u64);
        put_some(out, CYCLE, self.cycle_seconds);
        result
    }

    fn tell(&self, round: &mut Samples) {
        round.usage.clone_from(&self.usage);
    }
}

impl Processes {
    /// Seconds since the machine booted. Without it no process tells since when it is there; the collector of the file tells why.
    fn uptime(&mut self) -> Option<f64> {
        let text = self.boot.read().ok()?;
        text.real(words(text.bytes).next(), "uptime").ok()
    }

    /// An error in one process's files keeps no other from being looked at; the first one is told.
    fn look_at_some(&mut self, proc: &mut Proc, now: Instant) -> Result<(), CollectError> {
        let mut result = Ok(());
        for pid in std::mem::take(&mut self.hot) {
            let done = self.look_at(proc, pid, now);
            result = result.and(done);
            self.hot.push(pid);
        }
        let mut entries = 0;
        let mut looked = 0;
        while looked < PROCESSES_PER_ROUND && entries < PROCESS_ENTRIES_PER_ROUND {
            entries += 1;
            let Some(pid) = proc.next()? else {
                self.end_cycle(now);
                break;
            };
            let Some(pid) = pid else { continue };
            let fresh = match self.known.get_mut(&pid) {
                Some(known) => {
                    known.cycle = self.cycle;
                    known.at == now || known.look.kernel && !self.cycle.is_multiple_of(KERNEL_THREADS_SKIPPED)
                }
                None => self.known.len() >= PROCESSES_MAX,
            };
            if !fresh {
                looked += 1;
                let done = self.look_at(proc, pid, now);
                result = result.and(done);
            }
        }
        result
    }

    /// Forgets the processes that have ended, and begins anew.
    fn end_cycle(&mut self, now: Instant) {
        self.known.retain(|_, k| k.cycle == self.cycle);
        self.cycle = self.cycle.wrapping_add(1);
        self.cycle_seconds = self.begun.map(|at| now.since(at).as_secs_f64());
        self.begun = Some(now);
    }

    fn look_at(&mut self, proc: &mut Proc, pid: u32, now: Instant) -> Result<(), CollectError> {
        let former = self.known.get(&pid).map(|k| &k.look);
        let Some(new) = proc.look(pid, former)? else {
            self.known.remove(&pid);
            return Ok(());
        };
        let cycle = self.cycle;
        match self.known.get_mut(&pid).filter(|k| k.look.start == new.start) {
            Some(k) => k.update(new, now, proc.command(), self.root.ticks_per_second()),
            None => {
                let command = proc.command().into();
                self.known.insert(pid, Known { look: new, at: now, command, cpu: None, read: None, written: None, cycle });
            }
        }
        Ok(())
    }
}

impl Known {
    fn update(&mut self, new: Look, now: Instant, command: &str, ticks_per_second: f64) {
        let seconds = now.since(self.at).as_secs_f64();
        if seconds > 0.0 {
            let per_second = |old: u64, new: u64| new.saturating_sub(old) as f64 / seconds;
            self.cpu = Some(per_second(self.look.ticks, new.ticks) / ticks_per_second);
            let io = self.look.io.zip(new.io);
            self.read = io.map(|(old, new)| per_second(old.read, new.read));
            self.written = io.map(|(old, new)| per_second(old.written, new.written));
            self.at = now;
        }
        self.look = new;
        if *self.command != *command {
            self.command = command.into();
        }
    }
}

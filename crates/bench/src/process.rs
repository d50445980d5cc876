//! What a process has used, from its files under `/proc`.

use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

/// A process under watch. Threads that end between two looks keep what they had used at the last one.
#[derive(Debug)]
pub struct Watch {
    pid: u32,
    threads: BTreeMap<u32, Thread>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Thread {
    on_cpu: Duration,
    /// Times it went to sleep of its own accord: each is a wake-up later.
    sleeps: u64,
    /// Times it had to make room for another.
    preempted: u64,
}

/// What a process had used at a moment.
#[derive(Clone, Copy, Debug)]
pub struct Used {
    at: Instant,
    total: Thread,
}

/// What a process used between two moments.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Share of one core.
    pub cpu: f64,
    /// Wake-ups per second.
    pub wakeups: f64,
    /// Times per second that a processor turned to it or away from it: wake-ups, and being preempted.
    pub switches: f64,
}

/// What a process holds in memory, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// All pages it has in memory, its program's own included.
    pub resident: u64,
    /// Pages that are its alone to pay for: heap and stacks.
    pub anonymous: u64,
}

impl Watch {
    /// Watches the process with this id.
    pub fn new(pid: u32) -> Self {
        Watch { pid, threads: BTreeMap::new() }
    }

    /// Looks at every thread. The scheduler counts nanoseconds there; `/proc/PID/stat` would count hundredths of a second,
    /// which is as much as a daemon uses in several of them.
    ///
    /// # Errors
    /// If the process has ended.
    pub fn look(&mut self) -> Result<Used> {
        let tasks = format!("/proc/{}/task", self.pid);
        for entry in fs::read_dir(&tasks).with_context(|| format!("{tasks}: the process has ended"))?.flatten() {
            let Ok(tid) = entry.file_name().to_string_lossy().parse() else { continue };
            // A thread may end while we look; what it had used before still counts.
            let Ok(schedstat) = fs::read_to_string(entry.path().join("schedstat")) else { continue };
            let Ok(status) = fs::read_to_string(entry.path().join("status")) else { continue };
            let nanos = schedstat.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0);
            let sleeps = field(&status, "voluntary_ctxt_switches:").unwrap_or(0);
            let preempted = field(&status, "nonvoluntary_ctxt_switches:").unwrap_or(0);
            self.threads.insert(tid, Thread { on_cpu: Duration::from_nanos(nanos), sleeps, preempted });
        }
        let mut total = Thread::default();
        self.threads.values().for_each(|t| total.add(t));
        Ok(Used { at: Instant::now(), total })
    }

    /// What it holds in memory now.
    ///
    /// # Errors
    /// If the process has ended.
    pub fn memory(&self) -> Result<Memory> {
        let path = format!("/proc/{}/status", self.pid);
        let status = fs::read_to_string(&path).with_context(|| format!("{path}: the process has ended"))?;
        let kib = |name| field(&status, name).map(|n| n * 1024).with_context(|| format!("{path} has no {name}"));
        Ok(Memory { resident: kib("VmRSS:")?, anonymous: kib("RssAnon:")? })
    }
}

impl Thread {
    fn add(&mut self, other: &Thread) {
        self.on_cpu += other.on_cpu;
        self.sleeps += other.sleeps;
        self.preempted += other.preempted;
    }
}

/// A process and all that it started, and those started.
#[derive(Debug)]
pub struct Family {
    root: u32,
    watches: BTreeMap<u32, (Watch, Thread)>,
}

impl Family {
    /// Watches the process with this id and its children.
    pub fn new(root: u32) -> Self {
        Family { root, watches: BTreeMap::new() }
    }

    /// Looks at all of them. A child that has ended keeps what it had used at the last look.
    ///
    /// # Errors
    /// If the first of them has ended.
    pub fn look(&mut self) -> Result<Used> {
        for pid in descendants(self.root) {
            let (watch, total) = self.watches.entry(pid).or_insert_with(|| (Watch::new(pid), Thread::default()));
            match watch.look() {
                Ok(used) => *total = used.total,
                Err(e) if pid == self.root => return Err(e),
                Err(_) => {}
            }
        }
        let mut total = Thread::default();
        self.watches.values().for_each(|(_, t)| total.add(t));
        Ok(Used { at: Instant::now(), total })
    }

    /// What they hold together; what several of them share is counted for each.
    ///
    /// # Errors
    /// If the first of them has ended.
    pub fn memory(&self) -> Result<Memory> {
        let mut all = Watch::new(self.root).memory()?;
        for pid in descendants(self.root).into_iter().filter(|p| *p != self.root) {
            // A child may end meanwhile.
            let Ok(m) = Watch::new(pid).memory() else { continue };
            all.resident += m.resident;
            all.anonymous += m.anonymous;
        }
        Ok(all)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        descendants(self.root).len()
    }
}

/// A process and all processes that it and its children started.
pub fn descendants(root: u32) -> Vec<u32> {
    let parent = |pid: u32| -> Option<u32> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name stands in parentheses and may itself contain some.
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
    };
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|e| e.file_name().to_str()?.parse().ok());
    let parents: Vec<(u32, u32)> = pids.filter_map(|pid: u32| Some((pid, parent(pid)?))).collect();
    let mut family = vec![root];
    let mut next = 0;
    while let Some(pid) = family.get(next).copied() {
        family.extend(parents.iter().filter(|(child, p)| *p == pid && *child != root).map(|(child, _)| *child));
        next += 1;
    }
    family
}

impl Used {
    /// Seconds from then to now.
    pub fn seconds_until(&self, now: &Used) -> f64 {
        now.at.duration_since(self.at).as_secs_f64()
    }

    /// What was used from then to now.
    pub fn until(&self, now: &Used) -> Cost {
        let seconds = now.at.duration_since(self.at).as_secs_f64();
        Cost {
            cpu: now.total.on_cpu.saturating_sub(self.total.on_cpu).as_secs_f64() / seconds,
            wakeups: now.total.sleeps.saturating_sub(self.total.sleeps) as f64 / seconds,
            switches: (now.total.sleeps + now.total.preempted).saturating_sub(self.total.sleeps + self.total.preempted) as f64
                / seconds,
        }
    }
}

fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|l| l.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_and_theirs_count() {
        let mut shell = std::process::Command::new("sh").args(["-c", "sleep 60 & wait"]).spawn().expect("a shell");
        let mut family = Family::new(shell.id());
        let patience = Instant::now() + Duration::from_secs(30);
        while family.count() < 2 && Instant::now() < patience {
            std::thread::yield_now();
        }
        family.look().expect("it runs");
        let all = descendants(shell.id());
        assert_eq!((all.len(), family.watches.len()), (2, 2), "{all:?}");
        assert!(family.memory().expect("it runs").resident > Watch::new(shell.id()).memory().expect("it runs").resident);
        for pid in all {
            let pid = rustix::process::Pid::from_raw(pid as i32).expect("no zero");
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it is ours");
        }
        shell.wait().expect("it has ended");
        assert!(family.look().is_err());
    }

    #[test]
    fn this_process_uses_what_it_uses() {
        let mut me = Watch::new(std::process::id());
        let before = me.look().expect("we run");
        let mut sum = 0_u64;
        // A state rather than a time: until the scheduler says so, however slow this machine is.
        let after = loop {
            sum = (0..1_000_000).fold(sum, |s, n| s.wrapping_mul(31).wrapping_add(n));
            let now = me.look().expect("we run");
            if now.total.on_cpu >= before.total.on_cpu + Duration::from_millis(20) {
                break now;
            }
        };
        assert!(std::hint::black_box(sum) != 1);
        assert!(before.until(&after).cpu > 0.0);
        let memory = me.memory().expect("we run");
        assert!(memory.resident > memory.anonymous && memory.anonymous > 0);
        assert!(Watch::new(u32::MAX).look().is_err());
    }
}

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
            self.threads.insert(tid, Thread { on_cpu: Duration::from_nanos(nanos), sleeps });
        }
        let mut total = Thread::default();
        for t in self.threads.values() {
            total.on_cpu += t.on_cpu;
            total.sleeps += t.sleeps;
        }
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

impl Used {
    /// What was used from then to now.
    pub fn until(&self, now: &Used) -> Cost {
        let seconds = now.at.duration_since(self.at).as_secs_f64();
        Cost {
            cpu: now.total.on_cpu.saturating_sub(self.total.on_cpu).as_secs_f64() / seconds,
            wakeups: now.total.sleeps.saturating_sub(self.total.sleeps) as f64 / seconds,
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

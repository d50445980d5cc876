//! Records this host as a trace: `cargo run -p peermon-collector --example record -- SECONDS FILE COMMENT [GROUP]`.
//!
//! With the folder of a control group (version 2) as GROUP, what can be told of that group alone is: shares of processor
//! time, load, running processes and pressure. So a load can be recorded on a machine that does other work too. Memory,
//! disks and network stay the machine's.
#![allow(clippy::print_stderr)]

use peermon_collector::{Config, Root, Runner, Source, replay};
use peermon_model::{Facts, Instant, Samples};
use std::error::Error;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let usage = "usage: record SECONDS FILE COMMENT [GROUP]";
    let mut args = std::env::args().skip(1);
    let (seconds, file, comment) = (args.next().ok_or(usage)?, args.next().ok_or(usage)?, args.next().ok_or(usage)?);
    let mut out = File::create(&file).map_err(|e| format!("creating {file}: {e}"))?;
    let seconds = seconds.parse().map_err(|e| format!("{seconds:?} is no number of seconds: {e}"))?;
    match args.next() {
        None => replay::record(&mut Runner::new(&Root::host(), Config::default())?, seconds, &comment, &mut out)?,
        Some(group) => {
            let folder = std::env::temp_dir().join(format!("peermon-record-{}", std::process::id()));
            let mut source = GroupSource::new(Path::new(&group), &folder).map_err(|e| format!("reading {group}: {e}"))?;
            let done = replay::record(&mut source, seconds, &comment, &mut out);
            fs::remove_dir_all(&folder)?;
            done?;
        }
    }
    eprintln!("recorded {seconds} s to {file}");
    Ok(())
}

/// The kernel's unit of time in `/proc/stat`, in microseconds.
const TICK_MICROS: u64 = 10_000;
/// How often the kernel counts for the load average, in rounds of a second, and what one count leaves of the former average
/// of a minute: e^(-5/60).
const LOAD_ROUNDS: u64 = 5;
const LOAD_KEPT: f64 = 0.920_044;

/// This host, as it would be if it did nothing but what one control group does.
struct GroupSource {
    group: PathBuf,
    proc: PathBuf,
    processors: u64,
    /// The average of a minute, once counted.
    load: Option<f64>,
    rounds: u64,
    runner: Runner,
}

impl GroupSource {
    /// Makes a root at `folder` whose `/proc/stat`, `/proc/loadavg` and `/proc/pressure` are the group's.
    fn new(group: &Path, folder: &Path) -> Result<Self, Box<dyn Error>> {
        let proc = folder.join("proc");
        fs::create_dir_all(proc.join("pressure"))?;
        symlink("/sys", folder.join("sys"))?;
        for entry in fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let own = ["stat", "loadavg", "pressure"].iter().any(|n| name == *n);
            if !own {
                symlink(Path::new("/proc").join(&name), proc.join(&name))?;
            }
        }
        for name in ["cpu", "memory", "io"] {
            symlink(group.join(format!("{name}.pressure")), proc.join("pressure").join(name))?;
        }
        let runner = Runner::new(&Root::host_at(folder), Config::default())?;
        let processors = std::thread::available_parallelism()?.get() as u64;
        let mut new = GroupSource { group: group.into(), proc, processors, load: None, rounds: 0, runner };
        new.refresh(Instant::ZERO)?;
        Ok(new)
    }

    fn refresh(&mut self, now: Instant) -> io::Result<()> {
        let stat = fs::read_to_string(self.group.join("cpu.stat"))?;
        let ticks = |name: &str| {
            let line = stat.lines().find_map(|l| l.strip_prefix(name)?.trim().parse::<u64>().ok());
            line.map(|micros| micros / TICK_MICROS).ok_or_else(|| io::Error::other(format!("cpu.stat has no {name}")))
        };
        let (user, system) = (ticks("user_usec ")?, ticks("system_usec ")?);
        // far from zero, so that the idle time never runs backwards
        let all =
            self.processors * (u64::try_from(now.since(Instant::ZERO).as_micros()).unwrap_or(u64::MAX) / TICK_MICROS + (1 << 32));
        let (running, waiting) = self.tasks()?;
        let stat = format!(
            "cpu  {user} 0 {system} {} 0 0 0 0 0 0\nprocs_running {running}\nprocs_blocked {waiting}\n",
            all.saturating_sub(user + system)
        );
        fs::write(self.proc.join("stat"), stat)?;
        // the kernel counts at its own moments, and hardly ever while this reads
        let active = (running + waiting).saturating_sub(1) as f64;
        let load = self.load.get_or_insert(active);
        if self.rounds.is_multiple_of(LOAD_ROUNDS) {
            *load = *load * LOAD_KEPT + active * (1.0 - LOAD_KEPT);
        }
        self.rounds += 1;
        fs::write(self.proc.join("loadavg"), format!("{load:.2} {load:.2} {load:.2} {running}/{} 1\n", running.max(1)))
    }

    /// The group's tasks that run or could run, and those that wait for a disk.
    fn tasks(&self) -> io::Result<(usize, usize)> {
        let ids = fs::read_to_string(self.group.join("cgroup.threads"))?;
        // a task may end meanwhile
        let state = |id: &str| {
            let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
            stat.rsplit_once(") ")?.1.chars().next()
        };
        let states: Vec<char> = ids.lines().filter_map(state).collect();
        let count = |c: char| states.iter().filter(|s| **s == c).count();
        Ok((count('R'), count('D')))
    }
}

impl Source for GroupSource {
    fn round(&mut self, now: Instant) -> Samples {
        if let Err(e) = self.refresh(now) {
            eprintln!("{}: {e}; this second repeats the one before", self.group.display());
        }
        self.runner.round(now)
    }

    fn facts(&mut self) -> Facts {
        self.runner.facts()
    }
}

//! Who uses a machine: all processes in turn, a few a round, and no more told than is wanted.
#![allow(clippy::unwrap_used)]

mod support;

use peermon_collector::{Config, ProcessPrivacy, Root, Runner, Source, limits};
use peermon_model::{Instant, Usage};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use support::{copy_over, machine};

/// A process's files. Flag 0x200000 makes it a thread of the kernel's.
fn write(base: &Path, pid: u32, name: &str, ticks: u64, pages: u64, io: Option<(u64, u64)>) {
    let dir = base.join(format!("proc/{pid}"));
    fs::create_dir_all(&dir).unwrap();
    let stat = format!(
        "{pid} ({name}) S 1 1 1 0 -1 {} 9 9 9 9 {ticks} 0 0 0 20 0 1 0 5{pid} 9 {pages} 9\n",
        if name.starts_with('k') { 0x20_0000 } else { 0 }
    );
    fs::write(dir.join("stat"), stat).unwrap();
    if let Some((read, written)) = io {
        let text = format!("rchar: 9\nread_bytes: {read}\nwrite_bytes: {written}\ncancelled_write_bytes: 0\n");
        fs::write(dir.join("io"), text).unwrap();
    }
}

struct Machine {
    dir: tempfile::TempDir,
    runner: Runner,
    second: u64,
}

fn host(processes: ProcessPrivacy) -> Machine {
    let dir = tempfile::tempdir().unwrap();
    copy_over(&machine("small-vm"), dir.path());
    // Only the processes that a test makes.
    for pid in ["1", "2", "412"] {
        fs::remove_dir_all(dir.path().join("proc").join(pid)).unwrap();
    }
    let uid = fs::metadata(dir.path()).unwrap().uid();
    fs::write(dir.path().join("etc/passwd"), format!("someone:x:{uid}:1::/:/bin/sh\n")).unwrap();
    let root = Root::at(dir.path(), |_| Err(std::io::ErrorKind::NotFound.into()));
    let runner = Runner::new(&root, Config { processes, ..Config::default() }).unwrap();
    Machine { dir, runner, second: 0 }
}

impl Machine {
    fn round(&mut self) -> peermon_model::Samples {
        self.second += 1;
        self.runner.round(Instant::ZERO + Duration::from_secs(self.second))
    }

    /// Rounds until the list is as wanted.
    fn until(&mut self, wanted: impl Fn(&Usage) -> bool) -> Arc<Usage> {
        self.until_with(|_, _| {}, wanted)
    }

    /// The same, while something happens before each round.
    fn until_with(&mut self, happens: impl Fn(&Path, u64), wanted: impl Fn(&Usage) -> bool) -> Arc<Usage> {
        for _ in 0..200 {
            happens(self.dir.path(), self.second);
            let round = self.round();
            let why = round.reports.iter().find(|r| r.collector == "processes").and_then(|r| r.failure.clone());
            assert_eq!(why, None);
            if let Some(u) = round.usage.filter(|u| wanted(u)) {
                return u;
            }
        }
        panic!("the list never became what was wanted");
    }
}

#[test]
fn the_processes_and_users_that_use_most_are_told() {
    let mut m = host(ProcessPrivacy::Names);
    fs::write(m.dir.path().join("proc/uptime"), "100.00 50.00\n").unwrap();
    write(m.dir.path(), 1, "init", 100, 10, Some((0, 0)));
    write(m.dir.path(), 20, "a (b) c", 100, 1000, None);
    write(m.dir.path(), 21, "kworker/0:1", 5, 0, None);
    let first = m.until(|u| u.watched == 3);
    assert!(first.processes.iter().all(|p| p.cpu.is_none()), "one look gives no rate: {first:?}");

    let work = |base: &Path, second: u64| {
        write(base, 1, "init", 100, 10, Some((second * 5_000_000, second * 1_000_000)));
        write(base, 20, "a (b) c", 100 + second * 150, 2000, None);
    };
    let now = m.until_with(work, |u| u.processes.iter().all(|p| p.cpu.is_some()) && u.processes[0].cpu == Some(1.5));
    let p = &now.processes[0];
    assert_eq!((p.pid, p.user.as_deref(), p.command.as_deref(), p.memory), (20, Some("someone"), Some("a (b) c"), 2000 * 4096));
    assert_eq!((p.read, p.written), (None, None), "its reading and writing are not known");
    // 520 ticks after boot it began, which is 5.2 s.
    assert_eq!((p.state, p.parent, p.threads, p.running), ('S', 1, 1, Some(Duration::from_millis(94_800))));
    let user = &now.users[0];
    assert_eq!((&*user.user, user.processes, user.memory), ("someone", 3, 2010 * 4096));
    assert!(now.processes.iter().any(|p| p.pid == 1 && p.read == Some(5e6) && p.written == Some(1e6)), "{now:?}");

    fs::remove_dir_all(m.dir.path().join("proc/20")).unwrap();
    m.until(|u| u.watched == 2 && u.processes.iter().all(|p| p.pid != 20));
    // Another program under a number that was free again is another process.
    let again = |base: &Path, second: u64| {
        write(base, 1, "init", 100, 10, None);
        let stat = fs::read_to_string(base.join("proc/1/stat")).unwrap();
        fs::write(base.join("proc/1/stat"), stat.replace(" 51 ", &format!(" {second} "))).unwrap();
    };
    m.until_with(again, |u| u.processes.iter().any(|p| p.pid == 1 && p.cpu.is_none()));
}

#[test]
fn a_crowd_is_seen_in_turn_and_the_busiest_at_once() {
    const CROWD: u32 = 500;
    let mut m = host(ProcessPrivacy::Names);
    for pid in 1..=CROWD {
        write(m.dir.path(), pid, "x", 0, 1, None);
    }
    let mut rounds = 0;
    while m.round().value("procs.watched").unwrap() < f64::from(CROWD) {
        rounds += 1;
        assert!(rounds < 2 * CROWD, "all are seen");
    }
    assert!(rounds as usize >= CROWD as usize / limits::PROCESSES_PER_ROUND - 1, "{rounds} rounds: not all at once");
    let mut ticks = 0;
    let mut work = |m: &mut Machine| {
        ticks += 100;
        write(m.dir.path(), 77, "x", ticks, 1, None);
    };
    let told = |u: &Usage| u.processes.iter().find(|p| p.pid == 77).map(|p| (p.cpu, p.age));
    for _ in 0..2 * CROWD {
        work(&mut m);
        if m.round().usage.is_some_and(|u| told(&u).is_some_and(|(cpu, _)| cpu > Some(0.0))) {
            break;
        }
    }
    for _ in 0..10 {
        work(&mut m);
        m.round();
    }
    work(&mut m);
    let u = m.round().usage.unwrap();
    let (cpu, age) = told(&u).unwrap();
    assert!(cpu > Some(0.9) && age <= Duration::from_secs(1), "a busy one is looked at every round: {cpu:?} {age:?}");
    assert!(u.processes.len() <= 3 * limits::PROCESSES_TOLD && u.watched == CROWD);
}

#[test]
fn no_more_is_told_than_is_wanted() {
    for (privacy, listed, named) in
        [(ProcessPrivacy::Names, true, true), (ProcessPrivacy::Numbers, true, false), (ProcessPrivacy::Off, false, false)]
    {
        let mut m = host(privacy);
        write(m.dir.path(), 7, "secret", 1, 1, None);
        m.round();
        m.round();
        let round = m.round();
        assert_eq!(round.value("procs.watched").is_some(), listed, "{privacy:?}");
        let Some(u) = round.usage.filter(|_| listed) else {
            assert!(!listed, "{privacy:?}");
            continue;
        };
        let p = u.processes.iter().find(|p| p.pid == 7).unwrap();
        assert_eq!((p.user.is_some(), p.command.is_some(), u.users.is_empty()), (named, named, !named), "{privacy:?}");
    }
}

#[test]
fn this_machine_knows_this_test() {
    let mut runner = Runner::new(&Root::host(), Config::default()).unwrap();
    let me = std::process::id();
    let mut memory = vec![1_u8; 64 << 20];
    for second in 1..2000 {
        memory.fill(second as u8);
        let usage = runner.round(Instant::ZERO + Duration::from_secs(second)).usage.unwrap();
        if let Some(p) = usage.processes.iter().find(|p| p.pid == me) {
            assert!(p.user.is_some() && p.command.is_some() && p.memory > 1 << 20, "{p:?}");
            return;
        }
        if usage.processes.len() >= 3 * limits::PROCESSES_TOLD {
            // A machine with so many larger programs need not tell of this one.
            return;
        }
    }
    panic!("process {me} never came");
}

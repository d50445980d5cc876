//! Head-room of the kernel's tables: process ids, open files, entropy.

use super::{Kind, Plan, Probe, Told, Tried, attributes_of};
use peermon_model::Severity;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(2);
/// A table fuller than this fails the next program that wants a place in it (CoDeeN's limit of all).
const FULL: f64 = 0.95;
/// Less of the pool than this, and programs that need random numbers wait. Kernels since 5.18 keep it full.
const ENTROPY_LOW: f64 = 0.05;

attributes_of!("limits", "looking at process ids, open files and entropy");
pub(super) const KIND: Kind = Kind { name: "limits", failed: &FAILED, time: &TIME, list };

fn list(_: &Told) -> Vec<Plan> {
    vec![Plan {
        instance: None,
        every: EVERY,
        late: Duration::from_secs(3),
        fails: Duration::from_secs(10),
        words: "reading /proc takes long".into(),
        severity: Severity::Weak,
        once_good: false,
        make: Box::new(|| Box::new(Limits { proc: "/proc".into() })),
    }]
}

struct Limits {
    proc: PathBuf,
}

impl Probe for Limits {
    fn try_once(&mut self, _: &Told) -> Option<Tried> {
        let number = |path: &str| first_number(&self.proc.join(path), 0);
        let tasks = tasks(&self.proc);
        let most = [number("sys/kernel/pid_max"), number("sys/kernel/threads-max")].into_iter().flatten().reduce(f64::min);
        if tasks.zip(most).is_some_and(|(tasks, most)| tasks > FULL * most) {
            return Tried::failed(Severity::Avoid, "hardly any process ids are left");
        }
        let files = self.proc.join("sys/fs/file-nr");
        if first_number(&files, 0).zip(first_number(&files, 2)).is_some_and(|(open, most)| open > FULL * most) {
            return Tried::failed(Severity::Avoid, "the system's table of open files is nearly full");
        }
        let entropy = number("sys/kernel/random/entropy_avail").zip(number("sys/kernel/random/poolsize"));
        if entropy.is_some_and(|(there, pool)| there < ENTROPY_LOW * pool) {
            return Tried::failed(Severity::Weak, "the kernel has hardly any entropy: random numbers will be slow");
        }
        Tried::good()
    }
}

/// The number in the word with this index of a file's first line.
fn first_number(path: &Path, word: usize) -> Option<f64> {
    fs::read_to_string(path).ok()?.split_whitespace().nth(word)?.parse().ok()
}

/// Tasks there are: the second number of `12/3456` in loadavg.
fn tasks(proc: &Path) -> Option<f64> {
    fs::read_to_string(proc.join("loadavg")).ok()?.split_whitespace().nth(3)?.split_once('/')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use peermon_model::Outcome;

    fn check(loadavg: &str, file_nr: &str, entropy: &str, want: &str) {
        let dir = tempfile::tempdir().expect("a directory");
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().expect("it has one")).expect("a directory");
            fs::write(path, text).expect("a file");
        };
        write("loadavg", loadavg);
        write("sys/kernel/pid_max", "1000\n");
        write("sys/kernel/threads-max", "4000\n");
        write("sys/fs/file-nr", file_nr);
        write("sys/kernel/random/entropy_avail", entropy);
        write("sys/kernel/random/poolsize", "4096\n");
        let tried = Limits { proc: dir.path().into() }.try_once(&Told::default()).expect("there is something to say");
        assert_eq!(tried.words, want);
        assert_eq!(tried.outcome == Outcome::Good, want.is_empty());
    }

    #[test]
    fn full_tables_are_told() {
        check("0.1 0.1 0.1 1/900 77\n", "100 0 1000\n", "3000\n", "");
        check("0.1 0.1 0.1 1/960 77\n", "100 0 1000\n", "3000\n", "hardly any process ids are left");
        check("0.1 0.1 0.1 1/900 77\n", "960 0 1000\n", "3000\n", "the system's table of open files is nearly full");
        check("0.1 0.1 0.1 1/900 77\n", "1 0 1000\n", "100\n", "the kernel has hardly any entropy: random numbers will be slow");
        check("nonsense", "", "x", "");
    }
}

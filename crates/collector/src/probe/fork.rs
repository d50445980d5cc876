//! Whether programs can still be started.

use super::{Kind, Plan, Probe, Told, Tried, attributes_of};
use peermon_model::Severity;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Rarer than others: starting a program costs a millisecond.
const EVERY: Duration = Duration::from_secs(10);
/// Programs that do nothing.
const PROGRAMS: [&str; 2] = ["/bin/true", "/usr/bin/true"];

attributes_of!("fork", "starting a program that does nothing");
pub(super) const KIND: Kind = Kind { name: "fork", failed: &FAILED, time: &TIME, list };

fn list(_: &Told) -> Vec<Plan> {
    let Some(program) = PROGRAMS.into_iter().map(Path::new).find(|p| p.exists()) else { return Vec::new() };
    vec![Plan {
        instance: None,
        every: EVERY,
        late: Duration::from_secs(2),
        fails: Duration::from_secs(5),
        words: "starting a program takes long".into(),
        severity: Severity::Avoid,
        once_good: false,
        make: Box::new(|| Box::new(Fork(program.into()))),
    }]
}

struct Fork(PathBuf);

impl Probe for Fork {
    fn try_once(&mut self, _: &Told) -> Option<Tried> {
        let run = Command::new(&self.0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        match run {
            Ok(status) if status.success() => Tried::good(),
            Ok(status) => Tried::failed(Severity::Weak, format!("{} does not run as it should: {status}", self.0.display())),
            Err(e) => {
                let why = match e.kind() {
                    ErrorKind::WouldBlock => "the limit of processes is reached".to_string(),
                    ErrorKind::OutOfMemory => "no memory for one".to_string(),
                    _ => e.to_string(),
                };
                Tried::failed(Severity::Avoid, format!("no program can be started: {why}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(program: &str, words: &str) {
        assert_eq!(Fork(program.into()).try_once(&Told::default()).expect("something to say").words, words);
    }

    #[test]
    fn programs_start_or_do_not() {
        check("/bin/true", "");
        check("/bin/false", "/bin/false does not run as it should: exit status: 1");
        check("/no/such/program", "no program can be started: No such file or directory (os error 2)");
    }
}

//! Who is logged in.

use super::{Collector, Round, Setup};
use crate::CollectError;
use crate::attributes::{attributes, put, vital};
use crate::hot_file::{read_bounded, read_word};
use crate::limits::FILE_BYTES_MAX;
use crate::root::Root;
use peermon_model::{Attribute, Sample, Unit::Count};
use rustix::process::{Pid, test_kill_process};
use std::collections::HashSet;
use std::fs;

attributes! {
    USERS = vital("users.logged_in");
    SESSIONS = &Attribute::gauge("users.sessions", Count, "Login sessions.");
}

/// glibc's record on every Linux of today: type, process, line, id, user, host, exit status, session, time, address.
const RECORD_BYTES: usize = 384;
const USER_PROCESS: i16 = 7;

struct Users(Root);

pub(super) fn make(setup: &Setup) -> Box<dyn Collector> {
    Box::new(Users(setup.root.clone()))
}

impl Collector for Users {
    fn collect(&mut self, _: &Round, out: &mut Vec<Sample>) -> Result<(), CollectError> {
        // Not kept open: a cleaner or a package may put a new one in its place.
        for path in ["run/utmp", "var/run/utmp"].map(|p| self.0.path(p)) {
            let Some(records) = read_bounded(&path, FILE_BYTES_MAX)? else { continue };
            if records.len() % RECORD_BYTES != 0 {
                let found = format!("{} bytes", records.len());
                let expected = "whole records of 384 bytes";
                return Err(CollectError::Garbage { file: path, field: "the length".into(), found, expected });
            }
            let is_host = self.0.is_host();
            let (users, sessions) = logged_in(&records, |pid| !is_host || lives(pid));
            put(out, USERS, users as u64);
            put(out, SESSIONS, sessions as u64);
            return Ok(());
        }
        if let Some(users) = systemd_users(&self.0) {
            put(out, USERS, users);
        }
        Ok(())
    }
}

/// Distinct users, and sessions. Records of dead processes stay when a login was killed.
fn logged_in(records: &[u8], lives: impl Fn(i32) -> bool) -> (usize, usize) {
    let mut users = HashSet::new();
    let mut sessions = 0;
    for r in records.chunks_exact(RECORD_BYTES) {
        let kind = i16::from_ne_bytes([r[0], r[1]]);
        let pid = i32::from_ne_bytes([r[4], r[5], r[6], r[7]]);
        let user = r[44..76].split(|b| *b == 0).next().unwrap_or_default();
        if kind == USER_PROCESS && !user.is_empty() && lives(pid) {
            users.insert(user);
            sessions += 1;
        }
    }
    (users.len(), sessions)
}

fn lives(pid: i32) -> bool {
    // Not only 0: rustix takes no negative number, which a damaged file may hold.
    let Some(pid) = (pid > 0).then(|| Pid::from_raw(pid)).flatten() else { return false };
    test_kill_process(pid) != Err(rustix::io::Errno::SRCH)
}

/// Systems without utmp have systemd, which keeps a file per user.
fn systemd_users(root: &Root) -> Option<u64> {
    let files = fs::read_dir(root.path("run/systemd/users")).ok()?;
    let here = |text: &String| text.lines().any(|l| matches!(l, "STATE=active" | "STATE=online"));
    Some(files.flatten().filter_map(|f| read_word(&f.path())).filter(here).count() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: i16, pid: i32, user: &str) -> [u8; RECORD_BYTES] {
        let mut r = [0; RECORD_BYTES];
        r[..2].copy_from_slice(&kind.to_ne_bytes());
        r[4..8].copy_from_slice(&pid.to_ne_bytes());
        r[44..44 + user.len()].copy_from_slice(user.as_bytes());
        r
    }

    #[test]
    fn users_are_counted_once_and_the_dead_not_at_all() {
        let all = [
            record(2, 1, "reboot"),
            record(7, 10, "ada"),
            record(7, 11, "ada"),
            record(7, 12, "bob"),
            record(7, 99, "eve"),
            record(8, 13, ""),
        ];
        assert_eq!(logged_in(&all.concat(), |pid| pid != 99), (2, 3));
        assert_eq!(logged_in(&[], |_| true), (0, 0));
        assert!(lives(std::process::id() as i32) && !lives(0) && !lives(-1));
    }
}

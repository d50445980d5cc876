//! Names of users, from the host's own list. Users that only a directory service knows keep their numbers: asking it could
//! take seconds.

use crate::hot_file::read_bounded;
use crate::limits::{FILE_BYTES_MAX, USER_NAMES_INTERVAL};
use crate::text::{name, number};
use peermon_model::Instant;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

/// Users' names by number.
pub(crate) struct UserNames {
    file: PathBuf,
    looked: Option<Instant>,
    changed: Option<SystemTime>,
    names: HashMap<u32, Arc<str>>,
}

impl UserNames {
    /// Reads nothing yet.
    pub(crate) fn new(file: PathBuf) -> Self {
        UserNames { file, looked: None, changed: None, names: HashMap::new() }
    }

    /// Reads the list anew if it has changed.
    pub(crate) fn refresh(&mut self, now: Instant) {
        if self.looked.is_some_and(|at| now.since(at) < USER_NAMES_INTERVAL) {
            return;
        }
        self.looked = Some(now);
        let changed = std::fs::metadata(&self.file).and_then(|m| m.modified()).ok();
        if self.changed.is_none() || self.changed != changed {
            self.changed = changed;
            let text = read_bounded(&self.file, FILE_BYTES_MAX).ok().flatten().unwrap_or_default();
            self.names = text.split(|b| *b == b'\n').filter_map(user).collect();
        }
    }

    /// A user's name, or its number.
    pub(crate) fn name(&mut self, uid: u32) -> Arc<str> {
        Arc::clone(self.names.entry(uid).or_insert_with(|| uid.to_string().into()))
    }
}

/// `ada:x:1000:1000:Ada:DIRECTORY:/bin/sh`; the first line of a number counts, as for the system.
fn user(line: &[u8]) -> Option<(u32, Arc<str>)> {
    let mut fields = line.split(|b| *b == b':');
    let user = fields.next().filter(|u| !u.is_empty())?;
    Some((number(fields.nth(1)?)?.try_into().ok()?, name(user).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_have_names_or_numbers() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("passwd");
        std::fs::write(&file, "root:x:0:0::/root:/bin/sh\nada:x:1000:1000\n:x:7:7\nnonsense\nbob:x:-1:0\n").expect("written");
        let mut names = UserNames::new(file);
        assert_eq!(&*names.name(1000), "1000", "before the list is read");
        names.refresh(Instant::ZERO);
        for (uid, name) in [(0, "root"), (1000, "ada"), (7, "7"), (4_294_967_295, "4294967295")] {
            assert_eq!(&*names.name(uid), name);
        }
    }
}

//! Short words for `/sys`, whose files hold one value each, and for values that are read less often than every round.

use crate::CollectError;
use crate::hot_file::read_value;
use crate::text::Text;
use peermon_model::{Instant, Sample};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What is in a directory, in a fixed order; nothing if it is not there.
pub(crate) fn entries(dir: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path()).collect();
    all.sort();
    all
}

/// The entries of a directory named `prefix` and a number (`cpu0`, `node3`), by number; at most `most` of them.
pub(crate) fn numbered(dir: &Path, prefix: &str, most: usize) -> Vec<(u64, PathBuf)> {
    let number = |name: &std::ffi::OsStr| crate::text::number(name.as_encoded_bytes().strip_prefix(prefix.as_bytes())?);
    let files = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut all: Vec<(u64, PathBuf)> = files.filter_map(|e| Some((number(&e.file_name())?, e.path()))).collect();
    all.sort();
    all.truncate(most);
    all
}

/// The last part of a path.
pub(crate) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The whole number a file holds; `None` if it is not there, or not for this user to read.
pub(crate) fn value(path: &Path) -> Result<Option<u64>, CollectError> {
    match read_value(path) {
        Ok(Some(bytes)) => Text { file: path, bytes: &bytes }.number(Some(bytes.trim_ascii()), "the value").map(Some),
        Ok(None) => Ok(None),
        Err(CollectError::Read { cause, .. }) if cause.kind() == io::ErrorKind::PermissionDenied => Ok(None),
        Err(e) => Err(e),
    }
}

/// Samples that are read anew now and then, and told again in between, with the failure if there was one.
pub(crate) struct Held {
    interval: Duration,
    read: Option<Instant>,
    samples: Vec<Sample>,
    failure: Option<String>,
}

impl Held {
    /// Nothing is held yet.
    pub(crate) fn new(interval: Duration) -> Self {
        Held { interval, read: None, samples: Vec::new(), failure: None }
    }

    /// Adds what is held to `out`, after `read` has read it anew if it is time.
    pub(crate) fn put(
        &mut self,
        now: Instant,
        out: &mut Vec<Sample>,
        read: impl FnOnce(&mut Vec<Sample>) -> Result<(), CollectError>,
    ) -> Result<(), CollectError> {
        if self.read.is_none_or(|at| now.since(at) >= self.interval) {
            self.read = Some(now);
            self.samples.clear();
            self.failure = read(&mut self.samples).err().map(|e| e.to_string());
        }
        out.extend_from_slice(&self.samples);
        self.failure.clone().map_or(Ok(()), |why| Err(CollectError::Other(why)))
    }
}

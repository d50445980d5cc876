//! Short words for `/sys`, whose files hold one value each.

use crate::CollectError;
use crate::hot_file::read_value;
use crate::text::Text;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

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

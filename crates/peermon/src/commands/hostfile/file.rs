//! Files that are read while they are written.

use crate::Failure;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Replaces a file's content: whoever has it open reads the old one to its end, whoever opens it reads the new one.
pub(super) fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    let wrong =
        |e: io::Error| Failure::new(format!("cannot write {}: {e}; name a file in a directory you may write to", path.display()));
    let name = path.file_name().ok_or_else(|| wrong(io::Error::other("it is no file")))?;
    // Devices and pipes are written to, not replaced.
    if fs::metadata(path).is_ok_and(|m| !m.is_file()) {
        return File::options().write(true).open(path).and_then(|mut f| f.write_all(text.as_bytes())).map_err(wrong);
    }
    let mut beside = std::ffi::OsString::from(".");
    beside.push(name);
    beside.push(format!(".{}", std::process::id()));
    let beside = path.with_file_name(beside);
    let written = File::create(&beside).and_then(|mut f| f.write_all(text.as_bytes())).and_then(|()| fs::rename(&beside, path));
    written.map_err(|e| {
        // What could not be made needs no removal.
        let _ = fs::remove_file(&beside);
        wrong(e)
    })
}

/// Whether two lists hold the same lines, in any order.
pub(super) fn same(a: &str, b: &str) -> bool {
    let sorted = |text: &str| {
        let mut lines: Vec<_> = text.lines().map(str::to_string).collect();
        lines.sort_unstable();
        lines
    };
    sorted(a) == sorted(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn readers_see_the_old_or_the_new() {
        let dir = peermon_testbed::Directory::new().expect("a directory");
        let path = dir.path().join("hosts");
        replace(&path, "old\n").expect("written");
        let mut open = File::open(&path).expect("it is there");
        replace(&path, "new\n").expect("written");
        let mut text = String::new();
        open.read_to_string(&mut text).expect("read");
        assert_eq!((text.as_str(), fs::read_to_string(&path).expect("read").as_str()), ("old\n", "new\n"));
        assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 1, "nothing is left beside it");
        replace(Path::new("/dev/null"), "x").expect("a device is written to");
        assert!(Path::new("/dev/null").exists() && fs::metadata("/dev/null").is_ok_and(|m| !m.is_file()));
    }
}

//! Whether files can be written where programs write them: a full or read-only file system stops jobs that look fine otherwise.

use super::{Kind, Plan, Probe, Told, Tried, attributes_of};
use peermon_model::{Outcome, Severity};
use rustix::fs::{Mode, OFlags, StatVfsMountFlags};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Between two looks, which ask no disk.
const EVERY: Duration = Duration::from_secs(2);
/// Between two files written, while the looks find nothing: disks that sleep shall sleep for a while.
const WRITE_EVERY: Duration = Duration::from_mins(1);
/// Bytes of the file: a block of most file systems.
const FILE_BYTES: usize = 4096;

attributes_of!("write.{}", "writing a small file and having it on the disk");
pub(super) const KIND: Kind = Kind { name: "write", failed: &FAILED, time: &TIME, list };

fn list(told: &Told) -> Vec<Plan> {
    let mut devices = BTreeSet::new();
    let distinct = told.write.iter().filter(|dir| std::fs::metadata(dir).is_ok_and(|m| m.is_dir() && devices.insert(m.dev())));
    distinct
        .map(|dir| {
            let place = dir.clone();
            Plan {
                instance: Some(dir.display().to_string().into()),
                every: EVERY,
                late: Duration::from_secs(5),
                fails: Duration::from_secs(20),
                words: format!("writing to {} takes long", dir.display()),
                severity: Severity::Avoid,
                once_good: false,
                make: Box::new(move || Box::new(Write { dir: place.clone(), written: None, may: true })),
            }
        })
        .collect()
}

struct Write {
    dir: PathBuf,
    /// When a file was written last.
    written: Option<Instant>,
    /// This user may write there.
    may: bool,
}

impl Probe for Write {
    fn try_once(&mut self, _: &Told) -> Option<Tried> {
        if !self.may {
            return None;
        }
        let vfs = rustix::fs::statvfs(&self.dir).ok();
        let full = vfs.as_ref().is_some_and(|v| v.f_bavail == 0 && v.f_blocks > 0);
        let suspect = full || vfs.is_some_and(|v| v.f_flag.contains(StatVfsMountFlags::RDONLY));
        let due = self.written.is_none_or(|at| at.elapsed() >= WRITE_EVERY);
        if !suspect && !due {
            return Tried::good();
        }
        let first = self.written.is_none();
        let tried = match write(&self.dir) {
            // root may write into what is reserved for it; others cannot
            Ok(()) if full => failed(&self.dir, Errno::NOSPC),
            Ok(()) => Tried::good(),
            Err(Errno::ACCESS | Errno::PERM) if first => {
                self.may = false;
                return None;
            }
            Err(e) => failed(&self.dir, e),
        };
        // one that fails is written to at each try, so that its end is seen
        let good = tried.as_ref().is_some_and(|t| t.outcome == Outcome::Good);
        self.written = if good || first { Some(Instant::now()) } else { Instant::now().checked_sub(WRITE_EVERY) };
        tried
    }
}

fn failed(dir: &Path, e: Errno) -> Option<Tried> {
    let what = match e {
        Errno::ROFS => "is on a read-only file system".to_string(),
        Errno::NOSPC => "is on a full file system".to_string(),
        Errno::DQUOT => "is full: the quota is used up".to_string(),
        Errno::IO => "cannot be written to: I/O error".to_string(),
        other => format!("cannot be written to: {}", std::io::Error::from(other)),
    };
    Tried::failed(Severity::Avoid, format!("{} {what}", dir.display()))
}

/// Writes a file, has it on the disk, and removes it.
fn write(dir: &Path) -> Result<(), Errno> {
    let path = dir.join(format!(".peermon-probe-{}", std::process::id()));
    // Where everybody may write, somebody may have put something of this name there: it is never written to.
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = || rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR);
    let file = match open() {
        // what a former life of this daemon has left
        Err(Errno::EXIST) => rustix::fs::unlink(&path).and_then(|()| open())?,
        opened => opened?,
    };
    let done = fill(&file).and_then(|()| rustix::fs::fsync(&file));
    let removed = rustix::fs::unlink(&path);
    done.and(removed)
}

fn fill(file: &std::os::fd::OwnedFd) -> Result<(), Errno> {
    let bytes = [b'.'; FILE_BYTES];
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let n = rustix::io::write(file, rest)?;
        if n == 0 {
            return Err(Errno::NOSPC);
        }
        rest = &rest[n..];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_written_to_and_left_as_it_was() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut probe = Write { dir: dir.path().into(), written: None, may: true };
        assert_eq!(probe.try_once(&Told::default()).expect("something to say").words, "");
        assert_eq!(std::fs::read_dir(dir.path()).expect("it is there").count(), 0);
        let gone = dir.path().join("gone");
        let mut probe = Write { dir: gone.clone(), written: None, may: true };
        let words = probe.try_once(&Told::default()).expect("something to say").words;
        assert_eq!(words, format!("{} cannot be written to: No such file or directory (os error 2)", gone.display()));
    }

    #[test]
    fn what_lies_there_is_not_written_to() {
        let dir = tempfile::tempdir().expect("a directory");
        let (victim, trap) = (dir.path().join("victim"), dir.path().join(format!(".peermon-probe-{}", std::process::id())));
        std::fs::write(&victim, "untouched").expect("a file");
        for link in [std::os::unix::fs::symlink::<&Path, &Path>, std::fs::hard_link::<&Path, &Path>] {
            link(&victim, &trap).expect("a link");
            write(dir.path()).expect("it can be written to");
            assert_eq!(std::fs::read_to_string(&victim).expect("it is there"), "untouched");
        }
    }

    #[test]
    fn one_file_system_is_probed_once() {
        let dir = tempfile::tempdir().expect("a directory");
        let sub = dir.path().join("sub");
        std::fs::create_dir(&sub).expect("a directory");
        let told = Told { write: vec![dir.path().into(), sub, dir.path().join("no such")], ..Told::default() };
        assert_eq!(list(&told).len(), 1);
    }
}

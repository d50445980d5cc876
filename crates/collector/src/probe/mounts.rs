//! Whether network file systems answer: a dead server stops every program that touches its mount, and no counter shows it.

use super::{Kind, Plan, Probe, Told, Tried, attributes_of, spared};
use peermon_model::Severity;
use rustix::fs::{AtFlags, CWD, StatxFlags};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(2);
/// A server that takes this long to say what it has is no use to a job.
const LATE: Duration = Duration::from_millis(1_500);

/// Kinds that ask a server, or a program that may be dead.
const KINDS: &[&str] = &[
    "9p", "afs", "beegfs", "ceph", "cifs", "fhgfs", "fuse", "gfs2", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2",
    "orangefs", "pvfs2", "smb3", "virtiofs",
];
/// Programs of one user's desktop, who may forbid others to look.
const NOT: &[&str] = &["fuse.gvfsd-fuse", "fuse.portal", "fuse.snapfuse", "fuse.lxcfs"];

attributes_of!("mount.{}", "asking a network file system's server for its root");
pub(super) const KIND: Kind = Kind { name: "mount", failed: &FAILED, time: &TIME, list };

fn list(told: &Told) -> Vec<Plan> {
    let text = std::fs::read("/proc/self/mounts").unwrap_or_default();
    let plan = |point: PathBuf| Plan {
        instance: Some(point.display().to_string().into()),
        every: spared(EVERY, told),
        late: LATE,
        fails: LATE,
        words: format!("the file system at {} does not answer", point.display()),
        severity: Severity::Avoid,
        once_good: false,
        make: Box::new(move || Box::new(Mount { point: point.clone(), worked: false })),
    };
    points(&text).into_iter().map(plan).collect()
}

/// Where network file systems are mounted. Of two mounts at one point the later one is seen.
fn points(mounts: &[u8]) -> Vec<PathBuf> {
    let mut points = Vec::new();
    for line in mounts.split(|b| *b == b'\n') {
        let mut words = line.split(|b| *b == b' ').skip(1);
        let (Some(point), Some(kind)) = (words.next(), words.next()) else { continue };
        let kind = String::from_utf8_lossy(kind);
        let point = PathBuf::from(OsString::from_vec(unescape(point)));
        points.retain(|p| *p != point);
        if (KINDS.contains(&&*kind) || kind.starts_with("fuse.")) && !NOT.contains(&&*kind) {
            points.push(point);
        }
    }
    points
}

/// The kernel writes blanks and the like as three octal digits.
fn unescape(word: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|d| d.iter().all(|b| (b'0'..b'8').contains(b)) && d[0] < b'4');
        match digits.filter(|_| *first == b'\\') {
            Some(d) => {
                out.push((d[0] - b'0') << 6 | (d[1] - b'0') << 3 | (d[2] - b'0'));
                rest = &after[3..];
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    out
}

struct Mount {
    point: PathBuf,
    worked: bool,
}

impl Probe for Mount {
    fn try_once(&mut self, _: &Told) -> Option<Tried> {
        // what the kernel remembers is no answer
        let flags = AtFlags::STATX_FORCE_SYNC | AtFlags::NO_AUTOMOUNT;
        let asked = rustix::fs::statx(CWD, &self.point, flags, StatxFlags::BASIC_STATS)
            .map(drop)
            .and_then(|()| rustix::fs::statfs(&self.point).map(drop));
        match asked {
            Ok(()) => {
                self.worked = true;
                Tried::good()
            }
            // never to be looked at by this user
            Err(rustix::io::Errno::ACCESS | rustix::io::Errno::PERM) if !self.worked => None,
            Err(e) => {
                let why = std::io::Error::from(e);
                Tried::failed(Severity::Avoid, format!("the file system at {} fails: {why}", self.point.display()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn network_mounts_are_found() {
        let text = b"proc /proc proc rw 0 0\nsrv:/home /home nfs4 rw 0 0\nx /a\\040b fuse.sshfs rw 0 0\n\
            gvfsd /run/user/1/gvfs fuse.gvfsd-fuse rw 0 0\nsrv:/old /mnt nfs rw 0 0\n/dev/sda1 /mnt ext4 rw 0 0\nbad\n";
        assert_eq!(points(text), [PathBuf::from("/home"), PathBuf::from("/a b")]);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            points(&text);
            prop_assert!(unescape(&text).len() <= text.len());
        }
    }
}

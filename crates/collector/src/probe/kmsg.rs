//! What the kernel's log says that bodes ill: a process killed for want of memory, disks that fail, tasks that hang.

use super::{Kind, Plan, Probe, Told, Tried, attributes_of};
use peermon_model::Severity;
use rustix::fs::{Mode, OFlags, SeekFrom};
use rustix::io::Errno;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_secs(2);
/// Lines read at a time: a kernel that writes more repeats itself.
const LINES_MAX: usize = 500;
/// Bytes of one line: the kernel writes no longer ones.
const LINE_BYTES: usize = 8192;

attributes_of!("kmsg", "reading the kernel's log for signs of trouble");
pub(super) const KIND: Kind = Kind { name: "kmsg", failed: &FAILED, time: &TIME, list };

fn list(_: &Told) -> Vec<Plan> {
    vec![Plan {
        instance: None,
        every: EVERY,
        late: Duration::from_secs(3),
        fails: Duration::from_secs(10),
        words: "reading the kernel's log takes long".into(),
        severity: Severity::Weak,
        once_good: false,
        make: Box::new(|| Box::new(Log { file: open(), held: None })),
    }]
}

/// What is looked for, in words and how long it is held against the node.
struct Sign {
    marks: &'static [&'static str],
    words: &'static str,
    holds: Duration,
}

static SIGNS: [Sign; 3] = [
    Sign {
        marks: &["I/O error", "EXT4-fs error", "XFS (", "BTRFS error", "Medium Error", "critical medium error"],
        words: "the kernel reports errors of a disk",
        holds: Duration::from_mins(10),
    },
    Sign {
        marks: &["blocked for more than", "soft lockup", "hard LOCKUP", "self-detected stall"],
        words: "the kernel reports tasks that hang",
        holds: Duration::from_mins(2),
    },
    Sign {
        marks: &["Out of memory: Killed", "Memory cgroup out of memory: Killed", "oom-kill:"],
        words: "the kernel killed a process for want of memory",
        holds: Duration::from_mins(1),
    },
];
/// A line with `XFS (` is trouble only with one of these.
const XFS_TROUBLE: [&str; 3] = ["error", "corruption", "Corruption"];

/// The kernel's log from its end on; `None` if this user may not read it.
fn open() -> Option<OwnedFd> {
    let file = rustix::fs::open("/dev/kmsg", OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty()).ok()?;
    rustix::fs::seek(&file, SeekFrom::End(0)).ok()?;
    Some(file)
}

struct Log {
    file: Option<OwnedFd>,
    /// What was seen last, and until when it counts.
    held: Option<(&'static Sign, Instant)>,
}

impl Probe for Log {
    fn try_once(&mut self, _: &Told) -> Option<Tried> {
        let file = self.file.as_ref()?;
        let mut line = [0; LINE_BYTES];
        for _ in 0..LINES_MAX {
            match rustix::io::read(file, &mut line) {
                Ok(0) | Err(Errno::AGAIN) => break,
                Ok(n) => {
                    if let Some(sign) = sign(&String::from_utf8_lossy(&line[..n])) {
                        self.held = Some((sign, Instant::now() + sign.holds));
                    }
                }
                // lines were lost: go on with what there is
                Err(Errno::PIPE | Errno::INTR) => {}
                Err(_) => {
                    self.file = None;
                    return None;
                }
            }
        }
        match self.held {
            Some((sign, until)) if Instant::now() < until => Tried::failed(Severity::Weak, sign.words),
            _ => Tried::good(),
        }
    }
}

/// What a line of the log says: `priority,sequence,time,flags;text`. Only the kernel's own lines count (facility 0): any program
/// may write others.
fn sign(record: &str) -> Option<&'static Sign> {
    let (head, text) = record.split_once(';')?;
    let priority: u32 = head.split(',').next()?.parse().ok()?;
    let text = text.lines().next()?;
    let says =
        |s: &&Sign| s.marks.iter().any(|m| text.contains(m) && (*m != "XFS (" || XFS_TROUBLE.iter().any(|t| text.contains(t))));
    (priority >> 3 == 0).then(|| SIGNS.iter().find(says))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(record: &str, words: Option<&str>) {
        assert_eq!(sign(record).map(|s| s.words), words, "{record}");
    }

    #[test]
    fn signs_are_read() {
        let memory = Some("the kernel killed a process for want of memory");
        check("3,1,2,-;Out of memory: Killed process 77 (cc1plus) total-vm:1kB\n", memory);
        check("6,1,2,-;oom-kill:constraint=CONSTRAINT_MEMCG,task=stress\n", memory);
        check("11,1,2,-;Out of memory: Killed process 77, says a program\n", None);
        check("3,1,2,-;blk_update_request: I/O error, dev sda, sector 5\n", Some("the kernel reports errors of a disk"));
        check("3,1,2,-;INFO: task nfsd:12 blocked for more than 120 seconds.\n", Some("the kernel reports tasks that hang"));
        check("6,1,2,-;XFS (sda1): Mounting V5 Filesystem\n", None);
        check("1,1,2,-;XFS (sda1): metadata I/O error in x\n", Some("the kernel reports errors of a disk"));
        check("6,1,2,-;usb 1-1: new device\n SUBSYSTEM=I/O error\n", None);
        check("", None);
    }

    proptest! {
        #[test]
        fn any_line_is_read(line in ".{0,100}") {
            sign(&line);
        }
    }
}

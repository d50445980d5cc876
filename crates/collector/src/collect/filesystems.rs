//! File systems: how full they are. A dead server's mount costs one abandoned thread, never a round.

use super::{Collector, Round, Setup};
use crate::CollectError;
use crate::attributes::{attributes, put, put_of};
use crate::hot_file::HotFile;
use crate::lane::{Lane, Outcome, Patience};
use crate::limits::{FILE_SYSTEMS_MAX, HUNG_STATFS_LOCAL, HUNG_STATFS_MAX, STATFS_TIME_MAX, STATFS_TURN_TIME_MAX};
use crate::rate::higher;
use crate::root::{FileSystemSize, Root};
use crate::text::words;
use peermon_model::Unit::{Bytes, Count, None as NoUnit, Ratio};
use peermon_model::{Attribute, Instant, Sample};
use std::collections::HashSet;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::sync::Arc;

attributes! {
    SIZE = &gauge("fs.{}.size", Bytes, "Size of the file system.", "node_filesystem_size_bytes");
    FREE = &gauge("fs.{}.free", Bytes, "Bytes not used.", "node_filesystem_free_bytes");
    AVAILABLE = &gauge("fs.{}.available", Bytes, "Bytes an ordinary user may still use.", "node_filesystem_avail_bytes");
    FILES = &gauge("fs.{}.files", Count, "Files the file system can hold.", "node_filesystem_files");
    FILES_FREE = &gauge("fs.{}.files.free", Count, "Files the file system can still take.", "node_filesystem_files_free");
    READ_ONLY = &gauge("fs.{}.read_only", NoUnit, "Whether nothing can be written: 1 or 0.", "node_filesystem_readonly");
    ERROR = &gauge("fs.{}.error", NoUnit, "Whether it does not answer: 1 or 0.", "node_filesystem_device_error");
    USED = &Attribute::gauge("fs.{}.used", Ratio, "Share in use of what an ordinary user may use.");
    FULLEST = &Attribute::gauge("fs.fullest", Ratio, "Share in use of the fullest local file system that can be written to.");
    HUNG = &Attribute::gauge("fs.hung", Count, "File systems that do not answer and are not asked until they do.");
}

/// The labels `device`, `fstype` and `mountpoint` come with the sample.
const fn gauge(name: &'static str, unit: peermon_model::Unit, help: &'static str, prometheus: &'static str) -> Attribute {
    Attribute::gauge(name, unit, help).prom(prometheus, "", &[])
}

/// Kinds that hold no files of anybody.
const NOT_SHOWN: &[&str] = &[
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "fusectl",
    "hugetlbfs",
    "iso9660",
    "mqueue",
    "nsfs",
    "proc",
    "pstore",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "squashfs",
    "sysfs",
    "tracefs",
];
/// Places where containers and the system keep mounts that repeat others.
const NOT_SHOWN_UNDER: &[&str] =
    &["/dev", "/proc", "/sys", "/run/credentials", "/var/lib/docker", "/var/lib/containers/storage", "/run/docker"];
/// Kinds that ask a server, or a program that may be dead.
const MAY_HANG: &[&str] = &[
    "9p", "afs", "beegfs", "ceph", "cifs", "fhgfs", "gfs2", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs",
    "pvfs2", "smb3", "virtiofs",
];

type StatfsLane = Lane<usize, Arc<Mount>, Root, io::Result<FileSystemSize>>;

struct FileSystems {
    mounts: HotFile,
    root: Root,
    mounts_text: Vec<u8>,
    /// Those on local disks first, so that dead servers do not delay them.
    list: Vec<Arc<Mount>>,
    lane: StatfsLane,
    /// Those whose thread is stuck, by what the lane calls them.
    hung: Vec<(usize, Arc<Mount>)>,
    calls: usize,
    looked: Option<Instant>,
    samples: Vec<Sample>,
}

#[derive(Debug, PartialEq)]
struct Mount {
    point: PathBuf,
    instance: Arc<str>,
    labels: Arc<[(&'static str, String)]>,
    may_hang: bool,
    /// The server, if the device is `server:/path` or `//server/share`.
    server: Option<String>,
}

pub(super) fn make(setup: &Setup) -> Box<dyn Collector> {
    let patience = Patience { piece: STATFS_TIME_MAX, call: STATFS_TURN_TIME_MAX, stuck_max: HUNG_STATFS_MAX };
    Box::new(FileSystems {
        mounts: setup.hot("proc/mounts"),
        root: setup.root.clone(),
        mounts_text: Vec::new(),
        list: Vec::new(),
        lane: Lane::new("peermon-statfs", |mount, root: &Root| root.statfs(&mount.point), patience),
        hung: Vec::new(),
        calls: 0,
        looked: None,
        samples: Vec::new(),
    })
}

impl Collector for FileSystems {
    fn collect(&mut self, round: &Round, out: &mut Vec<Sample>) -> Result<(), CollectError> {
        let back: HashSet<usize> = self.lane.returned().into_iter().map(|(call, _)| call).collect();
        self.hung.retain(|(call, _)| !back.contains(call));
        if !back.is_empty() || self.looked.is_none_or(|at| round.now.since(at) >= round.every) {
            self.looked = Some(round.now);
            self.read_mounts()?;
            self.look();
        }
        out.extend_from_slice(&self.samples);
        put(out, HUNG, self.hung.len() as u64);
        match self.lane.hung().zip(&self.hung).next() {
            None => Ok(()),
            Some(((_, since), (_, mount))) => Err(CollectError::Other(format!(
                "the file system at {} has not answered for {} s and is skipped until it does ({} in all)",
                mount.point.display(),
                since.as_secs(),
                self.hung.len(),
            ))),
        }
    }
}

impl FileSystems {
    fn read_mounts(&mut self) -> Result<(), CollectError> {
        let text = self.mounts.read()?;
        if text.bytes != self.mounts_text {
            self.mounts_text = text.bytes.to_vec();
            self.list = parse(text.bytes);
        }
        Ok(())
    }

    /// Asks the local file systems and one of each server, then the others of the servers that answered.
    fn look(&mut self) {
        self.samples.clear();
        let mut seen = HashSet::new();
        let (first, second): (Vec<_>, Vec<_>) =
            self.list.iter().cloned().partition(|m| m.server.as_ref().is_none_or(|s| seen.insert(s.clone())));
        let fullest = higher(self.ask(first), self.ask(second));
        fullest.into_iter().for_each(|f| put(&mut self.samples, FULLEST, f));
    }

    /// One turn; gives the share in use of the fullest local file system of it.
    fn ask(&mut self, mounts: Vec<Arc<Mount>>) -> Option<f64> {
        let (askable, not): (Vec<_>, Vec<_>) = mounts.into_iter().partition(|m| self.is_askable(m));
        not.iter().for_each(|m| error(&mut self.samples, m));
        if askable.is_empty() {
            return None;
        }
        let first_call = self.calls;
        self.calls += askable.len();
        let pieces = askable.iter().cloned().enumerate().map(|(i, m)| (first_call + i, m)).collect();
        let mut fullest = None;
        for (call, outcome) in self.lane.run(pieces, &self.root) {
            match outcome {
                Outcome::Done { state, result: Ok(size), .. } => {
                    let used = put_size(&mut self.samples, &state, size);
                    if !state.may_hang && !size.read_only {
                        fullest = higher(fullest, used);
                    }
                }
                Outcome::Done { state, result: Err(_), .. } | Outcome::NotRun { state, .. } => error(&mut self.samples, &state),
                Outcome::Hung => {
                    let mount = &askable[call - first_call];
                    error(&mut self.samples, mount);
                    self.hung.push((call, Arc::clone(mount)));
                }
            }
        }
        fullest
    }

    /// Not one that hangs already, nor another of the same server, nor one that may hang when threads are scarce.
    fn is_askable(&self, mount: &Mount) -> bool {
        let like = |h: &Mount| h.point == mount.point || (h.server.is_some() && h.server == mount.server);
        let scarce = self.hung.len() >= HUNG_STATFS_MAX - HUNG_STATFS_LOCAL;
        !(self.hung.iter().any(|(_, h)| like(h)) || mount.may_hang && scarce)
    }
}

fn error(out: &mut Vec<Sample>, mount: &Mount) {
    put_labelled(out, ERROR, mount, 1.0);
}

/// Adds a mount's numbers; gives the share in use.
fn put_size(out: &mut Vec<Sample>, mount: &Mount, s: FileSystemSize) -> Option<f64> {
    if s.size == 0 {
        return None;
    }
    let whole = s.size.saturating_sub(s.free).saturating_add(s.available);
    let used = (whole > 0).then(|| 1.0 - s.available as f64 / whole as f64);
    for (attribute, value) in [
        (SIZE, s.size as f64),
        (FREE, s.free as f64),
        (AVAILABLE, s.available as f64),
        (FILES, s.files as f64),
        (FILES_FREE, s.files_free as f64),
        (READ_ONLY, f64::from(u8::from(s.read_only))),
        (ERROR, 0.0),
    ] {
        put_labelled(out, attribute, mount, value);
    }
    used.into_iter().for_each(|u| put_of(out, USED, &mount.instance, u));
    used
}

fn put_labelled(out: &mut Vec<Sample>, attribute: &'static Attribute, mount: &Mount, value: f64) {
    let instance = Some(Arc::clone(&mount.instance));
    out.push(Sample { attribute, instance, labels: Some(Arc::clone(&mount.labels)), value });
}

/// The mounts of `/proc/mounts` that hold somebody's files. Of several at one place the last is the one that is seen.
fn parse(text: &[u8]) -> Vec<Arc<Mount>> {
    let mut list: Vec<Mount> = Vec::new();
    for line in text.split(|b| *b == b'\n') {
        let mut words = words(line);
        let (Some(device), Some(point), Some(kind)) = (words.next(), words.next(), words.next()) else { continue };
        let (device, point) = (unescape(device), PathBuf::from(OsString::from_vec(unescape(point))));
        let kind = String::from_utf8_lossy(kind).into_owned();
        list.retain(|m| m.point != point);
        if is_shown(&point, &kind) {
            list.push(mount(&String::from_utf8_lossy(&device), point, kind, &list));
        }
    }
    list.sort_by_key(|m| m.may_hang);
    list.truncate(FILE_SYSTEMS_MAX);
    list.into_iter().map(Arc::new).collect()
}

fn mount(device: &str, point: PathBuf, kind: String, others: &[Mount]) -> Mount {
    let server = match device.strip_prefix("//") {
        Some(share) => share.split('/').next(),
        None => device.split_once(":/").map(|(server, _)| server),
    };
    let may_hang = MAY_HANG.contains(&&*kind) || kind.starts_with("fuse") || server.is_some();
    let mut instance = instance(&point.to_string_lossy());
    while others.iter().any(|m| *m.instance == *instance) {
        instance.push('_');
    }
    let labels =
        Arc::new([("device", device.to_string()), ("fstype", kind), ("mountpoint", point.to_string_lossy().into_owned())]);
    Mount { server: server.map(str::to_string), instance: instance.into(), point, labels, may_hang }
}

/// A mount point as part of an attribute's name: `/` is `root`, `/var/lib` is `var-lib`.
fn instance(point: &str) -> String {
    match point.trim_matches('/') {
        "" => "root".into(),
        path => path.replace(|c: char| c == '/' || c.is_whitespace() || c.is_control(), "-"),
    }
}

fn is_shown(point: &std::path::Path, kind: &str) -> bool {
    // A container's own root is an overlay; the others repeat what is under them.
    let repeats = kind == "overlay" && point != std::path::Path::new("/");
    !repeats && !NOT_SHOWN.contains(&kind) && !NOT_SHOWN_UNDER.iter().any(|p| point.starts_with(p))
}

/// The kernel writes a space, a tab, a line's end and a backslash as `\` and three octal digits.
fn unescape(word: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((&first, more)) = rest.split_first() {
        match (first, more) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..]) => {
                out.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = after;
            }
            _ => {
                out.push(first);
                rest = more;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_parsed() {
        let text = b"/dev/sda1 / ext4 rw 0 0\nproc /proc proc rw 0 0\nnas:/x /mnt/my\\040files nfs4 rw 0 0\n\
            //win/share /mnt/my-files cifs rw 0 0\noverlay /var/lib/docker/overlay2/1/merged overlay rw 0 0\n\
            /dev/old /data xfs rw 0 0\n/dev/new /data ext4 rw 0 0\nshort line\n";
        let got: Vec<_> = parse(text).iter().map(|m| format!("{} {} {:?}", m.instance, m.labels[0].1, m.server)).collect();
        let expected = [
            "root /dev/sda1 None",
            "data /dev/new None",
            "mnt-my-files nas:/x Some(\"nas\")",
            "mnt-my-files_ //win/share Some(\"win\")",
        ];
        assert_eq!(got, expected);
        assert_eq!(unescape(b"a\\134b\\04"), b"a\\b\\04");
    }
}

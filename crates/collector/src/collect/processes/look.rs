//! Looking at one process, and going through all of them a few at a time.

use crate::CollectError;
use crate::root::Root;
use crate::text::{Text, number, words};
use rustix::fs::{AtFlags, Mode, OFlags, RawDir, openat, statat};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::fmt::Write;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// What one look at a process says.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Look {
    /// When it began, in ticks after boot: tells it from a later one of the same number.
    pub(super) start: u64,
    pub(super) uid: u32,
    /// Processor time, in ticks.
    pub(super) ticks: u64,
    /// Bytes.
    pub(super) memory: u64,
    pub(super) io: Option<Io>,
    /// The kernel's letter.
    pub(super) state: u8,
    pub(super) parent: u32,
    pub(super) threads: u32,
    /// It is a thread of the kernel's own: it holds no memory and reads no files.
    pub(super) kernel: bool,
    /// Its `io` file is not for this daemon to read, and is not asked for again.
    io_denied: bool,
}

/// What is wanted of a `stat`.
struct Stat {
    start: u64,
    kernel: bool,
    ticks: u64,
    memory: u64,
    state: u8,
    parent: u32,
    threads: u32,
}

/// Bytes from and to disks.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Io {
    pub(super) read: u64,
    pub(super) written: u64,
}

/// Words of `/proc/PID/stat` after the program's name.
const STATE: usize = 0;
const PARENT: usize = 1;
const FLAGS: usize = 6;
const USER_TICKS: usize = 11;
const SYSTEM_TICKS: usize = 12;
const THREADS: usize = 17;
const START: usize = 19;
const RESIDENT_PAGES: usize = 21;
/// The kernel's `PF_KTHREAD`.
const KERNEL_THREAD: u64 = 0x0020_0000;

/// Bytes of entries asked of the kernel at a time: some 20 processes, as many as two or three rounds look at.
const ENTRIES_BYTES: usize = 512;
/// More than a line of `stat` with every number at its longest, and more than `io` has.
const FILE_BYTES: usize = 2048;

/// `/proc`, open, and how far through it one is.
pub(super) struct Proc {
    dir: OwnedFd,
    path: PathBuf,
    page_bytes: u64,
    /// Entries that came with the last call: a number, or something that is no process.
    entries: VecDeque<Option<u32>>,
    name: String,
    bytes: [u8; FILE_BYTES],
    command: String,
}

impl Proc {
    pub(super) fn open(root: &Root) -> Result<Self, CollectError> {
        let path = root.path("proc");
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = rustix::fs::open(&path, flags, Mode::empty()).map_err(|e| CollectError::read(&path, e.into()))?;
        Ok(Proc {
            dir,
            path,
            page_bytes: root.page_bytes(),
            entries: VecDeque::new(),
            name: String::new(),
            bytes: [0; FILE_BYTES],
            command: String::new(),
        })
    }

    /// The next entry; `None` at the end, after which it begins anew; `Some(None)` is an entry that is no process.
    pub(super) fn next(&mut self) -> Result<Option<Option<u32>>, CollectError> {
        if self.entries.is_empty() {
            let mut space = [MaybeUninit::<u8>::uninit(); ENTRIES_BYTES];
            let mut raw = RawDir::new(&self.dir, &mut space);
            // All of what one call gives must be taken: the rest would be lost with `raw`.
            loop {
                match raw.next() {
                    Some(Ok(entry)) => {
                        let pid = number(entry.file_name().to_bytes()).and_then(|n| u32::try_from(n).ok());
                        self.entries.push_back(pid);
                    }
                    // An entry that has no room in an empty buffer has a name too long for `/proc`.
                    Some(Err(e)) => return Err(CollectError::read(&self.path, e.into())),
                    None => break,
                }
                if raw.is_buffer_empty() {
                    break;
                }
            }
        }
        match self.entries.pop_front() {
            Some(entry) => Ok(Some(entry)),
            None => {
                let start = rustix::fs::SeekFrom::Start(0);
                rustix::fs::seek(&self.dir, start).map_err(|e| CollectError::read(&self.path, e.into()))?;
                Ok(None)
            }
        }
    }

    /// Looks at a process; `None` if it has ended. [`Proc::command`] is its program's name then.
    pub(super) fn look(&mut self, pid: u32, former: Option<&Look>) -> Result<Option<Look>, CollectError> {
        let Some(length) = self.read(pid, "/stat")?.filter(|l| *l > 0) else { return Ok(None) };
        let Stat { start, kernel, ticks, memory, state, parent, threads } = self.parse(length)?;
        let former = former.filter(|f| f.start == start);
        let uid = match former {
            Some(f) => f.uid,
            // The directory's owner is the user in effect, which the files in it may hide.
            None => match statat(&self.dir, pid.to_string(), AtFlags::empty()) {
                Ok(s) => s.st_uid,
                Err(_) => return Ok(None),
            },
        };
        let io_denied = former.is_some_and(|f| f.io_denied);
        let mut look = Look { start, uid, ticks, memory, io: None, state, parent, threads, kernel, io_denied };
        if !kernel && !look.io_denied {
            match self.read(pid, "/io") {
                Ok(Some(length)) => {
                    let path = self.path.join(&self.name);
                    look.io = Some(io(&Text { file: &path, bytes: &self.bytes[..length] })?);
                }
                Ok(None) | Err(_) => look.io_denied = true,
            }
        }
        Ok(Some(look))
    }

    /// The name of the program that was looked at last.
    pub(super) fn command(&self) -> &str {
        &self.command
    }

    /// What the `stat` in `bytes` says; its program's name goes to `command`.
    fn parse(&mut self, length: usize) -> Result<Stat, CollectError> {
        let path = self.path.join(&self.name);
        let text = Text { file: &path, bytes: &self.bytes[..length] };
        let line = text.bytes;
        // The name stands in parentheses and may itself contain some.
        let open = line.iter().position(|b| *b == b'(');
        let close = line.iter().rposition(|b| *b == b')');
        let Some((open, close)) = open.zip(close).filter(|(o, c)| o < c) else {
            return Err(text.garbage(Some(line), "the line", "a number and a name in parentheses"));
        };
        self.command.clear();
        self.command.extend(String::from_utf8_lossy(&line[open + 1..close]).chars().filter(|c| !c.is_control()));
        let all = words(&line[close + 1..]);
        let number = |place: usize| text.number(all.clone().nth(place), format_args!("word {}", place + 3));
        let small = |place: usize| Ok(number(place)?.try_into().unwrap_or(u32::MAX));
        Ok(Stat {
            state: all.clone().nth(STATE).and_then(|w| w.first().copied()).unwrap_or(b'?'),
            parent: small(PARENT)?,
            threads: small(THREADS)?,
            start: number(START)?,
            kernel: number(FLAGS)? & KERNEL_THREAD != 0,
            ticks: number(USER_TICKS)?.saturating_add(number(SYSTEM_TICKS)?),
            memory: number(RESIDENT_PAGES)?.saturating_mul(self.page_bytes),
        })
    }

    /// Reads a file of a process into `bytes`; its length, or `None` if it is not there.
    fn read(&mut self, pid: u32, file: &str) -> Result<Option<usize>, CollectError> {
        self.name.clear();
        // Writing to a string does not fail.
        write!(self.name, "{pid}{file}").ok();
        match read(self.dir.as_fd(), &self.name, &mut self.bytes) {
            Ok(length) => Ok(Some(length)),
            Err(Errno::NOENT | Errno::SRCH | Errno::NOTDIR | Errno::ACCESS | Errno::PERM) => Ok(None),
            Err(e) => Err(CollectError::read(&self.path.join(&self.name), e.into())),
        }
    }
}

fn read(dir: impl AsFd, name: impl AsRef<Path>, bytes: &mut [u8]) -> rustix::io::Result<usize> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = openat(dir, name.as_ref(), flags, Mode::empty())?;
    rustix::io::read(file, bytes)
}

/// What went to and came from disks. Kernels without this accounting have no such lines.
fn io(text: &Text<'_>) -> Result<Io, CollectError> {
    let mut io = Io { read: 0, written: 0 };
    for line in text.lines() {
        let mut words = words(line);
        match words.next() {
            Some(b"read_bytes:") => io.read = text.number(words.next(), "read_bytes")?,
            Some(b"write_bytes:") => io.written = text.number(words.next(), "write_bytes")?,
            _ => {}
        }
    }
    Ok(io)
}

//! Who uses this host: processes and users. They stay on the host; no record carries them.

use std::sync::Arc;
use std::time::Duration;

/// What one process uses.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessUse {
    /// Its number.
    pub pid: u32,
    /// Whose it is; `None` if that is not to be shown.
    pub user: Option<Arc<str>>,
    /// Its program's short name, without arguments; `None` if that is not to be shown.
    pub command: Option<Arc<str>>,
    /// Processors it used on average between the last two looks at it; `None` after the first.
    pub cpu: Option<f64>,
    /// Memory it holds, in bytes, with what it shares with others.
    pub memory: u64,
    /// Bytes per second it read from disks; `None` if unknown or not for the daemon to know.
    pub read: Option<f64>,
    /// Bytes per second it wrote to disks.
    pub written: Option<f64>,
    /// How old these figures were when the list was made.
    pub age: Duration,
    /// What it does, as the kernel's letter: `R` runs or may, `S` sleeps, `D` waits for a disk or the like, `T` is stopped, `Z` has ended.
    pub state: char,
    /// The process that started it, or took it over; 0 if none did.
    pub parent: u32,
    /// Threads.
    pub threads: u32,
    /// For how long it had been there when the list was made; `None` if unknown.
    pub running: Option<Duration>,
}

/// What all processes of one user use together.
#[derive(Clone, Debug, PartialEq)]
pub struct UserUse {
    /// Its name, or its number if the host's own list has no name for it.
    pub user: Arc<str>,
    /// Processes.
    pub processes: u32,
    /// Processors used.
    pub cpu: f64,
    /// Memory held, in bytes. What processes share is counted for each.
    pub memory: u64,
    /// Bytes per second read from disks, as far as known.
    pub read: f64,
    /// Bytes per second written to disks, as far as known.
    pub written: f64,
}

/// The processes and the users that use most of this host: of processors, of memory, of disks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Usage {
    /// The processes, those that use most processor time first.
    pub processes: Vec<ProcessUse>,
    /// The users, those that use most processor time first; none if they are not to be shown.
    pub users: Vec<UserUse>,
    /// Processes that were looked at, these among them.
    pub watched: u32,
}

/// What one process uses of one GPU.
#[derive(Clone, Debug, PartialEq)]
pub struct GpuUse {
    /// The GPU's number on this host.
    pub gpu: u32,
    /// The process's number.
    pub pid: u32,
    /// Whose it is; `None` if that is not to be shown or not known.
    pub user: Option<Arc<str>>,
    /// Its program's short name; `None` if that is not to be shown or not known.
    pub command: Option<Arc<str>>,
    /// Memory of the GPU it holds, in bytes; `None` if the driver does not tell.
    pub memory: Option<u64>,
}

//! Who uses the machine of the node that answers. It stays there: no other node is told.

use peermon_model::{GpuUse, ProcessUse, Usage, UserUse};
use serde::{Deserialize, Serialize};

/// The processes and users that use most of this node's machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageAnswer {
    /// The node's label.
    pub name: String,
    /// The processes, those that use most processor time first.
    pub processes: Vec<ProcessView>,
    /// The users, those that use most processor time first; none if the configuration hides them.
    pub users: Vec<UserView>,
    /// What processes use of GPUs.
    pub gpus: Vec<GpuUseView>,
    /// Processes that were looked at, these among them.
    pub watched: u32,
}

/// What one process uses.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProcessView {
    /// Its number.
    pub pid: u32,
    /// Whose it is; null if that is hidden.
    pub user: Option<String>,
    /// Its program's short name; null if that is hidden.
    pub command: Option<String>,
    /// Processors it used on average between the last two looks at it; null after the first.
    pub cpus: Option<f64>,
    /// Memory it holds, in bytes, with what it shares with others.
    pub mem: u64,
    /// Bytes per second it read from disks; null if not known.
    pub read: Option<f64>,
    /// Bytes per second it wrote to disks; null if not known.
    pub written: Option<f64>,
    /// How old these figures are, in seconds.
    pub age_seconds: f64,
    /// What it does: `runs`, `sleeps`, `waits` (for a disk or the like), `stopped`, `ended`, `idle`; null if not known.
    #[serde(default)]
    pub state: Option<String>,
    /// The number of the process that started it, or took it over; null if there is none.
    #[serde(default)]
    pub parent: Option<u32>,
    /// Threads; null if not known.
    #[serde(default)]
    pub threads: Option<u32>,
    /// For how long it has been there, in seconds; null if not known.
    #[serde(default)]
    pub running_seconds: Option<f64>,
}

/// What all processes of one user use together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UserView {
    /// Its name, or its number.
    pub user: String,
    /// Processes.
    pub processes: u32,
    /// Processors used.
    pub cpus: f64,
    /// Memory held, in bytes. What processes share is counted for each.
    pub mem: u64,
    /// Bytes per second read from disks, as far as known.
    pub read: f64,
    /// Bytes per second written to disks, as far as known.
    pub written: f64,
}

/// What one process uses of one GPU.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GpuUseView {
    /// The GPU's number on this machine.
    pub gpu: u32,
    /// The process's number.
    pub pid: u32,
    /// Whose it is; null if that is hidden or not known.
    pub user: Option<String>,
    /// Its program's short name; null if that is hidden or not known.
    pub command: Option<String>,
    /// Memory of the GPU it holds, in bytes; null if not known.
    pub mem: Option<u64>,
}

impl UsageAnswer {
    /// What was found, `since` seconds ago.
    pub fn of(name: String, usage: Option<&Usage>, gpus: Option<&[GpuUse]>, since: f64) -> Self {
        let process = |p: &ProcessUse| ProcessView {
            pid: p.pid,
            user: p.user.as_ref().map(ToString::to_string),
            command: p.command.as_ref().map(ToString::to_string),
            cpus: p.cpu,
            mem: p.memory,
            read: p.read,
            written: p.written,
            age_seconds: p.age.as_secs_f64() + since,
            state: state(p.state).map(Into::into),
            parent: (p.parent > 0).then_some(p.parent),
            threads: Some(p.threads),
            running_seconds: p.running.map(|r| r.as_secs_f64() + since),
        };
        let user = |u: &UserUse| UserView {
            user: u.user.to_string(),
            processes: u.processes,
            cpus: u.cpu,
            mem: u.memory,
            read: u.read,
            written: u.written,
        };
        let gpu = |g: &GpuUse| GpuUseView {
            gpu: g.gpu,
            pid: g.pid,
            user: g.user.as_ref().map(ToString::to_string),
            command: g.command.as_ref().map(ToString::to_string),
            mem: g.memory,
        };
        UsageAnswer {
            name,
            processes: usage.map_or_else(Vec::new, |u| u.processes.iter().map(process).collect()),
            users: usage.map_or_else(Vec::new, |u| u.users.iter().map(user).collect()),
            gpus: gpus.map_or_else(Vec::new, |g| g.iter().map(gpu).collect()),
            watched: usage.map_or(0, |u| u.watched),
        }
    }
}

/// The kernel's letter in a word.
fn state(letter: char) -> Option<&'static str> {
    Some(match letter {
        'R' => "runs",
        'S' => "sleeps",
        'D' => "waits",
        'T' | 't' => "stopped",
        'Z' | 'X' => "ended",
        'I' => "idle",
        _ => return None,
    })
}

//! Who uses most.

use super::Known;
use crate::collect::ProcessPrivacy;
use crate::limits::PROCESSES_TOLD;
use crate::user_names::UserNames;
use peermon_model::{Instant, ProcessUse, Usage, UserUse};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// The moment of which the list is.
#[derive(Clone, Copy)]
pub(super) struct At {
    pub(super) now: Instant,
    /// Seconds since the machine booted, if known.
    pub(super) uptime: Option<f64>,
    pub(super) ticks_per_second: f64,
}

/// The processes that used most processor time, the kernel's own threads among them.
pub(super) fn hottest(known: &HashMap<u32, Known>, most: usize) -> Vec<u32> {
    let mut busy: Vec<_> = known.iter().filter(|(_, k)| k.cpu.is_some_and(|c| c > 0.0)).collect();
    keep_highest(&mut busy, most, |(_, k)| k.cpu.unwrap_or(0.0));
    busy.into_iter().map(|(pid, _)| *pid).collect()
}

/// The processes and users that use most of processors, memory or disks.
pub(super) fn usage(known: &HashMap<u32, Known>, users: &mut UserNames, privacy: ProcessPrivacy, at: At) -> Usage {
    let names = privacy == ProcessPrivacy::Names;
    let amounts = |k: &Known| [k.cpu.unwrap_or(0.0), k.look.memory as f64, k.read.unwrap_or(0.0) + k.written.unwrap_or(0.0)];
    let pids = highest_of_each(known.iter().map(|(pid, k)| (*pid, amounts(k))).collect());
    let told = |pid: u32| {
        let k = known.get(&pid)?;
        Some(ProcessUse {
            pid,
            user: names.then(|| users.name(k.look.uid)),
            command: names.then(|| Arc::clone(&k.command)),
            cpu: k.cpu,
            memory: k.look.memory,
            read: k.read,
            written: k.written,
            age: at.now.since(k.at),
            state: k.look.state.into(),
            parent: k.look.parent,
            threads: k.look.threads,
            running: at.uptime.and_then(|up| Duration::try_from_secs_f64(up - k.look.start as f64 / at.ticks_per_second).ok()),
        })
    };
    let mut processes: Vec<ProcessUse> = pids.into_iter().filter_map(told).collect();
    processes.sort_by(|a, b| b.cpu.unwrap_or(0.0).total_cmp(&a.cpu.unwrap_or(0.0)).then(b.memory.cmp(&a.memory)));
    let users = if names { by_user(known, users) } else { Vec::new() };
    Usage { processes, users, watched: known.len().try_into().unwrap_or(u32::MAX) }
}

fn by_user(known: &HashMap<u32, Known>, names: &mut UserNames) -> Vec<UserUse> {
    let mut sums: HashMap<u32, UserUse> = HashMap::new();
    for k in known.values() {
        let new = || UserUse { user: names.name(k.look.uid), processes: 0, cpu: 0.0, memory: 0, read: 0.0, written: 0.0 };
        let sum = sums.entry(k.look.uid).or_insert_with(new);
        sum.processes += 1;
        sum.cpu += k.cpu.unwrap_or(0.0);
        sum.memory = sum.memory.saturating_add(k.look.memory);
        sum.read += k.read.unwrap_or(0.0);
        sum.written += k.written.unwrap_or(0.0);
    }
    let amounts = |u: &UserUse| [u.cpu, u.memory as f64, u.read + u.written];
    let uids = highest_of_each(sums.iter().map(|(uid, u)| (*uid, amounts(u))).collect());
    let mut users: Vec<UserUse> = uids.into_iter().filter_map(|uid| sums.remove(&uid)).collect();
    users.sort_by(|a, b| b.cpu.total_cmp(&a.cpu).then(b.memory.cmp(&a.memory)).then(a.user.cmp(&b.user)));
    users
}

/// Who is among the highest in one of three amounts.
fn highest_of_each(mut all: Vec<(u32, [f64; 3])>) -> BTreeSet<u32> {
    let mut told = BTreeSet::new();
    for i in 0..3 {
        let mut some: Vec<_> = all.iter_mut().filter(|(_, a)| a[i] > 0.0).map(|e| &*e).collect();
        keep_highest(&mut some, PROCESSES_TOLD, |(_, a)| a[i]);
        told.extend(some.iter().map(|(id, _)| *id));
    }
    told
}

/// Leaves the `most` highest, in no order.
fn keep_highest<T>(all: &mut Vec<T>, most: usize, amount: impl Fn(&T) -> f64) {
    if all.len() > most {
        all.select_nth_unstable_by(most, |a, b| amount(b).total_cmp(&amount(a)));
        all.truncate(most);
    }
}

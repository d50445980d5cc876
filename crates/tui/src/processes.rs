//! The processes of the node that answers: what they use, in which order, and the one that is looked at.

use crate::app::{App, Order, Page};
use crate::table::{Id, clean};
use crate::units;
use peermon_api::{HealthAnswer, PartsAnswer, ProcessView, UsageAnswer};
use peermon_model::Instant;
use std::cmp::Ordering;

/// What only the node that answers tells, and only of itself; an error in words where it told nothing.
#[derive(Clone, Debug)]
pub struct OwnAnswer {
    /// Who uses its machine.
    pub usage: Result<UsageAnswer, String>,
    /// What its probes found.
    pub health: Result<HealthAnswer, String>,
    /// Each processor, disk, file system and network interface.
    pub parts: Result<PartsAnswer, String>,
}

/// What this machine tells of one of its processes to the user of the terminal, with that user's rights; what it does not is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Details {
    /// Its arguments, as one line.
    pub command_line: Option<String>,
    /// The file of its program.
    pub program: Option<String>,
    /// The folder it is in.
    pub folder: Option<String>,
    /// Files it has open, with sockets and pipes.
    pub open_files: Option<usize>,
    /// Its control group: a service, a session, a container.
    pub group: Option<String>,
}

/// What was told, and what of it is looked at.
#[derive(Debug, Default)]
pub(crate) struct Own {
    pub(crate) told: Option<OwnAnswer>,
    /// When it was.
    pub(crate) at: Instant,
    /// Which of [`COLUMNS`] the list is sorted by.
    pub(crate) sort: usize,
    pub(crate) reversed: bool,
    /// The process the cursor is on.
    pub(crate) cursor: Option<u32>,
    /// The first line of the list that is seen.
    pub(crate) top: usize,
    /// The process whose page is open, as it was told last, and whether it is told of no more.
    pub(crate) process: Option<(ProcessView, bool)>,
    pub(crate) details: Option<(u32, Details)>,
}

/// A column of the list of processes.
pub(crate) struct Column {
    pub(crate) title: &'static str,
    pub(crate) width: u16,
    /// On a narrow terminal those with the lowest are left out.
    pub(crate) priority: u8,
    pub(crate) shows: Shows,
}

pub(crate) enum Shows {
    /// Its number, the lowest first.
    Pid,
    Text(fn(&ProcessView) -> Option<&str>),
    /// The highest first.
    Number(fn(&ProcessView, &UsageAnswer) -> Option<f64>, fn(f64) -> String),
}
use Shows::{Number, Pid, Text};

const fn column(title: &'static str, width: u16, priority: u8, shows: Shows) -> Column {
    Column { title, width, priority, shows }
}

/// All columns, in the order they stand. The last one takes what is left of the line.
pub(crate) static COLUMNS: &[Column] = &[
    column("PID", 8, 250, Pid),
    column("USER", 10, 230, Text(|p| p.user.as_deref())),
    column("CPU", 6, 249, Number(|p, _| p.cpus, processors)),
    column("MEM", 6, 248, Number(|p, _| Some(p.mem as f64), units::short_bytes)),
    column("GMEM", 6, 225, Number(gpu_memory, units::short_bytes)),
    column("READ", 6, 215, Number(|p, _| p.read, units::short_rate)),
    column("WRITE", 6, 216, Number(|p, _| p.written, units::short_rate)),
    column("THR", 5, 205, Number(|p, _| p.threads.map(f64::from), units::short_count)),
    column("TIME", 5, 210, Number(|p, _| p.running_seconds, units::short_seconds)),
    column("DOES", 7, 200, Text(|p| p.state.as_deref())),
    column("COMMAND", 15, 255, Text(|p| p.command.as_deref())),
];
/// Processor time: what the list is sorted by at first.
const CPU: usize = 2;

/// Processors used: `100%` is one.
pub(crate) fn processors(cpus: f64) -> String {
    let percent = cpus * 100.0;
    if !percent.is_finite() {
        "?".into()
    } else if percent.abs() < 9.95 {
        format!("{percent:.1}%")
    } else {
        format!("{:.0}%", percent.clamp(-9_999.0, 99_999.0))
    }
}

/// GPU memory a process holds, in bytes.
pub(crate) fn gpu_memory(p: &ProcessView, usage: &UsageAnswer) -> Option<f64> {
    let held = usage.gpus.iter().filter(|g| g.pid == p.pid).filter_map(|g| g.mem);
    held.map(|m| m as f64).reduce(|a, b| a + b)
}

impl Own {
    pub(crate) fn new() -> Own {
        Own { sort: CPU, ..Own::default() }
    }

    pub(crate) fn usage(&self) -> Option<&UsageAnswer> {
        self.told.as_ref()?.usage.as_ref().ok()
    }

    pub(crate) fn health(&self) -> Option<&HealthAnswer> {
        self.told.as_ref()?.health.as_ref().ok()
    }

    pub(crate) fn parts(&self) -> Option<&PartsAnswer> {
        self.told.as_ref()?.parts.as_ref().ok()
    }

    pub(crate) fn take(&mut self, mut told: OwnAnswer, now: Instant) {
        if let Ok(usage) = &mut told.usage {
            let users = usage.users.iter_mut().map(|u| &mut u.user);
            let gpus = usage.gpus.iter_mut().flat_map(|g| [&mut g.user, &mut g.command]).flatten();
            let processes = usage.processes.iter_mut().flat_map(|p| [&mut p.user, &mut p.command, &mut p.state]).flatten();
            users.chain(gpus).chain(processes).for_each(clean);
        }
        if let Ok(health) = &mut told.health {
            let reasons = health.reasons.iter_mut().chain(health.probes.iter_mut().filter_map(|p| p.reason.as_mut()));
            reasons.flat_map(|r| [&mut r.probe, &mut r.text, &mut r.severity]).for_each(clean);
            for p in &mut health.probes {
                p.instance.iter_mut().chain([&mut p.probe, &mut p.history]).for_each(clean);
            }
            for p in &mut health.peers {
                p.why.iter_mut().chain(&mut p.fetch).chain([&mut p.name, &mut p.history]).for_each(clean);
            }
        }
        if let Ok(parts) = &mut told.parts {
            let files = parts.file_systems.iter_mut().flat_map(|f| [&mut f.point, &mut f.device, &mut f.kind]);
            let cores = parts.cores.iter_mut().map(|c| &mut c.name);
            let disks = parts.disks.iter_mut().map(|d| &mut d.name);
            let interfaces = parts.interfaces.iter_mut().map(|i| &mut i.name);
            files.chain(cores).chain(disks).chain(interfaces).for_each(clean);
        }
        if let (Some((process, gone)), Ok(usage)) = (&mut self.process, &told.usage) {
            match usage.processes.iter().find(|p| p.pid == process.pid) {
                Some(p) => (*process, *gone) = (p.clone(), false),
                None => *gone = true,
            }
        }
        (self.told, self.at) = (Some(told), now);
    }

    pub(crate) fn take_details(&mut self, pid: u32, mut details: Details) {
        let Details { command_line, program, folder, group, .. } = &mut details;
        [command_line, program, folder, group].into_iter().flatten().for_each(clean);
        self.details = Some((pid, details));
    }

    /// The processes in the order of the list.
    pub(crate) fn order(&self) -> Vec<&ProcessView> {
        let Some(usage) = self.usage() else { return Vec::new() };
        let mut all: Vec<&ProcessView> = usage.processes.iter().collect();
        let compare = |a: &&ProcessView, b: &&ProcessView| {
            let turned = |order: Ordering| if self.reversed { order.reverse() } else { order };
            let order = match &COLUMNS[self.sort].shows {
                Pid => turned(a.pid.cmp(&b.pid)),
                Text(of) => known_first(of(a), of(b), |x, y| turned(x.cmp(y))),
                Number(of, _) => known_first(of(a, usage), of(b, usage), |x, y| turned(y.total_cmp(x))),
            };
            order.then(a.pid.cmp(&b.pid))
        };
        all.sort_by(compare);
        all
    }

    /// Sorts by a column; by the same one again, the other way round.
    fn sort_by(&mut self, column: usize) {
        self.reversed = self.sort == column && !self.reversed;
        self.sort = column;
    }
}

fn known_first<T>(a: Option<T>, b: Option<T>, compare: impl Fn(&T, &T) -> Ordering) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => compare(&a, &b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    }
}

/// What a key does in the list of processes or on the page of one.
#[derive(Clone, Copy)]
pub(crate) enum Move {
    Rows(isize),
    First,
    Last,
    Sort(isize),
    Turn,
    /// By the column at this place of the line.
    SortAt(u16),
}

impl App {
    /// Whether a page is of the node that answers, which alone tells of processes.
    pub(crate) fn is_own(&self, id: Id) -> bool {
        self.table.as_ref().and_then(|t| t.find(id)).is_some_and(|n| n.view.this)
    }

    /// Takes what the node that answers told of itself.
    pub(crate) fn take_own(&mut self, told: OwnAnswer) {
        if self.paused && self.own.told.is_some() {
            return;
        }
        self.own.take(told, self.now);
        self.look();
        self.show_process();
    }

    /// Asks for what this machine tells of the process whose page is open.
    pub(crate) fn look(&mut self) {
        if let (Page::Process(..), Some((p, false))) = (self.page, &self.own.process) {
            self.order(Order::Look(p.pid, p.running_seconds.map(|r| r.max(0.0) as u64)));
        }
    }

    pub(crate) fn move_processes(&mut self, id: Id, step: Move) {
        let order: Vec<u32> = self.own.order().iter().map(|p| p.pid).collect();
        let last = order.len().saturating_sub(1);
        let at = self.own.cursor.and_then(|pid| order.iter().position(|p| *p == pid));
        let to = match step {
            Move::Rows(by) => at.map_or(self.own.top, |at| at.saturating_add_signed(by)).min(last),
            Move::First => 0,
            Move::Last => last,
            Move::Turn => {
                self.own.reversed = !self.own.reversed;
                return self.show_process();
            }
            Move::Sort(by) => {
                let seen: Vec<usize> = crate::draw::process_columns(self).collect();
                let at = seen.iter().position(|c| *c == self.own.sort).unwrap_or(0);
                if let Some(column) = seen.get(at.saturating_add_signed(by)).filter(|c| **c != self.own.sort) {
                    self.own.sort_by(*column);
                }
                return self.show_process();
            }
            Move::SortAt(x) => {
                if let Some(column) = crate::draw::process_column_at(self, x) {
                    self.own.sort_by(column);
                }
                return self.show_process();
            }
        };
        self.own.cursor = order.get(to).copied();
        if matches!(self.page, Page::Process(..)) {
            self.open_process(id);
        }
        self.show_process();
    }

    /// Opens the page of the process the cursor is on.
    pub(crate) fn open_process(&mut self, id: Id) {
        let process = self.own.order().into_iter().find(|p| Some(p.pid) == self.own.cursor).cloned();
        let Some(process) = process else {
            self.own.cursor = self.own.order().get(self.own.top).map(|p| p.pid);
            return;
        };
        self.own.process = Some((process, false));
        self.go(Page::Process(id, 0));
        self.look();
    }

    /// Scrolls the list so that the cursor is seen, and no further than needed.
    pub(crate) fn show_process(&mut self) {
        let rows = crate::draw::process_rows(self).max(1);
        let order = self.own.order();
        let at = self.own.cursor.and_then(|pid| order.iter().position(|p| p.pid == pid));
        let most = order.len().saturating_sub(rows);
        if let Some(at) = at {
            self.own.top = self.own.top.clamp((at + 1).saturating_sub(rows), at);
        }
        self.own.top = self.own.top.min(most);
    }
}

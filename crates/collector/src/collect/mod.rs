//! All collectors: one file each, one line in [`COLLECTORS`] each.

mod cgroups;
mod clocks;
mod conntrack;
mod cpu;
pub(crate) mod custom;
mod disks;
mod drives;
mod edac;
mod fans;
mod filesystems;
mod gpu;
mod infiniband;
mod load;
mod memory;
mod net;
mod networks;
mod numa;
mod pressure;
mod process;
mod processes;
mod procs;
mod raid;
mod rings;
mod sockets;
mod softnet;
mod tcp;
mod temperature;
mod timex;
mod uptime;
mod users;

pub(crate) use net::speed_megabits;

use crate::error::CollectError;
use crate::hot_file::HotFile;
use crate::limits::{
    CGROUPS_INTERVAL, CLOCKS_INTERVAL, FILE_SYSTEMS_INTERVAL, GPU_INTERVAL, HARDWARE_INTERVAL, INFINIBAND_INTERVAL,
    NETWORKS_INTERVAL, NUMA_INTERVAL, RAID_INTERVAL, RINGS_INTERVAL, SENSORS_INTERVAL, SYSTEM_WINDOW_MAX, TIMEX_INTERVAL,
};
use crate::root::Root;
use crate::text::Text;
use peermon_model::{Attribute, Instant, Sample, Samples};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Reads one part of the host, once a round. It keeps former counters itself, to tell rates.
pub trait Collector: Send {
    /// Adds what it reads now to `out`. What this kernel lacks it leaves out.
    ///
    /// # Errors
    /// If a file cannot be read or does not say what it should; samples it added before that are right and stay.
    fn collect(&mut self, round: &Round, out: &mut Vec<Sample>) -> Result<(), CollectError>;

    /// Puts what is no sample into the round. Called after each `collect`.
    fn tell(&self, _: &mut Samples) {}
}

/// What a collector is told in a round.
#[derive(Clone)]
pub struct Round {
    /// Now.
    pub now: Instant,
    /// How often the collector shall look. The runner calls most only when it is time; those of [`Turn::Own`] keep it themselves.
    pub every: Duration,
    /// What several collectors read.
    stat: Arc<SharedFile>,
}

impl Round {
    /// The round at `now`, for collectors that shall look in each.
    pub fn new(now: Instant, setup: &Setup) -> Self {
        Round { now, every: Duration::ZERO, stat: Arc::clone(&setup.stat) }
    }

    /// The same round for a collector that shall look so often.
    #[must_use]
    pub fn every(&self, every: Duration) -> Self {
        Round { every, ..self.clone() }
    }

    /// `/proc/stat`, read once a round for all: on big machines the kernel adds up thousands of counters for it.
    pub(crate) fn stat(&self) -> Result<SharedText<'_>, CollectError> {
        self.stat.read(self.now)
    }
}

/// What a collector is made with.
#[derive(Clone)]
pub struct Setup {
    /// The machine to read.
    pub root: Root,
    /// The values configuration adds.
    pub custom: Arc<[custom::CustomValue]>,
    /// What is told of single processes.
    pub processes: ProcessPrivacy,
    /// How long the kernel's highest share of the processors is remembered.
    pub system_window: Duration,
    pub(crate) gpus: gpu::GpuFacts,
    stat: Arc<SharedFile>,
}

impl Setup {
    /// For the machine at `root`, with the values that configuration adds.
    pub fn new(root: &Root, custom: impl Into<Arc<[custom::CustomValue]>>) -> Self {
        let stat = Arc::new(SharedFile::new(root, "proc/stat"));
        Setup {
            root: root.clone(),
            custom: custom.into(),
            processes: ProcessPrivacy::default(),
            system_window: SYSTEM_WINDOW_MAX,
            gpus: gpu::GpuFacts::default(),
            stat,
        }
    }

    /// The same, with this much told of single processes.
    #[must_use]
    pub fn with_processes(mut self, processes: ProcessPrivacy) -> Self {
        self.processes = processes;
        self
    }

    /// The same, with the kernel's highest share of the processors remembered for so long.
    #[must_use]
    pub fn with_system_window(mut self, window: Duration) -> Self {
        self.system_window = window;
        self
    }

    pub(crate) fn hot(&self, path: &str) -> HotFile {
        HotFile::new(self.root.path(path))
    }
}

/// What is told of single processes. Others on this host see as much with `ps`, unless its administrator hides it from them.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum ProcessPrivacy {
    /// Numbers, users, names of programs (never their arguments) and what they use.
    #[default]
    Names,
    /// Numbers of processes and what they use.
    Numbers,
    /// Nothing, and no process is looked at.
    Off,
}

/// A line in the list of collectors.
#[derive(Clone, Copy)]
pub struct Entry {
    /// The collector's name in reports and in configuration.
    pub name: &'static str,
    /// Everything it may give (custom values aside).
    pub attributes: &'static [&'static Attribute],
    /// Makes one, which opens and reads nothing yet.
    pub make: fn(&Setup) -> Box<dyn Collector>,
    /// How often it looks as a rule; zero: every round.
    pub every: Duration,
    /// Who waits for what it gives.
    pub need: Need,
    /// Who sees to it that it looks no more often.
    pub turn: Turn,
}

/// Who waits for what a collector gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Need {
    /// All nodes: some of it is in the record. Nothing makes it look less often than configured.
    Published,
    /// Whoever asks, and then they want to know what was before: it looks even if nobody asks.
    Watched,
    /// Whoever asks: until somebody does, it looks rarely.
    Asked,
}

/// Who sees to it that a collector looks no more often than it shall.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turn {
    /// The runner, which tells in between what the collector gave last.
    Runner,
    /// The collector, for what it does takes several rounds.
    Own,
}

const fn entry(name: &'static str, attributes: &'static [&'static Attribute], make: fn(&Setup) -> Box<dyn Collector>) -> Entry {
    Entry { name, attributes, make, every: Duration::ZERO, need: Need::Asked, turn: Turn::Runner }
}

impl Entry {
    const fn every(self, every: Duration) -> Self {
        Entry { every, ..self }
    }

    const fn published(self) -> Self {
        Entry { need: Need::Published, ..self }
    }

    const fn watched(self) -> Self {
        Entry { need: Need::Watched, ..self }
    }

    const fn own_turn(self) -> Self {
        Entry { turn: Turn::Own, ..self }
    }
}

/// All collectors, in the order in which they run. Those that may wait for something outside the kernel come last.
pub static COLLECTORS: &[Entry] = &[
    entry("cpu", cpu::ATTRIBUTES, cpu::make).published(),
    entry("load", load::ATTRIBUTES, load::make).published(),
    entry("procs", procs::ATTRIBUTES, procs::make).published(),
    entry("memory", memory::ATTRIBUTES, memory::make).published(),
    entry("pressure", pressure::ATTRIBUTES, pressure::make).published(),
    entry("disks", disks::ATTRIBUTES, disks::make).published(),
    entry("tcp", tcp::ATTRIBUTES, tcp::make),
    entry("sockets", sockets::ATTRIBUTES, sockets::make),
    entry("softnet", softnet::ATTRIBUTES, softnet::make),
    entry("conntrack", conntrack::ATTRIBUTES, conntrack::make),
    entry("timex", timex::ATTRIBUTES, timex::make).every(TIMEX_INTERVAL),
    entry("uptime", uptime::ATTRIBUTES, uptime::make),
    entry("process", process::ATTRIBUTES, process::make),
    entry("processes", processes::ATTRIBUTES, processes::make).watched(),
    entry("users", users::ATTRIBUTES, users::make).published(),
    entry("numa", numa::ATTRIBUTES, numa::make).every(NUMA_INTERVAL),
    entry("raid", raid::ATTRIBUTES, raid::make).every(RAID_INTERVAL),
    entry("net", net::ATTRIBUTES, net::make).published(),
    entry("rings", rings::ATTRIBUTES, rings::make).every(RINGS_INTERVAL),
    entry("infiniband", infiniband::ATTRIBUTES, infiniband::make).every(INFINIBAND_INTERVAL),
    entry("networks", networks::ATTRIBUTES, networks::make).every(NETWORKS_INTERVAL).own_turn(),
    entry("cgroups", cgroups::ATTRIBUTES, cgroups::make).every(CGROUPS_INTERVAL),
    entry("clocks", clocks::ATTRIBUTES, clocks::make).every(CLOCKS_INTERVAL).own_turn(),
    entry("edac", edac::ATTRIBUTES, edac::make).every(HARDWARE_INTERVAL),
    entry("drives", drives::ATTRIBUTES, drives::make).every(HARDWARE_INTERVAL),
    entry("fans", fans::ATTRIBUTES, fans::make).every(SENSORS_INTERVAL),
    entry("temperature", temperature::ATTRIBUTES, temperature::make).published().every(SENSORS_INTERVAL),
    entry("gpu", gpu::ATTRIBUTES, gpu::make).published().every(GPU_INTERVAL).own_turn(),
    entry("filesystems", filesystems::ATTRIBUTES, filesystems::make).every(FILE_SYSTEMS_INTERVAL).own_turn(),
    entry("custom", &[], custom::make).published(),
];

/// The attributes of all collectors and of the runner, for [`peermon_model::Catalogue::new`].
pub fn attribute_lists() -> impl Iterator<Item = &'static [&'static Attribute]> {
    COLLECTORS.iter().map(|e| e.attributes).chain([crate::runner::ATTRIBUTES])
}

/// A file and what it said in which round.
type Reading = (HotFile, Option<(Instant, Vec<u8>)>);

/// A file that several collectors read, once a round.
struct SharedFile {
    state: Mutex<Reading>,
    path: std::path::PathBuf,
}

impl SharedFile {
    fn new(root: &Root, path: &str) -> Self {
        let path = root.path(path);
        SharedFile { state: Mutex::new((HotFile::new(path.clone()), None)), path }
    }

    fn read(&self, now: Instant) -> Result<SharedText<'_>, CollectError> {
        let mut guard = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, held) = &mut *guard;
        if held.as_ref().is_none_or(|(at, _)| *at != now) {
            let mut bytes = held.take().map(|(_, b)| b).unwrap_or_default();
            let text = file.read()?;
            bytes.clear();
            bytes.extend_from_slice(text.bytes);
            *held = Some((now, bytes));
        }
        Ok(SharedText { guard, path: &self.path })
    }
}

/// A shared file's text, held while it is read.
pub(crate) struct SharedText<'a> {
    guard: MutexGuard<'a, Reading>,
    path: &'a Path,
}

impl SharedText<'_> {
    pub(crate) fn text(&self) -> Text<'_> {
        let bytes = self.guard.1.as_ref().map(|(_, b)| b.as_slice()).unwrap_or_default();
        Text { file: self.path, bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use peermon_model::{Catalogue, limits::ATTRIBUTE_NAME_BYTES_MAX};
    use std::collections::BTreeMap;

    #[test]
    fn names_are_well_formed_and_mean_one_thing() {
        let catalogue = Catalogue::new(attribute_lists());
        let mut prometheus = BTreeMap::new();
        for a in catalogue.iter() {
            let rest = a.name.replace("{}", "x");
            assert!(rest.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_')), "{}", a.name);
            assert!(a.name.len() <= ATTRIBUTE_NAME_BYTES_MAX && a.help.ends_with('.'), "{}: {}", a.name, a.help);
            if let Some(p) = &a.prometheus {
                let key = (p.name, p.labels);
                assert_eq!(prometheus.insert(key, &a.name), None, "{} has two attributes", p.name);
                // These have several labels instead, which their samples carry.
                let labelled = ["node_filesystem_", "node_hwmon_", "node_infiniband_", "node_cpu_core_throttles_total"];
                let labelled = labelled.iter().any(|l| p.name.starts_with(l));
                assert_eq!(p.instance_label.is_empty(), labelled || !a.name.contains("{}"), "{}", a.name);
            }
        }
    }

    #[test]
    fn every_vital_of_a_host_has_a_collector() {
        let elsewhere = ["health"];
        for v in peermon_model::vitals::VITALS {
            let n = COLLECTORS.iter().filter(|e| e.attributes.iter().any(|a| a.name == v.attribute.name)).count();
            assert_eq!(n, usize::from(!elsewhere.contains(&&*v.attribute.name)), "{}", v.attribute.name);
            let by = COLLECTORS.iter().find(|e| e.attributes.iter().any(|a| a.name == v.attribute.name));
            assert!(by.is_none_or(|e| e.need == Need::Published), "{} is in the record", v.attribute.name);
        }
    }
}

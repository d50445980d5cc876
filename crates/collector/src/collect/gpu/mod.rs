//! GPUs: one file for each maker's way of telling. The driver is asked on a thread of its own, since it may take seconds.

mod amd;
mod nvidia;

use super::{Collector, ProcessPrivacy, Round, Setup};
use crate::CollectError;
use crate::attributes::{attributes, put, put_of, put_some, put_some_of, vital};
use crate::hot_file::read_word;
use crate::lane::{Lane, Outcome, Patience};
use crate::limits::{COLLECTOR_TIME_MAX, GPU_LOOK_INTERVAL, GPU_TIME_MAX, GPU_VALID, GPUS_MAX};
use crate::root::Root;
use crate::user_names::UserNames;
use peermon_model::Unit::{Bytes, Celsius, Count, Ratio, Watts};
use peermon_model::{Attribute, Facts, GpuUse, Instant, Sample, Samples, Value};
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex, PoisonError};

attributes! {
    BUSIEST = vital("gpu.busy");
    ALL_MEMORY = vital("gpu.mem.used");
    BUSY = &Attribute::gauge("gpu.{}.busy", Ratio, "Share of time in which one GPU had work.");
    MEMORY_USED = &Attribute::gauge("gpu.{}.mem.used", Bytes, "Memory of one GPU in use.");
    MEMORY_TOTAL = &Attribute::gauge("gpu.{}.mem.total", Bytes, "Memory of one GPU.");
    TEMPERATURE = &Attribute::gauge("gpu.{}.temperature", Celsius, "Temperature of one GPU.");
    POWER = &Attribute::gauge("gpu.{}.power", Watts, "Power one GPU draws.");
    PROCESSES = &Attribute::gauge("gpu.{}.procs", Count, "Processes that use one GPU.");
}

/// What a driver says of one GPU.
#[derive(Clone, Default, PartialEq, Debug)]
struct Gpu {
    model: Option<String>,
    busy: Option<f64>,
    memory_used: Option<u64>,
    memory_total: Option<u64>,
    celsius: Option<f64>,
    watts: Option<f64>,
    processes: Option<Vec<Holder>>,
}

/// A process on a GPU, and what it holds of its memory.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Holder {
    pid: u32,
    memory: Option<u64>,
}

/// One maker's way of telling. `read` may wait.
trait Driver: Send {
    fn is_there(&self) -> bool;
    fn read(&mut self) -> Result<Vec<Gpu>, String>;
}

/// What a driver said, or why it did not.
type Told = Result<Vec<Gpu>, String>;

/// A driver with what it told last.
struct Asked {
    driver: Box<dyn Driver>,
    told: Told,
    at: Instant,
}

/// What facts need of the GPUs, kept for who gathers them.
#[derive(Clone, Default, Debug)]
pub(crate) struct GpuFacts(Arc<Mutex<Vec<Built>>>);

/// What of a GPU does not change: its model and its memory.
type Built = (Option<String>, Option<u64>);

impl GpuFacts {
    /// Puts what is known now among the facts.
    pub(crate) fn put(&self, facts: &mut Facts) {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.is_empty() {
            return;
        }
        facts.put("gpu.count", None, Value::Number(all.len() as f64));
        let memory: Vec<u64> = all.iter().filter_map(|(_, m)| *m).collect();
        if !memory.is_empty() {
            facts.put("gpu.mem.total", None, Value::Number(memory.iter().sum::<u64>() as f64));
        }
        let mut models: Vec<&str> = all.iter().filter_map(|(m, _)| m.as_deref()).collect();
        models.dedup();
        if !models.is_empty() {
            facts.put("gpu.model", None, Value::text(&models.join(", ")));
        }
    }

    fn set(&self, gpus: &[&Gpu]) {
        let all = gpus.iter().map(|g| (g.model.clone(), g.memory_total)).collect();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = all;
    }
}

struct Gpus {
    root: Root,
    privacy: ProcessPrivacy,
    users: UserNames,
    facts: GpuFacts,
    /// Those that are not with the driver's thread now, by their place in the list.
    here: Vec<(usize, Asked)>,
    lane: Lane<usize, Asked, Instant, ()>,
    looked: Option<Instant>,
    there: bool,
    asked: Option<Instant>,
    /// What each driver told last, and when.
    told: Vec<Option<(Instant, Told)>>,
    usage: Option<Arc<[GpuUse]>>,
}

pub(super) fn make(setup: &Setup) -> Box<dyn Collector> {
    let drivers: Vec<Box<dyn Driver>> =
        vec![Box::new(nvidia::Nvidia::new(setup.root.clone())), Box::new(amd::Amd(setup.root.clone()))];
    Box::new(Gpus::new(setup, drivers))
}

impl Gpus {
    fn new(setup: &Setup, drivers: Vec<Box<dyn Driver>>) -> Self {
        let asked = |(place, driver)| (place, Asked { driver, told: Ok(Vec::new()), at: Instant::ZERO });
        // Files of a made-up machine are waited for, so that its first round has all there is.
        let piece = if setup.root.is_host() { GPU_TIME_MAX } else { COLLECTOR_TIME_MAX };
        let patience = Patience { piece, call: 2 * piece, stuck_max: drivers.len() };
        let work = |asked: &mut Asked, now: &Instant| {
            asked.told = if asked.driver.is_there() { asked.driver.read() } else { Ok(Vec::new()) };
            asked.at = *now;
        };
        Gpus {
            root: setup.root.clone(),
            privacy: setup.processes,
            users: UserNames::new(setup.root.path("etc/passwd")),
            facts: setup.gpus.clone(),
            told: drivers.iter().map(|_| None).collect(),
            here: drivers.into_iter().enumerate().map(asked).collect(),
            lane: Lane::new("peermon-gpu", work, patience),
            looked: None,
            there: false,
            asked: None,
            usage: None,
        }
    }

    fn take_back(&mut self, place: usize, asked: Asked) {
        self.told[place] = Some((asked.at, asked.told.clone()));
        self.here.push((place, asked));
    }

    fn ask(&mut self, now: Instant) {
        self.asked = Some(now);
        let pieces = std::mem::take(&mut self.here);
        for (place, outcome) in self.lane.run(pieces, &now) {
            match outcome {
                Outcome::Done { state, .. } => self.take_back(place, state),
                Outcome::NotRun { state, .. } => self.here.push((place, state)),
                // It comes back when the driver answers, and is not asked again before.
                Outcome::Hung => {}
            }
        }
    }

    fn name_holders(&mut self, gpus: &[Gpu], now: Instant) -> Option<Arc<[GpuUse]>> {
        if self.privacy == ProcessPrivacy::Off || gpus.iter().all(|g| g.processes.is_none()) {
            return None;
        }
        self.users.refresh(now);
        let mut all = Vec::new();
        for (gpu, holders) in gpus.iter().enumerate() {
            for h in holders.processes.iter().flatten() {
                let dir = self.root.path("proc").join(h.pid.to_string());
                let names = self.privacy == ProcessPrivacy::Names;
                let user = names.then(|| std::fs::metadata(&dir).ok()).flatten().map(|m| self.users.name(m.uid()));
                let command = names.then(|| read_word(&dir.join("comm"))).flatten().map(Into::into);
                all.push(GpuUse { gpu: gpu as u32, pid: h.pid, user, command, memory: h.memory });
            }
        }
        Some(all.into())
    }
}

impl Collector for Gpus {
    fn collect(&mut self, round: &Round, out: &mut Vec<Sample>) -> Result<(), CollectError> {
        let now = round.now;
        let returned = self.lane.returned();
        let news = !returned.is_empty();
        returned.into_iter().for_each(|(place, asked)| self.take_back(place, asked));
        if self.looked.is_none_or(|at| now.since(at) >= GPU_LOOK_INTERVAL) {
            self.looked = Some(now);
            self.there |= self.here.iter().any(|(_, a)| a.driver.is_there());
        }
        // Without a GPU there is no thread.
        if !self.there {
            return Ok(());
        }
        let due = self.asked.is_none_or(|at| now.since(at) >= round.every);
        if due && !self.here.is_empty() {
            self.ask(now);
        }
        let valid_for = GPU_VALID.max(round.every * 2);
        let valid = self.told.iter().flatten().filter(|(at, _)| now.since(*at) <= valid_for);
        let mut gpus: Vec<Gpu> = valid.clone().filter_map(|(_, told)| told.as_ref().ok()).flatten().cloned().collect();
        gpus.truncate(GPUS_MAX);
        let failure = valid.clone().find_map(|(_, told)| told.as_ref().err()).cloned();
        if due || news {
            self.facts.set(&gpus.iter().collect::<Vec<_>>());
            self.usage = self.name_holders(&gpus, now);
        }
        put_all(&gpus, out);
        failure.map_or(Ok(()), |why| Err(CollectError::Other(why)))
    }

    fn tell(&self, round: &mut Samples) {
        round.gpu_usage.clone_from(&self.usage);
    }
}

fn put_all(gpus: &[Gpu], out: &mut Vec<Sample>) {
    for (i, g) in gpus.iter().enumerate() {
        let name = i.to_string().into();
        put_some_of(out, BUSY, &name, g.busy);
        put_some_of(out, MEMORY_USED, &name, g.memory_used);
        put_some_of(out, MEMORY_TOTAL, &name, g.memory_total);
        put_some_of(out, TEMPERATURE, &name, g.celsius);
        put_some_of(out, POWER, &name, g.watts);
        if let Some(processes) = &g.processes {
            put_of(out, PROCESSES, &name, processes.len() as u64);
        }
    }
    put_some(out, BUSIEST, gpus.iter().filter_map(|g| g.busy).reduce(f64::max));
    let memory = gpus.iter().filter_map(|g| g.memory_used.zip(g.memory_total));
    let (used, total) = memory.fold((0.0, 0.0), |(u, t), (used, total)| (u + used as f64, t + total as f64));
    if total > 0.0 {
        put(out, ALL_MEMORY, (used / total).min(1.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A driver of two GPUs of which one tells little, with this test on one of them.
    struct Two {
        fails: bool,
    }

    impl Driver for Two {
        fn is_there(&self) -> bool {
            true
        }

        fn read(&mut self) -> Result<Vec<Gpu>, String> {
            self.fails = !self.fails;
            if self.fails {
                return Err("the driver is of another version".into());
            }
            let me = Holder { pid: std::process::id(), memory: Some(3 << 30) };
            let first = Gpu {
                model: Some("Example 9000".into()),
                busy: Some(0.75),
                memory_used: Some(8 << 30),
                memory_total: Some(16 << 30),
                celsius: Some(61.0),
                watts: Some(250.5),
                processes: Some(vec![me]),
            };
            Ok(vec![first.clone(), Gpu { busy: None, memory_used: Some(0), processes: None, ..first }])
        }
    }

    #[test]
    fn gpus_make_vitals_facts_and_a_list() {
        let setup = Setup::new(&Root::host(), []);
        let mut gpus = Gpus::new(&setup, vec![Box::new(Two { fails: true })]);
        let mut out = Vec::new();
        let at = |s: u64| Round::new(Instant::from_millis(s * 1000), &setup);
        // A busy machine may not run the driver's thread in time; its answer comes in a later round.
        let told = (1..600).step_by(60).any(|s| {
            out.clear();
            gpus.collect(&at(s), &mut out).is_ok() && !out.is_empty()
        });
        assert!(told);
        let value = |name: &str| out.iter().find(|s| s.name() == name).map(|s| s.value);
        for (name, expected) in [
            ("gpu.busy", Some(0.75)),
            ("gpu.mem.used", Some(0.25)),
            ("gpu.0.power", Some(250.5)),
            ("gpu.0.procs", Some(1.0)),
            ("gpu.1.busy", None),
            ("gpu.1.temperature", Some(61.0)),
        ] {
            assert_eq!(value(name), expected, "{name}");
        }
        let mut facts = Facts::default();
        setup.gpus.put(&mut facts);
        assert_eq!((facts.number("gpu.count"), facts.number("gpu.mem.total")), (Some(2.0), Some((32_u64 << 30) as f64)));
        assert_eq!(facts.value("gpu.model"), Some(&Value::text("Example 9000")));
        let mut round = Samples::default();
        gpus.tell(&mut round);
        let usage = round.gpu_usage.expect("a list");
        assert_eq!((usage.len(), usage[0].pid, usage[0].memory), (1, std::process::id(), Some(3 << 30)));
        assert!(usage[0].user.is_some() && usage[0].command.is_some());
    }
}

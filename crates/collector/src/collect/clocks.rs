//! Processors' clocks: how fast they run, and how often heat slowed them down.

use super::{Collector, Round, Setup};
use crate::CollectError;
use crate::attributes::{attributes, put, put_of};
use crate::limits::{CLOCKS_PROCESSORS_MAX, CLOCKS_TURN_TIME_MAX};
use crate::root::Root;
use crate::sysfs::{numbered, value};
use peermon_model::Unit::{Count, Hertz};
use peermon_model::{Attribute, Instant, Sample};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

attributes! {
    FREQUENCY_MEAN = &Attribute::gauge("cpu.frequency", Hertz, "Mean clock rate of the processors.");
    FREQUENCY = &frequency("cpu.{}.frequency", "Clock rate of one processor.", "node_cpu_scaling_frequency_hertz");
    FREQUENCY_MIN = &frequency("cpu.{}.frequency.min", "Lowest clock rate one processor may be given.", "node_cpu_scaling_frequency_min_hertz");
    FREQUENCY_MAX = &frequency("cpu.{}.frequency.max", "Highest clock rate one processor may be given.", "node_cpu_scaling_frequency_max_hertz");
    THROTTLES = &Attribute::counter("cpu.throttles", Count, "Times heat slowed a core or a package down, all of them together.");
    CORE_THROTTLES = &Attribute::counter("cpu.core.{}.throttles", Count, "Times heat slowed one core down.").prom("node_cpu_core_throttles_total", "", &[]);
    PACKAGE_THROTTLES = &Attribute::counter("cpu.package.{}.throttles", Count, "Times heat slowed one package down.").prom("node_cpu_package_throttles_total", "package", &[]);
}

const fn frequency(name: &'static str, help: &'static str, prometheus: &'static str) -> Attribute {
    Attribute::gauge(name, Hertz, help).prom(prometheus, "cpu", &[])
}

struct Clocks {
    root: Root,
    /// When the list of processors was made.
    listed: Option<Instant>,
    processors: Vec<Processor>,
    /// The next one to read.
    next: usize,
    /// What was read of each, by its place.
    samples: Vec<Vec<Sample>>,
    /// How often heat slowed each package down; each of its cores tells it.
    packages: BTreeMap<u64, u64>,
    /// Throttling, in all.
    sums: Vec<Sample>,
}

struct Processor {
    name: Arc<str>,
    dir: PathBuf,
    /// Package and core, if it is the core's first processor and counts its throttling.
    core: Option<(u64, u64)>,
}

pub(super) fn make(setup: &Setup) -> Box<dyn Collector> {
    Box::new(Clocks {
        root: setup.root.clone(),
        listed: None,
        processors: Vec::new(),
        next: 0,
        samples: Vec::new(),
        packages: BTreeMap::new(),
        sums: Vec::new(),
    })
}

impl Collector for Clocks {
    fn collect(&mut self, round: &Round, out: &mut Vec<Sample>) -> Result<(), CollectError> {
        let mut result = Ok(());
        if self.listed.is_none_or(|at| round.now.since(at) >= round.every) {
            self.listed = Some(round.now);
            self.list();
        }
        if self.next < self.processors.len() {
            result = self.read_some();
        }
        out.extend(self.samples.iter().flatten().cloned());
        out.extend_from_slice(&self.sums);
        result
    }
}

impl Clocks {
    /// Begins anew with all processors that are there now.
    fn list(&mut self) {
        let mut cores = BTreeSet::new();
        let all = numbered(&self.root.path("sys/devices/system/cpu"), "cpu", CLOCKS_PROCESSORS_MAX);
        let processors = all.into_iter().filter_map(|(number, dir)| {
            let throttles = dir.join("thermal_throttle").exists();
            let id = |file: &str| value(&dir.join("topology").join(file)).ok().flatten();
            let core = throttles.then(|| Some((id("physical_package_id")?, id("core_id")?))).flatten();
            let core = core.filter(|c| cores.insert(*c));
            (core.is_some() || dir.join("cpufreq").exists()).then(|| Processor { name: number.to_string().into(), dir, core })
        });
        let old = std::mem::replace(&mut self.processors, processors.collect());
        if old.iter().map(|p| &p.name).ne(self.processors.iter().map(|p| &p.name)) {
            self.samples = self.processors.iter().map(|_| Vec::new()).collect();
        }
        self.next = 0;
    }

    /// Reads processors for as long as a turn may take: some kernels wait 10 ms for each clock they measure.
    fn read_some(&mut self) -> Result<(), CollectError> {
        let begun = std::time::Instant::now();
        while let Some(p) = self.processors.get(self.next) {
            let samples = &mut self.samples[self.next];
            samples.clear();
            self.next += 1;
            p.read(samples, &mut self.packages)?;
            // A made-up machine's files answer at once, and all at once for its tests.
            if self.root.is_host() && begun.elapsed() >= CLOCKS_TURN_TIME_MAX {
                break;
            }
        }
        if self.next == self.processors.len() {
            self.add_up();
        }
        Ok(())
    }

    fn add_up(&mut self) {
        self.sums.clear();
        let all = || self.samples.iter().flatten();
        let clocks: Vec<f64> = all().filter(|s| std::ptr::eq(s.attribute, FREQUENCY)).map(|s| s.value).collect();
        if !clocks.is_empty() {
            put(&mut self.sums, FREQUENCY_MEAN, clocks.iter().sum::<f64>() / clocks.len() as f64);
        }
        let cores: Vec<f64> = all().filter(|s| std::ptr::eq(s.attribute, CORE_THROTTLES)).map(|s| s.value).collect();
        if !cores.is_empty() {
            put(&mut self.sums, THROTTLES, cores.iter().sum::<f64>() + self.packages.values().sum::<u64>() as f64);
        }
        for (package, n) in &self.packages {
            put_of(&mut self.sums, PACKAGE_THROTTLES, &package.to_string().into(), *n);
        }
    }
}

impl Processor {
    fn read(&self, out: &mut Vec<Sample>, packages: &mut BTreeMap<u64, u64>) -> Result<(), CollectError> {
        let clocks = [("scaling_cur_freq", FREQUENCY), ("scaling_min_freq", FREQUENCY_MIN), ("scaling_max_freq", FREQUENCY_MAX)];
        for (file, attribute) in clocks {
            let path = self.dir.join("cpufreq").join(file);
            // A driver that cannot tell says so in words.
            let kilohertz = if attribute == FREQUENCY { value(&path).unwrap_or(None) } else { value(&path)? };
            if let Some(k) = kilohertz {
                put_of(out, attribute, &self.name, k as f64 * 1e3);
            }
        }
        let Some((package, core)) = self.core else { return Ok(()) };
        let throttles = |file: &str| count(&self.dir, file);
        if let Some(n) = throttles("core_throttle_count")? {
            put_of(out, CORE_THROTTLES, &format!("{package}-{core}").into(), n);
            if let Some(sample) = out.last_mut() {
                sample.labels = Some([("core", core.to_string()), ("package", package.to_string())].into());
            }
        }
        if let Some(n) = throttles("package_throttle_count")? {
            let most = packages.entry(package).or_default();
            *most = n.max(*most);
        }
        Ok(())
    }
}

fn count(processor: &Path, file: &str) -> Result<Option<u64>, CollectError> {
    value(&processor.join("thermal_throttle").join(file))
}

//! The programs in the kernel: loading them, and reading what they counted.

use crate::attributes::{self, Shown};
use crate::error::{LoadError, ReadError, system_error, whole};
use crate::histogram::{Histogram, Raw};
use aya::maps::{Array, Map, MapData, MapError, PerCpuArray};
use aya::programs::BtfTracePoint;
use aya::{Btf, Ebpf, EbpfLoader, include_bytes_aligned};
use peermon_model::{Attribute, Instant, Sample};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What made the programs in this build: a compiler and its version, or why the object kept with the source was taken.
pub const OBJECT_FROM: &str = env!("PEERMON_BPF_FROM");

static OBJECT: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/capture.o"));

/// The oldest kernel: from here on a task's state and the arguments of the trace points are as the programs take them.
const KERNEL_MIN: (u32, u32) = (5, 14);
/// Buckets for Prometheus end at every second power of two from 2^10 ns (1 µs) to 2^34 ns (17 s): fine enough to see a
/// change, and 14 series with the last one.
const BUCKET_POWERS: [usize; 13] = [10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34];

/// What is measured, each by programs of its own: if one is refused, the others go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// How long tasks wait for a processor.
    RunQueue,
    /// How long requests are with disks.
    Block,
    /// Round trips of TCP connections.
    TcpRtt,
    /// TCP segments sent again.
    TcpRetransmits,
}

impl Part {
    const ALL: [Part; 4] = [Part::RunQueue, Part::Block, Part::TcpRtt, Part::TcpRetransmits];

    /// Its programs in `bpf/capture.bpf.c`, and the trace points they run at.
    const fn programs(self) -> &'static [(&'static str, &'static str)] {
        match self {
            // the order matters: nothing is entered in the table of waiting tasks before there is a program that takes it out
            Part::RunQueue => &[("switch_to", "sched_switch"), ("wakeup", "sched_wakeup"), ("wakeup_new", "sched_wakeup_new")],
            Part::Block => &[("complete", "block_rq_complete"), ("issue", "block_rq_issue")],
            Part::TcpRtt => &[("segment", "tcp_probe")],
            Part::TcpRetransmits => &[("retransmit", "tcp_retransmit_skb")],
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::RunQueue => "run queues",
            Part::Block => "block I/O",
            Part::TcpRtt => "TCP round trips",
            Part::TcpRetransmits => "TCP retransmits",
        })
    }
}

/// The programs in the kernel. They are gone from it when this is dropped, or its process ends, however it ends.
pub struct Capture {
    /// Holds the programs.
    bpf: Ebpf,
    parts: Vec<Part>,
    refused: Vec<(Part, String)>,
    histograms: PerCpuArray<MapData, Raw>,
    counters: PerCpuArray<MapData, u64>,
    epoch_in_kernel: Array<MapData, u64>,
    epoch: u64,
    rows: Vec<Row>,
    /// When retransmits were last counted, and how many there were.
    retransmits: Option<(Instant, u64)>,
    dropped: [(Part, Arc<str>); 2],
    bucket_labels: Vec<(usize, Arc<str>)>,
    infinite: Arc<str>,
}

/// A histogram's place in the map and in the list of attributes.
struct Row {
    place: u32,
    part: Part,
    shown: Shown,
    former: Histogram,
}

/// The places of `counters` in `bpf/capture.bpf.c`.
const RETRANSMITS: u32 = 0;
const RUNQ_DROPS: u32 = 1;
const BLOCK_DROPS: u32 = 2;

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture").field("parts", &self.parts).field("refused", &self.refused).finish_non_exhaustive()
    }
}

impl Capture {
    /// Puts the programs into the kernel. Takes some 50 ms, most of them to read what the kernel says of its structures.
    ///
    /// # Errors
    /// If the kernel takes none of them; nothing stays behind.
    pub fn load() -> Result<Self, LoadError> {
        if OBJECT.is_empty() {
            return Err(LoadError::NotBuilt(OBJECT_FROM));
        }
        let release = rustix::system::uname().release().to_string_lossy().into_owned();
        if version(&release).is_some_and(|found| found < KERNEL_MIN) {
            return Err(LoadError::OldKernel { found: release });
        }
        let types = Btf::from_sys_fs().map_err(|e| LoadError::NoTypes(whole(&e)))?;
        let mut bpf = EbpfLoader::new().btf(Some(&types)).load(OBJECT).map_err(|e| failed(&e))?;
        let mut parts = Vec::new();
        let mut refused = Vec::new();
        let mut first = None;
        for part in Part::ALL {
            match start(&mut bpf, &types, part) {
                Ok(()) => parts.push(part),
                Err(e) => {
                    stop(&mut bpf, part);
                    refused.push((part, whole(&*e)));
                    first.get_or_insert_with(|| failed(&*e));
                }
            }
        }
        if let (true, Some(why)) = (parts.is_empty(), first) {
            return Err(why);
        }
        Capture::around(bpf, parts, refused).map_err(|e| LoadError::Other(e.to_string()))
    }

    fn around(mut bpf: Ebpf, parts: Vec<Part>, refused: Vec<(Part, String)>) -> Result<Self, ReadError> {
        let places = [Part::RunQueue, Part::Block, Part::TcpRtt, Part::TcpRtt];
        let rows = places.into_iter().zip(attributes::shown()).zip(0..);
        let rows = rows.map(|((part, shown), place)| Row { place, part, shown, former: Histogram::EMPTY });
        let label = |power: &usize| (*power, format!("{}", (*power as f64).exp2() / 1e9).into());
        Ok(Capture {
            rows: rows.filter(|r| parts.contains(&r.part)).collect(),
            histograms: map(&mut bpf, "histograms")?,
            counters: map(&mut bpf, "counters")?,
            epoch_in_kernel: map(&mut bpf, "epoch")?,
            epoch: 0,
            retransmits: None,
            dropped: [(Part::RunQueue, "runq".into()), (Part::Block, "block".into())],
            bucket_labels: BUCKET_POWERS.iter().map(label).collect(),
            infinite: "+Inf".into(),
            bpf,
            parts,
            refused,
        })
    }

    /// What is measured.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// What is not, and why.
    pub fn refused(&self) -> &[(Part, String)] {
        &self.refused
    }

    /// Adds what came since the former call to `out`. Percentiles of which there was nothing are left out.
    ///
    /// # Errors
    /// If the kernel does not give one of the maps; samples added before that are right and stay.
    pub fn read(&mut self, now: Instant, out: &mut Vec<Sample>) -> Result<(), ReadError> {
        let ended = self.epoch;
        self.epoch += 1;
        self.epoch_in_kernel.set(0, self.epoch, 0).map_err(|e| unread("epoch", &e))?;
        for row in &mut self.rows {
            let raw = self.histograms.get(&row.place, 0).map_err(|e| unread("histograms", &e))?;
            let all = Histogram::add_up(raw.iter(), ended);
            let new = all.since(&row.former);
            put_some(out, row.shown.p50, new.quantile(0.5));
            put_some(out, row.shown.p99, new.quantile(0.99));
            if let Some(max) = row.shown.max {
                put_some(out, max, (new.max > 0).then_some(new.max as f64 / 1e9));
            }
            if let Some(to) = &row.shown.all {
                let bucket = |label: &Arc<str>, n: u64| of(to.bucket, Some(Arc::clone(label)), n as f64);
                out.extend(self.bucket_labels.iter().map(|(power, label)| bucket(label, all.below(*power))));
                let count = all.count();
                out.push(bucket(&self.infinite, count));
                out.push(of(to.sum, None, all.sum as f64 / 1e9));
                out.push(of(to.count, None, count as f64));
            }
            row.former = all;
        }
        if self.parts.contains(&Part::TcpRetransmits) {
            let count = self.counter(RETRANSMITS)?;
            let former = self.retransmits.replace((now, count));
            let rate = former.and_then(|(then, old)| per_second(count.wrapping_sub(old), now.since(then)));
            put_some(out, attributes::RETRANSMITS, rate);
        }
        for ((part, label), place) in self.dropped.iter().zip([RUNQ_DROPS, BLOCK_DROPS]) {
            if self.parts.contains(part) {
                out.push(of(attributes::DROPPED, Some(Arc::clone(label)), self.counter(place)? as f64));
            }
        }
        Ok(())
    }

    fn counter(&self, place: u32) -> Result<u64, ReadError> {
        let raw = self.counters.get(&place, 0).map_err(|e| unread("counters", &e))?;
        Ok(raw.iter().fold(0, |sum, n| sum.wrapping_add(*n)))
    }

    /// The kernel's numbers of the programs, as `bpftool prog` shows them.
    ///
    /// # Errors
    /// If the kernel does not tell.
    pub fn program_ids(&self) -> Result<Vec<u32>, ReadError> {
        let programs = self.parts.iter().flat_map(|p| p.programs());
        let ids = programs.filter_map(|(name, _)| Some(self.bpf.program(name)?.info().map(|i| i.id()))).collect::<Result<_, _>>();
        ids.map_err(|e| ReadError { map: "the programs", cause: whole(&e) })
    }

    /// What each program has cost since it was loaded, while [`measure_costs`] or `sysctl kernel.bpf_stats_enabled=1` held.
    ///
    /// # Errors
    /// If the kernel does not tell.
    pub fn costs(&self) -> Result<Vec<Cost>, ReadError> {
        let programs = self.parts.iter().flat_map(|p| p.programs());
        let cost = |(name, tracepoint): &(&'static str, &'static str)| {
            let info = self.bpf.program(name)?.info();
            Some(info.map(|i| Cost { tracepoint, events: i.run_count(), time: i.run_time() }))
        };
        let costs = programs.filter_map(cost).collect::<Result<_, _>>();
        costs.map_err(|e| ReadError { map: "what programs cost", cause: whole(&e) })
    }
}

/// What a program has cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cost {
    /// Where it runs.
    pub tracepoint: &'static str,
    /// How often it ran.
    pub events: u64,
    /// Processor time of all its runs. The kernel's own clock reads are in it: some 20 ns each.
    pub time: Duration,
}

/// Has the kernel count what programs cost, until what this returns is dropped. That itself costs a little at each event.
///
/// # Errors
/// If the kernel forbids it.
pub fn measure_costs() -> Result<impl Drop + fmt::Debug, ReadError> {
    aya::sys::enable_stats(aya::sys::Stats::RunTime).map_err(|e| ReadError { map: "statistics", cause: whole(&e) })
}

fn start(bpf: &mut Ebpf, types: &Btf, part: Part) -> Result<(), Box<dyn std::error::Error>> {
    for (name, tracepoint) in part.programs() {
        let program = bpf.program_mut(name).ok_or_else(|| format!("there is no program {name}"))?;
        let program: &mut BtfTracePoint = program.try_into()?;
        program.load(tracepoint, types)?;
        program.attach()?;
    }
    Ok(())
}

/// Takes out what is there of a part; what is not there is fine.
fn stop(bpf: &mut Ebpf, part: Part) {
    for (name, _) in part.programs() {
        if let Some(Ok(program)) = bpf.program_mut(name).map(<&mut BtfTracePoint>::try_from) {
            program.unload().ok();
        }
    }
}

fn map<T: TryFrom<Map, Error = MapError>>(bpf: &mut Ebpf, name: &'static str) -> Result<T, ReadError> {
    let map = bpf.take_map(name).ok_or(ReadError { map: name, cause: "there is none".into() })?;
    map.try_into().map_err(|e: MapError| unread(name, &e))
}

fn unread(map: &'static str, e: &MapError) -> ReadError {
    ReadError { map, cause: whole(e) }
}

fn failed(e: &(dyn std::error::Error + 'static)) -> LoadError {
    match system_error(e).and_then(std::io::Error::raw_os_error).map(rustix::io::Errno::from_raw_os_error) {
        Some(rustix::io::Errno::PERM | rustix::io::Errno::ACCESS) => LoadError::Forbidden(whole(e)),
        _ => LoadError::Other(whole(e)),
    }
}

/// The first two numbers of a kernel's release.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn per_second(n: u64, passed: Duration) -> Option<f64> {
    (!passed.is_zero()).then(|| n as f64 / passed.as_secs_f64())
}

fn of(attribute: &'static Attribute, instance: Option<Arc<str>>, value: f64) -> Sample {
    Sample { attribute, instance, labels: None, value }
}

fn put_some(out: &mut Vec<Sample>, attribute: &'static Attribute, value: Option<f64>) {
    out.extend(value.map(|v| of(attribute, None, v)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_compared_by_their_numbers() {
        let check = |release: &str, expected: Option<(u32, u32)>| assert_eq!(version(release), expected, "{release}");
        check("6.18.44-fc-v595", Some((6, 18)));
        check("5.14.0-427.el9.x86_64", Some((5, 14)));
        check("6.1", Some((6, 1)));
        check("4.18.0-553.el8_10.x86_64", Some((4, 18)));
        check("strange", None);
        assert!(version("5.4.0").expect("numbers") < KERNEL_MIN && version("5.14.0").expect("numbers") >= KERNEL_MIN);
    }

    #[test]
    fn the_object_kept_with_the_source_is_of_that_source() {
        let file = |name: &str| {
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("bpf").join(name);
            std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
        };
        let source: Vec<u8> = ["kernel.h", "capture.bpf.c", "build.sh"].into_iter().flat_map(file).collect();
        let hash = ring::digest::digest(&ring::digest::SHA256, &source);
        let hex: String = hash.as_ref().iter().map(|b| format!("{b:02x}")).collect();
        let kept = String::from_utf8(file("capture.o.source")).expect("a hash");
        assert_eq!(
            kept.trim(),
            hex,
            "the source has changed: run crates/kernel/bpf/build.sh, which needs clang, and commit both"
        );
        assert!(aya_takes(&file("capture.o")));
    }

    /// Whether it is an object with every program that is asked for.
    fn aya_takes(object: &[u8]) -> bool {
        let object = String::from_utf8_lossy(object);
        Part::ALL.iter().flat_map(|p| p.programs()).all(|(_, tracepoint)| object.contains(&format!("tp_btf/{tracepoint}")))
    }
}

//! Pressure stall information: how long tasks waited for processors, memory and disks.

use super::{Collector, Round, Setup};
use crate::CollectError;
use crate::attributes::{attributes, put, put_some, vital};
use crate::hot_file::HotFile;
use crate::rate::{Former, share};
use crate::text::{Text, words};
use peermon_model::Unit::{Ratio, Seconds};
use peermon_model::{Attribute, Sample};

attributes! {
    CPU = vital("pressure.cpu");
    MEMORY = vital("pressure.memory");
    IO = vital("pressure.io");
    MEMORY_FULL = &Attribute::gauge("pressure.memory.full", Ratio, "Share of the last period in which every task waited for memory.");
    IO_FULL = &Attribute::gauge("pressure.io.full", Ratio, "Share of the last period in which every task waited for disks.");
    IRQ_FULL = &Attribute::gauge("pressure.irq.full", Ratio, "Share of the last period in which interrupts held every task up.");
    CPU_SECONDS = &Attribute::counter("pressure.cpu.seconds", Seconds, "Time in which some task waited for a processor.").prom("node_pressure_cpu_waiting_seconds_total", "", &[]);
    MEMORY_SECONDS = &Attribute::counter("pressure.memory.seconds", Seconds, "Time in which some task waited for memory.").prom("node_pressure_memory_waiting_seconds_total", "", &[]);
    IO_SECONDS = &Attribute::counter("pressure.io.seconds", Seconds, "Time in which some task waited for disks.").prom("node_pressure_io_waiting_seconds_total", "", &[]);
    MEMORY_FULL_SECONDS = &Attribute::counter("pressure.memory.full.seconds", Seconds, "Time in which every task waited for memory.").prom("node_pressure_memory_stalled_seconds_total", "", &[]);
    IO_FULL_SECONDS = &Attribute::counter("pressure.io.full.seconds", Seconds, "Time in which every task waited for disks.").prom("node_pressure_io_stalled_seconds_total", "", &[]);
    IRQ_FULL_SECONDS = &Attribute::counter("pressure.irq.full.seconds", Seconds, "Time in which interrupts held every task up.").prom("node_pressure_irq_stalled_seconds_total", "", &[]);
}

/// One line of one file.
struct Stall {
    line: &'static [u8],
    share: &'static Attribute,
    seconds: &'static Attribute,
    former: Former<f64>,
}

struct Resource {
    file: HotFile,
    stalls: Vec<Stall>,
}

struct Pressure(Vec<Resource>);

pub(super) fn make(setup: &Setup) -> Box<dyn Collector> {
    let stall = |line, share, seconds| Stall { line, share, seconds, former: Former::default() };
    let resource = |path, stalls| Resource { file: setup.hot(path), stalls };
    Box::new(Pressure(vec![
        resource("proc/pressure/cpu", vec![stall(b"some", CPU, CPU_SECONDS)]),
        resource(
            "proc/pressure/memory",
            vec![stall(b"some", MEMORY, MEMORY_SECONDS), stall(b"full", MEMORY_FULL, MEMORY_FULL_SECONDS)],
        ),
        resource("proc/pressure/io", vec![stall(b"some", IO, IO_SECONDS), stall(b"full", IO_FULL, IO_FULL_SECONDS)]),
        resource("proc/pressure/irq", vec![stall(b"full", IRQ_FULL, IRQ_FULL_SECONDS)]),
    ]))
}

impl Collector for Pressure {
    fn collect(&mut self, round: &Round, out: &mut Vec<Sample>) -> Result<(), CollectError> {
        for r in &mut self.0 {
            let Some(text) = r.file.read_if_there()? else { continue };
            for s in &mut r.stalls {
                let Some(micros) = total(&text, s.line)? else { continue };
                let seconds = micros as f64 / 1e6;
                let former = s.former.replace(round.now, seconds);
                put_some(out, s.share, former.and_then(|(passed, old)| share(old, seconds, passed)));
                put(out, s.seconds, seconds);
            }
        }
        Ok(())
    }
}

/// The `total=` of a line, in microseconds. The averages beside it move too slowly to tell one period.
fn total(text: &Text<'_>, line: &[u8]) -> Result<Option<u64>, CollectError> {
    let Some(found) = text.lines().find(|l| words(l).next() == Some(line)) else { return Ok(None) };
    let word = words(found).find_map(|w| w.strip_prefix(b"total="));
    text.number(word, "total").map(Some)
}

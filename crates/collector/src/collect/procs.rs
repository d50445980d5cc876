//! Processes, context switches, interrupts.

use super::{Collector, Round, Setup};
use crate::CollectError;
use crate::attributes::{attributes, put, put_some, vital};
use crate::hot_file::HotFile;
use crate::rate::{Former, per_second};
use crate::text::words;
use peermon_model::Unit::{Count, PerSecond};
use peermon_model::{Attribute, Sample};

attributes! {
    RUNNING = vital("procs.running");
    BLOCKED = &Attribute::gauge("procs.blocked", Count, "Processes that wait for a disk right now.").prom("node_procs_blocked", "", &[]);
    TOTAL = &Attribute::gauge("procs.total", Count, "Processes and threads that exist.");
    SWITCHES = &Attribute::counter("procs.switches", Count, "Changes from one process to another.").prom("node_context_switches_total", "", &[]);
    INTERRUPTS = &Attribute::counter("procs.interrupts", Count, "Interrupts served.").prom("node_intr_total", "", &[]);
    FORKS = &Attribute::counter("procs.forks", Count, "Processes and threads begun.").prom("node_forks_total", "", &[]);
    SWITCHES_RATE = &Attribute::gauge("procs.switches.rate", PerSecond, "Changes from one process to another per second.");
    INTERRUPTS_RATE = &Attribute::gauge("procs.interrupts.rate", PerSecond, "Interrupts served per second.");
    FORKS_RATE = &Attribute::gauge("procs.forks.rate", PerSecond, "Processes and threads begun per second.");
}

/// Counters with their line in `/proc/stat` and their rate.
const COUNTERS: [(&str, &&Attribute, &&Attribute); 3] =
    [("ctxt", &SWITCHES, &SWITCHES_RATE), ("intr", &INTERRUPTS, &INTERRUPTS_RATE), ("processes", &FORKS, &FORKS_RATE)];
const GAUGES: [(&str, &&Attribute); 2] = [("procs_running", &RUNNING), ("procs_blocked", &BLOCKED)];

struct Procs {
    loadavg: HotFile,
    former: Former<[Option<u64>; 3]>,
}

pub(super) fn make(setup: &Setup) -> Box<dyn Collector> {
    Box::new(Procs { loadavg: setup.hot("proc/loadavg"), former: Former::default() })
}

impl Collector for Procs {
    fn collect(&mut self, round: &Round, out: &mut Vec<Sample>) -> Result<(), CollectError> {
        let mut counts = [None; 3];
        {
            let stat = round.stat()?;
            let text = stat.text();
            for line in text.lines().filter(|l| !l.starts_with(b"cpu")) {
                let mut words = words(line);
                let key = words.next().unwrap_or_default();
                if let Some(i) = COUNTERS.iter().position(|(k, ..)| k.as_bytes() == key) {
                    counts[i] = Some(text.number(words.next(), COUNTERS[i].0)?);
                } else if let Some((field, attribute)) = GAUGES.iter().find(|(k, _)| k.as_bytes() == key) {
                    put(out, attribute, text.number(words.next(), field)?);
                }
            }
        }
        let former = self.former.replace(round.now, counts);
        for (i, (_, counter, rate)) in COUNTERS.iter().enumerate() {
            put_some(out, counter, counts[i]);
            let r = former.as_ref().and_then(|(seconds, old)| per_second(old[i]?, counts[i]?, *seconds));
            put_some(out, rate, r);
        }
        self.put_total(out)
    }
}

impl Procs {
    /// The fourth word of `/proc/loadavg`: running/existing.
    fn put_total(&mut self, out: &mut Vec<Sample>) -> Result<(), CollectError> {
        let text = self.loadavg.read()?;
        let word = words(text.bytes).nth(3);
        let total = word.and_then(|w| w.split(|b| *b == b'/').nth(1));
        put(out, TOTAL, text.number(total, "the count of processes")?);
        Ok(())
    }
}

//! What the daemon itself costs.

use super::{Collector, Round, Setup};
use crate::CollectError;
use crate::attributes::{attributes, put, put_some};
use crate::hot_file::HotFile;
use crate::root::Root;
use crate::text::words;
use peermon_model::Unit::{Bytes, Count, Ratio, Seconds};
use peermon_model::{Attribute, Instant, Sample};
use std::fs;

attributes! {
    CPU = &Attribute::counter("self.cpu.seconds", Seconds, "Processor time the daemon used.").prom("process_cpu_seconds_total", "", &[]);
    CPU_SHARE = &Attribute::gauge("self.cpu.share", Ratio, "Share of one processor the daemon used in the last ten seconds.");
    RESIDENT = &Attribute::gauge("self.mem.resident", Bytes, "Memory the daemon holds.").prom("process_resident_memory_bytes", "", &[]);
    VIRTUAL = &Attribute::gauge("self.mem.virtual", Bytes, "Address space the daemon holds.").prom("process_virtual_memory_bytes", "", &[]);
    FILES = &Attribute::gauge("self.files", Count, "Files the daemon holds open.").prom("process_open_fds", "", &[]);
    THREADS = &Attribute::gauge("self.threads", Count, "Threads of the daemon.").prom("process_threads", "", &[]);
}

/// Words of `/proc/self/stat` after the program's name, which may itself contain anything.
const USER_TICKS: usize = 11;
const SYSTEM_TICKS: usize = 12;
const THREAD_COUNT: usize = 17;
const VIRTUAL_BYTES: usize = 20;
const RESIDENT_PAGES: usize = 21;

/// The kernel counts in hundredths of a second, of which a light daemon uses less than one a second.
const SHARE_SECONDS: f64 = 10.0;

struct Process {
    stat: HotFile,
    root: Root,
    share: Share,
}

/// A share over longer than a period.
#[derive(Default)]
struct Share {
    /// When it was last worked out, and the processor time then.
    base: Option<(Instant, f64)>,
    value: Option<f64>,
}

pub(super) fn make(setup: &Setup) -> Box<dyn Collector> {
    Box::new(Process { stat: setup.hot("proc/self/stat"), root: setup.root.clone(), share: Share::default() })
}

impl Collector for Process {
    fn collect(&mut self, round: &Round, out: &mut Vec<Sample>) -> Result<(), CollectError> {
        let Some(text) = self.stat.read_if_there()? else { return Ok(()) };
        // The name stands in parentheses and may itself contain some.
        let after_name = text.bytes.iter().rposition(|b| *b == b')').map_or(0, |i| i + 1);
        let all = words(&text.bytes[after_name..]);
        let number = |place: usize| text.number(all.clone().nth(place), format_args!("word {}", place + 3));
        let ticks = number(USER_TICKS)?.saturating_add(number(SYSTEM_TICKS)?);
        let seconds = ticks as f64 / self.root.ticks_per_second();
        put(out, CPU, seconds);
        put(out, THREADS, number(THREAD_COUNT)?);
        put(out, VIRTUAL, number(VIRTUAL_BYTES)?);
        put(out, RESIDENT, number(RESIDENT_PAGES)?.saturating_mul(self.root.page_bytes()));
        put_some(out, FILES, open_files(&self.root));
        put_some(out, CPU_SHARE, self.share.at(round.now, seconds));
        Ok(())
    }
}

impl Share {
    fn at(&mut self, now: Instant, seconds: f64) -> Option<f64> {
        let (then, old) = *self.base.get_or_insert((now, seconds));
        let passed = now.since(then).as_secs_f64();
        if passed >= SHARE_SECONDS {
            self.value = Some((seconds - old).max(0.0) / passed);
            self.base = Some((now, seconds));
        }
        self.value
    }
}

/// Newer kernels tell the count as the directory's size, which saves listing it.
fn open_files(root: &Root) -> Option<u64> {
    let dir = root.path("proc/self/fd");
    let told = fs::metadata(&dir).ok().map(|m| m.len()).filter(|n| root.is_host() && *n > 0);
    told.or_else(|| Some(fs::read_dir(&dir).ok()?.count() as u64))
}

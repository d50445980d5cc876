//! What the kernel's network code did with the packets each processor got.

use super::{Collector, Round, Setup};
use crate::CollectError;
use crate::attributes::{attributes, put, put_of};
use crate::hot_file::HotFile;
use crate::limits::SOFTNET_PROCESSORS_MAX;
use crate::text::words;
use peermon_model::Unit::Count;
use peermon_model::{Attribute, Sample};
use std::sync::Arc;

attributes! {
    DROPPED_ALL = &Attribute::counter("net.softnet.dropped", Count, "Packets dropped because a processor's queue of received ones was full, all processors together.");
    SQUEEZED_ALL = &Attribute::counter("net.softnet.squeezed", Count, "Times a processor had to leave received packets for later, all processors together.");
    PROCESSED = &counter("net.softnet.{}.processed", "Received packets that one processor worked on.", "node_softnet_processed_total");
    DROPPED = &counter("net.softnet.{}.dropped", "Received packets that one processor dropped because its queue was full.", "node_softnet_dropped_total");
    SQUEEZED = &counter("net.softnet.{}.squeezed", "Times one processor had to leave received packets for later.", "node_softnet_times_squeezed_total");
}

const fn counter(name: &'static str, help: &'static str, prometheus: &'static str) -> Attribute {
    Attribute::counter(name, Count, help).prom(prometheus, "cpu", &[])
}

/// The column with the processor's number, which Linux 5.10 brought; before that a line is a processor.
const PROCESSOR_COLUMN: usize = 12;

struct Softnet {
    file: HotFile,
    /// Names by line.
    names: Vec<(u64, Arc<str>)>,
}

pub(super) fn make(setup: &Setup) -> Box<dyn Collector> {
    Box::new(Softnet { file: setup.hot("proc/net/softnet_stat"), names: Vec::new() })
}

impl Collector for Softnet {
    fn collect(&mut self, _: &Round, out: &mut Vec<Sample>) -> Result<(), CollectError> {
        let Some(text) = self.file.read_if_there()? else { return Ok(()) };
        let mut all = [0_u64; 2];
        for (place, line) in text.lines().take(SOFTNET_PROCESSORS_MAX).enumerate() {
            let columns = words(line);
            let mut values = [0; 3];
            for (i, (value, word)) in values.iter_mut().zip(columns.clone().map(Some).chain(std::iter::repeat(None))).enumerate()
            {
                let number = word.and_then(hexadecimal);
                *value = number.ok_or_else(|| {
                    text.garbage(word, format_args!("line {} column {}", place + 1, i + 1), "a hexadecimal number")
                })?;
            }
            let processor = columns.clone().nth(PROCESSOR_COLUMN).and_then(hexadecimal).unwrap_or(place as u64);
            if self.names.get(place).is_none_or(|(number, _)| *number != processor) {
                self.names.truncate(place);
                self.names.push((processor, processor.to_string().into()));
            }
            let name = &self.names[place].1;
            for (attribute, value) in [PROCESSED, DROPPED, SQUEEZED].into_iter().zip(values) {
                put_of(out, attribute, name, value);
            }
            all = [all[0].saturating_add(values[1]), all[1].saturating_add(values[2])];
        }
        put(out, DROPPED_ALL, all[0]);
        put(out, SQUEEZED_ALL, all[1]);
        Ok(())
    }
}

fn hexadecimal(word: &[u8]) -> Option<u64> {
    u64::from_str_radix(str::from_utf8(word).ok()?, 16).ok()
}

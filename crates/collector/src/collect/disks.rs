//! Disks: bytes, operations, and the share of time they had work.

use super::{Collector, Round, Setup};
use crate::CollectError;
use crate::attributes::{attributes, put, put_of, put_some_of, vital};
use crate::hot_file::HotFile;
use crate::limits::DISKS_MAX;
use crate::rate::{Former, higher, per_second, share};
use crate::root::Root;
use crate::text::{Text, name, words};
use peermon_model::Unit::{Bytes, BytesPerSecond, Count, PerSecond, Ratio, Seconds};
use peermon_model::{Attribute, Sample};
use std::sync::Arc;

attributes! {
    BUSIEST = vital("disk.busy");
    BUSY = &Attribute::gauge("disk.{}.busy", Ratio, "Share of the last period in which the disk had work.");
    READ_RATE = &Attribute::gauge("disk.{}.read.rate", BytesPerSecond, "Bytes read per second.");
    WRITE_RATE = &Attribute::gauge("disk.{}.write.rate", BytesPerSecond, "Bytes written per second.");
    READS_RATE = &Attribute::gauge("disk.{}.reads.rate", PerSecond, "Reads completed per second.");
    WRITES_RATE = &Attribute::gauge("disk.{}.writes.rate", PerSecond, "Writes completed per second.");
    LATENCY = &Attribute::gauge("disk.{}.latency", Seconds, "Mean time of the reads and writes completed in the last period, from being asked to being done.");
    READS = &counter("disk.{}.read.ops", Count, "Reads completed.", "node_disk_reads_completed_total");
    READS_MERGED = &counter("disk.{}.read.merged", Count, "Reads joined to others before they were done.", "node_disk_reads_merged_total");
    READ_BYTES = &counter("disk.{}.read.bytes", Bytes, "Bytes read.", "node_disk_read_bytes_total");
    READ_SECONDS = &counter("disk.{}.read.seconds", Seconds, "Time all reads took together.", "node_disk_read_time_seconds_total");
    WRITES = &counter("disk.{}.write.ops", Count, "Writes completed.", "node_disk_writes_completed_total");
    WRITES_MERGED = &counter("disk.{}.write.merged", Count, "Writes joined to others before they were done.", "node_disk_writes_merged_total");
    WRITE_BYTES = &counter("disk.{}.write.bytes", Bytes, "Bytes written.", "node_disk_written_bytes_total");
    WRITE_SECONDS = &counter("disk.{}.write.seconds", Seconds, "Time all writes took together.", "node_disk_write_time_seconds_total");
    NOW = &Attribute::gauge("disk.{}.queue", Count, "Operations that are being done right now.").prom("node_disk_io_now", "device", &[]);
    BUSY_SECONDS = &counter("disk.{}.busy.seconds", Seconds, "Time in which the disk had work.", "node_disk_io_time_seconds_total");
    WEIGHTED = &counter("disk.{}.wait.seconds", Seconds, "Time all operations took together, those not yet done included.", "node_disk_io_time_weighted_seconds_total");
    DISCARDS = &counter("disk.{}.discard.ops", Count, "Discards completed.", "node_disk_discards_completed_total");
    FLUSHES = &counter("disk.{}.flush.ops", Count, "Flushes completed.", "node_disk_flush_requests_total");
}

const fn counter(name: &'static str, unit: peermon_model::Unit, help: &'static str, prometheus: &'static str) -> Attribute {
    Attribute::counter(name, unit, help).prom(prometheus, "device", &[])
}

/// The kernel's sector, whatever the disk's own is.
const SECTOR_BYTES: f64 = 512.0;

/// Columns after a device's name that every kernel has, and all of them.
const COLUMNS_MIN: usize = 11;
const COLUMNS: usize = 17;

/// A column's attribute and how its number becomes the base unit.
const VALUES: [(usize, &&Attribute, f64); 13] = [
    (0, &READS, 1.0),
    (1, &READS_MERGED, 1.0),
    (2, &READ_BYTES, SECTOR_BYTES),
    (3, &READ_SECONDS, 1e-3),
    (4, &WRITES, 1.0),
    (5, &WRITES_MERGED, 1.0),
    (6, &WRITE_BYTES, SECTOR_BYTES),
    (7, &WRITE_SECONDS, 1e-3),
    (8, &NOW, 1.0),
    (9, &BUSY_SECONDS, 1e-3),
    (10, &WEIGHTED, 1e-3),
    (11, &DISCARDS, 1.0),
    (15, &FLUSHES, 1.0),
];
/// The columns whose growth is told as rates, in the order of [`Counters`].
const GROWING: [usize; 7] = [2, 6, 9, 0, 4, 3, 7];
/// Sectors read and written, milliseconds with work, reads, writes, milliseconds all reads and all writes took.
type Counters = [u64; GROWING.len()];

struct Disks {
    file: HotFile,
    root: Root,
    /// By place in the file.
    devices: Vec<Device>,
}

struct Device {
    name: Arc<str>,
    role: Role,
    former: Former<Counters>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Role {
    /// A disk as the kernel sees one.
    Whole,
    /// Made of other block devices: device mapper, RAID. Its work shows at those again.
    Composed,
    /// A partition, a memory disk, a file.
    NotShown,
}

pub(super) fn make(setup: &Setup) -> Box<dyn Collector> {
    Box::new(Disks { file: setup.hot("proc/diskstats"), root: setup.root.clone(), devices: Vec::new() })
}

impl Collector for Disks {
    fn collect(&mut self, round: &Round, out: &mut Vec<Sample>) -> Result<(), CollectError> {
        let Some(text) = self.file.read_if_there()? else { return Ok(()) };
        let mut busiest: Option<f64> = None;
        for (place, line) in text.lines().take(DISKS_MAX).enumerate() {
            let mut words = words(line).skip(2);
            let Some(id) = words.next() else { return Err(text.garbage(Some(line), "a line", "a device's numbers")) };
            if self.devices.get(place).is_none_or(|d| d.name.as_bytes() != id) {
                self.devices.truncate(place);
                let id = name(id);
                self.devices.push(Device { role: role(&self.root, &id), name: id.into(), former: Former::default() });
            }
            let device = &mut self.devices[place];
            if device.role == Role::NotShown {
                continue;
            }
            let (columns, count) = columns(&text, &device.name, words)?;
            for (column, attribute, scale) in VALUES.iter().take_while(|(c, ..)| *c < count) {
                put_of(out, attribute, &device.name, columns[*column] as f64 * scale);
            }
            let new = GROWING.map(|c| columns[c]);
            let Some((seconds, old)) = device.former.replace(round.now, new) else { continue };
            let busy = device.put_rates(&old, &new, seconds, out);
            if device.role == Role::Whole {
                busiest = higher(busiest, busy);
            }
        }
        busiest.into_iter().for_each(|b| put(out, BUSIEST, b));
        Ok(())
    }
}

impl Device {
    /// Adds what grew in so many seconds; gives the share of them in which there was work.
    fn put_rates(&self, old: &Counters, new: &Counters, seconds: f64, out: &mut Vec<Sample>) -> Option<f64> {
        let rate = |i: usize| per_second(old[i], new[i], seconds);
        let busy = share(old[2] as f64 / 1e3, new[2] as f64 / 1e3, seconds);
        put_some_of(out, READ_RATE, &self.name, rate(0).map(|s| s * SECTOR_BYTES));
        put_some_of(out, WRITE_RATE, &self.name, rate(1).map(|s| s * SECTOR_BYTES));
        put_some_of(out, BUSY, &self.name, busy);
        put_some_of(out, READS_RATE, &self.name, rate(3));
        put_some_of(out, WRITES_RATE, &self.name, rate(4));
        put_some_of(out, LATENCY, &self.name, latency(old, new));
        busy
    }
}

/// Seconds an operation took, on average over those that were completed; `None` if none was.
fn latency(old: &Counters, new: &Counters) -> Option<f64> {
    let grown = |i: usize| new[i].checked_sub(old[i]);
    let done = grown(3)?.checked_add(grown(4)?).filter(|done| *done > 0)?;
    Some(grown(5)?.checked_add(grown(6)?)? as f64 / 1e3 / done as f64)
}

fn columns<'a>(
    text: &Text<'_>,
    device: &str,
    mut words: impl Iterator<Item = &'a [u8]>,
) -> Result<([u64; COLUMNS], usize), CollectError> {
    let mut columns = [0; COLUMNS];
    for (i, place) in columns.iter_mut().enumerate() {
        let word = words.next();
        if word.is_none() && i >= COLUMNS_MIN {
            return Ok((columns, i));
        }
        *place = text.number(word, format_args!("{device} column {}", i + 1))?;
    }
    Ok((columns, COLUMNS))
}

/// The kernel lists whole devices, not partitions, under `/sys/block`; without that, names tell.
fn role(root: &Root, device: &str) -> Role {
    if ["loop", "ram", "zram", "fd", "sr", "nbd"].iter().any(|p| numbered(device, p)) {
        return Role::NotShown;
    }
    let blocks = root.path("sys/block");
    // A slash in a device's name is an exclamation mark there.
    let whole = if blocks.is_dir() { blocks.join(device.replace('/', "!")).exists() } else { !named_like_a_partition(device) };
    match whole {
        false => Role::NotShown,
        true if numbered(device, "dm-") || numbered(device, "md") => Role::Composed,
        true => Role::Whole,
    }
}

fn numbered(device: &str, prefix: &str) -> bool {
    device.strip_prefix(prefix).is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// `sda1`, `nvme0n1p2`, `mmcblk0p1`.
fn named_like_a_partition(device: &str) -> bool {
    let stem = device.trim_end_matches(|c: char| c.is_ascii_digit());
    if stem.len() == device.len() {
        return false;
    }
    match stem.strip_suffix('p') {
        Some(disk) => disk.ends_with(|c: char| c.is_ascii_digit()),
        None => ["sd", "hd", "vd", "xvd"].iter().any(|p| stem.starts_with(p)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_is_that_of_what_was_completed() {
        let counters = |reads, writes, read_ms, write_ms| [0, 0, 0, reads, writes, read_ms, write_ms];
        let old = counters(10, 20, 100, 400);
        assert_eq!(latency(&old, &counters(14, 26, 120, 480)), Some(0.01), "10 operations in 100 ms");
        assert_eq!(latency(&old, &old), None, "none was completed");
        assert_eq!(latency(&old, &counters(1, 30, 110, 500)), None, "counters that were reset");
    }

    #[test]
    fn names_tell_partitions_where_sys_does_not() {
        for (device, partition) in [
            ("sda", false),
            ("sda1", true),
            ("xvdb12", true),
            ("nvme0n1", false),
            ("nvme0n1p2", true),
            ("mmcblk0", false),
            ("mmcblk0p1", true),
            ("md127", false),
            ("dm-3", false),
        ] {
            assert_eq!(named_like_a_partition(device), partition, "{device}");
        }
    }
}

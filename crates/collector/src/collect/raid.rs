//! Software RAID: which array has lost a disk, and how far its repair is.

use super::{Collector, Round, Setup};
use crate::CollectError;
use crate::attributes::{attributes, put, put_of};
use crate::hot_file::HotFile;
use crate::limits::RAID_ARRAYS_MAX;
use crate::text::{Text, name, number, real, words};
use peermon_model::Unit::{Count, None as NoUnit, Ratio};
use peermon_model::{Attribute, Sample};
use std::sync::Arc;

attributes! {
    DEGRADED_ALL = &Attribute::gauge("raid.degraded", Count, "Arrays that lack a disk.");
    ACTIVE = &Attribute::gauge("raid.{}.active", NoUnit, "Whether one array works: 1 or 0.").prom("node_md_state", "device", &[("state", "active")]);
    REQUIRED = &Attribute::gauge("raid.{}.disks.required", Count, "Disks one array should have.").prom("node_md_disks_required", "device", &[]);
    DISKS_ACTIVE = &Attribute::gauge("raid.{}.disks.active", Count, "Disks one array works with.").prom("node_md_disks", "device", &[("state", "active")]);
    DISKS_FAILED = &Attribute::gauge("raid.{}.disks.failed", Count, "Disks of one array that failed.").prom("node_md_disks", "device", &[("state", "failed")]);
    DISKS_SPARE = &Attribute::gauge("raid.{}.disks.spare", Count, "Disks that wait to replace a failed one of one array.").prom("node_md_disks", "device", &[("state", "spare")]);
    DEGRADED = &Attribute::gauge("raid.{}.degraded", Count, "Disks one array lacks.").prom("node_md_degraded", "device", &[]);
    SYNC = &Attribute::gauge("raid.{}.sync", Ratio, "How far the repair or the check of one array is; absent if there is none.");
}

struct Raid {
    file: HotFile,
}

pub(super) fn make(setup: &Setup) -> Box<dyn Collector> {
    Box::new(Raid { file: setup.hot("proc/mdstat") })
}

impl Collector for Raid {
    fn collect(&mut self, _: &Round, out: &mut Vec<Sample>) -> Result<(), CollectError> {
        self.file.read_if_there()?.map_or(Ok(()), |text| read(&text, out))
    }
}

/// One array of `/proc/mdstat`.
struct Array {
    name: Arc<str>,
    active: bool,
    failed: u64,
    spare: u64,
    listed: u64,
    /// Disks it should have and has: `[2/1]`; arrays without redundancy do not tell.
    counts: Option<(u64, u64)>,
    sync: Option<f64>,
}

fn read(text: &Text<'_>, out: &mut Vec<Sample>) -> Result<(), CollectError> {
    let mut arrays: Vec<Array> = Vec::new();
    for line in text.lines() {
        let indented = line.first().is_some_and(u8::is_ascii_whitespace);
        if !indented && line.starts_with(b"md") {
            if arrays.len() == RAID_ARRAYS_MAX {
                break;
            }
            arrays.push(array(text, line)?);
        } else if let Some(a) = arrays.last_mut().filter(|_| indented) {
            a.counts = a.counts.or_else(|| words(line).find_map(counts));
            a.sync = a.sync.or_else(|| sync(line));
        }
    }
    let mut degraded = 0;
    for a in &arrays {
        let (required, active) = a.counts.unwrap_or((a.listed, a.listed));
        let lacks = required.saturating_sub(active);
        degraded += u64::from(lacks > 0);
        put_of(out, ACTIVE, &a.name, a.active);
        for (attribute, value) in
            [(REQUIRED, required), (DISKS_ACTIVE, active), (DISKS_FAILED, a.failed), (DISKS_SPARE, a.spare), (DEGRADED, lacks)]
        {
            put_of(out, attribute, &a.name, value);
        }
        a.sync.into_iter().for_each(|s| put_of(out, SYNC, &a.name, s));
    }
    if !arrays.is_empty() {
        put(out, DEGRADED_ALL, degraded);
    }
    Ok(())
}

/// `md0 : active raid1 sdb1[1](F) sda1[0]`.
fn array(text: &Text<'_>, line: &[u8]) -> Result<Array, CollectError> {
    let mut parts = line.splitn(2, |b| *b == b':');
    let id = parts.next().unwrap_or_default().trim_ascii();
    let rest = parts.next().ok_or_else(|| text.garbage(Some(line), "a line", "an array, a colon and its disks"))?;
    let disks = words(rest).filter(|w| w.contains(&b'['));
    let marked = |mark: &[u8]| disks.clone().filter(|d| d.ends_with(mark)).count() as u64;
    let (failed, spare) = (marked(b"(F)"), marked(b"(S)"));
    Ok(Array {
        name: name(id).into(),
        active: words(rest).next() == Some(b"active"),
        listed: (disks.count() as u64).saturating_sub(failed + spare),
        failed,
        spare,
        counts: None,
        sync: None,
    })
}

/// `[2/1]`.
fn counts(word: &[u8]) -> Option<(u64, u64)> {
    let inner = word.strip_prefix(b"[")?.strip_suffix(b"]")?;
    let mut halves = inner.splitn(2, |b| *b == b'/');
    Some((number(halves.next()?)?, number(halves.next()?)?))
}

/// `[==>..] recovery = 12.6% (37043392/292945152) finish=127.5min`.
fn sync(line: &[u8]) -> Option<f64> {
    let kind = words(line).any(|w| matches!(w, b"recovery" | b"resync" | b"reshape" | b"check"));
    let percent = words(line).find_map(|w| real(w.strip_suffix(b"%")?))?;
    (kind && (0.0..=100.0).contains(&percent)).then_some(percent / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn said(mdstat: &str) -> Vec<(String, f64)> {
        let mut out = Vec::new();
        read(&Text { file: Path::new("mdstat"), bytes: mdstat.as_bytes() }, &mut out).expect("sound");
        out.iter().map(|s| (s.name().into_owned(), s.value)).collect()
    }

    #[test]
    fn arrays_without_redundancy_have_all_they_list() {
        let raid0 =
            said("Personalities : [raid0]\nmd1 : active raid0 sdb[1] sda[0]\n      1000 blocks super 1.2 512k chunks\n\n");
        assert!(raid0.contains(&("raid.md1.disks.required".into(), 2.0)) && raid0.contains(&("raid.degraded".into(), 0.0)));
        assert_eq!(said("Personalities : \nunused devices: <none>\n"), []);
    }
}

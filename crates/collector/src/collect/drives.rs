//! What drives say of their own state, as far as an ordinary user may read it. (SMART's own tables need root.)

use super::{Collector, Round, Setup};
use crate::CollectError;
use crate::attributes::{attributes, put_of};
use crate::hot_file::read_word;
use crate::limits::DISKS_MAX;
use crate::root::Root;
use crate::sysfs::{entries, file_name, numbered};
use peermon_model::Unit::{Count, None as NoUnit, Ratio};
use peermon_model::{Attribute, Sample};
use std::path::Path;
use std::sync::Arc;

attributes! {
    NVME_INFO = &Attribute::gauge("drive.{}.info", NoUnit, "Always 1; its labels tell what the NVMe drive is.").prom("node_nvme_info", "device", &[]);
    LIVE = &Attribute::gauge("drive.{}.live", NoUnit, "Whether the drive answers its driver: 1 or 0.");
    ERRORS = &Attribute::counter("drive.{}.errors", Count, "Requests that a SCSI or SATA drive ended with an error.");
    TIMEOUTS = &Attribute::counter("drive.{}.timeouts", Count, "Requests that a SCSI or SATA drive did not answer in time.");
    WORN = &Attribute::gauge("drive.{}.worn", Ratio, "Share of its life that a flash card has behind it, by its own word, in steps of a tenth.");
}

struct Drives(Root);

pub(super) fn make(setup: &Setup) -> Box<dyn Collector> {
    Box::new(Drives(setup.root.clone()))
}

impl Collector for Drives {
    fn collect(&mut self, _: &Round, out: &mut Vec<Sample>) -> Result<(), CollectError> {
        for (number, dir) in numbered(&self.0.path("sys/class/nvme"), "nvme", DISKS_MAX) {
            nvme(&format!("nvme{number}").into(), &dir, out);
        }
        entries(&self.0.path("sys/block")).iter().take(DISKS_MAX).for_each(|disk| other(disk, out));
        Ok(())
    }
}

fn nvme(device: &Arc<str>, dir: &Path, out: &mut Vec<Sample>) {
    let word = |file: &str| read_word(&dir.join(file)).unwrap_or_default();
    let state = word("state");
    put_of(out, LIVE, device, state == "live");
    let labels =
        [("firmware_revision", word("firmware_rev")), ("model", word("model")), ("serial", word("serial")), ("state", state)];
    out.push(Sample { attribute: NVME_INFO, instance: Some(Arc::clone(device)), labels: Some(labels.into()), value: 1.0 });
}

/// Disks behind the kernel's SCSI layer, and flash cards.
fn other(disk: &Path, out: &mut Vec<Sample>) {
    let name = file_name(disk);
    let (scsi, card) = (name.starts_with("sd"), name.starts_with("mmcblk"));
    if !(scsi || card) {
        return;
    }
    let device: Arc<str> = name.into();
    let word = |file: &str| read_word(&disk.join("device").join(file));
    if scsi {
        let state = word("state");
        state.into_iter().for_each(|s| put_of(out, LIVE, &device, s == "running"));
        for (file, attribute) in [("ioerr_cnt", ERRORS), ("iotmo_cnt", TIMEOUTS)] {
            word(file).and_then(|w| hexadecimal(&w)).into_iter().for_each(|n| put_of(out, attribute, &device, n));
        }
    } else if let Some(life) = word("life_time") {
        // Two kinds of cells: 0x01 is up to 10 %, 0x0a up to 100 %, 0x0b more; 0 is not told.
        let worst = life.split_whitespace().filter_map(hexadecimal).filter(|n| (1..=11).contains(n)).max();
        worst.into_iter().for_each(|n| put_of(out, WORN, &device, (n as f64 / 10.0).min(1.0)));
    }
}

fn hexadecimal(word: &str) -> Option<u64> {
    u64::from_str_radix(word.strip_prefix("0x")?, 16).ok()
}

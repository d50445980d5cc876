//! Errors of memory that its own check found.

use super::{Collector, Round, Setup};
use crate::CollectError;
use crate::attributes::{attributes, put, put_of};
use crate::limits::MEMORY_CONTROLLERS_MAX;
use crate::root::Root;
use crate::sysfs::{numbered, value};
use peermon_model::{Attribute, Sample, Unit::Count};

attributes! {
    CORRECTED_ALL = &Attribute::counter("mem.errors.corrected", Count, "Errors of memory that were corrected, of all controllers.");
    UNCORRECTED_ALL = &Attribute::counter("mem.errors.uncorrected", Count, "Errors of memory that could not be corrected, of all controllers.");
    CORRECTED = &Attribute::counter("mem.controller.{}.errors.corrected", Count, "Errors of memory that one controller corrected.").prom("node_edac_correctable_errors_total", "controller", &[]);
    UNCORRECTED = &Attribute::counter("mem.controller.{}.errors.uncorrected", Count, "Errors of memory that one controller could not correct.").prom("node_edac_uncorrectable_errors_total", "controller", &[]);
}

struct Edac(Root);

pub(super) fn make(setup: &Setup) -> Box<dyn Collector> {
    Box::new(Edac(setup.root.clone()))
}

impl Collector for Edac {
    fn collect(&mut self, _: &Round, out: &mut Vec<Sample>) -> Result<(), CollectError> {
        read(&self.0, out)
    }
}

fn read(root: &Root, out: &mut Vec<Sample>) -> Result<(), CollectError> {
    let controllers = numbered(&root.path("sys/devices/system/edac/mc"), "mc", MEMORY_CONTROLLERS_MAX);
    for (file, one, all) in [("ce_count", CORRECTED, CORRECTED_ALL), ("ue_count", UNCORRECTED, UNCORRECTED_ALL)] {
        let mut sum: Option<u64> = None;
        for (number, dir) in &controllers {
            let Some(n) = value(&dir.join(file))? else { continue };
            put_of(out, one, &number.to_string().into(), n);
            sum = Some(sum.unwrap_or(0).saturating_add(n));
        }
        sum.into_iter().for_each(|n| put(out, all, n));
    }
    Ok(())
}

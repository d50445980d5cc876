//! How long the machine has been up.

use super::{Collector, Round, Setup};
use crate::CollectError;
use crate::attributes::{attributes, put};
use crate::hot_file::HotFile;
use crate::text::words;
use peermon_model::{Attribute, Sample, Unit::Seconds};

attributes! {
    UPTIME = &Attribute::gauge("uptime", Seconds, "Time since the machine booted.");
    BOOTED = &Attribute::gauge("uptime.booted", Seconds, "When the machine booted, in Unix seconds by its own clock.").prom("node_boot_time_seconds", "", &[]);
}

struct Uptime(HotFile);

pub(super) fn make(setup: &Setup) -> Box<dyn Collector> {
    Box::new(Uptime(setup.hot("proc/uptime")))
}

impl Collector for Uptime {
    fn collect(&mut self, round: &Round, out: &mut Vec<Sample>) -> Result<(), CollectError> {
        let text = self.0.read()?;
        put(out, UPTIME, text.real(words(text.bytes).next(), "uptime")?);
        let stat = round.stat()?;
        let text = stat.text();
        if let Some(booted) = text.lines().find_map(|l| l.strip_prefix(b"btime ")) {
            put(out, BOOTED, text.number(words(booted).next(), "btime")?);
        }
        Ok(())
    }
}

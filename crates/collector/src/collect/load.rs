//! Load averages.

use super::{Collector, Round, Setup};
use crate::CollectError;
use crate::attributes::{attributes, put, vital};
use crate::hot_file::HotFile;
use crate::text::words;
use peermon_model::{Attribute, Sample, Unit::Count};

attributes! {
    LOAD_1 = vital("load.1");
    LOAD_5 = &Attribute::gauge("load.5", Count, "Processes running or waiting, averaged over five minutes.").prom("node_load5", "", &[]);
    LOAD_15 = &Attribute::gauge("load.15", Count, "Processes running or waiting, averaged over fifteen minutes.").prom("node_load15", "", &[]);
}

struct Load(HotFile);

pub(super) fn make(setup: &Setup) -> Box<dyn Collector> {
    Box::new(Load(setup.hot("proc/loadavg")))
}

impl Collector for Load {
    fn collect(&mut self, _: &Round, out: &mut Vec<Sample>) -> Result<(), CollectError> {
        let text = self.0.read()?;
        let mut words = words(text.bytes);
        for (attribute, field) in [(LOAD_1, "the first average"), (LOAD_5, "the second average"), (LOAD_15, "the third average")]
        {
            put(out, attribute, text.real(words.next(), field)?);
        }
        Ok(())
    }
}

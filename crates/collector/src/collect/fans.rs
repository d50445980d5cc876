//! Fans.

use super::temperature::chip_name;
use super::{Collector, Round, Setup};
use crate::CollectError;
use crate::attributes::{attributes, put_of};
use crate::hot_file::{read_value, read_word};
use crate::limits::SENSORS_MAX;
use crate::root::Root;
use crate::sysfs::{entries, file_name};
use crate::text::Text;
use peermon_model::{
    Attribute, Sample,
    Unit::{None as NoUnit, TurnsPerMinute},
};
use std::path::Path;
use std::sync::Arc;

attributes! {
    SPEED = &Attribute::gauge("fan.{}.speed", TurnsPerMinute, "How fast one fan turns.").prom("node_hwmon_fan_rpm", "", &[]);
    ALARM = &Attribute::gauge("fan.{}.alarm", NoUnit, "Whether the hardware says that one fan is too slow: 1 or 0.").prom("node_hwmon_fan_alarm", "", &[]);
}

struct Fans(Root);

pub(super) fn make(setup: &Setup) -> Box<dyn Collector> {
    Box::new(Fans(setup.root.clone()))
}

impl Collector for Fans {
    fn collect(&mut self, _: &Round, out: &mut Vec<Sample>) -> Result<(), CollectError> {
        read_all(&self.0, out)
    }
}

fn read_all(root: &Root, out: &mut Vec<Sample>) -> Result<(), CollectError> {
    let chips = entries(&root.path("sys/class/hwmon"));
    let fans = chips.iter().flat_map(|chip| entries(chip).into_iter().filter_map(move |f| Some((chip, fan(&f)?))));
    for (chip, fan) in fans.take(SENSORS_MAX) {
        let input = chip.join(format!("{fan}_input"));
        // A fan that is not there answers with one error or another.
        let Ok(Some(bytes)) = read_value(&input) else { continue };
        let turns = Text { file: &input, bytes: &bytes }.number(Some(bytes.trim_ascii()), "turns per minute")?;
        let instance: Arc<str> = format!("{}.{fan}", file_name(chip)).into();
        let labels: Arc<[_]> = [("chip", chip_name(chip)), ("sensor", fan.clone())].into();
        let alarm = read_word(&chip.join(format!("{fan}_alarm"))).map(|a| u64::from(a != "0"));
        for (attribute, value) in [(SPEED, Some(turns)), (ALARM, alarm)] {
            let Some(value) = value else { continue };
            put_of(out, attribute, &instance, value);
            if let Some(sample) = out.last_mut() {
                sample.labels = Some(Arc::clone(&labels));
            }
        }
    }
    Ok(())
}

/// `fan2` of `fan2_input`.
fn fan(input: &Path) -> Option<String> {
    let name = file_name(input).strip_suffix("_input")?.to_string();
    crate::text::number(name.strip_prefix("fan")?.as_bytes())?;
    Some(name)
}

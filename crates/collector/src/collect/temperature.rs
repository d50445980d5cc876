//! Temperatures: hardware monitors and thermal zones.

use super::{Collector, Round, Setup};
use crate::CollectError;
use crate::attributes::{attributes, put, put_of, vital};
use crate::hot_file::{read_value, read_word};
use crate::limits::SENSORS_MAX;
use crate::rate::higher;
use crate::root::Root;
use crate::sysfs::{entries, file_name};
use crate::text::Text;
use peermon_model::{Attribute, Sample, Unit::Celsius};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

attributes! {
    HOTTEST = vital("temperature.max");
    SENSOR = &Attribute::gauge("temperature.{}", Celsius, "Temperature of one sensor.").prom("node_hwmon_temp_celsius", "", &[]);
    ZONE = &Attribute::gauge("temperature.zone.{}", Celsius, "Temperature of one thermal zone.").prom("node_thermal_zone_temp", "zone", &[]);
}

/// What real machines have. Inputs with nothing attached tell -128, -62 or 127.5.
const BELIEVABLE: Range<f64> = -40.0..125.0;

struct Temperature(Root);

/// A sensor's name, its file and its Prometheus labels.
struct Sensor {
    attribute: &'static Attribute,
    instance: Arc<str>,
    labels: Arc<[(&'static str, String)]>,
    input: PathBuf,
}

pub(super) fn make(setup: &Setup) -> Box<dyn Collector> {
    Box::new(Temperature(setup.root.clone()))
}

impl Collector for Temperature {
    fn collect(&mut self, _: &Round, out: &mut Vec<Sample>) -> Result<(), CollectError> {
        read_all(&self.0, out)
    }
}

fn read_all(root: &Root, out: &mut Vec<Sample>) -> Result<(), CollectError> {
    let mut sensors = chips(&root.path("sys/class/hwmon"));
    sensors.extend(zones(&root.path("sys/class/thermal")));
    sensors.truncate(SENSORS_MAX);
    let mut hottest: Option<f64> = None;
    for s in sensors {
        let Some(celsius) = celsius(&s.input)? else { continue };
        put_of(out, s.attribute, &s.instance, celsius);
        if let Some(sample) = out.last_mut() {
            sample.labels = Some(s.labels);
        }
        hottest = higher(hottest, Some(celsius));
    }
    hottest.into_iter().for_each(|h| put(out, HOTTEST, h));
    Ok(())
}

/// The value of a sensor's file, in thousandths of a degree there; `None` if it has none now.
fn celsius(input: &Path) -> Result<Option<f64>, CollectError> {
    // A sensor asleep or without a probe answers with one error or another.
    let Ok(Some(bytes)) = read_value(input) else { return Ok(None) };
    let text = Text { file: input, bytes: &bytes };
    let thousandths = text.real(Some(bytes.trim_ascii()), "temperature")?;
    Ok(Some(thousandths / 1000.0).filter(|c| BELIEVABLE.contains(c)))
}

fn chips(dir: &Path) -> Vec<Sensor> {
    let mut sensors = Vec::new();
    for chip in entries(dir) {
        let chip_name = chip_name(&chip);
        for input in entries(&chip).into_iter().filter(|f| is_input(&file_name(f))) {
            let sensor = file_name(&input).trim_end_matches("_input").to_string();
            if read_word(&chip.join(format!("{sensor}_fault"))).is_some_and(|f| f == "1") {
                continue;
            }
            sensors.push(Sensor {
                attribute: SENSOR,
                instance: format!("{}.{sensor}", file_name(&chip)).into(),
                labels: Arc::new([("chip", chip_name.clone()), ("sensor", sensor)]),
                input,
            });
        }
    }
    sensors
}

/// node_exporter's name for a chip: its bus and its device there, e.g. `platform_coretemp_0`.
pub(super) fn chip_name(chip: &Path) -> String {
    let end = |link: PathBuf| fs::read_link(link).ok().map(|to| file_name(&to));
    let device = end(chip.join("device"));
    let name = match (end(chip.join("device/subsystem")), device) {
        (Some(bus), Some(device)) => format!("{bus}_{device}"),
        (None, Some(device)) => device,
        _ => file_name(chip),
    };
    name.to_ascii_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_")
}

fn zones(dir: &Path) -> Vec<Sensor> {
    let zone = |path: PathBuf| {
        let number = file_name(&path).strip_prefix("thermal_zone")?.to_string();
        let kind = read_word(&path.join("type")).unwrap_or_default();
        let labels = Arc::new([("type", kind)]);
        Some(Sensor { attribute: ZONE, instance: number.into(), labels, input: path.join("temp") })
    };
    entries(dir).into_iter().filter_map(zone).collect()
}

fn is_input(file: &str) -> bool {
    file.strip_prefix("temp").and_then(|f| f.strip_suffix("_input")).is_some_and(|n| n.parse::<u32>().is_ok())
}

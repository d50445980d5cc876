//! Options that are tables: labels, notices, vitals of one's own.

use super::input::Input;
use super::options;
use peermon_collector::limits::{EVERY_MAX, PUBLISHED_EVERY_MAX};
use peermon_collector::{COLLECTORS, period_max};
use peermon_model::{CustomVital, Notice, Quantiser, Unit, limits};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Bytes of a label's key: short enough to be a column's head.
const LABEL_KEY_BYTES_MAX: usize = 32;
/// The shortest period of a collector: that of the shortest round.
const PERIOD_MIN: Duration = Duration::from_millis(125);
/// Bytes of a notice's topic.
pub(crate) const TOPIC_BYTES_MAX: usize = 32;

const UNITS: &[Unit] = &[
    Unit::Ratio,
    Unit::Bytes,
    Unit::BytesPerSecond,
    Unit::BitsPerSecond,
    Unit::Seconds,
    Unit::PerSecond,
    Unit::Count,
    Unit::Hertz,
    Unit::Celsius,
    Unit::Watts,
    Unit::TurnsPerMinute,
];

/// `KEY = "VALUE"`, or as one text `KEY=VALUE,KEY=VALUE`, at most so many.
fn pairs(input: &Input, most: usize, what: &str) -> Result<Vec<(String, String)>, String> {
    let pairs: Vec<(String, String)> = match input {
        Input::Table(pairs) => pairs
            .iter()
            .map(|(k, v)| Ok((k.clone(), scalar(v)?)))
            .collect::<Result<_, String>>()
            .map_err(|e| format!("values {e}"))?,
        _ => {
            let pair = |i: &Input| -> Result<(String, String), String> {
                let text = i.text()?;
                let (k, v) = text.split_once('=').ok_or_else(|| format!("must be {what}, not {text:?}"))?;
                Ok((k.trim().to_string(), v.trim().to_string()))
            };
            input.list(most)?.iter().map(pair).collect::<Result<_, _>>()?
        }
    };
    if pairs.len() > most {
        return Err(format!("holds {} of {what}; {most} is the most", pairs.len()));
    }
    Ok(pairs)
}

/// A collector's name as it was written, if there is such a one; otherwise the name most like it is offered.
pub(super) fn collector(name: &str) -> Result<&'static str, String> {
    let names = || COLLECTORS.iter().map(|e| e.name);
    names().find(|n| *n == name).ok_or_else(|| {
        let name: String = name.chars().take(40).collect();
        match options::like(&name, names()) {
            Some(near) => format!("names no collector: there is no {name:?}; did you mean {near:?}?"),
            None => format!("names no collector: there is no {name:?}, but {}", names().collect::<Vec<_>>().join(", ")),
        }
    })
}

/// How often collectors look: `NAME = "PERIOD"`.
pub(super) fn collector_periods(input: &Input) -> Result<BTreeMap<String, Duration>, String> {
    let mut periods = BTreeMap::new();
    for (name, period) in pairs(input, COLLECTORS.len(), "NAME=PERIOD")? {
        let name = collector(&name)?;
        let most = period_max(name).unwrap_or(EVERY_MAX);
        let range = PERIOD_MIN..=most;
        let read = |input: Input| input.duration(&range);
        let period = read(Input::Text(period)).map_err(|e| match most {
            PUBLISHED_EVERY_MAX => format!("has a period for {name:?} that {e}, for all nodes see what it gives"),
            _ => format!("has a period for {name:?} that {e}"),
        })?;
        periods.insert(name.to_string(), period);
    }
    Ok(periods)
}

/// Labels: `KEY = "VALUE"`.
pub(super) fn labels(input: &Input) -> Result<BTreeMap<String, String>, String> {
    let pairs = pairs(input, limits::LABELS_MAX, "KEY=VALUE")?;
    for (key, value) in &pairs {
        if key.is_empty()
            || key.len() > LABEL_KEY_BYTES_MAX
            || !key.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        {
            let key: String = key.chars().take(40).collect();
            return Err(format!("has a label {key:?}: a key is 1 to {LABEL_KEY_BYTES_MAX} letters, digits, dots and dashes"));
        }
        if value.len() > limits::FACT_TEXT_BYTES_MAX {
            return Err(format!("has a value for {key:?} longer than {} bytes", limits::FACT_TEXT_BYTES_MAX));
        }
    }
    Ok(pairs.into_iter().collect())
}

fn scalar(input: &Input) -> Result<String, String> {
    match input {
        Input::Text(t) => Ok(t.clone()),
        Input::Whole(_) | Input::Real(_) | Input::Flag(_) => Ok(input.shown()),
        _ => Err(format!("must be texts, not {}", input.shown())),
    }
}

/// Tables of `topic` and `text`.
pub(super) fn notices(input: &Input) -> Result<Vec<Notice>, String> {
    let one = |i: &Input| -> Result<Notice, String> {
        let mut fields = Fields::of(i, &["topic", "text"])?;
        let (topic, text) = (fields.text("topic", TOPIC_BYTES_MAX)?, fields.text("text", limits::NOTICE_TEXT_BYTES_MAX)?);
        Ok(Notice::new(topic, text))
    };
    input.list(limits::NOTICES_MAX)?.iter().map(one).collect()
}

/// An attribute that a node publishes besides the built-in vitals.
#[derive(Clone, PartialEq, Debug)]
pub struct OwnVital {
    /// What is published.
    pub published: CustomVital,
    /// The file that begins with its value; `None`: a collector gives it.
    pub file: Option<PathBuf>,
    /// Turns the file's number into the base unit.
    pub factor: f64,
}

/// Tables of `attribute`, `unit`, where the value is not a ratio or a small count `floor`, and where no collector gives it
/// `file` and perhaps `factor`.
pub(super) fn vitals(input: &Input) -> Result<Vec<OwnVital>, String> {
    let one = |i: &Input| -> Result<OwnVital, String> {
        let mut fields = Fields::of(i, &["attribute", "unit", "floor", "file", "factor"])?;
        let name = fields.text("attribute", limits::ATTRIBUTE_NAME_BYTES_MAX)?;
        if peermon_model::vitals::find(&name).is_some() {
            return Err(format!("names {name:?}, which every node publishes anyway"));
        }
        let unit = fields.text("unit", 16)?;
        let unit = *UNITS.iter().find(|u| u.name() == unit).ok_or_else(|| {
            let known: Vec<_> = UNITS.iter().map(|u| u.name()).collect();
            format!("has a unit {unit:?}; units are {}", known.join(", "))
        })?;
        let floor = fields.number("floor")?;
        let quantiser = match (unit, floor) {
            (_, Some(floor)) if floor <= 0.0 => return Err(format!("has a floor of {floor}; it must be above 0")),
            (_, Some(floor)) => Quantiser::Log { floor },
            (Unit::Ratio, None) => Quantiser::Ratio,
            (Unit::Count | Unit::Celsius, None) => Quantiser::Count,
            (_, None) => return Err(format!("needs a floor for {name:?}: the smallest value in {} told from zero", unit.name())),
        };
        let file = fields.find("file").map(Input::path).transpose().map_err(|e| format!("has a file that {e}"))?.flatten();
        if let Some(f) = file.as_ref().filter(|f| !f.is_absolute()) {
            return Err(format!("has a file {:?} for {name:?}; name it from / on", f.display().to_string()));
        }
        let factor = match (fields.number("factor")?, &file) {
            (Some(_), None) => return Err(format!("has a factor for {name:?}, but no file that it would apply to")),
            (factor, _) => factor.unwrap_or(1.0),
        };
        Ok(OwnVital { published: CustomVital { name: name.into(), unit, quantiser }, file, factor })
    };
    input.list(limits::CUSTOM_VITALS_MAX)?.iter().map(one).collect()
}

/// The named values of one table.
struct Fields<'a>(&'a [(String, Input)]);

impl<'a> Fields<'a> {
    fn of(input: &'a Input, known: &[&str]) -> Result<Self, String> {
        let Input::Table(pairs) = input else {
            return Err(format!("must hold tables with {}, not {}", known.join(", "), input.shown()));
        };
        match pairs.iter().find(|(k, _)| !known.contains(&k.as_str())) {
            Some((k, _)) => Err(format!("knows no {k:?}; it takes {}", known.join(", "))),
            None => Ok(Fields(pairs)),
        }
    }

    fn find(&self, key: &str) -> Option<&'a Input> {
        self.0.iter().find(|(k, _)| k == key).map(|(_, v)| v)
    }

    fn text(&mut self, key: &str, bytes_max: usize) -> Result<String, String> {
        let text = self
            .find(key)
            .ok_or_else(|| format!("needs {key:?} in each table"))?
            .text()
            .map_err(|e| format!("has a {key} that {e}"))?;
        if text.is_empty() || text.len() > bytes_max || text.chars().any(char::is_control) {
            return Err(format!(
                "has a {key} that must be 1 to {bytes_max} printable bytes, not {:?}",
                text.chars().take(100).collect::<String>()
            ));
        }
        Ok(text.to_string())
    }

    fn number(&mut self, key: &str) -> Result<Option<f64>, String> {
        self.find(key).map(Input::real).transpose().map_err(|e| format!("has a {key} that {e}"))
    }
}

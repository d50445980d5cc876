//! What a node must have to be offered.

use crate::Claimed;
use peermon_expr::{Condition, Dimension, Error, Expression, NodeKey, NodeWords, Row};
use peermon_model::{Snapshot, ZoneName};
use std::fmt;
use std::str::FromStr;

/// Processors that a load average may be above what runs: it takes minutes to forget what has ended.
const LOAD_TOLERANCE: f64 = 0.5;

/// A label that is wanted: `gpu` whatever its value, `rack=7` with that value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Label {
    key: Box<str>,
    value: Option<Box<str>>,
}

/// Why a text is not a wanted label.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParseLabel(String);

impl fmt::Display for ParseLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a label: write KEY or KEY=VALUE, without control characters", self.0)
    }
}
impl std::error::Error for ParseLabel {}

impl FromStr for Label {
    type Err = ParseLabel;
    fn from_str(s: &str) -> Result<Self, ParseLabel> {
        let (key, value) = s.split_once('=').map_or((s, None), |(k, v)| (k, Some(v)));
        if key.is_empty() || s.contains(char::is_control) {
            return Err(ParseLabel(s.into()));
        }
        Ok(Label { key: key.into(), value: value.map(Into::into) })
    }
}

/// Reads an amount of memory, `8GiB` or `8G`, in bytes.
pub fn bytes(text: &str) -> Result<f64, Error> {
    let measure = text.parse::<Expression>()?.measure(&NodeWords::new())?;
    let wrong = |message: &str| Error::new(text, 0..text.len(), message).with_hint("write e.g. 8GiB, 8G or 500MB");
    if measure.names().next().is_some() || measure.dimension() != Dimension::BYTES {
        return Err(wrong("this is not an amount of memory"));
    }
    measure.constant().filter(|b| *b >= 0.0).ok_or_else(|| wrong("memory is 0 bytes or more"))
}

/// What a job needs of its node. Nothing is asked for by default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Requirements {
    /// Processors that are idle: those it has, less the load of the last minute, with half a processor of tolerance because that
    /// average takes minutes to forget.
    pub cpus: Option<u32>,
    /// Bytes of available memory.
    pub mem: Option<f64>,
    /// GPUs it has.
    pub gpus: Option<u32>,
    /// Bytes of GPU memory not in use, on all its GPUs together.
    pub gpu_mem: Option<f64>,
    /// Labels, all of them.
    pub labels: Vec<Label>,
    /// Its zone.
    pub zone: Option<ZoneName>,
    /// Anything else: conditions in [`peermon_expr`]'s language, all of them.
    pub conditions: Vec<Expression>,
}

impl Requirements {
    /// Compiles them for the nodes of a snapshot. An error is the fault of one of `conditions`, and points into it.
    pub fn compile(&self, snapshot: &Snapshot) -> Result<Wanted, Error> {
        let words = NodeWords::of(snapshot);
        let mut wanted = Wanted::default();
        let mut add = |what: String, text: String| -> Result<(), Error> {
            wanted.list.push((what, text.parse::<Expression>()?.condition(&words)?));
            Ok(())
        };
        if let Some(n) = self.cpus {
            let idle = f64::from(n) - LOAD_TOLERANCE;
            add(format!("{n} idle processors"), format!("cpu.threads >= {n} && cpu.threads - load.1 >= {idle}"))?;
        }
        if let Some(b) = self.mem {
            add(format!("{:.1} GiB of memory available", gib(b)), format!("mem.available >= {}B", plain(b)))?;
        }
        if let Some(n) = self.gpus {
            add(format!("{n} GPUs"), format!("gpu.count >= {n}"))?;
        }
        if let Some(b) = self.gpu_mem {
            let free = format!("gpu.mem.total * (1 - gpu.mem.used) >= {}B", plain(b));
            add(format!("{:.1} GiB of GPU memory not in use", gib(b)), free)?;
        }
        for Label { key, value } in &self.labels {
            let key = quoted(key);
            match value {
                None => add(format!("label {key}"), format!("tag({key})"))?,
                Some(v) => add(format!("label {key} with value {}", quoted(v)), format!("label.{key} == {}", quoted(v)))?,
            }
        }
        if let Some(zone) = &self.zone {
            add(format!("zone {zone}"), format!("zone == {}", quoted(zone.as_str())))?;
        }
        for e in &self.conditions {
            wanted.list.push((e.to_string(), e.condition(&words)?));
        }
        Ok(wanted)
    }
}

fn gib(bytes: f64) -> f64 {
    bytes / (1024.0 * 1024.0 * 1024.0)
}

/// A number as the language writes it. What is no amount becomes one that nobody has, or that everybody has.
fn plain(bytes: f64) -> f64 {
    if bytes.is_nan() { 0.0 } else { bytes.clamp(0.0, 1e300) }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Requirements, compiled for many nodes. The default asks for nothing.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    list: Vec<(String, Condition<NodeKey>)>,
}

impl Wanted {
    /// Whether a node has it all; if not, the first thing it lacks.
    pub(crate) fn met(&self, row: &impl Row<NodeKey>, claimed: Claimed) -> Result<(), Unmet> {
        for (what, condition) in &self.list {
            let holds = condition.holds(row);
            if holds != Some(true) {
                let values = condition.values(row);
                let values = values.into_iter().map(|(n, v)| (n.into(), v)).collect();
                return Err(Unmet { what: what.clone(), known: holds.is_some(), values, claimed });
            }
        }
        Ok(())
    }
}

/// What a node lacks.
#[derive(Clone, Debug, PartialEq)]
pub struct Unmet {
    /// What was asked for.
    what: String,
    /// Whether it is known that the node lacks it, rather than not known that it has it.
    known: bool,
    /// What counted, and its value; `None` if that is not known.
    values: Vec<(String, Option<String>)>,
    /// What others have claimed of it.
    claimed: Claimed,
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let so = if self.known { "it does not have" } else { "it is not known to have" };
        write!(f, "{so} what was asked for: {}", self.what)?;
        for (i, (name, value)) in self.values.iter().enumerate() {
            let before = if i == 0 { " (" } else { ", " };
            match value {
                Some(v) => write!(f, "{before}{name} is {v}")?,
                None => write!(f, "{before}{name} is not known")?,
            }
        }
        if !self.values.is_empty() {
            f.write_str(")")?;
        }
        if self.claimed.is_nothing() { Ok(()) } else { write!(f, "; claims take {} of it", self.claimed) }
    }
}

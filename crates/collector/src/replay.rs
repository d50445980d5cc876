//! Recorded machines: a trace of vitals, second by second, that is played again and again.
//!
//! A trace is a text. Lines that begin with `#` are comments.
//!
//! ```text
//! # what was recorded, where, and what was made up
//! peermon-trace 1
//! fact cpu.threads 16
//! fact host.name render-7
//! vitals cpu.busy mem.available load.1
//! 0.031 30601236480 0.42
//! 0.500 30601236480 -
//! ```
//!
//! First facts by full name, then the names of the columns, then one line a second with values in base units; `-` is absent.

use crate::limits::TRACE_BYTES_MAX;
use crate::runner::Source;
use peermon_model::facts::FACTS;
use peermon_model::vitals::{self, VITALS};
use peermon_model::{Attribute, CollectorReport, Facts, Instant, Sample, Samples, Unit, Value};
use std::io::{self, Write};
use std::thread;
use std::time::Duration;
use thiserror::Error;

/// The traces that come with the program, by name.
pub const BUILTIN: &[(&str, &str)] = &[
    ("idle-desktop", include_str!("../traces/idle-desktop.trace")),
    ("busy-compute", include_str!("../traces/busy-compute.trace")),
    ("file-server", include_str!("../traces/file-server.trace")),
    ("batch-node", include_str!("../traces/batch-node.trace")),
];

const HEADER: &str = "peermon-trace 1";
const ABSENT: &str = "-";
/// What one line of values stands for.
const STEP: Duration = Duration::from_secs(1);

/// What is wrong with a trace.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("trace {name}, line {line}: {reason}")]
pub struct TraceError {
    /// The trace's name.
    pub name: String,
    /// Which line, from 1; 0 for the whole.
    pub line: usize,
    /// What is wrong there.
    pub reason: String,
}

/// A recorded machine. It begins anew when its trace ends.
#[derive(Clone, Debug)]
pub struct Replay {
    facts: Facts,
    columns: Vec<&'static Attribute>,
    rows: Vec<Vec<Option<f64>>>,
    begun: Option<Instant>,
}

impl Replay {
    /// The trace that comes with the program under this name.
    pub fn builtin(name: &str) -> Option<Self> {
        let (_, text) = BUILTIN.iter().find(|(n, _)| *n == name)?;
        Some(Replay::parse(name, text).expect("the built-in traces are right, which a test checks"))
    }

    /// Reads a trace. Its facts say `source` = `replay NAME`.
    ///
    /// # Errors
    /// If the text is not a trace; the error names the line.
    pub fn parse(name: &str, text: &str) -> Result<Self, TraceError> {
        let wrong = |line: usize, reason: String| TraceError { name: name.into(), line, reason };
        if text.len() > TRACE_BYTES_MAX {
            return Err(wrong(0, format!("it is longer than {TRACE_BYTES_MAX} bytes")));
        }
        let mut lines =
            text.lines().enumerate().map(|(i, l)| (i + 1, l.trim())).filter(|(_, l)| !l.is_empty() && !l.starts_with('#'));
        match lines.next() {
            Some((_, HEADER)) => {}
            other => return Err(wrong(other.map_or(0, |(n, _)| n), format!("a trace begins with \"{HEADER}\""))),
        }
        let mut replay = Replay { facts: Facts::default(), columns: Vec::new(), rows: Vec::new(), begun: None };
        for (n, line) in lines {
            let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            match word {
                "fact" if replay.columns.is_empty() => fact(&mut replay.facts, rest).map_err(|e| wrong(n, e))?,
                "vitals" if replay.columns.is_empty() => replay.columns = columns(rest).map_err(|e| wrong(n, e))?,
                _ if replay.columns.is_empty() => {
                    return Err(wrong(n, "expected \"fact NAME VALUE\" or \"vitals NAME...\"".into()));
                }
                _ => replay.rows.push(row(line, replay.columns.len()).map_err(|e| wrong(n, e))?),
            }
        }
        if replay.rows.is_empty() {
            return Err(wrong(0, "it has no line of values".into()));
        }
        replay.facts.put("source", None, Value::text(&format!("replay {name}")));
        Ok(replay)
    }

    /// Begins `offset` into the trace, so that two replays of one trace differ.
    pub fn starting_at(mut self, offset: Duration) -> Self {
        let rows = self.rows.len();
        self.rows.rotate_left((offset.as_secs() % rows as u64) as usize);
        self
    }

    /// How long the trace is before it begins anew.
    pub fn length(&self) -> Duration {
        STEP.saturating_mul(u32::try_from(self.rows.len()).unwrap_or(u32::MAX))
    }
}

impl Source for Replay {
    fn round(&mut self, now: Instant) -> Samples {
        let begun = *self.begun.get_or_insert(now);
        let step = (now - begun).as_nanos() / STEP.as_nanos();
        let row = &self.rows[(step % self.rows.len() as u128) as usize];
        let sample = |(attribute, value): (&&'static Attribute, &Option<f64>)| {
            Some(Sample { attribute, instance: None, labels: None, value: (*value)? })
        };
        // One collector, and it is well: a round without any report would say that the machine cannot be trusted.
        let report = CollectorReport { collector: "replay", duration: Duration::ZERO, every: Duration::ZERO, failure: None };
        Samples { list: self.columns.iter().zip(row).filter_map(sample).collect(), reports: vec![report], ..Samples::default() }
    }

    fn facts(&mut self) -> Facts {
        self.facts.clone()
    }
}

fn columns(names: &str) -> Result<Vec<&'static Attribute>, String> {
    let column = |name| Some(&vitals::find(name)?.attribute);
    let all = names.split_whitespace().map(|n| column(n).ok_or_else(|| format!("{n:?} is not a vital")));
    let all: Vec<&'static Attribute> = all.collect::<Result<_, _>>()?;
    match all.iter().enumerate().find(|(i, a)| all[..*i].iter().any(|b| b.name == a.name)) {
        Some((_, twice)) => Err(format!("{} is there twice", twice.name)),
        None if all.is_empty() => Err("no vital is named".into()),
        None => Ok(all),
    }
}

fn row(line: &str, columns: usize) -> Result<Vec<Option<f64>>, String> {
    let value = |word: &str| match word.parse::<f64>() {
        _ if word == ABSENT => Ok(None),
        Ok(v) if v.is_finite() => Ok(Some(v)),
        _ => Err(format!("{word:?} is not a number")),
    };
    let row: Vec<_> = line.split_whitespace().map(value).collect::<Result<_, _>>()?;
    if row.len() == columns { Ok(row) } else { Err(format!("{} values where {columns} were expected", row.len())) }
}

/// `cpu.threads 16` or `nic.eth0.mtu 1500`.
fn fact(facts: &mut Facts, line: &str) -> Result<(), String> {
    let (name, value) = line.split_once(char::is_whitespace).ok_or("a fact has a name and a value")?;
    let (kind, instance) = FACTS
        .iter()
        .find_map(|k| match k.attribute.name.split_once("{}") {
            None => (k.attribute.name == name).then_some((k, None)),
            Some((before, after)) => {
                let instance = name.strip_prefix(before)?.strip_suffix(after).filter(|i| !i.is_empty())?;
                Some((k, Some(instance)))
            }
        })
        .ok_or_else(|| format!("{name:?} is not a fact"))?;
    let value = if kind.attribute.unit == Unit::None {
        Value::text(value)
    } else {
        let number = value.trim().parse().ok().filter(|n: &f64| n.is_finite());
        Value::Number(number.ok_or_else(|| format!("{name} is {value:?}, not a number"))?)
    };
    facts.put(&kind.attribute.name, instance, value);
    Ok(())
}

/// Records `seconds` lines from a source, one a second, as a trace that begins with `comment`. Takes that long.
///
/// # Errors
/// If writing fails; what was written before is a trace as long as it has a line of values.
pub fn record(source: &mut dyn Source, seconds: u32, comment: &str, out: &mut dyn Write) -> io::Result<()> {
    let start = std::time::Instant::now();
    let now = || Instant::from_nanos(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX));
    for line in comment.lines() {
        writeln!(out, "# {line}")?;
    }
    writeln!(out, "{HEADER}")?;
    for f in source.facts().iter().filter(|f| f.kind.attribute.name != "source") {
        writeln!(out, "fact {} {}", f.kind.attribute.full_name(f.instance.as_deref()), f.value)?;
    }
    // The first round has no rates yet; what the second has is what this machine has.
    source.round(now());
    thread::sleep(STEP);
    let mut samples = source.round(now());
    let known = |s: &Samples| VITALS.iter().map(|v| &*v.attribute.name).filter(|n| s.value(n).is_some()).collect::<Vec<_>>();
    let columns = known(&samples);
    writeln!(out, "vitals {}", columns.join(" "))?;
    for i in 0..seconds {
        let values: Vec<_> = columns.iter().map(|c| samples.value(c).map_or(ABSENT.into(), short)).collect();
        writeln!(out, "{}", values.join(" "))?;
        thread::sleep((STEP * (i + 2)).saturating_sub(start.elapsed()));
        samples = source.round(now());
    }
    out.flush()
}

/// Enough digits for any vital, and no more.
fn short(value: f64) -> String {
    if value.abs() >= 1000.0 {
        return format!("{value:.0}");
    }
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "# made up\npeermon-trace 1\nfact cpu.threads 16\nfact nic.eth0.mtu 9000\nfact host.name a b\n\
        vitals load.1 cpu.busy\n1.5 0.25\n2 -\n# between\n3 0.75\n";

    #[test]
    fn a_trace_is_played_again_and_again() {
        let mut r = Replay::parse("x", TRACE).expect("a trace");
        let facts = r.facts();
        assert_eq!(facts.number("cpu.threads"), Some(16.0));
        assert_eq!(facts.value("source"), Some(&Value::text("replay x")));
        assert_eq!(facts.value("host.name"), Some(&Value::text("a b")));
        let mut at = |ms: u64| {
            let s = r.round(Instant::from_millis(ms));
            (s.value("load.1"), s.value("cpu.busy"))
        };
        assert_eq!(at(50_000), (Some(1.5), Some(0.25)));
        assert_eq!(at(50_999), (Some(1.5), Some(0.25)));
        assert_eq!(at(51_000), (Some(2.0), None), "absent, not zero");
        assert_eq!(at(52_000), (Some(3.0), Some(0.75)));
        assert_eq!(at(53_000), (Some(1.5), Some(0.25)));
        let mut later = Replay::parse("x", TRACE).expect("a trace").starting_at(Duration::from_secs(4));
        assert_eq!(later.round(Instant::ZERO).value("load.1"), Some(2.0));
        assert_eq!(later.length(), Duration::from_secs(3));
    }

    #[test]
    fn wrong_traces_are_refused_by_line() {
        for (text, error) in [
            ("", "trace x, line 0: a trace begins with \"peermon-trace 1\""),
            ("hello", "trace x, line 1: a trace begins with \"peermon-trace 1\""),
            ("peermon-trace 1\nfact x 1", "trace x, line 2: \"x\" is not a fact"),
            ("peermon-trace 1\nfact cpu.threads many", "trace x, line 2: cpu.threads is \"many\", not a number"),
            ("peermon-trace 1\n1 2", "trace x, line 2: expected \"fact NAME VALUE\" or \"vitals NAME...\""),
            ("peermon-trace 1\nvitals load.1 load.1", "trace x, line 2: load.1 is there twice"),
            ("peermon-trace 1\nvitals speed", "trace x, line 2: \"speed\" is not a vital"),
            ("peermon-trace 1\nvitals load.1\n1 2", "trace x, line 3: 2 values where 1 were expected"),
            ("peermon-trace 1\nvitals load.1\ninf", "trace x, line 3: \"inf\" is not a number"),
            ("peermon-trace 1\nvitals load.1", "trace x, line 0: it has no line of values"),
        ] {
            assert_eq!(Replay::parse("x", text).map(|_| ()).map_err(|e| e.to_string()), Err(error.into()));
        }
    }

    #[test]
    fn the_built_in_traces_are_right_and_say_what_they_are() {
        for (name, text) in BUILTIN {
            let mut r = Replay::builtin(name).expect("there");
            assert!(r.length() >= Duration::from_secs(60), "{name}");
            assert!(text.starts_with('#') && text.contains("made up"), "{name} says what is recorded and what is not");
            let (facts, first) = (r.facts(), r.round(Instant::ZERO));
            assert_eq!(facts.value("source"), Some(&Value::text(&format!("replay {name}"))));
            let share = |part: &str, of: &str| first.value(part).unwrap_or(0.0) <= facts.number(of).unwrap_or(0.0);
            assert!(share("mem.available", "mem.total") && share("swap.used", "swap.total"), "{name}");
            for vital in ["cpu.busy", "mem.available", "load.1", "net.rx.rate"] {
                assert!(first.value(vital).is_some(), "{name} has no {vital}");
            }
        }
    }

    #[test]
    fn what_is_recorded_can_be_played() {
        let mut source = Replay::parse("x", TRACE).expect("a trace");
        let mut text = Vec::new();
        record(&mut source, 1, "two\nlines", &mut text).expect("written");
        let text = String::from_utf8(text).expect("text");
        assert!(text.starts_with("# two\n# lines\npeermon-trace 1\nfact host.name a b\n"), "{text}");
        let mut again = Replay::parse("y", &text).expect("a trace");
        assert_eq!(again.facts().number("cpu.threads"), Some(16.0));
        assert_eq!(again.round(Instant::ZERO).value("load.1"), Some(2.0));
    }
}

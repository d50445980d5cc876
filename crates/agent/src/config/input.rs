//! One value as it was written, in a file (typed) or in the environment or a flag (text), and how it becomes ours.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// A value before it is understood.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Input {
    Text(String),
    Whole(i64),
    Real(f64),
    Flag(bool),
    List(Vec<Input>),
    Table(Vec<(String, Input)>),
    /// Something no option takes, by its name.
    Other(&'static str),
}

const DURATIONS: &[(&str, f64)] =
    &[("us", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("min", 60.0), ("h", 3600.0), ("d", 86400.0)];
const SIZES: &[(&str, f64)] = &[
    ("", 1.0),
    ("B", 1.0),
    ("kB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("KiB", 1024.0),
    ("MiB", 1024.0 * 1024.0),
    ("GiB", 1024.0 * 1024.0 * 1024.0),
];

impl Input {
    /// How it was written, cut short, for messages.
    pub(super) fn shown(&self) -> String {
        match self {
            Input::Text(t) => format!("{:?}", t.chars().take(80).collect::<String>()),
            Input::Whole(n) => n.to_string(),
            Input::Real(x) => x.to_string(),
            Input::Flag(b) => b.to_string(),
            Input::List(_) => "a list".to_string(),
            Input::Table(_) => "a table".to_string(),
            Input::Other(what) => (*what).to_string(),
        }
    }

    fn not<T>(&self, wanted: impl std::fmt::Display) -> Result<T, String> {
        Err(format!("must be {wanted}, not {}", self.shown()))
    }

    /// What `read` makes of it, or nothing if it is the word for no limit.
    pub(super) fn limit<T>(&self, no_limit: &str, read: impl FnOnce(&Self) -> Result<T, String>) -> Result<Option<T>, String> {
        match self {
            Input::Text(t) if *t == no_limit => Ok(None),
            Input::Whole(0) if no_limit == "0" => Ok(None),
            _ => read(self).map(Some).map_err(|e| format!("{e}; \"{no_limit}\" is no limit")),
        }
    }

    pub(super) fn text(&self) -> Result<&str, String> {
        match self {
            Input::Text(t) => Ok(t),
            _ => self.not("a text in quotes"),
        }
    }

    pub(super) fn flag(&self) -> Result<bool, String> {
        match self {
            Input::Flag(b) => Ok(*b),
            Input::Text(t) => match t.as_str() {
                "true" | "yes" | "on" | "1" => Ok(true),
                "false" | "no" | "off" | "0" => Ok(false),
                _ => self.not("true or false"),
            },
            _ => self.not("true or false"),
        }
    }

    pub(super) fn whole(&self, range: &RangeInclusive<i64>) -> Result<i64, String> {
        let wanted = format!("a whole number from {} to {}", range.start(), range.end());
        let n = match self {
            Input::Whole(n) => Some(*n),
            Input::Text(t) => t.trim().parse().ok(),
            _ => None,
        };
        n.filter(|n| range.contains(n)).map_or_else(|| self.not(wanted), Ok)
    }

    pub(super) fn real(&self) -> Result<f64, String> {
        let x = match self {
            Input::Whole(n) => Some(*n as f64),
            Input::Real(x) => Some(*x),
            Input::Text(t) => t.trim().parse().ok(),
            _ => None,
        };
        x.filter(|x: &f64| x.is_finite()).map_or_else(|| self.not("a number"), Ok)
    }

    pub(super) fn duration(&self, range: &RangeInclusive<Duration>) -> Result<Duration, String> {
        let wanted = || format!("a duration from {} to {}", show_duration(*range.start()), show_duration(*range.end()));
        let seconds = match self {
            Input::Text(t) => scaled(t, DURATIONS),
            _ => None,
        };
        // Only what fits a `Duration` with room to add to a moment is converted at all.
        let duration = seconds.filter(|s| (0.0..1e9).contains(s)).map(Duration::from_secs_f64);
        duration.filter(|d| range.contains(d)).map_or_else(|| self.not(wanted()), Ok)
    }

    pub(super) fn size(&self, range: &RangeInclusive<f64>) -> Result<f64, String> {
        let wanted = || format!("a size from {} to {}", show_size(*range.start()), show_size(*range.end()));
        let bytes = match self {
            Input::Text(t) => scaled(t, SIZES),
            Input::Whole(n) => Some(*n as f64),
            Input::Real(x) => Some(*x),
            _ => None,
        };
        bytes.filter(|b| range.contains(b)).map_or_else(|| self.not(wanted()), Ok)
    }

    /// A share, written in percent: `1%`, `0.5 %`.
    pub(super) fn percent(&self, range: &RangeInclusive<f64>) -> Result<f64, String> {
        let wanted = || format!("a share from {} to {}", show_percent(*range.start()), show_percent(*range.end()));
        let share = match self {
            Input::Text(t) => scaled(t, &[("%", 0.01)]),
            _ => None,
        };
        share.filter(|s| range.contains(s)).map_or_else(|| self.not(wanted()), Ok)
    }

    /// A path; an empty text is none. A path must be absolute or start at the working directory; `~` means nothing here.
    pub(super) fn path(&self) -> Result<Option<PathBuf>, String> {
        match self.text()? {
            "" => Ok(None),
            t if t.contains('\0') => self.not("a path"),
            t => Ok(Some(PathBuf::from(t))),
        }
    }

    /// A value parsed from its text.
    pub(super) fn parsed<T: FromStr>(&self, wanted: &str) -> Result<T, String> {
        let t = self.text().map_err(|_| format!("must be {wanted}, not {}", self.shown()))?;
        t.trim().parse().or_else(|_| self.not(wanted))
    }

    /// Items of a list; a text is a list separated by commas, an empty one has none.
    pub(super) fn list(&self, most: usize) -> Result<Vec<Input>, String> {
        let items = match self {
            Input::List(items) => items.clone(),
            Input::Text(t) => t.split(',').map(str::trim).filter(|t| !t.is_empty()).map(|t| Input::Text(t.to_string())).collect(),
            _ => return self.not("a list"),
        };
        if items.len() > most {
            return Err(format!("holds {} items; {most} is the most", items.len()));
        }
        Ok(items)
    }
}

/// A number with one of the units, exactly written.
fn scaled(text: &str, units: &[(&str, f64)]) -> Option<f64> {
    let text = text.trim();
    let split = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let factor = units.iter().find(|(name, _)| *name == unit.trim_start())?.1;
    let value = number.parse::<f64>().ok()? * factor;
    value.is_finite().then_some(value)
}

/// A duration as an option writes it.
pub(super) fn show_duration(d: Duration) -> String {
    let (secs, micros) = (d.as_secs(), d.subsec_micros());
    match (secs, micros) {
        (0, 0) => "0s".to_string(),
        (s, 0) if s % 86400 == 0 && s > 86400 => format!("{}d", s / 86400),
        (s, 0) if s % 3600 == 0 => format!("{}h", s / 3600),
        (s, 0) if s % 60 == 0 => format!("{}m", s / 60),
        (s, 0) => format!("{s}s"),
        (_, us) if us % 1000 == 0 => format!("{}ms", d.as_millis()),
        _ => format!("{}us", d.as_micros()),
    }
}

/// A share as an option writes it, to a millionth.
pub(super) fn show_percent(share: f64) -> String {
    format!("{}%", (share * 1e6).round() / 1e4)
}

/// A size as an option writes it.
pub(super) fn show_size(bytes: f64) -> String {
    let exact = |unit: f64| (bytes / unit).fract() == 0.0 && bytes >= unit;
    match bytes {
        b if exact(1e9) => format!("{}GB", b / 1e9),
        b if exact(1e6) => format!("{}MB", b / 1e6),
        b if exact(1e3) => format!("{}kB", b / 1e3),
        b => format!("{b}B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_read_as_people_write_them() {
        let duration = |t: &str| Input::Text(t.into()).duration(&(Duration::ZERO..=Duration::from_hours(1000)));
        for (text, seconds) in
            [("1s", 1.0), ("250ms", 0.25), ("1.5s", 1.5), ("15m", 900.0), ("2 h", 7200.0), ("7d", 604_800.0), ("300us", 0.0003)]
        {
            assert_eq!(duration(text), Ok(Duration::from_secs_f64(seconds)), "{text}");
        }
        for bad in ["", "1", "s", "-1s", "1e9s", "1 fortnight", "99999999999999999999d", "1..5s", "١s"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
        let size = |t: &str| Input::Text(t.into()).size(&(0.0..=1e12));
        for (text, bytes) in [("16kB", 16e3), ("1MB", 1e6), ("1 KiB", 1024.0), ("512", 512.0), ("0.5GB", 5e8)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for bad in ["", "kB", "16kb", "16 K", "-1", "NaN", "inf", "1e3"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_shown_reads_back() {
        let all = Duration::ZERO..=Duration::from_hours(10_000);
        for micros in [0, 1, 15_625, 250_000, 1_000_000, 90_000_000, 3_600_000_000, 86_400_000_000, 604_800_000_000] {
            let d = Duration::from_micros(micros);
            assert_eq!(Input::Text(show_duration(d)).duration(&all), Ok(d), "{d:?}");
        }
        for bytes in [0.0, 1.0, 999.0, 1000.0, 16e3, 1.5e6, 2e9] {
            assert_eq!(Input::Text(show_size(bytes)).size(&(0.0..=1e12)), Ok(bytes));
        }
    }
}

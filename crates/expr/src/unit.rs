//! What numbers are numbers of, and the units that literals are written with.

use crate::limits::POWER_MAX;
use peermon_model::Unit;
use std::fmt;

/// What a number is a number of, as powers of the base units. Shares, counts and plain numbers are alike: all powers 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Dimension {
    /// Bytes.
    data: i8,
    /// Seconds.
    time: i8,
    /// Degrees Celsius.
    heat: i8,
}

const fn dimension(data: i8, time: i8, heat: i8) -> Dimension {
    Dimension { data, time, heat }
}

impl Dimension {
    /// Shares, counts and numbers without a unit.
    pub const PLAIN: Dimension = dimension(0, 0, 0);
    /// Bytes.
    pub const BYTES: Dimension = dimension(1, 0, 0);
    /// Bytes per second; bits per second are the same at an eighth.
    pub const BYTES_PER_SECOND: Dimension = dimension(1, -1, 0);
    /// Seconds.
    pub const SECONDS: Dimension = dimension(0, 1, 0);
    /// Events per second, and hertz.
    pub const PER_SECOND: Dimension = dimension(0, -1, 0);
    /// Degrees Celsius.
    pub const CELSIUS: Dimension = dimension(0, 0, 1);

    /// What a catalogue's unit measures, and what its values are multiplied with to be in base units.
    pub const fn of(unit: Unit) -> (Dimension, f64) {
        match unit {
            // The language has no words for power and for turns: they are plain numbers there.
            Unit::Ratio | Unit::Count | Unit::Watts | Unit::TurnsPerMinute | Unit::None => (Dimension::PLAIN, 1.0),
            Unit::Bytes => (Dimension::BYTES, 1.0),
            Unit::BytesPerSecond => (Dimension::BYTES_PER_SECOND, 1.0),
            Unit::BitsPerSecond => (Dimension::BYTES_PER_SECOND, 0.125),
            Unit::Seconds => (Dimension::SECONDS, 1.0),
            Unit::PerSecond | Unit::Hertz => (Dimension::PER_SECOND, 1.0),
            Unit::Celsius => (Dimension::CELSIUS, 1.0),
        }
    }

    /// The dimension of a product, or of a quotient (`sign` -1); `None` if a power is past [`POWER_MAX`].
    pub(crate) fn times(self, other: Dimension, sign: i8) -> Option<Dimension> {
        let sum = |a: i8, b: i8| Some(a + sign * b).filter(|p| p.abs() <= POWER_MAX);
        Some(dimension(sum(self.data, other.data)?, sum(self.time, other.time)?, sum(self.heat, other.heat)?))
    }

    /// A literal's unit that would fit, for advice.
    pub(crate) fn example(self) -> Option<&'static str> {
        match self {
            Dimension::BYTES => Some("GiB"),
            Dimension::BYTES_PER_SECOND => Some("MB/s"),
            Dimension::SECONDS => Some("s"),
            Dimension::PER_SECOND => Some("/s"),
            Dimension::CELSIUS => Some("C"),
            _ => None,
        }
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Dimension::PLAIN => return f.write_str("a number without a unit"),
            Dimension::BYTES => return f.write_str("in bytes"),
            Dimension::BYTES_PER_SECOND => return f.write_str("in bytes per second"),
            Dimension::SECONDS => return f.write_str("a time"),
            Dimension::PER_SECOND => return f.write_str("a rate per second"),
            Dimension::CELSIUS => return f.write_str("a temperature"),
            _ => {}
        }
        f.write_str("in")?;
        for (power, name) in [(self.data, "byte"), (self.time, "second"), (self.heat, "degree")] {
            match power {
                0 => {}
                1 => write!(f, " {name}")?,
                p => write!(f, " {name}^{p}")?,
            }
        }
        Ok(())
    }
}

/// A unit that literals may have.
#[derive(PartialEq, Debug)]
pub(crate) struct UnitWord {
    /// As it is written.
    pub(crate) word: &'static str,
    /// As it is printed.
    pub(crate) canonical: &'static str,
    pub(crate) scale: f64,
    pub(crate) dimension: Dimension,
}

const fn unit(word: &'static str, scale: f64, dimension: Dimension) -> UnitWord {
    UnitWord { word, canonical: word, scale, dimension }
}

const fn also(word: &'static str, canonical: &'static str, scale: f64, dimension: Dimension) -> UnitWord {
    UnitWord { word, canonical, scale, dimension }
}

const KI: f64 = 1024.0;
use Dimension as D;

/// All of them. A letter alone is the power of 1,024 that `free`, `sort`, Slurm and LSF mean by it.
pub(crate) static UNITS: &[UnitWord] = &[
    unit("%", 0.01, D::PLAIN),
    unit("B", 1.0, D::BYTES),
    unit("kB", 1e3, D::BYTES),
    also("KB", "kB", 1e3, D::BYTES),
    unit("MB", 1e6, D::BYTES),
    unit("GB", 1e9, D::BYTES),
    unit("TB", 1e12, D::BYTES),
    unit("PB", 1e15, D::BYTES),
    unit("KiB", KI, D::BYTES),
    unit("MiB", KI * KI, D::BYTES),
    unit("GiB", KI * KI * KI, D::BYTES),
    unit("TiB", KI * KI * KI * KI, D::BYTES),
    unit("PiB", KI * KI * KI * KI * KI, D::BYTES),
    also("K", "KiB", KI, D::BYTES),
    also("M", "MiB", KI * KI, D::BYTES),
    also("G", "GiB", KI * KI * KI, D::BYTES),
    also("T", "TiB", KI * KI * KI * KI, D::BYTES),
    also("P", "PiB", KI * KI * KI * KI * KI, D::BYTES),
    unit("B/s", 1.0, D::BYTES_PER_SECOND),
    unit("kB/s", 1e3, D::BYTES_PER_SECOND),
    also("KB/s", "kB/s", 1e3, D::BYTES_PER_SECOND),
    unit("MB/s", 1e6, D::BYTES_PER_SECOND),
    unit("GB/s", 1e9, D::BYTES_PER_SECOND),
    unit("KiB/s", KI, D::BYTES_PER_SECOND),
    unit("MiB/s", KI * KI, D::BYTES_PER_SECOND),
    unit("GiB/s", KI * KI * KI, D::BYTES_PER_SECOND),
    unit("bit/s", 0.125, D::BYTES_PER_SECOND),
    unit("kbit/s", 125.0, D::BYTES_PER_SECOND),
    unit("Mbit/s", 125e3, D::BYTES_PER_SECOND),
    unit("Gbit/s", 125e6, D::BYTES_PER_SECOND),
    unit("Tbit/s", 125e9, D::BYTES_PER_SECOND),
    also("bps", "bit/s", 0.125, D::BYTES_PER_SECOND),
    also("kbps", "kbit/s", 125.0, D::BYTES_PER_SECOND),
    also("Mbps", "Mbit/s", 125e3, D::BYTES_PER_SECOND),
    also("Gbps", "Gbit/s", 125e6, D::BYTES_PER_SECOND),
    unit("ns", 1e-9, D::SECONDS),
    unit("us", 1e-6, D::SECONDS),
    also("µs", "us", 1e-6, D::SECONDS),
    unit("ms", 1e-3, D::SECONDS),
    unit("s", 1.0, D::SECONDS),
    also("sec", "s", 1.0, D::SECONDS),
    unit("min", 60.0, D::SECONDS),
    unit("h", 3600.0, D::SECONDS),
    unit("d", 86_400.0, D::SECONDS),
    unit("w", 604_800.0, D::SECONDS),
    unit("/s", 1.0, D::PER_SECOND),
    unit("Hz", 1.0, D::PER_SECOND),
    unit("kHz", 1e3, D::PER_SECOND),
    unit("MHz", 1e6, D::PER_SECOND),
    unit("GHz", 1e9, D::PER_SECOND),
    unit("C", 1.0, D::CELSIUS),
    also("°C", "C", 1.0, D::CELSIUS),
];

/// The unit written so, as the entry of its canonical spelling.
pub(crate) fn find(word: &str) -> Option<&'static UnitWord> {
    let canonical = UNITS.iter().find(|u| u.word == word)?.canonical;
    UNITS.iter().find(|u| u.word == canonical)
}

/// What may have been meant by a word that is no unit.
pub(crate) fn meant(word: &str) -> String {
    let ambiguous = [("m", "min (minutes) or M (MiB)"), ("Mb", "MB or Mbit/s"), ("Gb", "GB or Gbit/s"), ("Kb", "kB or kbit/s")];
    if let Some((_, which)) = ambiguous.iter().find(|(w, _)| *w == word) {
        return format!("write {which}");
    }
    match UNITS.iter().find(|u| u.word.eq_ignore_ascii_case(word)) {
        Some(u) => format!("write {}", u.word),
        None => "units are e.g. % KiB MiB GiB MB GB MB/s Gbit/s us ms s min h d /s MHz GHz C".to_string(),
    }
}

/// A value of a catalogue's unit as people read it.
pub(crate) fn show(value: f64, unit: Unit) -> String {
    let steps = |value: f64, base: f64, names: [&str; 5]| {
        let mut v = value;
        let mut i = 0;
        while v.abs() >= base && i + 1 < names.len() {
            v /= base;
            i += 1;
        }
        format!("{} {}", (v * 100.0).round() / 100.0, names[i])
    };
    match unit {
        Unit::Ratio => format!("{} %", (value * 1000.0).round() / 10.0),
        Unit::Bytes => steps(value, KI, ["B", "KiB", "MiB", "GiB", "TiB"]),
        Unit::BytesPerSecond => steps(value, 1e3, ["B/s", "kB/s", "MB/s", "GB/s", "TB/s"]),
        Unit::BitsPerSecond => steps(value, 1e3, ["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"]),
        Unit::Hertz => steps(value, 1e3, ["Hz", "kHz", "MHz", "GHz", "THz"]),
        Unit::Seconds => format!("{} s", (value * 1000.0).round() / 1000.0),
        Unit::PerSecond => format!("{} /s", (value * 100.0).round() / 100.0),
        Unit::Celsius => format!("{} °C", (value * 10.0).round() / 10.0),
        Unit::Watts => format!("{} W", (value * 10.0).round() / 10.0),
        Unit::TurnsPerMinute => format!("{} rpm", value.round()),
        Unit::Count | Unit::None => format!("{}", (value * 100.0).round() / 100.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_prints_as_one_of_the_same_size() {
        for (i, u) in UNITS.iter().enumerate() {
            let c = find(u.canonical).expect("a canonical unit is in the list");
            assert_eq!((c.word, c.scale, c.dimension), (u.canonical, u.scale, u.dimension), "{}", u.word);
            assert!(UNITS[..i].iter().all(|v| v.word != u.word), "{} is there twice", u.word);
        }
    }

    #[test]
    fn powers_are_bounded() {
        let mut d = Dimension::BYTES;
        for _ in 1..POWER_MAX {
            d = d.times(Dimension::BYTES, 1).expect("within the limit");
        }
        assert_eq!(d.times(Dimension::BYTES, 1), None);
        assert_eq!(Dimension::BYTES.times(Dimension::SECONDS, -1), Some(Dimension::BYTES_PER_SECOND));
        assert_eq!(Dimension::BYTES.times(Dimension::BYTES, -1), Some(Dimension::PLAIN));
    }

    #[test]
    fn values_are_shown_for_people() {
        let check = |value, unit, expected: &str| assert_eq!(show(value, unit), expected);
        check(0.305, Unit::Ratio, "30.5 %");
        check(6.5 * KI * KI * KI, Unit::Bytes, "6.5 GiB");
        check(25e9, Unit::BitsPerSecond, "25 Gbit/s");
        check(1.2345, Unit::Seconds, "1.235 s");
        check(2e18, Unit::Bytes, "1818989.4 TiB");
    }
}

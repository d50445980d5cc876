//! Pretty units: base units inside, these on screens.

use peermon_model::{Attribute, Unit};

/// About three significant digits, without an exponent: `0.12`, `3.4`, `56`, `1234`.
pub(crate) fn short_number(n: f64) -> String {
    let a = n.abs();
    if !n.is_finite() {
        "?".to_string()
    } else if a < 9.995 {
        format!("{n:.2}")
    } else if a < 99.95 {
        format!("{n:.1}")
    } else {
        format!("{n:.0}")
    }
}

/// `n` in the largest of `steps` (size, name) that leaves at least 1; the last step has size 1.
fn scaled(n: f64, steps: &[(f64, &str)]) -> String {
    let last = steps.len() - 1;
    // 0.9995: what would be printed as 1000 or 1024 of the smaller unit.
    let i = steps.iter().position(|(size, _)| n.abs() >= size * 0.9995).unwrap_or(last);
    let (size, name) = steps[i];
    let v = n / size;
    match i {
        _ if !v.is_finite() => "?".to_string(),
        _ if i == last => format!("{v:.0} {name}"),
        _ if v.abs() < 99.95 => format!("{v:.1} {name}"),
        _ => format!("{v:.0} {name}"),
    }
}

/// Memory and disks: `24.1 GiB`.
pub(crate) fn bytes(n: f64) -> String {
    const KIB: f64 = 1024.0;
    scaled(n, &[(KIB * KIB * KIB * KIB, "TiB"), (KIB * KIB * KIB, "GiB"), (KIB * KIB, "MiB"), (KIB, "KiB"), (1.0, "B")])
}

/// Traffic in bytes per second: `1.2 MB/s`.
pub(crate) fn rate(n: f64) -> String {
    scaled(n, &[(1e9, "GB/s"), (1e6, "MB/s"), (1e3, "kB/s"), (1.0, "B/s")])
}

/// Link speeds in bits per second: `10.0 Gb/s`.
fn bit_rate(n: f64) -> String {
    scaled(n, &[(1e9, "Gb/s"), (1e6, "Mb/s"), (1e3, "kb/s"), (1.0, "b/s")])
}

/// A share 0 to 1: `12 %`, below 1 % one digit more.
pub(crate) fn percent(ratio: f64) -> String {
    let p = ratio * 100.0;
    if !p.is_finite() {
        "?".to_string()
    } else if p != 0.0 && p.abs() < 9.95 {
        format!("{p:.1} %")
    } else {
        format!("{p:.0} %")
    }
}

/// How long something takes or lasts: `85 us`, `1.2 s`, `3 min`, `5 h`, `12 d`.
pub(crate) fn seconds(s: f64) -> String {
    let a = s.abs();
    if !s.is_finite() {
        "?".to_string()
    } else if a == 0.0 {
        "0 s".to_string()
    } else if a < 0.000_999_5 {
        format!("{:.0} us", s * 1e6)
    } else if a < 0.099_95 {
        format!("{:.1} ms", s * 1e3)
    } else if a < 9.95 {
        format!("{s:.1} s")
    } else if a < 99.5 {
        format!("{s:.0} s")
    } else if a < 5_400.0 {
        format!("{:.0} min", s / 60.0)
    } else if a < 172_800.0 {
        format!("{:.0} h", s / 3600.0)
    } else {
        format!("{:.0} d", s / 86_400.0)
    }
}

/// How old a value is, in steps that matter to a reader: `0.4 s`, `3 min`.
pub(crate) fn age(s: f64) -> String {
    if s.abs() < 0.099_95 { format!("{s:.1} s") } else { seconds(s) }
}

/// A number in base units as people read it.
fn pretty(unit: Unit, n: f64) -> String {
    match unit {
        Unit::Ratio => percent(n),
        Unit::Bytes => bytes(n),
        Unit::BytesPerSecond => rate(n),
        Unit::BitsPerSecond => bit_rate(n),
        Unit::Seconds => seconds(n),
        Unit::PerSecond => format!("{}/s", short_number(n)),
        Unit::Hertz => scaled(n, &[(1e9, "GHz"), (1e6, "MHz"), (1e3, "kHz"), (1.0, "Hz")]),
        Unit::Celsius => format!("{n:.0} °C"),
        Unit::Watts => format!("{n:.0} W"),
        Unit::TurnsPerMinute => format!("{n:.0} rpm"),
        Unit::Count | Unit::None if n.fract() == 0.0 && n.abs() < 1e15 => format!("{n:.0}"),
        Unit::Count | Unit::None => short_number(n),
    }
}

/// The catalogue's entry for an attribute's full name: `net.eth0.rx.bytes` is known by its pattern.
pub(crate) fn attribute(name: &str) -> Option<&'static Attribute> {
    let fits = |pattern: &str| match pattern.split_once("{}") {
        None => pattern == name,
        Some((before, after)) => name.len() > before.len() + after.len() && name.starts_with(before) && name.ends_with(after),
    };
    let vitals = peermon_model::vitals::VITALS.iter().map(|v| &v.attribute);
    let facts = peermon_model::facts::FACTS.iter().map(|f| &f.attribute);
    let collected = peermon_collector::attribute_lists().chain([peermon_agent::KERNEL_ATTRIBUTES]).flatten().copied();
    vitals.chain(facts).chain(collected).find(|a| fits(&a.name))
}

/// A value as people read it, by its attribute's name; one that is not known has no unit.
pub(crate) fn value(name: &str, n: f64) -> String {
    match attribute(name) {
        Some(a) if a.name == "boot.time" => moment(n),
        // Everybody knows these as plain numbers.
        Some(a) if a.name.ends_with(".mtu") => format!("{n:.0} B"),
        Some(a) => pretty(a.unit, n),
        None => short_number(n),
    }
}

/// A moment given in Unix seconds, in UTC: `2023-11-14 22:13 UTC`. Days to dates after Howard Hinnant, "chrono-compatible
/// low-level date algorithms".
fn moment(unix: f64) -> String {
    if !(0.0..=253_402_300_799.0).contains(&unix) {
        return "?".to_string();
    }
    let unix = unix as i64;
    let (days, second) = (unix / 86_400, unix % 86_400);
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    format!("{year}-{month:02}-{day:02} {:02}:{:02} UTC", second / 3600, second % 3600 / 60)
}

/// Reads what people write for a number of bytes, as expressions do: `500MB`, `1.5 GiB`, `2G` (which is `2GiB`), or a plain number.
pub(crate) fn amount(text: &str) -> Result<f64, String> {
    let plain = text.trim().parse().ok().filter(|b: &f64| b.is_finite() && *b >= 0.0);
    let read = plain.or_else(|| peermon_placement::bytes(text).ok());
    read.ok_or_else(|| format!("{text:?} is not an amount of memory; write e.g. 8GiB, 8G or 500MB"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_these() {
        for (unit, n, expected) in [
            (Unit::Bytes, 0.0, "0 B"),
            (Unit::Bytes, 1023.0, "1023 B"),
            (Unit::Bytes, 1024.0, "1.0 KiB"),
            (Unit::Bytes, 24.1 * 1024.0 * 1024.0 * 1024.0, "24.1 GiB"),
            (Unit::Bytes, 512.0 * 1024.0 * 1024.0, "512 MiB"),
            (Unit::Bytes, f64::NAN, "?"),
            (Unit::BytesPerSecond, 1_234_567.0, "1.2 MB/s"),
            (Unit::BytesPerSecond, 0.0, "0 B/s"),
            (Unit::BytesPerSecond, 999_990.0, "1.0 MB/s"),
            (Unit::BitsPerSecond, 1e10, "10.0 Gb/s"),
            (Unit::Ratio, 0.0, "0 %"),
            (Unit::Ratio, 0.005, "0.5 %"),
            (Unit::Ratio, 0.123, "12 %"),
            (Unit::Ratio, 1.0, "100 %"),
            (Unit::Seconds, 0.0, "0 s"),
            (Unit::Seconds, 0.000_085, "85 us"),
            (Unit::Seconds, 0.0123, "12.3 ms"),
            (Unit::Seconds, 1.25, "1.2 s"),
            (Unit::Seconds, 200.0, "3 min"),
            (Unit::Seconds, 9000.0, "2 h"),
            (Unit::Seconds, 1e6, "12 d"),
            (Unit::PerSecond, 3.0, "3.00/s"),
            (Unit::Hertz, 2.4e9, "2.4 GHz"),
            (Unit::Celsius, 54.0, "54 °C"),
            (Unit::Watts, 250.5, "250 W"),
            (Unit::TurnsPerMinute, 1180.0, "1180 rpm"),
            (Unit::Count, 64.0, "64"),
            (Unit::Count, 0.1234, "0.12"),
        ] {
            assert_eq!(pretty(unit, n), expected, "{unit:?} {n}");
        }
        assert_eq!(age(0.0312), "0.0 s");
        assert_eq!(age(0.42), "0.4 s");
    }

    #[test]
    fn attributes_are_found_by_pattern() {
        for (name, n, expected) in [
            ("cpu.busy", 0.5, "50 %"),
            ("mem.total", 1024.0, "1.0 KiB"),
            ("nic.eth0.speed", 1e9, "1.0 Gb/s"),
            ("nic.eth0.1.mtu", 9000.0, "9000 B"),
            ("nic..speed", 1e9, "1000000000"),
            ("disk.sda.busy", 0.5, "50 %"),
            ("boot.time", 0.0, "1970-01-01 00:00 UTC"),
            ("my.own", 3.25, "3.25"),
        ] {
            assert_eq!(value(name, n), expected, "{name}");
        }
    }

    #[test]
    fn moments_are_dates() {
        for (unix, expected) in [
            (0.0, "1970-01-01 00:00 UTC"),
            (951_782_400.0, "2000-02-29 00:00 UTC"),
            (1_700_000_000.0, "2023-11-14 22:13 UTC"),
            (4_102_444_799.0, "2099-12-31 23:59 UTC"),
            (-1.0, "?"),
            (f64::NAN, "?"),
        ] {
            assert_eq!(moment(unix), expected, "{unix}");
        }
    }

    #[test]
    fn people_write_these() {
        for (text, expected) in [
            ("0", 0.0),
            ("1000", 1000.0),
            ("1GB", 1e9),
            ("1.5 GiB", 1.5 * 1073741824.0),
            ("2G", 2.0 * 1073741824.0),
            ("500MB", 5e8),
            ("7 B", 7.0),
        ] {
            assert_eq!(amount(text), Ok(expected), "{text}");
        }
        for text in ["", "GB", "-1", "1 light-year", "1XB", "inf", "NaN", "1i", "ö", "8s"] {
            assert!(amount(text).is_err(), "{text}");
        }
    }
}

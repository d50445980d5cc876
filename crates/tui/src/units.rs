//! Numbers on the screen: short ones that keep their columns, and long ones with a unit for sentences.

use peermon_model::{Unit, facts, vitals};

/// `n` with one of `names`, each `base` times the one before, in at most 5 columns.
fn short(n: f64, base: f64, names: &[&str]) -> String {
    let (mut n, mut i) = (n, 0);
    if !n.is_finite() {
        return "?".into();
    }
    while n.abs() >= 999.5 && i + 1 < names.len() {
        n /= base;
        i += 1;
    }
    let name = names[i];
    if i == 0 || n.abs() >= 99.95 { format!("{n:.0}{name}") } else { format!("{n:.1}{name}") }
}

/// Memory and disks in 5 columns: `24.1G`, powers of 1024.
pub(crate) fn short_bytes(n: f64) -> String {
    short(n, 1024.0, &["", "K", "M", "G", "T", "P", "E"])
}

/// Traffic in bytes per second in 5 columns: `1.2M`, powers of 1000.
pub(crate) fn short_rate(n: f64) -> String {
    short(n, 1000.0, &["", "k", "M", "G", "T", "P"])
}

/// A number in 5 columns: `0.12`, `12.3`, `123`, `12.3k`.
pub(crate) fn short_number(n: f64) -> String {
    let a = n.abs();
    if a < 9.995 {
        format!("{n:.2}")
    } else if a < 99.95 {
        format!("{n:.1}")
    } else {
        short(n, 1000.0, &["", "k", "M", "G", "T", "P"])
    }
}

/// A whole number in 5 columns: `64`, `12.3k`.
pub(crate) fn short_count(n: f64) -> String {
    short(n, 1000.0, &["", "k", "M", "G", "T", "P"])
}

/// A share 0 to 1 in 4 columns: `7%`, `100%`.
pub(crate) fn short_percent(ratio: f64) -> String {
    if ratio.is_finite() { format!("{:.0}%", (ratio * 100.0).clamp(-99.0, 999.0)) } else { "?".into() }
}

/// How long something lasts, in 4 columns: `0.4s`, `12s`, `3m`, `5h`, `12d`.
pub(crate) fn short_seconds(s: f64) -> String {
    if !s.is_finite() {
        "?".into()
    } else if s < 9.95 {
        format!("{s:.1}s")
    } else if s < 99.5 {
        format!("{s:.0}s")
    } else if s < 5_970.0 {
        format!("{:.0}m", s / 60.0)
    } else if s < 99.5 * 3600.0 {
        format!("{:.0}h", s / 3600.0)
    } else {
        format!("{:.0}d", (s / 86_400.0).min(999.0))
    }
}

/// How long something short takes, in 6 columns: `42 µs`, `0.4 ms`, `12 ms`, `1.2 s`.
pub(crate) fn short_moment(s: f64) -> String {
    if !s.is_finite() {
        return "?".into();
    }
    let (n, name) = match s.abs() {
        a if a < 99.5e-6 => (s * 1e6, "µs"),
        a if a < 0.9995 => (s * 1e3, "ms"),
        _ => (s.clamp(-99.0, 9999.0), "s"),
    };
    if n.abs() < 9.95 && name != "µs" { format!("{n:.1} {name}") } else { format!("{n:.0} {name}") }
}

/// `n` in the largest of `steps` (size, name) that leaves at least 1; the last step has size 1.
fn long(n: f64, steps: &[(f64, &str)]) -> String {
    let last = steps.len() - 1;
    // 0.9995: what would be printed as 1000 or 1024 of the smaller unit.
    let i = steps.iter().position(|(size, _)| n.abs() >= size * 0.9995).unwrap_or(last);
    let (size, name) = steps[i];
    let v = n / size;
    if !v.is_finite() {
        "?".into()
    } else if i == last || v.abs() >= 99.95 {
        format!("{v:.0} {name}")
    } else {
        format!("{v:.1} {name}")
    }
}

/// Memory and disks: `24.1 GiB`.
pub(crate) fn bytes(n: f64) -> String {
    const K: f64 = 1024.0;
    long(n, &[(K * K * K * K * K, "PiB"), (K * K * K * K, "TiB"), (K * K * K, "GiB"), (K * K, "MiB"), (K, "KiB"), (1.0, "B")])
}

/// Traffic: `1.2 MB/s`.
pub(crate) fn rate(n: f64) -> String {
    long(n, &[(1e12, "TB/s"), (1e9, "GB/s"), (1e6, "MB/s"), (1e3, "kB/s"), (1.0, "B/s")])
}

/// A share 0 to 1: `12 %`, below 10 % one digit more.
pub(crate) fn percent(ratio: f64) -> String {
    let p = ratio * 100.0;
    if !p.is_finite() {
        "?".into()
    } else if p != 0.0 && p.abs() < 9.95 {
        format!("{p:.1} %")
    } else {
        format!("{p:.0} %")
    }
}

/// How long something takes or lasts: `1.2 s`, `3 min`, `5 h`, `12 d`.
pub(crate) fn seconds(s: f64) -> String {
    if !s.is_finite() {
        "?".into()
    } else if s < 9.95 {
        format!("{s:.1} s")
    } else if s < 99.5 {
        format!("{s:.0} s")
    } else if s < 5_400.0 {
        format!("{:.0} min", s / 60.0)
    } else if s < 172_800.0 {
        format!("{:.0} h", s / 3600.0)
    } else {
        format!("{:.0} d", s / 86_400.0)
    }
}

/// The catalogue's unit of an attribute's full name; of a node's own vital it is not known.
fn unit(name: &str) -> Option<Unit> {
    let fits = |pattern: &str| pattern == name || peermon_expr::instance(pattern, name).is_some();
    let vital = vitals::VITALS.iter().map(|v| &v.attribute);
    vital.chain(facts::FACTS.iter().map(|f| &f.attribute)).find(|a| fits(&a.name)).map(|a| a.unit)
}

/// A value as people read it, by its attribute's name.
pub(crate) fn value(name: &str, n: f64) -> String {
    match unit(name) {
        // Everybody knows these as plain numbers.
        Some(Unit::Bytes) if name.ends_with(".mtu") => format!("{n:.0} B"),
        Some(Unit::Bytes) => bytes(n),
        Some(Unit::Ratio) => percent(n),
        Some(Unit::BytesPerSecond) => rate(n),
        Some(Unit::BitsPerSecond) => long(n, &[(1e9, "Gb/s"), (1e6, "Mb/s"), (1e3, "kb/s"), (1.0, "b/s")]),
        Some(Unit::Seconds) => seconds(n),
        Some(Unit::Celsius) => format!("{n:.0} °C"),
        _ if n.fract() == 0.0 && n.abs() < 1e9 => format!("{n:.0}"),
        _ => short_number(n),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_ones_keep_their_columns() {
        const G: f64 = 1024.0 * 1024.0 * 1024.0;
        for (got, expected) in [
            (short_bytes(0.0), "0"),
            (short_bytes(24.1 * G), "24.1G"),
            (short_bytes(1023.0 * G), "1.0T"),
            (short_bytes(512.0 * G), "512G"),
            (short_bytes(f64::NAN), "?"),
            (short_rate(999.0), "999"),
            (short_rate(999.6), "1.0k"),
            (short_rate(1.25e6), "1.2M"),
            (short_number(0.123), "0.12"),
            (short_number(9.996), "10.0"),
            (short_number(17.25), "17.2"),
            (short_number(12_345.0), "12.3k"),
            (short_percent(0.996), "100%"),
            (short_percent(0.0), "0%"),
            (short_moment(0.0), "0 µs"),
            (short_moment(42e-6), "42 µs"),
            (short_moment(0.000_42), "0.4 ms"),
            (short_moment(0.9996), "1.0 s"),
            (short_moment(1e9), "9999 s"),
            (short_seconds(0.42), "0.4s"),
            (short_seconds(9.96), "10s"),
            (short_seconds(3000.0), "50m"),
            (short_seconds(1e6), "12d"),
            (value("mem.available", 3.0 * G), "3.0 GiB"),
            (value("nic.eth0.speed", 1e10), "10.0 Gb/s"),
            (value("nic.eth0.mtu", 9000.0), "9000 B"),
            (value("my.own", 3.25), "3.25"),
        ] {
            assert_eq!(got, expected);
        }
        let mut n = 1e-3;
        while n < 1e15 {
            for text in [short_bytes(n), short_rate(n), short_number(n), short_count(n)] {
                assert!(text.len() <= 5, "{n}: {text}");
            }
            assert!(short_moment(n).chars().count() <= 6, "{n}");
            assert!(short_seconds(n).len() <= 4 && short_percent(n).len() <= 4, "{n}");
            n *= 1.07;
        }
    }
}

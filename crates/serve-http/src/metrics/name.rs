//! From attribute names to Prometheus names.

use super::Type;
use peermon_model::{Attribute, Catalogue, Kind, Unit, facts, vitals};

/// The Prometheus name of an attribute: node_exporter's where the catalogue knows one, else `peermon_` with the dotted name in
/// underscores, the base unit and, for counters, `_total`. Instances become a label, so they are not in the name (`each` stands there
/// where a vital has the name without it).
pub fn metric_name(attribute: &Attribute) -> String {
    match attribute.prometheus {
        Some(p) => p.name.to_string(),
        None => own_name(&attribute.name, attribute.unit, attribute.kind),
    }
}

fn own_name(attribute: &str, unit: Unit, kind: Kind) -> String {
    // Values of one disk and of all disks together must not share a name: a sum over it would count them twice.
    let of_all = attribute.replace(".{}", "");
    let each = of_all != attribute && (vitals::find(&of_all).is_some() || facts::find(&of_all).is_some());
    let words = attribute.split('.').filter_map(|w| match w {
        "{}" if each => Some("each".to_string()),
        "{}" | "" => None,
        w => Some(clean(w)),
    });
    let mut name = words.collect::<Vec<_>>().join("_");
    if !name.starts_with("peermon_") {
        name.insert_str(0, "peermon_");
    }
    let suffix = suffix(unit);
    if suffix.ends_with("_per_second") {
        // "rate" says the same.
        name = name.strip_suffix("_rate").unwrap_or(&name).to_string();
    }
    // Endings that mean something else to Prometheus.
    let reserved: &[&str] = if kind == Kind::Counter { &["_total"] } else { &["_total", "_count", "_sum", "_bucket", "_info"] };
    if suffix.is_empty() || kind == Kind::Counter {
        name = reserved.iter().find_map(|r| name.strip_suffix(r)).unwrap_or(&name).to_string();
    }
    if !name.ends_with(suffix) {
        name.push_str(suffix);
    }
    if kind == Kind::Counter {
        name.push_str("_total");
    }
    name
}

const fn suffix(unit: Unit) -> &'static str {
    match unit {
        Unit::Ratio => "_ratio",
        Unit::Bytes => "_bytes",
        // Prometheus' base unit is the byte for both.
        Unit::BytesPerSecond | Unit::BitsPerSecond => "_bytes_per_second",
        Unit::Seconds => "_seconds",
        Unit::PerSecond => "_per_second",
        Unit::Hertz => "_hertz",
        Unit::Celsius => "_celsius",
        Unit::Watts => "_watts",
        Unit::TurnsPerMinute => "_rpm",
        Unit::Count | Unit::None => "",
    }
}

/// A value in the unit that its Prometheus name says.
pub(super) fn in_base_unit(attribute: &Attribute, value: f64) -> f64 {
    let in_bits = attribute.prometheus.is_some_and(|p| !p.name.contains("_bytes"));
    if attribute.unit == Unit::BitsPerSecond && !in_bits { value / 8.0 } else { value }
}

/// How Prometheus should take an attribute's values.
pub(super) fn type_of(attribute: &Attribute) -> Type {
    match attribute.kind {
        _ if attribute.prometheus.is_some_and(|p| p.untyped) => Type::Untyped,
        Kind::Counter => Type::Counter,
        Kind::Gauge | Kind::Fact => Type::Gauge,
    }
}

/// The label that carries an attribute's instance: node_exporter's, or the word before the instance's place. (An empty label of
/// node_exporter's says that the sample's own labels tell the instance.)
pub(super) fn instance_label(attribute: &Attribute) -> String {
    if let Some(p) = attribute.prometheus
        && !p.instance_label.is_empty()
    {
        return p.instance_label.to_string();
    }
    let before = attribute.name.split_once(".{}").map(|(before, _)| before.rsplit('.').next().unwrap_or(before));
    match before.map(clean).as_deref() {
        // These two Prometheus sets itself.
        None | Some("" | "instance" | "job") => "name".to_string(),
        Some(word) => word.to_string(),
    }
}

/// A word with only what Prometheus allows in names.
pub(super) fn clean(word: &str) -> String {
    word.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect()
}

/// The catalogue entry of a full name such as `net.eth0.rx.bytes`, and the instance in it.
pub(super) fn find<'a>(catalogue: &Catalogue, full: &'a str) -> Option<(&'static Attribute, Option<&'a str>)> {
    if let Some(a) = catalogue.find(full) {
        return Some((a, None));
    }
    catalogue.iter().find_map(|a| {
        let (before, after) = a.name.split_once("{}")?;
        let instance = full.strip_prefix(before)?.strip_suffix(after)?;
        (!instance.is_empty()).then_some((a, Some(instance)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_the_unit_and_instances_are_labels() {
        for (attribute, name, label) in [
            (Attribute::gauge("cpu.busy", Unit::Ratio, ""), "peermon_cpu_busy_ratio", "name"),
            (Attribute::counter("net.{}.rx.bytes", Unit::Bytes, ""), "peermon_net_rx_bytes_total", "net"),
            (Attribute::gauge("net.rx.rate", Unit::BytesPerSecond, ""), "peermon_net_rx_bytes_per_second", "name"),
            (Attribute::gauge("disk.{}.busy", Unit::Ratio, ""), "peermon_disk_each_busy_ratio", "disk"),
            (Attribute::gauge("net.{}.rx.rate", Unit::BytesPerSecond, ""), "peermon_net_each_rx_bytes_per_second", "net"),
            (Attribute::gauge("disk.{}.queue", Unit::Count, ""), "peermon_disk_queue", "disk"),
            (Attribute::gauge("mem.total", Unit::Bytes, ""), "peermon_mem_total_bytes", "name"),
            (Attribute::gauge("procs.total", Unit::Count, ""), "peermon_procs", "name"),
            (Attribute::gauge("load.1", Unit::Count, ""), "peermon_load_1", "name"),
            (Attribute::counter("forks.total", Unit::Count, ""), "peermon_forks_total", "name"),
            (Attribute::fact("nic.{}.speed", Unit::BitsPerSecond, ""), "peermon_nic_speed_bytes_per_second", "nic"),
            (Attribute::gauge("peermon.age.seconds", Unit::Seconds, ""), "peermon_age_seconds", "name"),
            (Attribute::gauge("{}.x", Unit::Count, ""), "peermon_x", "name"),
            (
                Attribute::counter("a.{}", Unit::Seconds, "").prom("node_a_seconds_total", "cpu", &[]),
                "node_a_seconds_total",
                "cpu",
            ),
        ] {
            assert_eq!(
                (metric_name(&attribute).as_str(), instance_label(&attribute).as_str()),
                (name, label),
                "{}",
                attribute.name
            );
        }
    }

    #[test]
    fn link_speeds_are_in_bytes() {
        let speed = Attribute::gauge("nic.{}.speed", Unit::BitsPerSecond, "");
        assert_eq!(in_base_unit(&speed, 8e9), 1e9);
        assert_eq!(in_base_unit(&speed.clone().prom("node_network_speed_bytes", "device", &[]), 8e9), 1e9);
        assert_eq!(in_base_unit(&speed.prom("node_bits", "device", &[]), 8e9), 8e9);
    }

    #[test]
    fn full_names_find_their_pattern() {
        let c = Catalogue::new([]);
        assert_eq!(find(&c, "nic.eth0.1.mtu").map(|(a, i)| (&*a.name, i)), Some(("nic.{}.mtu", Some("eth0.1"))));
        assert_eq!(find(&c, "cpu.busy").map(|(a, i)| (&*a.name, i)), Some(("cpu.busy", None)));
        assert_eq!(find(&c, "nic..mtu"), None);
        assert_eq!(find(&c, "queue.length"), None);
    }
}

//! From samples to a row: names to slots, values to codes.

use peermon_gossip::Bands;
use peermon_model::vitals::{Slot, VITALS, Vitals};
use peermon_model::{CustomVital, Record, Samples};

/// Vitals that change who should be chosen at once, and by how many code steps (0.5 % each) they must move to be told before
/// their turn: a node going busy or idle, its memory or a GPU being taken, health lost.
const OF_NOTE: &[(&str, u8)] =
    &[("cpu.busy", 80), ("mem.available", 40), ("gpu.busy", 80), ("gpu.mem.used", 40), ("pressure.memory", 60), ("health", 20)];

/// How far each slot must move before it is sent. Custom vitals are coarse already.
pub(crate) fn bands() -> Bands {
    let mut bands = Bands::default();
    for v in VITALS {
        bands.dead[v.slot.index()] = v.dead_band;
        let of_note = OF_NOTE.iter().find(|(name, _)| *name == v.attribute.name);
        bands.note[v.slot.index()] = of_note.map_or(0, |(_, steps)| *steps);
    }
    bands
}

/// The row of a round. `health` is the share of collectors that succeeded, or what self-probes leave of the trust in this node.
pub(crate) fn quantise(record: &Record, custom: &[CustomVital], samples: &Samples, trust: f64) -> Vitals {
    let mut row = Vitals::default();
    for v in VITALS {
        let health = v.attribute.name == "health";
        let value = if health { Some(health_of(samples).min(trust)) } else { value(samples, &v.attribute.name) };
        if let Some(value) = value {
            row.put(v.slot, v.quantiser.encode(value, record.scale(&v.quantiser)));
        }
    }
    for (i, c) in custom.iter().enumerate() {
        if let (Some(slot), Some(value)) = (Slot::custom(i), value(samples, &c.name)) {
            row.put(slot, c.quantiser.encode(value, None));
        }
    }
    row
}

/// Without building names: nearly all vitals have no instance.
fn value(samples: &Samples, name: &str) -> Option<f64> {
    let plain = samples.list.iter().find(|s| s.instance.is_none() && s.attribute.name == name);
    plain.map(|s| s.value).or_else(|| {
        let with_instance = || samples.list.iter().find(|s| s.instance.is_some() && s.name() == name);
        VITALS.iter().all(|v| v.attribute.name != name).then(with_instance)?.map(|s| s.value)
    })
}

fn health_of(samples: &Samples) -> f64 {
    let all = samples.reports.len();
    if all == 0 {
        return 0.0;
    }
    samples.reports.iter().filter(|r| r.failure.is_none()).count() as f64 / all as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use peermon_model::{Attribute, CollectorReport, Facts, Quantiser, Sample, Unit, Value, vitals};
    use std::time::Duration;

    static SDA: Attribute = Attribute::gauge("disk.{}.busy", Unit::Ratio, "Busy.");

    #[test]
    fn samples_land_in_their_slots() {
        let mut node = crate::Config::named("n".parse().expect("a name"));
        let mut facts = Facts::default();
        facts.put("mem.total", None, Value::Number(8e9));
        node.facts = facts;
        node.custom = vec![CustomVital { name: "disk.sda.busy".into(), unit: Unit::Ratio, quantiser: Quantiser::Ratio }];
        let custom = node.custom.clone();
        let identity =
            crate::Identity { key: peermon_trust::NodeKey::from_seed(&[1; 32]), incarnation: peermon_model::Incarnation(1) };
        let keys = peermon_trust::Keyring::new(1, peermon_trust::ClusterKey::new([2; 32]));
        let node = crate::Node::new(node, identity, keys, [3; 32], peermon_model::Instant::ZERO);
        let sample = |name: &str, value| Sample {
            attribute: &vitals::find(name).expect("a vital").attribute,
            instance: None,
            labels: None,
            value,
        };
        let samples = Samples {
            list: vec![
                sample("cpu.busy", 0.25),
                sample("mem.available", 2e9),
                Sample { attribute: &SDA, instance: Some("sda".into()), labels: None, value: 0.5 },
            ],
            reports: vec![
                CollectorReport { collector: "cpu", duration: Duration::ZERO, every: Duration::ZERO, failure: None },
                CollectorReport { collector: "net", duration: Duration::ZERO, every: Duration::ZERO, failure: Some("no".into()) },
            ],
            ..Samples::default()
        };
        let row = quantise(node.record(), &custom, &samples, 1.0);
        let shown: Vec<_> = node.record().vitals(&row).map(|(n, _, v)| (n.to_string(), v)).collect();
        assert_eq!(
            shown,
            [("cpu.busy".into(), 0.25), ("mem.available".into(), 2e9), ("health".into(), 0.5), ("disk.sda.busy".into(), 0.5)]
        );
        let nothing = quantise(node.record(), &custom, &Samples::default(), 1.0);
        assert_eq!(node.record().vitals(&nothing).collect::<Vec<_>>(), [("health", Unit::Ratio, 0.0)]);
    }
}

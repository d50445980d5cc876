//! A record's bytes: what its node signs, keeps and everybody passes on unchanged.

use super::{Malformed, Reader, put_address, put_text, put_varint};
use peermon_model::facts::FACTS;
use peermon_model::{
    CustomVital, Fact, Facts, Incarnation, NodeId, NodeName, Notice, Quantiser, Record, Sequence, Unit, Value, limits,
};
use peermon_trust::{NodeKey, SIGNATURE_BYTES, verify};
use std::time::Duration;

const FORMAT: u8 = 2;
/// Notices in all.
const NOTICES_MAX: usize = limits::NOTICES_MAX + limits::FINDINGS_MAX;
const LEFT: u8 = 1;
const LISTEN_ONLY: u8 = 2;
const UNITS: [Unit; 12] = [
    Unit::None,
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

/// The record's signed bytes. Facts that do not fit are left out, the least important first, and counted in it.
pub(crate) fn sign(record: &mut Record, key: &NodeKey) -> Box<[u8]> {
    debug_assert_eq!(record.id, key.id(), "a node signs for itself");
    let facts: Vec<Fact> = record.facts.iter().cloned().collect();
    let mut kept = facts.len();
    loop {
        record.facts_dropped = (facts.len() - kept).min(255) as u8;
        let mut out = encode(record, &facts[..kept]);
        let fits = out.len() + SIGNATURE_BYTES <= limits::RECORD_BYTES_MAX;
        if !fits && kept == 0 && (record.notices.pop().is_some() || record.custom.pop().is_some()) {
            // names and addresses alone always fit
            continue;
        }
        if fits || kept == 0 {
            let mut facts_kept = Facts::default();
            facts[..kept].iter().cloned().for_each(|f| facts_kept.insert(f));
            record.facts = facts_kept;
            let signature = key.sign(&out);
            out.extend_from_slice(&signature);
            return out.into();
        }
        kept -= 1;
    }
}

fn encode(r: &Record, facts: &[Fact]) -> Vec<u8> {
    let mut out = vec![FORMAT];
    out.extend_from_slice(&r.id.0);
    out.extend_from_slice(&r.incarnation.0.to_le_bytes());
    out.extend_from_slice(&r.sequence.0.to_le_bytes());
    out.extend_from_slice(&r.salt);
    out.push(if r.left { LEFT } else { 0 } | if r.listen_only { LISTEN_ONLY } else { 0 });
    out.extend_from_slice(&(r.period.as_micros() as u64 * 64 / 1_000_000).min(u64::from(u16::MAX)).to_le_bytes()[..2]);
    out.extend_from_slice(&r.budget.to_le_bytes());
    out.push(r.key_held);
    put_text(&mut out, r.name.as_str());
    put_text(&mut out, r.zone.as_str());
    let addresses = &r.addresses[..r.addresses.len().min(limits::ADDRESSES_MAX)];
    out.push(addresses.len() as u8);
    addresses.iter().for_each(|a| put_address(&mut out, a));
    let custom = &r.custom[..r.custom.len().min(limits::CUSTOM_VITALS_MAX)];
    out.push(custom.len() as u8);
    for c in custom {
        put_text(&mut out, &c.name);
        out.push(UNITS.iter().position(|u| *u == c.unit).unwrap_or(0) as u8);
        match c.quantiser {
            Quantiser::Ratio | Quantiser::ShareOf(_) => out.push(0),
            Quantiser::Count => out.push(1),
            Quantiser::Log { floor } => {
                out.push(2);
                out.extend_from_slice(&(floor as f32).clamp(f32::MIN_POSITIVE, f32::MAX).to_le_bytes());
            }
        }
    }
    let notices = &r.notices[..r.notices.len().min(NOTICES_MAX)];
    out.push(notices.len() as u8);
    for n in notices {
        put_text(&mut out, &n.topic);
        put_text(&mut out, &n.text);
        out.extend_from_slice(&n.since.to_le_bytes());
    }
    out.push(r.facts_dropped);
    for f in facts {
        let mut body = Vec::new();
        put_text(&mut body, f.instance.as_deref().unwrap_or_default());
        match &f.value {
            Value::Text(t) => {
                body.push(2);
                body.extend_from_slice(t.as_bytes());
            }
            // whole numbers below 2^53 are exact in both forms; the short one is the usual one
            Value::Number(n) if *n >= 0.0 && *n < 9e15 && n.fract() == 0.0 => {
                body.push(1);
                put_varint(&mut body, *n as u64);
            }
            Value::Number(n) => {
                body.push(0);
                body.extend_from_slice(&n.to_le_bytes());
            }
        }
        if body.len() <= 255 {
            out.push(f.kind.code);
            out.push(body.len() as u8);
            out.extend_from_slice(&body);
        }
    }
    out
}

/// Whose record it is and its rank, without reading the rest: most copies that come are of records held already.
pub(crate) fn peek(signed: &[u8]) -> Option<(NodeId, (Incarnation, Sequence))> {
    let mut r = Reader(signed.get(1..)?);
    Some((NodeId(r.array().ok()?), (Incarnation(r.u32().ok()?), Sequence(r.u32().ok()?))))
}

/// Reads signed bytes without asking whether the signature is right: rank and id are at hand before the costly check.
pub(crate) fn decode(signed: &[u8]) -> Result<Record, Malformed> {
    if signed.len() > limits::RECORD_BYTES_MAX {
        return Err(Malformed("a record is too long"));
    }
    let body = signed.len().checked_sub(SIGNATURE_BYTES).ok_or(Malformed("a record is too short"))?;
    let mut r = Reader(&signed[..body]);
    if r.u8()? != FORMAT {
        return Err(Malformed("a record of an unknown format"));
    }
    let id = NodeId(r.array()?);
    let incarnation = Incarnation(r.u32()?);
    let sequence = Sequence(r.u32()?);
    let salt = r.array()?;
    let flags = r.u8()?;
    let period = Duration::from_micros(u64::from(r.u16()?) * 1_000_000 / 64);
    let budget = r.u32()?;
    let key_held = r.u8()?;
    let name: NodeName = r.text()?.parse().map_err(|_| Malformed("a node name"))?;
    let zone = r.text()?.parse().map_err(|_| Malformed("a zone name"))?;
    let addresses = list(&mut r, limits::ADDRESSES_MAX, Reader::address)?;
    let custom = list(&mut r, limits::CUSTOM_VITALS_MAX, custom_vital)?;
    let notices =
        list(&mut r, NOTICES_MAX, |r| Ok(Notice { topic: clean(r.text()?)?, text: clean(r.text()?)?, since: r.u32()? }))?;
    let facts_dropped = r.u8()?;
    let mut facts = Facts::default();
    while !r.is_empty() {
        let code = r.u8()?;
        let n = r.u8()? as usize;
        let body = Reader(r.bytes(n)?);
        // a fact this version does not know is passed on, not shown
        if let Some(kind) = FACTS.iter().find(|f| f.code == code) {
            facts.insert(fact(kind, body)?);
        }
    }
    if period < crate::config::PERIODS.0 || period > crate::config::PERIODS.1 {
        return Err(Malformed("a period out of range"));
    }
    Ok(Record {
        id,
        incarnation,
        sequence,
        salt,
        name,
        zone,
        addresses,
        period,
        budget,
        left: flags & LEFT != 0,
        listen_only: flags & LISTEN_ONLY != 0,
        key_held,
        facts,
        custom,
        notices,
        facts_dropped,
    })
}

/// Whether the record's node itself signed these bytes.
pub(crate) fn is_signed(record: &Record, signed: &[u8]) -> bool {
    signed.split_at_checked(signed.len().wrapping_sub(SIGNATURE_BYTES)).is_some_and(|(body, sig)| verify(&record.id, body, sig))
}

fn list<'a, T>(
    r: &mut Reader<'a>,
    max: usize,
    mut item: impl FnMut(&mut Reader<'a>) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    let n = r.u8()? as usize;
    if n > max {
        return Err(Malformed("a list is too long"));
    }
    (0..n).map(|_| item(r)).collect()
}

fn clean(s: &str) -> Result<Box<str>, Malformed> {
    if s.chars().any(char::is_control) { Err(Malformed("a control character in a text")) } else { Ok(s.into()) }
}

fn custom_vital(r: &mut Reader<'_>) -> Result<CustomVital, Malformed> {
    let name = clean(r.text()?)?;
    let unit = *UNITS.get(r.u8()? as usize).ok_or(Malformed("an unknown unit"))?;
    let quantiser = match r.u8()? {
        0 => Quantiser::Ratio,
        1 => Quantiser::Count,
        2 => match f32::from_le_bytes(r.array()?) {
            floor if floor.is_finite() && floor > 0.0 => Quantiser::Log { floor: f64::from(floor) },
            _ => return Err(Malformed("a floor that is no positive number")),
        },
        _ => return Err(Malformed("an unknown quantiser")),
    };
    Ok(CustomVital { name, unit, quantiser })
}

fn fact(kind: &'static peermon_model::facts::FactKind, mut body: Reader<'_>) -> Result<Fact, Malformed> {
    let instance = clean(body.text()?)?;
    let value = match body.u8()? {
        0 => match f64::from_le_bytes(body.array()?) {
            n if n.is_finite() => Value::Number(n),
            _ => return Err(Malformed("a fact that is no number")),
        },
        1 => Value::Number(body.varint()? as f64),
        2 => Value::text(std::str::from_utf8(body.0).map_err(|_| Malformed("a text is not UTF-8"))?),
        _ => return Err(Malformed("a fact of an unknown type")),
    };
    Ok(Fact { kind, instance: (!instance.is_empty()).then_some(instance), value })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn record(key: &NodeKey) -> Record {
        let mut facts = Facts::default();
        facts.put("host.name", None, Value::text("host"));
        facts.put("mem.total", None, Value::Number(67_108_864_000.0));
        facts.put("boot.time", None, Value::Number(1.5e9 + 0.25));
        facts.put("nic.{}.speed", Some("eth0"), Value::Number(1e10));
        Record {
            id: key.id(),
            incarnation: Incarnation(5),
            sequence: Sequence(2),
            salt: [7; 16],
            name: "node-1".parse().expect("a name"),
            addresses: vec!["10.0.0.1:19810".parse().expect("valid"), "[fd00::1]:19810".parse().expect("valid")],
            period: Duration::from_secs(1),
            budget: 0,
            zone: peermon_model::ZoneName::default(),
            left: false,
            listen_only: false,
            key_held: 1,
            facts,
            custom: vec![CustomVital {
                name: "disk.sda.busy".into(),
                unit: Unit::Ratio,
                quantiser: Quantiser::Log { floor: 0.5 },
            }],
            notices: vec![Notice { since: 77, ..Notice::new("maintenance", "on Friday") }],
            facts_dropped: 0,
        }
    }

    #[test]
    fn records_come_back_and_only_signed_ones_count() {
        let key = NodeKey::from_seed(&[1; 32]);
        let mut sent = record(&key);
        let signed = sign(&mut sent, &key);
        let back = decode(&signed).expect("well formed");
        assert_eq!(back, sent);
        assert!(is_signed(&back, &signed));
        for i in 0..signed.len() {
            let mut altered = signed.clone();
            altered[i] ^= 1;
            assert!(decode(&altered).map_or(true, |r| !is_signed(&r, &altered)), "byte {i}");
            assert!(decode(&signed[..i]).map_or(true, |r| !is_signed(&r, &signed[..i])), "cut at {i}");
        }
    }

    #[test]
    fn what_does_not_fit_is_dropped_and_counted() {
        let key = NodeKey::from_seed(&[1; 32]);
        let mut sent = record(&key);
        for i in 0..40 {
            sent.facts.put("nic.{}.driver", Some(&format!("eth{i}")), Value::text(&"x".repeat(90)));
        }
        let signed = sign(&mut sent, &key);
        assert!(signed.len() <= limits::RECORD_BYTES_MAX);
        let back = decode(&signed).expect("well formed");
        assert!(back.facts_dropped > 30 && back.facts.value("mem.total").is_some());
        assert_eq!(back, sent);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), at in 0..200usize, value: u8) {
            let _ = decode(&bytes);
            let key = NodeKey::from_seed(&[1; 32]);
            let mut signed = sign(&mut record(&key), &key);
            let at = at % signed.len();
            signed[at] = value;
            let _ = decode(&signed);
        }
    }
}

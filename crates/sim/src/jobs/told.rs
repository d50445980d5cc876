//! What machines tell and when others know it: rows coded and thinned as a daemon does, and claims.

use super::machine::Measured;
use peermon_model::vitals::{self, SLOTS};
use peermon_model::{
    Facts, Incarnation, Instant, MemberState, NodeEntry, NodeId, Record, Sequence, Snapshot, Value, Vitals, ZoneName,
};
use std::sync::Arc;
use std::time::Duration;

/// Rows after which a vital that moved less than its dead-band is told anyway.
const KEYFRAME: u8 = 16;
/// Rows kept of each machine: the newest one may still be under way.
const KEPT: usize = 2;
/// The period of all machines.
pub(crate) const PERIOD: Duration = Duration::from_secs(1);

/// A machine's rows as they were published.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    record: Arc<Record>,
    codes: Vitals,
    unsaid: [u8; SLOTS],
    /// Newest first: when, and what.
    rows: [Option<(f64, Vitals)>; KEPT],
}

impl Told {
    /// A machine that has told nothing but what it is.
    pub(crate) fn new(number: usize, cores: f64, memory: f64) -> Told {
        let mut facts = Facts::default();
        for (name, value) in [("cpu.threads", cores), ("mem.total", memory), ("swap.total", memory)] {
            facts.put(name, None, Value::Number(value));
        }
        let record = Record {
            id: id(number),
            incarnation: Incarnation(1),
            sequence: Sequence(1),
            salt: [0; 16],
            name: format!("n{number}").parse().expect("letters and digits are a name"),
            zone: ZoneName::default(),
            addresses: Vec::new(),
            period: PERIOD,
            budget: 0,
            left: false,
            listen_only: false,
            key_held: 1,
            facts,
            custom: Vec::new(),
            notices: Vec::new(),
            facts_dropped: 0,
        };
        Told { record: Arc::new(record), codes: Vitals::default(), unsaid: [0; SLOTS], rows: [None; KEPT] }
    }

    /// Publishes a row: what moved less than its dead-band stays as it was told, for a while.
    pub(crate) fn publish(&mut self, now: f64, m: &Measured) {
        let values = [
            ("cpu.busy", m.busy),
            ("mem.available", m.available),
            ("load.1", m.load),
            ("cpu.system.max3m", 0.05),
            ("swap.used", m.swapped),
            ("pressure.cpu", m.waits_cpu),
            ("pressure.memory", m.waits_memory),
            ("procs.running", m.running),
            ("health", 1.0),
        ];
        for (name, value) in values {
            let v = vitals::find(name).expect("a built-in vital");
            let (slot, is) = (v.slot, v.quantiser.encode(value, self.record.scale(&v.quantiser)));
            let (was, unsaid) = (self.codes.code(slot), &mut self.unsaid[slot.index()]);
            *unsaid += 1;
            let moved = was == peermon_model::quantity::ABSENT || was.abs_diff(is) >= v.dead_band.max(1);
            if moved || (*unsaid >= KEYFRAME && was != is) {
                self.codes.put(slot, is);
                *unsaid = 0;
            }
            *unsaid = (*unsaid).min(KEYFRAME);
        }
        self.rows.rotate_right(1);
        self.rows[0] = Some((now, self.codes));
    }

    /// The newest row that was published `delay` seconds ago or earlier.
    fn row(&self, now: f64, delay: f64) -> Option<(f64, Vitals)> {
        self.rows.iter().flatten().find(|r| r.0 + delay <= now).copied()
    }

    fn entry(&self, now: f64, delay: f64) -> NodeEntry {
        let row = self.row(now, delay);
        NodeEntry {
            record: Arc::clone(&self.record),
            state: MemberState::Alive,
            vitals: row.map_or_else(Vitals::default, |r| r.1),
            period: PERIOD,
            age: row.map(|r| Duration::from_secs_f64((now - r.0).max(0.0))),
            avoided: None,
            in_state: Duration::from_secs_f64(now),
            hidden: false,
        }
    }
}

/// The table of machine `from`: of each machine the newest row that has reached it. A row takes up to `delay` seconds, evenly
/// spread; its own takes none.
pub(crate) fn table(all: &[Told], from: usize, now: f64, delay: f64) -> Snapshot {
    let nodes = all.iter().enumerate().map(|(i, told)| {
        let chance = mix(told.rows[0].map_or(0, |r| r.0.to_bits()) ^ (from as u64) << 32 ^ i as u64);
        told.entry(now, if i == from { 0.0 } else { delay * (chance >> 11) as f64 / (1u64 << 53) as f64 })
    });
    Snapshot {
        taken: Instant::from_nanos((now * 1e9) as u64),
        me: id(from),
        nodes: nodes.collect(),
        zones: Vec::new(),
        claims: Vec::new(),
        clock: Duration::ZERO,
    }
}

/// Ids in order of number.
pub(crate) fn id(number: usize) -> NodeId {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&(number as u64).to_be_bytes());
    NodeId(id)
}

/// Splitmix64's finish: bits that look unrelated.
fn mix(bits: u64) -> u64 {
    let z = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(busy: f64, load: f64) -> Measured {
        Measured { busy, waits_cpu: 0.0, waits_memory: 0.0, available: 8e9, swapped: 0.0, running: 1.0, load }
    }

    #[test]
    fn rows_are_coded_thinned_and_late() {
        let mut all = [Told::new(0, 8.0, 16e9), Told::new(1, 8.0, 16e9)];
        let seen = |all: &[Told], from, now, name: &str| {
            let t = table(all, from, now, 0.06);
            let node = &t.nodes[0];
            (node.record.vital(&node.vitals, name), t.age(node, t.taken).map(|a| (a.as_secs_f64() * 1e3).round()))
        };
        assert_eq!(seen(&all, 1, 9.0, "cpu.busy"), (None, None));
        all[0].publish(10.0, &measured(0.5, 1.0));
        assert_eq!(seen(&all, 0, 10.0, "cpu.busy"), (Some(0.5), Some(0.0)), "its own row at once");
        assert_eq!(seen(&all, 1, 10.0, "cpu.busy"), (None, None));
        assert_eq!(seen(&all, 1, 10.06, "cpu.busy"), (Some(0.5), Some(60.0)));
        // Within the dead-band of 4 steps of 0.5 %.
        all[0].publish(11.0, &measured(0.51, 1.0));
        assert_eq!(seen(&all, 1, 10.9999, "cpu.busy"), (Some(0.5), Some(1000.0)));
        assert_eq!(seen(&all, 1, 11.06, "cpu.busy"), (Some(0.5), Some(60.0)));
        (12..30).for_each(|t| all[0].publish(f64::from(t), &measured(0.51, 1.0)));
        assert_eq!(seen(&all, 1, 29.5, "cpu.busy"), (Some(0.51), Some(500.0)), "told after 16 periods all the same");
        all[0].publish(30.0, &measured(0.9, 1.0));
        assert_eq!(seen(&all, 1, 30.5, "cpu.busy").0, Some(0.9));
    }
}

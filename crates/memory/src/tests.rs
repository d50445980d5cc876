use super::*;
use peermon_model::quantity::ABSENT;
use peermon_model::vitals::Slot;
use peermon_model::{Facts, Incarnation, MemberState, NodeEntry, Record, Sequence, Vitals, ZoneName};
use proptest::prelude::*;

fn at(seconds: f64) -> Instant {
    Instant::from_micros((seconds * 1e6) as u64)
}

fn row(seconds: f64, code: u8) -> Row {
    let mut codes = [ABSENT; SLOTS];
    codes[0] = code;
    codes[3] = 7;
    Row { at: at(seconds), codes }
}

/// A table of these nodes, each with a row of so many seconds ago.
fn table(taken: f64, nodes: &[(u8, f64, u8)]) -> Snapshot {
    let mut snapshot = Snapshot::empty(NodeId([0; 32]));
    snapshot.taken = at(taken);
    for (id, age, code) in nodes {
        let record = Record {
            id: NodeId([*id; 32]),
            incarnation: Incarnation(1),
            sequence: Sequence(1),
            salt: [0; 16],
            name: format!("n{id}").parse().expect("a name"),
            addresses: vec![],
            period: Duration::from_secs(1),
            budget: 0,
            zone: ZoneName::default(),
            left: false,
            listen_only: false,
            key_held: 1,
            facts: Facts::default(),
            custom: vec![],
            notices: vec![],
            facts_dropped: 0,
        };
        let mut vitals = Vitals::default();
        vitals.put(Slot::new(0).expect("a slot"), *code);
        snapshot.nodes.push(NodeEntry {
            record: Arc::new(record),
            state: MemberState::Alive,
            vitals,
            period: Duration::from_secs(1),
            age: Some(Duration::from_secs_f64(*age)),
            avoided: None,
            in_state: Duration::ZERO,
            hidden: false,
        });
    }
    snapshot
}

const ROOMY: Bounds = Bounds { keep: Duration::from_secs(3600), bytes_max: 1 << 30 };

fn codes(memory: &Memory, id: u8, from: f64) -> Vec<(f64, u8)> {
    let kept = memory.of(&NodeId([id; 32])).expect("it is kept");
    kept.rows(at(from)).iter().map(|r| ((r.at.as_secs_f64() * 100.0).round() / 100.0, r.codes[0])).collect()
}

#[test]
fn rows_are_kept_once_each() {
    let mut memory = Memory::new(ROOMY);
    memory.take(&table(10.0, &[(1, 0.5, 40), (2, 0.25, 9)]));
    // the same row again, whose moment is told a little differently, and one without a row
    let mut again = table(10.2, &[(1, 0.71, 40), (3, 0.0, 0)]);
    again.nodes[1].age = None;
    memory.take(&again);
    memory.take(&table(10.6, &[(1, 0.1, 41)]));
    assert_eq!(codes(&memory, 1, 0.0), [(9.5, 40), (10.5, 41)]);
    assert_eq!(codes(&memory, 2, 0.0), [(9.75, 9)]);
    assert!(memory.of(&NodeId([3; 32])).is_none());
    assert_eq!((memory.size().nodes, memory.size().rows), (2, 3));
}

#[test]
fn the_row_that_held_at_the_start_is_told() {
    let mut memory = Memory::new(ROOMY);
    for i in 0..500 {
        memory.take(&table(f64::from(i) + 1.0, &[(1, 1.0, (i % 100) as u8)]));
    }
    assert_eq!(codes(&memory, 1, 498.5), [(498.0, 98), (499.0, 99)]);
    // 239 is the last of the second chunk
    assert_eq!(codes(&memory, 1, 239.5)[..2], [(239.0, 39), (240.0, 40)]);
    assert_eq!(codes(&memory, 1, 0.0).len(), 500);
}

#[test]
fn what_is_too_old_or_too_much_goes() {
    let check = |bounds: Bounds, rows: std::ops::RangeInclusive<u64>, dropped: bool| {
        let mut memory = Memory::new(bounds);
        for i in 0..4000 {
            memory.take(&table(f64::from(i) + 1.0, &[(1, 0.5, (i * 7 % 201) as u8), (2, 0.25, (i * i % 199) as u8)]));
        }
        let size = memory.size();
        assert!(rows.contains(&size.rows), "{bounds:?}: {size:?}");
        assert_eq!(size.rows_dropped > 0, dropped, "{bounds:?}: {size:?}");
        assert!(size.bytes <= bounds.bytes_max, "{bounds:?}: {size:?}");
        let really: usize = (1..=2).map(|n| memory.of(&NodeId([n; 32])).expect("kept").rows(Instant::ZERO).len()).sum();
        assert_eq!(size.rows, really as u64);
        // all leave, and in time nothing is left
        memory.take(&table(4002.0 + bounds.keep.as_secs_f64(), &[]));
        assert_eq!(memory.size(), Size { rows_dropped: size.rows_dropped, ..Size::default() });
    };
    check(ROOMY, 7200..=7440, false);
    check(Bounds { keep: Duration::from_secs(600), ..ROOMY }, 1200..=1440, false);
    check(Bounds { bytes_max: 16_000, ..ROOMY }, 200..=6000, true);
}

#[test]
fn custom_vitals_of_before_are_not_those_of_now() {
    let mut memory = Memory::new(ROOMY);
    let mut first = table(5.0, &[(1, 0.0, 1)]);
    memory.take(&first);
    Arc::get_mut(&mut first.nodes[0].record).expect("one").custom.push(peermon_model::CustomVital {
        name: "queue".into(),
        unit: peermon_model::Unit::Count,
        quantiser: peermon_model::quantity::Quantiser::Count,
    });
    first.taken = at(6.0);
    memory.take(&first);
    assert_eq!(memory.of(&NodeId([1; 32])).expect("kept").custom_since, at(6.0));
}

#[test]
fn values_come_at_even_steps() {
    let rows = [row(1.0, 10), row(2.0, 20), row(3.0, 60), row(9.0, 0), row(10.0, 100)];
    let check = |to: f64, step: f64, points: usize, fold: Fold, want: &[f64]| {
        let grid = Grid { to: at(to), step: Duration::from_secs_f64(step), points };
        let told = resample(&rows, &grid, Duration::from_secs_f64(2.5), fold, |r| Some(f64::from(r.codes[0])));
        let told: Vec<f64> = told.into_iter().map(|v| v.unwrap_or(-1.0)).collect();
        assert_eq!(told, want, "to {to} by {step}, {fold:?}");
    };
    // a value holds for 2.5 s at most
    check(11.0, 1.0, 11, Fold::Mean, &[-1.0, 10.0, 20.0, 60.0, 60.0, 60.0, -1.0, -1.0, -1.0, 0.0, 100.0]);
    check(4.0, 2.0, 2, Fold::Mean, &[10.0, 40.0]);
    check(4.0, 2.0, 2, Fold::Max, &[10.0, 60.0]);
    check(4.0, 2.0, 2, Fold::Min, &[10.0, 20.0]);
    check(4.0, 2.0, 2, Fold::Last, &[10.0, 60.0]);
    check(3.5, 0.5, 6, Fold::Mean, &[-1.0, 10.0, 10.0, 20.0, 20.0, 60.0]);
    let nothing = Grid { to: at(5.0), step: Duration::from_secs(1), points: 2 };
    assert_eq!(resample(&[], &nothing, Duration::from_secs(9), Fold::Mean, |_| Some(1.0)), [None, None]);
    assert_eq!(resample(&rows, &nothing, Duration::from_secs(9), Fold::Mean, |_| None), [None, None]);
}

proptest! {
    #[test]
    fn a_chunk_gives_back_what_was_put_in(
        start in 0u64..1 << 40,
        rows in prop::collection::vec((1u64..10_000_000, prop::array::uniform27(any::<u8>()), 0u32..1 << 27), 1..300),
    ) {
        let mut now = start;
        let mut last = [0; SLOTS];
        let rows: Vec<Row> = rows.into_iter().map(|(pause, codes, moved)| {
            now += pause;
            for i in (0..SLOTS).filter(|i| moved & 1 << i != 0) {
                last[i] = codes[i];
            }
            Row { at: Instant::from_micros(now), codes: last }
        }).collect();
        let chunk = Chunk::of(&rows);
        let back = chunk.rows();
        prop_assert_eq!(back.len(), rows.len());
        for (a, b) in rows.iter().zip(&back) {
            prop_assert_eq!(a.codes, b.codes);
            let apart = a.at.as_micros().abs_diff(b.at.as_micros());
            prop_assert!(apart < 8_000, "{} us apart", apart);
        }
    }
}

//! What docs/expressions.md says is so.

use peermon_expr::{Compiled, Expression, NodeRow, NodeWords};
use peermon_model::{
    Facts, Incarnation, Instant, MemberState, NodeEntry, NodeId, Record, Sequence, Snapshot, Value, Vitals, vitals,
};
use std::sync::Arc;
use std::time::Duration;

const PAGE: &str = include_str!("../../../docs/expressions.md");
const GIB: f64 = 1024.0 * 1024.0 * 1024.0;

/// The node that the page describes.
fn table() -> Snapshot {
    let mut facts = Facts::default();
    let numbers = [("cpu.threads", 16.0), ("mem.total", 64.0 * GIB), ("swap.total", 0.0)];
    numbers.iter().for_each(|(k, v)| facts.put(k, None, Value::Number(*v)));
    facts.put("os.kernel", None, Value::text("6.1.0-18-amd64"));
    facts.put("label.{}", Some("role"), Value::text("train"));
    facts.put("label.{}", Some("gpu-type"), Value::text("a100"));
    facts.put("nic.{}.speed", Some("eth0"), Value::Number(25e9));
    let record = Record {
        id: NodeId([7; 32]),
        incarnation: Incarnation(1),
        sequence: Sequence(1),
        salt: [0; 16],
        name: "gpu-07".parse().expect("a name"),
        zone: "rack-7".parse().expect("a zone"),
        addresses: Vec::new(),
        period: Duration::from_secs(1),
        budget: 0,
        left: false,
        listen_only: false,
        key_held: 1,
        facts,
        custom: Vec::new(),
        notices: Vec::new(),
        facts_dropped: 0,
    };
    let mut row = Vitals::default();
    // All of these survive their quantisers exactly, but for the rate, which becomes 131 MB/s.
    let values =
        [("cpu.busy", 0.25), ("load.1", 4.0), ("temperature.max", 62.0), ("mem.available", 32.0 * GIB), ("net.rx.rate", 128e6)];
    for (name, value) in values {
        let v = vitals::find(name).expect("a vital");
        row.put(v.slot, v.quantiser.encode(value, record.scale(&v.quantiser)));
    }
    let node = NodeEntry {
        record: Arc::new(record),
        state: MemberState::Alive,
        vitals: row,
        period: Duration::from_secs(1),
        age: Some(Duration::from_millis(300)),
        avoided: None,
        in_state: Duration::from_secs(7200),
        hidden: false,
    };
    Snapshot {
        taken: Instant::from_millis(60_000),
        me: NodeId([0; 32]),
        nodes: vec![node],
        zones: Vec::new(),
        claims: Vec::new(),
        clock: Duration::ZERO,
    }
}

/// The blocks of the page that are marked so.
fn blocks(mark: &str) -> Vec<&'static str> {
    let open = format!("```{mark}\n");
    PAGE.split(&*open).skip(1).map(|rest| rest.split("\n```").next().expect("split gives one at least")).collect()
}

#[test]
fn examples_give_what_the_page_says() {
    let table = table();
    let row = NodeRow { snapshot: &table, node: &table.nodes[0], now: table.taken + Duration::from_millis(100) };
    let mut seen = 0;
    for line in blocks("expr").iter().flat_map(|b| b.lines()) {
        let (text, said) = line.rsplit_once(" # ").unwrap_or_else(|| panic!("{line}: what does it give?"));
        let e: Expression = text.trim().parse().unwrap_or_else(|e| panic!("{e}"));
        let got = match e.compile(&NodeWords::of(&table)).unwrap_or_else(|e| panic!("{e}")) {
            Compiled::Condition(c) => c.holds(&row).map(|t| t.to_string()),
            Compiled::Measure(m) => m.value(&row).map(|n| n.to_string()),
        };
        assert_eq!(got.as_deref().unwrap_or("unknown"), said.trim(), "{line}");
        // And its canonical form means the same.
        assert_eq!(e.to_string().parse::<Expression>().map(|e| e.to_string()), Ok(e.to_string()));
        seen += 1;
    }
    assert!(seen > 30, "only {seen} examples were found");
}

#[test]
fn mistakes_are_told_as_the_page_says() {
    let mut seen = 0;
    for block in blocks("error") {
        let (text, said) = block.split_once('\n').expect("an expression and its error");
        let error = text.parse::<Expression>().and_then(|e| e.compile(&NodeWords::new()).map(drop)).expect_err(text);
        assert_eq!(error.to_string(), said);
        seen += 1;
    }
    assert!(seen >= 5, "only {seen} mistakes were found");
}

#[test]
fn every_attribute_of_the_catalogue_can_be_named() {
    let words = NodeWords::new();
    for a in peermon_model::Catalogue::new([]).iter() {
        let name = a.full_name(Some("x"));
        let text = format!("known({name})");
        text.parse::<Expression>().and_then(|e| e.condition(&words)).unwrap_or_else(|e| panic!("{e}"));
    }
    for (name, ..) in peermon_expr::NODE_NAMES {
        let c =
            format!("known({name})").parse::<Expression>().and_then(|e| e.condition(&words)).unwrap_or_else(|e| panic!("{e}"));
        let table = table();
        let row = NodeRow { snapshot: &table, node: &table.nodes[0], now: table.taken };
        assert_eq!(c.holds(&row), Some(true), "{name}");
        assert!(PAGE.contains(&format!("`{name}`")), "{name} is missing on the page");
    }
}

//! Prints what choosing costs: `cargo run --release -p peermon-placement --example choose`.
//!
//! The table has 2,200 nodes. The best of several rounds counts: the others were disturbed.
#![allow(clippy::print_stdout, clippy::disallowed_methods, clippy::disallowed_types)]

use peermon_model::{
    Facts, Incarnation, Instant, MemberState, NodeEntry, NodeId, Record, Sequence, Snapshot, Value, Vitals, vitals,
};
use peermon_placement::{Claimed, Claims, Order, Query, Requirements, Sight, Wanted};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

const NODES: usize = 2_200;
const ROUNDS: usize = 30;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let table = table()?;
    let now = table.taken;
    let mut claims = Claims::default();
    for node in table.nodes.iter().step_by(10) {
        claims.add(node.record.id, Claimed { cpus: 4.0, mem: 8e9, gpus: 0.0 });
    }
    let needs = Requirements {
        cpus: Some(4),
        mem: Some(8e9),
        conditions: vec!["cpu.busy < 90% && name ~ \"node*\"".parse()?],
        ..Requirements::default()
    };
    let order = Order::new(&["mem.available / (1 + load.1 / cpu.threads)".parse()?], Order::DELTA, &table)?;
    let (any, query) = (Wanted::default(), Query { n: 4, ..Query::default() });
    println!("{:>9}  for {NODES} nodes", "us");
    report("four by both", || Sight::new(&table, now).rank(&query, &any, 1).best.len());
    report("the same, with claims on every tenth", || {
        Sight::new(&table, now).with_claims(&claims).rank(&query, &any, 1).best.len()
    });
    report("with requirements, compiled each time", || {
        needs.compile(&table).map_or(0, |wanted| Sight::new(&table, now).rank(&query, &wanted, 1).best.len())
    });
    report("four by an expression", || Sight::new(&table, now).rank_by(4, &order, &any, 1).best.len());
    Ok(())
}

fn report(what: &str, choose: impl Fn() -> usize) {
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let started = std::time::Instant::now();
        black_box(choose());
        best = best.min(started.elapsed());
    }
    println!("{:>9.0}  {what}", best.as_secs_f64() * 1e6);
}

fn table() -> Result<Snapshot, Box<dyn std::error::Error>> {
    let mut nodes = Vec::with_capacity(NODES);
    for i in 0..NODES {
        let mut facts = Facts::default();
        facts.put("cpu.threads", None, Value::Number(16.0));
        facts.put("mem.total", None, Value::Number(64e9));
        let mut id = [0; 32];
        id[..8].copy_from_slice(&(i as u64).to_be_bytes());
        let record = Record {
            id: NodeId(id),
            incarnation: Incarnation(1),
            sequence: Sequence(1),
            salt: [0; 16],
            name: format!("node-{i:04}").parse()?,
            addresses: vec![],
            period: Duration::from_secs(1),
            budget: 0,
            zone: peermon_model::ZoneName::default(),
            left: false,
            listen_only: false,
            key_held: 1,
            facts,
            custom: vec![],
            notices: vec![],
            facts_dropped: 0,
        };
        let mut row = Vitals::default();
        for (name, value) in
            [("cpu.busy", (i % 100) as f64 / 100.0), ("load.1", (i % 20) as f64), ("mem.available", 1e9 * (i % 61) as f64)]
        {
            let v = vitals::find(name).ok_or("no such vital")?;
            row.put(v.slot, v.quantiser.encode(value, record.scale(&v.quantiser)));
        }
        nodes.push(NodeEntry {
            record: Arc::new(record),
            state: MemberState::Alive,
            vitals: row,
            period: Duration::from_secs(1),
            age: Some(Duration::from_millis(i as u64 % 1_500)),
            avoided: None,
            in_state: Duration::from_secs(60),
            hidden: false,
        });
    }
    Ok(Snapshot {
        taken: Instant::from_millis(1_000_000),
        me: NodeId([0; 32]),
        nodes,
        zones: Vec::new(),
        claims: Vec::new(),
        clock: Duration::ZERO,
    })
}

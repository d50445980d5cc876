//! Prints what expressions cost: `cargo run --release -p peermon-expr --example speed`.
//!
//! Each is compiled once and evaluated for every node of a table of 2,200, over and over. The best of several rounds counts:
//! the others were disturbed.
#![allow(clippy::print_stdout, clippy::disallowed_methods, clippy::disallowed_types)]

use peermon_expr::{Expression, NodeRow, NodeWords};
use peermon_model::{
    Facts, Incarnation, Instant, MemberState, NodeEntry, NodeId, Record, Sequence, Snapshot, Value, Vitals, vitals,
};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

const NODES: usize = 2_200;
const ROUNDS: usize = 15;
const PASSES: usize = 40;
const CONDITIONS: &[&str] = &[
    "true",
    "cpu.busy < 50%",
    "mem.available > 4GiB",
    "state == \"alive\" && age < 5s",
    "cpu.busy < 50% && mem.available > 4GiB && load.1 / cpu.threads < 0.5",
    "zone in (\"a\", \"b\", \"default\") && name ~ \"gpu-*\"",
    "tag(big) && version_at_least(os.kernel, \"6.1\")",
    "mem.available / (1 + load.1 / cpu.threads) > 1GiB",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let table = table()?;
    println!("{:>9} {:>10}  expression", "ns", "compile us");
    for text in CONDITIONS {
        let started = std::time::Instant::now();
        let condition = text.parse::<Expression>()?.condition(&NodeWords::of(&table))?;
        let compiled = started.elapsed();
        let mut best = Duration::MAX;
        for _ in 0..ROUNDS {
            let started = std::time::Instant::now();
            for _ in 0..PASSES {
                for node in &table.nodes {
                    black_box(condition.holds(&NodeRow { snapshot: &table, node, now: table.taken }));
                }
            }
            best = best.min(started.elapsed());
        }
        let ns = best.as_nanos() as f64 / (PASSES * NODES) as f64;
        println!("{ns:>9.1} {:>10.1}  {text}", compiled.as_nanos() as f64 / 1e3);
    }
    Ok(())
}

/// Nodes as real ones are: a dozen facts, all vitals.
fn table() -> Result<Snapshot, Box<dyn std::error::Error>> {
    let mut nodes = Vec::new();
    for i in 0..NODES {
        let mut facts = Facts::default();
        let texts = [
            ("host.name", "gpu-0"),
            ("cpu.model", "A processor of today"),
            ("os.name", "Debian 12"),
            ("os.kernel", "6.1.0-18-amd64"),
            ("os.arch", "x86_64"),
            ("host.virtualisation", "none"),
        ];
        texts.iter().for_each(|(k, v)| facts.put(k, None, Value::text(v)));
        let numbers = [("cpu.threads", 16.0), ("cpu.cores", 8.0), ("mem.total", 64e9), ("swap.total", 8e9)];
        numbers.iter().for_each(|(k, v)| facts.put(k, None, Value::Number(*v)));
        facts.put("label.{}", Some("big"), Value::text("yes"));
        let mut id = [0; 32];
        id[..8].copy_from_slice(&(i as u64).to_be_bytes());
        let record = Record {
            id: NodeId(id),
            incarnation: Incarnation(1),
            sequence: Sequence(1),
            salt: [0; 16],
            name: format!("gpu-{i}").parse()?,
            zone: "default".parse()?,
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
        vitals::VITALS.iter().for_each(|v| row.put(v.slot, (i % 200) as u8));
        nodes.push(NodeEntry {
            record: Arc::new(record),
            state: MemberState::Alive,
            vitals: row,
            period: Duration::from_secs(1),
            age: Some(Duration::from_millis(400)),
            avoided: None,
            in_state: Duration::from_secs(60),
            hidden: false,
        });
    }
    Ok(Snapshot {
        taken: Instant::from_millis(60_000),
        me: NodeId([0; 32]),
        nodes,
        zones: Vec::new(),
        claims: Vec::new(),
        clock: Duration::ZERO,
    })
}

//! Makes the simulator's series from recorded traces:
//! `cargo run --release -p peermon-sim --example series -- crates/sim/src/traces crates/collector/traces/loads/*.trace`.
//!
//! The codes are the daemon's: each second's samples go through a whole node, and what it publishes first in its life, when
//! no dead-band holds anything back, is taken down.
#![allow(clippy::print_stderr)]

use peermon_collector::Source;
use peermon_collector::replay::Replay;
use peermon_model::{Facts, Incarnation, Instant, Samples, Vitals};
use peermon_node::{Config, Event, Identity, Node};
use peermon_sim::Series;
use peermon_trust::{ClusterKey, Keyring, NodeKey};
use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let folder = args.next().ok_or("usage: series FOLDER TRACE...")?;
    for file in args {
        let name = Path::new(&file).file_stem().and_then(|n| n.to_str()).ok_or_else(|| format!("{file} has no name"))?;
        let text = std::fs::read_to_string(&file).map_err(|e| format!("reading {file}: {e}"))?;
        let mut replay = Replay::parse(name, &text)?;
        let facts = replay.facts();
        let rows = (0..replay.length().as_secs()).map(|s| {
            let samples = replay.round(Instant::from_millis(1_000 * (s + 1)));
            measured(&facts, &samples)
        });
        let series = Series { name: name.into(), rows: rows.collect::<Option<_>>().ok_or("a node published nothing")? };
        let comment = format!("Made by the example `series` from the trace {name}, which tells how it was recorded.");
        let out = Path::new(&folder).join(format!("{name}.rows"));
        std::fs::write(&out, series.to_text(&comment)).map_err(|e| format!("writing {}: {e}", out.display()))?;
        eprintln!("{}: {} rows", out.display(), series.rows.len());
    }
    Ok(())
}

/// The row of a node that has never published before.
fn measured(facts: &Facts, samples: &Samples) -> Option<Vitals> {
    let mut config = Config::named("series".parse().ok()?);
    config.facts = facts.clone();
    let identity = Identity { key: NodeKey::from_seed(&[1; 32]), incarnation: Incarnation(1) };
    let mut node = Node::new(config, identity, Keyring::new(1, ClusterKey::new([2; 32])), [3; 32], Instant::ZERO);
    let now = loop {
        let now = node.deadline();
        node.handle_timeout(now);
        if std::iter::from_fn(|| node.poll_event()).any(|e| e == Event::SampleDue) {
            break now;
        }
    };
    node.handle_samples(now, samples);
    let (_, _, row) = node.engine().rows().next()?;
    Some(row)
}

//! Prints the protocol's figures for one size of cluster:
//! `cargo run --release -p peermon-sim --example gossip -- NODES [LOSS [SECONDS OF WARM-UP [PERIOD [SEED]]]]`.
//! With a period, in seconds, there is no budget; 0 leaves both as they are. Worlds of other seeds have other loads and chances.
#![allow(clippy::print_stdout)]

use peermon_sim::World;
use std::time::Duration;

/// Periods measured.
const PERIODS: u32 = 20;

fn main() {
    let args: Vec<f64> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let (n, loss) = (args.first().map_or(100, |x| *x as usize), args.get(1).copied().unwrap_or(0.0));
    let warm = Duration::from_secs_f64(args.get(2).copied().unwrap_or(120.0));
    let mut world = World::new(args.get(4).map_or(1, |x| *x as u64));
    if let Some(period) = args.get(3).filter(|p| **p > 0.0) {
        world.template.period = Duration::from_secs_f64(*period);
        world.template.budget = 0;
    }
    world.start_cluster(n);
    let joined = world.run_until_all_know_all(Duration::from_secs(120));
    println!(
        "{n} nodes: all know all {:.2} s after the start; the seed has sent {:.1} MB by then, no other node more than {:.1} MB",
        joined.as_secs_f64(),
        world.hosts[0].tx_bytes as f64 / 1e6,
        world.hosts[1..].iter().map(|h| h.tx_bytes).max().unwrap_or(0) as f64 / 1e6
    );
    world.network.loss = loss;
    world.run_for(warm);
    let sent: Vec<u64> = world.hosts.iter().map(|h| h.tx_bytes).collect();
    let datagrams: u64 = world.hosts.iter().map(|h| h.tx_datagrams).sum();
    let before = totals(&world);
    let started = std::time::Instant::now();
    let ages = world.measure_ages(PERIODS, 10);
    let per = f64::from(PERIODS) * world.template.period.as_secs_f64();
    let took = started.elapsed().as_secs_f64();
    println!("{per:.0} simulated seconds took {took:.1} s, {:.2} ms a node and second", took / per / n as f64 * 1e3);
    let tx: Vec<f64> = world.hosts.iter().zip(&sent).map(|(h, b)| (h.tx_bytes - b) as f64 / per).collect();
    let mean = tx.iter().sum::<f64>() / n as f64;
    let packets = (world.hosts.iter().map(|h| h.tx_datagrams).sum::<u64>() - datagrams) as f64 / n as f64 / per;
    let busiest = tx.iter().copied().fold(0.0, f64::max) / mean;
    println!("loss {loss}, after {:.0} s more:", warm.as_secs_f64());
    println!("age: mean {:.3}, p99 {:.3}, max {:.3} s", ages.mean(), ages.quantile(0.99), ages.max());
    println!(
        "sent per node: {:.2} kB/s with IP and UDP headers, {packets:.0} datagrams/s; the busiest {busiest:.2} times the mean",
        mean / 1e3
    );
    let after = totals(&world);
    let rate = |name: &str| (after.get(name).unwrap_or(&0) - before.get(name).unwrap_or(&0)) as f64 / n as f64 / per;
    let (new, all) = (rate("gossip.rows.new"), rate("gossip.rows.received"));
    println!(
        "rows: {:.3} received per new one, {:.1} bytes each",
        all / new,
        rate("gossip.rows.sent.bytes") / rate("gossip.rows.sent")
    );
    for name in ["gossip.tx.acks", "gossip.resent", "gossip.grafts", "gossip.pings", "gossip.accusations", "gossip.out_of_turn"] {
        println!("{name}: {:.3} per node and second", rate(name));
    }
}

/// All nodes' counters added up.
fn totals(world: &World) -> std::collections::BTreeMap<&'static str, u64> {
    let mut sum = std::collections::BTreeMap::new();
    for node in world.hosts.iter().filter_map(|h| h.node.as_ref()) {
        for (name, value) in node.counters() {
            *sum.entry(name).or_insert(0) += value;
        }
    }
    sum
}

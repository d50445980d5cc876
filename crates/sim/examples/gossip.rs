//! Prints the protocol's figures for one size of cluster: `cargo run --release -p peermon-sim --example gossip -- N [LOSS]`.
#![allow(clippy::print_stdout)]

use peermon_sim::World;
use std::time::Duration;

fn main() {
    let args: Vec<f64> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let (n, loss) = (args.first().map_or(100, |x| *x as usize), args.get(1).copied().unwrap_or(0.0));
    let stress = args.get(2).is_some_and(|x| *x > 0.0);
    let mut world = World::new(1);
    world.stress = stress;
    world.start_cluster(n);
    let joined = world.run_until_all_know_all(Duration::from_secs(120));
    world.network.loss = loss;
    world.run_for(Duration::from_secs(args.get(3).map_or(90, |x| *x as u64)));
    let counters = |w: &World| -> Vec<(&'static str, u64)> {
        let mut sum: Vec<(&'static str, u64)> = Vec::new();
        for h in &w.hosts {
            for (name, v) in h.node.as_ref().expect("it runs").counters() {
                match sum.iter_mut().find(|s| s.0 == name) {
                    Some(s) => s.1 += v,
                    None => sum.push((name, v)),
                }
            }
        }
        sum
    };
    let (bytes, packets): (Vec<u64>, u64) = (world.hosts.iter().map(|h| h.tx_bytes).collect(), world.hosts.iter().map(|h| h.tx_datagrams).sum());
    let before = counters(&world);
    let seconds = 20;
    let ages = world.measure_ages(seconds, 10);
    let tx: Vec<f64> = world.hosts.iter().zip(&bytes).map(|(h, b)| (h.tx_bytes - b) as f64 / f64::from(seconds)).collect();
    let mean = tx.iter().sum::<f64>() / n as f64;
    let pk = (world.hosts.iter().map(|h| h.tx_datagrams).sum::<u64>() - packets) as f64 / n as f64 / f64::from(seconds);
    println!("N = {n}, loss {loss}: joined in {joined:?}");
    println!("age mean {:.3} p99 {:.3} max {:.3} s", ages.mean(), ages.quantile(0.99), ages.max());
    println!("tx {:.2} kB/s mean, busiest {:.2} x, {pk:.0} pkt/s", mean / 1e3, tx.iter().copied().fold(0.0, f64::max) / mean);
    for ((name, a), (_, b)) in counters(&world).iter().zip(&before) {
        if a != b {
            println!("  {name} {:.3} per node and second", (a - b) as f64 / n as f64 / f64::from(seconds));
        }
    }
    let not_alive: usize = world.running().map(|i| world.views_of(i).iter().filter(|s| **s != peermon_model::MemberState::Alive).count()).sum();
    debug(&world); 
    println!("pairs not alive: {not_alive}");
}

#[allow(dead_code)]
fn debug(world: &World) {
    let mut roles = std::collections::BTreeMap::new();
    for h in &world.hosts {
        for l in h.node.as_ref().unwrap().links(world.now) {
            *roles.entry(format!("{:?}", l.role)).or_insert(0) += 1;
        }
    }
    println!("{roles:?}");
}
#[allow(dead_code)]
fn debug2(world: &World) {
    for h in world.hosts.iter().take(3) {
        for l in h.node.as_ref().unwrap().links(world.local(0)).iter().take(200) {
            println!("{:?} {:?} {} silent {:?}", h.address, l.role, l.address, l.silent);
        }
        println!("{}", h.node.as_ref().unwrap().engine().debug_links());
    }
}

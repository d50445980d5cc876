//! Prints what it costs when a tenth of new nodes joins within 0.2 s:
//! `cargo run --release -p peermon-sim --example join -- NODES [LOSS]`.
#![allow(clippy::print_stdout)]

use peermon_sim::World;
use std::time::Duration;

/// Before the join.
const WARM_UP: Duration = Duration::from_secs(15);
/// The join begins so long after a wave, and its first second is what counts.
const WITHIN: Duration = Duration::from_millis(200);

fn main() {
    let args: Vec<f64> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let (n, loss) = (args.first().map_or(200, |x| *x as usize), args.get(1).copied().unwrap_or(0.0));
    let mut world = World::new(5);
    world.start_cluster(n);
    world.run_until_all_know_all(Duration::from_secs(120));
    world.network.loss = loss;
    world.run_for(WARM_UP);
    let sent = |w: &World| w.hosts.iter().map(|h| h.tx_bytes).sum::<u64>() as f64;
    let before = sent(&world);
    world.run_for(Duration::from_secs(1));
    println!("{n} nodes, loss {loss}: {:.1} kB/s a node", (sent(&world) - before) / n as f64 / 1e3);
    let (start, before) = (world.now, sent(&world));
    let count = n / 10;
    for _ in 0..count {
        let seeds = (0..3).map(|_| world.hosts[world.rng.below(n)].address).collect();
        world.add_host(seeds);
        world.run_for(WITHIN / count as u32);
    }
    let all_members = world.hosts.len();
    let know = |w: &World| w.running().all(|i| w.hosts[i].node.as_ref().is_some_and(|x| x.engine().members_up() == all_members));
    world.run_until(Duration::from_secs(20), "all have all records", know);
    let records = world.now - start;
    world.run_until_all_know_all(Duration::from_secs(20));
    println!(
        "all have all records {:.2} s after the first came, all rows after {:.2} s",
        records.as_secs_f64(),
        (world.now - start).as_secs_f64()
    );
    let mut last = before;
    for second in 1..=5 {
        let end = start + Duration::from_secs(second);
        if end > world.now {
            world.run_for(end - world.now);
            println!("by second {second}: {:.1} kB a node", (sent(&world) - last) / all_members as f64 / 1e3);
            last = sent(&world);
        }
    }
}

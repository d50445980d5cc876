//! Random worlds from seeds: whatever happened, once it is over all tables are the same and fresh, and at no moment did a table
//! tell something that was never true.
//!
//! `SWARM=1000..2000 cargo test -p peermon-sim --test swarm` tries other seeds; a failure prints the one that replays it.

#![allow(clippy::print_stdout)] // what was measured, and the seed to replay

use peermon_model::MemberState;
use peermon_node::Command;
use peermon_sim::World;
use peermon_trust::ClusterKey;
use std::time::Duration;

/// Seeds that failed once.
const FAILED_ONCE: &[u64] = &[21, 129];

fn seeds() -> Vec<u64> {
    let range = std::env::var("SWARM").unwrap_or_else(|_| "0..60".into());
    let (from, to) = range.split_once("..").expect("SWARM is FROM..TO");
    let number = |s: &str| s.parse().expect("SWARM is FROM..TO");
    FAILED_ONCE.iter().copied().chain(number(from)..number(to)).collect()
}

#[test]
fn every_world_ends_well() {
    for seed in seeds() {
        println!("replay with SWARM={seed}..{}", seed + 1);
        world(seed);
    }
}

fn world(seed: u64) {
    let mut w = World::new(seed);
    let n = 2 + w.rng.below(24);
    w.start_cluster(n);
    w.template.key_overlap = Duration::from_secs(3600);
    let mut gone = Vec::new();
    for _ in 0..(5 + w.rng.below(25)) {
        disturb(&mut w, &mut gone);
        let pause = Duration::from_millis(w.rng.below(4_000) as u64);
        w.run_for(pause);
    }
    // all is well again
    w.network.cut.clear();
    w.network.loss = 0.0;
    w.network.duplicates = 0.0;
    for i in gone {
        let seeds = some_seed(&mut w);
        w.start(i, seeds);
    }
    // a stopped process may still have to wake up, and seeds are asked every 10 s at the latest
    w.run_until_all_know_all(Duration::from_secs(90));
    w.run_for(Duration::from_secs(5));
    assert!(w.all_know_all(), "it stays so");
    let running = w.running().count();
    let ages = w.measure_ages(3, running);
    assert!(running < 2 || ages.max() < 1.5, "fresh again: {}", ages.max());
    let wrong = w.running().flat_map(|i| w.views_of(i)).filter(|s| *s != MemberState::Alive).count();
    assert_eq!(wrong, 0);
    w.check_all();
}

fn some_seed(w: &mut World) -> Vec<std::net::SocketAddr> {
    let running: Vec<usize> = w.running().collect();
    // when nobody else runs there is nobody to ask
    let picks = if running.is_empty() { 0 } else { 2 };
    (0..picks).map(|_| w.hosts[running[w.rng.below(running.len())]].address).collect()
}

fn disturb(w: &mut World, gone: &mut Vec<usize>) {
    let running: Vec<usize> = w.running().collect();
    let any = |w: &mut World| running[w.rng.below(running.len())];
    match w.rng.below(12) {
        0 | 1 if running.len() > 1 => {
            let i = any(w);
            w.crash(i);
            gone.push(i);
        }
        2 | 3 if !gone.is_empty() => {
            let i = gone.swap_remove(w.rng.below(gone.len()));
            let seeds = some_seed(w);
            w.start(i, seeds);
        }
        4 => {
            let (i, ms) = (any(w), w.rng.below(3_000) as u64);
            w.stop_for(i, Duration::from_millis(ms));
        }
        5 => {
            let all = w.hosts.len();
            let (a, b): (Vec<usize>, Vec<usize>) = (0..all).partition(|_| w.rng.chance(0.5));
            w.network.part(&a, &b);
        }
        6 => {
            let pair = (w.rng.below(w.hosts.len()), w.rng.below(w.hosts.len()));
            w.network.cut.insert(pair);
        }
        7 => w.network.cut.clear(),
        8 => {
            w.network.loss = [0.0, 0.05, 0.2, 0.5][w.rng.below(4)];
            w.network.duplicates = [0.0, 0.1][w.rng.below(2)];
        }
        9 if w.hosts.len() < 40 => {
            let seeds = some_seed(w);
            w.add_host(seeds);
        }
        10 if running.len() > 1 => {
            let i = any(w);
            w.leave(i);
            gone.push(i);
        }
        11 if w.rng.chance(0.3) => {
            let i = any(w);
            let key = loop {
                let key = ClusterKey::new([w.rng.bits() as u8; 32]);
                // as the daemon does: a new key has an id that no key held has
                if w.hosts[i].node.as_ref().expect("it runs").keyring().key(key.id()).is_none() {
                    break key;
                }
            };
            w.command(i, Command::RotateKey(key));
        }
        _ => {}
    }
}

//! What must hold of a cluster, told as stories. Every step is held against the reference model, and a story is a function
//! of its seed alone.

#![allow(clippy::print_stdout)] // what was measured, beside what is promised

mod claims;
mod clocks;
mod figures;
mod hosts;
mod network;
mod security;
mod zones;

use peermon_model::MemberState::Down;
use peermon_sim::World;
use std::time::Duration;

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

const fn s(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn cluster(seed: u64, n: usize) -> World {
    let mut world = World::new(seed);
    world.start_cluster(n);
    world.run_until_all_know_all(s(5));
    world
}

/// Members told down, by anybody, since the beginning.
fn told_down(world: &World) -> usize {
    world.hosts.iter().flat_map(|h| &h.told).filter(|t| t.2 == Down).count()
}

/// Members told suspect, by anybody, since the beginning.
fn told_suspect(world: &World) -> usize {
    world.told_since(peermon_model::Instant::ZERO)[0]
}

/// A node's counter of this name.
fn counter(node: &peermon_node::Node, name: &str) -> u64 {
    node.counters().into_iter().find(|c| c.0 == name).expect("there is such a counter").1
}

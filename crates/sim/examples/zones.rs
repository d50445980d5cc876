//! Prints what zones cost and how old their rows are:
//! `cargo run --profile sim -p peermon-sim --example zones -- NODES-IN-EACH ZONES [BUDGET [SECONDS OF WARM-UP [MEMBERS-FULL [WHOLE]]]]`;
//! a budget of 0 leaves it as it is.
//!
//! With WHOLE, only so many zones have all their nodes. Of each of the others there are only as many as the rest of the cluster knows
//! in a cluster too large to tell of all: to the whole zones that is the same, as they hear of no more in any case.
//!
//! With `COUNTERS=1` in the environment, also what the counters say of the seconds measured.
#![allow(clippy::print_stdout)]

use peermon_sim::World;
use std::time::Duration;

/// Seconds measured.
const MEASURED: u32 = 20;
/// Zones start one after another: that thousands join one seed at once is another story.
const STAGGER: Duration = Duration::from_millis(250);
/// Nodes of a zone that stands for a larger one: its relays, the 16 best that it tells of, and one that comes and goes.
const TOLD: usize = 20;

fn main() {
    let args: Vec<usize> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let (each, zones) = (args.first().copied().unwrap_or(50), args.get(1).copied().unwrap_or(4));
    let mut world = World::new(1);
    world.count_false_alarms();
    let whole = args.get(5).copied().unwrap_or(zones);
    if let Some(budget) = args.get(2).filter(|b| **b > 0) {
        world.template.budget = *budget as u32;
    }
    let warm = args.get(3).map_or(60, |s| *s as u64);
    if let Some(full) = args.get(4) {
        world.template.members_full = *full;
    }
    for z in 0..zones {
        let size = if z < whole { each } else { each.min(TOLD) };
        // each through another host of the first zone, as seeds are usually named: a chain of zones would add up what each begins
        // behind the one before it
        let through = z % each;
        for h in world.start_zone_through(&format!("zone-{z}"), size, through) {
            world.network.place(h, z);
        }
        for other in 0..z {
            world.network.set_distance(z, other, Duration::from_millis(5));
        }
        world.run_for(STAGGER);
    }
    world.run_for(Duration::from_secs(warm));
    let counted = counters(&world);
    let before: Vec<(u64, u64)> = world.hosts.iter().map(|h| (h.tx_bytes, h.tx_datagrams)).collect();
    // (inside, across): ages, and of how many no row has come yet
    let mut ages = [Vec::new(), Vec::new()];
    let mut without = [0, 0];
    for step in 0..MEASURED * 13 {
        world.run_for(Duration::from_secs_f64(0.076_393_2));
        let i = step as usize * 37 % (each * whole.min(zones));
        let Some(node) = world.hosts[i].node.as_ref() else { continue };
        let table = node.snapshot(world.local(i));
        for n in table.nodes.iter().filter(|n| n.record.id != node.id()) {
            let place = usize::from(n.record.zone != node.record().zone);
            match n.age {
                Some(age) => ages[place].push(age),
                None => without[place] += 1,
            }
        }
    }
    let seconds = f64::from(MEASURED) * 13.0 * 0.076_393_2;
    let sent = |i: usize| {
        let h = &world.hosts[i];
        ((h.tx_bytes - before[i].0) as f64 / seconds, (h.tx_datagrams - before[i].1) as f64 / seconds)
    };
    let is_relay = |i: &usize| world.hosts[*i].node.as_ref().is_some_and(|n| n.engine().is_relay());
    let inside = each * whole.min(zones);
    println!("{} nodes run, {} of them in {whole} whole zones, and stand for {}", world.hosts.len(), inside, each * zones);
    for (what, who) in [
        ("relays of whole zones", (0..inside).filter(is_relay).collect::<Vec<_>>()),
        ("others of whole zones", (0..inside).filter(|i| !is_relay(i)).collect()),
        ("relays that stand for a zone", (inside..world.hosts.len()).filter(is_relay).collect()),
    ] {
        if who.is_empty() {
            continue;
        }
        let n = who.len().max(1) as f64;
        let bytes: Vec<f64> = who.iter().map(|i| sent(*i).0).collect();
        let most = bytes.iter().copied().fold(0.0, f64::max);
        println!(
            "{} {what}: {:.2} kB/s sent each, {:.2} the most, {:.0} datagrams/s",
            who.len(),
            bytes.iter().sum::<f64>() / n / 1e3,
            most / 1e3,
            who.iter().map(|i| sent(*i).1).sum::<f64>() / n
        );
    }
    let node = world.hosts[0].node.as_ref().expect("it runs");
    let known = node.snapshot(world.local(0));
    println!(
        "a table holds {} nodes and {} zones; own rows every {:?}",
        known.nodes.len(),
        known.zones.len(),
        node.pace().period
    );
    for ((what, ages), without) in ["inside", "across"].iter().zip(&mut ages).zip(without) {
        ages.sort_unstable();
        if let Some(most) = ages.last() {
            let mean = ages.iter().map(Duration::as_secs_f64).sum::<f64>() / ages.len() as f64;
            println!(
                "ages {what}: mean {mean:.3}, p99 {:.3}, max {:.3} s; no row yet of {:.4} %",
                ages[ages.len() * 99 / 100].as_secs_f64(),
                most.as_secs_f64(),
                100.0 * f64::from(without) / (ages.len() as f64 + f64::from(without))
            );
        }
    }
    println!("clocks are {:?} apart at most", world.clock_spread());
    let [suspect, down, _] = world.told_since(peermon_model::Instant::ZERO);
    println!("told suspect {suspect}, down {down}");
    if std::env::var_os("COUNTERS").is_some() {
        let ignorant = (0..inside).filter(|i| {
            let node = world.hosts[*i].node.as_ref().expect("all run");
            let known = node.snapshot(world.local(*i));
            known.nodes.iter().filter(|n| n.record.zone == node.record().zone).count() < each
        });
        println!("{} nodes of whole zones do not know all of their own", ignorant.count());
        println!("each node, each second:");
        for (name, n) in counters(&world) {
            println!("{name}: {:.3}", (n - counted[name]) / world.hosts.len() as f64 / seconds);
        }
        let mut h = std::collections::BTreeMap::<(u64, String, bool), usize>::new();
        for (i, host) in world.hosts.iter().enumerate() {
            for (at, j, st) in &host.told {
                *h.entry((at.as_micros() / 500_000, format!("{st:?}"), i / each == j / each)).or_default() += 1;
            }
        }
        println!("{h:?}");
        let mut h = std::collections::BTreeMap::<Duration, usize>::new();
        for host in &world.hosts {
            *h.entry(host.node.as_ref().expect("all run").pace().period).or_default() += 1;
        }
        println!("{h:?}");
    }
}

/// All nodes' counters added up.
fn counters(world: &World) -> std::collections::BTreeMap<&'static str, f64> {
    let mut sum = std::collections::BTreeMap::new();
    for (name, value) in world.hosts.iter().filter_map(|h| h.node.as_ref()).flat_map(peermon_node::Node::counters) {
        *sum.entry(name).or_default() += value as f64;
    }
    sum
}

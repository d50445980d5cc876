//! As many real daemons as this machine bears, beside the simulator with as many nodes: how far it can be trusted.

use crate::table;
use anyhow::{Result, bail};
use peermon_bench::figures::{self, Figures};
use peermon_bench::fleet::{BETWEEN_DEATHS, Fleet, victims};
use peermon_bench::times::{Death, put_deaths};
use peermon_model::MemberState;
use peermon_sim::World;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// What happens in the first seconds of a cluster (learning trees, steering clocks) is not its steady state. The same in both.
const SETTLE: Duration = Duration::from_secs(30);
/// Until all simulated nodes know all.
const JOIN_MAX: Duration = Duration::from_secs(300);
/// How long a simulated death may take to be known.
const DEATH_MAX: Duration = Duration::from_secs(60);
/// Between two looks at the simulated world.
const LOOK: Duration = Duration::from_millis(10);
/// Nodes whose table is looked at, at each of 13 moments a second. Real daemons are asked one at a time.
const OBSERVERS: usize = 4;
/// A mean age over this, in seconds, means that the machine no longer keeps up: half a period and a little is the promise.
const AGE_BORNE: f64 = 1.0;

pub(crate) fn run(peermon: &Path, nodes: usize, length: Duration) -> Result<()> {
    let started = Instant::now();
    let mut fleet = Fleet::start(peermon, nodes)?;
    println!("{nodes} daemons see each other {:.1} s after the first was started", started.elapsed().as_secs_f64());
    std::thread::sleep(SETTLE);
    let real = fleet.figures(length)?;
    drop(fleet);
    let started = Instant::now();
    let simulated = simulate(nodes, length)?;
    println!("the simulator took {:.0} s for the same", started.elapsed().as_secs_f64());
    report(nodes, length, &real, &simulated);
    if real.value("age.mean").is_some_and(|age| age > AGE_BORNE) {
        println!("\nthis machine does not bear {nodes} daemons: what they know is too old; try fewer");
    }
    Ok(())
}

/// The same story in the simulator.
fn simulate(nodes: usize, length: Duration) -> Result<Figures> {
    let mut world = World::new(1);
    world.start_cluster(nodes);
    let mut figures = Figures::default();
    figures.put("joined", until(&mut world, JOIN_MAX, "all know all", World::all_know_all)?);
    world.run_for(SETTLE);

    let before = totals(&world);
    // The ages are looked at in the same time: here that costs the nodes nothing.
    let periods = u32::try_from(length.as_secs()).unwrap_or(u32::MAX);
    let start = world.now;
    let ages = world.measure_ages(periods, OBSERVERS);
    let after = totals(&world);
    let seconds = (world.now - start).as_secs_f64();
    let grew = |name: &str| {
        let total = |t: &BTreeMap<&str, u64>| t.get(name).copied().unwrap_or(0);
        total(&after).saturating_sub(total(&before)) as f64
    };
    let each = |name: &str| grew(name) / seconds / nodes as f64;
    figures.put("sent.bytes", each("gossip.tx.bytes"));
    figures.put("sent.packets", each("gossip.tx.datagrams"));
    figures.put("row.bytes", grew("gossip.rows.sent.bytes") / grew("gossip.rows.sent"));
    figures.put("redundancy", grew("gossip.rows.received") / grew("gossip.rows.new"));
    figures.put("age.mean", ages.mean());
    figures.put("age.p99", ages.quantile(0.99));
    figures.put("age.max", ages.max());

    let mut deaths = Vec::new();
    let mut left: Vec<usize> = (0..nodes).collect();
    for v in victims(nodes) {
        deaths.push(death(&mut world, left.remove(v))?);
        world.run_for(BETWEEN_DEATHS);
    }
    put_deaths(&mut figures, &deaths);
    Ok(figures)
}

fn death(world: &mut World, of: usize) -> Result<Death> {
    let others: Vec<usize> = world.running().filter(|i| *i != of).collect();
    let told: Vec<usize> = others.iter().map(|i| world.hosts[*i].told.len()).collect();
    let killed = world.now;
    world.crash(of);
    let first = |world: &World, state: MemberState| -> Vec<f64> {
        let when = |(i, from): (&usize, &usize)| {
            let news = world.hosts[*i].told.get(*from..)?.iter();
            news.filter(|(_, who, s)| *who == of && *s == state).map(|(at, ..)| (*at - killed).as_secs_f64()).next()
        };
        others.iter().zip(&told).filter_map(when).collect()
    };
    let all = |world: &World| first(world, MemberState::Down).len() == others.len();
    until(world, DEATH_MAX, "all know of a death", all)?;
    Ok(Death { suspected: first(world, MemberState::Suspect), down: first(world, MemberState::Down) })
}

/// Runs until `done`; how many seconds of the world that took.
fn until(world: &mut World, most: Duration, what: &str, done: impl Fn(&World) -> bool) -> Result<f64> {
    let start = world.now;
    while !done(world) {
        if world.now - start > most {
            bail!("in the simulator not within {} s: {what}", most.as_secs());
        }
        world.run_for(LOOK);
    }
    Ok((world.now - start).as_secs_f64())
}

/// All nodes' counters added up.
fn totals(world: &World) -> BTreeMap<&'static str, u64> {
    let mut sum = BTreeMap::new();
    for node in world.hosts.iter().filter_map(|h| h.node.as_ref()) {
        for (name, value) in node.counters() {
            *sum.entry(name).or_insert(0) += value;
        }
    }
    sum
}

fn report(nodes: usize, length: Duration, real: &Figures, simulated: &Figures) {
    println!(
        "\n{nodes} nodes, means per node over {} s (times of deaths: over a few nodes killed one by one):",
        length.as_secs()
    );
    let rows: Vec<Vec<String>> = figures::ALL
        .iter()
        .filter(|f| real.value(f.key).is_some() || simulated.value(f.key).is_some())
        .map(|f| {
            let ratio = real.value(f.key).zip(simulated.value(f.key)).filter(|(_, s)| *s > 0.0);
            let ratio = ratio.map_or("-".into(), |(r, s)| format!("{:.2}", r / s));
            vec![f.label.into(), real.show(f), simulated.show(f), ratio]
        })
        .collect();
    table::print(&["", "real", "simulated", "real / simulated"], &rows);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_simulator_has_every_figure_that_it_can_have() {
        let f = simulate(8, Duration::from_secs(2)).expect("a small world");
        let has_none = ["cpu", "memory", "resident", "wrong", "lost"];
        for figure in figures::ALL {
            assert_eq!(f.value(figure.key).is_none(), has_none.contains(&figure.key), "{}", figure.key);
        }
        let age = f.value("age.mean").expect("just seen");
        assert!((0.4..0.7).contains(&age), "{age}");
        let [first, all, worst] = ["suspect.first", "down.all", "down.worst"].map(|k| f.value(k).expect("just seen"));
        assert!(first < all && all <= worst, "{first} {all} {worst}");
    }
}

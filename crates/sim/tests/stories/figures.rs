//! Freshness and cost.

use crate::{cluster, counter, ms, s, told_down};
use peermon_model::MemberState::Alive;
use peermon_sim::World;

#[test]
fn five_machines_find_one_another_and_stay_fresh() {
    let mut world = cluster(1, 5);
    world.run_for(s(10));
    let ages = world.measure_ages(10, 5);
    assert!(ages.mean() < 0.53 && ages.quantile(0.99) < 1.05 && ages.max() < 1.3, "{ages:?}");
    assert_eq!(told_down(&world), 0);
    world.check_all();
}

/// A neighbour's first word on the pace put off the wave that was about to come: every joiner was a second late.
#[test]
fn the_first_wave_tells_everybody_values() {
    let mem = peermon_model::vitals::find("mem.available").expect("a vital").slot;
    for seed in 1..=8 {
        let mut world = World::new(seed);
        world.start_cluster(5);
        let told = |w: &World, i: usize| {
            let table = w.hosts[i].node.as_ref().expect("it runs").snapshot(w.local(i));
            table.nodes.iter().filter(|n| n.vitals.code(mem) != peermon_model::quantity::ABSENT).count() == w.hosts.len()
        };
        let took = world.run_until(ms(1_200), "all have all values", |w| w.running().all(|i| told(w, i)));
        println!("seed {seed}: all have all values after {took:?}");
    }
}

#[test]
fn a_narrow_path_is_found_out() {
    let mut world = World::new(19);
    world.network.payload_max = 1_200;
    world.start_cluster(40);
    world.run_until_all_know_all(s(30));
    world.run_for(s(30));
    assert_eq!(world.views_of(0), vec![Alive; 39]);
}

#[test]
fn two_hundred_nodes_meet_the_figures() {
    let mut world = World::new(21);
    world.start_cluster(200);
    world.run_until_all_know_all(s(10));
    world.run_for(s(60));
    let before: Vec<u64> = world.hosts.iter().map(|h| h.tx_bytes).collect();
    let ages = world.measure_ages(10, 20);
    let tx: Vec<f64> = world.hosts.iter().zip(&before).map(|(h, b)| (h.tx_bytes - b) as f64 / 10.0).collect();
    let mean = tx.iter().sum::<f64>() / 200.0;
    println!("200 nodes: age {:.3} / {:.3} / {:.3}, {mean:.0} B/s", ages.mean(), ages.quantile(0.99), ages.max());
    assert!(ages.mean() < 0.54 && ages.quantile(0.99) < 1.05 && ages.max() < 1.3, "{} {}", ages.mean(), ages.quantile(0.99));
    let busiest = tx.iter().copied().fold(0.0, f64::max) / mean;
    assert!(busiest < 1.5, "the busiest sends {busiest} times the mean");
    assert!(mean < 5_000.0, "{mean} B/s");
    assert_eq!(told_down(&world), 0);
    world.check_all();
}

/// With a period of 250 ms the first check for missing rows came while a wave was still on its way: one row in three was asked
/// for, came twice, and its tree with it.
#[test]
fn short_periods_ask_for_nothing_that_is_on_its_way() {
    let mut world = World::new(22);
    world.template.period = ms(250);
    world.template.budget = 0;
    world.start_cluster(150);
    world.run_until_all_know_all(s(10));
    world.run_for(s(10));
    let grafts = |w: &World| w.hosts.iter().filter_map(|h| h.node.as_ref()).map(|n| counter(n, "gossip.grafts")).sum::<u64>();
    let before = grafts(&world);
    let ages = world.measure_ages(20, 20);
    let asked = grafts(&world) - before;
    println!("every 250 ms: age {:.3} / {:.3} / {:.3}, {asked} rows asked for", ages.mean(), ages.quantile(0.99), ages.max());
    assert!(ages.mean() < 0.16 && ages.quantile(0.99) < 0.3, "{} {}", ages.mean(), ages.quantile(0.99));
    assert!(asked < 150, "{asked} of 450,000 rows asked for");
}

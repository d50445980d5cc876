//! What must hold of a cluster, told as stories. Every step is held against the reference model, and a story is a function
//! of its seed alone.

#![allow(clippy::print_stdout)] // what was measured, beside what is promised

use peermon_model::MemberState::{Alive, Down, Left, Suspect};
use peermon_node::Command;
use peermon_sim::World;
use peermon_trust::ClusterKey;
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

#[test]
fn five_machines_find_one_another_and_stay_fresh() {
    let mut world = cluster(1, 5);
    world.run_for(s(10));
    let ages = world.measure_ages(10, 5);
    assert!(ages.mean() < 0.53 && ages.quantile(0.99) < 1.05 && ages.max() < 1.3, "{ages:?}");
    assert_eq!(told_down(&world), 0);
    world.check_all();
}

#[test]
fn a_killed_machine_is_down_everywhere_within_two_waves_and_comes_back() {
    for (seed, n) in [(1, 2), (2, 3), (3, 5), (4, 30), (5, 100)] {
        let mut world = cluster(seed, n);
        world.run_for(s(4) + ms(137 * seed));
        world.crash(n - 1);
        let suspected = world.run_until(ms(1_500), "suspect", |w| w.views_of(n - 1).iter().all(|v| matches!(v, Suspect | Down)));
        let took = world.run_until(ms(2_600) - suspected, "down", |w| w.views_of(n - 1).iter().all(|v| *v == Down));
        assert_eq!(told_down(&world), n - 1, "nobody else is down");
        world.run_for(s(5));
        let seeds = vec![world.hosts[0].address];
        world.start(n - 1, seeds);
        let back = world.run_until_all_know_all(s(3));
        println!("{n} nodes: suspect after {suspected:?}, down after {:?}, back after {back:?}", suspected + took);
        let me = world.hosts[n - 1].node.as_ref().expect("it runs").id();
        let table = world.hosts[0].node.as_ref().expect("it runs").snapshot(world.local(0));
        assert_eq!(table.node(&me).expect("it is back").record.incarnation.0, 2);
    }
}

#[test]
fn leaving_is_known_at_once_and_is_not_dying() {
    let mut world = cluster(6, 20);
    world.run_for(s(3));
    world.leave(7);
    world.run_until(ms(200), "everybody knows it left", |w| w.views_of(7).iter().all(|v| *v == Left));
    world.run_for(s(10));
    assert_eq!((world.views_of(7), told_down(&world)), (vec![Left; 19], 0));
    let seeds = vec![world.hosts[3].address];
    world.start(7, seeds);
    world.run_until_all_know_all(s(3));
}

#[test]
fn a_seed_that_comes_late_is_enough() {
    let mut world = World::new(7);
    world.start_cluster(3);
    let late = world.hosts[0].address;
    world.crash(0);
    world.run_for(s(60));
    assert!(world.running().all(|i| world.views_of(i).is_empty()), "nobody knows anybody");
    world.start(0, vec![]);
    let took = world.run_until_all_know_all(s(15));
    println!("joined {took:?} after {late} came");
}

#[test]
fn a_cut_leaves_two_working_halves_and_heals() {
    for (seed, n) in [(8, 5), (9, 40)] {
        let mut world = cluster(seed, n);
        world.run_for(s(3));
        let (a, b): (Vec<usize>, Vec<usize>) = (0..n).partition(|i| i % 5 < 2);
        world.network.part(&a, &b);
        world.run_for(s(30));
        for i in 0..n {
            let table = world.hosts[i].node.as_ref().expect("it runs").snapshot(world.local(i));
            let mine = if a.contains(&i) { &a } else { &b };
            for j in 0..n {
                let entry = table.node(&world.hosts[j].id).expect("it was known");
                if mine.contains(&j) {
                    assert_eq!(entry.state, Alive, "{j} for {i}");
                    assert!(entry.age.expect("a row") < ms(1_300), "{j} for {i}: {:?}", entry.age);
                } else {
                    assert_eq!(entry.state, Down, "{j} for {i}");
                }
            }
        }
        world.network.cut.clear();
        let took = world.run_until_all_know_all(s(5));
        println!("{n} nodes: healed in {took:?}");
        world.run_for(s(5));
        assert!(world.measure_ages(5, n).quantile(0.99) < 1.1);
    }
}

#[test]
fn nobody_is_declared_down_for_loss() {
    for loss in [0.05, 0.2, 0.3] {
        let mut world = cluster(10, 60);
        world.run_for(s(5));
        world.network.loss = loss;
        world.network.duplicates = 0.02;
        world.run_for(s(60));
        let ages = world.measure_ages(20, 10);
        println!("loss {loss}: mean {:.3} p99 {:.3} max {:.3}", ages.mean(), ages.quantile(0.99), ages.max());
        assert_eq!(told_down(&world), 0, "at {loss} loss");
        assert!(ages.mean() < 0.60 && ages.quantile(0.99) < 1.25, "at {loss} loss: {} {}", ages.mean(), ages.quantile(0.99));
        world.check_all();
    }
}

#[test]
fn a_stopped_process_is_not_dead() {
    let mut world = cluster(11, 60);
    world.run_for(s(5));
    for _ in 0..60 {
        let i = world.rng.below(60);
        let length = ms(100 + world.rng.below(800) as u64);
        world.stop_for(i, length);
        world.run_for(ms(500));
    }
    assert_eq!(told_down(&world), 0);
    world.stop_for(5, s(20));
    world.run_until(s(4), "a long stop is a death", |w| w.views_of(5).iter().all(|v| *v == Down));
    world.run_for(s(20));
    world.run_until_all_know_all(s(3));
}

#[test]
fn a_mass_join_is_over_soon() {
    let mut world = cluster(12, 100);
    world.run_for(s(5));
    for i in 0..10 {
        let seed = world.hosts[i * 7].address;
        world.add_host(vec![seed]);
        world.run_for(ms(20));
    }
    let took = world.run_until_all_know_all(s(3));
    println!("10 more: {took:?}");
    assert_eq!(told_down(&world), 0);
}

#[test]
fn a_tenth_crashes_at_once() {
    let mut world = cluster(13, 100);
    world.run_for(s(10));
    for i in 0..10 {
        world.crash(i * 10 + 3);
    }
    world.run_until(ms(2_600), "all dead are known", |w| (0..10).all(|i| w.views_of(i * 10 + 3).iter().all(|v| *v == Down)));
    assert_eq!(told_down(&world), 900, "nobody else is down");
    let ages = world.measure_ages(5, 20);
    assert!(ages.quantile(0.99) < 1.3 && ages.max() < 2.5, "live rows stay fresh: {} {}", ages.quantile(0.99), ages.max());
}

#[test]
fn two_clusters_with_one_key_become_one() {
    let mut world = World::new(14);
    world.start_cluster(10);
    world.run_for(s(20));
    let first: Vec<usize> = (0..10).collect();
    // ten more that know nothing of the first ten
    let a = world.add_host(vec![]);
    let seed = world.hosts[a].address;
    let second: Vec<usize> = std::iter::once(a).chain((0..9).map(|_| world.add_host(vec![seed]))).collect();
    world.network.part(&first, &second);
    world.run_for(s(10));
    world.network.cut.clear();
    let other = world.hosts[0].address;
    world.command(a, Command::Contact(vec![other]));
    world.run_until_all_know_all(s(5));
    world.run_for(s(5));
    let ages = world.measure_ages(5, 20);
    assert!(ages.mean() < 0.55, "one clock: {}", ages.mean());
}

#[test]
fn another_key_is_another_cluster() {
    let mut world = cluster(15, 5);
    let seed = world.hosts[0].address;
    let stranger = world.add_host_of(ClusterKey::new([8; 32]), vec![seed]);
    world.run_for(s(10));
    assert_eq!(world.hosts[stranger].node.as_ref().expect("it runs").snapshot(world.local(stranger)).nodes.len(), 1);
    assert!(world.views_of(stranger).is_empty());
    let count = |i: usize, name: &str| {
        let all = world.hosts[i].node.as_ref().expect("it runs").counters();
        all.iter().find(|c| c.0 == name).map(|c| c.1)
    };
    assert!(count(0, "gossip.dropped.key").expect("it is counted") > 3);
}

#[test]
fn the_key_can_be_changed_while_all_goes_on() {
    let mut world = World::new(16);
    world.template.key_overlap = s(20);
    world.start_cluster(12);
    world.run_until_all_know_all(s(5));
    world.crash(11);
    world.run_for(s(5));
    world.command(4, Command::RotateKey(ClusterKey::new([42; 32])));
    world.run_until(s(5), "all send with the new key", |w| {
        w.running().all(|i| *w.hosts[i].node.as_ref().expect("it runs").keyring().sending_key() == ClusterKey::new([42; 32]))
    });
    // one that slept through it comes back with the old key, learns the new one, and the old one ends
    let seeds = vec![world.hosts[2].address];
    world.start(11, seeds);
    world.run_until_all_know_all(s(5));
    world.run_until(s(40), "the old key is gone", |w| {
        w.running().all(|i| w.hosts[i].node.as_ref().expect("it runs").keyring().iter().count() == 1)
    });
    world.run_for(s(5));
    assert!(world.all_know_all());
    assert!(world.measure_ages(5, 12).quantile(0.99) < 1.1);
    assert_eq!(world.hosts.iter().flat_map(|h| &h.told).filter(|t| t.2 == Down && t.1 != 11).count(), 0);
}

#[test]
fn a_listener_sees_all_and_is_not_seen() {
    let mut world = cluster(17, 30);
    world.template.listen_only = true;
    let seed = world.hosts[0].address;
    let listener = world.add_host(vec![seed]);
    world.run_until(s(5), "the listener knows all", |w| {
        let table = w.hosts[listener].node.as_ref().expect("it runs").snapshot(w.local(listener));
        table.nodes.iter().filter(|n| n.state == Alive && n.age.is_some()).count() == 30
    });
    world.run_for(s(20));
    let table = world.hosts[listener].node.as_ref().expect("it runs").snapshot(world.local(listener));
    assert_eq!(table.nodes.len(), 30);
    assert!(table.nodes.iter().all(|n| n.age.expect("a row") < ms(1_500)), "{:?}", table.nodes.iter().map(|n| n.age).max());
    assert!(world.views_of(listener).is_empty());
    world.crash(3);
    world.run_until(s(3), "the listener hears of deaths", |w| {
        let table = w.hosts[listener].node.as_ref().expect("it runs").snapshot(w.local(listener));
        table.node(&w.hosts[3].id).expect("known").state == Down
    });
}

#[test]
fn discovery_needs_no_seed() {
    let mut world = World::new(18);
    world.template.discovery = true;
    (0..6).for_each(|_| {
        world.add_host(vec![]);
    });
    world.run_until_all_know_all(s(60));
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
fn the_gone_are_hidden_and_later_forgotten() {
    let mut world = World::new(20);
    world.template.hide_after = s(20);
    world.template.remove_after = s(60);
    world.start_cluster(6);
    world.run_until_all_know_all(s(5));
    world.crash(5);
    let entry = |w: &World| {
        let table = w.hosts[0].node.as_ref().expect("it runs").snapshot(w.local(0));
        table.node(&w.hosts[5].id).map(|n| (n.state, n.hidden))
    };
    world.run_for(s(5));
    assert_eq!(entry(&world), Some((Down, false)));
    world.run_for(s(25));
    assert_eq!(entry(&world), Some((Down, true)));
    world.run_for(s(60));
    assert_eq!(entry(&world), None);
    let seeds = vec![world.hosts[1].address];
    world.start(5, seeds);
    world.run_until_all_know_all(s(5));
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

//! Keys, and whoever has none.

use crate::{cluster, ms, s, told_down};
use peermon_model::Instant;
use peermon_model::MemberState::{Alive, Down};
use peermon_node::Command;
use peermon_sim::World;
use peermon_trust::ClusterKey;

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

/// Garbage, datagrams cut, altered, replayed and reflected: ten times what a node gets otherwise.
#[test]
fn hostile_datagrams_change_nothing() {
    let mut world = cluster(60, 30);
    world.run_for(s(5));
    world.set_attack(Some(3_000.0));
    world.run_for(s(10));
    let sent = |w: &World| w.hosts.iter().map(|h| h.tx_bytes).sum::<u64>();
    let before = sent(&world);
    let ages = world.measure_ages(20, 30);
    let rate = (sent(&world) - before) as f64 / 20.0 / 30.0;
    let attack = world.attack();
    println!("{attack:?}; age {:.3} / {:.3} / {:.3}, {rate:.0} B/s sent", ages.mean(), ages.quantile(0.99), ages.max());
    assert!([attack.garbage, attack.cut, attack.flipped, attack.replayed, attack.reflected].iter().all(|n| *n > 5_000));
    assert_eq!(world.told_since(Instant::ZERO), [0; 3], "nobody is thought ill of");
    assert!(ages.mean() < 0.53 && ages.quantile(0.99) < 1.05 && ages.max() < 1.2, "{} {}", ages.mean(), ages.max());
    assert!(rate < 2_500.0, "they make nobody send much: {rate} B/s");
    let table = world.hosts[0].node.as_ref().expect("it runs").snapshot(world.local(0));
    assert_eq!(table.nodes.len(), 30);
    world.check_all();
}

#[test]
fn a_key_is_changed_while_a_twentieth_is_lost() {
    let mut world = World::new(61);
    world.template.key_overlap = s(10);
    world.start_cluster(40);
    world.run_until_all_know_all(s(5));
    world.network.loss = 0.05;
    world.run_for(s(5));
    for round in 1..=3u8 {
        world.command(usize::from(round) * 9, Command::RotateKey(ClusterKey::new([100 + round; 32])));
        let took = world.run_until(s(10), "all send with the new key and hold no other", |w| {
            w.running().all(|i| {
                let keyring = w.hosts[i].node.as_ref().expect("it runs").keyring();
                *keyring.sending_key() == ClusterKey::new([100 + round; 32])
            })
        });
        world.run_until(s(30), "the old key is gone", |w| {
            w.running().all(|i| w.hosts[i].node.as_ref().expect("it runs").keyring().iter().count() == 1)
        });
        println!("round {round}: all send with the new key after {took:?}");
    }
    assert!(world.all_know_all());
    assert_eq!(told_down(&world), 0);
    let ages = world.measure_ages(5, 40);
    assert!(ages.quantile(0.99) < 1.15 && ages.max() < ms(1_600).as_secs_f64(), "{} {}", ages.quantile(0.99), ages.max());
}

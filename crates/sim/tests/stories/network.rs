//! What a network can do.

use crate::{cluster, ms, s, told_down, told_suspect};
use peermon_model::Instant;
use peermon_model::MemberState::{Alive, Down};
use peermon_sim::{Burst, DropReason, Line, Scope, World};

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

/// Many have more silent neighbours than others then, but somebody else accuses those too.
#[test]
fn half_of_a_cluster_that_is_cut_off_is_missed_soon() {
    let n = 200;
    let mut world = cluster(60, n);
    for (part, least) in [(2, 0.85), (3, 0.7), (5, 0.4)] {
        // links that were only for joining have ended
        world.run_for(s(25));
        let is_there = |i: usize| i.is_multiple_of(part);
        let (a, b): (Vec<usize>, Vec<usize>) = (0..n).partition(|i| is_there(*i));
        let clock = world.hosts[0].node.as_ref().expect("it runs").engine().cluster_time(world.local(0));
        world.run_for(ms((1_050 - clock.0 / 1_000 % 1_000) % 1_000));
        let at = world.now;
        world.network.part(&a, &b);
        let missed = |w: &World| {
            let told = w.hosts.iter().enumerate().flat_map(|(by, h)| h.told.iter().map(move |t| (by, t)));
            let down = told.filter(|(_, t)| t.0 >= at && t.2 == Down);
            down.fold((0, 0), |n, (by, t)| if is_there(by) == is_there(t.1) { (n.0 + 1, n.1) } else { (n.0, n.1 + 1) })
        };
        world.run_for(ms(2_500));
        let (_, early) = missed(&world);
        world.run_for(ms(4_500));
        let (own, others) = missed(&world);
        let all = 2 * a.len() * b.len();
        println!("1/{part} cut off: of {all} down after 2.5 s {early}, after 7 s {others}; and {own} of the own side");
        assert!(early as f64 > least * all as f64 && others == all);
        // in a small part many have nobody left to hear of their own side from, until they have looked around
        let own_all = a.len().min(b.len()).pow(2);
        assert!(if part < 5 { own == 0 } else { own < own_all / 20 }, "without looking around nine tenths of a fifth");
        world.network.cut.clear();
        world.run_until_all_know_all(s(5));
    }
}

/// Rows that are late and not lost were asked for all the same, each several times, and came as often.
#[test]
fn what_is_only_late_is_hardly_asked_for() {
    let mut world = cluster(77, 100);
    world.run_for(s(5));
    world.network.common.latency_more = ms(60);
    world.run_for(s(30));
    let rows = |w: &World| {
        let all = w.hosts.iter().filter_map(|h| h.node.as_ref()).map(|n| *n.engine().counters());
        all.fold((0, 0), |sum, c| (sum.0 + c.rows_received, sum.1 + c.rows_new))
    };
    let before = rows(&world);
    let ages = world.measure_ages(10, 10);
    let after = rows(&world);
    let redundancy = (after.0 - before.0) as f64 / (after.1 - before.1) as f64;
    println!("rows received per new one: {redundancy:.2}; age {:.3} s, p99 {:.3}", ages.mean(), ages.quantile(0.99));
    assert!(redundancy < 1.5, "with the fault 2.7");
    assert!(ages.quantile(0.99) < 1.6 && world.told_since(Instant::ZERO) == [0; 3]);
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
fn nobody_is_declared_down_for_losses_that_come_together() {
    // one way at a time is bad for 0.1 s a second; all of a host's ways for 0.1 s every 5 s
    let pair = Burst { good: ms(900), bad: ms(100), loss_good: 0.01, loss_bad: 0.9, scope: Scope::Pair };
    let host = Burst { good: ms(4_900), bad: ms(100), loss_good: 0.0, loss_bad: 1.0, scope: Scope::Host };
    for burst in [pair, host] {
        let mut world = cluster(30, 50);
        world.run_for(s(3));
        world.network.burst = Some(burst);
        world.run_for(s(60));
        let ages = world.measure_ages(10, 10);
        println!(
            "{:?} {:.1} %: age {:.3} / {:.3} / {:.3}, {} told suspect",
            burst.scope,
            100.0 * burst.mean_loss(),
            ages.mean(),
            ages.quantile(0.99),
            ages.max(),
            told_suspect(&world)
        );
        assert!(world.network.drops.of(DropReason::Burst) > 1_000);
        assert_eq!(told_down(&world), 0, "{burst:?}");
        assert!(ages.mean() < 0.58 && ages.quantile(0.99) < 1.3, "{} {}", ages.mean(), ages.quantile(0.99));
    }
}

/// Who hears nothing still speaks: what the cluster says of it, it says once, and nobody else is blamed.
#[test]
fn a_deaf_node_is_no_trouble_for_others() {
    one_way(31, "deaf", |w| w.network.deaf = [7].into());
}

/// Who is not heard is down, once and for all.
#[test]
fn a_mute_node_is_down_and_stays_so() {
    let views = one_way(32, "mute", |w| w.network.mute = [7].into());
    assert_eq!(views, vec![Down; 29]);
}

/// Makes host 7 of 30 one-way for a minute: how the others see it at the end.
fn one_way(seed: u64, what: &str, change: impl Fn(&mut World)) -> Vec<peermon_model::MemberState> {
    let mut world = cluster(seed, 30);
    world.run_for(s(5));
    let begun = world.now;
    change(&mut world);
    world.run_for(s(60));
    let views = world.views_of(7);
    let told = |of_it: bool| {
        let others = world.hosts.iter().enumerate().filter(|(i, _)| *i != 7);
        let told = others.flat_map(|(_, h)| &h.told).filter(|t| t.0 >= begun && (t.1 == 7) == of_it);
        told.fold((0, 0), |(all, down), t| (all + 1, down + usize::from(t.2 == Down)))
    };
    let (of_it, of_others) = (told(true), told(false));
    println!("{what}: seen as {:?}; told of it {of_it:?}, of others {of_others:?} (all, down)", views[0]);
    assert!(views.iter().all(|v| *v == views[0]), "all say the same: {views:?}");
    assert_eq!(of_others.1, 0, "nobody else is down");
    // suspect, down: no more than that from each, or it flaps
    assert!(of_it.0 <= 29 * 3, "it flaps: told {} times", of_it.0);
    world.network.mend();
    world.run_until_all_know_all(s(65));
    views
}

#[test]
fn one_link_that_carries_one_way_only_harms_nobody() {
    let mut world = cluster(33, 40);
    world.run_for(s(5));
    for i in 0..10 {
        world.network.cut.insert((i, 39 - i));
        // one of the few links that there are, too
        world.network.cut.insert((2 * i, (2 * i + 1) % 40));
    }
    world.run_for(s(60));
    let ages = world.measure_ages(5, 40);
    assert_eq!(told_down(&world), 0);
    assert!(ages.quantile(0.99) < 1.3, "{}", ages.quantile(0.99));
}

#[test]
fn order_does_not_matter() {
    let mut world = cluster(34, 50);
    (world.network.reorder, world.network.reorder_by) = (0.2, ms(20));
    world.run_for(s(30));
    let ages = world.measure_ages(10, 10);
    println!("reordered: {:.3} / {:.3} / {:.3}", ages.mean(), ages.quantile(0.99), ages.max());
    assert_eq!((told_down(&world), told_suspect(&world)), (0, 0));
    assert!(ages.mean() < 0.56 && ages.quantile(0.99) < 1.1, "{} {}", ages.mean(), ages.quantile(0.99));
}

#[test]
fn a_narrow_line_is_enough() {
    // a fifth of a second waits before it at most
    let line = Line { rate: 64e3, queue: 12_800 };
    let mut world = cluster(35, 100);
    world.run_for(s(5));
    world.network.set_line(42, Some(line));
    // who joins through one gets the whole table through it
    world.network.set_line(100, Some(line));
    let seed = world.hosts[3].address;
    world.add_host(vec![seed]);
    let took = world.run_until_all_know_all(s(20));
    world.run_for(s(15));
    let (before, dropped) = ([42, 100].map(|i: usize| world.hosts[i].rx_bytes), world.network.drops.of(DropReason::LineFull));
    let ages = world.measure_ages(10, 101);
    let [old, new] = [(42, before[0]), (100, before[1])].map(|(i, b): (usize, u64)| (world.hosts[i].rx_bytes - b) as f64 / 10.0);
    println!(
        "64 kB/s: joined in {took:?}, {dropped} dropped; {old:.0} and {new:.0} B/s in; age {:.3} / {:.3}",
        ages.mean(),
        ages.quantile(0.99)
    );
    assert_eq!(told_down(&world), 0);
    assert_eq!(world.network.drops.of(DropReason::LineFull), dropped, "they have their share");
    assert!(ages.mean() < 0.56 && ages.quantile(0.99) < 1.1, "{} {}", ages.mean(), ages.quantile(0.99));
}

#[test]
fn three_sites_are_one_cluster() {
    let mut world = World::new(36);
    (0..60).for_each(|i| world.network.place(i, i % 3));
    world.network.set_distance(0, 1, ms(10));
    world.network.set_distance(0, 2, ms(40));
    world.network.set_distance(1, 2, ms(40));
    world.start_cluster(60);
    world.run_until_all_know_all(s(10));
    world.run_for(s(30));
    let ages = world.measure_ages(10, 20);
    println!(
        "three sites: {:.3} / {:.3} / {:.3}, clocks {:?}",
        ages.mean(),
        ages.quantile(0.99),
        ages.max(),
        world.clock_spread()
    );
    assert_eq!((told_down(&world), told_suspect(&world)), (0, 0));
    assert!(ages.mean() < 0.7 && ages.quantile(0.99) < 1.3, "{} {}", ages.mean(), ages.quantile(0.99));
}

#[test]
fn a_network_that_loses_a_fifth_makes_nobody_useless() {
    let mut world = World::new(11);
    world.start_cluster(80);
    world.run_until_all_know_all(s(20));
    world.run_for(s(20));
    world.network.loss = 0.2;
    let (mut said, mut avoided) = (0, 0);
    for _ in 0..60 {
        world.run_for(s(1));
        let nodes = || world.hosts.iter().filter_map(|h| h.node.as_ref());
        said += nodes().filter(|n| n.record().notices.iter().any(|n| n.topic.starts_with("health."))).count();
        avoided += nodes().map(|n| n.sees().1 - n.sees().0).sum::<usize>();
    }
    let (said, avoided) = (f64::from(said as u32) / 60.0, f64::from(avoided as u32) / 60.0 / 80.0);
    println!("{said:.2} of 80 nodes say that something is wrong with them, each avoids {avoided:.1} others");
    assert!(said < 1.0 && avoided < 8.0);
}

//! What a node may spend decides how often all publish.

#![allow(clippy::print_stdout)] // what was measured, beside what is promised

use peermon_model::MemberState;
use peermon_model::vitals::{self, Vitals};
use peermon_sim::{Workload, World};
use std::time::Duration;

const fn s(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Bytes a second that the nodes send on average over so many seconds.
fn spent(w: &mut World, seconds: u64) -> f64 {
    let total = |w: &World| w.hosts.iter().map(|h| h.tx_bytes).sum::<u64>();
    let before = total(w);
    w.run_for(s(seconds));
    (total(w) - before) as f64 / seconds as f64 / w.running().count() as f64
}

fn periods(w: &World) -> Vec<Duration> {
    w.running().map(|i| w.hosts[i].node.as_ref().expect("it runs").pace().period).collect()
}

#[test]
fn the_period_follows_the_budget_and_the_size() {
    let (n, budget) = (120, 1_000);
    let mut w = World::new(31);
    w.template.budget = budget;
    w.start_cluster(n);
    w.run_until_all_know_all(s(10));
    w.run_until(s(120), "all publish every 4 s", |w| periods(w).iter().all(|p| *p == s(4)));
    w.run_for(s(60));
    let notes = |w: &World, name: &str| {
        let of = |n: &peermon_node::Node| n.counters().into_iter().find(|c| c.0 == name).expect("there is such a counter").1;
        w.hosts.iter().filter_map(|h| h.node.as_ref()).map(of).sum::<u64>()
    };
    let before = ["gossip.rows.out_of_turn", "gossip.rows.note_waited"].map(|c| notes(&w, c));
    let bytes = spent(&mut w, 64);
    let after = ["gossip.rows.out_of_turn", "gossip.rows.note_waited"].map(|c| notes(&w, c));
    println!("out of turn {}, waited {}", after[0] - before[0], after[1] - before[1]);
    assert!(after[0] > before[0] && after[1] > before[1], "some of the rows of note fit the budget: {before:?} {after:?}");
    let pace = w.hosts[7].node.as_ref().expect("it runs").pace();
    println!("{n} nodes, budget {budget} B/s: {pace:?}, {bytes:.0} B/s sent");
    assert!(bytes < f64::from(budget), "{bytes} B/s sent");
    let ages = {
        w.template.period = s(4);
        w.measure_ages(6, n)
    };
    let promised = (pace.age_mean.as_secs_f64(), pace.age_most.as_secs_f64());
    println!("ages: mean {:.2}, p99 {:.2} s; promised {promised:?}", ages.mean(), ages.quantile(0.99));
    assert!(ages.mean() < promised.0 + 0.05 && ages.quantile(0.99) < promised.1 + 0.05, "{ages:?}");
    // most nodes leave: the others may publish more often again
    for i in 20..n {
        w.leave(i);
        // who leaves passes on what the others have just said
        w.run_for(Duration::from_millis(100));
    }
    w.run_until(s(200), "the rest publish more often", |w| periods(w).iter().all(|p| *p < s(4)));
    w.run_for(s(60));
    let bytes = spent(&mut w, 64);
    println!("20 nodes: {bytes:.0} B/s sent, every {:?}", periods(&w)[0]);
    assert!(bytes < f64::from(budget));
    let blamed = w.hosts.iter().flat_map(|h| &h.told).filter(|t| matches!(t.2, MemberState::Suspect | MemberState::Down)).count();
    assert_eq!(blamed, 0, "nobody is suspected because of another period");
    w.check_all();
}

#[test]
fn a_joiner_takes_the_period_of_its_neighbours() {
    let mut w = World::new(32);
    w.template.budget = 600;
    w.start_cluster(60);
    w.run_until(s(120), "all publish every 4 s", |w| periods(w).iter().all(|p| *p == s(4)));
    w.run_for(s(5));
    let seeds = vec![w.hosts[3].address];
    let new = w.add_host(seeds);
    w.run_until(s(5), "the joiner too", |w| w.hosts[new].node.as_ref().expect("it runs").pace().period == s(4));
}

#[test]
fn what_matters_does_not_wait_for_its_turn() {
    let mut w = World::new(33);
    w.template.budget = 600;
    w.start_cluster(30);
    let seeds = vec![w.hosts[0].address];
    // one machine is calm; of the others the restless ones send more out of turn than there is room for
    w.workload = Workload::Only("idle");
    let calm = w.add_host(seeds.clone());
    w.workload = Workload::Mixed;
    for _ in 0..29 {
        w.add_host(seeds.clone());
    }
    w.run_until(s(120), "all publish every 4 s", |w| periods(w).iter().all(|p| *p == s(4)));
    w.run_for(s(21));
    let busy = vitals::find("cpu.busy").expect("a vital").slot;
    let seen = |w: &World, j: usize| {
        let table = w.hosts[j].node.as_ref().expect("it runs").snapshot(w.local(j));
        table.node(&w.hosts[calm].id).expect("it is known").vitals.code(busy)
    };
    let was = seen(&w, calm);
    let now_busy = if was > 100 { 2 } else { 198 };
    let mut row = Vitals::default();
    row.put(busy, now_busy);
    let now = w.local(calm);
    w.hosts[calm].node.as_mut().expect("it runs").handle_row(now, &row);
    // lets the world carry what it has to say
    w.command(calm, peermon_node::Command::Contact(Vec::new()));
    let took = w.run_until(s(1), "all see it", |w| w.running().all(|j| seen(w, j) == now_busy));
    println!("seen everywhere after {took:?}");
    assert!(took < Duration::from_millis(200));
}

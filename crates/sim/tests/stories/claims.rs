//! Claims: many choose at once, and do not all run to one machine.

use crate::{cluster, counter, ms, s};
use peermon_model::{Amounts, Instant, NodeId, Snapshot};
use peermon_placement::{Claims, Query, Requirements, Sight, crowd, rank};
use peermon_sim::{Rng, World};
use std::collections::BTreeMap;
use std::time::Duration;

/// What each job takes, of machines of 16 processors and 64 GB.
const JOB: Amounts = Amounts { cpus: 4.0, mem: 4e9, gpus: 0.0 };

fn table(world: &World, i: usize) -> (Snapshot, Instant) {
    let now = world.local(i);
    (world.hosts[i].node.as_ref().expect("it runs").snapshot(now), now)
}

fn best(snapshot: &Snapshot, now: Instant, seed: u64, claims: bool) -> NodeId {
    let query = Query::default();
    let ranking = if claims {
        let claims = Claims::of(snapshot, now);
        let any = Requirements::default().compile(snapshot).expect("nothing is asked for");
        Sight::new(snapshot, now).with_claims(&claims).rank(&query, &any, seed)
    } else {
        rank(snapshot, &query, now, seed)
    };
    snapshot.nodes[ranking.best[0].index].record.id
}

/// Each host chooses one node, all within `over`; how many jobs each node that was chosen has, the most first.
fn choosers(world: &mut World, over: Duration, claims: bool) -> Vec<usize> {
    let n = world.hosts.len();
    let mut rng = Rng::new(9);
    let mut when: Vec<(Duration, usize)> = (0..n).map(|i| (over.mul_f64(rng.unit()), i)).collect();
    when.sort_unstable();
    let (start, mut jobs) = (world.now, BTreeMap::<NodeId, usize>::new());
    for (at, i) in when {
        let left = (start + at) - world.now;
        world.run_for(left);
        let (snapshot, now) = table(world, i);
        let node = best(&snapshot, now, rng.bits(), claims);
        *jobs.entry(node).or_default() += 1;
        if claims {
            world.act(i, |n, now| n.claim(now, &[node], &JOB, s(60))).expect("it runs").expect("a claim");
        }
    }
    let mut jobs: Vec<usize> = jobs.into_values().collect();
    jobs.sort_unstable_by(|a, b| b.cmp(a));
    jobs
}

#[test]
fn fifty_choosers_spread() {
    let check = |loss: f64, over: Duration, most_with: usize| {
        let run = |claims: bool| {
            let mut world = cluster(11, 50);
            world.network.common.loss = loss;
            world.run_for(s(30));
            choosers(&mut world, over, claims)
        };
        let (without, with) = (run(false), run(true));
        let say = |jobs: &[usize]| format!("{:2} on one at most, {:2} nodes used", jobs[0], jobs.len());
        println!("loss {loss:.2}, within {over:?}: without claims {}; with claims {}", say(&without), say(&with));
        assert!(with[0] <= most_with && with[0] <= without[0] && with.len() >= without.len(), "{without:?} {with:?}");
        (without, with)
    };
    // at one moment nobody can know of the others: the lot spreads them over those that count as equal
    check(0.0, Duration::ZERO, 50);
    for loss in [0.0, 0.05] {
        let (without, with) = check(loss, s(1), 4);
        assert!(with[0] * 2 <= without[0], "{without:?} {with:?}");
    }
}

/// Each host chooses one node, all at the same instant, as the daemon does it: by a bid first. How many jobs each node that was chosen
/// has, the most first.
fn bidders(world: &mut World) -> Vec<usize> {
    let n = world.hosts.len();
    let mut rng = Rng::new(9);
    let mut jobs = BTreeMap::<NodeId, usize>::new();
    let mut bids = vec![Vec::new(); n];
    for settle in [false, true] {
        for (i, bid) in bids.iter_mut().enumerate() {
            let (snapshot, now) = table(world, i);
            let any = Requirements::default().compile(&snapshot).expect("nothing is asked for");
            let choose = |claims: &Claims, n: usize, seed: u64| -> Vec<NodeId> {
                let sight = Sight::new(&snapshot, now).with_claims(claims);
                let best = sight.rank(&Query { n, ..Query::default() }, &any, seed).best;
                best.iter().map(|c| snapshot.nodes[c.index].record.id).collect()
            };
            let found = crowd::expect(&snapshot, now, bid, rng.bits(), choose);
            let node = choose(&found.claims, 1, found.seed);
            if settle {
                *jobs.entry(node[0]).or_default() += 1;
            }
            let lasts = if settle { s(60) } else { crowd::BID };
            let former = std::mem::take(bid);
            let made = world.act(i, |n, now| n.replace_claims(now, &former, &node, &JOB, lasts));
            *bid = made.expect("it runs").expect("a claim");
        }
        world.run_for(crowd::WAIT);
    }
    let mut jobs: Vec<usize> = jobs.into_values().collect();
    jobs.sort_unstable_by(|a, b| b.cmp(a));
    jobs
}

#[test]
fn fifty_who_choose_at_one_instant_spread_by_bids() {
    for (loss, nodes_least, most) in [(0.0, 48, 2), (0.05, 40, 3)] {
        let mut world = cluster(11, 50);
        world.network.common.loss = loss;
        world.run_for(s(30));
        let jobs = bidders(&mut world);
        println!("loss {loss:.2}: {} on one at most, {} nodes used", jobs[0], jobs.len());
        assert!(jobs[0] <= most && jobs.len() >= nodes_least, "{jobs:?}");
    }
}

/// Bytes sent and claims told by all nodes in five seconds, in each of which one claims or nobody does; and how long the slowest
/// claim took to be everywhere.
fn five_seconds(n: usize, loss: f64, claims: bool) -> (u64, u64, Duration) {
    let mut world = cluster(12, n);
    world.network.common.loss = loss;
    world.run_for(s(8));
    let sum = |w: &World| {
        let nodes = w.hosts.iter().filter_map(|h| h.node.as_ref());
        nodes.fold((0, 0), |(b, k), n| (b + counter(n, "gossip.tx.bytes"), k + counter(n, "gossip.claims.sent")))
    };
    let (before, start, mut longest) = (sum(&world), world.now, Duration::ZERO);
    for k in 0..5 {
        // not while a wave passes
        world.run_for(ms(500));
        if claims {
            let (by, of) = (k * 7, world.hosts[k * 7 + 1].id);
            world.act(by, |n, now| n.claim(now, &[of], &JOB, s(60))).expect("it runs").expect("a claim");
            let all = |w: &World| w.running().all(|i| table(w, i).0.claims.len() == k + 1);
            longest = longest.max(world.run_until(s(1), "seen everywhere", all));
        }
        let left = (start + s(k as u64 + 1)) - world.now;
        world.run_for(left);
    }
    let after = sum(&world);
    (after.0 - before.0, after.1 - before.1, longest)
}

#[test]
fn claims_reach_all_soon_and_cost_little() {
    for (n, loss) in [(50, 0.0), (50, 0.05), (200, 0.0)] {
        let ((quiet, _, _), (bytes, told, longest)) = (five_seconds(n, loss, false), five_seconds(n, loss, true));
        let each = |sum: u64| sum as f64 / (5 * n) as f64;
        let (told, bytes) = (each(told), each(bytes.saturating_sub(quiet)));
        println!(
            "{n} nodes, loss {loss}: seen by all within {longest:?}; each claim told {told:.2} times and {bytes:.0} bytes by each node"
        );
        assert!(longest < ms(if loss > 0.0 { 300 } else { 80 }), "{longest:?}");
        // of two runs with loss, each loses other packets
        assert!(bytes < if loss > 0.0 { 1_000.0 } else { 600.0 } && told < if n > 50 { 4.0 } else { 3.0 });
    }
}

#[test]
fn claims_cross_zones_as_far_as_their_nodes_do() {
    let mut world = World::new(13);
    for (name, n) in [("a", 8), ("b", 8), ("c", 8)] {
        world.start_zone(name, n);
    }
    world.run_until_all_know_all(s(10));
    world.run_for(s(5));
    // one of a node here, one of a node there
    for of in [3, 20] {
        let id = world.hosts[of].id;
        world.act(2, |n, now| n.claim(now, &[id], &JOB, s(60))).expect("it runs").expect("a claim");
    }
    let all = |w: &World, n: usize| w.running().all(|i| table(w, i).0.claims.len() == n);
    let took = world.run_until(s(1), "seen in all zones", |w| all(w, 2));
    println!("seen in all zones after {took:?}");
    world.act(2, |n, now| n.cancel_claim(now, 1)).expect("it runs").expect("cancelled");
    world.run_until(s(1), "cancelled in all zones", |w| all(w, 1));
    // who comes later is told, in whichever zone
    let newcomer = world.start_zone("b", 1).start;
    world.run_until(s(10), "told to the newcomer", |w| table(w, newcomer).0.claims.len() == 1);
}

#[test]
fn both_sides_of_a_cut_learn_of_each_others_claims() {
    let mut world = cluster(14, 12);
    world.run_for(s(3));
    let (left, right): (Vec<usize>, Vec<usize>) = ((0..6).collect(), (6..12).collect());
    world.network.part(&left, &right);
    world.run_for(s(10));
    for (by, of) in [(1, 2), (7, 8)] {
        let id = world.hosts[of].id;
        world.act(by, |n, now| n.claim(now, &[id], &JOB, s(300))).expect("it runs").expect("a claim");
    }
    world.run_for(s(2));
    assert!(world.running().all(|i| table(&world, i).0.claims.len() == 1));
    world.network.mend();
    world.run_until(s(60), "both sides know both", |w| w.running().all(|i| table(w, i).0.claims.len() == 2));
}

//! Many who choose at the same moment.

use super::*;
use crate::crowd::{BID, WAIT, expect};
use crate::{Claims, Sight, Wanted};
use peermon_model::{Amounts, ClaimEntry};

const JOB: Amounts = Amounts { cpus: 4.0, mem: 4.0 * GB, gpus: 0.0 };

/// A claim of node `of` by node `by`.
fn claim(by: u8, number: u16, of: u8, age: Duration, lasts: Duration) -> ClaimEntry {
    ClaimEntry { by: Some(NodeId([by; 32])), number, node: NodeId([of; 32]), amounts: JOB, age, lasts }
}

/// What node `me` with a bid of such numbers takes, `n` nodes.
fn takes(table: &Snapshot, me: u8, mine: &[u16], n: usize) -> Vec<NodeId> {
    let table = Snapshot { me: NodeId([me; 32]), ..table.clone() };
    let choose = |claims: &Claims, n: usize, seed: u64| -> Vec<NodeId> {
        let sight = Sight::new(&table, TAKEN).with_claims(claims);
        let best = sight.rank(&Query { n, together: n > 1, ..Query::default() }, &Wanted::default(), seed).best;
        best.iter().map(|c| table.nodes[c.index].record.id).collect()
    };
    let found = expect(&table, TAKEN, mine, 77 + u64::from(me), choose);
    choose(&found.claims, n, found.seed)
}

/// All nodes bid for the same ones, so many each; how many jobs each node has in the end.
fn after_bids(machines: &[Machine], n: usize, age: impl Fn(u8) -> Duration) -> Vec<usize> {
    let mut table = table(machines);
    let all = 0..machines.len() as u8;
    for by in all.clone() {
        table.claims.extend((0..n as u8).map(|of| claim(by, 5 + u16::from(of), of, age(by), BID)));
    }
    let mine: Vec<u16> = (5..5 + n as u16).collect();
    let taken: Vec<NodeId> = all.clone().flat_map(|me| takes(&table, me, &mine, n)).collect();
    all.map(|i| taken.iter().filter(|t| **t == NodeId([i; 32])).count()).collect()
}

#[test]
fn all_who_bid_at_once_spread_as_if_they_came_one_after_another() {
    let same = vec![machine(0.0, 16.0, 64.0 * GB); 12];
    let at_once = |_| WAIT;
    let in_turn = |by: u8| WAIT.saturating_sub(Duration::from_millis(u64::from(by) * 3));
    assert_eq!(after_bids(&same, 1, at_once), [1; 12]);
    assert_eq!(after_bids(&same, 1, in_turn), [1; 12]);
    assert_eq!(after_bids(&same, 4, at_once), [4; 12]);
    // Large nodes take more.
    let mut mixed = vec![machine(0.0, 8.0, 64.0 * GB); 12];
    mixed[0] = machine(0.0, 64.0, 64.0 * GB);
    let jobs = after_bids(&mixed, 1, at_once);
    assert!(jobs[0] >= 2 && jobs.iter().all(|n| *n <= jobs[0]), "{jobs:?}");
}

#[test]
fn who_bid_first_keeps_what_it_bid_for() {
    // Node 0 is by far the best, and everybody bids for it.
    let mut machines = vec![machine(2.0, 4.0, 32.0 * GB); 6];
    machines[0] = machine(0.0, 4.0, 64.0 * GB);
    let mut table = table(&machines);
    for by in 1..6 {
        table.claims.push(claim(by, 9, 0, WAIT + Duration::from_millis(u64::from(by)), BID));
    }
    let got: Vec<bool> = (1..6).map(|me| takes(&table, me, &[9], 1) == [NodeId([0; 32])]).collect();
    assert_eq!(got, [false, false, false, false, true]);
    // Whoever has no bid yet comes after all of them.
    assert_ne!(takes(&table, 0, &[], 1), [NodeId([0; 32])]);
    // Not after bids that are over, and not after those that are for something else: these count where they stand.
    table.claims.iter_mut().for_each(|c| c.age = BID);
    assert_eq!(takes(&table, 0, &[], 1), [NodeId([0; 32])]);
    table.claims.iter_mut().for_each(|c| (c.age, c.node) = (WAIT, NodeId([99; 32])));
    assert_eq!(takes(&table, 0, &[], 1), [NodeId([0; 32])]);
    // A claim is one, however young.
    table.claims = vec![claim(3, 1, 0, Duration::ZERO, Duration::from_secs(60))];
    assert_ne!(takes(&table, 0, &[], 1), [NodeId([0; 32])]);
}

#[test]
fn a_bid_is_one_makers_claims_of_one_moment() {
    let free = vec![machine(0.0, 16.0, 64.0 * GB); 6];
    // Two bids of two nodes that came to the table at once, through one daemon: each takes two.
    let mut table = table(&free);
    for (number, of) in [(7, 0), (8, 1), (9, 0), (10, 1)] {
        table.claims.push(claim(3, number, of, WAIT, BID));
    }
    let (first, second) = (takes(&table, 3, &[7, 8], 2), takes(&table, 3, &[9, 10], 2));
    assert!(first.iter().all(|n| !second.contains(n)), "{first:?} {second:?}");
    let third = takes(&table, 5, &[], 2);
    assert!(third.iter().all(|n| !first.contains(n) && !second.contains(n)), "{third:?}");
}

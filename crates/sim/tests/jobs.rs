//! Choosing machines helps, and the ways of choosing stand in the order they should. Fixed seeds: a failure is a change of code.

use peermon_placement::By;
use peermon_sim::jobs::{Chooser, Decay, Kind, Outcome, Scenario};

const CLAIMS: Chooser = Chooser::Ranked { by: By::Both, claims: Some(Decay::Daemon), needs: false, bids: true };

/// Twenty minutes of jobs for 30 % of 50 nodes' cores, on two clusters.
fn stream(chooser: Chooser) -> Outcome {
    let mut all = Outcome::default();
    for seed in 1..=2 {
        let scenario = Scenario { offered: 0.3, warm_up: 600.0, seconds: 1_200.0, ..Scenario::stream(50, seed) };
        all.join(scenario.run(chooser));
    }
    all
}

fn bursts(window: f64, chooser: Chooser) -> Outcome {
    let scenario = Scenario { warm_up: 600.0, seconds: 3_600.0, ..Scenario::bursts(50, 50, window, 5) };
    scenario.run(chooser)
}

/// The second is slower by so much at least.
#[track_caller]
fn slower(kind: Option<Kind>, fast: &Outcome, slow: &Outcome, by: f64) {
    let (fast, slow) = (fast.mean(kind), slow.mean(kind));
    assert!(slow > fast * by, "{kind:?}: {slow:.3} is not {by} times {fast:.3}");
}

#[test]
fn oracle_then_claims_then_both_then_random() {
    let [oracle, claims, both, random] = [Chooser::Oracle, CLAIMS, Chooser::by(By::Both), Chooser::Random].map(stream);
    assert!(oracle.done.len() > 500 && oracle.done.len() == random.done.len());
    assert!(oracle.done.iter().all(|d| d.slow_down > 0.999), "nobody is faster than on an empty machine");
    slower(None, &oracle, &claims, 1.0);
    slower(None, &claims, &both, 1.0);
    for kind in Kind::ALL {
        slower(Some(kind), &oracle, &both, 1.0);
    }
    slower(Some(Kind::Memory), &both, &random, 4.62);
    slower(Some(Kind::Cpu), &both, &random, 2.0);
    slower(Some(Kind::Parallel), &both, &random, 1.83);
    // The rest of the way to the oracle is short.
    assert!(claims.mean(None) < 1.1 * oracle.mean(None), "{} {}", claims.mean(None), oracle.mean(None));
}

#[test]
fn both_is_better_than_either() {
    let [both, cpu, mem] = [By::Both, By::Cpu, By::Mem].map(|by| stream(Chooser::by(by)));
    slower(None, &both, &cpu, 1.3);
    slower(None, &both, &mem, 1.3);
}

#[test]
fn a_crowd_spreads_by_lot_and_by_claims_better() {
    let near = |kind, window, chooser, limit: f64| {
        let (ours, ideal) = (bursts(window, chooser).mean(Some(kind)), bursts(window, Chooser::Oracle).mean(Some(kind)));
        assert!(ours < limit * ideal, "{kind:?} within {window} s: {ours:.3} beside {ideal:.3}");
    };
    near(Kind::Memory, 0.0, Chooser::by(By::Both), 1.1);
    near(Kind::Cpu, 0.0, Chooser::by(By::Both), 1.1);
    near(Kind::Memory, 2.0, CLAIMS, 1.05);
    near(Kind::Cpu, 2.0, CLAIMS, 1.05);
    // Whether all begin at one moment, while others wait for bids, or after most have claimed.
    for window in [0.0, 0.1, 2.0] {
        // Without bids it is 2.5 at one moment; over ten clusters 1.12.
        near(Kind::Parallel, window, CLAIMS, 1.15);
    }
    let [with, without] = [CLAIMS, Chooser::by(By::Both)].map(|c| bursts(2.0, c));
    slower(Some(Kind::Parallel), &with, &without, 1.2);
    // The most on one node says little where nodes have 4 to 64 processors: 10.5 and 9.5 here.
    slower(Some(Kind::Cpu), &with, &without, 1.0);
}

#[test]
fn a_run_is_a_function_of_its_seed() {
    let run = |seed, chooser| Scenario { warm_up: 60.0, seconds: 300.0, ..Scenario::stream(50, seed) }.run(chooser);
    assert_eq!(run(7, CLAIMS), run(7, CLAIMS));
    assert_ne!(run(7, CLAIMS), run(8, CLAIMS));
}

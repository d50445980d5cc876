//! The cluster clock, inside the run: no machine's rate is right, and no time of day is known.

use crate::{cluster, ms, s, told_suspect};
use std::time::Duration;

/// The widest spread over some time.
fn spread(world: &mut peermon_sim::World, over: Duration) -> Duration {
    let end = world.now + over;
    let mut widest = Duration::ZERO;
    while world.now < end {
        world.run_for(ms(170));
        widest = widest.max(world.clock_spread());
    }
    widest
}

#[test]
fn clocks_agree_while_each_drifts() {
    // quartz; the worst quartz, where ten seeds gave 2.6 to 5.4 ms; at 20 % loss
    for (seed, ppm, loss, most) in [(50, 50.0, 0.0, ms(2)), (51, 200.0, 0.0, ms(7)), (52, 50.0, 0.2, ms(4))] {
        let mut world = cluster(seed, 60);
        for i in 0..60 {
            let rate = ppm * (2.0 * world.rng.unit() - 1.0);
            world.set_drift(i, rate);
        }
        world.network.loss = loss;
        world.run_for(s(20));
        let widest = spread(&mut world, s(40));
        println!("drift up to {ppm} ppm, loss {loss}: clocks within {widest:?}");
        assert!(widest < most, "{widest:?}");
    }
}

#[test]
fn a_clock_whose_rate_changes_is_followed() {
    let mut world = cluster(53, 40);
    world.run_for(s(10));
    for i in [3, 17, 30] {
        world.set_drift(i, 200.0);
    }
    world.run_for(s(10));
    for i in [3, 17, 30] {
        world.set_drift(i, -200.0);
    }
    let widest = spread(&mut world, s(30));
    println!("rates that change by 400 ppm: clocks within {widest:?}");
    assert!(widest < ms(3), "{widest:?}");
    assert_eq!(told_suspect(&world), 0);
}

/// Half of the ways take 20 ms longer in one direction, which no measurement of round trips can tell. What clocks differ by
/// then is bounded by half of that, and they do not run away.
#[test]
fn unequal_ways_bend_clocks_by_half_their_difference() {
    let mut world = cluster(54, 40);
    for from in 0..40 {
        for to in 0..from {
            if (from + to) % 2 == 0 {
                world.network.path(from, to).latency = ms(20);
            }
        }
    }
    world.run_for(s(30));
    let widest = spread(&mut world, s(60));
    println!("ways that differ by 20 ms: clocks within {widest:?}");
    assert!(widest < ms(40), "{widest:?}");
    assert_eq!(told_suspect(&world), 0);
}

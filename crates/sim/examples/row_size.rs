//! Prints how large rows are under each recorded load: `cargo run --release -p peermon-sim --example row_size [-- NODES]`.
//!
//! First what 100 simulated nodes (or so many) send, by their own counters. Then, of each series alone: what changes, what
//! dead-bands hold back, and what other dead-bands and another order of slots would make of it. The second part repeats the
//! publishing rule and the layout of a row in a few lines, and holds the former against a real node first.
#![allow(clippy::print_stdout)]

use peermon_model::quantity::ABSENT;
use peermon_model::vitals::{SLOTS, VITALS};
use peermon_model::{Incarnation, Instant};
use peermon_node::{Config, Event, Identity, Node};
use peermon_sim::{Series, Workload, World};
use peermon_trust::{ClusterKey, Keyring, NodeKey};
use std::collections::BTreeMap;
use std::time::Duration;

/// Periods the simulated cluster runs before counting, and while counting (about once through a series).
const WARM_UP: u32 = 60;
const PERIODS: u32 = 150;
/// Times through a series, so that where it begins anew counts little.
const ROUNDS: usize = 4;
/// As in `peermon-gossip`.
const KEYFRAMES: Keyframes = Each(16);
/// When a vital is sent that moved less than its dead-band.
#[derive(Clone, Copy)]
enum Keyframes {
    /// So many periods after it was last sent: what `peermon-gossip` does.
    Each(u32),
    /// Every so many periods, all vitals together.
    Together(u32),
    Never,
}
use Keyframes::{Each, Never, Together};
/// Slots in the head byte, and in it and the first extension.
const HEAD: usize = 6;
const FIRST: usize = 12;
const SECOND: usize = 19;

type Codes = [u8; SLOTS];
/// By slot: code steps that a vital must move.
type Bands = [u8; SLOTS];
/// By slot: the place in the row.
type Order = [usize; SLOTS];

fn main() {
    let nodes = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(100);
    let bands = present_bands();
    let order: Order = std::array::from_fn(|i| i);
    for s in Series::all() {
        assert_eq!(thin(&codes(s), &bands, KEYFRAMES), published(s), "{}: this tool's rule is not the node's", s.name);
    }

    println!("load           wire B/row  entry B/row  fields/s  unchanged  | without bands: B/row  fields/s | costs most");
    for s in Series::all() {
        let name: &'static str = &s.name;
        line(name, wire(nodes, Workload::Only(name)), &[(s, 1.0)], &bands, &order);
    }
    let mix = mix();
    line("mixed", wire(nodes, Workload::Mixed), &mix, &bands, &order);

    println!("\nchanges in 100 s, mixed, by dead-band (the present one in brackets), without keyframes");
    println!("vital               1      2      3      4      5      6      8     10");
    for v in VITALS {
        let i = v.slot.index();
        let each = [1, 2, 3, 4, 5, 6, 8, 10].map(|band| {
            let mut other = bands;
            other[i] = band;
            let mark = if band == v.dead_band { ['[', ']'] } else { [' ', ' '] };
            format!("{}{:4.1}{}", mark[0], 100.0 * rates(&mix, &other, Never)[i], mark[1])
        });
        println!("{:17} {}", v.attribute.name, each.join(" "));
    }

    println!("\nentry B/row, mixed, by keyframes");
    for (what, keyframes) in [
        ("each after 16", Each(16)),
        ("each after 32", Each(32)),
        ("each after 64", Each(64)),
        ("all every 16", Together(16)),
        ("all every 32", Together(32)),
        ("none", Never),
    ] {
        println!("{what:15} {:.2}", mean(&mix, &bands, keyframes, &order));
    }

    let better = best_order(&mix, &bands, order);
    println!(
        "\nbetter order: {:.2} instead of {:.2} entry B/row",
        mean(&mix, &bands, KEYFRAMES, &better),
        mean(&mix, &bands, KEYFRAMES, &order)
    );
    let rates = rates(&mix, &bands, KEYFRAMES);
    for (what, places) in [("head", 0..HEAD), ("first extension", HEAD..FIRST), ("second extension", FIRST..SECOND)] {
        let mut there: Vec<_> = VITALS.iter().filter(|v| places.contains(&better[v.slot.index()])).collect();
        there.sort_by(|a, b| rates[b.slot.index()].total_cmp(&rates[a.slot.index()]));
        let each: Vec<_> = there.iter().map(|v| format!("{} {:.3}", v.attribute.name, rates[v.slot.index()])).collect();
        println!("{what}: {}", each.join(", "));
    }
}

/// One line of the first table.
fn line(name: &str, wire: f64, of: &[(&Series, f64)], bands: &Bands, order: &Order) {
    let (now, bare) = (rates(of, bands, KEYFRAMES), rates(of, &[1; SLOTS], Never));
    let unchanged = over(of, |s| share(&masks(&thin(&codes(s), bands, KEYFRAMES)), |m| if *m == 0 { 1.0 } else { 0.0 }));
    let mut most: Vec<_> = VITALS.iter().map(|v| (now[v.slot.index()], &*v.attribute.name)).collect();
    most.sort_by(|a, b| b.0.total_cmp(&a.0));
    let most: Vec<_> = most.iter().take(3).map(|(r, n)| format!("{n} {r:.2}")).collect();
    println!(
        "{name:14} {wire:10.2} {:12.2} {:9.2} {:9.0}%  | {:20.2} {:9.2} | {}",
        mean(of, bands, KEYFRAMES, order),
        now.iter().sum::<f64>(),
        100.0 * unchanged,
        mean(of, &[1; SLOTS], Never, order),
        bare.iter().sum::<f64>(),
        most.join(", ")
    );
}

/// Bytes of a row among so many nodes, by their counters: with the base version of each datagram, without other headers.
fn wire(nodes: usize, workload: Workload) -> f64 {
    let mut world = World::new(1);
    world.workload = workload;
    world.start_cluster(nodes);
    world.run_until_all_know_all(Duration::from_secs(60));
    let period = world.template.period;
    world.run_for(period * WARM_UP);
    let before = totals(&world);
    world.run_for(period * PERIODS);
    let after = totals(&world);
    let grew = |name| (after.get(name).unwrap_or(&0) - before.get(name).unwrap_or(&0)) as f64;
    grew("gossip.rows.sent.bytes") / grew("gossip.rows.sent")
}

/// All nodes' counters added up.
fn totals(world: &World) -> BTreeMap<&'static str, u64> {
    let mut sum = BTreeMap::new();
    for (name, value) in world.hosts.iter().filter_map(|h| h.node.as_ref()).flat_map(Node::counters) {
        *sum.entry(name).or_insert(0) += value;
    }
    sum
}

/// The recorded loads as [`Workload::Mixed`] weighs them.
fn mix() -> Vec<(&'static Series, f64)> {
    let weight =
        |s: &Series| if ["idle", "interactive"].contains(&&*s.name) { 0.25 } else { 0.5 / (Series::all().len() - 2) as f64 };
    Series::all().iter().map(|s| (s, weight(s))).collect()
}

fn present_bands() -> Bands {
    let mut bands = [1; SLOTS];
    VITALS.iter().for_each(|v| bands[v.slot.index()] = v.dead_band);
    bands
}

fn codes(s: &Series) -> Vec<Codes> {
    s.rows.iter().cycle().take(ROUNDS * s.rows.len()).map(|r| *r.codes()).collect()
}

/// The codes that a node tells, second by second.
fn published(s: &Series) -> Vec<Codes> {
    let identity = Identity { key: NodeKey::from_seed(&[1; 32]), incarnation: Incarnation(1) };
    let config = Config::named("alone".parse().expect("a name"));
    let mut node = Node::new(config, identity, Keyring::new(1, ClusterKey::new([2; 32])), [3; 32], Instant::ZERO);
    let mut told = Vec::new();
    for i in 0..ROUNDS * s.rows.len() {
        let now = next_sample(&mut node);
        node.handle_row(now, &s.rows[i % s.rows.len()]);
        told.push(*node.engine().rows().next().expect("its own").2.codes());
    }
    told
}

/// Runs a node that is alone until it asks for a sample.
fn next_sample(node: &mut Node) -> Instant {
    loop {
        let now = node.deadline();
        node.handle_timeout(now);
        if std::iter::from_fn(|| node.poll_event()).any(|e| e == Event::SampleDue) {
            return now;
        }
    }
}

/// The same by the rule: what moved by its dead-band is told, and by its keyframes what differs at all.
fn thin(measured: &[Codes], bands: &Bands, keyframes: Keyframes) -> Vec<Codes> {
    let (mut told, mut since) = ([ABSENT; SLOTS], [0; SLOTS]);
    let next = |(second, row): (usize, &Codes)| {
        for i in 0..SLOTS {
            let (was, is) = (told[i], row[i]);
            let moved = if was == ABSENT || is == ABSENT { was != is } else { was.abs_diff(is) >= bands[i] };
            since[i] += 1;
            let due = match keyframes {
                Each(n) => since[i] >= n,
                Together(n) => (second + 1) % n as usize == 0,
                Never => false,
            };
            if moved || (due && was != is) {
                (told[i], since[i]) = (is, 0);
            }
        }
        told
    };
    measured.iter().enumerate().map(next).collect()
}

/// By second: bit `i` is set if slot `i` changed.
fn masks(told: &[Codes]) -> Vec<u32> {
    let mask = |pair: &[Codes]| (0..SLOTS).filter(|i| pair[0][*i] != pair[1][*i]).fold(0, |m, i| m | 1 << i);
    told.windows(2).map(mask).collect()
}

/// Bytes of a row with these changes: the gap, the head, extensions, the fields.
fn entry(mask: u32, order: &Order) -> f64 {
    let last = (0..SLOTS).filter(|i| mask >> i & 1 == 1).map(|i| order[i]).max().unwrap_or(0);
    let extensions = [HEAD, FIRST, SECOND].iter().filter(|first| last >= **first).count();
    f64::from(2 + mask.count_ones()) + extensions as f64
}

fn share<T>(list: &[T], f: impl Fn(&T) -> f64) -> f64 {
    list.iter().map(f).sum::<f64>() / list.len() as f64
}

fn over(of: &[(&Series, f64)], f: impl Fn(&Series) -> f64) -> f64 {
    of.iter().map(|(s, weight)| weight * f(s)).sum()
}

/// By slot: changes told a second.
fn rates(of: &[(&Series, f64)], bands: &Bands, keyframes: Keyframes) -> [f64; SLOTS] {
    let mut all = [0.0; SLOTS];
    for (s, weight) in of {
        let masks = masks(&thin(&codes(s), bands, keyframes));
        for (i, rate) in all.iter_mut().enumerate() {
            *rate += weight * share(&masks, |m| f64::from(m >> i & 1));
        }
    }
    all
}

/// Bytes of a row's entry, on average.
fn mean(of: &[(&Series, f64)], bands: &Bands, keyframes: Keyframes, order: &Order) -> f64 {
    over(of, |s| share(&masks(&thin(&codes(s), bands, keyframes)), |m| entry(*m, order)))
}

/// Swaps places of the built-in vitals as long as that makes rows smaller.
fn best_order(of: &[(&Series, f64)], bands: &Bands, mut order: Order) -> Order {
    let masks: Vec<(Vec<u32>, f64)> = of.iter().map(|(s, w)| (masks(&thin(&codes(s), bands, KEYFRAMES)), *w)).collect();
    let cost = |order: &Order| masks.iter().map(|(m, w)| w * share(m, |m| entry(*m, order))).sum::<f64>();
    let mut best = cost(&order);
    loop {
        let before = best;
        for (a, b) in (0..SECOND).flat_map(|a| (0..a).map(move |b| (a, b))) {
            order.swap(a, b);
            let now = cost(&order);
            if now < best - 1e-9 {
                best = now;
            } else {
                order.swap(a, b);
            }
        }
        if best == before {
            return order;
        }
    }
}

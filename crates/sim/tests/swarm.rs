//! Random worlds from seeds: whatever happened, once it is over all tables are the same and fresh, and at no moment did a table
//! tell something that was never true.
//!
//! By itself it tries all seeds that failed once, and new ones for about a minute in all: they follow from the date, so that every
//! day tries others. `SWARM=1000..2000 cargo nextest run -p peermon-sim --test swarm` tries exactly those; each world is a
//! function of its seed alone, so a failure prints the line that replays it. A single seed tells its whole story.

#![allow(clippy::print_stdout)] // what was tried, and the line that replays it

use peermon_model::MemberState;
use peermon_node::Command;
use peermon_sim::{Burst, Line, Rng, Scope, World};
use peermon_trust::ClusterKey;
use std::ops::Range;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Seeds that failed once.
const FAILED_ONCE: &[u64] = &[
    4,
    21,
    129,
    200,
    2_077_900_030,
    2_077_900_068,
    2_077_900_127,
    2_077_900_322,
    2_077_900_457,
    2_077_901_189,
    2_077_900_105,
    2_077_900_141,
    2_077_900_148,
    2_077_900_196,
    2_077_900_226,
    2_077_900_531,
    2_077_900_843,
    2_077_901_034,
    2_077_901_120,
    2_077_901_944,
    2_077_902_147,
    2_078_000_015,
    2_080_000_090,
    2_081_001_439,
];
/// The same of worlds of zones.
const ZONES_FAILED_ONCE: &[u64] = &[
    1_123,
    1_195,
    1_279,
    1_319,
    1_371,
    1_393,
    1_455,
    1_538,
    1_665,
    1_761,
    1_777,
    2_077_900_096,
    2_077_900_197,
    2_078_000_065,
    2_082_001_872,
];
/// For how long new seeds are begun.
const NEW_SEEDS: Duration = Duration::from_secs(30);
/// New seeds of one day, far more than a minute tries.
const SEEDS_OF_A_DAY: u64 = 100_000;
/// Failures after which no further seed is begun.
const FAILURES_MAX: usize = 10;

/// The seeds that `SWARM` names, to be tried all.
fn asked() -> Option<Range<u64>> {
    let range = std::env::var("SWARM").ok()?;
    let (from, to) = range.split_once("..").expect("SWARM is FROM..TO");
    let number = |s: &str| s.parse().expect("SWARM is FROM..TO");
    Some(number(from)..number(to))
}

/// The seeds that `SWARM` names, or else those that failed once, and today's.
fn try_all(test: &str, failed_once: &[u64], zoned: bool) {
    if let Some(seeds) = asked() {
        return search(test, &[], seeds, Duration::MAX, zoned);
    }
    let day = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs() / 86_400);
    search(test, failed_once, day * SEEDS_OF_A_DAY..(day + 1) * SEEDS_OF_A_DAY, NEW_SEEDS, zoned);
}

#[test]
fn every_world_ends_well() {
    try_all("every_world", FAILED_ONCE, false);
}

/// The same, of nodes in zones.
#[test]
fn worlds_of_zones_end_well() {
    try_all("worlds_of_zones", ZONES_FAILED_ONCE, true);
}

/// Tries seeds: those in `old` in any case, those in `new` as long as there is time.
fn search(test: &str, old: &[u64], new: Range<u64>, time: Duration, zoned: bool) {
    let tells = new.end - new.start == 1;
    let begun = Instant::now();
    let next = Mutex::new(old.iter().copied().chain(new.clone()).enumerate());
    let failed = Mutex::new(Vec::new());
    let work = || {
        loop {
            if failed.lock().expect("no panic here").len() >= FAILURES_MAX {
                return;
            }
            let (n, seed) = match next.lock().expect("no panic here").next() {
                Some((n, seed)) if n < old.len() || begun.elapsed() < time => (n, seed),
                _ => return,
            };
            // a thread of its own, whose name stands before its panic
            let world = std::thread::Builder::new().name(format!("seed {seed}")).spawn(move || world(seed, zoned, tells));
            if world.expect("a thread").join().is_err() {
                println!("world {n} failed: SWARM={seed}..{} cargo nextest run -p peermon-sim --test swarm {test}", seed + 1);
                failed.lock().expect("no panic here").push(seed);
            }
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|s| (0..cores).for_each(|_| drop(s.spawn(work))));
    let (n, _) = next.lock().expect("no panic here").next().unwrap_or((old.len() + (new.end - new.start) as usize, 0));
    println!("{n} worlds: {} that failed once, new ones from {} on", old.len(), new.start);
    let failed = failed.into_inner().expect("no panic here");
    assert!(failed.is_empty(), "these failed: {failed:?}");
}

/// One world: disturbed for a while, then left in peace.
fn world(seed: u64, zoned: bool, tells: bool) {
    let mut w = World::new(seed);
    // chance of its own: worlds without zones stay as they are
    let mut zoning = Rng::new(!seed);
    let zones = if zoned { 2 + zoning.below(4) } else { 1 };
    let mut plot = Plot { gone: Vec::new(), rotated: 0, tells, zones, zoning };
    w.template.key_overlap = Duration::from_secs(3600);
    let n = 2 + w.rng.below(24);
    plot.start_cluster(&mut w, n);
    if w.rng.chance(0.15) {
        // a second cluster, which a host of the first one hears of later
        let n = 1 + w.rng.below(8);
        plot.start_cluster(&mut w, n);
    }
    if w.rng.chance(0.2) {
        (0..n).for_each(|i| w.network.place(i, i % 3));
        w.network.set_distance(0, 1, Duration::from_millis(20));
        w.network.set_distance(1, 2, Duration::from_millis(80));
    }
    for _ in 0..(5 + w.rng.below(25)) {
        plot.disturb(&mut w);
        let pause = Duration::from_millis(w.rng.below(4_000) as u64);
        w.run_for(pause);
    }
    plot.end(&mut w);
}

/// What has been done to a world.
struct Plot {
    gone: Vec<usize>,
    rotated: usize,
    tells: bool,
    /// Among how many zones nodes are spread.
    zones: usize,
    zoning: Rng,
}

/// How soon all know all once all is well: a process may still have to wake up, seeds are asked every 10 s at the latest, and
/// members that are down once a minute.
const PEACE: Duration = Duration::from_secs(100);
/// The same where two halves may have made keys of their own: which one the other holds is found by trying.
const PEACE_BETWEEN_KEYS: Duration = Duration::from_secs(600);
/// New keys of one world: a keyring holds four, and who was away comes back with the first.
const ROTATIONS_MAX: usize = 3;

impl Plot {
    fn start_cluster(&mut self, w: &mut World, n: usize) {
        let first = w.hosts.len();
        for i in first..first + n {
            self.choose_zone(w);
            let seeds = if i == first { vec![] } else { vec![w.hosts[first].address] };
            w.add_host(seeds);
        }
        self.tell(w, || format!("{:?}", w.hosts.iter().map(|h| h.zone.as_str()).collect::<Vec<_>>()));
    }

    /// The zone of the next ones that are added.
    fn choose_zone(&mut self, w: &mut World) {
        if self.zones > 1 {
            w.template.zone = format!("zone-{}", self.zoning.below(self.zones)).parse().expect("a name");
        }
    }

    fn tell(&self, w: &World, what: impl FnOnce() -> String) {
        if self.tells {
            println!("{:>9.3} s, {} of {} running: {}", w.now.as_secs_f64(), w.running().count(), w.hosts.len(), what());
        }
    }

    fn disturb(&mut self, w: &mut World) {
        let running: Vec<usize> = w.running().collect();
        let any = |w: &mut World| running[w.rng.below(running.len())];
        let pick = w.rng.below(22);
        let done = match pick {
            0 | 1 if running.len() > 1 => {
                let i = any(w);
                w.crash(i);
                self.gone.push(i);
                format!("{i} crashes")
            }
            2 | 3 if !self.gone.is_empty() => {
                let i = self.gone.swap_remove(w.rng.below(self.gone.len()));
                let seeds = some_seed(w);
                let what = format!("{i} starts with {seeds:?}");
                w.start(i, seeds);
                what
            }
            4 => {
                let (i, ms) = (any(w), w.rng.below(3_000) as u64);
                w.stop_for(i, Duration::from_millis(ms));
                format!("{i} stops for {ms} ms")
            }
            5 => {
                let (i, ms) = (any(w), w.rng.below(40_000) as u64);
                w.suspend_for(i, Duration::from_millis(ms));
                format!("{i} sleeps for {ms} ms")
            }
            6 => {
                let all = w.hosts.len();
                let (a, b): (Vec<usize>, Vec<usize>) = (0..all).partition(|_| w.rng.chance(0.5));
                w.network.part(&a, &b);
                format!("{a:?} are cut from {b:?}")
            }
            7 => {
                let pair = (w.rng.below(w.hosts.len()), w.rng.below(w.hosts.len()));
                w.network.cut.insert(pair);
                format!("{pair:?} are cut")
            }
            8 => {
                let i = any(w);
                let (to, what) = if w.rng.chance(0.5) { (&mut w.network.deaf, "deaf") } else { (&mut w.network.mute, "mute") };
                to.insert(i);
                format!("{i} is {what}")
            }
            9 | 10 => {
                w.network.mend();
                "the network is mended".into()
            }
            11 => {
                w.network.loss = [0.0, 0.05, 0.2, 0.5][w.rng.below(4)];
                w.network.duplicates = [0.0, 0.1][w.rng.below(2)];
                w.network.reorder = [0.0, 0.1][w.rng.below(2)];
                w.network.hiccups = [0.003, 0.05][w.rng.below(2)];
                format!("{:?}", w.network.common)
            }
            12 => {
                let scope = [Scope::Pair, Scope::Host][w.rng.below(2)];
                let bad = Duration::from_millis([20, 100, 500][w.rng.below(3)]);
                w.network.burst = Some(Burst { good: bad * 9, bad, loss_good: 0.0, loss_bad: 0.9, scope });
                format!("{:?}", w.network.burst)
            }
            13 => {
                let (from, to) = (any(w), any(w));
                let path = w.network.path(from, to);
                (path.latency, path.loss) = (Duration::from_millis(60), 0.2);
                format!("a long way from {from} to {to}")
            }
            14 => {
                let i = any(w);
                w.network.set_line(i, Some(Line { rate: 16e3, queue: 3_200 }));
                format!("a narrow line for {i}")
            }
            15 => {
                let (i, ppm) = (any(w), 400.0 * w.rng.unit() - 200.0);
                w.set_drift(i, ppm);
                format!("{i}'s clock is {ppm:.0} ppm fast")
            }
            16 if w.hosts.len() < 40 => {
                let (n, via) = (1 + w.rng.below(10), any(w));
                self.choose_zone(w);
                format!("{:?} join by {via}", w.mass_join(n, via))
            }
            17 if running.len() > 1 => {
                let i = any(w);
                w.leave(i);
                self.gone.push(i);
                format!("{i} leaves")
            }
            18 if running.len() > 2 => {
                let hosts = [any(w), any(w)];
                w.rolling_restart(hosts, Duration::from_millis(50), Duration::from_millis(300));
                format!("{hosts:?} are restarted")
            }
            19 if self.rotated < ROTATIONS_MAX && w.rng.chance(0.5) => {
                let i = any(w);
                self.rotated += 1;
                let key = loop {
                    let key = ClusterKey::new([w.rng.bits() as u8; 32]);
                    // ids have one byte: two keys of one id, made in two halves of a cut, would not become one
                    if w.hosts.iter().filter_map(|h| h.node.as_ref()).all(|n| n.keyring().key(key.id()).is_none()) {
                        break key;
                    }
                };
                w.command(i, Command::RotateKey(key));
                format!("{i} makes a new key")
            }
            20 => {
                let rate = [None, Some(5.0), Some(100.0)][w.rng.below(3)];
                w.set_attack(rate);
                format!("hostile datagrams: {rate:?} a second")
            }
            21 => {
                let (i, to) = (any(w), any(w));
                let address = w.hosts[to].address;
                w.command(i, Command::Contact(vec![address]));
                format!("{i} is told of {to}")
            }
            _ => return,
        };
        self.tell(w, || done);
    }

    fn end(self, w: &mut World) {
        w.network.mend();
        w.set_attack(None);
        (0..w.hosts.len()).for_each(|i| w.go_on(i));
        for i in self.gone.clone() {
            let seeds = some_seed(w);
            w.start(i, seeds);
        }
        // of two clusters, or of nodes that started when nobody else ran, nobody knows anything
        let addresses: Vec<_> = w.hosts.iter().map(|h| h.address).collect();
        w.command(0, Command::Contact(addresses));
        self.tell(w, || "all is well again".into());
        let took = w.run_until_all_know_all(if self.rotated > 0 { PEACE_BETWEEN_KEYS } else { PEACE });
        self.tell(w, || format!("all know all after {took:?}"));
        // how often rows of another zone come is counted over some seconds, of which none should be bad ones any more
        w.run_for(Duration::from_secs(if self.zones > 1 { 12 } else { 5 }));
        assert!(w.all_know_all(), "it stays so");
        if self.tells {
            // what the check of ages below will see
            for _ in 0..30 {
                w.run_for(Duration::from_millis(100));
                self.tell(w, || w.oldest());
            }
        }
        let running = w.running().count();
        let ages = w.measure_ages(3, running);
        // rows of another zone are asked for when they should have come by what came of it lately
        let most = if self.zones > 1 { 2.5 } else { 1.5 };
        assert!(ages.max() < most, "fresh again: {}", ages.max());
        // clocks that differ by less than a step are brought together by 5 ms a second
        w.run_until(Duration::from_secs(30), "clocks agree", |w| w.clock_spread() < Duration::from_millis(10));
        let wrong = w.running().flat_map(|i| w.views_of(i)).filter(|s| *s != MemberState::Alive).count();
        assert_eq!(wrong, 0);
        w.check_all();
    }
}

fn some_seed(w: &mut World) -> Vec<std::net::SocketAddr> {
    let running: Vec<usize> = w.running().collect();
    // when nobody else runs there is nobody to ask
    let picks = if running.is_empty() { 0 } else { 2 };
    (0..picks).map(|_| w.hosts[running[w.rng.below(running.len())]].address).collect()
}

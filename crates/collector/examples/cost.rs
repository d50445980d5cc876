//! What each collector costs on this host: `cargo run --release -p peermon-collector --example cost [ROUNDS]`.
//!
//! The rounds are told that a second has passed since the former one, so that what is read less often than every second has
//! its share: the mean is what a second costs, the median what most seconds cost.
#![allow(clippy::print_stdout)]

use peermon_collector::{Config, Root, Runner, Source};
use peermon_model::Instant;
use std::collections::BTreeMap;
use std::error::Error;
use std::time::{Duration, Instant as Clock};

/// Between rounds: long enough for caches to cool a little, as they do at one round a second.
const PAUSE: Duration = Duration::from_millis(20);

fn main() -> Result<(), Box<dyn Error>> {
    let rounds: usize = std::env::args().nth(1).map_or(Ok(200), |n| n.parse())?;
    let mut host = Runner::new(&Root::host(), Config::default())?;
    let mut second = 0;
    let mut now = || {
        second += 1;
        Instant::from_millis(second * 1000)
    };
    let mut costs: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
    let mut whole = Vec::new();
    let mut samples = 0;
    // The first round opens every file.
    host.round(now());
    let processor = || rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let before = processor();
    for _ in 0..rounds {
        std::thread::sleep(PAUSE);
        let begun = Clock::now();
        let round = host.round(now());
        whole.push(begun.elapsed());
        samples = round.list.len();
        for r in round.reports {
            costs.entry(r.collector).or_default().push(r.duration);
            if let Some(why) = r.failure {
                println!("{} failed: {why}", r.collector);
            }
        }
    }
    let after = processor();
    let spent = (after.tv_sec - before.tv_sec) as f64 + (after.tv_nsec - before.tv_nsec) as f64 / 1e9;
    let mut table: Vec<_> = costs.into_iter().map(|(name, all)| (mean(&all), median(all.clone()), most(&all), name)).collect();
    table.sort_by(|a, b| b.cmp(a));
    println!("collector       mean µs  median µs     max µs");
    let micros = |d: Duration| d.as_nanos() as f64 / 1e3;
    let line = |name: &str, figures: [Duration; 3]| {
        let [a, b, c] = figures.map(micros);
        println!("{name:<12} {a:>10.1} {b:>10.1} {c:>10.1}");
    };
    table.iter().for_each(|(mean, median, most, name)| line(name, [*mean, *median, *most]));
    line("all", [table.iter().map(|t| t.0).sum(), table.iter().map(|t| t.1).sum(), table.iter().map(|t| t.2).sum()]);
    println!(
        "{:<12} {:>10.1} {:>10.1}             (what the caller waits: with both changes of thread)",
        "round",
        mean(&whole).as_nanos() as f64 / 1e3,
        median(whole).as_nanos() as f64 / 1e3
    );
    println!("{samples} samples; {:.1} µs of processor time a round, all threads", spent / rounds as f64 * 1e6);
    Ok(())
}

fn mean(all: &[Duration]) -> Duration {
    all.iter().sum::<Duration>() / all.len().max(1) as u32
}

fn most(all: &[Duration]) -> Duration {
    all.iter().max().copied().unwrap_or_default()
}

fn median(mut all: Vec<Duration>) -> Duration {
    all.sort();
    all[all.len() / 2]
}

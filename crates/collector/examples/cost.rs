//! What each collector costs on this host: `cargo run --release -p peermon-collector --example cost [ROUNDS]`.
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
    let start = Clock::now();
    let now = || Instant::from_nanos(start.elapsed().as_nanos() as u64);
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
    let mut table: Vec<_> = costs.into_iter().map(|(name, all)| (median(all), name)).collect();
    table.sort_by(|a, b| b.cmp(a));
    println!("collector     median µs");
    for (cost, name) in &table {
        println!("{name:<12} {:>10.1}", cost.as_nanos() as f64 / 1e3);
    }
    let sum: Duration = table.iter().map(|(c, _)| *c).sum();
    println!("{:<12} {:>10.1}", "all", sum.as_nanos() as f64 / 1e3);
    println!(
        "{:<12} {:>10.1}  (what the caller waits: with both changes of thread)",
        "round",
        median(whole).as_nanos() as f64 / 1e3
    );
    println!("{samples} samples; {:.1} µs of processor time a round, all threads", spent / rounds as f64 * 1e6);
    Ok(())
}

fn median(mut all: Vec<Duration>) -> Duration {
    all.sort();
    all[all.len() / 2]
}

//! Many daemons on one machine: what each costs, what it sends, and how old what it knows is.

use crate::table;
use anyhow::{Error, Result, ensure};
use peermon_bench::fleet::{Cost, Fleet};
use std::path::Path;
use std::time::{Duration, Instant};

/// What the reference simulation of the protocol says of 100 nodes, no loss, 6-byte rows, period 1 s: age in seconds (mean,
/// 99th percentile, largest), bytes and packets per second that a node sends.
const REFERENCE: (usize, [f64; 3], f64, f64) = (100, [0.51, 1.00, 1.04], 2200.0, 24.0);

/// What happens in the first seconds of a cluster (learning trees, steering clocks) is not its steady state.
const SETTLE: Duration = Duration::from_secs(15);

pub(crate) fn run(peermon: &Path, nodes: usize, length: Duration) -> Result<()> {
    let started = Instant::now();
    let fleet = Fleet::start(peermon, nodes)?;
    println!("{nodes} daemons see each other {:.1} s after the first was started", started.elapsed().as_secs_f64());
    std::thread::sleep(SETTLE);

    // First nobody asks anything, so that only the cluster's own work is counted; then the ages are asked for.
    let costs = fleet.cost(length)?;
    let mut ages = fleet.ages(length)?;
    ensure!(ages.wrong == 0, "{} looks found a daemon that runs not alive", ages.wrong);
    ages.seconds.sort_by(f64::total_cmp);
    fleet.complete().map_err(Error::msg)?;
    report(nodes, length, &costs, &ages.seconds);
    Ok(())
}

fn report(nodes: usize, length: Duration, costs: &[Cost], ages: &[f64]) {
    let (reference_nodes, reference_age, reference_bytes, reference_datagrams) = REFERENCE;
    let figures = |of: fn(&Cost) -> f64| {
        let sum: f64 = costs.iter().map(of).sum();
        (sum / costs.len() as f64, costs.iter().map(of).fold(0.0, f64::max))
    };
    let line = |name: &str, (mean, max): (f64, f64), scale: f64, digits: usize, reference: String| {
        vec![name.to_string(), format!("{:.digits$}", mean * scale), format!("{:.digits$}", max * scale), reference]
    };
    println!(
        "\nwhat a daemon costs, over {} s in which nobody asks anything (processor time is shared by all {nodes}):",
        length.as_secs()
    );
    table::print(
        &["", "mean", "busiest", "reference simulation"],
        &[
            line("% of one core", figures(|c| c.cpu), 100.0, 3, String::new()),
            line("resident, MB", figures(|c| c.resident), 1e-6, 1, String::new()),
            line("wake-ups/s", figures(|c| c.wakeups), 1.0, 1, String::new()),
            line("sent, kB/s (with IP and UDP headers)", figures(|c| c.bytes), 1e-3, 2, format!("{:.1}", reference_bytes / 1e3)),
            line("sent, datagrams/s", figures(|c| c.datagrams), 1.0, 1, format!("{reference_datagrams:.0}")),
            line("bytes of a row", figures(|c| c.row_bytes), 1.0, 2, "6".into()),
            line("rows received / rows new", figures(|c| c.redundancy), 1.0, 2, "1.00".into()),
            line("clock steps/s", figures(|c| c.clock_steps), 1.0, 2, String::new()),
        ],
    );
    let at = |share: f64| {
        ages.get(((ages.len() as f64 * share) as usize).min(ages.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
    };
    let mean = ages.iter().sum::<f64>() / ages.len() as f64;
    println!(
        "\nhow old a node's vitals are at the others, s ({} looks over {} s, all nodes asked in turn):",
        ages.len(),
        length.as_secs()
    );
    let row =
        |name: &str, all: [f64; 3]| std::iter::once(name.to_string()).chain(all.iter().map(|a| format!("{a:.2}"))).collect();
    table::print(
        &["", "mean", "p99", "max"],
        &[
            row("measured", [mean, at(0.99), at(1.0)]),
            row(&format!("reference simulation, {reference_nodes} nodes"), reference_age),
        ],
    );
}

//! Many daemons on one machine: what each costs, what it sends, and how old what it knows is.

use crate::process::Watch;
use crate::table;
use anyhow::{Context, Result, ensure};
use peermon_api::{NodesQuery, Service, State, Status};
use peermon_collector::replay::BUILTIN;
use peermon_testbed::{Daemon, Directory, Spec, wait_for};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

/// What the reference simulation of the protocol says of 100 nodes, no loss, 6-byte rows, period 1 s: age in seconds (mean,
/// 99th percentile, largest), bytes and packets per second that a node sends.
const REFERENCE: (usize, [f64; 3], f64, f64) = (100, [0.51, 1.00, 1.04], 2200.0, 24.0);

/// The first UDP port; the daemons take the next ones.
const PORT: u16 = 21000;
/// Between two questions about ages: no divisor of the period, so that all phases of a second are seen.
const ASK: Duration = Duration::from_millis(97);
/// Time for everybody to find everybody, on a machine that starts a hundred programs at once.
const JOIN_MAX: Duration = Duration::from_secs(120);
/// What happens in the first seconds of a cluster (learning trees, steering clocks) is not its steady state.
const SETTLE: Duration = Duration::from_secs(15);

pub(crate) fn run(peermon: &Path, nodes: usize, length: Duration) -> Result<()> {
    let directory = Directory::new()?;
    let started = Instant::now();
    let mut daemons = Vec::new();
    for i in 0..nodes {
        let address = |i: usize| SocketAddr::from((Ipv4Addr::LOCALHOST, PORT + i as u16));
        // Recorded machines, so that what is measured is the protocol and not a hundred readers of one /proc.
        let (trace, _) = BUILTIN[i % BUILTIN.len()];
        let spec = Spec {
            name: format!("node-{i:03}"),
            listen: address(i),
            http: None,
            // Two seeds, so that the first node is not everybody's.
            join: [0, 1].into_iter().filter(|s| *s != i).map(address).collect(),
            key: [2; 32],
            config: "discovery.enabled = false\nlog.level = \"warn\"\n".into(),
            flags: vec!["--replay".into(), trace.into()],
        };
        daemons.push(Daemon::start(peermon, None, &directory, spec)?);
    }
    wait_for("all daemons to see all", JOIN_MAX, || daemons.iter().try_for_each(|d| complete(d, nodes)))?;
    println!("{nodes} daemons see each other {:.1} s after the first was started", started.elapsed().as_secs_f64());
    std::thread::sleep(SETTLE);

    // First nobody asks anything, so that only the cluster's own work is counted; then the ages are asked for.
    let costs = cost(&daemons, length)?;
    let ages = ages(&daemons, length)?;
    for d in &daemons {
        complete(d, nodes).map_err(anyhow::Error::msg)?;
    }
    report(nodes, length, &costs, &ages);
    Ok(())
}

fn complete(d: &Daemon, nodes: usize) -> Result<(), String> {
    let status = d.ask().status().map_err(|e| format!("{}: {e}\n{}", d.name(), d.log()))?;
    let alive = status.nodes.get("alive").copied().unwrap_or(0);
    if alive == nodes { Ok(()) } else { Err(format!("{} sees {alive} of {nodes}", d.name())) }
}

/// What one daemon used, and sent per second. Bytes include 28 of IP and UDP headers for each datagram, as in the reference.
struct Cost {
    cpu: f64,
    resident: f64,
    wakeups: f64,
    bytes: f64,
    datagrams: f64,
    /// Bytes of a row without headers, and how often a row arrives that was known already.
    row_bytes: f64,
    redundancy: f64,
    /// Times its cluster clock jumped: none in a steady state.
    clock_steps: f64,
}

fn cost(daemons: &[Daemon], length: Duration) -> Result<Vec<Cost>> {
    let mut watches: Vec<Watch> =
        daemons.iter().map(|d| Ok(Watch::new(d.pid().context("it has ended")?))).collect::<Result<_>>()?;
    let mut start = Vec::new();
    for (d, w) in daemons.iter().zip(&mut watches) {
        start.push((d.ask().status()?, Instant::now(), w.look()?));
    }
    std::thread::sleep(length);
    let mut costs = Vec::new();
    for ((d, w), (before, at, used)) in daemons.iter().zip(&mut watches).zip(&start) {
        let now = w.look()?;
        let seconds = at.elapsed().as_secs_f64();
        let after = d.ask().status()?;
        let grew = |name| -> Result<f64> { Ok((counter(&after, name)?.saturating_sub(counter(before, name)?)) as f64 / seconds) };
        let cost = used.until(&now);
        costs.push(Cost {
            cpu: cost.cpu,
            resident: w.memory()?.resident as f64,
            wakeups: cost.wakeups,
            bytes: grew("gossip.tx.bytes")?,
            datagrams: grew("gossip.tx.datagrams")?,
            row_bytes: grew("gossip.rows.sent.bytes")? / grew("gossip.rows.sent")?,
            redundancy: grew("gossip.rows.received")? / grew("gossip.rows.new")?,
            clock_steps: grew("gossip.clock.steps")?,
        });
    }
    Ok(costs)
}

fn counter(status: &Status, name: &str) -> Result<u64> {
    status.counters.get(name).copied().with_context(|| format!("its status has no counter {name}: {:?}", status.counters.keys()))
}

/// The ages of all nodes at all nodes, asked of one node after the other.
fn ages(daemons: &[Daemon], length: Duration) -> Result<Vec<f64>> {
    let mut ages = Vec::new();
    let start = Instant::now();
    let mut next = start;
    for d in daemons.iter().cycle() {
        if start.elapsed() >= length {
            break;
        }
        for n in d.ask().nodes(&NodesQuery::default())? {
            ensure!(n.state == State::Alive, "{} shows {} as {:?}", d.name(), n.name, n.state);
            if !n.this {
                ages.push(n.age_seconds.with_context(|| format!("{} has no vitals of {}", d.name(), n.name))?);
            }
        }
        next += ASK;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    ages.sort_by(f64::total_cmp);
    Ok(ages)
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

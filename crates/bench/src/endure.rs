//! Whether memory stays flat: daemons whose rounds come eight times as fast as usual, one of them watched for hours of rounds
//! while another ends and starts again every minute and somebody reads.

use crate::footprint;
use crate::table;
use anyhow::{Context, Result, bail};
use peermon_api::{NodesQuery, Service};
use peermon_bench::process::Watch;
use peermon_testbed::{Daemon, Directory, Spec, wait_for};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

/// Daemons: the one that is watched, and peers that give it rows to keep.
const DAEMONS: usize = 6;
/// The shortest period there is: eight rounds a second.
const PERIOD: Duration = Duration::from_millis(125);
/// How many rounds of the usual second come in a second.
const FASTER: f64 = 8.0;
/// What is remembered of each node: as many rounds as an hour at the usual period has, which is the default.
const KEEP: &str = "450s";
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Between two ends of a peer.
const RESTART_EVERY: Duration = Duration::from_secs(60);
/// Lines of the table.
const LINES: u32 = 16;
const PATIENCE: Duration = Duration::from_secs(30);
/// Memory that grows by less than this in the second half is flat: a page more or less of a heap that is used.
const FLAT_BYTES: f64 = 256.0 * 1024.0;

/// What was seen at one look.
struct Look {
    at: Duration,
    resident: f64,
    anonymous: f64,
}

pub(crate) fn run(peermon: &Path, length: Duration) -> Result<()> {
    let directory = Directory::new()?;
    let mut daemons: Vec<Daemon> = Vec::new();
    let http = footprint::free()?;
    let mut seed: Option<SocketAddr> = None;
    for i in 0..DAEMONS {
        let spec = Spec {
            name: format!("node-{i}"),
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            http: (i == 0).then_some(http),
            join: seed.into_iter().collect(),
            key: [4; 32],
            config: format!(
                "discovery.enabled = false\nperiod = \"{}ms\"\nmemory.keep = \"{KEEP}\"\nbudget = \"0\"\ncpu_budget = \"off\"\n",
                PERIOD.as_millis()
            ),
            flags: Vec::new(),
        };
        let daemon = Daemon::start(peermon, None, &directory, spec)?;
        if seed.is_none() {
            wait_for("the first daemon", PATIENCE, || {
                let status = daemon.ask().status().map_err(|e| format!("{e}\n{}", daemon.log()))?;
                seed = status.listen.first().and_then(|a| a.parse().ok());
                seed.map(drop).ok_or_else(|| "it listens nowhere yet".into())
            })?;
        }
        daemons.push(daemon);
    }
    let pid = daemons[0].pid().context("the daemon has ended")?;
    wait_for("all to see each other", PATIENCE, || {
        let nodes = daemons[0].ask().nodes(&NodesQuery::default()).map_err(|e| e.to_string())?;
        if nodes.len() == DAEMONS { Ok(()) } else { Err(format!("{} of {DAEMONS}", nodes.len())) }
    })?;
    println!(
        "{DAEMONS} daemons, period {} ms, memory.keep {KEEP}, for {:.0} min: {:.1} h of rounds; every minute one peer ends and starts again;\n\
         the one that is watched is asked for its table, its past and its /metrics every {} s",
        PERIOD.as_millis(),
        length.as_secs_f64() / 60.0,
        length.as_secs_f64() * FASTER / 3600.0,
        LOOK_EVERY.as_secs()
    );
    let looks = watch(&mut daemons, pid, http, length)?;
    report(&looks, length)
}

fn watch(daemons: &mut [Daemon], pid: u32, http: SocketAddr, length: Duration) -> Result<Vec<Look>> {
    let mut watch = Watch::new(pid);
    let from = watch.look()?;
    let start = Instant::now();
    let (mut looks, mut restarts, mut failures) = (Vec::new(), 0_u32, 0_u32);
    while start.elapsed() < length {
        std::thread::sleep(LOOK_EVERY);
        footprint::fetch(http)?;
        // A node that is just starting again may not be there to be told of.
        failures += u32::from(daemons[0].ask().nodes(&NodesQuery::default()).is_err());
        let memory = watch.memory()?;
        looks.push(Look { at: start.elapsed(), resident: memory.resident as f64, anonymous: memory.anonymous as f64 });
        if start.elapsed() >= RESTART_EVERY * (restarts + 1) {
            let which = 1 + restarts as usize % (DAEMONS - 1);
            // Every other time without a word.
            if restarts % 2 == 0 { daemons[which].stop() } else { daemons[which].kill() }?;
            daemons[which].start_again()?;
            restarts += 1;
        }
    }
    let cost = from.until(&watch.look()?);
    println!("{restarts} restarts of peers, {failures} questions without an answer; {:.2} % of one core", cost.cpu * 100.0);
    Ok(looks)
}

fn report(looks: &[Look], length: Duration) -> Result<()> {
    let mean = |from: f64, to: f64, of: fn(&Look) -> f64| {
        let within = looks.iter().filter(|l| (from..to).contains(&(l.at.as_secs_f64() / length.as_secs_f64()))).map(of);
        let (n, sum) = within.fold((0, 0.0), |(n, sum), v| (n + 1, sum + v));
        if n == 0 { f64::NAN } else { sum / f64::from(n) }
    };
    let rows = (0..LINES).map(|i| {
        let (from, to) = (f64::from(i) / f64::from(LINES), f64::from(i + 1) / f64::from(LINES));
        vec![
            format!("to {:.1} h of rounds", length.as_secs_f64() * to * FASTER / 3600.0),
            format!("{:.2} MB", mean(from, to, |l| l.resident) / 1e6),
            format!("{:.2} MB", mean(from, to, |l| l.anonymous) / 1e6),
        ]
    });
    println!();
    table::print(&["", "resident, mean", "heap, stacks"], &rows.collect::<Vec<_>>());
    let growth = mean(0.75, 1.1, |l| l.anonymous) - mean(0.5, 0.75, |l| l.anonymous);
    println!("\nheap and stacks in the last quarter, less those of the quarter before: {:+.0} kB", growth / 1e3);
    if growth > FLAT_BYTES {
        bail!("memory is not flat: it grew by {:.0} kB in the last quarter", growth / 1e3);
    }
    Ok(())
}

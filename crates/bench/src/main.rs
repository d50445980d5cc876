//! What real daemons cost, and what the protocol and the choice of nodes do in the simulator, beside what they should: run by
//! `make bench`, `make bench-gossip` and `make bench-placement`.

#![cfg_attr(test, allow(clippy::unwrap_used))]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool whose output is read by people")]

mod cluster;
mod endure;
mod footprint;
mod gossip;
mod loaded;
mod many;
mod placement;
mod scale;

use anyhow::{Context, Result, bail, ensure};
use peermon_bench::table;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

const USAGE: &str = "\
usage: peermon-bench footprint|endure|loaded|cluster|scale|gossip|placement|table [--peermon FILE] [--seconds N] [--nodes N]

  footprint   a daemon at 1 Hz that nobody asks and one that is read, beside node_exporter, gmond and netdata
  endure      whether a daemon's memory stays flat: rounds eight times as fast as usual, peers that come and go, somebody who reads
  loaded      how timely a daemon is beside 8 busy loops a core, without and with real-time priority (as root)
  cluster     many daemons on this machine: cost, traffic, and how old what they know is
  scale       as many daemons as this machine bears, beside the simulator with as many nodes. Two cores bear 300: each takes
              0.3 % of a core, 10 MB, 5 threads and 17 files. It says so if there is no room, or if what they know is too old
  gossip      simulated clusters, beside other protocols; its options: peermon-bench gossip --help
  placement   simulated jobs, by who chooses machines for them; its options: peermon-bench placement --help
  table       a process that answers as the daemon of a large cluster; its options: peermon-bench table --help

  --peermon FILE  the program to measure (default target/release/peermon)
  --seconds N     how long to measure (default 60 for footprint, 2400 for endure, 30 for the others)
  --nodes N       how many daemons in a cluster, 2 to 1000 (default 100; 300 for scale)";

/// More daemons have a machine of their own, or several.
const NODES_MAX: u64 = 1000;

/// What to run.
struct Options {
    peermon: PathBuf,
    seconds: Option<u64>,
    nodes: Option<usize>,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("peermon-bench: {e:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let bench = words.next().unwrap_or_default();
    match bench.as_str() {
        "gossip" => return gossip::run(words),
        "placement" => return placement::run(words),
        "table" => return many::run(words),
        _ => {}
    }
    let mut options = Options { peermon: "target/release/peermon".into(), seconds: None, nodes: None };
    while let Some(word) = words.next() {
        let value = words.next().with_context(|| format!("{word} needs a value\n{USAGE}"))?;
        let number = || value.parse::<u64>().ok().filter(|n| *n > 0).with_context(|| format!("{word} {value:?} is no number"));
        match word.as_str() {
            "--peermon" => options.peermon = value.into(),
            "--seconds" => options.seconds = Some(number()?),
            "--nodes" => {
                let n = number()?;
                ensure!((2..=NODES_MAX).contains(&n), "--nodes {n} is not from 2 to {NODES_MAX}");
                options.nodes = Some(n as usize);
            }
            _ => bail!("there is no option {word}\n{USAGE}"),
        }
    }
    let peermon = &options.peermon;
    // The daemons run in other directories and namespaces.
    options.peermon = peermon.canonicalize().with_context(|| format!("{}: build it with `make build`", peermon.display()))?;
    let seconds = |default| Duration::from_secs(options.seconds.unwrap_or(default));
    match bench.as_str() {
        "footprint" => footprint::run(&options.peermon, seconds(60)),
        "endure" => endure::run(&options.peermon, seconds(2400)),
        "loaded" => loaded::run(&options.peermon, seconds(20)),
        "cluster" => cluster::run(&options.peermon, options.nodes.unwrap_or(100), seconds(30)),
        "scale" => scale::run(&options.peermon, options.nodes.unwrap_or(300), seconds(30)),
        _ => bail!("{USAGE}"),
    }
}

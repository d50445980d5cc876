//! One process that answers as a daemon of a large cluster does, with made-up machines in its table: to time commands against, and
//! to work on screens and pages.

use anyhow::{Context, Result, bail, ensure};
use peermon_agent::StandIn;
use peermon_model::{Facts, Incarnation, MemberState, NodeEntry, NodeId, Record, Sequence, Snapshot, Value, ZoneName};
use peermon_serve_http::{Config, Server};
use peermon_sim::{Rng, Series};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

const USAGE: &str = "\
usage: peermon-bench table [--nodes N] [--socket FILE] [--http ADDR:PORT] [--time N] [--peermon FILE]

  Holds a table of made-up machines that follow recorded loads, and serves it as a daemon does, until it is ended. `peermon --api FILE`
  and PEERMON_API=FILE ask it.

  --nodes N       machines, 1 to 20000 (default 2200)
  --socket FILE   where to serve (default /tmp/peermon-table.sock)
  --http ADDR:PORT  also serve there, for browsers, without a token: a loopback address (default: not)
  --time N        time `peermon best` N times, as a whole command, and end
  --peermon FILE  the program to time (default target/release/peermon)";

/// Twice what zones are for.
const NODES_MAX: usize = 20_000;
/// Between two tables, and the period of machines.
const REFRESH: Duration = Duration::from_millis(250);
const PERIOD: Duration = Duration::from_secs(1);
/// What a whole `peermon best` may take at most, in milliseconds.
const BEST_MS_MAX: f64 = 10.0;
/// Of the machines: the same ones every time.
const SEED: u64 = 1;

struct Options {
    nodes: usize,
    socket: PathBuf,
    http: Option<SocketAddr>,
    time: Option<usize>,
    peermon: PathBuf,
}

pub(crate) fn run(words: impl Iterator<Item = String>) -> Result<()> {
    let options = parse(words)?;
    let machines = machines(options.nodes);
    let stand_in = StandIn::new(machines[0].record.id).context("making a stand-in of a daemon")?;
    stand_in.publish(table(&machines));
    let faces = Config { unix: Some(options.socket.clone()), tcp: options.http.into_iter().collect(), ..Config::default() };
    let server = Server::start(faces, stand_in.service())?;
    println!("{} nodes at {}", options.nodes, server.urls().join(" and "));
    if let Some(times) = options.time {
        let result = std::thread::scope(|scope| {
            let timing = scope.spawn(|| time(&options.peermon, &options.socket, times));
            while !timing.is_finished() {
                stand_in.publish(table(&machines));
                std::thread::sleep(REFRESH);
            }
            timing.join().expect("timing does not panic")
        });
        server.stop();
        return result;
    }
    loop {
        std::thread::sleep(REFRESH);
        stand_in.publish(table(&machines));
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Options> {
    let mut options = Options {
        nodes: 2_200,
        socket: "/tmp/peermon-table.sock".into(),
        http: None,
        time: None,
        peermon: "target/release/peermon".into(),
    };
    while let Some(word) = words.next() {
        ensure!(word != "--help", "{USAGE}");
        let value = words.next().with_context(|| format!("{word} needs a value\n{USAGE}"))?;
        let number = || value.parse::<usize>().ok().filter(|n| *n > 0).with_context(|| format!("{word} {value:?} is no number"));
        match word.as_str() {
            "--nodes" => {
                options.nodes = number()?;
                ensure!(options.nodes <= NODES_MAX, "--nodes {value} is not from 1 to {NODES_MAX}");
            }
            "--socket" => options.socket = value.into(),
            "--http" => {
                let address = value.parse().ok().with_context(|| format!("--http {value:?} is not ADDRESS:PORT"))?;
                options.http = Some(address);
            }
            "--time" => options.time = Some(number()?),
            "--peermon" => options.peermon = value.into(),
            _ => bail!("there is no option {word}\n{USAGE}"),
        }
    }
    Ok(options)
}

/// Starts the command again and again; median and 99th percentile, starting of the process included.
fn time(peermon: &Path, socket: &Path, times: usize) -> Result<()> {
    let mut took = Vec::with_capacity(times);
    for _ in 0..times {
        let started = Instant::now();
        let status = Command::new(peermon).arg("best").env("PEERMON_API", socket).stdout(Stdio::null()).status();
        let status = status.with_context(|| format!("running {}: build it with `make build`", peermon.display()))?;
        took.push(started.elapsed().as_secs_f64() * 1e3);
        ensure!(status.success(), "{} best failed: {status}", peermon.display());
    }
    took.sort_by(f64::total_cmp);
    let at = |share: f64| took[((took.len() as f64 * share) as usize).min(took.len() - 1)];
    let verdict = if at(0.5) < BEST_MS_MAX { "holds" } else { "fails" };
    println!("peermon best, {times} times: median {:.1} ms, p99 {:.1} ms; below {BEST_MS_MAX} ms: {verdict}", at(0.5), at(0.99));
    Ok(())
}

/// A machine: what it is, and which recorded load it follows from where.
struct Machine {
    record: Arc<Record>,
    series: &'static Series,
    first: usize,
    /// When in the period it publishes.
    phase: Duration,
}

fn machines(n: usize) -> Vec<Machine> {
    let mut rng = Rng::new(SEED);
    let all = (0..n).map(|i| {
        let threads = [4.0, 8.0, 16.0, 32.0, 64.0][rng.below(5)];
        let mut facts = Facts::default();
        let numbers = [("cpu.threads", threads), ("cpu.cores", threads / 2.0), ("mem.total", threads * 4e9), ("swap.total", 8e9)];
        numbers.iter().for_each(|(name, v)| facts.put(name, None, Value::Number(*v)));
        for (name, text) in [("os.name", "Debian GNU/Linux 13"), ("os.arch", "x86_64"), ("cpu.model", "a made-up processor")] {
            facts.put(name, None, Value::text(text));
        }
        let mut id = [0; 32];
        id[..8].copy_from_slice(&(i as u64).to_be_bytes());
        let [_, a, b, c] = (i as u32 + 1).to_be_bytes();
        let record = Record {
            id: NodeId(id),
            incarnation: Incarnation(1),
            sequence: Sequence(1),
            salt: [0; 16],
            name: format!("node{:04}", i + 1).parse().expect("letters and digits are a name"),
            zone: ZoneName::default(),
            addresses: vec![([10, a, b, c], 19_810).into()],
            period: PERIOD,
            budget: 0,
            left: false,
            listen_only: false,
            key_held: 1,
            facts,
            custom: Vec::new(),
            notices: Vec::new(),
            facts_dropped: 0,
        };
        let series = &Series::all()[rng.below(Series::all().len())];
        let first = rng.below(series.rows.len());
        Machine { record: Arc::new(record), series, first, phase: PERIOD.mul_f64(rng.unit()) }
    });
    all.collect()
}

/// All machines' last rows.
fn table(machines: &[Machine]) -> Snapshot {
    let now = StandIn::now();
    let nodes = machines.iter().map(|m| {
        let running = Duration::from_nanos(now.as_nanos()) + m.phase;
        let row = m.series.rows[(m.first + running.as_secs() as usize) % m.series.rows.len()];
        NodeEntry {
            record: Arc::clone(&m.record),
            state: MemberState::Alive,
            vitals: row,
            period: PERIOD,
            age: Some(Duration::from_nanos(running.subsec_nanos().into())),
            avoided: None,
            in_state: running,
            hidden: false,
        }
    });
    Snapshot {
        taken: now,
        me: machines[0].record.id,
        nodes: nodes.collect(),
        zones: Vec::new(),
        claims: Vec::new(),
        clock: Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_full_and_young() {
        let table = table(&machines(300));
        assert_eq!(table.nodes.len(), 300);
        assert!(table.nodes.iter().all(|n| n.age.is_some_and(|a| a < PERIOD) && n.record.vital(&n.vitals, "load.1").is_some()));
        assert!(table.nodes.windows(2).all(|w| w[0].record.id < w[1].record.id));
    }

    #[test]
    fn wrong_options_are_named() {
        for (text, word) in [
            ("--nodes 0", "--nodes \"0\""),
            ("--nodes 99999", "1 to 20000"),
            ("--x 1", "--x"),
            ("--time", "--time"),
            ("--http x", "--http \"x\""),
        ] {
            let said = parse(text.split_whitespace().map(String::from)).err().map(|e| e.to_string()).unwrap_or_default();
            assert!(said.contains(word), "{text}: {said}");
        }
    }
}

//! peermon, chitchat and serf side by side, in one table: run by `make bench-anchors`. The README says what is compared.

mod chitchat;
mod contest;
mod network;
mod records;
mod serf;

use anyhow::{Context, Result, bail, ensure};
use contest::{CONTESTANTS, Contestant};
use peermon_bench::figures::{self, Figures};
use peermon_bench::table;
use peermon_testbed::{Family, Host, Testbed, find};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::Duration;

const USAGE: &str = "\
usage: peermon-anchors [--peermon FILE] [--nodes N,N...] [--seconds N] [--only NAME,NAME...]

  --peermon FILE  the program to measure (default target/release/peermon)
  --nodes N,N...  sizes of clusters, 5 to 1000 (default 50,100,200)
  --seconds N     how long each thing is measured (default 20)
  --only NAME,... some of them: peermon, chitchat, chitchat-0.25s, serf (default all that are here)";

/// The word that makes this program one contestant, in a network namespace of its own.
const ONE: &str = "one";
/// The network's largest packet, as on Ethernet: what is larger is cut, and each part has headers of its own.
const MTU: &str = "1500";
/// Fewer nodes cannot lose three.
const NODES_MIN: usize = 5;
const NODES_MAX: usize = 1000;

/// What to run.
struct Options {
    peermon: PathBuf,
    nodes: Vec<usize>,
    seconds: u64,
    only: Vec<&'static Contestant>,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("peermon-anchors: {e:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [one, name, peermon, nodes, seconds] = words.as_slice()
        && one == ONE
    {
        let length = Duration::from_secs(seconds.parse().context("seconds")?);
        let figures = contest::find(name)?.run(Path::new(peermon), nodes.parse().context("nodes")?, length)?;
        print!("{}", figures.lines());
        return Ok(());
    }
    let options = options(&words)?;
    if let Err(why) = Testbed::available() {
        bail!("each program is measured in a network namespace of its own, and there can be none here: {why}");
    }
    let here: Vec<&Contestant> = options.only.iter().copied().filter(|c| is_here(c)).collect();
    println!("each measured for {} s; three nodes killed one by one; figures are means per node", options.seconds);
    for nodes in &options.nodes {
        let mut all = Vec::new();
        for c in &here {
            eprintln!("{nodes} x {} ...", c.name);
            let figures = in_namespace(c, &options, *nodes);
            // One that does not get so far is a result, too.
            all.push(figures.unwrap_or_else(|e| {
                eprintln!("{nodes} x {}: {e:#}", c.name);
                Figures::default()
            }));
        }
        report(*nodes, &here, &all);
    }
    Ok(())
}

fn report(nodes: usize, who: &[&Contestant], all: &[Figures]) {
    let title = format!("{nodes} nodes");
    let heads: Vec<&str> = std::iter::once(&*title).chain(who.iter().map(|c| c.name)).collect();
    let found = figures::ALL.iter().filter(|f| all.iter().any(|a| a.value(f.key).is_some()));
    let rows: Vec<Vec<String>> =
        found.map(|f| std::iter::once(f.label.to_string()).chain(all.iter().map(|a| a.show(f))).collect()).collect();
    println!();
    table::print(&heads, &rows);
}

fn options(words: &[String]) -> Result<Options> {
    let (mut peermon, mut nodes, mut seconds) = (PathBuf::from("target/release/peermon"), vec![50, 100, 200], 20);
    let mut only: Vec<&Contestant> = CONTESTANTS.iter().collect();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let value = words.next().with_context(|| format!("{word} needs a value\n{USAGE}"))?;
        let number = |text: &str| text.parse::<usize>().with_context(|| format!("{word} {text:?} is no number"));
        match word.as_str() {
            "--peermon" => peermon = value.into(),
            "--nodes" => nodes = value.split(',').map(number).collect::<Result<_>>()?,
            "--seconds" => seconds = number(value)? as u64,
            "--only" => only = value.split(',').map(contest::find).collect::<Result<_>>()?,
            _ => bail!("there is no option {word}\n{USAGE}"),
        }
    }
    for n in &nodes {
        ensure!((NODES_MIN..=NODES_MAX).contains(n), "--nodes {n} is not from {NODES_MIN} to {NODES_MAX}");
    }
    ensure!(seconds > 0, "--seconds 0 measures nothing");
    let peermon = peermon.canonicalize().with_context(|| format!("{}: build it with `make build`", peermon.display()))?;
    Ok(Options { peermon, nodes, seconds, only })
}

fn is_here(c: &Contestant) -> bool {
    match c.program.map(find) {
        Some(Err(e)) => {
            eprintln!("{} is left out: {e:#}; run  apt-get install {}", c.name, c.program.unwrap_or_default());
            false
        }
        _ => true,
    }
}

/// Runs one contestant as a process of its own, on a host of its own, whose loopback carries nothing else.
fn in_namespace(c: &Contestant, options: &Options, nodes: usize) -> Result<Figures> {
    let bed = Testbed::new(1, Family::Both)?;
    let host: &Host = bed.hosts().first().context("a test bed of one host has none")?;
    host.run(&["ip", "link", "set", "lo", "mtu", MTU])?;
    let me = std::env::current_exe().context("where this program is")?;
    let mut command = host.command(me);
    command.args([ONE, c.name]).arg(&options.peermon).args([nodes.to_string(), options.seconds.to_string()]);
    let out = command.stderr(Stdio::inherit()).output().context("starting this program again")?;
    ensure!(out.status.success(), "it ended with {}", out.status);
    Figures::parse(&String::from_utf8(out.stdout).context("what it printed")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_options_are_named() {
        for (line, complaint) in [
            ("--nodes", "--nodes needs a value"),
            ("--nodes ten", "\"ten\" is no number"),
            ("--nodes 50,4", "--nodes 4 is not from 5 to 1000"),
            ("--seconds 0", "measures nothing"),
            ("--only consul", "no contestant \"consul\""),
            ("--speed 1", "no option --speed"),
            ("--peermon /nowhere/peermon", "build it with"),
        ] {
            let words: Vec<String> = line.split(' ').map(str::to_string).collect();
            let said = options(&words).err().map(|e| format!("{e:#}")).unwrap_or_default();
            assert!(said.contains(complaint), "{line}: {said}");
        }
    }
}

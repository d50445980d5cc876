//! The protocol's evidence, from the simulator: ages against bytes, with loss, crashes, cuts and joins, beside other protocols
//! on the same network and beside the figures it should reach.

mod cells;
mod cluster;
mod crowds;
mod figures;
mod gates;
mod page;
mod plot;
mod stories;

use anyhow::{Context, Result, bail, ensure};
use cells::{Cell, PROTOCOLS, PUSH, Plan, Protocol, Run};
use figures::{Figure, Figures};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

pub(crate) const USAGE: &str = "\
usage: peermon-bench gossip [--nodes LIST] [--only LIST] [--runs LIST] [--seed N] [--jobs N]
                            [--watch SECONDS] [--loss PERCENT] [--out DIRECTORY]

  Simulates clusters and tells what the protocol costs and how fresh it keeps the table, beside PeerMon's protocol and plain
  newest-first push, and beside its goals. Prints tables; writes gossip-figures.md, its plots and its numbers
  (gossip-figures.tsv). Numbers of sizes and protocols that are not measured now are kept from the last time.

  --nodes LIST      cluster sizes, 10 to 10000 (default 50,500)
  --only LIST       protocols: wave, peermon-10s, peermon-1s, push (default all)
  --runs LIST       of each protocol: losses, events, full-rows, bandwidth (default all)
  --seed N          of the random source; the same seed gives the same numbers (default 1)
  --jobs N          runs at once (default 2)
  --watch SECONDS   how long to watch for false alarms at 20 % loss (default 30; the goal is for 3600)
  --loss PERCENT    the largest loss of 0, 1, 5 and 20 % (default 20)
  --out DIRECTORY   where the page is (default docs/internals)";

/// Below, a tenth of the nodes is nobody; above, one run takes hours.
const NODES: std::ops::RangeInclusive<usize> = 10..=10_000;
/// More runs at once than any machine here has processors, and each of a large cluster takes gigabytes.
const JOBS_MAX: usize = 64;

/// What was asked for.
#[derive(Debug, PartialEq)]
struct Options {
    nodes: Vec<usize>,
    only: Vec<Protocol>,
    runs: Vec<Run>,
    seed: u64,
    jobs: usize,
    watch: Duration,
    loss_max: f64,
    out: PathBuf,
}

pub(crate) fn run(words: impl Iterator<Item = String>) -> Result<()> {
    let options = parse(words)?;
    let numbers = options.out.join("gossip-figures.tsv");
    ensure!(
        options.out.is_dir(),
        "{}: there is no such directory; run this from the repository's root, or name one with --out",
        options.out.display()
    );
    let mut figures = Figures::read(&numbers)?;
    println!("seed {}; nodes {:?}", options.seed, options.nodes);
    let plan = Plan { seed: options.seed, watch: options.watch, loss_max: options.loss_max, brief: false };
    measure(&mut figures, &options, &plan, &numbers)?;
    write(&figures, &options.out)?;
    for table in page::tables(&figures, &options.nodes) {
        table.print();
    }
    println!("written: {0}/gossip-figures.md, {0}/gossip-figures.tsv and the plots beside them", options.out.display());
    Ok(())
}

fn write(figures: &Figures, out: &Path) -> Result<()> {
    let put = |name: &str, text: String| {
        let path = out.join(name);
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
    };
    for (name, plot) in plot::all(figures) {
        put(name, plot)?;
    }
    put("gossip-figures.md", page::markdown(figures))
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Options> {
    let mut options = Options {
        nodes: vec![50, 500],
        only: PROTOCOLS.to_vec(),
        runs: Run::ALL.to_vec(),
        seed: 1,
        jobs: 2,
        watch: Duration::from_secs(30),
        loss_max: 0.2,
        out: "docs/internals".into(),
    };
    while let Some(word) = words.next() {
        ensure!(word != "--help", "{USAGE}");
        let value = words.next().with_context(|| format!("{word} needs a value\n{USAGE}"))?;
        let number = |value: &str| value.trim().parse::<u64>().with_context(|| format!("{word} {value:?} is no number"));
        match word.as_str() {
            "--nodes" => {
                options.nodes = value.split(',').map(|n| Ok(number(n)? as usize)).collect::<Result<_>>()?;
                let wrong = options.nodes.iter().find(|n| !NODES.contains(n));
                ensure!(wrong.is_none(), "--nodes {value}: each must be from {} to {}", NODES.start(), NODES.end());
            }
            "--only" => {
                let find = |key: &str| PROTOCOLS.into_iter().find(|p| p.key == key.trim());
                let known = PROTOCOLS.map(|p| p.key).join(", ");
                let one =
                    |key| find(key).with_context(|| format!("--only {key:?}: there is no such protocol; there are {known}"));
                options.only = value.split(',').map(one).collect::<Result<_>>()?;
            }
            "--runs" => {
                let known = Run::ALL.map(Run::key).join(", ");
                let find = |key: &str| Run::ALL.into_iter().find(|r| r.key() == key.trim());
                let one = |key| find(key).with_context(|| format!("--runs {key:?}: there is no such run; there are {known}"));
                options.runs = value.split(',').map(one).collect::<Result<_>>()?;
            }
            "--seed" => options.seed = number(&value)?,
            "--jobs" => options.jobs = (number(&value)? as usize).clamp(1, JOBS_MAX),
            "--watch" => options.watch = Duration::from_secs(number(&value)?),
            "--loss" => options.loss_max = number(&value)? as f64 / 100.0,
            "--out" => options.out = value.into(),
            _ => bail!("there is no option {word}\n{USAGE}"),
        }
    }
    Ok(options)
}

/// Runs all cells. Those of the push come last, because they need this project's row length. After each size's protocol the
/// numbers are saved, so that a stopped run loses little.
fn measure(figures: &mut Figures, options: &Options, plan: &Plan, numbers: &Path) -> Result<()> {
    let cells = options.nodes.iter().flat_map(|n| options.only.iter().flat_map(|p| cells::cells(*n, *p)));
    let cells = cells.filter(|c| options.runs.contains(&c.run));
    let (last, first): (Vec<Cell>, Vec<Cell>) = cells.partition(|c| c.protocol == PUSH);
    for stage in [first, last] {
        let total = stage.len();
        let queue: Mutex<VecDeque<(usize, Cell)>> = Mutex::new(stage.into_iter().enumerate().collect());
        let shared = Mutex::new(&mut *figures);
        let work = || -> Result<()> {
            while let Some((i, cell)) = queue.lock().expect("no run panics and goes on").pop_front() {
                let started = Instant::now();
                let known = shared.lock().expect("no run panics and goes on").clone();
                let mut found = cell.measure(plan, &known)?;
                found.push(Figure { condition: "run", quantity: "seed", value: plan.seed as f64 });
                let took = started.elapsed().as_secs_f64();
                let (nodes, name) = (cell.nodes, cell.protocol.name);
                eprintln!("[{}/{total}] {nodes} nodes, {name}, {}: {took:.0} s", i + 1, cell.run.name());
                let mut all = shared.lock().expect("no run panics and goes on");
                all.put(nodes, cell.protocol.key, found);
                all.write(numbers)?;
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..options.jobs).map(|_| scope.spawn(work)).collect();
            workers.into_iter().try_for_each(|w| w.join().expect("a run does not panic: a broken invariant would end it all"))
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;

//! What choosing machines is worth, from the simulator: slow-downs of jobs by who places them, beside random choice and an oracle.

mod page;
mod plot;

use anyhow::{Context, Result, bail, ensure};
use peermon_placement::By;
use peermon_sim::jobs::{Chooser, Decay, Kind, Outcome, Scenario};
use std::path::PathBuf;
use std::sync::Mutex;

const USAGE: &str = "\
usage: peermon-bench placement [--nodes LIST] [--seeds N] [--jobs N] [--out DIRECTORY]

  Simulates jobs on machines that others use too, placed by each way of choosing. Prints tables; writes placement-figures.md and its
  plot.

  --nodes LIST      cluster sizes, 50 to 2000 (default 50,500)
  --seeds N         clusters of 50 nodes; larger ones take as much fewer as they have more nodes, but one at least (default 10)
  --jobs N          runs at once (default 2)
  --out DIRECTORY   where the page is (default docs/internals)";

/// Fewer have no room for 50 people in a burst; more take hours.
const NODES: std::ops::RangeInclusive<usize> = 50..=2_000;
/// More runs at once than any machine here has processors.
const JOBS_MAX: usize = 64;
/// More clusters than anybody waits for.
const SEEDS_MAX: u64 = 1_000;
/// People in a burst.
const MANY: usize = 50;
/// Seconds of bursts: twelve of them, four of each kind.
const BURSTS_SECONDS: f64 = 7_200.0;

/// A way of choosing, by its name in tables.
type Way = (&'static str, Chooser);

const fn ranked(by: By, claims: Option<Decay>, needs: bool) -> Chooser {
    Chooser::Ranked { by, claims, needs, bids: false }
}

/// Claims as the daemon makes them.
const fn claiming(needs: bool, bids: bool) -> Chooser {
    Chooser::Ranked { by: By::Both, claims: Some(Decay::Daemon), needs, bids }
}

const WAYS: &[Way] = &[
    ("random", Chooser::Random),
    ("by CPU", Chooser::by(By::Cpu)),
    ("by memory", Chooser::by(By::Mem)),
    ("by both", Chooser::by(By::Both)),
    ("both, claims", claiming(false, true)),
    ("both, claims without bids", claiming(false, false)),
    ("both, needs told", ranked(By::Both, None, true)),
    ("both, claims, needs told", claiming(true, true)),
    ("oracle", Chooser::Oracle),
];

const DECAYS: &[Way] = &[
    ("no claims", ranked(By::Both, None, false)),
    ("whole for 60 s", ranked(By::Both, Some(Decay::Step), false)),
    ("linear over 60 s", ranked(By::Both, Some(Decay::Linear), false)),
    ("as the daemon does", ranked(By::Both, Some(Decay::Daemon), false)),
    ("exp(-t / 60 s), 60 s", ranked(By::Both, Some(Decay::Exponential(60.0)), false)),
    ("exp(-t / 20 s), 60 s", ranked(By::Both, Some(Decay::Exponential(20.0)), false)),
    ("whole until the row is 5 s younger", ranked(By::Both, Some(Decay::Shown(5.0)), false)),
    ("fades while the row gets 10 s younger", ranked(By::Both, Some(Decay::Fading(10.0)), false)),
    ("fades while the row gets 30 s younger", ranked(By::Both, Some(Decay::Fading(30.0)), false)),
];

/// A table's worth of runs.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    /// Jobs one by one, that would keep this share of all cores busy.
    Stream(f64),
    /// Bursts within so many seconds.
    Bursts(f64),
    /// How claims decay, at that share.
    Decays(f64),
}

/// In the order of the page. The first is the one that the aims are held against.
const PARTS: &[Part] = &[
    Part::Stream(0.2),
    Part::Stream(0.1),
    Part::Stream(0.3),
    Part::Bursts(0.0),
    Part::Bursts(0.1),
    Part::Bursts(2.0),
    Part::Decays(0.3),
];

impl Part {
    fn ways(self) -> &'static [Way] {
        if matches!(self, Part::Decays(_)) { DECAYS } else { WAYS }
    }

    fn scenario(self, nodes: usize, seed: u64) -> Scenario {
        match self {
            Part::Stream(offered) | Part::Decays(offered) => Scenario { offered, ..Scenario::stream(nodes, seed) },
            Part::Bursts(window) => Scenario { seconds: BURSTS_SECONDS, ..Scenario::bursts(nodes, MANY, window, seed) },
        }
    }
}

/// What came of a part at a size, by way.
#[derive(Clone, Debug)]
struct Found {
    nodes: usize,
    part: Part,
    ways: Vec<(&'static str, Outcome)>,
}

impl Found {
    fn of(&self, way: &str) -> Option<&Outcome> {
        self.ways.iter().find(|w| w.0 == way).map(|w| &w.1)
    }
}

#[derive(Debug, PartialEq)]
struct Options {
    nodes: Vec<usize>,
    seeds: u64,
    jobs: usize,
    out: PathBuf,
}

pub(crate) fn run(words: impl Iterator<Item = String>) -> Result<()> {
    let options = parse(words)?;
    let out = &options.out;
    ensure!(
        out.is_dir(),
        "{}: there is no such directory; run this from the repository's root, or name one with --out",
        out.display()
    );
    let found = measure(&options);
    for table in found.iter().map(page::table) {
        table.print();
    }
    for (name, text) in [("placement-figures.md", page::markdown(&found, options.seeds)), ("placement.svg", plot::svg(&found))] {
        let path = out.join(name);
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    println!("\nwritten: {0}/placement-figures.md and {0}/placement.svg", out.display());
    Ok(())
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Options> {
    let mut options = Options { nodes: vec![50, 500], seeds: 10, jobs: 2, out: "docs/internals".into() };
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
            "--seeds" => options.seeds = number(&value)?.clamp(1, SEEDS_MAX),
            "--jobs" => options.jobs = (number(&value)? as usize).clamp(1, JOBS_MAX),
            "--out" => options.out = value.into(),
            _ => bail!("there is no option {word}\n{USAGE}"),
        }
    }
    Ok(options)
}

/// Clusters of a size that are simulated: all sizes see about as many jobs.
fn clusters(nodes: usize, seeds: u64) -> u64 {
    (seeds * 50 / nodes as u64).max(1)
}

fn measure(options: &Options) -> Vec<Found> {
    let mut found: Vec<Found> = options
        .nodes
        .iter()
        .flat_map(|nodes| PARTS.iter().map(|part| Found { nodes: *nodes, part: *part, ways: Vec::new() }))
        .collect();
    let tasks = found.iter().enumerate().flat_map(|(i, f)| f.part.ways().iter().map(move |way| (i, f.nodes, f.part, *way)));
    let tasks: Vec<_> = tasks.collect();
    let results = Mutex::new((0, vec![None; tasks.len()]));
    let work = || {
        loop {
            let mine = {
                let mut results = results.lock().expect("no run panics and goes on");
                results.0 += 1;
                results.0 - 1
            };
            let Some((_, nodes, part, (name, chooser))) = tasks.get(mine) else { return };
            if std::env::var("PB").is_ok_and(|v| {
                !v.split('|').any(|w| w == *name)
                    || matches!(part, Part::Decays(_))
                    || matches!(part, Part::Stream(s) if *s < 0.3)
            }) {
                results.lock().expect("no run panics and goes on").1[mine] = Some(Outcome::default());
                continue;
            }
            let mut all = Outcome::default();
            for seed in 1..=clusters(*nodes, options.seeds) {
                all.join(part.scenario(*nodes, seed).run(*chooser));
            }
            eprintln!("[{}/{}] {nodes} nodes, {part:?}, {name}", mine + 1, tasks.len());
            results.lock().expect("no run panics and goes on").1[mine] = Some(all);
        }
    };
    std::thread::scope(|scope| (0..options.jobs).for_each(|_| drop(scope.spawn(work))));
    let (_, results) = results.into_inner().expect("no run panics and goes on");
    for ((i, _, _, (name, _)), outcome) in tasks.iter().zip(results) {
        found[*i].ways.push((*name, outcome.expect("every task is taken and done")));
    }
    found
}

/// The mean slow-down, of a kind or all.
fn mean(outcome: &Outcome, kind: Option<Kind>) -> f64 {
    outcome.mean(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(text: &str) -> Result<Options> {
        parse(text.split_whitespace().map(String::from))
    }

    #[test]
    fn options_are_read_and_wrong_ones_are_named() {
        let all = options("--nodes 50,100 --seeds 3 --jobs 900 --out x").unwrap();
        assert_eq!(all, Options { nodes: vec![50, 100], seeds: 3, jobs: JOBS_MAX, out: "x".into() });
        for (text, word) in
            [("--nodes 5", "from 50 to 2000"), ("--seeds x", "--seeds \"x\""), ("--what 1", "--what"), ("--out", "--out")]
        {
            let said = options(text).unwrap_err().to_string();
            assert!(said.contains(word), "{text}: {said}");
        }
        assert_eq!((clusters(50, 10), clusters(500, 10), clusters(2_000, 10)), (10, 1, 1));
    }

    #[test]
    fn the_page_and_the_plot_hold_what_was_found() {
        let found: Vec<Found> = [Part::Stream(0.2), Part::Bursts(0.0)]
            .map(|part| {
                let small = Scenario { warm_up: 30.0, seconds: 60.0, ..part.scenario(50, 1) };
                let ways = [WAYS[0], WAYS[3], WAYS[4], WAYS[8]];
                Found { nodes: 50, part, ways: ways.map(|(name, c)| (name, small.run(c))).into() }
            })
            .into();
        let (page, plot) = (page::markdown(&found, 1), plot::svg(&found));
        assert!(page.contains("| by both |") && page.contains("most on one"), "{page}");
        assert!(plot.starts_with("<svg") && plot.contains("oracle") && !plot.contains("NaN"), "{plot}");
    }
}

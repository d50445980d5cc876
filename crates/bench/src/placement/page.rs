//! The tables, as text and as a page.

use super::{BURSTS_SECONDS, Found, MANY, Part, clusters, mean};
use peermon_sim::jobs::{Kind, Outcome};

/// PeerMon's speed-ups over random choice, as [`Kind::ALL`]: what this project should reach at least.
const AIMS: [f64; 3] = [4.62, 2.29, 1.83];
/// How far from the oracle is near enough.
const NEAR: f64 = 1.1;
/// The way that the aims are held against, and the two it is compared with.
const OURS: &str = "both, claims";
const RANDOM: &str = "random";
const ORACLE: &str = "oracle";
const FAILS: &str = "**fails**";

/// Rows under heads.
#[derive(Clone, Debug)]
pub(super) struct Table {
    title: String,
    heads: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn print(&self) {
        println!("\n{}", self.title);
        let heads: Vec<&str> = self.heads.iter().map(String::as_str).collect();
        peermon_bench::table::print(&heads, &self.rows);
    }

    fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let rule = vec!["---".to_string(); self.heads.len()];
        let rows: String = self.rows.iter().map(|r| line(r)).collect();
        format!("\n### {}\n\n{}{}{rows}", self.title, line(&self.heads), line(&rule))
    }
}

impl Part {
    fn title(self) -> String {
        match self {
            Part::Stream(offered) => format!("Jobs one by one, for {:.0} % of all cores", 100.0 * offered),
            Part::Bursts(0.0) => format!("{MANY} people at one moment"),
            Part::Bursts(window) => format!("{MANY} people within {window} s"),
            Part::Decays(offered) => format!("How claims decay: by both, jobs for {:.0} % of all cores", 100.0 * offered),
        }
    }
}

pub(super) fn table(found: &Found) -> Table {
    let mut heads = vec!["placed by".to_string()];
    for kind in Kind::ALL {
        heads.push(format!("{}: mean", kind.name()));
        heads.push("p99".into());
        heads.push(if matches!(found.part, Part::Bursts(_)) { "most on one" } else { "speed-up" }.into());
    }
    heads.extend(["all: mean".to_string(), "over the oracle".into()]);
    let (random, oracle) = (found.of(RANDOM), found.of(ORACLE));
    let row = |(name, o): &(&str, Outcome)| {
        let mut row = vec![(*name).to_string()];
        for kind in Kind::ALL {
            row.push(number(mean(o, Some(kind)), 3));
            row.push(number(o.quantile(Some(kind), 0.99), 2));
            row.push(match found.part {
                Part::Bursts(_) => number(o.most_on_one(kind), 1),
                _ => random.map_or("-".into(), |r| number(mean(r, Some(kind)) / mean(o, Some(kind)), 2)),
            });
        }
        row.push(number(mean(o, None), 3));
        row.push(oracle.map_or("-".into(), |best| percent(mean(o, None) / mean(best, None))));
        row
    };
    let title = format!("{} nodes. {}", found.nodes, found.part.title());
    let mut table = Table { title, heads, rows: found.ways.iter().map(row).collect() };
    // A column that nothing is known for is none.
    for column in (0..table.heads.len()).rev() {
        if table.rows.iter().all(|r| r[column] == "-") {
            table.heads.remove(column);
            table.rows.iter_mut().for_each(|r| drop(r.remove(column)));
        }
    }
    table
}

/// What was to be reached and whether it was, kind by kind.
fn aims(found: &[Found]) -> Table {
    let heads = ["aim", "nodes", "scenario", "of", "at least / at most", "measured", "verdict"].map(String::from).to_vec();
    let mut table = Table { title: "Aims".into(), heads, rows: Vec::new() };
    let mut put = |aim: &str, f: &Found, kind: Kind, limit: f64, value: f64, verdict: &str| {
        let cells = [aim, &f.nodes.to_string(), &f.part.title(), kind.name(), &number(limit, 2), &number(value, 2), verdict];
        table.rows.push(cells.map(String::from).to_vec());
    };
    for f in found {
        let (Some(ours), Some(random), Some(oracle)) = (f.of(OURS), f.of(RANDOM), f.of(ORACLE)) else { continue };
        for (kind, aim) in Kind::ALL.into_iter().zip(AIMS) {
            let at = |o: &Outcome| mean(o, Some(kind));
            let gap = at(ours) / at(oracle);
            let faster = at(random) / at(ours);
            if matches!(f.part, Part::Stream(_)) {
                let most = at(random) / at(oracle);
                let verdict = match faster {
                    v if v >= aim => "holds".to_string(),
                    _ if most < aim => format!("out of reach here: the oracle has {most:.2}"),
                    _ => FAILS.to_string(),
                };
                put("PeerMon's speed-up over random", f, kind, aim, faster, &verdict);
                put("slow-down beside the oracle's", f, kind, NEAR, gap, if gap <= NEAR { "holds" } else { FAILS });
            } else {
                put("slow-down beside ideal spreading's", f, kind, NEAR, gap, if gap <= NEAR { "holds" } else { FAILS });
            }
        }
    }
    table
}

/// The whole page.
pub(super) fn markdown(found: &[Found], seeds: u64) -> String {
    let mut page = HEAD.to_string();
    let mut sizes: Vec<usize> = found.iter().map(|f| f.nodes).collect();
    sizes.dedup();
    let runs: Vec<String> = sizes.iter().map(|n| format!("{n} nodes: {}", clusters(*n, seeds))).collect();
    page += &format!(
        "Clusters simulated, {}; each with an hour of jobs one by one after 20 minutes without counting, and with {:.0} bursts.\n\n",
        runs.join(", "),
        BURSTS_SECONDS / 600.0
    );
    page += "![mean slow-downs](placement.svg)\n";
    for n in sizes {
        page += &format!("\n## {n} nodes\n");
        found.iter().filter(|f| f.nodes == n).for_each(|f| page += &table(f).markdown());
    }
    page += &format!("\n## What was to be reached\n{}", aims(found).markdown());
    page
}

fn number(v: f64, digits: usize) -> String {
    if v.is_finite() { format!("{v:.digits$}") } else { "-".into() }
}

fn percent(ratio: f64) -> String {
    if ratio.is_finite() { format!("{:+.1} %", 100.0 * (ratio - 1.0)) } else { "-".into() }
}

const HEAD: &str = "\
# What choosing machines is worth

Written by `make bench-placement`: do not edit. Jobs on simulated machines that other people use, too. A slow-down is the time a job
took / its time on an empty machine that has enough of everything; p99 is the one that 99 of 100 jobs do not pass. A speed-up is the
mean slow-down of random choice / that of the way in question.

**Machines**: 4 to 64 cores (25, 30, 25, 12 and 8 % have 4, 8, 16, 32, 64), 2, 4 or 8 GB a core, 8 to 512 GB. Processors are shared
evenly by need. Who uses more memory than there is waits for pages: the share of touches that wait is the share of pages not in
memory, and such a touch costs 0.1 ms (a solid-state disk) where 4 us of work lie between two touches in a memory-bound program,
20 us in a parallel one, 100 us in a CPU-bound one.

**Others**: 60 % of machines are nearly idle (0.05 threads a core, 10 % of the memory), 25 % in use (0.5; 40 %), 15 % worn out (1.5;
90 %), processors and memory independently (after Mutka and Livny 1991 and Acharya et al. 1997, who found 60 to 80 % idle, and PeerMon's motive, large imbalances);
for 10 minutes on average, then anew. Their runs come at random, of 1, 2 or 4 threads that can run 30 to 100 % of the time, for 5 to 500 s; what
they hold in memory is 2 to 20 % of the machine for 20 to 1,200 s. They are not slowed by our jobs.

**Jobs** come at random (Poisson) and run 10 to 600 s, log-uniform (Downey 1997): 40 % memory-bound (a thread, 1 to 32 GB), 40 %
CPU-bound (1, 2, 4, 8 or 16 threads, 0.5 GB), 20 % parallel (8 machines, 2 threads and 4 GB on each, ends with the slowest). Memory is
taken within 4 s. In bursts all do the same for 60 s, within the time told: a thread and 4 GB, or 2 threads, or 8 processes of 1 thread and 1 GB.

**Ways of choosing**: all but random and the oracle use the daemon's own ranking of a table whose rows were published once a second,
in the daemon's codes and with its dead-bands, load averages as the kernel makes them, and reached the table 0 to 60 ms later (the measured ages).
Each person sits at another node and has a chance of their own. A claim is heard of 60 ms later, by its own node at once; it is
what the daemon claims (one processor of each machine, or the needs if they are told), counted as the daemon counts it, after a bid that waits 80 ms, unless it says \"without bids\". \"Needs told\" is with
`--cpus` and `--mem`. The oracle knows the true state of all machines including jobs placed a moment ago, and takes the one where the job
and those it meets lose least; in a burst that is the ideal spreading. It does not know the future, so a few hundredths mean nothing.

How large a speed-up over random choice is depends on how often random choice meets a worn-out or crowded machine, which is a property of the
scenario: that is why several loads are shown. How far a way is from the oracle depends on it much less.

";

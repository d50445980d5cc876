//! Tables of the figures, as text and as a page.

use super::cells::{LOSSES, PROTOCOLS, WAVE};
use super::figures::Figures;
use super::gates;

/// How a number is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Unit {
    Seconds,
    Kilobytes,
    /// A length of some bytes.
    Bytes,
    Number,
    Ratio,
    Percent,
    Count,
}

impl Unit {
    /// The unit of a quantity, by its name.
    pub(crate) fn of(quantity: &str) -> Unit {
        match quantity {
            "sent" | "received" | "sent_first_second" | "sent_peak" | "sent_per_heal_second" | "sent_per_second" => {
                Unit::Kilobytes
            }
            "row_bytes" => Unit::Bytes,
            "datagrams" => Unit::Number,
            "redundancy" | "rows_per_new" | "busiest" => Unit::Ratio,
            "rows_missing" | "own_down" | "own_down_at_end" => Unit::Percent,
            "false_suspect" | "false_down" | "later_suspect" | "later_down" | "stalls" | "suspected" | "dead" => Unit::Count,
            _ => Unit::Seconds,
        }
    }

    pub(crate) fn show(self, v: f64) -> String {
        if v.is_infinite() {
            return "never".into();
        }
        match self {
            // PeerMon's ages are tens of seconds, and its own clock counts periods
            Unit::Seconds if v >= 10.0 => format!("{v:.1} s"),
            Unit::Seconds => format!("{v:.3} s"),
            Unit::Kilobytes => format!("{:.2} kB", v / 1e3),
            Unit::Bytes => format!("{v:.1} B"),
            Unit::Number => format!("{v:.0}"),
            Unit::Ratio => format!("{v:.3}"),
            Unit::Percent => format!("{:.1} %", 100.0 * v),
            Unit::Count => format!("{v:.0}"),
        }
    }
}

/// Rows under heads.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    title: String,
    pub(crate) heads: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(title: &str, heads: &[&str]) -> Self {
        Table { title: title.into(), heads: heads.iter().map(|h| (*h).to_string()).collect(), rows: Vec::new() }
    }

    pub(crate) fn print(&self) {
        println!("\n{}", self.title);
        let heads: Vec<&str> = self.heads.iter().map(String::as_str).collect();
        let plain: Vec<Vec<String>> = self.rows.iter().map(|r| r.iter().map(|c| c.replace("**", "")).collect()).collect();
        crate::table::print(&heads, &plain);
    }

    fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let rule = vec!["---".to_string(); self.heads.len()];
        let rows: String = self.rows.iter().map(|r| line(r)).collect();
        format!("{}{}{rows}", line(&self.heads), line(&rule))
    }
}

/// The tables of some sizes, then the goals and the comparison.
pub(crate) fn tables(figures: &Figures, sizes: &[usize]) -> Vec<Table> {
    let mut all: Vec<Table> = sizes.iter().flat_map(|n| [steady(figures, *n), events(figures, *n)]).collect();
    all.extend([gates::comparison(figures), gates::gates(figures)]);
    all.retain(|t| !t.rows.is_empty());
    all
}

/// Ages, bytes and the rest, for each protocol and loss.
fn steady(figures: &Figures, nodes: usize) -> Table {
    let heads = [
        "protocol",
        "loss",
        "age mean / p99 / max, s",
        "sent, kB/s",
        "received",
        "bytes over the bound",
        "rows per new",
        "datagrams/s",
        "busiest / mean",
        "bytes a row",
        "called suspect / down",
    ];
    let mut table = Table::new(&format!("{} nodes, steady state", thousands(nodes)), &heads);
    let conditions = LOSSES.map(|(c, loss)| (c, format!("{} %", 100.0 * loss)));
    let extra = [("full-rows", "0 %, full rows".to_string()), ("budget", "0 %, PeerMon's bandwidth".to_string())];
    for p in PROTOCOLS {
        for (condition, name) in conditions.iter().chain(&extra) {
            let at = |quantity| figures.at(nodes, p.key, condition, quantity);
            let Some(mean) = at("age_mean") else { continue };
            let missing =
                at("rows_missing").filter(|m| *m > 0.0).map_or(String::new(), |m| format!(", {:.2} % not held", 100.0 * m));
            table.rows.push(vec![
                p.name.into(),
                name.clone(),
                format!("{} / {} / {}{missing}", short(mean), number(at("age_p99"), short), number(at("age_max"), short)),
                number(at("sent"), |v| format!("{:.2}", v / 1e3)),
                number(at("received"), |v| format!("{:.2}", v / 1e3)),
                number(at("redundancy"), |v| format!("{v:.2}")),
                number(at("rows_per_new"), |v| format!("{v:.3}")),
                number(at("datagrams"), |v| format!("{v:.0}")),
                number(at("busiest"), |v| format!("{v:.2}")),
                number(at("row_bytes"), |v| format!("{v:.1}")),
                format!("{} / {}", number(at("false_suspect"), count), number(at("false_down"), count)),
            ]);
        }
    }
    table
}

/// Crashes, cuts, joins and stalls, for each protocol.
fn events(figures: &Figures, nodes: usize) -> Table {
    let mut heads = vec!["what happens", "measured"];
    let measured: Vec<_> = PROTOCOLS.iter().filter(|p| figures.at(nodes, p.key, "join", "complete").is_some()).collect();
    heads.extend(measured.iter().map(|p| p.name));
    let mut table = Table::new(&format!("{} nodes, events", thousands(nodes)), &heads);
    if measured.is_empty() {
        return table;
    }
    for (condition, quantities) in EVENTS {
        for quantity in quantities {
            let cells: Vec<_> = measured.iter().map(|p| figures.at(nodes, p.key, condition, quantity)).collect();
            if cells.iter().all(Option::is_none) {
                continue;
            }
            let mut row = vec![self::condition(condition).to_string(), self::quantity(quantity).to_string()];
            row.extend(cells.into_iter().map(|v| number(v, |v| Unit::of(quantity).show(v))));
            table.rows.push(row);
        }
    }
    table
}

const CRASH: &[&str] = &[
    "suspect_mean",
    "suspect_worst",
    "dead_mean",
    "dead_worst",
    "age_p99",
    "age_max",
    "sent_first_second",
    "false_suspect",
    "false_down",
];

const EVENTS: [(&str, &[&str]); 6] = [
    ("crash", CRASH),
    ("crash-20", CRASH),
    (
        "partition",
        &[
            "down_mean",
            "down_worst",
            "sent_peak",
            "sent_per_heal_second",
            "fresh",
            "false_suspect",
            "false_down",
            "own_down",
            "own_down_at_end",
            "later_suspect",
            "later_down",
        ],
    ),
    ("join", &["complete", "sent_per_second", "false_suspect", "false_down"]),
    ("watch-20", &["watched", "false_suspect", "false_down"]),
    ("stalls", &["stalls", "suspected", "dead"]),
];

pub(crate) fn condition(key: &str) -> &str {
    match key {
        "loss-0" => "no loss",
        "loss-1" => "1 % loss",
        "loss-5" => "5 % loss",
        "loss-20" => "20 % loss",
        "crash" => "10 % crash at once",
        "crash-20" => "the same at 20 % loss",
        "partition" => "30 s cut through the middle",
        "join" => "10 % join within 0.2 s",
        "watch-20" => "20 % loss, watched",
        "stalls" => "2 % stopped for 0.1 to 0.9 s each second, 30 s",
        "full-rows" => "full rows (12 B)",
        "budget" => "PeerMon's bandwidth",
        other => other,
    }
}

pub(crate) fn quantity(key: &str) -> &str {
    match key {
        "age_mean" => "age, mean",
        "age_p99" => "age, p99",
        "age_max" => "age, max",
        "sent" => "sent per node and second",
        "datagrams" => "datagrams sent per second",
        "busiest" => "busiest node / mean",
        "suspect_mean" => "suspect everywhere, mean",
        "suspect_worst" => "suspect everywhere, worst",
        "dead_mean" => "down everywhere, mean",
        "dead_worst" => "down everywhere, worst",
        "sent_first_second" => "sent per node in the first second",
        "false_suspect" => "running nodes called suspect",
        "false_down" => "running nodes called down",
        "own_down" => "pairs of one side: called down meanwhile",
        "own_down_at_end" => "pairs of one side: still down when it heals",
        "later_suspect" => "nodes called suspect after it heals",
        "later_down" => "nodes called down after it heals",
        "down_mean" => "other side down, mean of pairs",
        "down_worst" => "other side down everywhere",
        "sent_peak" => "sent per node in the busiest second of the cut",
        "sent_per_heal_second" => "sent per node and second while it heals",
        "fresh" => "all rows fresh after it heals",
        "complete" => "all know all",
        "sent_per_second" => "sent per node and second meanwhile",
        "watched" => "how long",
        "stalls" => "processes stopped",
        "suspected" => "of them called suspect",
        "dead" => "of them called down",
        other => other,
    }
}

/// The whole page.
pub(crate) fn markdown(figures: &Figures) -> String {
    let mut page = String::from(HEAD);
    let seeds: Vec<String> = figures
        .sizes()
        .into_iter()
        .filter_map(|n| {
            let seed = figures.at(n, WAVE.key, "run", "seed")?;
            Some(format!("{} nodes: seed {seed:.0}", thousands(n)))
        })
        .collect();
    page += &format!("Measured with `make bench-gossip`; {}.\n\n", seeds.join("; "));
    page += "![age against bytes sent](gossip-age-bytes.svg)\n\n![age against loss](gossip-age-loss.svg)\n";
    for n in figures.sizes() {
        page += &format!("\n## {} nodes\n", thousands(n));
        for table in [steady(figures, n), events(figures, n)] {
            if !table.rows.is_empty() {
                page += &format!("\n{}", table.markdown());
            }
        }
    }
    page += &format!("\n## Beside the reference simulation\n\n{REFERENCE}\n{}", gates::comparison(figures).markdown());
    page += &format!("\n## Goals\n\n{GOALS}\n{}", gates::gates(figures).markdown());
    page
}

const HEAD: &str = "\
# The protocol's figures

Written by `make bench-gossip`: do not edit. Whole nodes in the simulator, on one made-up network: 0.15 ms and on average 0.1 ms
more a datagram, 0.3 % of them 2 to 15 ms late, loss of each by itself.

- **wave** is what the daemon runs, sealed and signed, with clocks that drift.
- **PeerMon** is its published protocol: the whole table to three peers each period, 28 bytes an entry, 18 entries a datagram, a
  TTL of 10 periods, and the three choices of peers in turn (least heard of, lowest TTL, longest not sent to). 10 s is the period of
  its published 0.16 Mbit/s at 2,200 nodes.
- **Newest-first push**: the freshest rows, as long as wave's, fill one datagram to one random peer each 50 ms; a node is down after
  10 periods of silence. The other two are in clear text and their clocks agree perfectly, which favours them.

Ages are now minus the moment of sampling, of the rows that nodes hold of running nodes. Bytes include IP and UDP headers (28 a
datagram). The bound is what a node must receive at least: (nodes - 1) x mean row bytes / period. Suspect and down counts are of
running nodes so called. Times until known everywhere are the mean and the worst over crashed nodes, with crashes at moments
spread evenly over a period, twelve with up to 500 nodes and four with more. The p99 age after a crash is that of the worst moment. While a cluster is cut,
nodes that have no path to each other on their own side are down to each other too, until the rings close; that is counted as it is.

";

const REFERENCE: &str = "\
The reference is a simulation of the protocols on paper, made before this code: rows of 6 bytes at a loss, of 12 bytes in the events and
for the push; headers of 40 bytes for wave and of 12 for the others, which talk without latency there. What is more than 15 % worse
is marked. PeerMon is staler here because it tells newer entries from older ones by the TTL alone, in whole periods, as its
description says; the reference compared the moments of sampling. A member's record has 60 bytes there and some 190, signed, here, and a
joiner publishes at once there and with the next wave here: so a join takes longer and costs more.
";

const GOALS: &str = "\
At a period of 1 s. The processor time and memory of real daemons are what `make bench-footprint` and `make bench-cluster` measure.
";

/// 2200 as 2,200.
pub(crate) fn thousands(n: usize) -> String {
    if n < 1000 { n.to_string() } else { format!("{},{:03}", n / 1000, n % 1000) }
}

fn number(v: Option<f64>, show: impl Fn(f64) -> String) -> String {
    v.map_or_else(|| "-".into(), show)
}

fn short(v: f64) -> String {
    if v >= 10.0 { format!("{v:.1}") } else { format!("{v:.3}") }
}

fn count(v: f64) -> String {
    format!("{v:.0}")
}

//! The links `smarterssh` and `autompigen`: the flags of the tools of those names (PeerMon's), on this program.

use super::{hostfile, ssh};
use crate::Failure;
use crate::choice::{choose, count, host};
use crate::cli::Place;
use crate::connect::connect;
use crate::output::{Cell, Column, Output, Table, short_number};
use clap::Parser;
use peermon_api::{BestAnswer, BestNode, BestQuery, By, FactValue, NodeView, Service};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Log in to the node with the least load and the most memory.
#[derive(Parser, Debug)]
#[command(name = "smarterssh", version, max_term_width = 100)]
#[command(after_help = "Examples:\n  smarterssh\n  smarterssh -m -- uptime\n  smarterssh -i -n 5 -v")]
pub(crate) struct SmarterSsh {
    #[command(flatten)]
    common: Common,
    /// How many nodes to list
    #[arg(short, value_name = "N", value_parser = count)]
    n: Option<usize>,
    /// List the nodes and exit
    #[arg(short, long)]
    info: bool,
    /// What ssh gets behind the node's name
    #[arg(value_name = "SSH ARGUMENTS", trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<OsString>,
}

/// Write a hostfile of the nodes with the least load and the most memory for Open MPI.
#[derive(Parser, Debug)]
#[command(name = "autompigen", version, max_term_width = 100)]
#[command(after_help = "Examples:\n  autompigen -n 4 hosts\n  autompigen -n 32 -q -x hosts\n  autompigen -n 4 -s 2 hosts")]
pub(crate) struct AutoMpiGen {
    #[command(flatten)]
    common: Common,
    /// The hostfile
    #[arg(value_name = "HOSTFILE")]
    file: Option<PathBuf>,
    /// How many machines, or with -x how many CPUs
    #[arg(short, value_name = "N", default_value_t = 1, value_parser = count)]
    n: usize,
    /// Slots of every machine
    #[arg(short, long, value_name = "SLOTS", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "quantify")]
    slots: Option<u32>,
    /// A slot for every CPU of a machine
    #[arg(short, long)]
    quantify: bool,
    /// Read -n as a number of CPUs
    #[arg(short = 'x', requires = "quantify")]
    cpus: bool,
    /// List the nodes and exit
    #[arg(short, long)]
    info: bool,
}

/// Load per core that PeerMon's tools take for no difference.
const CPU_DELTA: f64 = 0.1;

/// What both take.
#[derive(clap::Args, Debug)]
struct Common {
    /// Order by CPU load alone
    #[arg(short, long, conflicts_with_all = ["mem", "random"])]
    cpu: bool,
    /// Order by available memory alone
    #[arg(short, long, conflicts_with = "random")]
    mem: bool,
    /// Any nodes
    #[arg(short, long)]
    random: bool,
    /// Load per core that counts as no difference
    #[arg(long, value_name = "LOAD", default_value_t = CPU_DELTA)]
    cpu_delta: f64,
    /// Available memory that counts as no difference [default: 1GB, for hostfiles 100MB]
    #[arg(long, value_name = "BYTES", value_parser = crate::output::amount)]
    mem_delta: Option<f64>,
    /// Print a table: name, CPU load, available memory in kB, CPU cores
    #[arg(short, long)]
    verbose: bool,
    /// Addresses instead of names
    #[arg(short = 'I', long = "IP")]
    addresses: bool,
    /// The daemon's port on this machine
    #[arg(short, long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
}

/// Memory that counts as no difference when a hostfile is written.
const HOSTFILE_MEM_DELTA: f64 = 1e8;

impl Common {
    fn place(&self) -> Place {
        Place { api: self.port.map(|p| format!("http://127.0.0.1:{p}")), token_file: None }
    }

    fn query(&self, n: usize, mem_delta: f64) -> BestQuery {
        let by = match (self.cpu, self.mem) {
            (true, _) => By::Cpu,
            (_, true) => By::Mem,
            _ => By::Both,
        };
        // Where all are equal, the lot decides.
        let order = if self.random { vec!["0".to_string()] } else { Vec::new() };
        let mem_delta = self.mem_delta.unwrap_or(mem_delta);
        BestQuery { n, by, cpu_delta: self.cpu_delta, mem_delta, order, whole: true, ..BestQuery::default() }
    }

    fn list(&self, answer: &BestAnswer, output: &mut Output<'_>) -> Result<(), Failure> {
        let hosts = answer.best.iter().map(|b| host(b, self.addresses)).collect::<Result<Vec<_>, _>>()?;
        if !self.verbose {
            return hosts.iter().try_for_each(|h| output.line(h));
        }
        let mut table = Table::new(&[
            Column::text(if self.addresses { "IP" } else { "NAME" }, 255),
            Column::number("CPU LOAD", 255),
            Column::number("FREE MEM (KB)", 255),
            Column::number("CPU CORES", 255),
        ]);
        for (host, node) in hosts.iter().zip(&answer.nodes) {
            let vital = |name: &str| node.vitals.get(name).copied();
            table.row(vec![
                Cell::new(host),
                Cell::known(vital("load.1"), short_number),
                Cell::known(vital("mem.available"), |b| format!("{:.0}", b / 1000.0)),
                Cell::known(cpus(node), |c| c.to_string()),
            ]);
        }
        table.print(output.out, output.screen)
    }
}

fn cpus(node: &NodeView) -> Option<u32> {
    match node.facts.get("cpu.threads") {
        Some(FactValue::Number(n)) if *n >= 1.0 => Some(*n as u32),
        _ => None,
    }
}

impl SmarterSsh {
    pub(crate) fn run(&self, output: &mut Output<'_>) -> Result<(), Failure> {
        self.ask(&connect(&self.common.place())?, output)
    }

    fn ask(&self, service: &dyn Service, output: &mut Output<'_>) -> Result<(), Failure> {
        let answer = choose(service, &self.common.query(self.n.unwrap_or(1), BestQuery::default().mem_delta))?;
        if self.info || self.n.is_some() || self.common.verbose {
            return self.common.list(&answer, output);
        }
        let host = host(&answer.best[0], self.common.addresses)?;
        output.line(&format!("sshing into {host}"))?;
        ssh::become_ssh(&host, &self.rest, output)
    }
}

impl AutoMpiGen {
    pub(crate) fn run(&self, output: &mut Output<'_>) -> Result<(), Failure> {
        self.ask(&connect(&self.common.place())?, output)
    }

    fn ask(&self, service: &dyn Service, output: &mut Output<'_>) -> Result<(), Failure> {
        let n = if self.cpus { BestQuery::N_MAX } else { self.n };
        let mut answer = choose(service, &self.common.query(n, HOSTFILE_MEM_DELTA))?;
        if self.cpus {
            let (mut found, mut taken) = (0, 0);
            while taken < answer.nodes.len() && found < self.n {
                found += cpus(&answer.nodes[taken]).unwrap_or(1) as usize;
                taken += 1;
            }
            answer.best.truncate(taken);
            answer.nodes.truncate(taken);
            if found < self.n {
                output.hint(&format!("All {taken} nodes together have {found} CPUs, fewer than {}.", self.n))?;
            }
        } else if answer.best.len() < self.n {
            output.hint(&format!("Only {} of {} nodes could be offered.", answer.best.len(), self.n))?;
        }
        if self.common.verbose || self.info {
            self.common.list(&answer, output)?;
        }
        match &self.file {
            _ if self.info => Ok(()),
            Some(file) => self.write(file, &answer.best, &answer.nodes),
            None if self.common.verbose => Ok(()),
            None => Err(Failure::new("name the hostfile to write, e.g. `autompigen -n 4 hosts`, or -i to look only")),
        }
    }

    fn write(&self, file: &Path, best: &[BestNode], nodes: &[NodeView]) -> Result<(), Failure> {
        let slots = |node| if self.quantify { Some(cpus(node).unwrap_or(1)) } else { self.slots };
        let lines = best.iter().zip(nodes).map(|(b, node)| Ok((host(b, self.common.addresses)?, slots(node))));
        hostfile::write_openmpi(file, &lines.collect::<Result<Vec<_>, Failure>>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{Screen, collected};
    use crate::testing::Fake;

    fn ssh(line: &str) -> String {
        let args = SmarterSsh::try_parse_from(line.split(' ')).unwrap_or_else(|e| panic!("{e}"));
        let (out, _, result) = collected(Screen::PIPE, |o| args.ask(&Fake::five(), o));
        result.map_or_else(|e| e.to_string(), |()| out)
    }

    #[test]
    fn smarterssh_lists_and_exits() {
        assert_eq!(ssh("smarterssh -i"), "here-2\n");
        assert_eq!(ssh("smarterssh -n 2 -I"), "127.0.0.1\n127.0.0.1\n");
        let table = "NAME    CPU LOAD  FREE MEM (KB)  CPU CORES\nhere-2      0.60       25877178          8\n";
        assert_eq!(ssh("smarterssh --verbose"), table);
    }

    #[test]
    fn flags_are_those_of_the_tools() {
        let query = |line: &str| {
            let args = SmarterSsh::try_parse_from(line.split(' ')).unwrap_or_else(|e| panic!("{e}"));
            (args.common.query(1, 1e9), args.common.place().api, args.rest)
        };
        let (q, api, rest) = query("smarterssh -c -p 1981 -- -X uptime");
        assert_eq!((q.by, api.as_deref(), rest.len()), (By::Cpu, Some("http://127.0.0.1:1981"), 2));
        assert_eq!(query("smarterssh --mem").0.by, By::Mem);
        assert_eq!(query("smarterssh -r").0.order, ["0"]);
        for wrong in ["smarterssh -c -m", "smarterssh -n 0", "smarterssh -p 0"] {
            assert!(SmarterSsh::try_parse_from(wrong.split(' ')).is_err(), "{wrong}");
        }
        for wrong in ["autompigen -q -s 2 f", "autompigen -x f", "autompigen -n"] {
            assert!(AutoMpiGen::try_parse_from(wrong.split(' ')).is_err(), "{wrong}");
        }
    }

    #[test]
    fn autompigen_writes_hostfiles() {
        let dir = peermon_testbed::Directory::new().expect("a directory");
        let file = dir.path().join("hosts");
        let check = |line: &str, expected: &str, hint: &str| {
            let args = AutoMpiGen::try_parse_from(line.split(' ').chain([file.to_str().expect("a path")]));
            let args = args.unwrap_or_else(|e| panic!("{e}"));
            let (_, hints, result) = collected(Screen::PIPE, |o| args.ask(&Fake::five(), o));
            result.unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(
                (std::fs::read_to_string(&file).expect("written"), hints.trim_end()),
                (expected.to_string(), hint),
                "{line}"
            );
        };
        check("autompigen", "here-2\n", "");
        check("autompigen -n 2 -s 3", "here-2 slots=3\nhere-1 slots=3\n", "");
        check("autompigen -n 9 -q", "here-2 slots=8\nhere-1 slots=8\n", "Only 2 of 9 nodes could be offered.");
        check("autompigen -n 8 -q -x", "here-2 slots=8\n", "");
        check("autompigen -n 9 -q -x -I", "127.0.0.1 slots=8\n127.0.0.1 slots=8\n", "");
        check("autompigen -n 20 -q -x", "here-2 slots=8\nhere-1 slots=8\n", "All 2 nodes together have 16 CPUs, fewer than 20.");
    }
}

//! `peermon hostfile`: the best nodes as other programs want them told.

mod file;
mod format;

use crate::Failure;
use crate::choice::{Choice, choose, count, host, tell_short};
use crate::claiming::Claiming;
use crate::output::Output;
use clap::ValueEnum;
use format::Host;
use peermon_api::{BestQuery, Service};
use std::path::PathBuf;
use std::time::Duration;

/// Write the best nodes into a file that a launcher reads
///
/// The file is replaced at once and as a whole, so whoever reads it while it changes reads the old one or the new one. With --watch it is
/// kept fresh until this command ends.
///
/// The nodes are claimed for a minute (--claim, --no-claim; never with --watch): what --cpus, --mem and --gpus ask for of each, or one
/// processor.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  peermon hostfile -n 4 --mem 8G hosts && mpirun --hostfile hosts ./solver
  peermon hostfile -n 4 --format mpich --slots 2 hosts
  peermon hostfile -n 8 --format parallel --watch 10 nodes.slf
  srun -w $(peermon hostfile -n 4 --format slurm-nodelist) ./solver
  peermon hostfile -n 3 --format template --template '{name} {mem.available}'")]
pub(crate) struct Args {
    /// The file; without it the list is printed
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Who is to read it
    #[arg(long, short, value_enum, value_name = "FORMAT", default_value = "openmpi")]
    format: Format,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// How many nodes at most [default: 1, or what --select says in its span]
    #[arg(short, long = "count", value_name = "N", value_parser = count)]
    n: Option<usize>,
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    claiming: Claiming,
    /// Processes a node takes: cores (its processor cores), threads (what its kernel schedules on), gpus, claim (the processors that
    /// are claimed), or a number [default: cores, or what --select says in its span]
    #[arg(long, value_name = "cores|threads|gpus|claim|N", value_parser = slots)]
    slots: Option<Slots>,
    /// Write addresses instead of names
    #[arg(long, short = 'I')]
    addresses: bool,
    /// With --format template: the line of each node; {name} {address} {host} {slots} {id} {zone} and any attribute's name in braces, \t a tab
    #[arg(long, value_name = "LINE", required_if_eq("format", "template"))]
    template: Option<String>,
    /// With --format ray and ansible: the user to log in as
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Keep the file fresh: look every so many seconds
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "5", require_equals = false, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    watch: Option<u32>,
}

/// Who reads the list.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// `HOST slots=N`
    Openmpi,
    /// `HOST:N`, for hydra's -f
    Mpich,
    /// `HOST:N`, for -machinefile
    Intel,
    /// One folded line, as in SLURM_NODELIST
    SlurmNodelist,
    /// `N/HOST`, for GNU parallel's --sshloginfile
    Parallel,
    /// One host a line, for -w ^FILE
    Pdsh,
    /// One host a line, for dask-ssh --hostfile; the first is the scheduler
    Dask,
    /// A cluster configuration; the first is the head
    Ray,
    /// An inventory in JSON
    Ansible,
    /// One host a line
    Plain,
    /// A JSON array: name, id, address, host, slots, age_seconds
    Json,
    /// As --template says
    Template,
}

/// How many processes a node takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slots {
    Cores,
    Threads,
    Gpus,
    /// As many as processors were claimed.
    Claim,
    Number(u32),
}

/// Processes on one node, at most: more than any machine has processors.
const SLOTS_MAX: u32 = 100_000;

fn slots(text: &str) -> Result<Slots, String> {
    match text {
        "cores" => Ok(Slots::Cores),
        "threads" => Ok(Slots::Threads),
        "gpus" => Ok(Slots::Gpus),
        "claim" => Ok(Slots::Claim),
        n => match n.parse() {
            Ok(n) if (1..=SLOTS_MAX).contains(&n) => Ok(Slots::Number(n)),
            _ => Err(format!("write cores, threads, gpus, claim or a number from 1 to {SLOTS_MAX}")),
        },
    }
}

pub(crate) fn run(args: &Args, service: &dyn Service, output: &mut Output<'_>) -> Result<(), Failure> {
    if let Some(template) = &args.template {
        format::check_template(template)?;
    }
    if args.slots == Some(Slots::Claim) && (args.claiming.no_claim || args.watch.is_some()) {
        return Err(Failure::new("--slots claim is what is claimed, and --no-claim and --watch claim nothing; give a number"));
    }
    let Some(path) = &args.file else {
        if args.watch.is_some() {
            return Err(Failure::new("--watch keeps a file fresh: name the file, e.g. `peermon hostfile --watch 5 hosts`"));
        }
        let (text, found) = write(args, service, output)?;
        write!(output.out, "{text}")?;
        return tell_short(args.n, found, output);
    };
    let (mut text, found) = write(args, service, output)?;
    file::replace(path, &text)?;
    tell_short(args.n, found, output)?;
    let Some(seconds) = args.watch else { return Ok(()) };
    let mut told = false;
    loop {
        std::thread::sleep(Duration::from_secs(u64::from(seconds)));
        match write(args, service, output) {
            Ok((new, _)) => {
                // Equals change places from one answer to the next; that alone is no news.
                if !file::same(&text, &new) {
                    file::replace(path, &new)?;
                    text = new;
                }
                told = false;
            }
            // The daemon may be back at the next look, and an old list is better than none.
            Err(Failure::Said(why)) if !told => {
                output.hint(&format!("{} stays as it is: {why}", path.display()))?;
                told = true;
            }
            Err(Failure::Said(_)) => {}
            Err(e @ Failure::OutputClosed) => return Err(e),
        }
    }
}

/// The text, and how many nodes are in it.
fn write(args: &Args, service: &dyn Service, output: &mut Output<'_>) -> Result<(String, usize), Failure> {
    let query = BestQuery { whole: true, ..args.choice.query(args.n) };
    let answer = if args.watch.is_some() {
        // Its own claims would drive it from one node to the next.
        choose(service, &query)?
    } else {
        args.claiming.choose(service, &query, None, output)?
    };
    if args.slots == Some(Slots::Claim) && answer.claims.is_empty() {
        return Err(Failure::new("--slots claim is what is claimed, but nothing could be; give a number"));
    }
    let claimed = |i: usize| answer.claims.get(i).map(|c| Slots::Number((c.cpus.max(c.gpus).ceil() as u32).max(1)));
    let per_node = answer.per_node.and_then(|n| u32::try_from(n).ok()).map(Slots::Number);
    let slots = args.slots.or(per_node).unwrap_or(Slots::Cores);
    let hosts: Vec<Host<'_>> = answer
        .best
        .iter()
        .zip(&answer.nodes)
        .enumerate()
        .map(|(i, (best, node))| {
            let slots = if slots == Slots::Claim { claimed(i).unwrap_or(Slots::Number(1)) } else { slots };
            Ok(Host { host: host(best, args.addresses)?, slots: Host::slots(node, slots), best, node })
        })
        .collect::<Result<_, Failure>>()?;
    let format = if args.json { Format::Json } else { args.format };
    let text = format::text(format, &hosts, args.template.as_deref(), args.user.as_deref())?;
    Ok((text, hosts.len()))
}

/// What the links `autompigen` needs of this.
pub(super) fn write_openmpi(path: &std::path::Path, hosts: &[(String, Option<u32>)]) -> Result<(), Failure> {
    let line = |(host, slots): &(String, Option<u32>)| match slots {
        Some(n) => format!("{host} slots={n}\n"),
        None => format!("{host}\n"),
    };
    file::replace(path, &hosts.iter().map(line).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{Screen, collected};
    use crate::testing::Fake;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn list(line: &[&str]) -> Result<(String, String), String> {
        let line = Line::try_parse_from([&["hostfile"], line].concat()).map_err(|e| e.to_string())?;
        let (out, hints, result) = collected(Screen::PIPE, |o| run(&line.args, &Fake::five(), o));
        result.map(|()| (out, hints)).map_err(|e| e.to_string())
    }

    #[test]
    fn every_format_is_what_its_reader_reads() {
        let check = |line: &str, expected: &str| {
            let line: Vec<_> = ["-n", "2"].into_iter().chain(line.split(' ')).collect();
            assert_eq!(list(&line), Ok((expected.to_string(), String::new())), "{line:?}");
        };
        check("-f openmpi", "here-2 slots=8\nhere-1 slots=8\n");
        check("-f openmpi --slots 2", "here-2 slots=2\nhere-1 slots=2\n");
        check("-f mpich --slots threads", "here-2:8\nhere-1:8\n");
        check("-f intel --slots gpus", "here-2:1\nhere-1:1\n");
        check("-f openmpi --slots claim", "here-2 slots=1\nhere-1 slots=1\n");
        check("-f openmpi --slots claim --cpus 6", "here-2 slots=6\nhere-1 slots=6\n");
        check("-f slurm-nodelist", "here-[1-2]\n");
        check("-f parallel", "8/here-2\n8/here-1\n");
        check("-f parallel -I", "8/127.0.0.1\n8/127.0.0.1\n");
        check("-f pdsh", "here-2\nhere-1\n");
        check("-f dask", "here-2\nhere-1\n");
        check("-f plain", "here-2\nhere-1\n");
        check(
            "-f template --template {name}:{address}\\t{slots}:{load.1}:{os.arch}:{zone}",
            "here-2:127.0.0.1\t8:0.6::here\nhere-1:127.0.0.1\t8:0.6::here\n",
        );
        let ray = "cluster_name: peermon\nprovider:\n  type: local\n  head_ip: \"here-2\"\n  worker_ips: [\"here-1\"]\nauth:\n  ssh_user: \"u\"\n\
                   min_workers: 1\nmax_workers: 1\n";
        check("-f ray --user u", ray);
        let json: serde_json::Value = serde_json::from_str(&list(&["-f", "json"]).expect("a list").0).expect("JSON");
        assert_eq!((&json[0]["host"], &json[0]["slots"]), (&"here-2".into(), &8.into()));
        let json: serde_json::Value = serde_json::from_str(&list(&["-f", "ansible", "-I"]).expect("a list").0).expect("JSON");
        assert_eq!(json["best"]["hosts"][0], "here-2");
        assert_eq!(json["_meta"]["hostvars"]["here-2"]["ansible_host"], "127.0.0.1");
    }

    #[test]
    fn fewer_than_asked_for_are_told() {
        let (_, hints) = list(&["-n", "5"]).expect("a list");
        assert_eq!(hints, "Only 2 of 5 nodes could be offered; `peermon best -n 5 --explain` says why.\n");
    }

    #[test]
    fn wrong_requests_are_refused_by_name() {
        for (line, message) in [
            (&["-f", "template"][..], "--template"),
            (&["-f", "lam"], "possible values: openmpi, mpich"),
            (&["--slots", "0"], "cores, threads, gpus, claim or a number from 1"),
            (&["--slots", "claim", "--no-claim"], "--slots claim is what is claimed"),
            (&["--watch", "5"], "name the file"),
            (&["--watch", "0", "x"], "0 is not in 1..=86400"),
            (&["-f", "template", "--template", "{name"], "the brace before \"name\" is not closed"),
            (&["-f", "template", "--template", "{nmae}"], "no attribute is named nmae; write"),
            (&["/nonexistent/hosts"], "cannot write /nonexistent/hosts"),
            (&["/"], "cannot write /"),
        ] {
            let said = list(line).expect_err(message);
            assert!(said.contains(message), "{line:?}: {said}");
        }
    }
}

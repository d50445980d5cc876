//! `peermon run`: a command on several nodes at once.

mod job;

use crate::Failure;
use crate::choice::{Choice, count, host, tell_short};
use crate::claiming::{Claiming, release};
use crate::output::{Output, Progress, clean};
use job::{Ending, News, Work};
use peermon_api::{BestNode, NodesQuery, Service, State};
use peermon_placement::nodeset;
use serde_json::json;
use std::collections::VecDeque;
use std::io::Write;
use std::sync::mpsc::sync_channel;

/// Run a command on the best nodes, over ssh
///
/// Every line of output stands behind the node's name. On a terminal a last line says how far it is; in the end failures are summed up, and
/// the exit code is 1 if there is any. ssh must be able to log in without asking (keys or an agent).
///
/// With --json each line of output, and each end, is an object on a line of its own.
///
/// A single word is a line for the shell there; several words are run as they are.
///
/// The best nodes are claimed for a minute (--claim, --no-claim), each until its command has ended: what --cpus, --mem and --gpus ask for,
/// or one processor.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  peermon run -n 4 -- hostname
  peermon run -n 4 --mem 8G -- 'cd /data && ls | wc -l'
  peermon run --nodes 'node[1-8]' -- systemctl is-active chrony
  peermon run --group up -- uptime
  peermon run --group up --json -- uname -r | jq -r 'select(.line) | .line'")]
pub(crate) struct Args {
    /// How many nodes at most [default: 1, or what --select says in its span]
    #[arg(short, long = "count", value_name = "N", value_parser = count)]
    n: Option<usize>,
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    claiming: Claiming,
    /// On these nodes instead of the best ones, whatever their state, e.g. 'node[1-3,10]' or '@role=train!node7'
    #[arg(long, short = 'w', value_name = "NODESET", conflicts_with_all = ["n", "group"])]
    nodes: Option<String>,
    /// On all nodes of a group instead of the best ones: up, idle, gpufree, a label; `peermon groups` lists them
    #[arg(long, value_name = "GROUP", conflicts_with = "n")]
    group: Option<String>,
    /// Use addresses instead of names
    #[arg(long, short = 'I')]
    addresses: bool,
    /// Nodes that work at the same time; every one is an ssh here
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = count)]
    at_once: usize,
    /// Further options for ssh, one word each, e.g. --ssh-option=-luser
    #[arg(long, value_name = "OPTION", allow_hyphen_values = true)]
    ssh_option: Vec<String>,
    /// Print a JSON object a line: node, id, with stream (out, err) and line, or with well and, if it failed, why
    #[arg(long)]
    json: bool,
    /// No line that says how far it is
    #[arg(long, short)]
    quiet: bool,
    /// The command
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

pub(crate) fn run(args: &Args, service: &dyn Service, output: &mut Output<'_>) -> Result<(), Failure> {
    let Chosen { nodes, claims } = nodes(args, service, output)?;
    tell_short(args.n, nodes.len(), output)?;
    let hosts = nodes.iter().map(|n| host(n, args.addresses)).collect::<Result<Vec<_>, _>>()?;
    let words = job::remote_words(&args.command);
    // Longest first, so that all names take as much room.
    let width = nodes.iter().map(|n| n.name.chars().count()).max().unwrap_or_default();
    let mut waiting: VecDeque<usize> = (0..nodes.len()).collect();
    let (sender, news) = sync_channel(job::NEWS_MAX);
    let mut progress = Progress::new(!args.quiet && !args.json);
    let mut endings: Vec<Option<Ending>> = vec![None; nodes.len()];
    let mut running = 0;
    let mut done = 0;
    while done < nodes.len() {
        while running < args.at_once
            && let Some(index) = waiting.pop_front()
        {
            let work = Work { index, host: &hosts[index], options: &args.ssh_option, words: &words };
            job::start(&work, &sender);
            running += 1;
        }
        match news.recv() {
            Ok(News::Line { index, error, line }) => {
                if args.json {
                    let line = String::from_utf8_lossy(&line);
                    let (node, stream) = (&nodes[index], if error { "err" } else { "out" });
                    output.json_line(&json!({ "node": node.name, "id": node.id, "stream": stream, "line": line }))?;
                    continue;
                }
                progress.hide(output)?;
                let name = clean(&nodes[index].name);
                let to: &mut dyn Write = if error { output.hints } else { output.out };
                write!(to, "{name:width$}: ")?;
                to.write_all(&line)?;
                writeln!(to)?;
                to.flush()?;
            }
            Ok(News::End { index, ending }) => {
                if args.json {
                    let (node, well) = (&nodes[index], ending == Ending::Well);
                    let mut told = json!({ "node": node.name, "id": node.id, "well": well });
                    if let Ending::Badly(why) = &ending {
                        told["why"] = why.as_str().into();
                    }
                    output.json_line(&told)?;
                }
                endings[index] = Some(ending);
                release(service, claims.get(index).copied());
                running -= 1;
                done += 1;
            }
            // The sender is held here, so this cannot be; there is nothing to wait for if it is.
            Err(_) => break,
        }
        progress.show(done, nodes.len(), "done", output)?;
    }
    progress.hide(output)?;
    summed_up(&nodes, &endings)
}

/// Where to run it, and the numbers of the claims of these nodes, if there are any.
struct Chosen {
    nodes: Vec<BestNode>,
    claims: Vec<u16>,
}

fn nodes(args: &Args, service: &dyn Service, output: &mut Output<'_>) -> Result<Chosen, Failure> {
    if args.nodes.is_none() && args.group.is_none() {
        let answer = args.claiming.choose(service, &args.choice.query(args.n), None, output)?;
        return Ok(Chosen { nodes: answer.best, claims: answer.claims.iter().map(|c| c.number).collect() });
    }
    let mut query = NodesQuery { all: true, conditions: args.choice.conditions.clone(), ..NodesQuery::default() };
    if let Some(group) = &args.group {
        let members = crate::group::condition(group);
        crate::group::check(service, group, &members)?;
        query.conditions.push(members);
    }
    let mut found = service.nodes(&query)?;
    if let Some(set) = &args.nodes {
        super::nodes::keep_named(&mut found, set, service)?;
    } else {
        // Whoever left or died is not meant by a label.
        found.retain(|n| !matches!(n.state, State::Down | State::Left));
    }
    if found.is_empty() {
        return Err(Failure::new("no node is like that; `peermon nodes` lists all"));
    }
    let chosen = |n: peermon_api::NodeView| BestNode {
        address: n
            .addresses
            .first()
            .and_then(|a| a.parse().ok())
            .map_or(String::new(), |a: std::net::SocketAddr| a.ip().to_string()),
        age_seconds: n.age_seconds.unwrap_or_default(),
        name: n.name,
        id: n.id,
        score: 0.0,
        reasons: Vec::new(),
    };
    Ok(Chosen { nodes: found.into_iter().map(chosen).collect(), claims: Vec::new() })
}

/// Success, or all failures in one message, alike ones together.
fn summed_up(nodes: &[BestNode], endings: &[Option<Ending>]) -> Result<(), Failure> {
    let mut kinds: Vec<(String, Vec<&str>)> = Vec::new();
    for (node, ending) in nodes.iter().zip(endings) {
        let why = match ending {
            Some(Ending::Well) => continue,
            Some(Ending::Badly(why)) => why.as_str(),
            None => "it never ended",
        };
        match kinds.iter_mut().find(|k| k.0 == why) {
            Some(kind) => kind.1.push(&node.name),
            None => kinds.push((why.to_string(), vec![&node.name])),
        }
    }
    if kinds.is_empty() {
        return Ok(());
    }
    let failed: usize = kinds.iter().map(|k| k.1.len()).sum();
    let mut lines = vec![format!("it failed on {failed} of {} nodes:", nodes.len())];
    lines.extend(kinds.into_iter().map(|(why, names)| {
        let folded = nodeset::fold(names);
        let all: Vec<_> = [folded.text].into_iter().filter(|t| !t.is_empty()).chain(folded.left_out).collect();
        format!("  {}: {why}", all.join(","))
    }));
    Err(Failure::new(lines.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Fake;
    use peermon_api::BestQuery;

    #[test]
    fn failures_are_summed_up_alike_ones_together() {
        let best = Fake::five().best(&BestQuery { n: 2, ..BestQuery::default() }).expect("two").best;
        let badly = |why: &str| Some(Ending::Badly(why.into()));
        let said = |endings: &[Option<Ending>]| summed_up(&best, endings).err().map(|e| e.to_string());
        assert_eq!(said(&[Some(Ending::Well), Some(Ending::Well)]), None);
        assert_eq!(
            said(&[badly("exit code 3"), badly("exit code 3")]).expect("failures"),
            "it failed on 2 of 2 nodes:\n  here-[1-2]: exit code 3"
        );
        let two = "it failed on 2 of 2 nodes:\n  here-2: exit code 3\n  here-1: it never ended";
        assert_eq!(said(&[badly("exit code 3"), None]).expect("failures"), two);
    }
}

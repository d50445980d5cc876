//! `peermon demo`: a small cluster on loopback.

mod cluster;

use crate::Failure;
use crate::output::{Cell, Column, Output, Progress, Table};
use cluster::{Cluster, Member, Missing};
use peermon_api::{BestQuery, By, NodesQuery, Service};
use serde_json::json;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Start a small cluster on this machine, to look at
///
/// Every node is a daemon of its own on loopback. Two publish real values of this machine; the others replay recorded traces of
/// other machines and are labelled so, so that there is something to choose between. Nothing is left behind at the end.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  peermon demo                      ends with Ctrl-C
  peermon demo --nodes 8
  peermon demo --exit-after 5
  peermon demo --json | jq -r '.nodes[]?.http'")]
pub(crate) struct Args {
    /// How many nodes
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=NODES_MAX))]
    nodes: u8,
    /// End after so many seconds instead of waiting for Ctrl-C
    #[arg(long, value_name = "SECONDS")]
    exit_after: Option<u32>,
    /// Print a JSON object a line for what happens: event (starting, ready, ended, stopped) and what belongs to it
    #[arg(long)]
    json: bool,
    /// No line that says how far it is
    #[arg(long, short)]
    quiet: bool,
}

/// Nodes of a demonstration: more say nothing new and slow a small machine down.
const NODES_MAX: i64 = 20;
/// Time the nodes have to find each other before the demonstration gives up.
const READY_MAX: Duration = Duration::from_secs(20);
/// How often it looks whether they have, and whether it should end.
const LOOK: Duration = Duration::from_millis(50);

pub(crate) fn run(args: &Args, output: &mut Output<'_>) -> Result<(), Failure> {
    let stop = stop_signal()?;
    match args.json {
        true => output.json_line(&json!({ "event": "starting", "nodes": args.nodes }))?,
        false => output.hint(&format!("Starting {} daemons on loopback ...", args.nodes))?,
    }
    let mut progress = Progress::new(!args.quiet && !args.json);
    let mut cluster = Cluster::start(usize::from(args.nodes))?;
    let started = Instant::now();
    while let Err(Missing { seeing, why }) = cluster.ready() {
        progress.show(seeing, cluster.members.len(), "see all", output)?;
        if stop.load(Ordering::Relaxed) {
            progress.hide(output)?;
            return end(args, cluster, output);
        }
        if let Some((_, ended)) = cluster.ended() {
            progress.hide(output)?;
            return Err(Failure::new(ended));
        }
        if started.elapsed() > READY_MAX {
            progress.hide(output)?;
            return Err(Failure::new(format!("after {} s {why}", READY_MAX.as_secs())));
        }
        std::thread::sleep(LOOK);
    }
    progress.hide(output)?;
    let seconds = started.elapsed().as_secs_f64();
    if args.json {
        let nodes: Vec<_> = cluster.members.iter().map(Member::json).collect();
        output.json_line(&json!({ "event": "ready", "seconds": seconds, "nodes": nodes }))?;
    } else {
        output.hint(&format!("Each sees all after {seconds:.1} s.\n "))?;
        show(&cluster.members, output)?;
        output.out.flush()?;
    }
    wait(args, &stop, &mut cluster, output)?;
    end(args, cluster, output)
}

fn end(args: &Args, cluster: Cluster, output: &mut Output<'_>) -> Result<(), Failure> {
    cluster.stop()?;
    if args.json { output.json_line(&json!({ "event": "stopped" })) } else { Ok(()) }
}

/// Set once the user, the session or a service manager wants the demonstration to end.
fn stop_signal() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        let registered = signal_hook::flag::register(signal, stop.clone());
        registered.map_err(|e| Failure::new(format!("cannot take signal {signal}: {e}")))?;
    }
    Ok(stop)
}

/// Waits for the end. A daemon that ends meanwhile is told once: killing one is part of what there is to try.
fn wait(args: &Args, stop: &AtomicBool, cluster: &mut Cluster, output: &mut Output<'_>) -> Result<(), Failure> {
    let end = args.exit_after.map(|s| Instant::now() + Duration::from_secs(u64::from(s)));
    while !stop.load(Ordering::Relaxed) && end.is_none_or(|e| Instant::now() < e) {
        if let Some((name, ended)) = cluster.ended() {
            match args.json {
                true => output.json_line(&json!({ "event": "ended", "name": name, "text": ended }))?,
                false => output.hint(&ended)?,
            }
            if cluster.members.iter().all(|m| !m.running()) {
                return Err(Failure::new("all daemons of the demonstration have ended"));
            }
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}

fn show(members: &[Member], output: &mut Output<'_>) -> Result<(), Failure> {
    let Some(first) = members.first() else { return Ok(()) };
    let client = first.client()?;
    super::nodes::print(&client.nodes(&NodesQuery::default())?, output.out, output.screen)?;
    if members.iter().any(|m| m.trace.is_some()) {
        output.text("here-* publish real values of this machine; replay-* replay recorded traces of other machines.")?;
    }
    output.line("\nWhich to use now, and why:")?;
    let query = BestQuery { n: 1, explain: true, ..BestQuery::default() };
    super::best::explain(&client.best(&query)?, super::best::Ranked::By(By::Both), output)?;

    output.line("\nWhere they answer:")?;
    let mut table = Table::new(&[
        Column::text("  NAME", 255),
        Column::text("HTTP", 255),
        Column::text("SOCKET", 200),
        Column::number("PROCESS", 210),
    ]);
    for m in members {
        table.row(vec![
            Cell::new(format!("  {}", m.name)),
            Cell::new(format!("http://{}", m.http)),
            Cell::new(m.socket.display().to_string()),
            Cell::new(m.pid().to_string()),
        ]);
    }
    table.print(output.out, output.screen)?;
    if peermon_serve_http::page_is_built_in() {
        output.line(&format!("\nTo look at in a browser: http://{}/", first.http))?;
    }

    let me = std::env::current_exe().ok();
    let on_path = std::env::var_os("PATH").is_some_and(|p| std::env::split_paths(&p).any(|d| me == Some(d.join("peermon"))));
    let peermon = match me {
        Some(me) if !on_path => me.display().to_string(),
        _ => "peermon".to_string(),
    };
    let last = members.last().unwrap_or(first);
    output.line(&format!(
        "
Try in another terminal:
  export PEERMON_API={socket}
  {peermon} nodes
  {peermon} best -n 3 --explain
  {peermon} show {last_name}
  {peermon} events
  kill -9 {pid}     soon {last_name} is down everywhere
  curl http://{http}/api/v1/nodes
  curl http://{http}/metrics/cluster

Ctrl-C ends all of it.",
        socket = first.socket.display(),
        http = first.http,
        last_name = last.name,
        pid = last.pid(),
    ))
}

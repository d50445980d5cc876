//! One daemon at 1 Hz with all collectors, beside node_exporter read at 1 Hz in the same seconds.

use crate::process::{Cost, Memory, Used, Watch};
use crate::table;
use anyhow::{Context, Result, bail};
use peermon_api::{NodesQuery, Service};
use peermon_testbed::{Daemon, Directory, Spec, find, wait_for};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The aim: share of one core, and resident bytes.
const CPU_AIM: f64 = 0.005;
const RESIDENT_AIM: f64 = 15e6;
/// Both programs have started and done their first rounds by then.
const WARM_UP: Duration = Duration::from_secs(5);
const PERIOD: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(30);

/// A program that ends with the bench.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already; either way it is gone then.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// One line of the table.
struct Line {
    name: &'static str,
    watch: Watch,
    start: Used,
    cost: Option<(Cost, Memory)>,
}

pub(crate) fn run(peermon: &Path, length: Duration) -> Result<()> {
    let directory = Directory::new()?;
    let http = free()?;
    let spec = Spec {
        name: "footprint".into(),
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        http: Some(http),
        join: Vec::new(),
        key: [1; 32],
        config: "discovery.enabled = false\n".into(),
        flags: Vec::new(),
    };
    let daemon = Daemon::start(peermon, None, &directory, spec)?;
    wait_for("the daemon's first vitals", PATIENCE, || {
        let nodes = daemon.ask().nodes(&NodesQuery::default()).map_err(|e| format!("{e}\n{}", daemon.log()))?;
        if nodes.iter().any(|n| n.vitals.len() > 3) { Ok(()) } else { Err("none yet".into()) }
    })?;
    let exporter = exporter()?;
    if let Some((_, address)) = &exporter {
        wait_for("node_exporter", PATIENCE, || fetch(*address).map(drop).map_err(|e| format!("{e:#}")))?;
    }
    let pid = daemon.pid().context("the daemon has ended")?;

    println!("one daemon, period 1 s, all collectors, for {} s; then as long with its /metrics read at 1 Hz", length.as_secs());
    let mut lines = Vec::new();
    let exporter_address = exporter.as_ref().map(|(_, address)| *address);
    let exporter_pid = exporter.as_ref().map(|(running, _)| running.0.id());
    lines.extend(measure(
        &[("peermon daemon", Some(pid)), ("node_exporter, read at 1 Hz", exporter_pid)],
        &[exporter_address],
        length,
    )?);
    lines.extend(measure(&[("peermon daemon, read at 1 Hz", Some(pid))], &[Some(http)], length)?);
    report(&lines);
    collectors(&daemon)
}

/// Watches processes while pages are read once a second.
fn measure(who: &[(&'static str, Option<u32>)], pages: &[Option<SocketAddr>], length: Duration) -> Result<Vec<Line>> {
    read_for(pages, WARM_UP, || Ok(()))?;
    let mut lines = Vec::new();
    for (name, pid) in who {
        let Some(pid) = pid else { continue };
        let mut watch = Watch::new(*pid);
        let start = watch.look()?;
        lines.push(Line { name, watch, start, cost: None });
    }
    read_for(pages, length, || lines.iter_mut().try_for_each(|l| l.watch.look().map(drop)))?;
    for l in &mut lines {
        let end = l.watch.look()?;
        l.cost = Some((l.start.until(&end), l.watch.memory()?));
    }
    Ok(lines)
}

/// Reads pages once a second, and does something else each time.
fn read_for(pages: &[Option<SocketAddr>], length: Duration, mut each: impl FnMut() -> Result<()>) -> Result<()> {
    let start = Instant::now();
    let mut next = start;
    while start.elapsed() < length {
        for page in pages.iter().flatten() {
            fetch(*page)?;
        }
        each()?;
        next += PERIOD;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    Ok(())
}

fn report(lines: &[Line]) {
    let own = lines.first().and_then(|l| l.cost.as_ref()).map(|(c, m)| (c.cpu, m.resident as f64));
    let mut rows = Vec::new();
    for l in lines {
        let Some((cost, memory)) = &l.cost else { continue };
        let ratio = |other: f64, mine: fn((f64, f64)) -> f64| own.map_or("-".into(), |o| format!("{:.1} x", other / mine(o)));
        rows.push(vec![
            l.name.to_string(),
            format!("{:.3} %", cost.cpu * 100.0),
            ratio(cost.cpu, |o| o.0),
            format!("{:.1} MB", memory.resident as f64 / 1e6),
            ratio(memory.resident as f64, |o| o.1),
            format!("{:.1} MB", memory.anonymous as f64 / 1e6),
            format!("{:.1}", cost.wakeups),
        ]);
    }
    rows.push(vec!["aim".into(), format!("{:.3} %", CPU_AIM * 100.0), String::new(), format!("{:.1} MB", RESIDENT_AIM / 1e6)]);
    println!();
    table::print(&["", "of one core", "", "resident", "", "heap, stacks", "wake-ups/s"], &rows);
}

/// What each collector cost in its last round.
fn collectors(daemon: &Daemon) -> Result<()> {
    let status = daemon.ask().status()?;
    let mut list = status.collectors;
    list.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    let total: f64 = list.iter().map(|c| c.seconds).sum();
    let row = |name: &str, seconds: f64, note: &str| vec![name.to_string(), format!("{:.0} us", seconds * 1e6), note.to_string()];
    let mut rows: Vec<_> = list.iter().map(|c| row(&c.name, c.seconds, c.failure.as_deref().unwrap_or(""))).collect();
    rows.push(row("all", total, ""));
    println!();
    table::print(&["collector", "last round", "failure"], &rows);
    Ok(())
}

/// node_exporter, if it is installed.
fn exporter() -> Result<Option<(Running, SocketAddr)>> {
    let Ok(program) = find("prometheus-node-exporter") else {
        println!("node_exporter is not here to compare with: apt-get install prometheus-node-exporter");
        return Ok(None);
    };
    let address = free()?;
    let mut start = Command::new(program);
    start.arg(format!("--web.listen-address={address}")).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(Some((Running(start.spawn().context("starting node_exporter")?), address)))
}

/// A free port of loopback.
pub(crate) fn free() -> Result<SocketAddr> {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("looking for a free port")?;
    socket.local_addr().context("its number")
}

/// Reads `/metrics` and returns its length.
pub(crate) fn fetch(from: SocketAddr) -> Result<usize> {
    let mut answer = Vec::new();
    let mut stream = TcpStream::connect(from).with_context(|| format!("asking {from}"))?;
    stream.set_read_timeout(Some(PATIENCE)).context("setting a time limit")?;
    write!(stream, "GET /metrics HTTP/1.0\r\nHost: {from}\r\n\r\n").with_context(|| format!("asking {from}"))?;
    stream.read_to_end(&mut answer).with_context(|| format!("reading from {from}"))?;
    if !answer.starts_with(b"HTTP/1.0 200") && !answer.starts_with(b"HTTP/1.1 200") {
        bail!("{from} answers {}", String::from_utf8_lossy(&answer[..answer.len().min(80)]));
    }
    Ok(answer.len())
}

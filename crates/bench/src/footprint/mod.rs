//! What one daemon costs at 1 Hz with all collectors, beside other monitors in the same seconds: each on a host of its own where
//! network namespaces can be made, so that what it sends and receives can be counted.

mod others;
mod place;

use crate::table;
use anyhow::{Context, Result, bail};
use others::Other;
use peermon_api::{NodesQuery, Service};
use peermon_bench::process::{Cost, Family, Memory, Used};
use peermon_testbed::{Daemon, Directory, Spec, wait_for};
use place::Places;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// The aim: share of one core, and resident bytes.
const CPU_AIM: f64 = 0.005;
const RESIDENT_AIM: f64 = 15e6;
/// All programs have started and done their first rounds by then, and those who keep what nobody asks for have stopped to.
const WARM_UP: Duration = Duration::from_secs(30);
const PERIOD: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is asked what collectors took, once a second.
const COLLECTOR_LOOKS: usize = 15;

/// Where daemons are: a peer, beside whom everybody is read; one that nobody asks; one whose page is read.
const WATCHER: usize = 0;
const QUIET: usize = 1;
const READ: usize = 2;
const OWN: usize = 3;
/// What a reader of an API on a network must show.
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// One line of the table.
struct Line {
    name: String,
    place: usize,
    family: Family,
    start: Option<(Used, Option<[u64; 2]>)>,
    end: Option<Measured>,
}

/// What a program used, and what went over its wire, in bytes a second: sent and received.
struct Measured {
    cost: Cost,
    memory: Memory,
    processes: usize,
    wire: Option<[f64; 2]>,
}

pub(crate) fn run(peermon: &Path, length: Duration) -> Result<()> {
    let directory = Directory::new()?;
    let token = directory.path().join("token");
    std::fs::write(&token, format!("{TOKEN}\n")).context("writing a token")?;
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).context("making it private")?;
    let places = Places::make(OWN + others::ALL.len())?;
    let daemon = |place: usize, join: Vec<SocketAddr>, http: Option<SocketAddr>| {
        let listen = SocketAddr::new(places.address(place), free()?.port());
        let spec = Spec {
            name: format!("footprint-{place}"),
            listen,
            http,
            join,
            key: [1; 32],
            config: format!("discovery.enabled = false\napi.token_file = \"{}\"\n", token.display()),
            flags: Vec::new(),
        };
        Ok::<_, anyhow::Error>((Daemon::start(peermon, places.host(place), &directory, spec)?, listen))
    };
    let http = SocketAddr::new(places.address(READ), free()?.port());
    let (peer, seed) = daemon(WATCHER, Vec::new(), None)?;
    let (quiet, _) = daemon(QUIET, vec![seed], None)?;
    let (read, _) = daemon(READ, vec![seed], Some(http))?;
    wait_for("the daemons to see each other", PATIENCE, || {
        let nodes = quiet.ask().nodes(&NodesQuery::default()).map_err(|e| format!("{e}\n{}", quiet.log()))?;
        let full = nodes.iter().filter(|n| n.vitals.len() > 3).count();
        if full == OWN { Ok(()) } else { Err(format!("{full} of {OWN} have values")) }
    })?;
    let mut running: Vec<(usize, Other)> = Vec::new();
    for (i, start) in others::ALL.iter().enumerate() {
        match start(&places, OWN + i, directory.path()) {
            Ok(other) => running.push((OWN + i, other)),
            Err(why) => println!("not compared: {why:#}"),
        }
    }
    println!(
        "all at 1 Hz for {} s, in the same seconds, after {} s; three daemons see each other",
        length.as_secs(),
        WARM_UP.as_secs()
    );
    println!("{}", places.said());

    let line =
        |name: &str, place: usize, pid: u32| Line { name: name.into(), place, family: Family::new(pid), start: None, end: None };
    let pid = |d: &Daemon| d.pid().context("a daemon has ended");
    let mut lines = vec![line("peermon daemon", QUIET, pid(&quiet)?), line("peermon daemon, read at 1 Hz", READ, pid(&read)?)];
    lines.extend(running.iter().map(|(place, other)| line(&other.name, *place, other.pid())));
    let mut pages = vec![http];
    pages.extend(running.iter().filter_map(|(_, other)| other.page));
    measure(&places, &mut lines, pages, length)?;
    report(&lines);
    pid(&peer)?;
    collectors(&read)
}

/// Watches programs while pages are read once a second, over the wire.
fn measure(places: &Places, lines: &mut [Line], pages: Vec<SocketAddr>, length: Duration) -> Result<()> {
    let readers = pages.into_iter().map(|page| places.reader(WATCHER, page)).collect::<Result<Vec<_>>>()?;
    std::thread::sleep(WARM_UP);
    for l in lines.iter_mut() {
        l.start = Some((l.family.look()?, places.wire(l.place)));
    }
    let start = Instant::now();
    while start.elapsed() < length {
        // Children may come and go.
        lines.iter_mut().try_for_each(|l| l.family.look().map(drop))?;
        std::thread::sleep(PERIOD);
    }
    for l in lines.iter_mut() {
        let Some((used, wire)) = l.start.take() else { continue };
        let (end, wire_end) = (l.family.look()?, places.wire(l.place));
        let seconds = used.seconds_until(&end);
        let rate = |from: [u64; 2], to: [u64; 2]| [0, 1].map(|i| to[i].saturating_sub(from[i]) as f64 / seconds);
        l.end = Some(Measured {
            cost: used.until(&end),
            memory: l.family.memory()?,
            processes: l.family.count(),
            wire: wire.zip(wire_end).map(|(from, to)| rate(from, to)),
        });
    }
    readers.into_iter().try_for_each(place::Reader::end)
}

fn report(lines: &[Line]) {
    let own = lines.first().and_then(|l| l.end.as_ref()).map(|m| (m.cost.cpu, m.memory.resident as f64));
    let mut rows = Vec::new();
    for l in lines {
        let Some(m) = &l.end else { continue };
        let ratio = |other: f64, mine: fn((f64, f64)) -> f64| own.map_or("-".into(), |o| format!("{:.1} x", other / mine(o)));
        let wire = |i: usize| m.wire.map_or("-".into(), |w| format!("{:.0}", w[i]));
        rows.push(vec![
            l.name.clone(),
            m.processes.to_string(),
            format!("{:.3} %", m.cost.cpu * 100.0),
            ratio(m.cost.cpu, |o| o.0),
            format!("{:.1} MB", m.memory.resident as f64 / 1e6),
            ratio(m.memory.resident as f64, |o| o.1),
            format!("{:.1} MB", m.memory.anonymous as f64 / 1e6),
            format!("{:.1}", m.cost.switches),
            wire(0),
            wire(1),
        ]);
    }
    let aim = ["aim", "", &format!("{:.3} %", CPU_AIM * 100.0), "", &format!("{:.1} MB", RESIDENT_AIM / 1e6)];
    rows.push(aim.map(String::from).to_vec());
    println!();
    let heads =
        ["", "processes", "of one core", "", "resident", "", "heap, stacks", "switches/s", "sent, bytes/s", "received, bytes/s"];
    table::print(&heads, &rows);
}

/// What each collector costs: the median of what its last run took at several moments, spread over the time to the next. A single run may
/// have waited for a processor.
fn collectors(daemon: &Daemon) -> Result<()> {
    let mut runs: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    let mut status = daemon.ask().status()?;
    for _ in 0..COLLECTOR_LOOKS {
        for c in &status.collectors {
            runs.entry(c.name.clone()).or_default().push(c.seconds);
        }
        std::thread::sleep(PERIOD);
        status = daemon.ask().status()?;
    }
    for c in &mut status.collectors {
        if let Some(seconds) = runs.get_mut(&c.name) {
            seconds.sort_by(f64::total_cmp);
            c.seconds = seconds[seconds.len() / 2];
        }
    }
    let share = |c: &peermon_api::CollectorView| c.seconds / c.every_seconds.max(status.period_seconds);
    let mut list: Vec<_> = status.collectors.iter().collect();
    list.sort_by(|a, b| share(b).total_cmp(&share(a)));
    let micros = |seconds: f64| format!("{:.0} us", seconds * 1e6);
    let mut rows: Vec<_> = list
        .iter()
        .map(|c| {
            let failure = c.failure.clone().unwrap_or_default();
            vec![c.name.clone(), micros(c.seconds), format!("{:.0} s", c.every_seconds), micros(share(c)), failure]
        })
        .collect();
    rows.push(vec!["all".into(), String::new(), String::new(), micros(list.iter().map(|c| share(c)).sum())]);
    println!("\nwhile /metrics is read:");
    table::print(&["collector", "a run", "every", "a second", "failure"], &rows);
    Ok(())
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
    write!(stream, "GET /metrics HTTP/1.0\r\nHost: {from}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n")
        .with_context(|| format!("asking {from}"))?;
    stream.read_to_end(&mut answer).with_context(|| format!("reading from {from}"))?;
    if !answer.starts_with(b"HTTP/1.0 200") && !answer.starts_with(b"HTTP/1.1 200") {
        bail!("{from} answers {}", String::from_utf8_lossy(&answer[..answer.len().min(80)]));
    }
    Ok(answer.len())
}

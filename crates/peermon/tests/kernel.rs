//! A real daemon with `kernel = "auto"`: where the kernel takes the programs, their values are on its page; where it forbids them,
//! one line says so and everything else works.
#![cfg(feature = "kernel")]

use anyhow::{Context, Result, ensure};
use peermon_api::{NodesQuery, Service};
use peermon_testbed::{Daemon, Directory, Spec, find, say, wait_for};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Starting takes a second or two; a busy machine may need many times that.
const PATIENCE: Duration = Duration::from_secs(60);

/// A daemon started by this program, and where its page is.
fn start(program: &Path, directory: &Directory) -> Result<(Daemon, SocketAddr)> {
    let http = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|l| l.local_addr()).context("looking for a free port")?;
    let spec = Spec {
        name: "captured".into(),
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        http: Some(http),
        join: Vec::new(),
        key: [3; 32],
        config: "discovery.enabled = false\nkernel = \"auto\"\n".into(),
        flags: Vec::new(),
    };
    Ok((Daemon::start(program, None, directory, spec)?, http))
}

fn metrics(from: SocketAddr) -> Result<String> {
    let mut answer = String::new();
    let mut stream = TcpStream::connect(from)?;
    write!(stream, "GET /metrics HTTP/1.0\r\nHost: {from}\r\n\r\n")?;
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no HTTP answer")?;
    ensure!(head.starts_with("HTTP/1.0 200") || head.starts_with("HTTP/1.1 200"), "{head}");
    Ok(body.into())
}

/// What the log says of capture, once it says something.
fn told(daemon: &Daemon) -> Result<String> {
    let line = || daemon.log().lines().find(|l| l.contains("kernel capture")).map(str::to_string);
    wait_for("a line about capture", PATIENCE, || line().map(drop).ok_or_else(|| daemon.log()))?;
    line().context("it was there")
}

/// Whether its collectors report, and whether this one is among them.
fn reports(daemon: &Daemon, collector: &str) -> Result<bool, String> {
    let status = daemon.ask().status().map_err(|e| e.to_string())?;
    if status.collectors.is_empty() {
        return Err("no collector has reported".into());
    }
    let found = status.collectors.iter().find(|c| c.name == collector);
    match found.and_then(|c| c.failure.as_ref()) {
        Some(why) => Err(why.clone()),
        None => Ok(found.is_some()),
    }
}

#[test]
fn what_the_kernel_counts_is_on_the_page() -> Result<()> {
    let directory = Directory::new()?;
    let (daemon, http) = start(Path::new(env!("CARGO_BIN_EXE_peermon")), &directory)?;
    let line = told(&daemon)?;
    if line.contains("no kernel capture") || !line.contains("run queues") {
        say(&format!("skipped: {line}"));
        return Ok(());
    }
    let wanted = [
        "peermon_kernel_runq_seconds_bucket{le=\"+Inf\"} ",
        "peermon_kernel_runq_p99",
        "peermon_kernel_dropped_total{part=\"runq\"} 0",
    ];
    wait_for("the run queues on the page", PATIENCE, || {
        let page = metrics(http).map_err(|e| format!("{e:#}"))?;
        match wanted.iter().find(|w| !page.contains(**w)) {
            Some(missing) => Err(format!("{missing} is not in {page}")),
            None => Ok(()),
        }
    })?;
    wait_for("a report", PATIENCE, || if reports(&daemon, "kernel")? { Ok(()) } else { Err("none".into()) })?;
    let Ok(promtool) = find("promtool") else {
        say("skipped: no program promtool here: apt-get install prometheus");
        return Ok(());
    };
    let mut check = Command::new(promtool).args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    check.stdin.take().context("its stdin")?.write_all(metrics(http)?.as_bytes())?;
    let said = String::from_utf8(check.wait_with_output()?.stderr)?;
    ensure!(!said.contains("kernel"), "{said}");
    Ok(())
}

#[test]
fn where_the_kernel_forbids_it_one_line_says_so() -> Result<()> {
    let Ok(setpriv) = find("setpriv") else {
        say("skipped: no program setpriv here: apt-get install util-linux");
        return Ok(());
    };
    let directory = Directory::new()?;
    let script = directory.path().join("unprivileged");
    let mut line = format!("#!/bin/sh\nexec {} ", setpriv.display());
    if rustix::process::geteuid().is_root() {
        line += "--bounding-set=-all --inh-caps=-all ";
    }
    line += &format!("{} \"$@\"\n", env!("CARGO_BIN_EXE_peermon"));
    std::fs::write(&script, line)?;
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755))?;
    let (daemon, http) = start(&script, &directory)?;
    let line = told(&daemon)?;
    ensure!(line.contains("no kernel capture"), "{line}");
    ensure!(line.contains("CAP_BPF") || line.contains("needs"), "it says what is missing: {line}");
    wait_for("the daemon's first vitals", PATIENCE, || {
        let nodes = daemon.ask().nodes(&NodesQuery::default()).map_err(|e| e.to_string())?;
        if nodes.iter().any(|n| n.vitals.len() > 3) { Ok(()) } else { Err(format!("{nodes:?}")) }
    })?;
    ensure!(!reports(&daemon, "kernel").map_err(anyhow::Error::msg)?, "it is silent about what is not there");
    ensure!(!metrics(http)?.contains("peermon_kernel_"), "and so is the page");
    ensure!(daemon.log().matches("kernel capture").count() == 1, "one line: {}", daemon.log());
    Ok(())
}

//! Debian's own Prometheus reads both pages of a real daemon without a complaint.

use anyhow::{Context, Result, ensure};
use peermon_api::{NodesQuery, Service};
use peermon_testbed::{Daemon, Directory, Spec, find, say, wait_for};
use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Starting a daemon or Prometheus takes one or two seconds; a busy machine may need many times that.
const PATIENCE: Duration = Duration::from_secs(60);
const PAGES: &[&str] = &["/metrics", "/metrics/cluster"];

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already; either way it is gone then.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A free port of this machine's loopback.
fn free() -> Result<SocketAddr> {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("looking for a free port")?;
    socket.local_addr().context("its number")
}

/// One GET without anything else: status line, head and body as they came.
fn get(from: SocketAddr, path: &str) -> Result<(String, String), String> {
    let mut answer = String::new();
    let mut stream = TcpStream::connect(from).map_err(|e| format!("{from}: {e}"))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {from}\r\n\r\n").map_err(|e| e.to_string())?;
    stream.read_to_string(&mut answer).map_err(|e| e.to_string())?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("no HTTP answer")?;
    if head.lines().next().is_some_and(|l| l.contains(" 200 ")) { Ok((head.into(), body.into())) } else { Err(head.into()) }
}

fn daemon(directory: &Directory) -> Result<(Daemon, SocketAddr)> {
    let http = free()?;
    let spec = Spec {
        name: "scraped".into(),
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        http: Some(http),
        join: Vec::new(),
        key: [3; 32],
        config: "discovery.enabled = false\n".into(),
        flags: Vec::new(),
    };
    let daemon = Daemon::start(Path::new(env!("CARGO_BIN_EXE_peermon")), None, directory, spec)?;
    wait_for("the daemon's first vitals", PATIENCE, || {
        let nodes = daemon.ask().nodes(&NodesQuery::default()).map_err(|e| e.to_string())?;
        if nodes.iter().any(|n| n.vitals.len() > 3) { Ok(()) } else { Err(format!("{nodes:?}")) }
    })?;
    Ok((daemon, http))
}

/// Runs a test of the daemon at an address if this program is there, and says if it is not. The panic comes while the daemon is
/// still there, so that it can tell its log.
fn with(program: &str, package: &str, test: fn(&Path, &Directory, SocketAddr) -> Result<()>) {
    let Ok(path) = find(program) else {
        say(&format!("skipped: no program {program} here: apt-get install {package}"));
        return;
    };
    let directory = Directory::new().expect("a directory");
    let (_daemon, http) = daemon(&directory).expect("a daemon");
    if let Err(e) = test(&path, &directory, http) {
        panic!("{e:#}");
    }
}

#[test]
fn promtool_has_nothing_to_say() {
    with("promtool", "prometheus", |promtool, _, http| {
        for page in PAGES {
            let (_, text) = get(http, page).map_err(anyhow::Error::msg)?;
            ensure!(text.lines().count() > 10, "{page} holds little: {text}");
            let mut check = Command::new(promtool)
                .args(["check", "metrics"])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .context("running promtool")?;
            check.stdin.take().context("its stdin")?.write_all(text.as_bytes()).context("giving it the page")?;
            let out = check.wait_with_output().context("waiting for promtool")?;
            let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
            // node_exporter's own names mix cases, and dashboards depend on them.
            let theirs = |l: &&str| l.starts_with("node_") && l.ends_with("should be written in 'snake_case' not 'camelCase'");
            let ours: Vec<&str> = said.lines().filter(|l| !theirs(l)).collect();
            ensure!(ours.is_empty(), "promtool about {page}: {}: {}", out.status, ours.join("\n"));
            ensure!(out.status.success() || out.status.code() == Some(3), "promtool about {page}: {}", out.status);
        }
        Ok(())
    });
}

#[test]
fn prometheus_scrapes_both_pages_without_a_warning() {
    with("prometheus", "prometheus", |prometheus, directory, http| {
        let (config, data, log) = ["prometheus.yml", "data", "prometheus.log"].map(|n| directory.path().join(n)).into();
        let jobs = PAGES.iter().enumerate().map(|(i, page)| {
            format!("  - job_name: page{i}\n    metrics_path: {page}\n    static_configs:\n      - targets: ['{http}']\n")
        });
        let head = "global:\n  scrape_interval: 1s\n  scrape_timeout: 1s\nscrape_configs:\n";
        std::fs::write(&config, format!("{head}{}", jobs.collect::<String>())).context("writing prometheus.yml")?;
        let web = free()?;
        let mut start = Command::new(prometheus);
        start
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", data.display()))
            .arg(format!("--web.listen-address={web}"))
            .arg("--log.level=debug");
        let file = File::create(&log).context("opening its log")?;
        let _running = Running(start.stdout(file.try_clone()?).stderr(file).spawn().context("starting prometheus")?);

        // Twice, so that whatever it complains about in a second scrape (duplicates, changed types) is there too.
        wait_for("two scrapes of each page", PATIENCE, || {
            let (_, text) = get(web, "/api/v1/query?query=min(count_over_time(up[1m]))")?;
            let answer: serde_json::Value = serde_json::from_str(&text).map_err(|e| e.to_string())?;
            let count = answer["data"]["result"][0]["value"][1].as_str().and_then(|n| n.parse::<u32>().ok());
            if count >= Some(2) { Ok(()) } else { Err(text) }
        })?;
        let (_, text) = get(web, "/api/v1/targets?state=active").map_err(anyhow::Error::msg)?;
        let answer: serde_json::Value = serde_json::from_str(&text).context("reading its targets")?;
        let targets = answer["data"]["activeTargets"].as_array().context("it names no targets")?;
        ensure!(targets.len() == PAGES.len(), "{targets:?}");
        for t in targets {
            ensure!(t["health"] == "up", "{} is {}: {}", t["scrapeUrl"], t["health"], t["lastError"]);
        }
        let said = std::fs::read_to_string(&log).context("reading its log")?;
        let about_us = |l: &&str| (l.contains("level=warn") || l.contains("level=error")) && l.contains("scrape");
        let complaints: Vec<&str> = said.lines().filter(about_us).collect();
        ensure!(complaints.is_empty(), "prometheus complains:\n{}", complaints.join("\n"));
        Ok(())
    });
}

//! The real binary, as people and scripts use it: exit codes, what goes to which stream, and a whole demonstration.

use anyhow::{Context, Result, ensure};
use peermon_testbed::{Directory, wait_for};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// Longer than anything here takes on a busy machine; passing it is a failure, not a measurement.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program, with nothing of this machine's own set-up.
fn peermon(home: &Path) -> Command {
    let mut c = Command::new(env!("CARGO_BIN_EXE_peermon"));
    for (name, _) in std::env::vars_os().filter(|(n, _)| n.to_string_lossy().starts_with("PEERMON_")) {
        c.env_remove(name);
    }
    c.env("HOME", home).env("TMPDIR", home).env("NO_COLOR", "1").stdin(Stdio::null());
    c
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("the program prints UTF-8")
}

fn run(home: &Path, args: &[&str]) -> Result<Output> {
    peermon(home).args(args).output().with_context(|| format!("running peermon {args:?}"))
}

#[test]
fn without_a_daemon_one_line_says_how_to_start_one() -> Result<()> {
    let dir = Directory::new()?;
    let nowhere = dir.path().join("nothing.sock");
    let nowhere = nowhere.to_str().context("a temporary path")?;
    let commands: &[&[&str]] = &[
        &["nodes"],
        &["nodes", "--json"],
        &["top"],
        &["top", "--json"],
        &["show", "x"],
        &["series"],
        &["series", "--json"],
        &["groups"],
        &["best"],
        &["ssh"],
        &["run", "--", "true"],
        &["hostfile"],
        &["status"],
        &["key"],
        &["key", "rotate"],
        &["events"],
        &["invite"],
    ];
    for command in commands {
        let args = [&["--api", nowhere], *command].concat();
        let out = run(dir.path(), &args)?;
        let said = text(&out.stderr);
        assert_eq!(out.status.code(), Some(1), "{command:?}: {said}");
        assert_eq!(text(&out.stdout), "", "{command:?}");
        assert_eq!(said.lines().count(), 1, "{command:?}: {said}");
        for part in ["peermon: ", "nothing.sock", "peermon daemon"] {
            assert!(said.contains(part), "{command:?} does not say {part:?}: {said}");
        }
    }
    Ok(())
}

#[test]
fn what_is_wrong_is_named() -> Result<()> {
    let dir = Directory::new()?;
    fs::write(dir.path().join("bad.toml"), "nmae = \"x\"\n").context("writing")?;
    let bad = dir.path().join("bad.toml");
    let bad = bad.to_str().context("a temporary path")?;
    let cases: &[(&[&str], i32, &[&str])] = &[
        (&["nodse"], 2, &["nodse", "nodes"]),
        (&["top", "--theme", "pink"], 2, &["--theme", "pink", "dark"]),
        (&["top", "--refresh", "0"], 2, &["--refresh", "0.5"]),
        (&["series", "--last", "7 parsecs"], 2, &["--last", "7 parsecs", "10m"]),
        (&["series", "--fold", "sum"], 2, &["--fold", "mean, min, max, last"]),
        (&["best", "-n", "0"], 2, &["--count", "from 1 to 100000"]),
        (&["best", "--mem", "8 parsecs"], 2, &["--mem", "write e.g. 8GiB"]),
        (&["run", "-n", "2"], 2, &["<COMMAND>"]),
        (&["run", "-n", "2", "-w", "a", "--", "true"], 2, &["--count", "--nodes"]),
        (&["hostfile", "--format", "lam"], 2, &["lam", "openmpi, mpich"]),
        (&["ssh", "--proxy", "0"], 2, &["--proxy", "0"]),
        (&["join"], 2, &["TOKEN"]),
        (&["join", "pm1-nonsense"], 1, &["not a token of `peermon invite`"]),
        (&["join", "-"], 1, &["not a token of `peermon invite`"]),
        (&["--api", "ftp://x", "nodes"], 1, &["ftp://x"]),
        (&["daemon", "--listen", "nowhere"], 1, &["gossip.listen", "nowhere"]),
        (&["daemon", "--period", "7 parsecs"], 1, &["period", "7 parsecs"]),
        (&["daemon", "--name", "a b"], 1, &["name", "a b"]),
        (&["daemon", "--label", "rack"], 1, &["labels", "rack"]),
        (&["daemon", "--log", "loud"], 1, &["log.level", "loud"]),
        (&["daemon", "--config", "/nonexistent/x.toml"], 1, &["/nonexistent/x.toml"]),
        (&["daemon", "--config", bad], 1, &["bad.toml", "nmae", "name"]),
        (&["daemon", "--with-parent", "1", "--print-config"], 1, &["process 1"]),
        (&["man", "/proc/nothing"], 1, &["/proc/nothing"]),
        (&["demo", "--nodes", "999"], 2, &["--nodes", "999"]),
    ];
    for (args, code, parts) in cases {
        let out = run(dir.path(), args)?;
        let said = text(&out.stderr);
        assert_eq!(out.status.code(), Some(*code), "{args:?}: {said}");
        for part in *parts {
            assert!(said.contains(part), "{args:?} does not say {part:?}: {said}");
        }
        assert!(!said.contains("panicked") && !said.contains("Error {"), "{args:?}: {said}");
    }
    Ok(())
}

#[test]
fn help_completions_and_manual_come_from_the_same_definition() -> Result<()> {
    let dir = Directory::new()?;
    let help = text(&run(dir.path(), &["--help"])?.stdout);
    let names = [
        "daemon",
        "demo",
        "invite",
        "join",
        "nodes",
        "top",
        "groups",
        "show",
        "series",
        "best",
        "ssh",
        "run",
        "hostfile",
        "status",
        "key",
        "events",
        "completions",
        "man",
    ];
    let out = run(dir.path(), &["man", dir.path().join("man1").to_str().context("a temporary path")?])?;
    ensure!(out.status.success(), "{}", text(&out.stderr));
    for name in names {
        assert!(help.contains(&format!("  {name}")), "--help does not list {name}");
        let own = run(dir.path(), &[name, "--help"])?;
        assert!(own.status.success() && text(&own.stdout).contains("Example"), "{name} --help has no example");
        let page = fs::read_to_string(dir.path().join(format!("man1/peermon-{name}.1")))
            .with_context(|| format!("the page of {name}"))?;
        assert!(page.contains(".SH NAME") && page.contains("Example"), "{name}");
    }
    assert!(text(&run(dir.path(), &["man"])?.stdout).contains(".TH peermon 1"));
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(dir.path(), &["completions", shell])?;
        assert!(script.status.success() && text(&script.stdout).contains("peermon"), "{shell}");
    }
    let version = text(&run(dir.path(), &["--version"])?.stdout);
    assert_eq!(version, format!("peermon {}\n", env!("CARGO_PKG_VERSION")));
    Ok(())
}

/// Runs with a standard output that nobody reads: `peermon ... | head -0`.
fn closed_pipe(mut command: Command) -> Result<()> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().context("starting")?;
    drop(child.stdout.take());
    let out = child.wait_with_output().context("waiting")?;
    let said = text(&out.stderr);
    ensure!(out.status.success(), "{:?}: {} {said}", command, out.status);
    ensure!(said.is_empty(), "{command:?}: {said}");
    Ok(())
}

#[test]
fn a_closed_pipe_is_no_failure() -> Result<()> {
    let dir = Directory::new()?;
    for args in [&["completions", "bash"][..], &["man"], &["--help"], &["daemon", "--print-config"]] {
        let mut c = peermon(dir.path());
        c.args(args);
        closed_pipe(c)?;
    }
    Ok(())
}

#[test]
fn the_printed_configuration_reads_back() -> Result<()> {
    let dir = Directory::new()?;
    let flags = [
        "--name",
        "größe",
        "--listen",
        "127.0.0.1:0",
        "--listen",
        "[::1]:0",
        "--http",
        "off",
        "--socket",
        "/tmp/a b.sock",
        "--state-dir",
        "s",
        "--join",
        "10.0.0.1:7",
        "--join",
        "host",
        "--cluster-key-file",
        "k",
        "--listen-only",
        "--period",
        "500ms",
        "--label",
        "rack=r1",
        "--label",
        "x=\"y\"",
        "--log",
        "debug",
        "--log-format",
        "json",
        "--replay",
        "idle-desktop",
    ];
    let first = run(dir.path(), &[&["daemon", "--print-config"], &flags[..]].concat())?;
    ensure!(first.status.success(), "{}", text(&first.stderr));
    let file = dir.path().join("peermon.toml");
    fs::write(&file, &first.stdout).context("writing")?;
    let second = run(dir.path(), &["daemon", "--print-config", "--config", file.to_str().context("a temporary path")?])?;
    ensure!(second.status.success(), "{}", text(&second.stderr));
    let options =
        |out: &Output| text(&out.stdout).lines().filter(|l| !l.starts_with('#')).map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(options(&first), options(&second));
    for line in
        ["name = \"größe\"", "listen_only = true", "period = \"500ms\"", "api.http = \"\"", "source = \"replay:idle-desktop\""]
    {
        assert!(options(&first).iter().any(|l| l == line), "{line} is not in {:?}", options(&first));
    }
    Ok(())
}

/// A running demonstration; killed if a test fails.
struct Demo {
    child: Child,
    /// Everything it printed up to its last line.
    page: String,
    socket: String,
    pids: Vec<(String, i32)>,
}

impl Demo {
    fn start(home: &Path) -> Result<Demo> {
        let mut child = peermon(home)
            .args(["demo", "--exit-after", "300"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("starting the demonstration")?;
        let stdout = BufReader::new(child.stdout.take().context("its output")?);
        let mut demo = Demo { child, page: String::new(), socket: String::new(), pids: vec![] };
        for line in stdout.lines() {
            let line = line.context("reading its output")?;
            demo.page.push_str(&line);
            demo.page.push('\n');
            if line.starts_with("Ctrl-C") {
                break;
            }
        }
        if !demo.page.contains("Ctrl-C") {
            let mut said = String::new();
            demo.child.stderr.take().context("its errors")?.read_to_string(&mut said).context("reading its errors")?;
            anyhow::bail!("the demonstration ended early: {}{said}", demo.page);
        }
        let socket = demo.page.lines().find_map(|l| l.trim().strip_prefix("export PEERMON_API="));
        demo.socket = socket.context("the socket to use")?.to_string();
        let row = |l: &str| -> Option<(String, i32)> {
            let words: Vec<_> = l.split_whitespace().collect();
            (words.len() == 4 && words[1].starts_with("http://")).then(|| Some((words[0].to_string(), words[3].parse().ok()?)))?
        };
        demo.pids = demo.page.lines().filter_map(row).collect();
        Ok(demo)
    }

    fn ask(&self, home: &Path, args: &[&str]) -> Result<Output> {
        let out = peermon(home).env("PEERMON_API", &self.socket).args(args).output();
        out.with_context(|| format!("running peermon {args:?}"))
    }

    /// What a command that must succeed prints.
    fn answer(&self, home: &Path, args: &[&str]) -> Result<String> {
        let out = self.ask(home, args)?;
        ensure!(out.status.success(), "{args:?}: {}", text(&out.stderr));
        Ok(text(&out.stdout))
    }

    fn json(&self, home: &Path, args: &[&str]) -> Result<Value> {
        serde_json::from_str(&self.answer(home, args)?).with_context(|| format!("the JSON of {args:?}"))
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended already; either way it is gone then.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn alive(pid: i32) -> bool {
    // A zombie is waited for by its parent and does nothing any more.
    let state = || fs::read_to_string(format!("/proc/{pid}/stat")).ok()?.rsplit_once(") ").map(|(_, rest)| rest.starts_with('Z'));
    Pid::from_raw(pid).is_some_and(|p| test_kill_process(p).is_ok()) && state() == Some(false)
}

#[test]
fn a_demonstration_tells_programs_what_happens() -> Result<()> {
    let dir = Directory::new()?;
    let out = run(dir.path(), &["demo", "--nodes", "2", "--exit-after", "0", "--json"])?;
    ensure!(out.status.success() && out.stderr.is_empty(), "{}", text(&out.stderr));
    let printed = text(&out.stdout);
    let lines: Vec<Value> = printed.lines().map(serde_json::from_str).collect::<Result<_, _>>().context(printed.clone())?;
    let events: Vec<_> = lines.iter().map(|l| l["event"].as_str().unwrap_or("none")).collect();
    assert_eq!(events, ["starting", "ready", "stopped"], "{printed}");
    let first = &lines[1]["nodes"][0];
    assert_eq!(first["name"], "here-1");
    assert!(first["http"].as_str().is_some_and(|h| h.starts_with("http://127.0.0.1:")) && first["pid"].is_u64(), "{first}");
    Ok(())
}

#[test]
fn a_demonstration_answers_every_command_and_ends_cleanly() -> Result<()> {
    let dir = Directory::new()?;
    let home = dir.path();
    let mut demo = Demo::start(home)?;
    let names: Vec<_> = demo.pids.iter().map(|(n, _)| n.clone()).collect();
    assert_eq!(names.len(), 5, "{}", demo.page);
    assert_eq!(names.iter().filter(|n| n.starts_with("here-")).count(), 2, "{names:?}");
    assert_eq!(names.iter().filter(|n| n.starts_with("replay-")).count(), 3, "{names:?}");
    for part in ["NAME", "AVAILABLE", "replay", "Which to use now, and why:", "recorded traces"] {
        assert!(demo.page.contains(part), "the demonstration does not show {part}:\n{}", demo.page);
    }

    let nodes = demo.json(home, &["nodes", "--json"])?;
    let list = nodes.as_array().context("an array")?;
    assert_eq!(list.len(), 5);
    for node in list {
        let name = node["name"].as_str().context("a name")?;
        assert_eq!(node["id"].as_str().map(str::len), Some(64), "{name}");
        assert!(node["addresses"][0].as_str().is_some_and(|a| a.starts_with("127.0.0.1:")), "{name}: {}", node["addresses"]);
        assert_eq!(node["state"], "alive", "{name}");
        assert!(node["age_seconds"].as_f64().is_some_and(|a| (0.0..60.0).contains(&a)), "{name}: {}", node["age_seconds"]);
        assert!(node["vitals"]["mem.available"].as_f64().is_some_and(|m| m > 0.0), "{name}: {}", node["vitals"]);
        let replayed = node["facts"]["source"].as_str().is_some_and(|s| s.starts_with("replay"));
        assert_eq!(replayed, name.starts_with("replay-"), "{name}: {}", node["facts"]);
    }
    assert!(demo.answer(home, &["nodes"])?.starts_with("NAME"));
    assert!(demo.answer(home, &["nodes", "--state", "down"])?.is_empty());

    let best = demo.json(home, &["best", "-n", "9", "--json"])?;
    let first = &best[0];
    assert!(first["score"].is_f64() && first["reasons"][0].is_string(), "{best}");
    let name = demo.answer(home, &["best"])?;
    assert!(names.contains(&name.trim().to_string()), "{name:?}");
    assert!(demo.answer(home, &["best", "-n", "5", "--by", "mem", "--explain"])?.contains("memory available"));

    let shown = demo.answer(home, &["show", "here-1"])?;
    assert!(shown.starts_with("here-1 (this node), alive") && shown.contains("mem.available"), "{shown}");
    let unknown = demo.ask(home, &["show", "nobody"])?;
    assert_eq!(unknown.status.code(), Some(1));
    assert!(text(&unknown.stderr).contains("nobody"), "{}", text(&unknown.stderr));

    let status = demo.json(home, &["status", "--json"])?;
    assert_eq!(status["name"], "here-1");
    assert_eq!(status["nodes"]["alive"], 5);
    assert!(demo.answer(home, &["status", "--all"])?.contains("gossip"));
    let id = demo.answer(home, &["key", "show-node-id"])?;
    assert_eq!(status["id"].as_str(), Some(id.trim()));
    assert_eq!(demo.json(home, &["key", "list", "--json"])?[0]["sending"], true);
    let token = demo.answer(home, &["invite"])?;
    assert!(token.starts_with("pm1-") && token.lines().count() == 1, "{token:?}");
    assert!(demo.answer(home, &["join", token.trim()])?.contains("through"), "its own token leads it to itself");

    for args in [&["nodes"][..], &["status"], &["nodes", "--json"], &["best", "-n", "5"]] {
        let mut c = peermon(home);
        c.env("PEERMON_API", &demo.socket).args(args);
        closed_pipe(c)?;
    }

    // Somebody who follows hears that a node that is killed goes down, and it is not offered any more.
    let (victim, pid) = demo.pids.iter().find(|(n, _)| n == "here-2").context("here-2")?.clone();
    let mut follower = peermon(home);
    follower.env("PEERMON_API", &demo.socket).args(["events", "--json"]).stdout(Stdio::piped());
    let mut follower = follower.spawn().context("following")?;
    let events = BufReader::new(follower.stdout.take().context("its output")?);
    // Only a stream that is open hears it: the rotation's own new records are the sign.
    demo.answer(home, &["key", "rotate"])?;
    let mut killed = false;
    for line in events.lines() {
        let event: Value = serde_json::from_str(&line.context("reading events")?).context("an event")?;
        if !killed {
            kill_process(Pid::from_raw(pid).context("a process")?, Signal::KILL).context("killing here-2")?;
            killed = true;
        }
        if event["event"] == "member" && event["name"] == victim.as_str() && event["state"] == "down" {
            break;
        }
    }
    follower.kill().context("ending the follower")?;
    follower.wait().context("waiting for the follower")?;
    assert!(killed, "no event came");
    let offered = demo.answer(home, &["best", "-n", "9"])?;
    assert!(!offered.lines().any(|l| l == victim), "{offered}");
    // The table that is read may be some milliseconds behind the event.
    wait_for("the reason why it is not offered", PATIENCE, || {
        let explained = demo.answer(home, &["best", "-n", "9", "--explain"]).map_err(|e| e.to_string())?;
        if explained.contains("here-2: down") { Ok(()) } else { Err(explained) }
    })?;

    kill_process(Pid::from_child(&demo.child), Signal::TERM).context("ending the demonstration")?;
    let status = demo.child.wait().context("waiting for it")?;
    assert!(status.success(), "{status}");
    for (name, pid) in &demo.pids {
        assert!(!alive(*pid), "{name} still runs");
    }
    let left: Vec<_> = fs::read_dir(home).context("looking")?.flatten().map(|e| e.file_name()).collect();
    assert!(!left.iter().any(|f| f.to_string_lossy().starts_with("peermon-demo")), "{left:?}");
    Ok(())
}

#[test]
fn daemons_do_not_survive_a_demonstration_that_is_killed() -> Result<()> {
    let dir = Directory::new()?;
    let mut demo = Demo::start(dir.path())?;
    demo.child.kill().context("killing it")?;
    demo.child.wait().context("waiting for it")?;
    let all = demo.pids.clone();
    assert_eq!(all.len(), 5);
    wait_for("its daemons to end", PATIENCE, || match all.iter().find(|(_, pid)| alive(*pid)) {
        Some((name, _)) => Err(format!("{name} still runs")),
        None => Ok(()),
    })?;
    Ok(())
}

#[test]
fn a_demonstration_can_end_by_itself() -> Result<()> {
    let dir = Directory::new()?;
    let out = run(dir.path(), &["demo", "--nodes", "1", "--exit-after", "0"])?;
    ensure!(out.status.success(), "{}", text(&out.stderr));
    assert!(text(&out.stdout).contains("here-1"));
    Ok(())
}

/// A daemon of its own, with everything in `home/NAME`.
struct Running {
    child: Child,
    socket: String,
}

impl Running {
    fn start(home: &Path, name: &str) -> Result<Running> {
        let place = home.join(name);
        fs::create_dir_all(&place).context("making its directory")?;
        fs::write(place.join("peermon.toml"), "discovery.enabled = false\n").context("writing its configuration")?;
        let path = |file: &str| place.join(file).display().to_string();
        let log = fs::File::create(place.join("log")).context("making its log")?;
        let child = peermon(home)
            .args(["daemon", "--name", name, "--listen", "127.0.0.1:0", "--http", "off", "--socket", &path("sock")])
            .args(["--state-dir", &path("state"), "--config", &path("peermon.toml")])
            .stderr(log)
            .spawn()
            .context("starting a daemon")?;
        let daemon = Running { child, socket: path("sock") };
        wait_for("the daemon to answer", PATIENCE, || {
            let out = run(home, &["--api", &daemon.socket, "status"]).map_err(|e| e.to_string())?;
            if out.status.success() { Ok(()) } else { Err(text(&out.stderr)) }
        })?;
        Ok(daemon)
    }

    fn nodes(&self, home: &Path) -> Result<Vec<String>> {
        let out = run(home, &["--api", &self.socket, "nodes", "--json", "--state", "alive"])?;
        let list: Value = serde_json::from_slice(&out.stdout).with_context(|| text(&out.stderr))?;
        Ok(list.as_array().into_iter().flatten().filter_map(|n| Some(n["name"].as_str()?.to_string())).collect())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn a_token_joins_a_running_daemon_and_one_that_is_started_later() -> Result<()> {
    let dir = Directory::new()?;
    let home = dir.path();
    let (first, mut second) = (Running::start(home, "first")?, Running::start(home, "second")?);
    let token = text(&run(home, &["--api", &first.socket, "invite"])?.stdout);
    let joined = run(home, &["--api", &second.socket, "join", token.trim()])?;
    ensure!(joined.status.success(), "{}", text(&joined.stderr));
    assert!(text(&joined.stdout).starts_with("Joining that cluster through 127.0.0.1:"), "{}", text(&joined.stdout));
    let mut all = vec!["first", "second"];

    // Without --api the daemon of this machine would be asked, if it has one; a test leaves that alone.
    let third = if run(home, &["status"])?.status.success() {
        peermon_testbed::say("skipped: joining before the daemon starts, since this machine runs a daemon of its own");
        None
    } else {
        let state = home.join("third/state").display().to_string();
        let stored = run(home, &["join", token.trim(), "--state-dir", &state])?;
        ensure!(stored.status.success(), "{}", text(&stored.stderr));
        assert!(text(&stored.stdout).contains(&state) && text(&stored.stderr).contains("peermon daemon"), "{stored:?}");
        all.push("third");
        Some(Running::start(home, "third")?)
    };
    for daemon in [Some(&first), Some(&second), third.as_ref()].into_iter().flatten() {
        wait_for("all to see all", PATIENCE, || {
            let seen = daemon.nodes(home).map_err(|e| e.to_string())?;
            if seen == all { Ok(()) } else { Err(format!("{seen:?}")) }
        })?;
    }

    // It says that it leaves, and ends well.
    kill_process(Pid::from_child(&second.child), Signal::TERM).context("stopping the second")?;
    let status = second.child.wait().context("waiting for it")?;
    assert!(status.success(), "{status}");
    wait_for("the first to see it leave", PATIENCE, || {
        let out = run(home, &["--api", &first.socket, "nodes", "--state", "left"]).map_err(|e| e.to_string())?;
        if text(&out.stdout).contains("second") { Ok(()) } else { Err(text(&out.stderr)) }
    })?;
    Ok(())
}

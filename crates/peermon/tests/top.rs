//! `peermon top` in a real terminal: tmux, which keeps a screen to be read, over a real cluster.

use anyhow::{Context, Result, ensure};
use peermon_api::Service;
use peermon_testbed::{Daemon, Directory, Signal, Spec, find, say, wait_for};
use rustix::process::{Pid, kill_process};
use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const PROGRAM: &str = env!("CARGO_BIN_EXE_peermon");
/// Longer than anything here takes on a busy machine; passing it is a failure, not a measurement.
const PATIENCE: Duration = Duration::from_secs(60);

/// A terminal of its own server, ended with it.
struct Tmux {
    socket: String,
}

impl Tmux {
    fn start(dir: &Path, name: &str, columns: u16, rows: u16, command: &str) -> Result<Tmux> {
        let socket = dir.join(format!("tmux-{name}")).display().to_string();
        let tmux = Tmux { socket };
        let (x, y) = (columns.to_string(), rows.to_string());
        tmux.run(&["-f", "/dev/null", "-u", "new-session", "-d", "-s", "t", "-x", &x, "-y", &y, command])?;
        Ok(tmux)
    }

    fn run(&self, args: &[&str]) -> Result<String> {
        let out =
            Command::new("tmux").args(["-S", &self.socket]).args(args).env_remove("TMUX").output().context("running tmux")?;
        ensure!(out.status.success(), "tmux {args:?}: {}", String::from_utf8_lossy(&out.stderr));
        Ok(String::from_utf8_lossy(&out.stdout).into_owned())
    }

    fn keys(&self, keys: &[&str]) -> Result<()> {
        self.run(&[&["send-keys", "-t", "t"], keys].concat()).map(drop)
    }

    fn screen(&self) -> Result<String> {
        self.run(&["capture-pane", "-p", "-t", "t"])
    }

    /// Waits until a screen is as wanted, and gives it.
    fn until(&self, what: &str, wanted: impl Fn(&str) -> bool) -> Result<String> {
        let mut last = String::new();
        wait_for(what, PATIENCE, || {
            last = self.screen().map_err(|e| e.to_string())?;
            if wanted(&last) { Ok(()) } else { Err(format!("the screen is\n{last}")) }
        })?;
        Ok(last)
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        self.run(&["kill-server"]).ok();
    }
}

/// The screen without what differs from run to run: numbers are `#` and have no unit, bars, sparklines and stars go, spaces
/// shrink to one.
fn shape(screen: &str) -> String {
    const UNITS: &[&str] = &["B/s", "kB/s", "MB/s", "GB/s", "GiB", "TiB"];
    let drawn = |c: char| ('▁'..='▏').contains(&c) || matches!(c, '·' | '★');
    let lines = screen.lines().map(|line| {
        let mut words: Vec<String> = Vec::new();
        for word in line.split_whitespace() {
            let word: String = word.chars().filter(|c| !drawn(*c)).collect();
            let number = word.contains(|c: char| c.is_ascii_digit()) && !word.starts_with("node-");
            if number {
                words.push("#".into());
            } else if !word.is_empty() && !UNITS.contains(&&*word) {
                words.push(word);
            }
        }
        words.join(" ")
    });
    lines.collect::<Vec<_>>().join("\n").trim_end().to_string()
}

const LIST: &str = "\
peermon ● # up asks node-0 every # s, # old
CPU # of # cores MEM # # of #
load # net ↓ # ↑ #
NAME▲ STATE CPU MEM LOAD
● node-0 alive # # #
● node-1 alive # # #
● node-2 alive # # #










? help q quit ⏎ node s sort / filter g group m map c columns t colours";

/// Three daemons on loopback.
fn three(directory: &Directory) -> Result<Vec<Daemon>> {
    // A port that is free now; the first daemon comes back to it after it was killed.
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("looking for a free port")?;
    let first = socket.local_addr().context("its number")?;
    drop(socket);
    let mut daemons = Vec::new();
    for i in 0..3 {
        let spec = Spec {
            name: format!("node-{i}"),
            listen: if i == 0 { first } else { (Ipv4Addr::LOCALHOST, 0).into() },
            http: None,
            join: if i == 0 { Vec::new() } else { vec![first] },
            key: [3; 32],
            config: "discovery.enabled = false\n".into(),
            flags: Vec::new(),
        };
        daemons.push(Daemon::start(Path::new(PROGRAM), None, directory, spec)?);
    }
    // the one that is asked must answer: top says so and ends if it does not at the start
    wait_for("the first daemon's answer", PATIENCE, || daemons[0].ask().status().map(drop).map_err(|e| e.to_string()))?;
    Ok(daemons)
}

fn told(directory: &Directory) -> Result<()> {
    let mut daemons = three(directory)?;
    let socket = daemons[0].socket().display().to_string();
    let top = format!(
        "env -u NO_COLOR -u COLORTERM PEERMON_API={socket} TERM=tmux-256color {PROGRAM} top --columns state,cpu,mem,load"
    );

    // The list, with the cluster in the header.
    let tmux = Tmux::start(directory.path(), "list", 80, 18, &top)?;
    tmux.until("three nodes with all their values", |s| {
        let shape = shape(s).replace(" GPUs #", "");
        shape == LIST
    })?;

    // A node's page and back; a filter that is wrong, and one that is right; the map.
    tmux.keys(&["Down", "Down", "Enter"])?;
    tmux.until("the page of node-1", |s| s.contains("node-1") && s.contains("Processor") && !s.contains("NAME"))?;
    tmux.keys(&["Escape"])?;
    tmux.until("the list", |s| s.contains("NAME"))?;
    tmux.keys(&["/", "nmae == 'node-2'"])?;
    tmux.until("what is wrong", |s| s.contains("^^^^") && s.contains("did you mean name?"))?;
    tmux.keys(&["C-u", "name == 'node-2'", "Enter"])?;
    tmux.until("one node", |s| s.contains("1 of 3 with") && !s.contains("node-1 "))?;
    tmux.keys(&["Escape"])?;
    tmux.until("all nodes", |s| s.contains("node-1 ") && !s.contains("1 of 3"))?;
    tmux.keys(&["m"])?;
    tmux.until("the map", |s| s.contains("to use now") && s.contains("node-2"))?;
    tmux.keys(&["m"])?;

    // The node that answers tells of its health, its processes and each of them; the daemons and this test are among them.
    tmux.run(&["resize-window", "-t", "t", "-x", "120", "-y", "40"])?;
    tmux.keys(&["Home", "Enter"])?;
    tmux.until("health in words, probes and processes", |s| {
        s.contains("well: up for") && s.contains("sockets") && s.contains("Enter shows them") && s.contains("Users")
    })?;
    tmux.run(&["resize-window", "-t", "t", "-x", "120", "-y", "100"])?;
    tmux.until("its cores, the kinds of its memory and its interfaces", |s| {
        s.contains("busiest core") && s.contains("cache") && s.contains("interface") && s.contains(" lo ")
    })?;
    tmux.run(&["resize-window", "-t", "t", "-x", "120", "-y", "40"])?;
    tmux.keys(&["Enter"])?;
    // on an idle machine all of them sleep
    let listed = |s: &str| s.contains("▼CPU") && s.contains("THR") && (s.contains(" runs ") || s.contains(" sleeps "));
    let processes = tmux.until("the processes", listed)?;
    ensure!(processes.contains("100% is one processor"), "what they are is said:\n{processes}");
    tmux.keys(&["G", "Enter"])?;
    tmux.until("a process with its command line", |s| {
        s.contains("What it uses") && s.contains("started") && s.contains(" of node-0")
    })?;
    // One by one: two of them at once would be another key.
    tmux.keys(&["Escape"])?;
    tmux.until("the processes again", |s| s.contains("▼CPU"))?;
    tmux.keys(&["Escape"])?;
    tmux.until("the node again", |s| s.contains("Health"))?;
    tmux.keys(&["Escape"])?;
    tmux.until("the list again", |s| s.contains("NAME▲"))?;

    // Other sizes.
    tmux.run(&["resize-window", "-t", "t", "-x", "40", "-y", "10"])?;
    tmux.until("a small screen", |s| s.contains("NAME▲") && s.contains(" cpu ") && s.lines().count() <= 10)?;
    tmux.run(&["resize-window", "-t", "t", "-x", "100", "-y", "24"])?;
    tmux.until("a larger screen", |s| s.contains("STATE") && s.lines().count() > 20)?;

    // A daemon that stops, goes on, is killed and comes back; keys do something all the while.
    daemons[0].signal(Signal::STOP)?;
    tmux.until("silence", |s| s.contains("no answer for") && s.contains("values"))?;
    tmux.keys(&["?"])?;
    tmux.until("help while nobody answers", |s| s.contains("hold still"))?;
    tmux.keys(&["Escape"])?;
    tmux.until("the list", |s| s.contains("NAME") && !s.contains("hold still"))?;
    tmux.keys(&["Home", "Enter", "Enter"])?;
    tmux.until("processes as they were told last, while nobody answers", |s| s.contains("no answer for") && s.contains("▼CPU"))?;
    tmux.keys(&["Escape"])?;
    tmux.until("the node", |s| s.contains("Health"))?;
    tmux.keys(&["Escape"])?;
    tmux.until("the list", |s| s.contains("NAME"))?;
    daemons[0].signal(Signal::CONT)?;
    tmux.until("an answer", |s| !s.contains("no answer") && s.contains("asks node-0"))?;
    daemons[0].kill()?;
    tmux.until("nobody there", |s| s.contains("no answer for") && s.contains("Asked again in"))?;
    daemons[0].start_again()?;
    tmux.until("it is back", |s| !s.contains("no answer") && s.contains("● 3 up"))?;
    Ok(())
}

/// The terminal is given back, whatever ends the program.
fn given_back(directory: &Directory) -> Result<()> {
    let daemons = three(directory)?;
    let socket = daemons[0].socket().display().to_string();
    let line = format!("PEERMON_API={socket} {PROGRAM} top; echo ended with $?; stty -a; sleep 600");
    for end in ["q", "C-c", "TERM", "HUP"] {
        let tmux = Tmux::start(directory.path(), end, 80, 20, &format!("sh -c '{line}'"))?;
        tmux.until("the list", |s| s.contains("NAME▲"))?;
        let modes = |what: &str| tmux.run(&["display-message", "-p", "-t", "t", what]);
        ensure!(modes("#{alternate_on}#{mouse_sgr_flag}")?.trim() == "11", "{end}: another screen, and the mouse");
        let signal = match end {
            "TERM" => Some(Signal::TERM),
            "HUP" => Some(Signal::HUP),
            _ => None,
        };
        match signal {
            None => tmux.keys(&[end])?,
            Some(signal) => kill_process(child(&modes("#{pane_pid}")?)?, signal).context("ending peermon top")?,
        }
        let screen = tmux.until("the shell again", |s| s.contains("ended with 0") && s.contains("icanon"))?;
        ensure!(!screen.contains("-icanon") && !screen.contains("-echo "), "{end}: the terminal is still raw:\n{screen}");
        ensure!(modes("#{alternate_on}#{mouse_sgr_flag}#{cursor_flag}")?.trim() == "001", "{end}: the screen is not given back");
    }
    // a terminal that goes away takes it along
    let tmux = Tmux::start(directory.path(), "gone", 80, 20, &format!("sh -c '{line}'"))?;
    tmux.until("the list", |s| s.contains("NAME▲"))?;
    let top = child(&tmux.run(&["display-message", "-p", "-t", "t", "#{pane_pid}"])?)?;
    drop(tmux);
    let stat = format!("/proc/{}/stat", top.as_raw_nonzero());
    let ended = || match std::fs::read_to_string(&stat) {
        Ok(stat) if !stat.contains(") Z ") => Err(format!("it goes on: {stat}")),
        _ => Ok(()),
    };
    wait_for("top ends with its terminal", Duration::from_secs(10), ended)?;
    Ok(())
}

/// The first child of a process.
fn child(parent: &str) -> Result<Pid> {
    let file = format!("/proc/{0}/task/{0}/children", parent.trim());
    let children = std::fs::read_to_string(&file).with_context(|| file.clone())?;
    let first = children.split_whitespace().next().and_then(|p| Pid::from_raw(p.parse().ok()?));
    first.with_context(|| format!("no child in {file}"))
}

/// Runs a test if tmux is there, and says if it is not.
fn with_tmux(test: fn(&Directory) -> Result<()>) {
    if find("tmux").is_err() {
        say("skipped: no program tmux here: apt-get install tmux");
        return;
    }
    let directory = Directory::new().expect("a directory");
    if let Err(e) = test(&directory) {
        panic!("{e:?}");
    }
}

#[test]
fn a_cluster_is_watched() {
    with_tmux(told);
}

#[test]
fn the_terminal_is_given_back() {
    with_tmux(given_back);
}

use crate::Failure;
use peermon_api::{NodesQuery, Service, State};
use peermon_client::{Client, Target};
use peermon_trust::{ClusterKey, Keyring};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Nodes that publish real values, where there are as many.
const REAL: usize = 2;
/// Time the daemons have to end after SIGTERM before they are killed.
const STOP_MAX: Duration = Duration::from_secs(5);
/// Lines of a log that are shown when its daemon ends early.
const LOG_LINES: usize = 12;

/// One daemon of the demonstration.
#[derive(Debug)]
pub(super) struct Member {
    /// Its node's name.
    pub(super) name: String,
    /// The trace it replays; `None`: it publishes this machine's values.
    pub(super) trace: Option<&'static str>,
    /// Its HTTP API.
    pub(super) http: SocketAddr,
    /// Its API's socket.
    pub(super) socket: PathBuf,
    gossip: SocketAddr,
    log: PathBuf,
    child: Child,
    /// How it ended, once it has.
    status: Option<ExitStatus>,
}

/// Why a cluster is not ready yet.
#[derive(Debug)]
pub(super) struct Missing {
    /// Members that see all.
    pub(super) seeing: usize,
    /// What another one does not, in words.
    pub(super) why: String,
}

/// All daemons, and the directory of their files. Dropping it ends them and removes the files.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) members: Vec<Member>,
    dir: PathBuf,
}

impl Cluster {
    /// Starts `n` daemons that join the first.
    pub(super) fn start(n: usize) -> Result<Cluster, Failure> {
        let dir = private_dir()?;
        let mut cluster = Cluster { members: Vec::new(), dir };
        let keys = cluster.dir.join("cluster.keys");
        write_private(&keys, &Keyring::new(1, ClusterKey::new(random()?)).to_text())
            .map_err(|e| failed(&format!("write {}", keys.display()), &e))?;
        let ports = free_ports(n).map_err(|e| failed("take free ports on loopback", &e))?;
        for (i, (gossip, http)) in ports.into_iter().enumerate() {
            let first = cluster.members.first().map(|m: &Member| m.gossip);
            let member = start_member(&cluster.dir, &keys, i, gossip, http, first)?;
            cluster.members.push(member);
        }
        Ok(cluster)
    }

    /// Whether each node sees all nodes with values; else what is missing.
    pub(super) fn ready(&self) -> Result<(), Missing> {
        let missing: Vec<String> = self.members.iter().filter_map(|m| self.sees_all(m).err()).collect();
        let seeing = self.members.len() - missing.len();
        missing.into_iter().next().map_or(Ok(()), |why| Err(Missing { seeing, why }))
    }

    fn sees_all(&self, m: &Member) -> Result<(), String> {
        let table = m.client().and_then(|c| c.nodes(&NodesQuery::default()));
        let table = table.map_err(|e| format!("{} does not answer: {e}", m.name))?;
        for other in &self.members {
            let node = table.iter().find(|n| n.name == other.name && n.state == State::Alive);
            let node = node.ok_or_else(|| format!("{} does not see {}", m.name, other.name))?;
            if node.age_seconds.is_none() || !["load.1", "mem.available"].iter().all(|v| node.vitals.contains_key(*v)) {
                return Err(format!("{} has no values of {}", m.name, other.name));
            }
        }
        Ok(())
    }

    /// A daemon that has ended since the last call: its name, and how with the end of its log.
    pub(super) fn ended(&mut self) -> Option<(String, String)> {
        for m in self.members.iter_mut().filter(|m| m.status.is_none()) {
            if let Ok(Some(status)) = m.child.try_wait() {
                m.status = Some(status);
                let how = format!("{} has ended ({status}). The end of its log:\n{}", m.name, tail(&m.log));
                return Some((m.name.clone(), how));
            }
        }
        None
    }

    /// Ends all daemons and removes their files.
    pub(super) fn stop(mut self) -> Result<(), Failure> {
        self.end_all();
        std::fs::remove_dir_all(&self.dir).map_err(|e| failed(&format!("remove {}", self.dir.display()), &e))
    }

    fn end_all(&mut self) {
        for m in self.members.iter().filter(|m| m.running()) {
            // One that has ended since cannot be signalled, and need not be.
            kill_process(Pid::from_child(&m.child), Signal::TERM).ok();
        }
        let end = Instant::now() + STOP_MAX;
        for m in self.members.iter_mut().filter(|m| m.running()) {
            while matches!(m.child.try_wait(), Ok(None)) && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(10));
            }
            // Nothing happens to one that has ended; one that hangs ends now.
            m.child.kill().ok();
            m.status = m.child.wait().ok();
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.end_all();
        // After `stop` it is gone already; after a failure there is nobody left to tell.
        std::fs::remove_dir_all(&self.dir).ok();
    }
}

impl Member {
    /// Asks it over its socket.
    pub(super) fn client(&self) -> Result<Client, peermon_api::Error> {
        Client::new(Target::Unix(self.socket.clone()), None)
    }

    /// Its process.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What there is to say of it, for programs.
    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "name": self.name,
            "replays": self.trace,
            "http": format!("http://{}", self.http),
            "socket": self.socket,
            "pid": self.pid(),
        })
    }

    /// Whether it has not been seen to end.
    pub(super) fn running(&self) -> bool {
        self.status.is_none()
    }
}

fn start_member(
    dir: &Path,
    keys: &Path,
    i: usize,
    gossip: SocketAddr,
    http: SocketAddr,
    first: Option<SocketAddr>,
) -> Result<Member, Failure> {
    let traces = peermon_collector::replay::BUILTIN;
    let (name, trace) = match i.checked_sub(REAL) {
        None => (format!("here-{}", i + 1), None),
        Some(r) => {
            let trace = traces[r % traces.len()].0;
            let round = r / traces.len();
            (if round == 0 { format!("replay-{trace}") } else { format!("replay-{trace}-{}", round + 1) }, Some(trace))
        }
    };
    let home = dir.join(&name);
    let socket = home.join("sock");
    let log = home.join("log");
    DirBuilder::new().mode(0o700).create(&home).map_err(|e| failed(&format!("make {}", home.display()), &e))?;
    let log_file = File::create(&log).map_err(|e| failed(&format!("make {}", log.display()), &e))?;
    let errors = log_file.try_clone().map_err(|e| failed(&format!("open {}", log.display()), &e))?;
    // An empty file: nothing of this machine's own set-up is to be read.
    let config = home.join("peermon.toml");
    File::create(&config).map_err(|e| failed(&format!("make {}", config.display()), &e))?;

    let me = std::env::current_exe().map_err(|e| failed("find this program", &e))?;
    let mut c = Command::new(&me);
    for (variable, _) in std::env::vars_os().filter(|(n, _)| n.to_string_lossy().starts_with("PEERMON_")) {
        c.env_remove(variable);
    }
    // The cluster has its own addresses, and nobody else is to be found.
    c.env("PEERMON_DISCOVERY_ENABLED", "false");
    c.arg("daemon").args(["--name", &name, "--listen", &gossip.to_string(), "--http", &http.to_string()]);
    c.arg("--socket").arg(&socket).arg("--state-dir").arg(home.join("state"));
    c.arg("--cluster-key-file").arg(keys).arg("--config").arg(&config);
    c.args(["--with-parent", &std::process::id().to_string()]);
    if let Some(first) = first {
        c.args(["--join", &first.to_string()]);
    }
    if let Some(trace) = trace {
        c.args(["--replay", trace]);
    }
    c.args(["--label", if trace.is_some() { "values=replayed" } else { "values=real" }]);
    // A group of its own: Ctrl-C in the terminal reaches the demonstration only, which then ends all in order.
    c.process_group(0).stdin(Stdio::null()).stdout(log_file).stderr(errors);
    let child = c.spawn().map_err(|e| failed(&format!("start {}", me.display()), &e))?;
    Ok(Member { name, trace, http, socket, gossip, log, child, status: None })
}

fn failed(what: &str, e: &io::Error) -> Failure {
    Failure::new(format!("the demonstration cannot {what}: {e}"))
}

/// A new directory of this user alone.
fn private_dir() -> Result<PathBuf, Failure> {
    let [a, b, c, ..] = random()?;
    let dir = std::env::temp_dir().join(format!("peermon-demo-{}-{a:02x}{b:02x}{c:02x}", std::process::id()));
    DirBuilder::new().mode(0o700).create(&dir).map_err(|e| {
        Failure::new(format!("the demonstration cannot make {}: {e}; set TMPDIR to a directory you may write to", dir.display()))
    })?;
    Ok(dir)
}

fn random() -> Result<[u8; 32], Failure> {
    let mut bytes = [0; 32];
    let got = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    match got {
        Ok(n) if n == bytes.len() => Ok(bytes),
        Ok(_) => Err(Failure::new("the kernel gave too few random bytes")),
        Err(e) => Err(failed("get random bytes", &e.into())),
    }
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(text.as_bytes())
}

/// Addresses for gossip (UDP) and HTTP (TCP) that nobody uses now. All are held until the last is known, so that none comes twice.
fn free_ports(n: usize) -> io::Result<Vec<(SocketAddr, SocketAddr)>> {
    let any = (Ipv4Addr::LOCALHOST, 0);
    let held: Vec<_> = (0..n).map(|_| Ok((UdpSocket::bind(any)?, TcpListener::bind(any)?))).collect::<io::Result<_>>()?;
    held.iter().map(|(udp, tcp)| Ok((udp.local_addr()?, tcp.local_addr()?))).collect()
}

/// The last lines of a log.
fn tail(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    let shown = &lines[lines.len().saturating_sub(LOG_LINES)..];
    if shown.is_empty() {
        "  (it is empty)".to_string()
    } else {
        shown.iter().map(|l| format!("  {l}\n")).collect::<String>().trim_end().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_ports_differ() {
        let mut ports: Vec<_> = free_ports(20).expect("loopback has ports").into_iter().map(|(u, _)| u.port()).collect();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 20);
    }

    #[test]
    fn the_end_of_a_log_is_shown() {
        let dir = private_dir().expect("a temporary directory");
        let log = dir.join("log");
        assert_eq!(tail(&log), "  (it is empty)");
        std::fs::write(&log, (0..50).map(|i| format!("line {i}\n")).collect::<String>()).expect("written");
        assert!(tail(&log).starts_with("  line 38\n") && tail(&log).ends_with("  line 49"));
        std::fs::remove_dir_all(dir).expect("removed");
    }
}

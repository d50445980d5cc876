//! serf, as Debian has it: SWIM with suspicion, for membership alone. Real agents; what they notice is read from their logs, so
//! that nobody has to ask them.

use crate::contest::{DEATH_MAX, JOIN_MAX, SETTLE};
use crate::network::Loopback;
use anyhow::{Context, Result, ensure};
use peermon_bench::figures::Figures;
use peermon_bench::fleet::{BETWEEN_DEATHS, name, victims};
use peermon_bench::process::{Used, Watch};
use peermon_bench::room::{self, Need};
use peermon_bench::times::{Death, put_deaths};
use peermon_bench::udp::Udp;
use peermon_testbed::{Directory, find, wait_for};
use std::fs::File;
use std::io::Read;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The program's name, and its package's.
pub(crate) const PROGRAM: &str = "serf";
/// The first port of gossip, UDP and TCP; the agents take the next ones.
const PORT: u16 = 23000;
/// The first port where they can be asked, which nobody does.
const ASK_PORT: u16 = 25000;
/// A key of 32 bytes, in base 64: peermon seals what it sends, so serf does.
const KEY: &str = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";
/// Between two looks at the logs.
const LOOK: Duration = Duration::from_millis(10);

/// What an agent logs when it learns that a member is there, does not answer, or is dead.
const JOINED: &str = "serf: EventMemberJoin: ";
const SUSPECTED: &str = "memberlist: Suspect ";
const FAILED: &str = "serf: EventMemberFailed: ";

/// An agent. It is killed when dropped.
struct Agent {
    name: String,
    child: Child,
    log: File,
    read: String,
    members: usize,
}

/// Measures a cluster.
pub(crate) fn run(nodes: usize, length: Duration) -> Result<Figures> {
    room::check(&Need { programs: nodes, threads: 16, files: 64, own_files: 2, memory: 48 << 20, port: PORT })?;
    let program = find(PROGRAM)?;
    let directory = Directory::new()?;
    let mut agents = (0..nodes).map(|i| Agent::start(&program, directory.path(), i)).collect::<Result<Vec<_>>>()?;
    let mut figures = Figures::default();
    let joined = wait_for("all agents to see all", JOIN_MAX, || {
        for a in &mut agents {
            a.follow(|_| ()).map_err(|e| format!("{e:#}"))?;
        }
        agents.iter().find(|a| a.members < nodes).map_or(Ok(()), |a| Err(format!("{} sees {} of {nodes}", a.name, a.members)))
    })?;
    figures.put("joined", joined.as_secs_f64());
    std::thread::sleep(SETTLE);

    let mut watches: Vec<Watch> = agents.iter().map(|a| Watch::new(a.child.id())).collect();
    let used: Vec<Used> = watches.iter_mut().map(Watch::look).collect::<Result<_>>()?;
    let datagrams = Udp::now()?;
    Loopback::over(length)?.put(&mut figures, nodes);
    figures.put("lost", Udp::now()?.lost_since(&datagrams));
    let (mut cpu, mut heap, mut resident) = (0.0, 0.0, 0.0);
    for (watch, before) in watches.iter_mut().zip(&used) {
        cpu += before.until(&watch.look()?).cpu;
        let memory = watch.memory()?;
        heap += memory.anonymous as f64;
        resident += memory.resident as f64;
    }
    for (key, sum) in [("cpu", cpu), ("memory", heap), ("resident", resident)] {
        figures.put(key, sum / nodes as f64);
    }

    let mut wrong = 0;
    for a in &mut agents {
        a.follow(|_| ())?;
        wrong += nodes.saturating_sub(a.members);
    }
    figures.put("wrong", wrong as f64 / (nodes * (nodes - 1)) as f64);

    let mut deaths = Vec::new();
    for v in victims(nodes) {
        let victim = agents.remove(v);
        deaths.push(death(&mut agents, victim)?);
        std::thread::sleep(BETWEEN_DEATHS);
    }
    put_deaths(&mut figures, &deaths);
    Ok(figures)
}

/// Kills one agent without a word, and waits until all others say that it failed.
fn death(agents: &mut [Agent], victim: Agent) -> Result<Death> {
    for a in agents.iter_mut() {
        a.follow(|_| ())?;
    }
    let victim_name = victim.name.clone();
    let killed = Instant::now();
    drop(victim);
    let mut times = vec![(None, None); agents.len()];
    while times.iter().any(|(_, failed)| failed.is_none()) {
        let since = killed.elapsed();
        ensure!(since < DEATH_MAX, "not all agents say after {} s that {victim_name} failed", DEATH_MAX.as_secs());
        for (agent, (suspected, failed)) in agents.iter_mut().zip(&mut times) {
            agent.follow(|line| {
                if says(line, SUSPECTED, &victim_name) {
                    suspected.get_or_insert(killed.elapsed().as_secs_f64());
                } else if says(line, FAILED, &victim_name) {
                    failed.get_or_insert(killed.elapsed().as_secs_f64());
                }
            })?;
        }
        std::thread::sleep(LOOK);
    }
    let (suspected, down): (Vec<_>, Vec<_>) = times.into_iter().unzip();
    Ok(Death { suspected: suspected.into_iter().flatten().collect(), down: down.into_iter().flatten().collect() })
}

/// Whether a line of a log says this of a member.
fn says(line: &str, what: &str, of: &str) -> bool {
    line.split_once(what).is_some_and(|(_, rest)| rest.split(' ').next() == Some(of))
}

impl Agent {
    fn start(program: &Path, directory: &Path, i: usize) -> Result<Agent> {
        let name = name(i);
        let path = directory.join(format!("{name}.log"));
        let out = File::create(&path).with_context(|| format!("making {}", path.display()))?;
        let address = |first: u16, i: usize| format!("{}:{}", Ipv4Addr::LOCALHOST, first + i as u16);
        let mut c = Command::new(program);
        c.arg("agent")
            .arg(format!("-node={name}"))
            .arg(format!("-bind={}", address(PORT, i)))
            .arg(format!("-rpc-addr={}", address(ASK_PORT, i)))
            .arg(format!("-encrypt={KEY}"))
            .args(["-log-level=info", "-retry-interval=1s"]);
        // As for peermon: two seeds, so that the first node is not everybody's.
        for seed in [0, 1].into_iter().filter(|s| *s != i) {
            c.arg(format!("-retry-join={}", address(PORT, seed)));
        }
        c.stdin(Stdio::null()).stdout(out.try_clone().context("sharing the log")?).stderr(out);
        let child = c.spawn().with_context(|| format!("starting {}", program.display()))?;
        let log = File::open(&path).with_context(|| format!("opening {}", path.display()))?;
        Ok(Agent { name, child, log, read: String::new(), members: 0 })
    }

    /// Hands out what it has logged since, line by line, and counts the members that it sees.
    fn follow(&mut self, mut each: impl FnMut(&str)) -> Result<()> {
        let mut more = Vec::new();
        self.log.read_to_end(&mut more).with_context(|| format!("reading the log of {}", self.name))?;
        self.read.push_str(&String::from_utf8_lossy(&more));
        let end = self.read.rfind('\n').map_or(0, |at| at + 1);
        for line in self.read[..end].lines() {
            if line.contains(JOINED) {
                self.members += 1;
            } else if line.contains(FAILED) {
                self.members = self.members.saturating_sub(1);
            }
            each(line);
        }
        self.read.drain(..end);
        Ok(())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It may have ended already; either way it is gone then.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_are_understood() {
        for (line, what, of, want) in [
            ("    2024/05/01 12:00:00 [INFO] serf: EventMemberFailed: node-007 127.0.0.1", FAILED, "node-007", true),
            ("    2024/05/01 12:00:00 [INFO] serf: EventMemberFailed: node-007 127.0.0.1", FAILED, "node-00", false),
            (
                "    2024/05/01 12:00:00 [INFO] memberlist: Suspect node-007 has failed, no acks received",
                SUSPECTED,
                "node-007",
                true,
            ),
            ("    2024/05/01 12:00:00 [INFO] serf: EventMemberJoin: node-007 127.0.0.1", FAILED, "node-007", false),
        ] {
            assert_eq!(says(line, what, of), want, "{line}");
        }
    }
}

//! Many real daemons on one machine. They replay recorded machines, so that what is measured is the protocol and not hundreds of
//! readers of one `/proc`.

use crate::figures::{Figures, put_ages};
use crate::process::{Used, Watch};
use crate::room::{self, Need};
use crate::times::{Death, put_deaths};
use crate::udp::Udp;
use anyhow::{Context, Result, bail, ensure};
use peermon_api::{Event, EventStream, NextEvent, NodesQuery, Service, State, Status};
use peermon_collector::replay::BUILTIN;
use peermon_testbed::{Daemon, Directory, Spec, wait_for};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

/// The first UDP port; the daemons take the next ones.
pub const PORT: u16 = 21000;
/// Time for everybody to find everybody, on a machine that starts hundreds of programs at once.
const JOIN_MAX: Duration = Duration::from_secs(300);
/// Between two questions about ages: no divisor of the period, so that all phases of a second are seen.
const ASK: Duration = Duration::from_millis(97);
/// Time until a death is known everywhere, on a machine that may be far too busy.
const DEATH_MAX: Duration = Duration::from_secs(60);
/// How exactly the time of news from a daemon is taken.
const NEWS: Duration = Duration::from_millis(2);
/// Nodes killed one after the other, for a mean: the phase of the period in which a node dies matters.
pub const DEATHS: usize = 3;
/// Between two deaths: the overlay has closed the gap by then. No divisor of the period.
pub const BETWEEN_DEATHS: Duration = Duration::from_millis(3_370);

/// A cluster of real daemons on loopback.
#[derive(Debug)]
pub struct Fleet {
    daemons: Vec<Daemon>,
    /// Seconds from the start of the last one until each saw all.
    joined: f64,
    _directory: Directory,
}

/// What a daemon used and had counted at a moment.
#[derive(Debug)]
struct Look {
    status: Status,
    at: Instant,
    used: Used,
}

/// What one daemon used, and sent per second. Bytes include 28 of IP and UDP headers for each datagram, as in the reference.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Share of one core.
    pub cpu: f64,
    /// Bytes of memory, its program's own pages included.
    pub resident: f64,
    /// Bytes of heap and stacks.
    pub anonymous: f64,
    /// Wake-ups per second.
    pub wakeups: f64,
    /// Bytes sent per second.
    pub bytes: f64,
    /// Datagrams sent per second.
    pub datagrams: f64,
    /// Bytes of a row without headers.
    pub row_bytes: f64,
    /// Rows received for each that was new.
    pub redundancy: f64,
    /// Times per second that its cluster clock jumped: none in a steady state.
    pub clock_steps: f64,
}

/// How old what the daemons know is.
#[derive(Debug)]
pub struct Ages {
    /// Seconds, one for each look of a daemon at another that it shows as alive.
    pub seconds: Vec<f64>,
    /// Looks at a daemon that runs but is not shown as alive.
    pub wrong: usize,
}

impl Fleet {
    /// Starts daemons and waits until each sees all.
    ///
    /// # Errors
    /// If this machine has no room for them (nothing is started then), one does not start, or they do not find each other.
    pub fn start(peermon: &Path, nodes: usize) -> Result<Fleet> {
        room::check(&need(nodes))?;
        let directory = Directory::new()?;
        let mut daemons = Vec::new();
        for i in 0..nodes {
            let address = |i: usize| SocketAddr::from((Ipv4Addr::LOCALHOST, PORT + i as u16));
            let spec = Spec {
                name: name(i),
                listen: address(i),
                http: None,
                // Two seeds, so that the first node is not everybody's.
                join: [0, 1].into_iter().filter(|s| *s != i).map(address).collect(),
                key: [2; 32],
                config: "discovery.enabled = false\nlog.level = \"warn\"\n".into(),
                flags: vec!["--replay".into(), trace(i)],
            };
            daemons.push(Daemon::start(peermon, None, &directory, spec)?);
        }
        let mut fleet = Fleet { daemons, joined: 0.0, _directory: directory };
        fleet.joined = wait_for("all daemons to see all", JOIN_MAX, || fleet.complete())?.as_secs_f64();
        Ok(fleet)
    }

    /// Seconds from the start of the last daemon until each saw all.
    pub fn joined(&self) -> f64 {
        self.joined
    }

    /// Whether each daemon sees all as alive.
    ///
    /// # Errors
    /// If not; with the first that does not.
    pub fn complete(&self) -> Result<(), String> {
        self.daemons.iter().try_for_each(|d| {
            let status = d.ask().status().map_err(|e| format!("{}: {e}\n{}", d.name(), d.log()))?;
            let alive = status.nodes.get("alive").copied().unwrap_or(0);
            let nodes = self.daemons.len();
            if alive == nodes { Ok(()) } else { Err(format!("{} sees {alive} of {nodes}", d.name())) }
        })
    }

    /// What each daemon uses and sends over some time in which nobody asks anything.
    ///
    /// # Errors
    /// If one has ended or does not answer.
    pub fn cost(&self, length: Duration) -> Result<Vec<Cost>> {
        let mut watches: Vec<Watch> =
            self.daemons.iter().map(|d| Ok(Watch::new(d.pid().context("it has ended")?))).collect::<Result<_>>()?;
        let mut start = Vec::new();
        for (d, w) in self.daemons.iter().zip(&mut watches) {
            start.push(Look { status: d.ask().status()?, at: Instant::now(), used: w.look()? });
        }
        std::thread::sleep(length);
        let mut costs = Vec::new();
        for ((d, w), before) in self.daemons.iter().zip(&mut watches).zip(&start) {
            let used = w.look()?;
            let memory = w.memory()?;
            let after = Look { status: d.ask().status()?, at: Instant::now(), used };
            costs.push(Cost::between(before, &after, memory.resident as f64, memory.anonymous as f64)?);
        }
        Ok(costs)
    }

    /// The ages of all nodes at all nodes, asked of one node after the other.
    ///
    /// # Errors
    /// If one does not answer, or has nothing of another that it shows as alive.
    pub fn ages(&self, length: Duration) -> Result<Ages> {
        let mut ages = Ages { seconds: Vec::new(), wrong: 0 };
        let start = Instant::now();
        let mut next = start;
        for d in self.daemons.iter().cycle() {
            if start.elapsed() >= length {
                break;
            }
            let shown = d.ask().nodes(&NodesQuery::default())?;
            ages.wrong += self.daemons.len().saturating_sub(shown.len());
            for n in shown.iter().filter(|n| !n.this) {
                if n.state == State::Alive {
                    let age = n.age_seconds.with_context(|| format!("{} has no vitals of {}", d.name(), n.name))?;
                    ages.seconds.push(age);
                } else {
                    ages.wrong += 1;
                }
            }
            next += ASK;
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        Ok(ages)
    }

    /// Kills one daemon without a word, and waits until all others know.
    ///
    /// # Errors
    /// If it was not running, or not all others come to know.
    pub fn death(&mut self, of: usize) -> Result<Death> {
        let mut victim = self.daemons.remove(of);
        let streams: Vec<EventStream> = self.daemons.iter().map(|d| Ok(d.ask().events()?)).collect::<Result<_>>()?;
        let mut suspected = vec![None; streams.len()];
        let mut down = vec![None; streams.len()];
        let killed = Instant::now();
        victim.kill()?;
        while down.iter().any(Option::is_none) {
            let since = killed.elapsed();
            if since > DEATH_MAX {
                let missing = down.iter().filter(|d| d.is_none()).count();
                bail!(
                    "{missing} of {} do not know after {:.0} s that {} is down",
                    down.len(),
                    since.as_secs_f64(),
                    victim.name()
                );
            }
            for (i, stream) in streams.iter().enumerate() {
                while let Some(state) = news(stream, victim.name(), self.daemons[i].name())? {
                    let seconds = killed.elapsed().as_secs_f64();
                    match state {
                        State::Suspect => suspected[i].get_or_insert(seconds),
                        State::Down => down[i].get_or_insert(seconds),
                        State::Alive | State::Left | State::Stale => continue,
                    };
                }
            }
            std::thread::sleep(NEWS);
        }
        Ok(Death { suspected: suspected.into_iter().flatten().collect(), down: down.into_iter().flatten().collect() })
    }

    /// All of it: cost, then ages, then deaths.
    ///
    /// # Errors
    /// As its parts.
    pub fn figures(&mut self, length: Duration) -> Result<Figures> {
        let datagrams = Udp::now()?;
        let costs = self.cost(length)?;
        let ages = self.ages(length)?;
        let mut figures = Figures::default();
        figures.put("lost", Udp::now()?.lost_since(&datagrams));
        figures.put("joined", self.joined);
        let mean = |of: fn(&Cost) -> f64| costs.iter().map(of).sum::<f64>() / costs.len() as f64;
        figures.put("cpu", mean(|c| c.cpu));
        figures.put("memory", mean(|c| c.anonymous));
        figures.put("resident", mean(|c| c.resident));
        figures.put("sent.bytes", mean(|c| c.bytes));
        figures.put("sent.packets", mean(|c| c.datagrams));
        figures.put("row.bytes", mean(|c| c.row_bytes));
        figures.put("redundancy", mean(|c| c.redundancy));
        figures.put("wrong", ages.wrong as f64 / (ages.seconds.len() + ages.wrong).max(1) as f64);
        put_ages(&mut figures, ages.seconds);
        let mut deaths = Vec::new();
        for of in victims(self.daemons.len()) {
            deaths.push(self.death(of)?);
            std::thread::sleep(BETWEEN_DEATHS);
        }
        put_deaths(&mut figures, &deaths);
        Ok(figures)
    }
}

/// Which nodes are killed, by their place among those that are left: none of the seeds, and spread.
pub fn victims(nodes: usize) -> impl Iterator<Item = usize> {
    (0..DEATHS.min(nodes.saturating_sub(3))).map(move |k| 2 + (nodes - 3 - k) * (k + 1) / (DEATHS + 1))
}

/// What daemon `i` replays: the traces in turn, each from another moment on.
pub fn trace(i: usize) -> String {
    let (trace, _) = BUILTIN[i % BUILTIN.len()];
    format!("{trace}@{}s", i / BUILTIN.len())
}

/// What daemon `i` is called.
pub fn name(i: usize) -> String {
    format!("node-{i:03}")
}

/// What so many daemons need, measured and rounded up: each has 5 threads, 17 descriptors, 8 MB, and some kB for each other.
fn need(nodes: usize) -> Need {
    let memory = (16 << 20) + (nodes as u64) * (8 << 10);
    Need { programs: nodes, threads: 8, files: 64, own_files: 2, memory, port: PORT }
}

/// The next news of one daemon in another's events, if there is any now.
fn news(stream: &EventStream, about: &str, from: &str) -> Result<Option<State>> {
    loop {
        match stream.next(Duration::ZERO) {
            NextEvent::Event(Event::Member { name, state, .. }) if name == about => return Ok(Some(state)),
            NextEvent::Event(Event::Lost { count }) => {
                bail!("{count} events of {from} were lost: this machine is too busy to measure")
            }
            NextEvent::Event(_) => {}
            NextEvent::Quiet => return Ok(None),
            NextEvent::Ended => bail!("{from} ended its events"),
        }
    }
}

impl Cost {
    fn between(before: &Look, after: &Look, resident: f64, anonymous: f64) -> Result<Cost> {
        let seconds = after.at.duration_since(before.at).as_secs_f64();
        let grew = |name| -> Result<f64> {
            Ok((counter(&after.status, name)?.saturating_sub(counter(&before.status, name)?)) as f64 / seconds)
        };
        let cost = before.used.until(&after.used);
        let rows = grew("gossip.rows.new")?;
        ensure!(rows > 0.0, "a daemon had no new row within {seconds:.0} s");
        Ok(Cost {
            cpu: cost.cpu,
            resident,
            anonymous,
            wakeups: cost.wakeups,
            bytes: grew("gossip.tx.bytes")?,
            datagrams: grew("gossip.tx.datagrams")?,
            row_bytes: grew("gossip.rows.sent.bytes")? / grew("gossip.rows.sent")?,
            redundancy: grew("gossip.rows.received")? / rows,
            clock_steps: grew("gossip.clock.steps")?,
        })
    }
}

fn counter(status: &Status, name: &str) -> Result<u64> {
    status.counters.get(name).copied().with_context(|| format!("its status has no counter {name}: {:?}", status.counters.keys()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn victims_are_no_seeds_and_still_there() {
        for nodes in [2, 3, 4, 5, 6, 50, 300] {
            let mut left = nodes;
            let mut count = 0;
            for v in victims(nodes) {
                assert!((2..left).contains(&v), "{v} of {left} of {nodes}");
                left -= 1;
                count += 1;
            }
            assert_eq!(count, DEATHS.min(nodes.saturating_sub(3)), "{nodes}");
        }
    }

    #[test]
    fn no_two_of_a_fleet_replay_alike() {
        let all: std::collections::BTreeSet<String> = (0..300).map(trace).collect();
        assert_eq!(all.len(), 300);
    }
}

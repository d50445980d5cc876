//! What the stories need of a simulated cluster, whatever it speaks; and this project's own nodes as such.

use peermon_model::{Instant, MemberState};
use peermon_sim::{Network, World};
use std::net::SocketAddr;
use std::time::Duration;

/// How a node sees another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum View {
    Up,
    Suspect,
    Down,
}

/// What one machine sent and received since its start, with IP and UDP headers, and the rows in it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) tx_bytes: u64,
    pub(crate) tx_datagrams: u64,
    pub(crate) rx_bytes: u64,
    pub(crate) rows_received: u64,
    pub(crate) rows_new: u64,
    pub(crate) rows_sent: u64,
    pub(crate) row_bytes_sent: u64,
}

/// A simulated cluster.
pub(crate) trait Cluster {
    /// Whether its nodes know a state between up and down.
    const SUSPECTS: bool;

    fn start_cluster(&mut self, n: usize);
    fn now(&self) -> Instant;
    fn run_for(&mut self, d: Duration);
    /// How far the nodes are in their period, if all have the same; else any moment is as good as another.
    fn phase(&self, period: Duration) -> Duration {
        Duration::from_nanos(self.now().as_nanos() % period.as_nanos() as u64)
    }
    fn network(&mut self) -> &mut Network;
    /// Machines whose node runs, in order.
    fn running(&self) -> Vec<usize>;
    fn crash(&mut self, i: usize);
    /// Starts a machine's node again.
    fn restart(&mut self, i: usize);
    /// Starts a node on a new machine.
    fn join(&mut self) -> usize;
    /// Stops a process for a while; false if this cluster cannot.
    fn stall(&mut self, i: usize, d: Duration) -> bool;
    /// Bytes and datagrams of all lives of a machine; rows of its present one at least.
    fn traffic(&self, i: usize) -> Traffic;
    /// What a machine told of others since then.
    fn told(&self, i: usize, since: Instant) -> Vec<(Instant, usize, View)>;
    /// Ages of the rows that this many running nodes, drawn at random, hold of running ones; none for each row not held.
    fn ages(&mut self, observers: usize) -> Vec<Option<Duration>>;
    /// Whether every running node has a row of every running node and counts it as up.
    fn all_know_all(&self) -> bool;
    /// Whether every running node has a row of every running node that is no older than this.
    fn all_fresh(&self, limit: Duration) -> bool;
}

/// Nodes already running that a new one is told of.
const SEEDS: usize = 3;
/// That more nodes join on one seed takes more memory than all that is measured then.
const JOINING_MAX: usize = 5_000;
/// The world counts a row that is not held as this old.
const NOT_HELD: Duration = Duration::from_secs(3600);

impl Cluster for World {
    const SUSPECTS: bool = true;

    fn start_cluster(&mut self, n: usize) {
        if n > JOINING_MAX {
            self.start_acquainted(n);
        } else {
            World::start_cluster(self, n);
        }
    }

    fn now(&self) -> Instant {
        self.now
    }

    fn run_for(&mut self, d: Duration) {
        World::run_for(self, d);
    }

    fn phase(&self, period: Duration) -> Duration {
        let i = World::running(self).next().expect("somebody runs");
        let clock = self.hosts[i].node.as_ref().expect("it runs").engine().cluster_time(self.local(i));
        Duration::from_micros(clock.0 % period.as_micros() as u64)
    }

    fn network(&mut self) -> &mut Network {
        &mut self.network
    }

    fn running(&self) -> Vec<usize> {
        World::running(self).collect()
    }

    fn crash(&mut self, i: usize) {
        World::crash(self, i);
    }

    fn restart(&mut self, i: usize) {
        let seeds = some_addresses(self);
        self.start(i, seeds);
    }

    fn join(&mut self) -> usize {
        let seeds = some_addresses(self);
        self.add_host(seeds)
    }

    fn stall(&mut self, i: usize, d: Duration) -> bool {
        self.stop_for(i, d);
        true
    }

    fn traffic(&self, i: usize) -> Traffic {
        let host = &self.hosts[i];
        let (tx_bytes, tx_datagrams, rx_bytes) = (host.tx_bytes, host.tx_datagrams, host.rx_bytes);
        let rows = host.node.as_ref().map(|n| *n.engine().counters()).unwrap_or_default();
        Traffic {
            tx_bytes,
            tx_datagrams,
            rx_bytes,
            rows_received: rows.rows_received,
            rows_new: rows.rows_new,
            rows_sent: rows.rows_sent,
            row_bytes_sent: rows.row_bytes_sent,
        }
    }

    fn told(&self, i: usize, since: Instant) -> Vec<(Instant, usize, View)> {
        let view = |state| match state {
            MemberState::Alive | MemberState::Stale => View::Up,
            MemberState::Suspect => View::Suspect,
            MemberState::Down | MemberState::Left => View::Down,
        };
        self.hosts[i].told.iter().filter(|t| t.0 >= since).map(|(at, who, state)| (*at, *who, view(*state))).collect()
    }

    fn ages(&mut self, observers: usize) -> Vec<Option<Duration>> {
        let running = World::running(self).count();
        let ages = World::ages(self, observers);
        let mut all: Vec<_> = ages.into_iter().map(|a| (a < NOT_HELD).then_some(a)).collect();
        // members not even known are not in the table
        all.resize((observers.min(running) * running.saturating_sub(1)).max(all.len()), None);
        all
    }

    fn all_know_all(&self) -> bool {
        World::all_know_all(self)
    }

    fn all_fresh(&self, limit: Duration) -> bool {
        let running = World::running(self).count();
        World::running(self).all(|i| {
            let engine = self.hosts[i].node.as_ref().expect("it runs").engine();
            let clock = engine.cluster_time(self.local(i));
            // no row at all is as old as the cluster
            engine.states().filter(|held| held.version.age(clock) <= limit).count() >= running
        })
    }
}

fn some_addresses(world: &mut World) -> Vec<SocketAddr> {
    let running: Vec<usize> = World::running(world).collect();
    (0..SEEDS.min(running.len())).map(|_| world.hosts[running[world.rng.below(running.len())]].address).collect()
}

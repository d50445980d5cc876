//! The other protocols' crowds, as clusters that the stories run on.

use super::cluster::{Cluster, Traffic, View};
use peermon_model::Instant;
use peermon_sim::Network;
use peermon_sim::baseline::{Crowd, Protocol};
use std::time::Duration;

/// Nodes already running that a new one is told of: PeerMon's machine list has three.
const SEEDS: usize = 3;

impl<P: Protocol> Cluster for Crowd<P> {
    const SUSPECTS: bool = false;

    fn start_cluster(&mut self, n: usize) {
        Crowd::start_cluster(self, n);
    }

    fn now(&self) -> Instant {
        self.now
    }

    fn run_for(&mut self, d: Duration) {
        Crowd::run_for(self, d);
    }

    fn network(&mut self) -> &mut Network {
        &mut self.network
    }

    fn running(&self) -> Vec<usize> {
        Crowd::running(self).collect()
    }

    fn crash(&mut self, i: usize) {
        Crowd::crash(self, i);
    }

    fn restart(&mut self, i: usize) {
        let seeds = some(self);
        self.start(i, seeds);
    }

    fn join(&mut self) -> usize {
        let seeds = some(self);
        self.add_host(seeds)
    }

    fn stall(&mut self, _i: usize, _d: Duration) -> bool {
        false
    }

    fn traffic(&self, i: usize) -> Traffic {
        let host = &self.hosts[i];
        let rows = host.rows();
        Traffic {
            tx_bytes: host.tx_bytes,
            tx_datagrams: host.tx_datagrams,
            rx_bytes: host.rx_bytes,
            rows_received: rows.received,
            rows_new: rows.new,
            rows_sent: rows.sent,
            row_bytes_sent: rows.sent_bytes,
        }
    }

    fn told(&self, i: usize, since: Instant) -> Vec<(Instant, usize, View)> {
        let view = |up| if up { View::Up } else { View::Down };
        self.hosts[i].told.iter().filter(|t| t.0 >= since).map(|(at, who, up)| (*at, *who, view(*up))).collect()
    }

    fn ages(&mut self, observers: usize) -> Vec<Option<Duration>> {
        let running: Vec<usize> = Crowd::running(self).collect();
        let mut ages = Vec::new();
        for _ in 0..observers.min(running.len()) {
            let i = running[self.rng.below(running.len())];
            ages.extend(running.iter().filter(|j| **j != i).map(|j| self.age(i, *j)));
        }
        ages
    }

    fn all_know_all(&self) -> bool {
        Crowd::all_know_all(self)
    }

    fn all_fresh(&self, limit: Duration) -> bool {
        let fresh = |i, j| i == j || self.age(i, j).is_some_and(|age| age <= limit);
        Crowd::running(self).all(|i| Crowd::running(self).all(|j| fresh(i, j)))
    }
}

fn some<P: Protocol>(crowd: &mut Crowd<P>) -> Vec<usize> {
    let running: Vec<usize> = Crowd::running(crowd).collect();
    (0..SEEDS.min(running.len())).map(|_| running[crowd.rng.below(running.len())]).collect()
}

use super::{Peer, Protocol, Rows};
use crate::{Network, Rng};
use peermon_model::Instant;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// IP and UDP headers of a datagram, as everywhere in the byte accounts (IPv4).
const HEADERS: u64 = 28;
/// Peers that each node is told.
const SEEDS: usize = 3;

/// One machine of a [`Crowd`].
#[derive(Debug)]
pub struct Machine<P> {
    /// The node, while it runs.
    pub node: Option<P>,
    /// Bytes sent, with IP and UDP headers.
    pub tx_bytes: u64,
    /// Datagrams sent.
    pub tx_datagrams: u64,
    /// Bytes received by a running node, with IP and UDP headers.
    pub rx_bytes: u64,
    /// Datagrams received by a running node.
    pub rx_datagrams: u64,
    /// What it told of others: (time, whom, whether it is up), in order.
    pub told: Vec<(Instant, usize, bool)>,
    /// Rows counted in lives that ended.
    rows_before: Rows,
    wake_at: Instant,
}

impl<P: Protocol> Machine<P> {
    /// Rows counted in all its lives.
    pub fn rows(&self) -> Rows {
        let now = self.node.as_ref().map(P::rows).unwrap_or_default();
        let before = self.rows_before;
        Rows {
            sent: before.sent + now.sent,
            sent_bytes: before.sent_bytes + now.sent_bytes,
            received: before.received + now.received,
            new: before.new + now.new,
        }
    }
}

/// What happens; the queue orders by time, then by the order of planning.
type Planned = Reverse<(Instant, u64, Step)>;

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    /// It came to the receiver's line.
    Reach {
        to: usize,
        from: Peer,
        payload: Vec<u8>,
    },
    Arrive {
        to: usize,
        from: Peer,
        payload: Vec<u8>,
    },
    Wake {
        host: usize,
    },
}

/// Many nodes of one kind on a made-up network.
#[derive(Debug)]
pub struct Crowd<P: Protocol> {
    /// Its time.
    pub now: Instant,
    /// Its machines.
    pub hosts: Vec<Machine<P>>,
    /// What lies between them.
    pub network: Network,
    /// Its chance.
    pub rng: Rng,
    options: P::Options,
    queue: BinaryHeap<Planned>,
    planned: u64,
}

impl<P: Protocol> Crowd<P> {
    /// Nobody yet.
    pub fn new(seed: u64, options: P::Options) -> Self {
        let (network, queue) = (Network::default(), BinaryHeap::new());
        Crowd { now: Instant::ZERO, hosts: Vec::new(), network, rng: Rng::new(seed), options, queue, planned: 0 }
    }

    /// Starts `n` machines, each of which knows three others.
    pub fn start_cluster(&mut self, n: usize) {
        let first = self.hosts.len();
        for i in first..first + n {
            // the first ones know one another and the others know earlier ones, so that there is one cluster
            let mut seeds: Vec<usize> = (first..first + n.min(SEEDS + 1)).filter(|s| *s != i).collect();
            if i - first > SEEDS {
                seeds = (0..SEEDS).map(|_| first + self.rng.below(i - first)).collect();
            }
            seeds.dedup();
            self.add_host(seeds);
        }
    }

    /// Adds a machine and starts its node.
    pub fn add_host(&mut self, seeds: Vec<usize>) -> usize {
        let (told, rows_before, wake_at) = (Vec::new(), Rows::default(), Instant::NEVER);
        let (tx_bytes, tx_datagrams, rx_bytes, rx_datagrams) = (0, 0, 0, 0);
        self.hosts.push(Machine { node: None, tx_bytes, tx_datagrams, rx_bytes, rx_datagrams, told, rows_before, wake_at });
        let i = self.hosts.len() - 1;
        self.start(i, seeds);
        i
    }

    /// Starts a machine's node (again).
    pub fn start(&mut self, i: usize, seeds: Vec<usize>) {
        self.crash(i);
        let seeds = seeds.into_iter().map(|s| s as Peer).collect();
        let rng = Rng::new(self.rng.bits());
        self.hosts[i].node = Some(P::new(&self.options, i as Peer, seeds, rng, self.now));
        self.drain(i);
    }

    /// Kills a node: it says nothing.
    pub fn crash(&mut self, i: usize) {
        let host = &mut self.hosts[i];
        host.rows_before = host.rows();
        host.node = None;
        host.wake_at = Instant::NEVER;
    }

    /// Runs for a while.
    pub fn run_for(&mut self, d: Duration) {
        let end = self.now + d;
        while self.queue.peek().is_some_and(|Reverse((at, ..))| *at <= end) {
            let Some(Reverse((at, _, step))) = self.queue.pop() else { break };
            self.now = at;
            match step {
                Step::Reach { to, from, payload } if self.network.is_narrow(to) => {
                    if let Some(at) = self.network.receive(self.now, to, payload.len()) {
                        self.plan(at, Step::Arrive { to, from, payload });
                    }
                }
                Step::Reach { to, from, payload } | Step::Arrive { to, from, payload } => self.arrive(to, from, &payload),
                Step::Wake { host } => self.wake(host),
            }
        }
        self.now = end;
    }

    /// Machines whose node runs.
    pub fn running(&self) -> impl Iterator<Item = usize> + '_ {
        self.hosts.iter().enumerate().filter(|(_, h)| h.node.is_some()).map(|(i, _)| i)
    }

    /// Whether every running node has a row of every running node and counts it as up.
    pub fn all_know_all(&self) -> bool {
        self.running().all(|i| {
            let node = self.hosts[i].node.as_ref().expect("it runs");
            self.running().all(|j| i == j || node.is_up(j as Peer) && node.sampled(j as Peer).is_some())
        })
    }

    /// How old the row is that one machine holds of another; none if it holds none.
    pub fn age(&self, i: usize, of: usize) -> Option<Duration> {
        Some(self.now - self.hosts[i].node.as_ref()?.sampled(of as Peer)?)
    }

    fn plan(&mut self, at: Instant, step: Step) {
        self.queue.push(Reverse((at, self.planned, step)));
        self.planned += 1;
    }

    fn arrive(&mut self, to: usize, from: Peer, payload: &[u8]) {
        let host = &mut self.hosts[to];
        if let Some(node) = &mut host.node {
            host.rx_bytes += payload.len() as u64 + HEADERS;
            host.rx_datagrams += 1;
            node.handle_datagram(self.now, from, payload);
            self.drain(to);
        }
    }

    fn wake(&mut self, i: usize) {
        let host = &mut self.hosts[i];
        // a wake-up of a former life, or one that was put forward
        if host.wake_at != self.now {
            return;
        }
        host.wake_at = Instant::NEVER;
        if let Some(node) = &mut host.node {
            node.handle_timeout(self.now);
            assert!(node.deadline() > self.now, "machine {i} has something due again at once: it would spin");
            self.drain(i);
        }
    }

    /// Takes what a node has to say, and plans its next wake-up.
    fn drain(&mut self, i: usize) {
        let host = &mut self.hosts[i];
        let Some(node) = &mut host.node else { return };
        while let Some((peer, up)) = node.poll_view() {
            host.told.push((self.now, peer as usize, up));
        }
        let due = node.deadline().max(self.now);
        let sent: Vec<(Peer, Vec<u8>)> = std::iter::from_fn(|| node.poll_transmit()).collect();
        let wanted = due < host.wake_at;
        for (to, payload) in sent {
            self.send(i, to as usize, payload);
        }
        if wanted {
            self.hosts[i].wake_at = due;
            self.plan(due, Step::Wake { host: i });
        }
    }

    fn send(&mut self, from: usize, to: usize, payload: Vec<u8>) {
        self.hosts[from].tx_bytes += payload.len() as u64 + HEADERS;
        self.hosts[from].tx_datagrams += 1;
        if to >= self.hosts.len() {
            return;
        }
        let [first, second] = self.network.send(&mut self.rng, self.now, from, to, payload.len());
        if let Some(delay) = second {
            self.plan(self.now + delay, Step::Reach { to, from: from as Peer, payload: payload.clone() });
        }
        if let Some(delay) = first {
            self.plan(self.now + delay, Step::Reach { to, from: from as Peer, payload });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::{PeerMon, PeerMonOptions, Push, PushOptions};

    fn peermon(n: usize, period: Duration) -> Crowd<PeerMon> {
        let mut crowd = Crowd::new(3, PeerMonOptions { period });
        crowd.start_cluster(n);
        crowd
    }

    #[test]
    fn three_peermons_send_three_tables_each_period() {
        let mut crowd = peermon(4, Duration::from_secs(1));
        crowd.run_for(Duration::from_secs(5));
        assert!(crowd.all_know_all());
        let before: Vec<u64> = crowd.hosts.iter().map(|h| h.tx_bytes).collect();
        crowd.run_for(Duration::from_secs(10));
        // four entries of 28 bytes and a header to each of the three others, ten times
        for (host, before) in crowd.hosts.iter().zip(before) {
            assert_eq!(host.tx_bytes - before, 10 * 3 * (4 * 28 + 28));
        }
        // everybody sends to everybody, so a row is a period old at most, and the datagram's way, and the wait for its TTL
        let oldest = (0..4).flat_map(|i| (0..4).map(move |j| (i, j))).filter(|(i, j)| i != j);
        assert!(oldest.map(|(i, j)| crowd.age(i, j).expect("a row")).max() < Some(Duration::from_millis(2_050)));
    }

    #[test]
    fn a_killed_peermon_is_gone_after_ten_periods_and_not_before() {
        let mut crowd = peermon(10, Duration::from_secs(1));
        crowd.run_for(Duration::from_secs(10));
        crowd.crash(4);
        let killed = crowd.now;
        crowd.run_for(Duration::from_secs(25));
        // its last table left at most a period before; who got it counts ten of its own periods, the first of which may be near
        let span = Duration::from_secs(8)..Duration::from_secs(11);
        for i in crowd.running() {
            let told: Vec<_> = crowd.hosts[i].told.iter().filter(|t| t.0 > killed).collect();
            assert!(told.iter().all(|t| t.1 == 4), "{told:?}");
            assert!(told.last().is_some_and(|t| !t.2 && span.contains(&(t.0 - killed))), "{killed:?}: {told:?}");
        }
    }

    #[test]
    fn pushed_rows_reach_all_and_a_cut_side_goes_down_and_comes_back() {
        let options =
            PushOptions { period: Duration::from_secs(1), tick: Duration::from_millis(50), row_bytes: 6.0, payload_max: 1_352 };
        let mut crowd = Crowd::<Push>::new(4, options);
        crowd.start_cluster(20);
        crowd.run_for(Duration::from_secs(5));
        assert!(crowd.all_know_all());
        let sent = crowd.hosts[7].tx_datagrams;
        crowd.run_for(Duration::from_secs(10));
        assert_eq!(crowd.hosts[7].tx_datagrams - sent, 200);
        let (a, b): (Vec<usize>, Vec<usize>) = (0..20).partition(|i| i % 2 == 0);
        crowd.network.part(&a, &b);
        crowd.run_for(Duration::from_secs(15));
        let node = crowd.hosts[0].node.as_ref().expect("it runs");
        assert!(a.iter().all(|i| node.is_up(*i as Peer)) && b.iter().all(|i| !node.is_up(*i as Peer)));
        crowd.network.cut.clear();
        crowd.run_for(Duration::from_secs(2));
        assert!(crowd.all_know_all());
    }

    #[test]
    fn a_seed_is_a_run() {
        let run = |seed| {
            let mut crowd = Crowd::<PeerMon>::new(seed, PeerMonOptions { period: Duration::from_secs(1) });
            crowd.network.loss = 0.2;
            crowd.start_cluster(12);
            crowd.run_for(Duration::from_secs(20));
            let ages: Vec<_> = (0..12).map(|i| crowd.age(i, 11 - i)).collect();
            (ages, crowd.hosts.iter().map(|h| h.rx_bytes).collect::<Vec<_>>())
        };
        assert!(run(5) == run(5) && run(5) != run(6));
    }
}

//! The whole world: what happens next, step by step.

mod ask;
mod host;
mod life;

pub use host::Host;

use crate::hostile::{Attack, Attacker};
use crate::machine::Workload;
use crate::model::{Model, Shown};
use crate::queue::Queue;
use crate::{Network, Rng, network::DropReason};
use peermon_gossip::Version;
use peermon_model::{Instant, MemberState};
use peermon_node::{Config, Destination, Event, Node};
use std::net::SocketAddr;
use std::time::Duration;

#[derive(Debug)]
enum Step {
    /// A datagram reaches a host's line.
    Reach { to: usize, from: SocketAddr, payload: Vec<u8> },
    /// It has passed the line and is in the host.
    Arrive { to: usize, from: SocketAddr, payload: Vec<u8> },
    /// A node may have something due, or a stopped one goes on.
    Wake { host: usize },
    /// The attacker sends something.
    Attack,
}

/// The whole world.
#[derive(Debug)]
pub struct World {
    /// Its time.
    pub now: Instant,
    /// Its machines.
    pub hosts: Vec<Host>,
    /// What lies between them.
    pub network: Network,
    /// Its chance.
    pub rng: Rng,
    /// How nodes are configured that start from now on: name, addresses and seeds are set for each.
    pub template: Config,
    /// What machines do that are added from now on.
    pub workload: Workload,
    /// Every vital of every machine changes every period.
    pub stress: bool,
    queue: Queue<Step>,
    attacker: Option<Attacker>,
    model: Model,
    shared: std::sync::Arc<crate::shared::Shared>,
    /// Chance of whoever looks on: looking changes nothing.
    looker: Rng,
    looked_at: Instant,
    /// The host that did not know all when last asked.
    ignorant: std::cell::Cell<usize>,
}

/// Rows up to this many ticks behind the newest are fresh: two seconds.
const FRESH_TICKS: i32 = 128;
/// The discovery group reaches every host that nothing cuts off.
const GATEWAY: Duration = Duration::from_millis(1);
/// Up to so many hosts, the table of the host that moved is checked after every step.
const CHECKED_EACH_STEP: usize = 60;
/// How often the rest is checked: clocks, limits, and in large worlds a table.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Datagram payloads are never larger: IPv6 and UDP headers make 1,400 bytes.
const PAYLOAD_LIMIT: usize = 1_352;
/// IP and UDP headers.
const HEADERS: u64 = crate::network::HEADERS as u64;
/// Datagrams a socket's buffer of some 200 kB holds while the process is stopped: small ones take most of their room for
/// the kernel's own notes.
const SOCKET_BUFFER: usize = 256;

impl World {
    /// An empty world.
    pub fn new(seed: u64) -> Self {
        let mut template = Config::named("template".parse().expect("a name"));
        template.discovery = false;
        World {
            now: Instant::ZERO,
            hosts: Vec::new(),
            network: Network::default(),
            rng: Rng::new(seed),
            template,
            workload: Workload::default(),
            stress: false,
            queue: Queue::new(),
            attacker: None,
            model: Model::default(),
            shared: std::sync::Arc::default(),
            looker: Rng::new(!seed),
            looked_at: Instant::ZERO,
            ignorant: std::cell::Cell::new(0),
        }
    }

    /// From now on a running node that somebody calls down does not end the run: whoever measures counts those.
    pub fn count_false_alarms(&mut self) {
        self.model.alarms_are_counted = true;
    }

    /// Runs for a while.
    pub fn run_for(&mut self, d: Duration) {
        let end = self.now + d;
        while let Some((at, step)) = self.queue.pop_until(end) {
            self.now = at;
            self.step(step);
        }
        self.now = end;
    }

    /// Runs until `done` holds, checking every 10 ms; how long it took.
    ///
    /// # Panics
    /// If it does not hold in time.
    pub fn run_until(&mut self, most: Duration, what: &str, mut done: impl FnMut(&World) -> bool) -> Duration {
        let start = self.now;
        while !done(self) {
            assert!(self.now - start < most, "not within {most:?}: {what}");
            self.run_for(Duration::from_millis(10));
        }
        self.now - start
    }

    /// Begins to send hostile datagrams into the cluster, or ends it. What was sent so far can be asked of
    /// [`World::attack`].
    pub fn set_attack(&mut self, rate: Option<f64>) {
        let was_on = self.attacker.as_ref().is_some_and(Attacker::is_on);
        let seed = self.hosts.len() as u64 ^ self.now.as_nanos();
        self.attacker.get_or_insert_with(|| Attacker::new(seed)).set_rate(rate.unwrap_or(0.0));
        if rate.is_some() && !was_on {
            self.queue.push(self.now, Step::Attack);
        }
    }

    /// Hostile datagrams sent so far, by kind.
    pub fn attack(&self) -> Attack {
        self.attacker.as_ref().map(|a| a.sent).unwrap_or_default()
    }

    fn step(&mut self, step: Step) {
        let host = match step {
            Step::Reach { to, from, payload } if self.network.is_narrow(to) => {
                if let Some(at) = self.network.receive(self.now, to, payload.len()) {
                    self.queue.push(at, Step::Arrive { to, from, payload });
                }
                to
            }
            Step::Reach { to, from, payload } | Step::Arrive { to, from, payload } => {
                self.arrive(to, from, payload);
                to
            }
            Step::Wake { host } => {
                self.wake(host);
                host
            }
            Step::Attack => return self.strike(),
        };
        if self.hosts.len() <= CHECKED_EACH_STEP {
            self.check(host);
        }
        if self.now - self.looked_at >= LOOK_EVERY {
            self.looked_at = self.now;
            self.look_around();
        }
    }

    fn strike(&mut self) {
        let Some(attacker) = &mut self.attacker else { return };
        if let Some((from, to, payload)) = attacker.strike(self.now, &self.hosts) {
            self.queue.push(self.now, Step::Reach { to, from, payload });
        }
        if let Some(pause) = attacker.pause() {
            self.queue.push(self.now + pause, Step::Attack);
        }
    }

    fn arrive(&mut self, to: usize, from: SocketAddr, mut payload: Vec<u8>) {
        let host = &mut self.hosts[to];
        let stopped = host.stopped_until > self.now;
        let dropped = match &mut host.node {
            None => DropReason::NoDaemon,
            Some(_) if stopped && host.asleep => DropReason::Asleep,
            Some(_) if stopped && host.waiting.len() >= SOCKET_BUFFER => DropReason::BufferFull,
            Some(_) if stopped => return host.waiting.push((from, payload)),
            Some(node) => {
                host.rx_bytes += payload.len() as u64 + HEADERS;
                host.rx_datagrams += 1;
                node.handle_datagram(host.clock.at(self.now), from, &mut payload);
                return self.drain(to);
            }
        };
        self.network.drops.count(dropped);
    }

    fn wake(&mut self, i: usize) {
        if self.hosts[i].stopped_until > self.now {
            // it wakes when it goes on
            return;
        }
        for (from, payload) in std::mem::take(&mut self.hosts[i].waiting) {
            self.arrive(i, from, payload);
        }
        let host = &mut self.hosts[i];
        let Some(node) = host.node.as_mut().filter(|_| host.wake_at <= self.now) else { return };
        host.wake_at = Instant::NEVER;
        let now = host.clock.at(self.now);
        if node.deadline() <= now {
            node.handle_timeout(now);
            assert!(node.deadline() > now, "host {i} has something due again at once: it would spin");
            assert!(host.was_stopped || node.engine().counters().stalls == 0, "host {i} believes that it was stopped");
        }
        self.drain(i);
    }

    /// Takes what a node has to say, and plans its next wake-up.
    fn drain(&mut self, i: usize) {
        let host = &mut self.hosts[i];
        let now = host.clock.at(self.now);
        while let Some(event) = host.node.as_mut().and_then(Node::poll_event) {
            match event {
                Event::SampleDue => {
                    let row = host.machine.sample(&mut self.rng);
                    host.node.as_mut().expect("it just spoke").handle_row(now, &row);
                }
                Event::Member { id, state, incarnation, .. } => {
                    let j = self.model.host(id.nid());
                    host.tell(self.now, j, state);
                    self.model.check_told(self.now, &self.network, i, j, incarnation.0, state);
                }
                Event::Keyring(keyring) => host.keyring = keyring,
                Event::Incarnation(n) => host.incarnation = n.0,
                Event::Record { .. } | Event::DuplicateId { .. } | Event::Zone { .. } => {}
                Event::Answered { .. } | Event::Probed { .. } => unreachable!("the node keeps these"),
            }
        }
        let Some(node) = &mut host.node else { return };
        if node.engine().own_version() != host.published {
            let (version, row) = node.engine().own_row();
            host.published = version;
            let offset = offset(node, now, self.now);
            self.model.note_published(self.now, i, host.incarnation, version, row, offset);
        }
        while let Some(t) = node.poll_transmit() {
            let bytes = t.payload.len();
            assert!(bytes <= PAYLOAD_LIMIT, "host {i} sends a datagram of {bytes} bytes");
            host.tx_bytes += bytes as u64 + HEADERS;
            host.tx_datagrams += 1;
            let from = host.address;
            match t.to {
                Destination::Peer(address) => {
                    let Some(to) = host::at(address).filter(|to| *to < self.model.hosts()) else {
                        self.network.drops.count(DropReason::NoHost);
                        continue;
                    };
                    if let Some(attacker) = &mut self.attacker {
                        attacker.overhear(self.now, from, to, &t.payload);
                    }
                    let [first, second] = self.network.send(&mut self.rng, self.now, i, to, bytes);
                    if let Some(delay) = second {
                        self.queue.push(self.now + delay, Step::Reach { to, from, payload: t.payload.clone() });
                    }
                    if let Some(delay) = first {
                        self.queue.push(self.now + delay, Step::Reach { to, from, payload: t.payload });
                    }
                }
                Destination::Discovery => {
                    for to in (0..self.model.hosts()).filter(|to| *to != i) {
                        let copies = self.network.send(&mut self.rng, self.now, i, to, bytes);
                        for delay in copies.into_iter().flatten() {
                            self.queue.push(self.now + delay + GATEWAY, Step::Reach { to, from, payload: t.payload.clone() });
                        }
                    }
                }
            }
        }
        let at = host.clock.when(node.deadline()).max(self.now);
        if at < host.wake_at {
            host.wake_at = at;
            self.queue.push(at, Step::Wake { host: i });
        }
    }

    /// Holds one host's table against the reference model.
    fn check(&mut self, i: usize) {
        let host = &self.hosts[i];
        let Some(node) = &host.node else { return };
        let local = host.clock.at(self.now);
        let clock = node.engine().cluster_time(local);
        let offset = offset(node, local, self.now);
        for (k, held) in node.engine().states().enumerate().filter(|(_, h)| h.version != Version::NONE) {
            let j = self.model.host_of(i, k, held.nid);
            let age = held.version.age(clock);
            self.model.check_row(self.now, i, j, Shown { version: held.version, codes: held.codes, age, offset });
        }
    }

    /// Holds every table against the reference model.
    pub fn check_all(&mut self) {
        for i in 0..self.hosts.len() {
            self.check(i);
        }
    }

    /// What is checked now and then.
    fn look_around(&mut self) {
        self.model.note_network(self.now, &self.network);
        for (i, host) in self.hosts.iter().enumerate() {
            let Some(node) = &host.node else { continue };
            let local = host.clock.at(self.now);
            self.model.check_clock(self.now, i, offset(node, local, self.now));
            self.model.check_links(i, node.engine().links_open());
        }
        if self.hosts.len() <= CHECKED_EACH_STEP {
            for i in 0..self.hosts.len() {
                self.check_agreement(i);
            }
            return;
        }
        // one table anywhere, and one of those whose past is remembered
        let anyone = self.looker.below(self.hosts.len());
        let watched = self.model.watched(self.looker.below(self.hosts.len()));
        for i in [anyone, watched] {
            self.check(i);
            self.check_agreement(i);
        }
    }

    /// Nodes that have been showing each other as alive agree on the clock.
    fn check_agreement(&mut self, i: usize) {
        let host = &self.hosts[i];
        let Some(node) = &host.node else { return };
        let mine = offset(node, host.clock.at(self.now), self.now);
        let apart = node.engine().states().any(|held| {
            let j = self.model.host(held.nid);
            let other = &self.hosts[j];
            if self.model.is_troubled(self.now, j) {
                return false;
            }
            // what it shows may be a former life's row
            let is_fresh = held.state == MemberState::Alive
                && held.version != Version::NONE
                && other.published.ticks_since(held.version) < FRESH_TICKS;
            let theirs = other.node.as_ref().filter(|_| is_fresh && other.stopped_until <= self.now);
            theirs.is_some_and(|n| (offset(n, other.clock.at(self.now), self.now) - mine).abs() > crate::model::AGREED)
        });
        self.model.check_agreement(self.now, i, apart);
    }
}

/// Microseconds by which a node's cluster clock is ahead of the world's.
fn offset(node: &Node, local: Instant, now: Instant) -> i64 {
    node.engine().cluster_time(local).0 as i64 - now.as_micros() as i64
}

use crate::ages::Ages;
use crate::machine::Machine;
use crate::model::Model;
use crate::{Network, Rng};
use peermon_model::{Facts, Incarnation, Instant, MemberState, NodeId, Value};
use peermon_node::{Command, Config, Destination, Event, Identity, Node};
use peermon_trust::{ClusterKey, Keyring, NodeKey};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::SocketAddr;
use std::time::Duration;

/// One machine.
#[derive(Debug)]
pub struct Host {
    /// The node, while its daemon runs.
    pub node: Option<Node>,
    /// Where it receives.
    pub address: SocketAddr,
    /// Its identity.
    pub id: NodeId,
    /// Bytes sent, with IP and UDP headers.
    pub tx_bytes: u64,
    /// Datagrams sent.
    pub tx_datagrams: u64,
    /// What it told of members: (host, state), in order, with the time.
    pub told: Vec<(Instant, usize, MemberState)>,
    seed: [u8; 32],
    incarnation: u32,
    /// Its clock runs by this share fast, and began at this moment.
    drift: f64,
    clock_start: Duration,
    /// Its process is stopped until then.
    stopped_until: Instant,
    waiting: Vec<(SocketAddr, Vec<u8>)>,
    wake_at: Instant,
    /// The version of its last row.
    published: peermon_gossip::Version,
    machine: Machine,
    keyring: Keyring,
}

#[derive(Debug)]
enum Step {
    Arrive { to: usize, from: SocketAddr, payload: Vec<u8> },
    Wake { host: usize },
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
    /// Every vital of every machine changes every period.
    pub stress: bool,
    queue: BinaryHeap<Reverse<(Instant, u64)>>,
    steps: BTreeMap<u64, Step>,
    next_step: u64,
    by_address: BTreeMap<SocketAddr, usize>,
    by_id: BTreeMap<NodeId, usize>,
    model: Model,
    shared: std::sync::Arc<crate::shared::Shared>,
    checked_at: Instant,
}

/// The discovery group reaches every host that nothing cuts off.
const GATEWAY: Duration = Duration::from_millis(1);
/// Up to so many hosts, the table of the host that moved is checked after every step.
const CHECKED_EACH_STEP: usize = 60;
/// Datagram payloads are never larger: IPv6 and UDP headers make 1,400 bytes.
const PAYLOAD_LIMIT: usize = 1_352;

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
            stress: false,
            queue: BinaryHeap::new(),
            steps: BTreeMap::new(),
            next_step: 0,
            by_address: BTreeMap::new(),
            by_id: BTreeMap::new(),
            model: Model::default(),
            shared: std::sync::Arc::default(),
            checked_at: Instant::ZERO,
        }
    }

    /// Starts `n` machines whose seeds are the first one.
    pub fn start_cluster(&mut self, n: usize) {
        let first = self.hosts.len();
        for i in 0..n {
            let seeds = if i == 0 { vec![] } else { vec![self.hosts[first].address] };
            self.add_host(seeds);
        }
    }

    /// Adds a machine and starts its daemon.
    pub fn add_host(&mut self, seeds: Vec<SocketAddr>) -> usize {
        self.add_host_of(ClusterKey::new([7; 32]), seeds)
    }

    /// As [`World::add_host`], of the cluster with this key.
    pub fn add_host_of(&mut self, key: ClusterKey, seeds: Vec<SocketAddr>) -> usize {
        let i = self.hosts.len();
        let mut seed = [0; 32];
        seed.chunks_mut(8).for_each(|c| c.copy_from_slice(&self.rng.bits().to_le_bytes()));
        let [_, _, b, c] = (i as u32 + 1).to_be_bytes();
        let address = SocketAddr::from(([10, 0, b, c], 19810));
        let id = NodeKey::from_seed(&seed).id();
        let mut machine = Machine::new(&mut self.rng);
        machine.stress = self.stress;
        self.hosts.push(Host {
            node: None,
            address,
            id,
            tx_bytes: 0,
            tx_datagrams: 0,
            told: Vec::new(),
            seed,
            incarnation: 0,
            drift: 50e-6 * (2.0 * self.rng.unit() - 1.0),
            clock_start: Duration::from_secs_f64(1e6 * self.rng.unit()),
            stopped_until: Instant::ZERO,
            waiting: Vec::new(),
            wake_at: Instant::NEVER,
            published: peermon_gossip::Version::NONE,
            machine,
            keyring: Keyring::new(1, key),
        });
        self.by_address.insert(address, i);
        self.by_id.insert(id, i);
        self.start(i, seeds);
        i
    }

    /// Starts a machine's daemon (again).
    pub fn start(&mut self, i: usize, seeds: Vec<SocketAddr>) {
        self.model.restart_host(i);
        let mut config = self.template.clone();
        let mut facts = Facts::default();
        facts.put("host.name", None, Value::text(&format!("host-{i}")));
        facts.put("mem.total", None, Value::Number(64e9));
        facts.put("cpu.threads", None, Value::Number(16.0));
        config.facts = facts;
        config.name = format!("node-{i}").parse().expect("a name");
        config.addresses = vec![self.hosts[i].address];
        config.seeds = seeds;
        let mut entropy = [0; 32];
        entropy.chunks_mut(8).for_each(|c| c.copy_from_slice(&self.rng.bits().to_le_bytes()));
        let now = self.local(i);
        let host = &mut self.hosts[i];
        host.incarnation += 1;
        host.published = peermon_gossip::Version::NONE;
        let identity = Identity { key: NodeKey::from_seed(&host.seed), incarnation: Incarnation(host.incarnation) };
        let mut node = Node::new(config, identity, host.keyring.clone(), entropy, now);
        node.share_records(self.shared.clone());
        host.node = Some(node);
        host.wake_at = Instant::NEVER;
        self.drain(i);
    }

    /// Kills a daemon: it says nothing.
    pub fn crash(&mut self, i: usize) {
        self.hosts[i].node = None;
        self.hosts[i].waiting.clear();
        self.hosts[i].wake_at = Instant::NEVER;
    }

    /// Ends a daemon as SIGTERM does.
    pub fn leave(&mut self, i: usize) {
        self.command(i, Command::Leave);
        self.crash(i);
    }

    /// Tells a node to do something.
    pub fn command(&mut self, i: usize, command: Command) {
        let now = self.local(i);
        if let Some(node) = &mut self.hosts[i].node {
            node.handle_command(now, command).expect("the command is possible");
            self.drain(i);
        }
    }

    /// Stops a process for a while; what arrives waits.
    pub fn stop_for(&mut self, i: usize, d: Duration) {
        self.hosts[i].stopped_until = self.now + d;
    }

    /// Runs for a while.
    pub fn run_for(&mut self, d: Duration) {
        let end = self.now + d;
        while let Some(Reverse((at, _))) = self.queue.peek() {
            if *at > end {
                break;
            }
            self.step();
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

    /// Runs until every running node has a row of every running node and counts it as alive; how long it took.
    pub fn run_until_all_know_all(&mut self, most: Duration) -> Duration {
        let took = self.run_until(most, "all know all", World::all_know_all);
        self.check_all();
        took
    }

    /// Whether every running node has a row of every running node and counts it as alive.
    pub fn all_know_all(&self) -> bool {
        let running: Vec<usize> = self.running().collect();
        // the cheap question first
        let enough = |i: &usize| self.hosts[*i].node.as_ref().is_some_and(|n| n.engine().members_up() >= running.len());
        running.iter().all(enough)
            && running.iter().all(|i| {
                let table = self.hosts[*i].node.as_ref().expect("it runs").snapshot(self.local(*i));
                let alive = |id: &NodeId| table.node(id).is_some_and(|n| n.state == MemberState::Alive && n.age.is_some());
                running.iter().all(|j| alive(&self.hosts[*j].id))
            })
    }

    /// Machines whose daemon runs.
    pub fn running(&self) -> impl Iterator<Item = usize> + '_ {
        self.hosts.iter().enumerate().filter(|(_, h)| h.node.is_some()).map(|(i, _)| i)
    }

    /// How all other running nodes see a host, in order.
    pub fn views_of(&self, i: usize) -> Vec<MemberState> {
        let seen = self.running().filter(|j| *j != i).filter_map(|j| {
            let node = self.hosts[j].node.as_ref()?;
            Some(node.snapshot(self.local(j)).node(&self.hosts[i].id)?.state)
        });
        seen.collect()
    }

    /// The true ages of the rows that `observers` running nodes hold of running nodes, except their own: now minus the
    /// moment of sampling.
    pub fn ages(&mut self, observers: usize) -> Vec<Duration> {
        let running: Vec<usize> = self.running().collect();
        let mut ages = Vec::new();
        for _ in 0..observers.min(running.len()) {
            let i = if observers >= running.len() {
                running[ages.len() / running.len().max(1) % running.len()]
            } else {
                running[self.rng.below(running.len())]
            };
            let table = self.hosts[i].node.as_ref().expect("it runs").snapshot(self.local(i));
            for n in &table.nodes {
                let Some(j) = self.by_id.get(&n.record.id) else { continue };
                if *j != i && self.hosts[*j].node.is_some() {
                    ages.push(n.age.unwrap_or(Duration::from_secs(3600)));
                }
            }
        }
        ages
    }

    /// The distribution of ages over whole periods, sampled at uneven moments.
    pub fn measure_ages(&mut self, periods: u32, observers: usize) -> Ages {
        let mut all = Vec::new();
        let step = self.template.period.mul_f64(0.076_393_2);
        let end = self.now + self.template.period * periods;
        while self.now < end {
            self.run_for(step);
            all.extend(self.ages(observers));
        }
        Ages::of(all)
    }

    /// A machine's own clock.
    pub fn local(&self, i: usize) -> Instant {
        let h = &self.hosts[i];
        Instant::ZERO + h.clock_start + Duration::from_secs_f64(self.now.as_secs_f64() * (1.0 + h.drift))
    }

    /// When a machine's clock will show `local`, in the world's time.
    fn global(&self, i: usize, local: Instant) -> Instant {
        let h = &self.hosts[i];
        let since = local.before(h.clock_start).as_secs_f64() / (1.0 + h.drift);
        (Instant::ZERO + Duration::from_secs_f64(since) + Duration::from_nanos(200)).max(self.now)
    }

    fn push(&mut self, at: Instant, step: Step) {
        self.queue.push(Reverse((at, self.next_step)));
        self.steps.insert(self.next_step, step);
        self.next_step += 1;
    }

    fn step(&mut self) {
        let Some(Reverse((at, n))) = self.queue.pop() else { return };
        let step = self.steps.remove(&n).expect("every entry of the queue has its step");
        self.now = at;
        let host = match step {
            Step::Arrive { to, from, payload } => {
                self.arrive(to, from, payload);
                to
            }
            Step::Wake { host } => {
                self.wake(host);
                host
            }
        };
        // a larger world's tables are held against the model by sample, and all of them at the end of a story
        if self.hosts.len() <= CHECKED_EACH_STEP {
            self.check(host);
            return;
        }
        if self.now - self.checked_at >= Duration::from_millis(250) {
            self.checked_at = self.now;
            let running: Vec<usize> = self.running().collect();
            if !running.is_empty() {
                let i = running[self.rng.below(running.len())];
                self.check(i);
            }
        }
    }

    fn arrive(&mut self, to: usize, from: SocketAddr, mut payload: Vec<u8>) {
        if self.hosts[to].stopped_until > self.now {
            // a socket buffer of some 200 kB
            if self.hosts[to].waiting.len() < 256 {
                self.hosts[to].waiting.push((from, payload));
            }
            return;
        }
        let now = self.local(to);
        if let Some(node) = &mut self.hosts[to].node {
            node.handle_datagram(now, from, &mut payload);
            self.drain(to);
        }
    }

    fn wake(&mut self, i: usize) {
        if self.hosts[i].stopped_until > self.now {
            let at = self.hosts[i].stopped_until;
            self.push(at, Step::Wake { host: i });
            return;
        }
        for (from, payload) in std::mem::take(&mut self.hosts[i].waiting) {
            self.arrive(i, from, payload);
        }
        let now = self.local(i);
        let host = &mut self.hosts[i];
        if host.node.is_none() || host.wake_at > self.now {
            return;
        }
        host.wake_at = Instant::NEVER;
        let node = host.node.as_mut().expect("it was just seen");
        if node.deadline() <= now {
            node.handle_timeout(now);
            assert!(node.deadline() > now, "host {i} has something due again at once: it would spin");
        }
        self.drain(i);
    }

    /// Takes what a node has to say, and plans its next wake-up.
    fn drain(&mut self, i: usize) {
        let now = self.local(i);
        loop {
            let Some(node) = &mut self.hosts[i].node else { return };
            let Some(event) = node.poll_event() else { break };
            match event {
                Event::SampleDue => {
                    let row = self.hosts[i].machine.sample(&mut self.rng);
                    let node = self.hosts[i].node.as_mut().expect("it just spoke");
                    node.handle_row(now, &row);
                }
                Event::Member { id, state, incarnation, .. } => {
                    self.model.check_member(i, id, incarnation.0, state);
                    let j = self.by_id[&id];
                    self.hosts[i].told.push((self.now, j, state));
                }
                Event::Keyring(keyring) => self.hosts[i].keyring = keyring,
                Event::Incarnation(n) => self.hosts[i].incarnation = n.0,
                Event::Record { .. } | Event::DuplicateId { .. } => {}
            }
        }
        let id = self.hosts[i].id;
        let Some(node) = &self.hosts[i].node else { return };
        let own = node.engine().rows().next().filter(|r| r.0 == id && r.1 != self.hosts[i].published);
        if let Some((id, version, row)) = own {
            self.hosts[i].published = version;
            let life = self.hosts[i].incarnation;
            self.model.note_published(id, life, version, row);
        }
        while let Some(t) = self.hosts[i].node.as_mut().and_then(Node::poll_transmit) {
            assert!(t.payload.len() <= PAYLOAD_LIMIT, "a datagram of {} bytes", t.payload.len());
            let from = self.hosts[i].address;
            self.hosts[i].tx_bytes += t.payload.len() as u64 + 28;
            self.hosts[i].tx_datagrams += 1;
            let targets: Vec<usize> = match t.to {
                Destination::Peer(a) => self.by_address.get(&a).copied().into_iter().collect(),
                Destination::Discovery => (0..self.hosts.len()).filter(|j| *j != i).collect(),
            };
            let extra = if t.to == Destination::Discovery { GATEWAY } else { Duration::ZERO };
            for to in targets {
                for delay in self.network.deliver(&mut self.rng, i, to, t.payload.len()) {
                    self.push(self.now + delay + extra, Step::Arrive { to, from, payload: t.payload.clone() });
                }
            }
        }
        let Some(node) = &self.hosts[i].node else { return };
        let at = self.global(i, node.deadline());
        if at < self.hosts[i].wake_at {
            self.hosts[i].wake_at = at;
            self.push(at, Step::Wake { host: i });
        }
    }

    /// Holds one host's table against the reference model.
    fn check(&mut self, i: usize) {
        let Some(node) = &self.hosts[i].node else { return };
        for (id, version, row) in node.engine().rows() {
            self.model.check_row(i, id, version, &row);
        }
    }

    /// Holds every table against the reference model.
    pub fn check_all(&mut self) {
        for i in 0..self.hosts.len() {
            self.check(i);
        }
    }
}

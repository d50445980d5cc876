//! A whole node as one pure state machine: what the daemon runs is what the simulator runs.
//!
//! It joins the cores: samples of this host become the quantised row that `peermon-gossip` spreads, facts and notices become
//! the signed record, and the table comes out as snapshots. Time, chance, datagrams and samples are arguments; after every
//! `handle_*` call, drain [`Node::poll_transmit`] and [`Node::poll_event`], and call [`Node::handle_timeout`] by
//! [`Node::deadline`].
//!
//! What it is not: it has no socket, clock, file or thread; those are the agent's, and the simulator's made-up ones.
//!
//! ```
//! use peermon_model::{Instant, MemberState};
//! use peermon_node::{Config, Event, Identity, Node};
//! use peermon_trust::{ClusterKey, Keyring, NodeKey};
//!
//! let identity = Identity { key: NodeKey::from_seed(&[1; 32]), incarnation: peermon_model::Incarnation(1) };
//! let config = Config::named("alone".parse().unwrap());
//! let mut node = Node::new(config, identity, Keyring::new(1, ClusterKey::new([2; 32])), [3; 32], Instant::ZERO);
//! let wave = node.deadline();
//! let now = Instant::from_millis(1_100);
//! node.handle_timeout(now);
//! assert!(std::iter::from_fn(|| node.poll_event()).any(|e| e == Event::SampleDue));
//! assert_eq!(node.snapshot(now).nodes[0].state, MemberState::Alive);
//! assert!(wave <= now);
//! ```

mod health;
mod row;
mod zone;

pub use peermon_gossip::{
    ClaimError, ClockInfo, Destination, Event, LinkInfo, LinkRole, PERIODS, PaceInfo, Published, SendError, SharedRecords,
    Transmit,
};

pub use peermon_health::{DEPTH, History, Opinion, PeerView, Reason, Test};

use peermon_gossip::{ClusterTime, Engine};
use peermon_model::{
    AllowList, Amounts, CustomVital, Facts, Incarnation, Instant, NodeId, NodeName, Notice, Record, Samples, Sequence, Snapshot,
    Vitals, ZoneName, limits,
};
use peermon_trust::{ClusterKey, Keyring, KeyringError, NodeKey};
use std::net::SocketAddr;
use std::time::Duration;

/// What a node is told at its start. [`peermon_gossip::Config`] explains the options both have.
#[derive(Clone, Debug)]
pub struct Config {
    /// The node's label.
    pub name: NodeName,
    /// The zone it belongs to.
    pub zone: ZoneName,
    /// Where it receives datagrams, best first; at most [`limits::ADDRESSES_MAX`] are told.
    pub addresses: Vec<SocketAddr>,
    /// Address families of the sockets there are: (IPv4, IPv6).
    pub families: (bool, bool),
    /// How often it samples, and publishes as long as the budget allows.
    pub period: Duration,
    /// Bytes a second it may send to keep the table; 0: no limit.
    pub budget: u32,
    /// Addresses that may know the cluster.
    pub seeds: Vec<SocketAddr>,
    /// Prefixes that datagrams may come from and records may name.
    pub allow: AllowList,
    /// Receive and serve the table without being in it.
    pub listen_only: bool,
    /// Announce this node on the discovery group.
    pub discovery: bool,
    /// Bytes per second that rows may take at most.
    pub rate_max: f64,
    /// Nodes in all zones up to which zones tell each other of all of them.
    pub members_full: usize,
    /// Nodes the table holds.
    pub members_max: usize,
    /// A node down or gone this long is shown only on request.
    pub hide_after: Duration,
    /// A node down or gone this long is forgotten.
    pub remove_after: Duration,
    /// How long an old cluster key is still accepted.
    pub key_overlap: Duration,
    /// How long to wait for every member to hold a new cluster key before using it all the same.
    pub key_patience: Duration,
    /// Vitals of its own, at most [`limits::CUSTOM_VITALS_MAX`].
    pub custom: Vec<CustomVital>,
    /// What rarely changes.
    pub facts: Facts,
    /// Messages to everybody.
    pub notices: Vec<Notice>,
}

impl Config {
    /// The defaults for a node of this name, without addresses or seeds.
    pub fn named(name: NodeName) -> Self {
        let g = peermon_gossip::Config::default();
        Config {
            name,
            zone: ZoneName::default(),
            addresses: Vec::new(),
            families: g.families,
            period: g.period,
            budget: g.budget,
            seeds: g.seeds,
            allow: g.allow,
            listen_only: g.listen_only,
            discovery: g.discovery,
            rate_max: g.rate_max,
            members_full: g.members_full,
            members_max: g.members_max,
            hide_after: g.hide_after,
            remove_after: g.remove_after,
            key_overlap: g.key_overlap,
            key_patience: g.key_patience,
            custom: Vec::new(),
            facts: Facts::default(),
            notices: Vec::new(),
        }
    }
}

/// Who a node is, in which life.
#[derive(Debug)]
pub struct Identity {
    /// Its key.
    pub key: NodeKey,
    /// Higher than in any former life.
    pub incarnation: Incarnation,
}

/// What a person or a program tells a node to do.
#[derive(Clone, Debug)]
pub enum Command {
    /// Contact these addresses until one answers.
    Contact(Vec<SocketAddr>),
    /// Say goodbye. Nothing is published any more.
    Leave,
    /// Move the cluster to this new key.
    RotateKey(ClusterKey),
    /// Hold these keys instead.
    SetKeyring(Keyring),
}

/// The whole node.
#[derive(Debug)]
pub struct Node {
    engine: Engine,
    custom: Vec<CustomVital>,
    health: health::Health,
    speaker: zone::Speaker,
}

impl Node {
    /// A node that knows only itself. `seed` must be unguessable: salts, nonces and cookies are made from it.
    pub fn new(config: Config, identity: Identity, keyring: Keyring, seed: [u8; 32], now: Instant) -> Self {
        let mut custom = config.custom;
        custom.truncate(limits::CUSTOM_VITALS_MAX);
        let record = Record {
            id: identity.key.id(),
            incarnation: identity.incarnation,
            sequence: Sequence::default(),
            salt: [0; 16],
            name: config.name,
            zone: config.zone,
            addresses: first(config.addresses, limits::ADDRESSES_MAX),
            period: config.period,
            budget: config.budget,
            left: false,
            listen_only: config.listen_only,
            key_held: keyring.newest(),
            facts: config.facts,
            custom: custom.clone(),
            notices: first(config.notices.clone(), limits::NOTICES_MAX),
            facts_dropped: 0,
        };
        let gossip = peermon_gossip::Config {
            period: config.period,
            budget: config.budget,
            seeds: config.seeds,
            allow: config.allow,
            listen_only: config.listen_only,
            discovery: config.discovery,
            families: config.families,
            rate_max: config.rate_max,
            members_full: config.members_full,
            members_max: config.members_max,
            hide_after: config.hide_after,
            remove_after: config.remove_after,
            key_overlap: config.key_overlap,
            key_patience: config.key_patience,
        };
        let health = health::Health::new(now, record.id, first(config.notices, limits::NOTICES_MAX));
        let engine = Engine::new(gossip, identity.key, keyring, record, row::bands(), seed, now);
        Node { engine, custom, health, speaker: zone::Speaker::default() }
    }

    /// Shares records with other nodes of this process: the simulator's.
    pub fn share_records(&mut self, shared: std::sync::Arc<dyn SharedRecords>) {
        self.engine.share_records(shared);
    }

    /// Knows these nodes from the start; see [`Engine::know`].
    pub fn know(&mut self, now: Instant, time: ClusterTime, records: &[std::sync::Arc<Published>]) {
        self.engine.know(now, time, records);
    }

    /// Takes one datagram from whichever socket. Its bytes are decrypted in place.
    pub fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &mut [u8]) {
        self.engine.handle_datagram(now, from, datagram);
    }

    /// Takes a round of samples and publishes the row made of it. Without samples (a hung collector) the row says that
    /// nothing is known, so that the node is seen alive but nobody takes old values for new.
    pub fn handle_samples(&mut self, now: Instant, samples: &Samples) {
        let row = row::quantise(self.engine.record(), &self.custom, samples, self.health.trust(now));
        self.handle_row(now, &row);
    }

    /// Publishes a row made elsewhere: by the simulator's machines.
    pub fn handle_row(&mut self, now: Instant, row: &Vitals) {
        self.speaker.speak(&mut self.engine, now);
        self.engine.publish(now, row);
    }

    /// Takes this host's facts; publishes them if they changed.
    pub fn handle_facts(&mut self, now: Instant, facts: Facts) {
        self.change_record(now, |r| r.facts = facts);
    }

    /// Takes the messages to everybody.
    pub fn handle_notices(&mut self, now: Instant, notices: Vec<Notice>) {
        self.health.notices = first(notices, limits::NOTICES_MAX);
        self.tell_notices(now);
    }

    /// Takes the addresses this node is reached at.
    pub fn handle_addresses(&mut self, now: Instant, addresses: Vec<SocketAddr>) {
        self.change_record(now, |r| r.addresses = first(addresses, limits::ADDRESSES_MAX));
    }

    /// Takes other vitals of its own.
    pub fn handle_custom(&mut self, now: Instant, custom: Vec<CustomVital>) {
        self.custom = first(custom, limits::CUSTOM_VITALS_MAX);
        let custom = self.custom.clone();
        self.change_record(now, |r| r.custom = custom);
    }

    /// Takes another list of allowed address prefixes.
    pub fn handle_allow(&mut self, allow: AllowList) {
        self.engine.set_allow(allow);
    }

    fn change_record(&mut self, now: Instant, change: impl FnOnce(&mut Record)) {
        let old = self.engine.record();
        let mut new = old.clone();
        change(&mut new);
        // what was dropped for its size would look like a change every time
        let same_facts = new.facts.iter().take(old.facts.len()).eq(old.facts.iter())
            && new.facts.len() == old.facts.len() + usize::from(old.facts_dropped);
        let same = same_facts && new.notices == old.notices && new.addresses == old.addresses && new.custom == old.custom;
        if !same {
            self.engine.publish_record(now, new);
        }
    }

    /// Does what it is told.
    pub fn handle_command(&mut self, now: Instant, command: Command) -> Result<(), KeyringError> {
        match command {
            Command::Contact(addresses) => self.engine.contact_addresses(now, &addresses),
            Command::Leave => self.engine.leave(now),
            Command::RotateKey(key) => return self.engine.rotate_key(now, key).map(drop),
            Command::SetKeyring(keyring) => self.engine.set_keyring(now, keyring),
        }
        Ok(())
    }

    /// Claims so much of each of these nodes, for so long; the claims' numbers.
    ///
    /// # Errors
    /// As [`Engine::claim`]; none is made then.
    pub fn claim(&mut self, now: Instant, nodes: &[NodeId], amounts: &Amounts, lasts: Duration) -> Result<Vec<u16>, ClaimError> {
        self.engine.claim(now, nodes, amounts, lasts)
    }

    /// Puts claims in the place of others of this node.
    ///
    /// # Errors
    /// As [`Engine::replace_claims`]; nothing has changed then.
    pub fn replace_claims(
        &mut self,
        now: Instant,
        former: &[u16],
        nodes: &[NodeId],
        amounts: &Amounts,
        lasts: Duration,
    ) -> Result<Vec<u16>, ClaimError> {
        self.engine.replace_claims(now, former, nodes, amounts, lasts)
    }

    /// Makes one of this node's claims hold for so long from now, of other amounts if they are given.
    ///
    /// # Errors
    /// As [`Engine::renew_claim`].
    pub fn renew_claim(
        &mut self,
        now: Instant,
        number: u16,
        amounts: Option<&Amounts>,
        lasts: Duration,
    ) -> Result<(), ClaimError> {
        self.engine.renew_claim(now, number, amounts, lasts)
    }

    /// Takes one of this node's claims back.
    ///
    /// # Errors
    /// As [`Engine::cancel_claim`].
    pub fn cancel_claim(&mut self, now: Instant, number: u16) -> Result<(), ClaimError> {
        self.engine.cancel_claim(now, number)
    }

    /// A datagram could not be sent.
    pub fn handle_send_error(&mut self, now: Instant, to: SocketAddr, error: SendError) {
        self.engine.handle_send_error(now, to, error);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.engine.handle_timeout(now);
        self.tend_health(now);
    }

    /// When [`Node::handle_timeout`] must be called next.
    pub fn deadline(&self) -> Instant {
        self.engine.deadline().min(self.health.deadline(self.probes_peers()))
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.engine.poll_transmit()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        while let Some(event) = self.engine.poll_event() {
            if let Some(event) = self.keep(event) {
                return Some(event);
            }
        }
        None
    }

    /// The table as it is now.
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        self.with_opinions(self.engine.snapshot(now))
    }

    /// This node's identity.
    pub fn id(&self) -> NodeId {
        self.engine.record().id
    }

    /// This node's record as last published.
    pub fn record(&self) -> &Record {
        self.engine.record()
    }

    /// The cluster keys held.
    pub fn keyring(&self) -> &Keyring {
        self.engine.keyring()
    }

    /// All counters: name and value.
    pub fn counters(&self) -> Vec<(&'static str, u64)> {
        self.engine.counters().iter().map(|(name, _, value)| (name, value)).collect()
    }

    /// All peers.
    pub fn links(&self, now: Instant) -> Vec<LinkInfo> {
        self.engine.links(now)
    }

    /// How often nodes publish now, what that costs, and how fresh rows are for it.
    pub fn pace(&self) -> PaceInfo {
        self.engine.pace()
    }

    /// The cluster clock's state.
    pub fn clock(&self) -> ClockInfo {
        self.engine.clock()
    }

    /// Seeds not reached yet.
    pub fn seeds_waiting(&self) -> Vec<SocketAddr> {
        self.engine.seeds_waiting()
    }

    /// The protocol engine, for tests and the simulator's reference model.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }
}

fn first<T>(mut list: Vec<T>, most: usize) -> Vec<T> {
    list.truncate(most);
    list
}

//! The state machine. `docs/internals/gossip.md` explains the rules; each file here holds one of them.

mod claims;
mod clock;
mod detect;
mod flush;
mod gaps;
mod join;
mod keys;
mod link;
mod lost;
mod members;
mod overlay;
mod pace;
mod receive;
mod records;
mod rows;
mod sync;
#[cfg(test)]
mod testing;
mod touch;
mod view;
mod wave;
mod zones;

pub use claims::ClaimError;
pub use view::{ClockInfo, Held, LinkInfo, LinkRole};

use crate::config::{Config, constants as c};
use crate::counters::Counters;
use crate::rng::Rng;
use crate::time::Version;
use crate::wire::packet::{Header, Hello, Kind, LINK_HEADER, NotOurs};
use clock::Clock;
use join::Contacts;
use keys::Rotation;
use link::Link;
pub use members::Published;
use members::{Handle, ME, Members};
use overlay::Overlay;
pub use pace::{Bands, PaceInfo};
use peermon_model::vitals::SLOTS;
use peermon_model::{Incarnation, Instant, MemberState, NodeId, NodeName, Record, Sequence, ZoneName, ZoneSummary};
use peermon_trust::{CookieJar, Half, Keyring, NodeKey};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Where a datagram goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Destination {
    /// To this address.
    Peer(SocketAddr),
    /// To the discovery group.
    Discovery,
}

/// A datagram to send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transmit {
    /// Where to.
    pub to: Destination,
    /// The datagram.
    pub payload: Vec<u8>,
}

/// What the node around the engine should know.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// The wave has come: sample now and call [`Engine::publish`].
    SampleDue,
    /// A member is new or entered another state.
    Member {
        /// Which.
        id: NodeId,
        /// Its label.
        name: NodeName,
        /// The state it is in now.
        state: MemberState,
        /// Which life of it.
        incarnation: Incarnation,
    },
    /// A member published another record.
    Record {
        /// Which.
        id: NodeId,
        /// Its label.
        name: NodeName,
        /// Which life of it.
        incarnation: Incarnation,
        /// Which version of its record.
        sequence: Sequence,
    },
    /// A zone is cut off from this one, or is no more.
    Zone {
        /// Which.
        name: ZoneName,
        /// Nothing comes from it.
        stale: bool,
    },
    /// The cluster's keys have changed: keep them.
    Keyring(Keyring),
    /// This node had to outrank what was told of it: keep its new incarnation.
    Incarnation(Incarnation),
    /// A member has answered a light probe.
    Answered {
        /// Which.
        id: NodeId,
        /// When the answer came.
        at: Instant,
        /// How long after the probe.
        rtt: Duration,
        /// Whether it sees this node as viable, if it knows.
        sees_me: Option<bool>,
    },
    /// A member has probed this node.
    Probed {
        /// Which.
        id: NodeId,
        /// When.
        at: Instant,
        /// Whether it sees this node as viable, if it knows.
        sees_me: Option<bool>,
    },
    /// Another machine lives under this node's key (a cloned image), and this one should make itself a new key.
    DuplicateId {
        /// Where its record says it is.
        addresses: Vec<SocketAddr>,
    },
}

/// Why a datagram could not be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SendError {
    /// Larger than the path carries (EMSGSIZE).
    TooBig,
    /// No way there (ENETUNREACH, EHOSTUNREACH, ...).
    Unreachable,
    /// No buffer free (ENOBUFS, EAGAIN).
    NoBuffers,
}

/// Records that were read and found signed, shared by the nodes of one process. The simulator has thousands of nodes, each of
/// which would check and keep the same records.
pub trait SharedRecords: Send + Sync + std::fmt::Debug {
    /// The record with exactly these bytes, if it was kept.
    fn find(&self, signed: &[u8]) -> Option<Arc<Published>>;
    /// Keeps a record whose signature is right.
    fn keep(&self, published: &Arc<Published>);
}

/// What this node itself publishes.
#[derive(Debug)]
pub(crate) struct Own {
    /// The codes as last measured, sent or not.
    measured: [u8; SLOTS],
    /// By slot: periods since it was last marked changed.
    periods: [u32; SLOTS],
    bands: Bands,
    /// What this node says of its whole zone with the next row.
    summary: Option<ZoneSummary>,
    /// The next row counts as changed in all fields: whoever has one of a former life, or from before the clock stepped,
    /// has a version that says nothing about this one.
    whole: bool,
    /// Rows published so far, and at which count the next one explores.
    published: u32,
    explore_at: u32,
    /// Clashes with another life under this key.
    clashes: u32,
    clashed_at: Instant,
}

/// Membership and dissemination of one node.
///
/// Time is the caller's `now`, which must not go backwards; chance comes from the seed given at the start. After any
/// `handle_*` call, drain [`Engine::poll_transmit`] and [`Engine::poll_event`] and call [`Engine::handle_timeout`] by
/// [`Engine::deadline`].
#[derive(Debug)]
pub struct Engine {
    config: Config,
    key: NodeKey,
    keyring: Keyring,
    rotation: Rotation,
    me: Half,
    members: Members,
    overlay: Overlay,
    zones: zones::Zones,
    claims: claims::Claims,
    links: Vec<Option<Link>>,
    links_opened: u64,
    /// Packet counters below this have been used on links that are gone.
    counter_floor: u64,
    /// By link: origins whose rows come from it.
    children: Vec<u32>,
    clock: Clock,
    rng: Rng,
    shared: Option<Arc<dyn SharedRecords>>,
    secret: [u8; 32],
    secrets_used: u64,
    cookies: CookieJar,
    contacts: Contacts,
    touches: touch::Touches,
    own: Own,
    pace: pace::Pace,
    /// Of all members that are up, and of those of this zone.
    set_hash: (u64, u64),
    /// Nodes whose records were refused, and when.
    refused: BTreeMap<u64, Instant>,
    /// The newest row of any node that was forgotten.
    forgotten: Version,
    /// Bytes that may still be sent now, and since when.
    tokens: f64,
    tokens_at: Instant,
    publish_at: Instant,
    /// When the last row is told again because no fresh one was given.
    republish_at: Instant,
    check_at: Instant,
    check_stage: u8,
    gaps: gaps::Gaps,
    housekeep_at: Instant,
    /// Until then this node knows that it was stopped itself.
    stalled_until: Instant,
    leaving: bool,
    /// While the table comes from a seed, rings are made of what has come so far: until when that goes on at most, and when it
    /// counts as over because nothing more came.
    settling: (Instant, Instant),
    draft: flush::Draft,
    /// The rows of a packet that are to be passed on.
    news: Vec<rows::News>,
    out: VecDeque<Transmit>,
    events: VecDeque<Event>,
    counters: Counters,
}

impl Engine {
    /// A node that knows only itself. `record` is what it publishes; its id, salt, sequence and flags are filled in here.
    /// `seed` must come from a source that nobody can guess: salts, nonces and cookies are made from it.
    pub fn new(
        config: Config,
        key: NodeKey,
        keyring: Keyring,
        mut record: Record,
        bands: Bands,
        seed: [u8; 32],
        now: Instant,
    ) -> Self {
        let mut salt = [0; 16];
        salt.copy_from_slice(&derived(&seed, b"salt", 0)[..16]);
        let me = Half { id: key.id(), salt };
        record.id = me.id;
        record.salt = salt;
        record.sequence = Sequence(1);
        record.left = false;
        record.listen_only = config.listen_only;
        record.period = config.period;
        record.budget = config.budget;
        record.key_held = keyring.newest();
        let signed = crate::wire::record::sign(&mut record, &key);
        let mut members = Members::default();
        let mut zones = zones::Zones::new(record.zone.clone(), now);
        let published = Arc::new(Published { record: Arc::new(record), signed });
        let own = members::Member::new(published, zones::HERE, MemberState::Alive, now);
        let mut overlay = Overlay::around(own.nid);
        let set_hash = own.fingerprint();
        if !config.listen_only {
            overlay.insert(own.nid, ME);
            zones.insert(zones::HERE, own.nid, ME);
        }
        members.insert(own);
        let mut rng_seed = [0; 8];
        rng_seed.copy_from_slice(&derived(&seed, b"rng", 0)[..8]);
        let mut engine = Engine {
            contacts: Contacts::new(&config, now),
            touches: touch::Touches::new(now),
            key,
            rotation: Rotation::of(&keyring, now),
            keyring,
            me,
            members,
            overlay,
            zones,
            claims: claims::Claims::new(now),
            links: Vec::new(),
            links_opened: 0,
            counter_floor: 1,
            children: vec![0; c::LINKS_MAX],
            clock: Clock::new(now),
            rng: Rng::new(u64::from_le_bytes(rng_seed)),
            cookies: CookieJar::new(&derived(&seed, b"cookies", 0)),
            shared: None,
            secret: seed,
            secrets_used: 0,
            own: Own {
                measured: [peermon_model::quantity::ABSENT; SLOTS],
                periods: [0; SLOTS],
                bands,
                summary: None,
                whole: true,
                published: 0,
                explore_at: c::EXPLORE.0,
                clashes: 0,
                clashed_at: now,
            },
            pace: pace::Pace::new(),
            refused: BTreeMap::new(),
            forgotten: Version::NONE,
            set_hash: if config.listen_only { (0, 0) } else { (set_hash, set_hash) },
            tokens: config.rate_max * c::BURST,
            tokens_at: now,
            publish_at: Instant::NEVER,
            republish_at: Instant::NEVER,
            check_at: Instant::NEVER,
            check_stage: 0,
            gaps: gaps::Gaps::default(),
            housekeep_at: now,
            stalled_until: Instant::ZERO,
            leaving: false,
            settling: (now, Instant::NEVER),
            draft: flush::Draft::default(),
            news: Vec::new(),
            out: VecDeque::new(),
            events: VecDeque::new(),
            counters: Counters::default(),
            config,
        };
        // rates are over the time since a sample before
        engine.schedule_wave(now, engine.config.period / 4);
        engine
    }

    /// Shares records with other nodes of this process.
    pub fn share_records(&mut self, shared: Arc<dyn SharedRecords>) {
        shared.keep(&self.members.at(ME).published);
        self.shared = Some(shared);
    }

    /// Takes one datagram that came from `from`, on whichever socket. Its bytes are decrypted in place.
    pub fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &mut [u8]) {
        self.counters.rx_datagrams += 1;
        self.counters.rx_bytes += (datagram.len() + c::HEADERS) as u64;
        let from = SocketAddr::new(from.ip().to_canonical(), from.port());
        if !self.config.allow.allows(from.ip()) {
            self.counters.dropped_address += 1;
            return;
        }
        match Header::read(datagram) {
            Err(NotOurs::Short) => self.counters.dropped_short += 1,
            Err(NotOurs::Version) => self.counters.dropped_version += 1,
            Ok(Header::Link { kind, ring, key, tag, counter }) => {
                if let Some((l, body)) = self.open(now, from, datagram, key, tag, counter) {
                    self.receive(now, l, from, kind, ring, key, counter, body);
                }
            }
            Ok(Header::Hello { kind, key, nonce }) => self.first_contact(now, from, kind, key, nonce, datagram),
        }
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        let deadline = self.deadline();
        if deadline != Instant::NEVER && now - deadline > c::LATE {
            self.note_stall(now, now - deadline);
        }
        if now >= self.publish_at {
            self.wave(now);
        }
        if now >= self.republish_at {
            self.republish(now);
        }
        // after a stall several checks are due at once
        while now >= self.check_at {
            self.check(now);
        }
        self.contact(now);
        if now >= self.settling.1 {
            self.settling = (now, Instant::NEVER);
            self.recompute(now);
        }
        if now >= self.housekeep_at {
            self.housekeep(now);
        }
        // last, since all of the above may give links something to do at once
        for l in 0..self.links.len() {
            self.link_timers(now, l);
        }
    }

    /// When [`Engine::handle_timeout`] must be called next.
    pub fn deadline(&self) -> Instant {
        let links = self.links.iter().flatten().map(Link::deadline);
        links
            .chain([self.publish_at, self.republish_at, self.check_at, self.contacts.next, self.housekeep_at, self.settling.1])
            .min()
            .expect("the list is not empty")
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.out.pop_front()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// A datagram could not be sent.
    pub fn handle_send_error(&mut self, _now: Instant, to: SocketAddr, error: SendError) {
        match error {
            SendError::NoBuffers => self.counters.send_no_buffers += 1,
            SendError::Unreachable => self.counters.send_unreachable += 1,
            SendError::TooBig => {
                self.counters.send_too_big += 1;
                self.links.iter_mut().flatten().filter(|l| l.addr == to).for_each(Link::shrink);
            }
        }
    }

    /// Everything counted so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    // --- shared by the files of this folder

    fn now_version(&self, now: Instant) -> Version {
        self.clock.at(now).version()
    }

    fn link(&mut self, l: usize) -> &mut Link {
        self.links[l].as_mut().expect("the index of a link")
    }

    /// The link at an index, unless it is gone by now.
    fn link_if(&mut self, l: usize) -> Option<&mut Link> {
        self.links.get_mut(l)?.as_mut()
    }

    /// Indices of all links.
    fn link_indices(&self) -> impl Iterator<Item = usize> + use<> {
        let present: Vec<usize> = self.links.iter().enumerate().filter(|(_, l)| l.is_some()).map(|(i, _)| i).collect();
        present.into_iter()
    }

    fn link_of(&self, h: Handle) -> Option<usize> {
        self.links.iter().position(|l| l.as_ref().is_some_and(|l| l.member == Some(h)))
    }

    fn link_with(&self, half: &Half) -> Option<usize> {
        self.links.iter().position(|l| l.as_ref().is_some_and(|l| l.peer == *half))
    }

    /// Opens a link to a peer in its present life, or `None` if all slots are taken.
    fn open_link(&mut self, now: Instant, peer: Half, member: Option<Handle>, addr: SocketAddr, key: u8) -> Option<usize> {
        let slot = match self.links.iter().position(Option::is_none) {
            Some(i) => i,
            None if self.links.len() < c::LINKS_MAX => {
                self.links.push(None);
                self.links.len() - 1
            }
            None => {
                // joiners and retired links make room for those that the rings want
                let ends = |l: &Link| !l.ring && !l.peer_ring && !l.listener;
                let oldest = |l: &usize| self.links[*l].as_ref().map(|l| l.last_heard);
                let spare = self.link_indices().filter(|l| self.links[*l].as_ref().is_some_and(ends)).min_by_key(oldest);
                let Some(spare) = spare else {
                    self.counters.dropped_links += 1;
                    return None;
                };
                self.drop_link(now, spare);
                self.links.resize_with(self.links.len().max(spare + 1), || None);
                spare
            }
        };
        self.links_opened += 1;
        let heard = member.and_then(|h| self.members.get(h)).map_or(0, |m| m.rare().heard_counter);
        let mut link = Link::new(peer, addr, key, self.counter_floor, heard, self.links_opened, now);
        if let Some(h) = member {
            link.bind(h, self.members.at(h).zone);
        }
        self.links[slot] = Some(link);
        Some(slot)
    }

    /// Gives a link up: what came over it is asked for elsewhere.
    fn drop_link(&mut self, now: Instant, l: usize) {
        let Some(link) = self.links.get_mut(l).and_then(Option::take) else { return };
        self.counter_floor = self.counter_floor.max(link.next_counter);
        if let Some(m) = link.member.and_then(|h| self.members.get_mut(h)) {
            let heard = &mut m.rare_mut().heard_counter;
            *heard = (*heard).max(link.window.next());
        }
        self.adopt_orphans(now, l);
        self.children[l] = 0;
        // a burst of joiners must not leave a long list of empty slots behind
        while self.links.last().is_some_and(Option::is_none) {
            self.links.pop();
        }
    }

    /// Seals a packet for a link and queues it; returns its counter and its length.
    fn send_on(&mut self, now: Instant, l: usize, kind: Kind, dict: &[u8], sections: &[u8]) -> (u64, usize) {
        let time = self.clock.at(now);
        let (sending, me) = (self.keyring.sending(), self.me);
        let link = self.links[l].as_mut().expect("the index of a link");
        let holds_new = link.peer_key == sending
            || link.member.and_then(|h| self.members.get(h)).is_some_and(|m| m.record().key_held == sending);
        let key = if holds_new || self.keyring.key(link.peer_key).is_none() { sending } else { link.peer_key };
        let cluster = self.keyring.key(key).expect("a key that is held");
        let counter = link.next_counter;
        link.next_counter += 1;
        let (ack, acks) = link.acks();
        let (echo, hold) = link.echo(now);
        let mut payload = Vec::with_capacity(LINK_HEADER + crate::wire::packet::FIXED + dict.len() + 4 + sections.len() + 16);
        Header::Link { kind, ring: link.ring, key, tag: members::tag(&me.salt), counter }.write(&mut payload);
        crate::wire::packet::Fixed { time, echo, hold, ack, acks }.write(&mut payload);
        if !dict.is_empty() {
            crate::wire::packet::put_section(&mut payload, crate::wire::packet::section::DICT, dict);
        }
        payload.extend_from_slice(sections);
        link.keys(&me, key, cluster).seal(counter, &mut payload, LINK_HEADER);
        link.ack_sent();
        let (to, bytes) = (link.addr, payload.len());
        self.transmit(Destination::Peer(to), payload);
        (counter, bytes)
    }

    /// How long something waits for company on one link: at least so long, and at most so much longer.
    fn drawn(&mut self, hold: (Duration, Duration)) -> Duration {
        hold.0 + hold.1.mul_f64(self.rng.below(256) as f64 / 256.0)
    }

    /// Seals a first contact and queues it.
    fn send_hello(&mut self, to: Destination, key: u8, hello: &Hello<'_>) {
        let Some(cluster) = self.keyring.key(key) else { return };
        let hello_key = peermon_trust::HelloKey::derive(cluster);
        let nonce = self.next_nonce();
        let mut payload = Vec::new();
        Header::Hello { kind: hello.kind(), key, nonce }.write(&mut payload);
        hello.write(&mut payload);
        hello_key.seal(nonce, &mut payload, crate::wire::packet::HELLO_HEADER);
        self.transmit(to, payload);
    }

    fn next_nonce(&mut self) -> [u8; peermon_trust::NONCE_BYTES] {
        let mut nonce = [0; peermon_trust::NONCE_BYTES];
        self.secrets_used += 1;
        nonce.copy_from_slice(&derived(&self.secret, b"nonce", self.secrets_used)[..peermon_trust::NONCE_BYTES]);
        nonce
    }

    fn transmit(&mut self, to: Destination, payload: Vec<u8>) {
        let bytes = payload.len() + c::HEADERS;
        // what may not wait is no reason to hold everything else up for long
        self.tokens = (self.tokens - bytes as f64).max(-c::DEBT * self.config.rate_max);
        self.counters.tx_datagrams += 1;
        self.counters.tx_bytes += bytes as u64;
        self.out.push_back(Transmit { to, payload });
    }

    fn member_event(&mut self, h: Handle) {
        let m = self.members.at(h);
        let r = m.record();
        self.events.push_back(Event::Member { id: r.id, name: r.name.clone(), state: m.state, incarnation: r.incarnation });
    }

    /// This node was stopped for so long: it has heard nobody, and that is nobody's fault.
    fn note_stall(&mut self, now: Instant, stopped: std::time::Duration) {
        self.counters.stalls += 1;
        self.stalled_until = now + self.period();
        for (_, m) in self.members.iter_mut() {
            m.heard = (m.heard + stopped).min(now);
        }
        self.zones.note_stall(now, stopped);
        for link in self.links.iter_mut().flatten() {
            link.pings = 0;
            link.ping_at = Instant::NEVER;
        }
    }
}

/// A secret made from the seed: nobody without it can guess one from another.
fn derived(seed: &[u8; 32], label: &[u8], n: u64) -> [u8; 32] {
    peermon_trust::derive_secret(seed, label, n)
}

//! What the engine shows to the node around it.

use super::Engine;
use super::members::ME;
use crate::time::Version;
use peermon_model::vitals::SLOTS;
use peermon_model::{Incarnation, Instant, MemberState, NodeEntry, NodeName, Snapshot, Vitals};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Why there is a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkRole {
    /// The rings want it.
    Ring,
    /// A joiner, a healed peer, or one whose view of the rings differs; it ends by itself.
    Extra,
    /// The peer only listens.
    Listener,
}

/// One peer.
#[derive(Clone, PartialEq, Debug)]
pub struct LinkInfo {
    /// Its label, once its record is known.
    pub name: Option<NodeName>,
    /// Its id's first digits.
    pub short_id: String,
    /// Where packets to it go.
    pub address: SocketAddr,
    /// Smoothed round-trip time, once measured.
    pub rtt: Option<Duration>,
    /// Why it is there.
    pub role: LinkRole,
    /// Time since it was last heard.
    pub silent: Duration,
}

/// The state of the cluster clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClockInfo {
    /// Whether waves are aligned with the peers'.
    pub locked: bool,
    /// Distance to the median of the peers' clocks.
    pub error: Duration,
}

/// What is held of one member.
#[derive(Clone, Copy, Debug)]
pub struct Held<'a> {
    /// The first 8 bytes of its id.
    pub nid: u64,
    /// How membership sees it.
    pub state: MemberState,
    /// Which life of it.
    pub incarnation: Incarnation,
    /// Which row; [`Version::NONE`]: none yet.
    pub version: Version,
    /// The row, by slot.
    pub codes: &'a [u8; SLOTS],
}

impl Engine {
    /// The table as it is now.
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        let clock = self.clock.at(now);
        let mut nodes: Vec<NodeEntry> = self
            .members
            .iter()
            .filter(|(h, _)| *h != ME || !self.config.listen_only)
            .map(|(h, m)| {
                let gone = matches!(m.state, MemberState::Down | MemberState::Left);
                NodeEntry {
                    record: Arc::clone(&m.published.record),
                    state: self.shown_state(h, m),
                    period: self.member_period(m),
                    vitals: self.row_of(h),
                    age: (m.version != Version::NONE).then(|| m.version.age(clock)),
                    in_state: now - m.since,
                    avoided: None,
                    hidden: gone && now - m.since > self.config.hide_after,
                }
            })
            .collect();
        nodes.sort_unstable_by_key(|n| n.record.id);
        Snapshot {
            taken: now,
            me: self.me.id,
            nodes,
            zones: self.zone_entries(now),
            claims: self.claim_entries(now),
            clock: Duration::from_micros(clock.0),
        }
    }

    fn shown_state(&self, h: super::members::Handle, m: &super::members::Member) -> MemberState {
        match m.state {
            _ if h == ME && self.leaving => MemberState::Left,
            MemberState::Alive | MemberState::Suspect if self.zones.is_stale(m.zone) => MemberState::Stale,
            state => state,
        }
    }

    /// Since when a node is up, if it is and does not only listen.
    pub fn up_since(&self, id: &peermon_model::NodeId) -> Option<Instant> {
        let m = self.members.at(self.members.handle(id.nid())?);
        (m.is_up() && !m.record().listen_only).then_some(m.since)
    }

    /// The other node that is up, and does not only listen, and that follows this one in order of nid, round about.
    pub fn up_after(&self, id: &peermon_model::NodeId) -> Option<peermon_model::NodeId> {
        let others = self.members.after(id.nid()).filter(|h| *h != ME).map(|h| self.members.at(h));
        others.filter(|m| m.is_up() && !m.record().listen_only).map(|m| m.record().id).next()
    }

    /// How many other nodes are up and do not only listen.
    pub fn others_up(&self) -> usize {
        self.members.iter().filter(|(h, m)| *h != ME && m.is_up() && !m.record().listen_only).count()
    }

    /// Takes another list of allowed address prefixes.
    pub fn set_allow(&mut self, allow: peermon_model::AllowList) {
        self.config.allow = allow;
    }

    /// All peers.
    pub fn links(&self, now: Instant) -> Vec<LinkInfo> {
        let role = |l: &super::Link| match (l.listener, l.ring || l.peer_ring) {
            (true, _) => LinkRole::Listener,
            (_, true) => LinkRole::Ring,
            _ => LinkRole::Extra,
        };
        self.links
            .iter()
            .flatten()
            .map(|l| LinkInfo {
                name: l.member.and_then(|h| self.members.get(h)).map(|m| m.record().name.clone()),
                short_id: l.peer.id.short(),
                address: l.addr,
                rtt: l.srtt,
                role: role(l),
                silent: now - l.last_heard,
            })
            .collect()
    }

    /// The cluster clock's state.
    pub fn clock(&self) -> ClockInfo {
        ClockInfo { locked: self.clock.is_locked(), error: self.clock.error() }
    }

    /// The cluster clock itself, for tests that compare nodes.
    pub fn cluster_time(&self, now: Instant) -> crate::time::ClusterTime {
        self.clock.at(now)
    }

    /// All rows held: whose, which version, which codes. For tests and the simulator's reference model.
    pub fn rows(&self) -> impl Iterator<Item = (peermon_model::NodeId, Version, peermon_model::Vitals)> + '_ {
        self.members.iter().filter(|(_, m)| m.version != Version::NONE).map(|(h, m)| (m.record().id, m.version, self.row_of(h)))
    }

    /// What is held of every member, without copies, for the simulator.
    pub fn states(&self) -> impl Iterator<Item = Held<'_>> + '_ {
        self.members.iter().map(|(_, m)| Held {
            nid: m.nid,
            state: m.state,
            incarnation: m.record().incarnation,
            version: m.version,
            codes: &m.codes,
        })
    }

    /// As [`Engine::states`], of one member, by the first 8 bytes of its id.
    pub fn state_of(&self, nid: u64) -> Option<(MemberState, Version)> {
        self.members.handle(nid).map(|h| self.members.at(h)).map(|m| (m.state, m.version))
    }

    /// The row this node published last, with its version; [`Version::NONE`] before the first.
    pub fn own_row(&self) -> (Version, Vitals) {
        (self.members.at(ME).version, self.row_of(ME))
    }

    /// Which row this node published last.
    pub fn own_version(&self) -> Version {
        self.members.at(ME).version
    }

    /// Links open now, 200 at most.
    pub fn links_open(&self) -> usize {
        self.links.iter().flatten().count()
    }

    /// Seeds that no living member answers for.
    pub fn seeds_waiting(&self) -> Vec<SocketAddr> {
        self.contacts.waiting()
    }

    /// Members that are up, this node among them unless it only listens.
    pub fn members_up(&self) -> usize {
        self.overlay.len() + self.zones.remote()
    }
}

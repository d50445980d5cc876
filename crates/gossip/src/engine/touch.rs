//! Light probes: one datagram to any member, one back. They say who answers whom, and need no link.

use super::{Destination, Engine, Event, c};
use crate::wire::packet::{HELLO_HEADER, Header, Kind, Touch};
use peermon_model::{Instant, NodeId};
use peermon_trust::HelloKey;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

/// Probes whose answers are awaited: some a second, each for a few seconds.
const PROBING_MAX: usize = 64;
/// An answer later than this serves nobody.
const FORGET: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug)]
struct Probing {
    id: NodeId,
    token: u64,
    at: Instant,
}

/// The engine's share of light probes.
#[derive(Debug)]
pub(crate) struct Touches {
    probing: VecDeque<Probing>,
    /// Probes answered in the second that began then.
    answered: (Instant, u32),
}

impl Touches {
    pub(crate) fn new(now: Instant) -> Self {
        Touches { probing: VecDeque::new(), answered: (now, 0) }
    }
}

impl Engine {
    /// Sends a light probe to a member, with what this node thinks of it.
    pub fn probe(&mut self, now: Instant, id: &NodeId, sees: Option<bool>) {
        if self.leaving || self.config.listen_only {
            return;
        }
        let Some(h) = self.members.handle(id.nid()) else { return };
        let link = self.link_of(h).and_then(|l| self.links[l].as_ref()).map(|l| l.addr);
        let told = self.members.at(h).record().addresses.iter().copied().find(|a| self.is_usable(a));
        let Some(to) = link.or(told) else { return };
        self.secrets_used += 1;
        let mut token = [0; 8];
        token.copy_from_slice(&super::derived(&self.secret, b"probe", self.secrets_used)[..8]);
        let token = u64::from_le_bytes(token);
        while self.touches.probing.len() >= PROBING_MAX || self.touches.probing.front().is_some_and(|p| now - p.at > FORGET) {
            self.touches.probing.pop_front();
        }
        self.touches.probing.push_back(Probing { id: *id, token, at: now });
        self.counters.probes += 1;
        let key = self.keyring.sending();
        self.send_touch(to, key, Kind::Probe, Touch { tag: super::members::tag(&self.me.salt), token, sees });
    }

    /// What this node answers a member that probes it: whether it is viable.
    pub fn set_opinion(&mut self, id: &NodeId, sees: Option<bool>) {
        if let Some(h) = self.members.handle(id.nid()) {
            self.members.at_mut(h).seen_viable = sees;
        }
    }

    /// Of each ring neighbour, the packets sent and given up as lost since the last call.
    pub fn exchanges(&mut self) -> Vec<(NodeId, u32, u32)> {
        let ring = self.links.iter_mut().flatten().filter(|l| l.ring && l.member.is_some() && l.ever_heard);
        ring.map(|l| (l.peer.id, std::mem::take(&mut l.sent_lately), std::mem::take(&mut l.lost_lately))).collect()
    }

    fn send_touch(&mut self, to: SocketAddr, key: u8, kind: Kind, touch: Touch) {
        let Some(cluster) = self.keyring.key(key) else { return };
        let hello_key = HelloKey::derive(cluster);
        let nonce = self.next_nonce();
        let mut payload = Vec::new();
        Header::Hello { kind, key, nonce }.write(&mut payload);
        touch.write(&mut payload);
        hello_key.seal(nonce, &mut payload, HELLO_HEADER);
        self.transmit(Destination::Peer(to), payload);
    }

    /// Takes a probe or an answer, opened.
    pub(super) fn touched(&mut self, now: Instant, from: SocketAddr, kind: Kind, key: u8, body: &[u8]) {
        let Ok(touch) = Touch::read(body) else {
            self.counters.dropped_malformed += 1;
            return;
        };
        if kind == Kind::Answer {
            let Some(i) = self.touches.probing.iter().position(|p| p.token == touch.token) else {
                self.counters.dropped_cookie += 1;
                return;
            };
            if let Some(p) = self.touches.probing.remove(i) {
                self.events.push_back(Event::Answered { id: p.id, at: now, rtt: now - p.at, sees_me: touch.sees });
            }
            return;
        }
        // Who holds the cluster's key may be of another zone that does not tell of it: to itself this node is as good as any.
        let known = self.members.tagged(touch.tag).iter().copied().find(|h| *h != super::members::ME);
        if now - self.touches.answered.0 >= Duration::from_secs(1) {
            self.touches.answered = (now, 0);
        }
        self.touches.answered.1 += 1;
        if self.touches.answered.1 > c::HELLOS_PER_SECOND {
            self.counters.dropped_hello_rate += 1;
            return;
        }
        let sees = known.and_then(|h| {
            let m = self.members.at(h);
            self.events.push_back(Event::Probed { id: m.record().id, at: now, sees_me: touch.sees });
            m.seen_viable
        });
        self.send_touch(from, key, Kind::Answer, Touch { tag: super::members::tag(&self.me.salt), token: touch.token, sees });
    }
}

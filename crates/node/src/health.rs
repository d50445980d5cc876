//! What probes say, joined with the gossip: this node's own trust in its row and record, its opinion of others in its table.

use crate::Node;
use peermon_gossip::Event;
use peermon_health::{Opinion, Own, PeerView, Peers, Reason, Test};
use peermon_model::{Instant, NodeId, Notice, Outcome, ProbeResult, Severity, Snapshot, limits};
use std::sync::Arc;
use std::time::Duration;

/// Findings that change are told no more often than this: each time, a record goes to everybody.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// Opinions of others on this node, or of it on others, below which no majority is one: half of the peers, within these limits. Who
/// doubts speaks first, so that a few words say more ill than there is.
const OPINIONS_MIN: std::ops::RangeInclusive<usize> = 3..=8;
/// What a finding's time may differ by without being told again.
const SINCE_SLACK: u32 = 2;
/// The probe that is made of what all peers say.
const PEERS: &str = "peers";

/// What a node knows of its own health and of its peers'.
#[derive(Debug)]
pub(crate) struct Health {
    own: Own,
    peers: Peers,
    /// Members came or went since the peers were told.
    changed: bool,
    /// When findings may be told next, and whether there are others now.
    tell: Instant,
    untold: bool,
    /// Messages of people and programs.
    pub(crate) notices: Vec<Notice>,
}

impl Health {
    pub(crate) fn new(now: Instant, me: NodeId, notices: Vec<Notice>) -> Self {
        Health { own: Own::default(), peers: Peers::new(now, me), changed: true, tell: now, untold: false, notices }
    }

    pub(crate) fn deadline(&self, probes: bool) -> Instant {
        let tell = if self.untold { self.tell } else { Instant::NEVER };
        if probes { self.peers.deadline().min(tell) } else { tell }
    }

    pub(crate) fn trust(&self, now: Instant) -> f64 {
        self.own.trust(now)
    }
}

impl Node {
    /// Takes what one try of a self-probe came to.
    pub fn handle_probe(&mut self, now: Instant, result: &ProbeResult) {
        self.health.untold |= self.health.own.take(now, result);
    }

    /// A thing that was probed is gone.
    pub fn handle_probe_gone(&mut self, now: Instant, probe: &'static str, instance: Option<&Arc<str>>) {
        self.health.untold |= self.health.own.forget(now, probe, instance);
    }

    /// How far this node trusts itself by its self-probes: 1 is well, 0 is unusable.
    pub fn trust(&self, now: Instant) -> f64 {
        self.health.trust(now)
    }

    /// What self-probes found wrong, the worst first.
    pub fn reasons(&self) -> Vec<&Reason> {
        self.health.own.reasons()
    }

    /// All self-probes, by probe and what they try.
    pub fn tests(&self) -> impl Iterator<Item = (&'static str, Option<&Arc<str>>, &Test)> {
        self.health.own.tests()
    }

    /// What this node knows of how a peer that is up answers it.
    pub fn peer(&self, now: Instant, id: &NodeId) -> Option<PeerView> {
        self.health.peers.view(now, id).or_else(|| self.engine.up_since(id).map(PeerView::unknown))
    }

    /// How many peers this node sees as viable, and how many it has an opinion of.
    pub fn sees(&self) -> (usize, usize) {
        self.health.peers.sees()
    }

    /// How many peers see this node as viable, and how many have said lately what they think.
    pub fn seen_by(&self, now: Instant) -> (usize, usize) {
        self.health.peers.seen_by(now)
    }

    /// Takes a fetch over TCP from a peer.
    pub fn handle_fetch(&mut self, now: Instant, id: &NodeId, failed: Option<peermon_model::Why>) {
        if self.is_peer(id) {
            self.health.peers.fetched(now, id, failed);
        }
    }

    /// Keeps what concerns health; gives back what does not.
    pub(crate) fn keep(&mut self, event: Event) -> Option<Event> {
        match event {
            Event::Answered { id, .. } | Event::Probed { id, .. } if !self.is_peer(&id) => {}
            Event::Answered { id, at, rtt, sees_me } => self.health.peers.answered(at, &id, rtt, sees_me),
            Event::Probed { id, at, sees_me } => self.health.peers.was_probed(at, &id, sees_me),
            Event::Member { .. } => {
                self.health.changed = true;
                return Some(event);
            }
            other => return Some(other),
        }
        None
    }

    /// What is due: probes of peers, and findings to tell.
    pub(crate) fn tend_health(&mut self, now: Instant) {
        if self.probes_peers() && self.health.peers.deadline() <= now {
            self.probe_peers(now);
        }
        if self.health.untold && self.health.tell <= now {
            self.health.untold = false;
            self.health.tell = now + TELL_EVERY;
            self.tell_notices(now);
        }
    }

    /// Nobody knows one that only listens, or answers it; and who leaves asks nobody any more.
    pub(crate) fn probes_peers(&self) -> bool {
        let record = self.engine.record();
        !record.listen_only && !record.left
    }

    /// Whether it is another node that is up.
    fn is_peer(&self, id: &NodeId) -> bool {
        *id != self.id() && self.engine.up_since(id).is_some()
    }

    fn probe_peers(&mut self, now: Instant) {
        let is_turn = self.health.peers.is_turn(now);
        if is_turn {
            if std::mem::take(&mut self.health.changed) {
                let others = self.engine.others_up();
                self.health.peers.known(others, |id| self.engine.up_since(id).is_some());
            }
            for (id, sent, lost) in self.engine.exchanges() {
                if self.is_peer(&id) {
                    self.health.peers.exchanged(now, &id, sent, lost);
                }
            }
        }
        for id in self.health.peers.due(now, |id| self.engine.up_after(id)) {
            self.engine.probe(now, &id, viable(self.health.peers.opinion(&id)));
        }
        if is_turn {
            for (id, opinion) in self.health.peers.changed() {
                self.engine.set_opinion(&id, viable(opinion));
            }
            let result = self.as_peers_see_it(now);
            if result.outcome == Outcome::Good && self.health.own.reasons().iter().any(|r| r.probe == PEERS) {
                // opinions change back slowly enough by themselves
                self.handle_probe_gone(now, PEERS, None);
            }
            self.handle_probe(now, &result);
        }
    }

    /// What most others think of this node, or it of most others: if few exchanges work, something is wrong here.
    fn as_peers_see_it(&self, now: Instant) -> ProbeResult {
        let enough = (self.health.peers.up() / 2).clamp(*OPINIONS_MIN.start(), *OPINIONS_MIN.end());
        let few = |(viable, all): (usize, usize)| all >= enough && viable * 2 < all;
        let (words, severity) = if few(self.health.peers.seen_by(now)) {
            ("most other nodes get no answers from it", Severity::Avoid)
        } else if few(self.health.peers.sees()) {
            // who is cut off with it has nobody else to ask
            ("it gets no answers from most other nodes", Severity::Weak)
        } else {
            ("", Severity::Weak)
        };
        ProbeResult {
            probe: PEERS,
            instance: None,
            outcome: if words.is_empty() { Outcome::Good } else { Outcome::Failed },
            severity,
            took: Duration::ZERO,
            words: words.into(),
        }
    }

    /// Puts messages and findings into the record.
    pub(crate) fn tell_notices(&mut self, now: Instant) {
        let clock = (self.engine.cluster_time(now).0 / 1_000_000).min(u64::from(u32::MAX)) as u32;
        let old = self.engine.record().notices.clone();
        let since = |n: &Notice, at: u32| {
            let same = old.iter().find(|o| o.topic == n.topic && o.text == n.text);
            same.map(|o| o.since).filter(|s| n.since == 0 || s.abs_diff(at) <= SINCE_SLACK).unwrap_or(at)
        };
        let said = self.health.notices.iter().map(|n| Notice { since: since(n, clock), ..n.clone() });
        let found = self.health.own.reasons().into_iter().take(limits::FINDINGS_MAX).map(|r| {
            let at = clock.saturating_sub(now.since(r.since).as_secs().min(u64::from(u32::MAX)) as u32).max(1);
            let text = cut(&r.words, limits::NOTICE_TEXT_BYTES_MAX);
            let notice = Notice { topic: format!("{}{}", Notice::HEALTH, r.probe).into(), text: text.into(), since: at };
            Notice { since: since(&notice, at), ..notice }
        });
        let notices: Vec<Notice> = said.chain(found).collect();
        self.change_record(now, |r| r.notices = notices);
    }

    /// The table with this node's opinions.
    pub(crate) fn with_opinions(&self, mut snapshot: Snapshot) -> Snapshot {
        for (id, why) in self.health.peers.avoided() {
            if let Ok(i) = snapshot.nodes.binary_search_by(|n| n.record.id.cmp(&id)) {
                snapshot.nodes[i].avoided = Some(why);
            }
        }
        snapshot
    }
}

fn viable(opinion: Opinion) -> Option<bool> {
    match opinion {
        Opinion::Unknown => None,
        Opinion::Viable => Some(true),
        Opinion::Avoided(_) => Some(false),
    }
}

/// The text without control characters, cut at a character's edge.
fn cut(text: &str, bytes: usize) -> String {
    let clean: String = text.chars().filter(|c| !c.is_control()).collect();
    let mut end = clean.len().min(bytes);
    while !clean.is_char_boundary(end) {
        end -= 1;
    }
    clean[..end].to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_at_an_edge() {
        assert_eq!((cut("a\u{1b}b", 80), cut("aä", 2), cut("", 3)), ("ab".into(), "a".into(), String::new()));
    }
}

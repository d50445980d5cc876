//! What this node thinks of its peers, by how they answer it, and what they think of it.

use crate::{GOOD_RUN, History};
use peermon_model::{Instant, NodeId, Outcome, Why};
use std::collections::BTreeMap;
use std::time::Duration;

/// An answer later than this is late (CoDeeN's figure).
pub(crate) const LATE: Duration = Duration::from_secs(3);
/// A probe that has no answer after this long is sent again, so that one lost packet is no verdict.
const AGAIN: [Duration; 2] = [Duration::from_millis(300), Duration::from_millis(1_000)];
/// Between two probes of peers in turn (CoDeeN's figure).
const TURN: Duration = Duration::from_secs(1);
/// Between two looks at what is due; longer, and this node itself was stopped.
const STOPPED: Duration = Duration::from_millis(1_500);
/// Peers in doubt that are probed every second besides the one whose turn it is.
const DOUBTED_MAX: usize = 4;
/// Failed ones of the last 32 that make a peer avoided, besides the last one (CoDeeN's figure).
const FAILED_MAX: u32 = 2;
/// The share of packets lost, evened out over some seconds, from which an exchange counts as failed, and from which as late. At 20 % loss
/// each way a quarter of all packets goes unacknowledged, and half of them in many a single second.
const LOST: (f64, f64) = (0.5, 0.4);
/// So many of one second's packets and this share of them lost tell at once: with a quarter lost on average, that is once in minutes.
const LOST_AT_ONCE: (u32, f64) = (4, 0.75);
/// What the newest second counts for in that share, if so many packets were sent in it; fewer count for less.
const NEWEST: (f64, u32) = (0.4, 4);
/// How long what a peer said of this node is believed, besides two turns of all peers.
const BELIEVED: Duration = Duration::from_secs(30);

/// What one node thinks of another.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Opinion {
    /// Nothing is known yet.
    #[default]
    Unknown,
    /// It answers.
    Viable,
    /// It is better left alone.
    Avoided(Why),
}

/// What is known of a peer.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct PeerView {
    /// What this node thinks of it.
    pub opinion: Opinion,
    /// Since when.
    pub since: Instant,
    /// Answers to probes and exchanges, newest first.
    pub history: History,
    /// Round-trip time of the last probe that was answered.
    pub rtt: Option<Duration>,
    /// Share of the time since something is known of it in which it was viable.
    pub viable_share: f64,
    /// What the last fetch over TCP failed with.
    pub fetch: Option<Why>,
    /// What it thinks of this node, if it has said so lately.
    pub sees_me: Option<bool>,
}

impl PeerView {
    /// Of a peer that is up since then, and of which nothing else is known.
    pub fn unknown(since: Instant) -> Self {
        PeerView {
            opinion: Opinion::Unknown,
            since,
            history: History::default(),
            rtt: None,
            viable_share: 0.0,
            fetch: None,
            sees_me: None,
        }
    }
}

#[derive(Clone, Debug)]
struct Peer {
    history: History,
    opinion: Opinion,
    since: Instant,
    known: Instant,
    /// Time it was viable before `since`.
    viable: Duration,
    rtt: Option<Duration>,
    sees_me: Option<(bool, Instant)>,
    /// What the last fetch over TCP failed with.
    fetch: Option<Why>,
    /// Share of the packets of the gossip's own exchanges that is lost, evened out.
    lost: f64,
    /// Which is too much.
    loses: bool,
    /// The opinion is another one since somebody asked.
    changed: bool,
    /// It is viable again, but was told otherwise last.
    untold: bool,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    at: Instant,
    sent: usize,
}

/// All peers that are up. Of those that nobody has heard of yet nothing is kept: with thousands of peers, who are probed one a second, that is
/// nearly all of them for the first hour.
#[derive(Clone, Debug)]
pub struct Peers {
    peers: BTreeMap<NodeId, Peer>,
    /// How many others are up.
    up: usize,
    /// Probes whose answers are awaited: a few, however many peers there are, so that a look at what is due next costs little.
    asked: BTreeMap<NodeId, Asked>,
    /// Whose turn was last.
    last: NodeId,
    /// When somebody last looked.
    looked: Instant,
    turn: Instant,
}

impl Peers {
    /// Nobody is known yet. The first turn is that of whoever follows `me`, so that a cluster that starts at one moment does not probe
    /// one node at a time all together.
    pub fn new(now: Instant, me: NodeId) -> Self {
        Peers { peers: BTreeMap::new(), up: 0, asked: BTreeMap::new(), last: me, looked: now, turn: now + TURN }
    }

    /// So many others are up, and these: those that are not are forgotten.
    pub fn known(&mut self, up: usize, is_up: impl Fn(&NodeId) -> bool) {
        self.up = up;
        self.peers.retain(|id, _| is_up(id));
        self.asked.retain(|id, _| is_up(id));
    }

    /// Whom to probe now: those whose answer is overdue, the one whose turn it is, and those in doubt. `next` tells which of the others that
    /// are up follows a node, in any order that leads round all of them.
    pub fn due(&mut self, now: Instant, next: impl Fn(&NodeId) -> Option<NodeId>) -> Vec<NodeId> {
        let mut due = Vec::new();
        if now.since(self.looked) > STOPPED {
            // this node itself was stopped: who did not answer meanwhile may have
            self.asked.clear();
        }
        self.looked = now;
        self.asked.retain(|id, asked| {
            let waited = now.since(asked.at);
            if waited >= LATE {
                heard_of(&mut self.peers, now, id).count(now, Outcome::Failed);
                return false;
            }
            // who was held up for a moment sends what was due meanwhile once
            let sent = 1 + AGAIN.iter().filter(|a| waited >= **a).count();
            if sent > asked.sent {
                asked.sent = sent;
                due.push(*id);
            }
            true
        });
        if now < self.turn {
            return due;
        }
        self.turn = if now.since(self.turn) >= TURN { now + TURN } else { self.turn + TURN };
        let is_free = |id: &NodeId| !self.asked.contains_key(id);
        // one more than those that may not be free
        let ring = std::iter::successors(next(&self.last), &next).take(self.asked.len() + 1);
        let mut turn: Vec<NodeId> = ring.into_iter().find(is_free).into_iter().collect();
        self.last = turn.first().copied().unwrap_or(self.last);
        let doubted = self.peers.iter().filter(|(id, p)| p.is_doubted() && is_free(id) && !turn.contains(id)).map(|(id, _)| *id);
        let doubted: Vec<NodeId> = doubted.take(DOUBTED_MAX).collect();
        turn.extend(doubted);
        for id in &turn {
            self.asked.insert(*id, Asked { at: now, sent: 1 });
            if let Some(peer) = self.peers.get_mut(id).filter(|p| p.opinion == Opinion::Viable) {
                peer.untold = false;
            }
        }
        due.extend(turn);
        due
    }

    /// Whether it is somebody's turn.
    pub fn is_turn(&self, now: Instant) -> bool {
        self.turn <= now
    }

    /// The peers of whom this node thinks otherwise than at the last call.
    pub fn changed(&mut self) -> Vec<(NodeId, Opinion)> {
        let changed = |(id, p): (&NodeId, &mut Peer)| std::mem::take(&mut p.changed).then_some((*id, p.opinion));
        self.peers.iter_mut().filter_map(changed).collect()
    }

    /// The peers that are avoided.
    pub fn avoided(&self) -> impl Iterator<Item = (NodeId, Why)> {
        self.peers.iter().filter_map(|(id, p)| match p.opinion {
            Opinion::Avoided(why) => Some((*id, why)),
            _ => None,
        })
    }

    /// When [`Peers::due`] has something next.
    pub fn deadline(&self) -> Instant {
        let of = |a: &Asked| a.at + AGAIN.get(a.sent - 1).copied().unwrap_or(LATE);
        self.asked.values().map(of).fold(self.turn, Instant::min)
    }

    /// A peer has answered a probe, and said whether it sees this node as viable, if it knows.
    pub fn answered(&mut self, now: Instant, id: &NodeId, rtt: Duration, sees_me: Option<bool>) {
        let peer = heard_of(&mut self.peers, now, id);
        peer.heard(now, sees_me);
        peer.rtt = Some(rtt);
        if rtt >= LATE {
            // it has been counted as failed
            peer.amend_late(now);
        } else if self.asked.remove(id).is_some() {
            peer.count(now, Outcome::Good);
        }
    }

    /// A peer has probed this node, and said what it thinks of it.
    pub fn was_probed(&mut self, now: Instant, id: &NodeId, sees_me: Option<bool>) {
        heard_of(&mut self.peers, now, id).heard(now, sees_me);
    }

    /// The gossip's own exchanges of about the last second with a neighbour: packets sent and lost.
    pub fn exchanged(&mut self, now: Instant, id: &NodeId, sent: u32, lost: u32) {
        if sent == 0 {
            return;
        }
        let peer = heard_of(&mut self.peers, now, id);
        let share = (f64::from(lost) / f64::from(sent)).min(1.0);
        let weight = NEWEST.0 * f64::from(sent.min(NEWEST.1)) / f64::from(NEWEST.1);
        peer.lost += (share - peer.lost) * weight;
        peer.loses = peer.lost >= LOST.0 || (lost >= LOST_AT_ONCE.0 && share >= LOST_AT_ONCE.1);
        let outcome = match peer.loses {
            true => Outcome::Failed,
            false if peer.lost >= LOST.1 => Outcome::Late,
            false => Outcome::Good,
        };
        peer.count(now, outcome);
    }

    /// A fetch from a peer over TCP has worked, or failed so.
    pub fn fetched(&mut self, now: Instant, id: &NodeId, failed: Option<Why>) {
        let peer = heard_of(&mut self.peers, now, id);
        peer.fetch = failed;
        match failed {
            None => peer.count(now, Outcome::Good),
            Some(Why::Connect | Why::Data) => peer.count(now, Outcome::Failed),
            // what fails here is no fault of the peer's: the self-probes tell of it
            Some(_) => {}
        }
    }

    /// What this node thinks of a peer.
    pub fn opinion(&self, id: &NodeId) -> Opinion {
        self.peers.get(id).map_or(Opinion::Unknown, |p| p.opinion)
    }

    /// All that is known of a peer; none if nothing is.
    pub fn view(&self, now: Instant, id: &NodeId) -> Option<PeerView> {
        let p = self.peers.get(id)?;
        let viable = p.viable + if p.opinion == Opinion::Viable { now.since(p.since) } else { Duration::ZERO };
        let known = now.since(p.known).as_secs_f64();
        Some(PeerView {
            opinion: p.opinion,
            since: p.since,
            history: p.history,
            rtt: p.rtt,
            fetch: p.fetch,
            viable_share: if known > 0.0 { viable.as_secs_f64() / known } else { 0.0 },
            sees_me: p.sees_me.filter(|(_, at)| now.since(*at) <= self.believed()).map(|(viable, _)| viable),
        })
    }

    /// How many others are up.
    pub fn up(&self) -> usize {
        self.up
    }

    /// How many peers this node sees as viable, and how many it has an opinion of.
    pub fn sees(&self) -> (usize, usize) {
        let of = |p: &&Peer| p.opinion != Opinion::Unknown;
        let viable = self.peers.values().filter(|p| p.opinion == Opinion::Viable).count();
        (viable, self.peers.values().filter(of).count())
    }

    /// How many peers see this node as viable, and how many have said what they think.
    pub fn seen_by(&self, now: Instant) -> (usize, usize) {
        let said = self.peers.values().filter_map(|p| p.sees_me).filter(|(_, at)| now.since(*at) <= self.believed());
        said.fold((0, 0), |(viable, all), (yes, _)| (viable + usize::from(yes), all + 1))
    }

    fn believed(&self) -> Duration {
        BELIEVED.max(TURN * 2 * u32::try_from(self.up).unwrap_or(u32::MAX / 4))
    }
}

fn heard_of<'a>(peers: &'a mut BTreeMap<NodeId, Peer>, now: Instant, id: &NodeId) -> &'a mut Peer {
    peers.entry(*id).or_insert_with(|| Peer::new(now))
}

impl Peer {
    fn new(now: Instant) -> Self {
        Peer {
            history: History::default(),
            opinion: Opinion::Unknown,
            since: now,
            known: now,
            viable: Duration::ZERO,
            rtt: None,
            sees_me: None,
            fetch: None,
            lost: 0.0,
            loses: false,
            changed: false,
            untold: false,
        }
    }

    fn heard(&mut self, now: Instant, sees_me: Option<bool>) {
        if let Some(sees) = sees_me {
            self.sees_me = Some((sees, now));
        }
    }

    /// It failed lately: it is asked until that is settled, and once more so that it knows.
    fn is_doubted(&self) -> bool {
        matches!(self.opinion, Opinion::Avoided(_)) || self.untold
    }

    fn count(&mut self, now: Instant, outcome: Outcome) {
        self.history.push(outcome);
        self.judge(now);
    }

    /// The newest failure was only late.
    fn amend_late(&mut self, now: Instant) {
        if self.history.last() == Some(Outcome::Failed) {
            self.history.amend(Outcome::Late);
            self.judge(now);
        }
    }

    fn judge(&mut self, now: Instant) {
        let h = &self.history;
        let failed_last = h.last() == Some(Outcome::Failed);
        let settled = h.good_run() >= GOOD_RUN.min(h.len());
        let opinion = if let (Some(why @ (Why::Connect | Why::Data)), false) = (self.fetch, settled) {
            Opinion::Avoided(why)
        } else if failed_last {
            Opinion::Avoided(if self.loses { Why::Loss } else { Why::Missed })
        } else if !settled && (h.failed() >= FAILED_MAX || matches!(self.opinion, Opinion::Avoided(_))) {
            Opinion::Avoided(if self.loses { Why::Loss } else { Why::Recovering })
        } else {
            Opinion::Viable
        };
        let kind = |o: Opinion| std::mem::discriminant(&o);
        if kind(opinion) != kind(self.opinion) {
            if self.opinion == Opinion::Viable {
                self.viable += now.since(self.since);
            }
            self.since = now;
            self.untold = matches!(self.opinion, Opinion::Avoided(_));
        }
        self.changed |= opinion != self.opinion;
        self.opinion = opinion;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> NodeId {
        NodeId([n; 32])
    }

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    fn peers(n: u8) -> Peers {
        let mut p = Peers::new(at(0), id(0));
        p.known(n.into(), |i| (1..=n).contains(&i.0[0]));
        p
    }

    /// Who follows, of `1..=n`.
    fn next(n: u8) -> impl Fn(&NodeId) -> Option<NodeId> {
        move |i| Some(id(i.0[0] % n + 1))
    }

    #[test]
    fn all_have_their_turn() {
        let mut p = peers(3);
        let mut order = Vec::new();
        for s in 1..=6 {
            for who in p.due(at(s * 1_000), next(3)) {
                order.push(who.0[0]);
                p.answered(at(s * 1_000 + 5), &who, Duration::from_millis(5), Some(true));
            }
        }
        assert_eq!(order, [1, 2, 3, 1, 2, 3]);
        assert_eq!((p.sees(), p.seen_by(at(6_000))), ((3, 3), (3, 3)));
        assert_eq!(p.view(at(6_000), &id(1)).expect("a peer").rtt, Some(Duration::from_millis(5)));
    }

    #[test]
    fn whoever_follows_oneself_is_first() {
        // or thousands that start together would all probe the same one, and then the next
        let mut p = Peers::new(at(0), id(2));
        p.known(3, |_| true);
        assert_eq!(p.due(at(1_000), next(4)), [id(3)]);
    }

    #[test]
    fn one_that_does_not_answer_is_asked_three_times_then_avoided_until_a_run_of_answers() {
        let mut p = peers(1);
        let mut sent = Vec::new();
        let mut t = 0;
        while p.opinion(&id(1)) == Opinion::Unknown {
            t += 100;
            sent.extend(p.due(at(t), next(1)).iter().map(|_| t));
            assert!(t < 10_000 && p.deadline() > at(t));
        }
        assert_eq!((sent, t), (vec![1_000, 1_300, 2_000, 4_000], 4_000));
        assert_eq!(p.opinion(&id(1)), Opinion::Avoided(Why::Missed));
        let mut goods = 0;
        while p.opinion(&id(1)) != Opinion::Viable {
            t += 100;
            for who in p.due(at(t), next(1)) {
                p.answered(at(t + 1), &who, Duration::from_millis(1), None);
                goods += 1;
                assert!(goods < 40 && (goods < 12) == (p.opinion(&id(1)) == Opinion::Avoided(Why::Recovering)), "{goods}");
            }
        }
        assert_eq!(goods, 12);
        assert_eq!(p.view(at(t), &id(1)).expect("a peer").history.to_string(), "x............");
    }

    #[test]
    fn a_late_answer_is_late_and_no_reason_to_avoid_for_long() {
        let mut p = peers(1);
        assert_eq!(p.due(at(1_000), next(1)), [id(1)]);
        for t in [1_300, 2_000, 3_000, 4_000] {
            p.due(at(t), next(1));
        }
        assert_eq!(p.opinion(&id(1)), Opinion::Avoided(Why::Missed));
        assert!(p.deadline() > at(4_000), "nothing is due again at once");
        p.answered(at(4_001), &id(1), Duration::from_millis(3_001), None);
        assert_eq!(p.view(at(4_001), &id(1)).expect("a peer").history.to_string(), "l");
        p.answered(at(4_002), &id(1), Duration::from_millis(2), None);
        assert_eq!(p.view(at(4_002), &id(1)).expect("a peer").history.to_string(), "l.");
    }

    #[test]
    fn who_was_held_up_asks_once_for_all_that_was_due() {
        let mut p = peers(1);
        assert_eq!(p.due(at(1_000), next(1)), [id(1)]);
        assert_eq!(p.due(at(2_400), next(1)), [id(1)]);
        assert!(p.deadline() > at(2_400));
    }

    #[test]
    fn exchanges_tell_of_loss() {
        let mut p = peers(2);
        p.exchanged(at(1_000), &id(1), 10, 8);
        p.exchanged(at(1_000), &id(2), 10, 1);
        assert_eq!(p.opinion(&id(1)), Opinion::Avoided(Why::Loss));
        assert_eq!(p.opinion(&id(2)), Opinion::Viable);
        for s in 2..20 {
            p.exchanged(at(s * 1_000), &id(1), 10, 0);
            p.exchanged(at(s * 1_000), &id(2), 6, [1, 3, 0, 2][s as usize % 4]);
            assert_eq!(p.opinion(&id(2)), Opinion::Viable, "some loss is borne, and a bad second, too");
        }
        assert_eq!(p.opinion(&id(1)), Opinion::Viable);
        for s in 20..26 {
            p.exchanged(at(s * 1_000), &id(2), 10, 6);
        }
        assert_eq!(p.opinion(&id(2)), Opinion::Avoided(Why::Loss), "more than half for seconds is not");
        // a few packets say little
        let mut p = peers(1);
        p.exchanged(at(1_000), &id(1), 2, 2);
        assert_eq!(p.opinion(&id(1)), Opinion::Viable);
    }

    #[test]
    fn a_fetch_tells_which_step_failed() {
        let mut p = peers(1);
        p.fetched(at(1_000), &id(1), Some(Why::Connect));
        p.exchanged(at(1_500), &id(1), 10, 0);
        assert_eq!(p.opinion(&id(1)), Opinion::Avoided(Why::Connect), "one good exchange does not settle it");
        p.fetched(at(1_600), &id(1), Some(Why::Resolve));
        assert_eq!(p.view(at(1_600), &id(1)).expect("a peer").history.len(), 2, "that is nobody else's fault");
        p.fetched(at(2_000), &id(1), None);
        assert_ne!(p.opinion(&id(1)), Opinion::Avoided(Why::Connect));
    }

    #[test]
    fn who_is_gone_is_forgotten_and_old_words_are_not_believed() {
        let mut p = peers(2);
        p.was_probed(at(1_000), &id(2), Some(false));
        assert_eq!((p.seen_by(at(31_000)), p.seen_by(at(31_001))), ((0, 1), (0, 0)));
        p.known(1, |i| *i == id(1));
        assert_eq!((p.seen_by(at(3_000)), p.view(at(3_000), &id(2))), ((0, 0), None));
    }
}

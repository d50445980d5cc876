//! The reference model: what must hold of every table at every moment, told in a few plain lists.
//!
//! - A row shown is one that its node published, whole, at that version; no host goes back to an older one, nor to a former life's.
//! - Incarnations never go back. Who left is not alive again without a new one, and nobody is shown as left who did not leave.
//! - Nobody is shown as down without a cause within the last minute.
//! - An age shown is the true one, where clocks agree; and they do agree soon among nodes that show each other as alive.
//! - No cluster clock is ahead of the oldest cluster's, and none jumps back.
//! - No node has more links than the limit.

use crate::Network;
use peermon_gossip::Version;
use peermon_model::vitals::SLOTS;
use peermon_model::{Instant, MemberState, Vitals};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// What really happened, and what each host has said of it so far.
#[derive(Debug, Default)]
pub(crate) struct Model {
    /// False alarms do not end the run: somebody counts them.
    pub(crate) alarms_are_counted: bool,
    truth: Vec<Truth>,
    nids: Vec<u64>,
    by_nid: BTreeMap<u64, usize>,
    /// By host: in which order it tells of others.
    order: Vec<Vec<u32>>,
    /// By host, then by the host it told of. Short lists in large worlds: only some hosts' past is remembered.
    seen: Vec<Vec<Seen>>,
    /// Who left, in which life.
    left: BTreeSet<(usize, u32)>,
    /// When the network was last so bad that it explains anything.
    harsh_at: Option<Instant>,
}

/// What is true of one host.
#[derive(Debug, Default)]
struct Truth {
    lives: u32,
    runs: bool,
    /// When something last befell it that explains that others think it down, or that it thinks so of others.
    trouble_at: Option<Instant>,
    /// What it published, oldest first.
    rows: VecDeque<Published>,
    /// How many are no longer in that list.
    gone: u64,
    /// The newest version no longer in that list.
    forgotten: Version,
    /// Its cluster clock when last looked at.
    clock: Option<(Instant, i64)>,
    /// Since when its clock differs from that of somebody it shows as alive.
    apart_since: Option<Instant>,
}

/// One row, as its node published it.
#[derive(Debug)]
struct Published {
    version: Version,
    life: u32,
    at: Instant,
    /// Microseconds by which the node's cluster clock was ahead of the world's.
    offset: i64,
    row: Vitals,
}

/// A row as a host shows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown<'a> {
    pub(crate) version: Version,
    pub(crate) codes: &'a [u8; SLOTS],
    pub(crate) age: Duration,
    /// As in [`Published`], of the host that shows it, now.
    pub(crate) offset: i64,
}

/// What one host last showed of another.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    version: Version,
    /// The life that published that row; 0: none, or it is not remembered.
    life: u32,
    incarnation: u32,
    /// Which of the rows published.
    number: u64,
    /// The life that it was last said to have left in; 0 if in none.
    left: u32,
}

/// Up to so many hosts, everything is remembered.
const ALL_REMEMBERED: usize = 60;
/// In larger worlds the past of so many hosts.
const REMEMBERED: usize = 32;
/// Rows remembered of each node: more than any table may lag; and in larger worlds.
const HISTORY: (usize, usize) = (400, 64);
/// How long a cause explains that somebody is shown as down.
const CAUSE: Duration = Duration::from_secs(60);
/// Clocks this close agree, microseconds: a node steps at once towards one that is further ahead.
pub(crate) const AGREED: i64 = 100_000;
/// Ages are true to this much.
const AGE_ERROR: Duration = Duration::from_millis(100);
/// How long nodes that show each other as alive may disagree on the clock: some waves, and the repair of some losses.
const DISAGREEMENT: Duration = Duration::from_secs(10);
/// How fast the cluster clock may creep ahead at most, as a share, and how far it may wander, microseconds: drift, and what
/// round trips of two unequal halves do to the median.
const CREEP: (f64, i64) = (1e-3, 100_000);
/// How far back a clock may be slewed, microseconds: at once, and per second. Twice what the protocol does at its shortest
/// period.
const BACK: (i64, f64) = (10_000, 80_000.0);
/// What the first cluster's clock shows at its founding, microseconds.
const FOUNDED: i64 = 1_000_000;
/// Links of a node.
const LINKS_MAX: usize = 200;

impl Truth {
    /// The row published as the `n`th, if it is remembered.
    fn numbered(&self, n: u64) -> Option<&Published> {
        self.rows.get(usize::try_from(n.checked_sub(self.gone)?).ok()?)
    }

    /// The number of the row that comes next.
    fn newest(&self) -> u64 {
        self.gone + self.rows.len() as u64
    }
}

impl Model {
    pub(crate) fn add_host(&mut self, nid: u64) {
        self.by_nid.insert(nid, self.truth.len());
        self.nids.push(nid);
        self.order.push(Vec::new());
        self.truth.push(Truth::default());
        self.seen.push(Vec::new());
    }

    pub(crate) fn hosts(&self) -> usize {
        self.truth.len()
    }

    /// Whose this is.
    pub(crate) fn host(&self, nid: u64) -> usize {
        self.by_nid[&nid]
    }

    /// As [`Self::host`], for the `k`th member that a host tells of: nearly always the same as the last time.
    pub(crate) fn host_of(&mut self, host: usize, k: usize, nid: u64) -> usize {
        let guess = self.order[host].get(k).map(|i| *i as usize);
        if let Some(i) = guess.filter(|i| self.nids[*i] == nid) {
            return i;
        }
        let found = self.host(nid);
        if self.watched(host) == host {
            let order = &mut self.order[host];
            order.resize(order.len().max(k + 1), 0);
            order[k] = found as u32;
        }
        found
    }

    /// A host whose past is remembered, near this one.
    pub(crate) fn watched(&self, host: usize) -> usize {
        host / self.stride() * self.stride()
    }

    fn stride(&self) -> usize {
        if self.hosts() <= ALL_REMEMBERED { 1 } else { self.hosts() / REMEMBERED }
    }

    /// What a host said of another, if it is one whose past is remembered.
    fn seen(&mut self, host: usize, of: usize) -> Option<&mut Seen> {
        if self.watched(host) != host {
            return None;
        }
        let (all, list) = (self.hosts(), &mut self.seen[host]);
        if list.len() <= of {
            list.resize(all, Seen::default());
        }
        Some(&mut list[of])
    }

    pub(crate) fn note_start(&mut self, now: Instant, host: usize) {
        self.seen[host].clear();
        let truth = &mut self.truth[host];
        truth.lives += 1;
        truth.runs = true;
        (truth.clock, truth.apart_since) = (None, None);
        if truth.lives > 1 {
            self.note_trouble(now, host);
        }
    }

    /// Something befell a host, or will have ended then.
    pub(crate) fn note_trouble(&mut self, at: Instant, host: usize) {
        self.truth[host].trouble_at = self.truth[host].trouble_at.max(Some(at));
    }

    pub(crate) fn note_end(&mut self, now: Instant, host: usize) {
        self.truth[host].runs = false;
        self.note_trouble(now, host);
    }

    pub(crate) fn note_leave(&mut self, host: usize, life: u32) {
        self.left.insert((host, life));
    }

    pub(crate) fn note_network(&mut self, now: Instant, network: &Network) {
        if network.is_harsh() {
            self.harsh_at = Some(now);
        }
        for host in network.harsh_hosts() {
            if let Some(truth) = self.truth.get_mut(host) {
                truth.trouble_at = truth.trouble_at.max(Some(now));
            }
        }
    }

    /// A node published a row. Two rows of one version must be one row.
    pub(crate) fn note_published(&mut self, at: Instant, host: usize, life: u32, version: Version, row: Vitals, offset: i64) {
        let history = if self.hosts() <= ALL_REMEMBERED { HISTORY.0 } else { HISTORY.1 };
        let truth = &mut self.truth[host];
        let twice = truth.rows.iter().rev().take(HISTORY.1).find(|p| p.version == version && p.life == life);
        assert!(twice.is_none_or(|p| p.row == row), "host {host} published two rows of {version:?}");
        truth.rows.push_back(Published { version, life, at, offset, row });
        while truth.rows.len() > history {
            truth.gone += 1;
            let old = truth.rows.pop_front().expect("it is not empty").version;
            if old.newer_than(truth.forgotten) {
                truth.forgotten = old;
            }
        }
    }

    /// A host shows a row of another.
    pub(crate) fn check_row(&mut self, now: Instant, host: usize, of: usize, shown: Shown<'_>) {
        let truth = &self.truth[of];
        let mut number = self.seen.get(host).and_then(|s| s.get(of)).map_or(0, |s| s.number);
        // nearly always the row it showed last, or the next
        let same = |p: &&Published| p.version == shown.version && p.row.codes() == shown.codes;
        let published = truth.numbered(number).filter(same).or_else(|| {
            number = truth.newest();
            truth.rows.iter().rev().inspect(|_| number -= 1).find(same)
        });
        let known = || shown.version.newer_than(truth.forgotten) || truth.rows.iter().any(|p| p.version == shown.version);
        let life = published.map_or(0, |p| p.life);
        match published {
            Some(p) => {
                let agree = (shown.offset - p.offset).abs() <= AGREED / 2;
                let really = now - p.at;
                let right = shown.age.abs_diff(really) <= AGE_ERROR;
                assert!(!agree || right, "host {host} says {:?} of a row of {of} that is {really:?} old", shown.age);
            }
            None if known() => {
                let published: Vec<_> = truth.rows.iter().filter(|p| p.version == shown.version).collect();
                panic!("host {host} shows of {of} {shown:?}, but published was {published:?}");
            }
            None => {}
        }
        if let Some(seen) = self.seen(host, of) {
            seen.number = number;
            let (before, was) = (std::mem::replace(&mut seen.version, shown.version), std::mem::replace(&mut seen.life, life));
            // a later life's versions may be those of another cluster's clock
            let back = if life == 0 || life == was { before.newer_than(shown.version) } else { life < was };
            assert!(!back, "host {host} went back from {before:?} to {:?} of {of}, life {was} to {life}", shown.version);
        }
    }

    /// A host tells of a member.
    pub(crate) fn check_told(
        &mut self,
        now: Instant,
        network: &Network,
        host: usize,
        of: usize,
        incarnation: u32,
        state: MemberState,
    ) {
        if let Some(seen) = self.seen(host, of) {
            let before = std::mem::replace(&mut seen.incarnation, incarnation);
            assert!(before <= incarnation, "host {host} went back from life {before} to {incarnation} of {of}");
            let left = seen.left;
            if state == MemberState::Left {
                seen.left = incarnation;
            }
            let back = matches!(state, MemberState::Alive | MemberState::Suspect) && left == incarnation;
            assert!(!back, "host {host} shows {of} as {state} in life {incarnation}, which it had left in");
        }
        match state {
            MemberState::Left => {
                let really = self.left.contains(&(of, incarnation));
                assert!(really, "host {host} shows {of} as left in life {incarnation}, but it did not leave");
            }
            MemberState::Down => {
                self.note_network(now, network);
                let trouble = [host, of].map(|i| self.truth[i].trouble_at);
                let cause = trouble.into_iter().chain([self.harsh_at]).any(|at| recent(at, now, CAUSE));
                let excused = self.alarms_are_counted || cause || !self.truth[of].runs;
                assert!(excused, "host {host} shows {of} as down without any cause, {now:?} after the start");
            }
            MemberState::Alive | MemberState::Suspect | MemberState::Stale => {}
        }
    }

    /// A host's cluster clock now.
    pub(crate) fn check_clock(&mut self, now: Instant, host: usize, offset: i64) {
        let most = FOUNDED + CREEP.1 + (now.as_micros() as f64 * CREEP.0) as i64;
        assert!(offset <= most, "host {host}'s cluster clock ran ahead: {offset} us, {most} at most");
        if let Some((then, before)) = self.truth[host].clock.replace((now, offset)) {
            let back = BACK.0 + ((now - then).as_secs_f64() * BACK.1) as i64;
            assert!(before - offset <= back, "host {host}'s cluster clock jumped back by {} us", before - offset);
        }
    }

    /// Whether a host's clock differs from that of somebody whose fresh rows it shows.
    pub(crate) fn check_agreement(&mut self, now: Instant, host: usize, apart: bool) {
        let excused = recent(self.harsh_at, now, DISAGREEMENT) || self.is_troubled(now, host);
        let truth = &mut self.truth[host];
        if !apart || excused {
            truth.apart_since = None;
            return;
        }
        let since = *truth.apart_since.get_or_insert(now);
        assert!(
            now - since <= DISAGREEMENT,
            "host {host} has had another time than those it shows as alive for {:?}",
            now - since
        );
    }

    /// Whether something befell a host so lately that its clock may be another.
    pub(crate) fn is_troubled(&self, now: Instant, host: usize) -> bool {
        recent(self.truth[host].trouble_at, now, DISAGREEMENT)
    }

    pub(crate) fn check_links(&self, host: usize, open: usize) {
        assert!(open <= LINKS_MAX, "host {host} has {open} links");
    }
}

fn recent(at: Option<Instant>, now: Instant, within: Duration) -> bool {
    at.is_some_and(|at| now - at <= within)
}

//! How often nodes publish: as often as configured, or so much less often that they stay within what they may spend.
//!
//! All nodes of a cluster must agree, or one misses rows that the other does not send yet. They do without a word, since all
//! compute it from the same things: the members, what their records say they may spend, and how long rows are. They decide
//! at the same moments, change by factors of two so that the slower ones' waves are among the faster ones', and one that
//! is in doubt does as its neighbours do.

use super::members::ME;
use super::{Engine, Version};
use crate::config::{PERIODS, constants as c};
use peermon_model::Instant;
use peermon_model::vitals::SLOTS;
use std::time::Duration;

/// How far a vital must move to be told: by slot, in code steps.
#[derive(Clone, Copy, Debug)]
pub struct Bands {
    /// Before a change is sent with the next row at all.
    pub dead: [u8; SLOTS],
    /// Before a row is sent out of turn; 0: never.
    pub note: [u8; SLOTS],
}

impl Default for Bands {
    fn default() -> Self {
        Bands { dead: [1; SLOTS], note: [0; SLOTS] }
    }
}

/// What publishing costs now, and what is promised for it.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct PaceInfo {
    /// How often rows are published now.
    pub period: Duration,
    /// Bytes a second that a node may send, IP and UDP headers included: the median of what the members' records say. None:
    /// no limit.
    pub budget: Option<f64>,
    /// Bytes a second expected at this period in a cluster of this size.
    pub cost: f64,
    /// Mean age of others' rows to expect.
    pub age_mean: Duration,
    /// Age that nearly all of them stay below, while no datagram is lost.
    pub age_most: Duration,
}

#[derive(Debug)]
pub(super) struct Pace {
    /// Rows are published every `period << step`.
    step: u8,
    /// A new node takes its neighbours' step before it has one of its own.
    decided: bool,
    /// Mean length of a row, and the counters it was last taken from.
    row_bytes: f64,
    counted: (u64, u64),
    /// Which turn it is, and whether its row is still to be published.
    turn: u64,
    due: bool,
    /// Rows that may still be sent out of turn before the next one.
    notes_left: u8,
    /// What rows out of turn may take of what this node sends.
    notes: NoteAccount,
}

/// What rows out of turn cost: every node passes on everybody's, so all keep nearly the same account. While it is overdrawn a
/// node holds its own rows back, except that each has its equal part for itself: who was calm for long is heard at once, however
/// restless the others are.
#[derive(Debug, Default)]
struct NoteAccount {
    /// Bytes a second that come in; zero while there is no budget, or none was reckoned with yet.
    rate: f64,
    /// Bytes that may be spent now, since when, and rows that this node may send in any case.
    left: f64,
    at: Instant,
    own: f64,
    /// The sampling moment of the latest such rows, and how many they were.
    slot: (u64, u32),
}

impl NoteAccount {
    fn refill(&mut self, now: Instant, members: usize) {
        let came = (now - self.at).as_secs_f64() * self.rate;
        self.left = (self.left + came).min(self.rate * NOTES_BURST);
        self.own = (self.own + came / (NOTE_BYTES * members as f64)).min(1.0);
        self.at = now;
    }

    /// Whether this node may send a row out of turn.
    fn take(&mut self) -> bool {
        let allowed = self.own >= 1.0 || self.left >= 0.0;
        if allowed {
            self.own = (self.own - 1.0).max(0.0);
        }
        allowed
    }

    /// A row out of turn, sampled at this moment, that makes every node send so many bytes.
    fn spend(&mut self, bytes: f64) {
        self.left = (self.left - bytes).max(-self.rate * NOTES_BURST);
    }
}

/// Periods between two decisions.
const DECIDE_EVERY: u64 = 16;
/// Rows out of turn between two turns: a value that flaps must not undo the budget.
const NOTES: u8 = 2;
/// Rows out of turn may take what the turns leave of the budget: this share of it at least, this one at most, and so many
/// seconds of it at once.
const NOTES_SHARE: (f64, f64) = (0.05, 0.25);
const NOTES_BURST: f64 = 60.0;
/// Datagrams that a row out of turn makes each node send: one that carries it, and a part of an acknowledgement.
const NOTE_DATAGRAMS: f64 = 1.5;
/// Bytes that it takes alone.
const NOTE_BYTES: f64 = c::ROW_BYTES + NOTE_DATAGRAMS * c::DATAGRAM_OVERHEAD as f64;
/// Turns between two summaries of a zone.
const SUMMARY_EVERY: u64 = 4;
/// Shares of the budget at which the period is doubled, and which half the period must stay below to be halved.
const GROW: f64 = 1.0;
const SHRINK: f64 = 0.8;
/// In between, neighbours that differ meet: above this share at the longer period, below it at the shorter one.
const MEET: f64 = 0.9;
/// With zones, rows come from afar later than from near, in packets of their own (the simulator's example `zones` shows it).
const BORDER: f64 = 1.25;

impl Pace {
    pub(super) fn new() -> Self {
        Pace {
            step: 0,
            decided: false,
            row_bytes: c::ROW_BYTES,
            counted: (0, 0),
            turn: 0,
            due: false,
            notes_left: NOTES,
            notes: NoteAccount { own: 1.0, ..NoteAccount::default() },
        }
    }

    /// A sample came: whether it is this turn's.
    pub(super) fn take_due(&mut self) -> bool {
        std::mem::take(&mut self.due)
    }

    /// Whether this is a turn at which a zone says what it is like as a whole.
    pub(super) fn is_summary_turn(&self) -> bool {
        self.turn.is_multiple_of(SUMMARY_EVERY)
    }

    /// A row is to be sent out of turn: whether that is allowed.
    pub(super) fn take_note(&mut self, now: Instant, members: usize) -> bool {
        self.notes.refill(now, members);
        let allowed = self.notes_left > 0 && self.notes.take();
        if allowed {
            self.notes_left -= 1;
        }
        allowed
    }
}

/// Bytes a second that one of `members` nodes sends when rows of `row_bytes` are published every `period`.
///
/// A row crosses as many links as there are other nodes, so each node sends as many on average; packets leave on every link
/// at each of the hops that a wave takes.
fn cost(members: usize, row_bytes: f64, period: Duration) -> f64 {
    let rows = (members.max(2) - 1) as f64 * row_bytes;
    (rows + datagrams(members) * c::DATAGRAM_OVERHEAD as f64) / period.as_secs_f64()
}

/// Datagrams that a node sends in a wave: as the simulator counts them (example `gossip`), within 3 % for 50 to 2,200 members.
fn datagrams(members: usize) -> f64 {
    let n = members.max(2) as f64;
    let links = (n - 1.0).min(if members < c::RINGS.1 { 2 * c::RINGS.0 } else { 2 * c::RINGS.2 } as f64);
    links * (2.0 + 0.83 * n.ln())
}

impl Engine {
    /// How often rows are published now.
    pub(super) fn period(&self) -> Duration {
        self.config.period * (1 << self.pace.step)
    }

    /// What publishing costs, and how fresh rows are for it.
    pub fn pace(&self) -> PaceInfo {
        let period = self.period();
        let n = self.members_counted().max(2) as f64;
        let hops = n.ln() / 4.0_f64.ln();
        // about three quarters of the hold a hop
        let delivery = c::HOLD.mul_f64(0.75 * hops).max(Duration::from_millis(2));
        PaceInfo {
            period,
            budget: self.budget(),
            cost: self.cost_at(self.pace.step),
            age_mean: period / 2 + delivery,
            age_most: period + delivery * 2,
        }
    }

    fn cost_at(&self, step: u8) -> f64 {
        let border = if self.has_zones() { BORDER } else { 1.0 };
        border * cost(self.members_counted(), self.pace.row_bytes, self.config.period * (1 << step))
    }

    /// A row of this version was published by this node, or came as news: if it is one out of turn, it is put down as such.
    pub(super) fn note_published(&mut self, now: Instant, version: Version) {
        if self.pace.step == 0 {
            return;
        }
        let clock = self.clock.at(now);
        let sampled = clock.0.saturating_sub(version.age(clock).as_micros() as u64);
        let slot = sampled / self.config.period.as_micros() as u64;
        if slot.is_multiple_of(1 << self.pace.step) {
            return;
        }
        // those of one moment travel together, as in a wave
        let before = if self.pace.notes.slot.0 == slot { self.pace.notes.slot.1 } else { 0 };
        let most = datagrams(self.members_counted());
        let made = |notes: u32| (f64::from(notes) * NOTE_DATAGRAMS).min(most);
        let bytes = self.pace.row_bytes + (made(before + 1) - made(before)) * c::DATAGRAM_OVERHEAD as f64;
        self.pace.notes.slot = (slot, before + 1);
        self.pace.notes.refill(now, self.overlay.len());
        self.pace.notes.spend(bytes);
    }

    /// Members whose rows come in a period, all in all.
    fn members_counted(&self) -> usize {
        self.overlay.len() + self.zones.remote() / self.zones.thin() as usize
    }

    /// What the members may spend: the median, so that one odd machine neither slows all others nor hurries them.
    fn budget(&self) -> Option<f64> {
        let mut all: Vec<u32> = self.members.iter().filter(|(_, m)| m.is_up()).map(|(_, m)| m.record().budget).collect();
        // no limit is the highest one
        all.iter_mut().for_each(|b| *b = b.wrapping_sub(1));
        let middle = all.len() / 2;
        let (_, median, _) = all.select_nth_unstable(middle);
        (*median != u32::MAX).then(|| f64::from(*median + 1))
    }

    /// A sampling moment: whether it is one to publish at, too.
    pub(super) fn take_turn(&mut self, now: Instant) -> bool {
        let (period, clock) = (self.config.period.as_micros() as u64, self.clock.at(now).0);
        let factor = 1 << self.pace.step;
        let turn = clock / (period * factor);
        if turn == self.pace.turn {
            return false;
        }
        if (clock / period).is_multiple_of(DECIDE_EVERY.max(factor)) {
            self.decide_pace(now);
        }
        self.pace.turn = clock / self.period().as_micros() as u64;
        self.pace.due = true;
        self.pace.notes_left = NOTES;
        true
    }

    fn decide_pace(&mut self, now: Instant) {
        let (rows, bytes) = (self.counters.rows_sent, self.counters.row_bytes_sent);
        let (new_rows, new_bytes) = (rows - self.pace.counted.0, bytes - self.pace.counted.1);
        if new_rows >= 16 {
            let mean = new_bytes as f64 / new_rows as f64;
            self.pace.row_bytes += (mean.clamp(2.0, 31.0) - self.pace.row_bytes) / 4.0;
            self.pace.counted = (rows, bytes);
        }
        // neighbours that reckon with the same come to one decision
        let told: Vec<f64> = self.links.iter().flatten().filter(|l| l.ring).filter_map(|l| l.row_bytes).collect();
        if !told.is_empty() {
            self.pace.row_bytes = (self.pace.row_bytes + told.iter().sum::<f64>()) / (1 + told.len()) as f64;
        }
        let budget = self.budget();
        self.decide_thinning(budget);
        self.pace.notes.refill(now, self.overlay.len());
        let Some(budget) = budget else {
            self.pace.step = 0;
            return;
        };
        let longest = (0..8).rev().find(|s| self.config.period * (1 << s) <= PERIODS.1).unwrap_or(0);
        let step = self.pace.step;
        self.pace.step = if !self.pace.decided {
            (0..longest).find(|s| self.cost_at(*s) <= budget).unwrap_or(longest)
        } else if self.cost_at(step) > GROW * budget {
            (step + 1).min(longest)
        } else if step > 0 && self.cost_at(step - 1) < SHRINK * budget {
            step - 1
        } else {
            if step < longest && self.cost_at(step) > MEET * budget && self.has_neighbour_at(step + 1) {
                step + 1
            } else if step > 0 && self.cost_at(step - 1) <= MEET * budget && self.has_neighbour_at(step - 1) {
                step - 1
            } else {
                step
            }
        };
        self.pace.decided = true;
        let rest = budget - self.cost_at(self.pace.step);
        self.pace.notes.rate = rest.clamp(NOTES_SHARE.0 * budget, NOTES_SHARE.1 * budget);
    }

    fn has_neighbour_at(&self, step: u8) -> bool {
        self.links.iter().flatten().any(|l| l.ring && l.step == Some(step))
    }

    /// What neighbours should know of this node's pace: its step, and the bytes of a row that it reckons with, in eighths.
    pub(super) fn pace_told(&self) -> [u8; 2] {
        [self.pace.step, (self.pace.row_bytes * 8.0).round() as u8]
    }

    /// A neighbour told its pace.
    pub(super) fn note_pace(&mut self, l: usize, [step, eighths]: [u8; 2]) {
        let step = step.min(7);
        self.link(l).step = Some(step);
        self.link(l).row_bytes = Some((f64::from(eighths) / 8.0).max(2.0));
        if !self.pace.decided && self.config.period * (1 << step) <= PERIODS.1 {
            self.pace.step = step;
            self.pace.decided = true;
        }
    }

    /// How often a peer on a link publishes.
    pub(super) fn peer_period(&self, l: usize) -> Duration {
        let Some(link) = self.links.get(l).and_then(Option::as_ref) else { return self.period() };
        let own = link.member.and_then(|h| self.members.get(h)).map_or(self.config.period, |m| m.record().period);
        link.step.map_or_else(|| own.max(self.period()), |s| (own * (1 << s)).min(PERIODS.1.max(own)))
    }

    /// How often a member publishes, as far as this node can know.
    pub(super) fn member_period(&self, m: &super::members::Member) -> Duration {
        self.zone_period(m.zone).max(m.record().period)
    }

    /// Whether what was measured differs so much from what was told last that it should not wait for its turn.
    pub(super) fn is_notable(&self) -> bool {
        let told = &self.members.at(ME).codes;
        let moved = |i: usize| {
            let (band, was, is) = (self.own.bands.note[i], told[i], self.own.measured[i]);
            let absent = peermon_model::quantity::ABSENT;
            band > 0 && was != absent && is != absent && was.abs_diff(is) >= band
        };
        (0..SLOTS).any(moved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cost_is_near_what_the_simulator_counts() {
        // (nodes, bytes a row, kB/s counted by `cargo run --release -p peermon-sim --example gossip`)
        for (n, row, counted) in [(100, 7.5, 2.44), (300, 7.0, 4.80)] {
            let expected = cost(n, row, Duration::from_secs(1)) / 1e3;
            assert!((expected / counted - 1.0).abs() < 0.15, "{n} nodes: {expected} kB/s expected, {counted} counted");
        }
        assert!(cost(1, 7.0, Duration::from_secs(1)) > 0.0);
        assert!(cost(1000, 7.0, Duration::from_secs(2)) * 2.0 - cost(1000, 7.0, Duration::from_secs(1)) < 1e-6);
    }
}

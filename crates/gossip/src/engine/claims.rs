//! Claims: who has chosen which node for a job that does not show in that node's values yet.
//!
//! A claim is flooded over the links of the rings, once over each, and not back where it came from. What is told is the state:
//! of one number of one claimant only the latest is held, a lost packet means that it is told as it is then, and a cancelled
//! claim is one of nothing that holds until the former one would have ended, so that no late copy brings that back. Both ends are
//! named by the tag of their life, and looked up when the table is shown, so a claim need not wait for anybody's record.

use super::flush::Draft;
use super::link::Link;
use super::members::{Handle, tag};
use super::{Engine, c};
use crate::time::{Version, ticks};
use crate::wire::packet::{CLAIM_BYTES_MAX, CLAIM_TICKS_MAX, Claim, section, section_header};
use crate::wire::{Malformed, Reader};
use peermon_model::limits::{CLAIMS_MAX, CLAIMS_OF_ONE_MAX};
use peermon_model::{Amounts, ClaimEntry, Instant, NodeId};
use std::collections::BTreeMap;
use std::time::Duration;

/// Whose claim, and which.
pub(crate) type ClaimKey = (u32, u16);

/// Why a claim cannot be made, renewed or cancelled. Nothing has changed then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClaimError {
    /// No such node is in the table.
    NoSuchNode,
    /// This node has no such claim, or its time is over.
    NoSuchClaim,
    /// This node, or all together, have as many as there may be.
    Full,
    /// This node has made, renewed or cancelled too many lately.
    TooFast,
}

/// All that are held.
#[derive(Debug)]
pub(super) struct Claims {
    held: BTreeMap<ClaimKey, Claim>,
    /// News taken of each claimant in this second.
    news: BTreeMap<u32, u32>,
    /// The number this node's latest has.
    last: u16,
    /// How many this node may make now, and since when.
    tokens: f64,
    tokens_at: Instant,
}

impl Claim {
    fn key(&self) -> ClaimKey {
        (self.by, self.number)
    }

    /// Ticks for which it still holds, 0 if its time is over.
    fn left(&self, now: Version) -> u32 {
        self.lasts.saturating_add_signed(self.made.ticks_since(now)).min(self.lasts)
    }
}

impl Claims {
    pub(super) fn new(now: Instant) -> Self {
        Claims { held: BTreeMap::new(), news: BTreeMap::new(), last: 0, tokens: c::CLAIM_BURST, tokens_at: now }
    }

    fn of(&self, by: u32) -> impl Iterator<Item = &Claim> {
        self.held.range((by, 0)..=(by, u16::MAX)).map(|(_, claim)| claim)
    }

    fn refill(&mut self, now: Instant) {
        let more = (now - self.tokens_at).as_secs_f64() * c::CLAIMS_PER_SECOND;
        self.tokens = (self.tokens + more).min(c::CLAIM_BURST);
        self.tokens_at = now;
    }

    /// A number that none of this node's claims has.
    fn number(&mut self, me: u32) -> u16 {
        // there are far fewer claims than numbers
        loop {
            self.last = self.last.wrapping_add(1);
            if !self.held.contains_key(&(me, self.last)) {
                return self.last;
            }
        }
    }
}

impl Link {
    /// Whether claims are told over it without being asked for.
    fn carries_claims(&self) -> bool {
        self.ring || self.peer_ring || self.listener
    }
}

impl Engine {
    /// Claims so much of each of these nodes, for so long, [`peermon_model::limits::CLAIM_SECONDS_MAX`] at most; the claims' numbers.
    /// Processors are rounded up to eighths, memory to MiB, GPUs to whole ones.
    ///
    /// # Errors
    /// If one is not in the table, or if there are too many claims; none is made then.
    pub fn claim(&mut self, now: Instant, nodes: &[NodeId], amounts: &Amounts, lasts: Duration) -> Result<Vec<u16>, ClaimError> {
        self.replace_claims(now, &[], nodes, amounts, lasts)
    }

    /// Makes a claim of this node hold for so long from now, of other amounts if they are given.
    ///
    /// # Errors
    /// If there is no such claim any more, or if too many were made or renewed lately.
    pub fn renew_claim(
        &mut self,
        now: Instant,
        number: u16,
        amounts: Option<&Amounts>,
        lasts: Duration,
    ) -> Result<(), ClaimError> {
        let old = self.own_claim(now, number)?;
        self.spend_claims(now, 1)?;
        let amounts = amounts.copied().unwrap_or_else(|| plain(&old));
        let made = self.later_than(now, &old);
        self.keep_claim(now, None, coded(Claim { made, ..old }, &amounts, lasts));
        Ok(())
    }

    /// Puts claims in the place of others of this node: of the nodes that they are of as well the numbers stay, the rest is taken back.
    /// Whichever of the former claims are over already are no error. The numbers, in order of `nodes`, each of which stands there once.
    ///
    /// # Errors
    /// As [`Engine::claim`]; nothing has changed then.
    pub fn replace_claims(
        &mut self,
        now: Instant,
        former: &[u16],
        nodes: &[NodeId],
        amounts: &Amounts,
        lasts: Duration,
    ) -> Result<Vec<u16>, ClaimError> {
        let me = tag(&self.me.salt);
        let tags = self.claim_tags(nodes)?;
        self.forget_ended(now);
        let mut left: BTreeMap<u32, Claim> =
            former.iter().filter_map(|n| self.own_claim(now, *n).ok()).map(|c| (c.node, c)).collect();
        let kept: Vec<Option<Claim>> = tags.iter().map(|node| left.remove(node)).collect();
        let new = kept.iter().filter(|k| k.is_none()).count();
        if self.claims.of(me).count() + new > CLAIMS_OF_ONE_MAX || self.claims.held.len() + new > CLAIMS_MAX {
            return Err(ClaimError::Full);
        }
        self.spend_claims(now, tags.len() + left.len())?;
        left.into_values().for_each(|old| self.end_claim(now, old));
        let numbers = tags.into_iter().zip(kept).map(|(node, kept)| {
            let (number, made) = match kept {
                Some(old) => (old.number, self.later_than(now, &old)),
                None => (self.claims.number(me), self.now_version(now)),
            };
            let nothing = Claim { by: me, number, node, made, lasts: 0, cpus: 0, mem: 0, gpus: 0 };
            self.keep_claim(now, None, coded(nothing, amounts, lasts));
            number
        });
        Ok(numbers.collect())
    }

    fn claim_tags(&self, nodes: &[NodeId]) -> Result<Vec<u32>, ClaimError> {
        let tags = nodes.iter().map(|id| {
            let m = self.members.handle(id.nid()).map(|h| self.members.at(h)).filter(|m| m.record().id == *id);
            m.map(super::members::Member::tag).ok_or(ClaimError::NoSuchNode)
        });
        tags.collect()
    }

    /// Takes a claim of this node back.
    ///
    /// # Errors
    /// If there is no such claim any more, or if too many were made or cancelled lately.
    pub fn cancel_claim(&mut self, now: Instant, number: u16) -> Result<(), ClaimError> {
        let old = self.own_claim(now, number)?;
        self.spend_claims(now, 1)?;
        self.end_claim(now, old);
        Ok(())
    }

    fn end_claim(&mut self, now: Instant, old: Claim) {
        let made = self.later_than(now, &old);
        self.keep_claim(now, None, Claim { made, lasts: old.left(made), cpus: 0, mem: 0, gpus: 0, ..old });
    }

    fn own_claim(&self, now: Instant, number: u16) -> Result<Claim, ClaimError> {
        let held = self.claims.held.get(&(tag(&self.me.salt), number)).copied();
        held.filter(|c| c.left(self.now_version(now)) > 0 && !c.is_cancelled()).ok_or(ClaimError::NoSuchClaim)
    }

    /// A version for the next state of a claim: two changes within a tick have an order all the same.
    fn later_than(&self, now: Instant, old: &Claim) -> Version {
        let at = self.now_version(now);
        if at.newer_than(old.made) { at } else { Version(old.made.0.wrapping_add(1)) }
    }

    fn spend_claims(&mut self, now: Instant, n: usize) -> Result<(), ClaimError> {
        self.claims.refill(now);
        if self.claims.tokens < n as f64 {
            return Err(ClaimError::TooFast);
        }
        self.claims.tokens -= n as f64;
        Ok(())
    }

    pub(super) fn read_claims(&mut self, now: Instant, l: usize, mut r: Reader<'_>) -> Result<(), Malformed> {
        while !r.is_empty() {
            let claim = Claim::read(&mut r)?;
            self.counters.claims_received += 1;
            self.hear_claim(now, l, claim);
        }
        Ok(())
    }

    /// Takes a claim that came over a link, if it is news.
    fn hear_claim(&mut self, now: Instant, l: usize, claim: Claim) {
        let (key, at) = (claim.key(), self.now_version(now));
        if claim.made.ticks_since(at) > c::FUTURE_TICKS {
            self.counters.dropped_claims += 1;
            return;
        }
        let held = self.claims.held.get(&key).map(|h| h.made);
        if held == Some(claim.made) {
            // the peer has it, so it need not be told
            self.link(l).claims.remove(&key);
        }
        if held.is_some_and(|made| !claim.made.newer_than(made)) || claim.left(at) == 0 {
            return;
        }
        let is_new = held.is_none();
        let mine = claim.by == tag(&self.me.salt);
        let full = is_new && (self.claims.held.len() >= CLAIMS_MAX || self.claims.of(claim.by).count() >= CLAIMS_OF_ONE_MAX);
        let news = self.claims.news.get(&claim.by).copied().unwrap_or_default();
        // nobody else knows of this node's claims what it does not know itself
        if mine || full || news >= c::CLAIM_NEWS_PER_SECOND {
            self.counters.dropped_claims += 1;
            return;
        }
        self.claims.news.insert(claim.by, news + 1);
        self.counters.claims_new += 1;
        self.keep_claim(now, Some(l), claim);
    }

    /// Holds a claim and passes it on, but not where it came from.
    fn keep_claim(&mut self, now: Instant, from: Option<usize>, claim: Claim) {
        let key = claim.key();
        self.claims.held.insert(key, claim);
        for l in self.link_indices() {
            let Some(link) = &self.links[l] else { continue };
            let (carries, passes) = (link.carries_claims(), self.passes_claim(link, &claim));
            let hold = self.drawn(c::HOLD_CLAIM);
            let link = self.link(l);
            if Some(l) == from {
                link.claims.remove(&key);
            } else if !carries {
                // if it ever does, it is told all
                link.claims_told = false;
            } else if passes {
                link.claims.insert(key);
                link.flush_by(now + hold);
            }
        }
    }

    /// Into another zone passes what is claimed of its own nodes and of those that it is told of.
    fn passes_claim(&self, link: &Link, claim: &Claim) -> bool {
        if !link.is_border() {
            return true;
        }
        let Some(h) = self.member_tagged(claim.node) else { return false };
        self.members.at(h).zone == link.zone || self.is_tellable(link, h)
    }

    fn member_tagged(&self, tag: u32) -> Option<Handle> {
        self.members.tagged(tag).first().copied()
    }

    /// A link that has come to carry claims gets all there are.
    pub(super) fn tell_claims_once(&mut self, now: Instant, l: usize) {
        let Some(link) = self.links[l].as_ref().filter(|l| l.carries_claims() && !l.claims_told) else { return };
        let at = self.now_version(now);
        let all = self.claims.held.values().filter(|c| c.left(at) > 0 && self.passes_claim(link, c));
        let keys: Vec<ClaimKey> = all.map(Claim::key).collect();
        let link = self.link(l);
        link.claims_told = true;
        link.claims.extend(keys);
    }

    /// Appends claims as long as there is room.
    pub(super) fn put_claims(&mut self, now: Instant, l: usize, d: &mut Draft) {
        let at = self.now_version(now);
        let mut sec = Vec::new();
        while let Some(key) = self.link(l).claims.pop_first() {
            // whatever it was when it was put there, this is what it is now
            let Some(claim) = self.claims.held.get(&key).filter(|c| c.left(at) > 0) else { continue };
            if sec.len() + CLAIM_BYTES_MAX + section_header(1000) > d.left() {
                self.link(l).claims.insert(key);
                break;
            }
            claim.write(&mut sec);
            d.sent.claims.push(key);
            self.counters.claims_sent += 1;
        }
        d.section(section::CLAIM, &sec);
    }

    /// Once a second.
    pub(super) fn tend_claims(&mut self, now: Instant) {
        self.claims.news.clear();
        self.forget_ended(now);
    }

    fn forget_ended(&mut self, now: Instant) {
        let at = self.now_version(now);
        // the second: the clock has stepped, or it is none of this half of all versions
        self.claims.held.retain(|_, c| c.left(at) > 0 && c.made.ticks_since(at) <= 2 * c::FUTURE_TICKS);
    }

    /// A claimant's life is over, and its claims with it: they count as cancelled, so that no late copy brings them back.
    pub(super) fn end_claims(&mut self, by: u32) {
        for (_, claim) in self.claims.held.range_mut((by, 0)..=(by, u16::MAX)) {
            (claim.cpus, claim.mem, claim.gpus) = (0, 0, 0);
        }
    }

    /// All claims as a snapshot shows them. Those of nodes that are down or gone are not shown, but if one comes back they are.
    pub(super) fn claim_entries(&self, now: Instant) -> Vec<ClaimEntry> {
        let clock = self.clock.at(now);
        let at = clock.version();
        let entry = |claim: &Claim| {
            let node = self.members.get(self.member_tagged(claim.node)?)?;
            let by = self.member_tagged(claim.by).and_then(|h| self.members.get(h));
            let holds = claim.left(at) > 0 && !claim.is_cancelled() && by.is_none_or(super::members::Member::is_up);
            holds.then(|| ClaimEntry {
                by: by.map(|m| m.record().id),
                number: claim.number,
                node: node.record().id,
                amounts: plain(claim),
                age: claim.made.age(clock),
                lasts: Duration::from_secs_f64(f64::from(claim.lasts) / crate::time::TICKS_PER_SECOND as f64),
            })
        };
        self.claims.held.values().filter_map(entry).collect()
    }
}

/// A claim with these amounts and times.
fn coded(claim: Claim, amounts: &Amounts, lasts: Duration) -> Claim {
    // conversions stop at a type's bounds, and make a NaN zero
    let (cpus, mem, gpus) = ((amounts.cpus * 8.0).ceil() as u16, (amounts.mem / MIB).ceil() as u32, amounts.gpus.ceil() as u16);
    Claim { lasts: ticks(lasts).clamp(1, CLAIM_TICKS_MAX), cpus, mem, gpus, ..claim }
}

fn plain(claim: &Claim) -> Amounts {
    Amounts { cpus: f64::from(claim.cpus) / 8.0, mem: f64::from(claim.mem) * MIB, gpus: claim.gpus.into() }
}

const MIB: f64 = 1024.0 * 1024.0;

#[cfg(test)]
mod tests;

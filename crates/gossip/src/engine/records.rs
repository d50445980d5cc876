//! Records: who is in the cluster, flooded once per version, checked by signature before anything is believed.

use super::members::{Handle, ME, Member, Published};
use super::zones::{HERE, ZoneIndex};
use super::{Engine, Event, Version, c};
use crate::wire::{Malformed, Reader, record};
use peermon_model::{Instant, MemberState, Record, Sequence};
use std::sync::Arc;

/// Handles there are: two of their numbers mean something else on links.
const HANDLES_MAX: usize = u16::MAX as usize - 1;

/// A record that somebody told.
pub(super) struct Told {
    pub(super) published: Arc<Published>,
    /// Its signature is known to be right.
    verified: bool,
}

impl Engine {
    /// Publishes another record of this node: facts, addresses, notices. Identity, sequence and flags are filled in here.
    pub fn publish_record(&mut self, now: Instant, record: Record) {
        let left = self.leaving;
        self.reissue(now, Record { left, ..record });
    }

    /// This node's record as last published.
    pub fn record(&self) -> &Record {
        self.members.at(ME).record()
    }

    /// The same with its signature.
    pub fn published(&self) -> &Arc<Published> {
        &self.members.at(ME).published
    }

    /// Takes records whose signatures are known to be right and a cluster's clock, as if a seed had told them. Worlds of the simulator that are
    /// too large to join begin so. Links are opened once no more have come for a while, as after joining.
    pub fn know(&mut self, now: Instant, time: crate::time::ClusterTime, records: &[Arc<Published>]) {
        self.step_clock(now, time);
        self.settling = (now + c::SETTLE.0, now + c::SETTLE.0);
        let me = self.me.id;
        for published in records.iter().filter(|p| p.record.id != me) {
            self.take_record(now, Told { published: Arc::clone(published), verified: true }, false, None);
        }
    }

    /// Says goodbye: everybody takes this node out of the table at once. Nothing is published any more.
    pub fn leave(&mut self, now: Instant) {
        let record = Record { left: true, ..self.record().clone() };
        self.leaving = true;
        if !self.config.listen_only {
            self.reissue(now, record);
            for l in self.link_indices() {
                self.flush(now, l);
            }
        }
    }

    pub(super) fn reissue(&mut self, now: Instant, mut record: Record) {
        let old = &self.members.at(ME).record();
        record.id = self.me.id;
        record.salt = self.me.salt;
        record.incarnation = record.incarnation.max(old.incarnation);
        record.sequence = Sequence(old.sequence.0 + 1);
        record.listen_only = self.config.listen_only;
        record.period = self.config.period;
        record.budget = self.config.budget;
        record.key_held = self.keyring.newest();
        let signed = record::sign(&mut record, &self.key);
        let published = Arc::new(Published { record: Arc::new(record), signed });
        if let Some(shared) = &self.shared {
            shared.keep(&published);
        }
        if !self.config.listen_only {
            let fingerprint = self.members.at(ME).fingerprint();
            self.toggle(HERE, fingerprint);
        }
        self.members.replace_record(ME, published);
        if !self.config.listen_only {
            let fingerprint = self.members.at(ME).fingerprint();
            self.toggle(HERE, fingerprint);
            self.flood_record(now, ME, None);
        }
    }

    pub(super) fn flood_record(&mut self, now: Instant, h: Handle, from: Option<usize>) {
        let flooding = self.overlay.flooding();
        for i in self.link_indices() {
            let tellable = self.links[i].as_ref().is_some_and(|l| self.is_tellable(l, h));
            let hold = self.drawn(c::HOLD_RECORD);
            let link = self.link(i);
            // links that are to end carry no news but this node's own: their peers have rings of their own
            let floods = link.is_border() || link.member.is_some_and(|m| flooding.contains(&m));
            if Some(i) != from && tellable && (link.carries_rows() && floods || link.listener || h == ME) {
                link.mark_record(h);
                link.flush_by(now + hold);
            }
        }
    }

    pub(super) fn read_record(&mut self, now: Instant, l: usize, mut r: Reader<'_>) -> Result<(), Malformed> {
        let down = r.u8()? == 1;
        let signed = r.0;
        if let Some((id, rank)) = record::peek(signed)
            && let Some(h) = self.members.handle(id.nid())
            && self.members.at(h).record().id == id
            && self.members.at(h).record().rank() == rank
            && h != ME
        {
            let tag = self.members.at(h).tag();
            let link = self.link(l);
            link.resolve(id.nid(), tag, h);
            link.unmark_record(h);
            return Ok(());
        }
        let Ok(told) = self.read_signed(signed) else {
            self.counters.dropped_record += 1;
            return Ok(());
        };
        if told.published.record.id == self.me.id {
            self.told_of_me(now, &told);
            return Ok(());
        }
        let nid = told.published.record.id.nid();
        let Some(h) = self.take_record(now, told, down, Some(l)) else { return Ok(()) };
        let tag = self.members.at(h).tag();
        if let Some(link) = self.link_if(l) {
            link.resolve(nid, tag, h);
            link.unmark_record(h);
        }
        Ok(())
    }

    /// Reads a record's bytes; whether they are signed is asked later, when it is known to matter.
    pub(super) fn read_signed(&self, signed: &[u8]) -> Result<Told, Malformed> {
        if let Some(published) = self.shared.as_ref().and_then(|s| s.find(signed)) {
            return Ok(Told { published, verified: true });
        }
        let record = Arc::new(record::decode(signed)?);
        Ok(Told { published: Arc::new(Published { record, signed: signed.into() }), verified: false })
    }

    pub(super) fn is_signed(&self, told: &Told) -> bool {
        told.verified || {
            let signed = record::is_signed(&told.published.record, &told.published.signed);
            if let Some(shared) = self.shared.as_ref().filter(|_| signed) {
                shared.keep(&told.published);
            }
            signed
        }
    }

    /// Believes a record if it is signed, allowed and news; its member's handle, unless it was refused.
    pub(super) fn take_record(&mut self, now: Instant, told: Told, down: bool, from: Option<usize>) -> Option<Handle> {
        let record = &told.published.record;
        let nid = record.id.nid();
        let known = self.members.handle(nid);
        if let Some(h) = known {
            let m = self.members.at(h);
            if m.record().id != record.id {
                self.counters.dropped_refused += 1;
                return None;
            }
            if record.rank() <= m.record().rank() {
                if record.rank() < m.record().rank()
                    && let Some(link) = from.and_then(|l| self.link_if(l))
                {
                    // the peer is behind: tell it
                    link.mark_record(h);
                    link.flush_by(now + c::HOLD_URGENT);
                }
                return Some(h);
            }
        }
        let allowed = record.addresses.is_empty() || record.addresses.iter().any(|a| self.config.allow.allows(a.ip()));
        let full = known.is_none() && self.members.len() >= self.config.members_max.min(HANDLES_MAX);
        if record.listen_only || !allowed || full {
            self.counters.dropped_refused += 1;
            self.note_refused(nid, now);
            return None;
        }
        if !self.is_signed(&told) {
            self.counters.dropped_record += 1;
            return None;
        }
        let Some(zone) = self.zones.index(&told.published.record.zone, now) else {
            self.counters.dropped_zone += 1;
            self.note_refused(nid, now);
            return None;
        };
        let h = match known {
            Some(h) => self.replace(now, h, zone, told.published),
            None => self.admit(now, zone, told.published, down),
        };
        self.flood_record(now, h, from);
        let m = self.members.at(h);
        let r = m.record();
        self.events.push_back(Event::Record { id: r.id, name: r.name.clone(), incarnation: r.incarnation, sequence: r.sequence });
        Some(h)
    }

    /// Nodes refused lately need not be asked about again and again.
    fn note_refused(&mut self, nid: u64, now: Instant) {
        self.refused.retain(|_, at| now - *at < c::REFUSED_FOR);
        if self.refused.len() < c::REFUSED_MAX {
            self.refused.insert(nid, now);
        }
    }

    pub(super) fn is_refused(&self, nid: u64, now: Instant) -> bool {
        self.refused.get(&nid).is_some_and(|at| now - *at < c::REFUSED_FOR)
    }

    fn admit(&mut self, now: Instant, zone: ZoneIndex, published: Arc<Published>, down: bool) -> Handle {
        let left = published.record.left;
        let h = self.members.insert(Member::new(published, zone, MemberState::Down, now));
        let half = self.members.at(h).half();
        if let Some(l) = self.link_with(&half) {
            self.link(l).bind(h, zone);
        }
        if left || down {
            let m = self.members.at_mut(h);
            m.state = if left { MemberState::Left } else { MemberState::Down };
            m.heal_at(now + c::HEAL_RETRY.0);
            self.member_event(h);
        } else {
            self.revive(now, h);
        }
        h
    }

    fn replace(&mut self, now: Instant, h: Handle, zone: ZoneIndex, published: Arc<Published>) -> Handle {
        let m = self.members.at(h);
        let new_life = published.record.salt != m.record().salt;
        let left = published.record.left;
        let moves = m.zone != zone;
        if moves {
            if m.is_up() {
                self.take_out(now, h, MemberState::Left);
            }
            let m = self.members.at_mut(h);
            m.zone = zone;
            m.forget_summary();
        }
        let m = self.members.at(h);
        let (was_up, fingerprint) = (m.is_up(), m.fingerprint());
        if was_up {
            self.toggle(zone, fingerprint);
        }
        if new_life {
            // keys, counters and all that was known of the former life end with it
            if let Some(l) = self.link_of(h) {
                self.drop_link(now, l);
            }
            self.end_claims(self.members.at(h).tag());
            self.members.at_mut(h).begin_life();
            self.links.iter_mut().flatten().for_each(|link| link.begin_life(h));
        }
        self.members.replace_record(h, published);
        let half = self.members.at(h).half();
        if new_life && let Some(l) = self.link_with(&half) {
            self.link(l).bind(h, zone);
        }
        let m = self.members.at_mut(h);
        if m.is_up() {
            let fingerprint = m.fingerprint();
            self.toggle(zone, fingerprint);
        }
        if left {
            self.leave_rings(now, h, MemberState::Left);
        } else if !self.members.at(h).is_up() && (new_life || moves) {
            self.revive(now, h);
        } else if new_life {
            self.members.at_mut(h).heard = now;
            self.all_eager(h);
            self.recompute(now);
            self.member_event(h);
        }
        h
    }

    /// Somebody tells of this node. If that outranks what it says itself, there was a former life with a later count, or
    /// another machine lives under the same key.
    pub(super) fn told_of_me(&mut self, now: Instant, told: &Told) {
        let mine = self.record().clone();
        let record = &told.published.record;
        if record.salt == self.me.salt || record.rank() < mine.rank() || !self.is_signed(told) {
            return;
        }
        let told = record;
        if self.own.clashes > 0 && now - self.own.clashed_at < std::time::Duration::from_secs(1) {
            // two machines that outrank each other must not do so at the network's speed
            return;
        }
        self.own.clashes += 1;
        self.own.clashed_at = now;
        // of two machines with one key, the one with the lower salt gives way
        if self.own.clashes >= c::DUPLICATE_CLASHES && self.me.salt < told.salt {
            self.events.push_back(Event::DuplicateId { addresses: told.addresses.clone() });
        }
        let incarnation = peermon_model::Incarnation(told.incarnation.0.saturating_add(1));
        let record = Record { incarnation, ..mine };
        self.events.push_back(Event::Incarnation(incarnation));
        self.reissue(now, record);
    }

    /// Forgets a member that has been gone for long.
    pub(super) fn forget(&mut self, now: Instant, h: Handle) {
        if let Some(l) = self.link_of(h) {
            self.drop_link(now, l);
        }
        self.set_parent(h, super::members::NO_LINK);
        for link in self.links.iter_mut().flatten() {
            link.forget_member(h);
        }
        let version = self.members.at(h).version;
        if version != Version::NONE && (self.forgotten == Version::NONE || version.newer_than(self.forgotten)) {
            self.forgotten = version;
        }
        self.members.remove(h);
    }
}

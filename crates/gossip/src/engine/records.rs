//! Records: who is in the cluster, flooded once per version, checked by signature before anything is believed.

use super::members::{Handle, ME, Member};
use super::{Engine, Event, c};
use crate::wire::{Malformed, Reader, record};
use peermon_model::{Instant, MemberState, Record, Sequence};
use std::sync::Arc;

impl Engine {
    /// Publishes another record of this node: facts, addresses, notices. Identity, sequence and flags are filled in here.
    pub fn publish_record(&mut self, now: Instant, record: Record) {
        let left = self.leaving;
        self.reissue(now, Record { left, ..record });
    }

    /// This node's record as last published.
    pub fn record(&self) -> &Record {
        &self.members.at(ME).record
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
        let old = &self.members.at(ME).record;
        record.id = self.me.id;
        record.salt = self.me.salt;
        record.incarnation = record.incarnation.max(old.incarnation);
        record.sequence = Sequence(old.sequence.0 + 1);
        record.listen_only = self.config.listen_only;
        record.period = self.config.period;
        record.key_held = self.keyring.newest();
        let signed = record::sign(&mut record, &self.key);
        if !self.config.listen_only {
            self.set_hash ^= self.members.at(ME).fingerprint();
        }
        self.members.replace_record(ME, Arc::new(record), signed.into());
        if !self.config.listen_only {
            self.set_hash ^= self.members.at(ME).fingerprint();
            self.flood_record(now, ME, None);
        }
    }

    pub(super) fn flood_record(&mut self, now: Instant, h: Handle, from: Option<usize>) {
        for (i, link) in self.links.iter_mut().enumerate() {
            // links that are to end carry no news but this node's own: their peers have rings of their own
            if let Some(link) = link
                && Some(i) != from
                && (link.carries_rows() || link.listener || h == ME)
            {
                link.mark_record(h);
                link.flush_by(now + c::HOLD_URGENT);
            }
        }
    }

    pub(super) fn read_record(&mut self, now: Instant, l: usize, mut r: Reader<'_>) -> Result<(), Malformed> {
        let down = r.u8()? == 1;
        let signed = r.0;
        if let Some((id, rank)) = record::peek(signed)
            && let Some(h) = self.members.handle(id.nid())
            && self.members.at(h).record.id == id
            && self.members.at(h).record.rank() == rank
            && h != ME
        {
            let link = self.link(l);
            link.resolve(id.nid(), h);
            link.unmark_record(h);
            return Ok(());
        }
        let Ok(record) = record::decode(signed) else {
            self.counters.dropped_record += 1;
            return Ok(());
        };
        if record.id == self.me.id {
            self.told_of_me(now, &record, signed);
            return Ok(());
        }
        let nid = record.id.nid();
        let Some(h) = self.take_record(now, record, signed, down, Some(l)) else { return Ok(()) };
        if let Some(link) = self.link_if(l) {
            link.resolve(nid, h);
            link.unmark_record(h);
        }
        Ok(())
    }

    /// Believes a record if it is signed, allowed and news; its member's handle, unless it was refused.
    pub(super) fn take_record(
        &mut self,
        now: Instant,
        record: Record,
        signed: &[u8],
        down: bool,
        from: Option<usize>,
    ) -> Option<Handle> {
        let nid = record.id.nid();
        let known = self.members.handle(nid);
        if let Some(h) = known {
            let m = self.members.at(h);
            if m.record.id != record.id {
                self.counters.dropped_refused += 1;
                return None;
            }
            if record.rank() <= m.record.rank() {
                if record.rank() < m.record.rank()
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
        let full = known.is_none() && self.members.len() >= self.config.members_max.min(usize::from(u16::MAX));
        if record.listen_only || !allowed || full {
            self.counters.dropped_refused += 1;
            self.note_refused(nid, now);
            return None;
        }
        if !record::is_signed(&record, signed) {
            self.counters.dropped_record += 1;
            return None;
        }
        let h = match known {
            Some(h) => self.replace(now, h, record, signed),
            None => self.admit(now, record, signed, down),
        };
        self.flood_record(now, h, from);
        let m = self.members.at(h);
        let r = &m.record;
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

    fn admit(&mut self, now: Instant, record: Record, signed: &[u8], down: bool) -> Handle {
        let left = record.left;
        let h = self.members.insert(Member::new(Arc::new(record), signed.into(), MemberState::Down, now));
        let half = self.members.at(h).half();
        if let Some(l) = self.link_with(&half) {
            self.link(l).member = Some(h);
        }
        if left || down {
            let m = self.members.at_mut(h);
            m.state = if left { MemberState::Left } else { MemberState::Down };
            m.heal_at = now + c::HEAL_RETRY.0;
            self.member_event(h);
        } else {
            self.revive(now, h);
        }
        h
    }

    fn replace(&mut self, now: Instant, h: Handle, record: Record, signed: &[u8]) -> Handle {
        let m = self.members.at(h);
        let new_life = record.salt != m.record.salt;
        let left = record.left;
        if m.is_up() {
            self.set_hash ^= m.fingerprint();
        }
        if new_life {
            // keys, counters and all that was known of the former life end with it
            if let Some(l) = self.link_of(h) {
                self.drop_link(now, l);
            }
            self.members.at_mut(h).heard_counter = 0;
        }
        self.members.replace_record(h, Arc::new(record), signed.into());
        let half = self.members.at(h).half();
        if new_life && let Some(l) = self.link_with(&half) {
            self.link(l).member = Some(h);
        }
        let m = self.members.at_mut(h);
        if m.is_up() {
            let fingerprint = m.fingerprint();
            self.set_hash ^= fingerprint;
        }
        if left {
            self.leave_rings(now, h, MemberState::Left);
        } else if !self.members.at(h).is_up() && new_life {
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
    pub(super) fn told_of_me(&mut self, now: Instant, told: &Record, signed: &[u8]) {
        let mine = self.record().clone();
        if told.salt == self.me.salt || told.rank() < mine.rank() || !record::is_signed(told, signed) {
            return;
        }
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
        self.members.remove(h);
    }
}

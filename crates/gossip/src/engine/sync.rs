//! Bringing two nodes to the same table: the whole of it for a joiner, what is fresh after a cut, and a cheap check that
//! finds the rest: one fingerprint a period, and where it differs, a search by ranges (as negentropy does, 16 ways).

use super::members::{Handle, Member};
use super::zones::{HERE, ZoneIndex};
use super::{Engine, Version, c};
use crate::rng::mix;
use crate::wire::packet::section;
use crate::wire::{Malformed, Reader};
use peermon_model::{Incarnation, Instant, Sequence};

/// Ranges a query divides into.
const WAYS: usize = 16;
/// Members a range may hold to be listed rather than divided.
const LIST_MAX: usize = 40;
/// Depth at which a range is listed in any case: 16^6 ranges.
const DEPTH_MAX: u8 = 6;
/// Periods in which fingerprints must differ before it counts: news may be on its way.
const PATIENCE: u8 = 2;

impl Engine {
    /// Tells a peer all that is fresh; `whole`: every record too.
    pub(super) fn start_sync(&mut self, now: Instant, l: usize, whole: bool) {
        self.counters.synchronisations += 1;
        let told = self.members.iter().filter(|(_, m)| self.is_current(m, now));
        let fresh: Vec<(Handle, bool)> = told.map(|(h, m)| (h, m.is_up() && self.is_fresh(m, now))).collect();
        let Some(link) = &self.links[l] else { return };
        let fresh: Vec<(Handle, bool)> = fresh.into_iter().filter(|(h, _)| self.is_tellable(link, *h)).collect();
        let link = self.link(l);
        link.synced = Some(now);
        for (h, row) in fresh {
            if whole {
                link.mark_record(h);
            }
            if row {
                link.eager.set(h);
                link.mark(h);
            }
        }
        link.flush_by(now);
    }

    /// Whether a member's latest row is one that peers can use.
    pub(super) fn is_fresh(&self, m: &Member, now: Instant) -> bool {
        m.version != Version::NONE && m.version.age(self.clock.at(now)) < 3 * self.member_period(m)
    }

    pub(super) fn read_hash(&mut self, now: Instant, l: usize, mut r: Reader<'_>) -> Result<(), Malformed> {
        let theirs = r.u64()?;
        if !r.is_empty() {
            self.note_pace(l, [r.u8()?, r.u8()?]);
        }
        if !self.link(l).is_border() && (theirs == self.set_hash.0 || theirs == self.set_hash.1) {
            self.zones.settle(self.is_partial());
        }
        // while zones tell of some nodes only, what the two know differs
        let equal = theirs == self.fingerprint() || (self.link(l).is_border() && self.is_partial());
        let refusing = self.refused.values().any(|at| now - *at < c::REFUSED_FOR);
        let link = self.link(l);
        if equal {
            link.hash_differs = 0;
            return Ok(());
        }
        link.hash_differs = link.hash_differs.saturating_add(1);
        // with refused nodes about, the fingerprints never agree
        let patience = if refusing { PATIENCE * 15 } else { PATIENCE };
        if link.hash_differs >= patience {
            link.hash_differs = 0;
            self.query(now, l, 0, 0);
        }
        Ok(())
    }

    /// Puts a member's fingerprint into those of the sets it belongs to, or takes it out.
    pub(super) fn toggle(&mut self, z: ZoneIndex, fingerprint: u64) {
        self.set_hash.0 ^= fingerprint;
        if z == HERE {
            self.set_hash.1 ^= fingerprint;
        }
    }

    /// The fingerprint of what neighbours should agree on. While zones tell of some nodes only, these change, and neighbours would
    /// teach each other those that they are about to forget.
    pub(super) fn fingerprint(&self) -> u64 {
        if self.is_partial() { self.set_hash.1 } else { self.set_hash.0 }
    }

    /// Members that are up whose hashed nid begins with `prefix` (4 bits a level).
    fn in_range(&self, depth: u8, prefix: u32) -> impl Iterator<Item = (Handle, &Member)> {
        let partial = self.is_partial();
        self.members.iter().filter(move |(_, m)| {
            m.is_up() && (!partial || m.zone == HERE) && !m.record().listen_only && (depth == 0 || digits(m.nid, depth) == prefix)
        })
    }

    fn fingerprints(&self, depth: u8, prefix: u32) -> [u32; WAYS] {
        let mut sums = [0; WAYS];
        for (_, m) in self.in_range(depth, prefix) {
            sums[(digits(m.nid, depth + 1) & 15) as usize] ^= m.fingerprint() as u32;
        }
        sums
    }

    fn query(&mut self, now: Instant, l: usize, depth: u8, prefix: u32) {
        let mut body = vec![depth];
        body.extend_from_slice(&prefix.to_le_bytes());
        for f in self.fingerprints(depth, prefix) {
            body.extend_from_slice(&f.to_le_bytes());
        }
        self.tell_once(now, l, section::SET_QUERY, body);
    }

    fn tell_once(&mut self, now: Instant, l: usize, kind: u8, body: Vec<u8>) {
        let link = self.link(l);
        // one exchange at a time is plenty; the next fingerprint starts another
        if link.once.len() < 64 {
            link.once.push((kind, body));
            link.flush_by(now + c::HOLD_URGENT);
        }
    }

    pub(super) fn read_set_query(&mut self, now: Instant, l: usize, mut r: Reader<'_>) -> Result<(), Malformed> {
        let (depth, prefix) = range(&mut r)?;
        let mine = self.fingerprints(depth, prefix);
        for (i, my) in mine.iter().enumerate() {
            if r.u32()? == *my {
                continue;
            }
            let (depth, prefix) = (depth + 1, prefix << 4 | i as u32);
            if depth >= DEPTH_MAX || self.in_range(depth, prefix).count() <= LIST_MAX {
                self.list(now, l, depth, prefix);
            } else {
                self.query(now, l, depth, prefix);
            }
        }
        Ok(())
    }

    fn list(&mut self, now: Instant, l: usize, depth: u8, prefix: u32) {
        let mut body = vec![depth];
        body.extend_from_slice(&prefix.to_le_bytes());
        for (_, m) in self.in_range(depth, prefix).take(LIST_MAX) {
            body.extend_from_slice(&m.nid.to_le_bytes());
            body.extend_from_slice(&m.record().incarnation.0.to_le_bytes());
            body.extend_from_slice(&m.record().sequence.0.to_le_bytes());
        }
        self.tell_once(now, l, section::SET_LIST, body);
    }

    /// The peer lists what it has in a range: send it what it lacks, ask for what this node lacks.
    pub(super) fn read_set_list(&mut self, now: Instant, l: usize, mut r: Reader<'_>) -> Result<(), Malformed> {
        let (depth, prefix) = range(&mut r)?;
        let mut want = Vec::new();
        let mut listed = Vec::new();
        while !r.is_empty() {
            let nid = r.u64()?;
            let rank = (Incarnation(r.u32()?), Sequence(r.u32()?));
            listed.push(nid);
            let Some(h) = self.members.handle(nid) else {
                if self.is_refused(nid, now) {
                    continue;
                }
                want.extend_from_slice(&nid.to_le_bytes());
                continue;
            };
            let (mine, up, version) = {
                let m = self.members.at(h);
                (m.record().rank(), m.is_up(), m.version)
            };
            if mine > rank {
                self.link(l).mark_record(h);
            } else if mine < rank {
                want.extend_from_slice(&nid.to_le_bytes());
            } else if !up && h != super::members::ME {
                // it is up there and down here: its rows decide
                self.link(l).grafts.push((h, version));
            }
        }
        let lacking: Vec<Handle> =
            self.in_range(depth, prefix).filter(|(_, m)| !listed.contains(&m.nid)).map(|(h, _)| h).collect();
        for h in lacking.into_iter().take(LIST_MAX) {
            let link = self.link(l);
            link.mark_record(h);
            link.eager.set(h);
            link.mark(h);
        }
        if !want.is_empty() {
            self.tell_once(now, l, section::WANT, want);
        }
        self.link(l).flush_by(now + c::HOLD_URGENT);
        Ok(())
    }

    pub(super) fn read_want(&mut self, now: Instant, l: usize, mut r: Reader<'_>) -> Result<(), Malformed> {
        while !r.is_empty() {
            if let Some(h) = self.members.handle(r.u64()?)
                && self.links[l].as_ref().is_some_and(|link| self.is_tellable(link, h))
                && self.is_current(self.members.at(h), now)
            {
                let link = self.link(l);
                link.mark_record(h);
                link.eager.set(h);
                link.mark(h);
                link.flush_by(now + c::HOLD_URGENT);
            }
        }
        Ok(())
    }
}

/// The first `depth` hexadecimal digits of a member's place.
fn digits(nid: u64, depth: u8) -> u32 {
    (mix(nid) >> (64 - 4 * u32::from(depth))) as u32
}

fn range(r: &mut Reader<'_>) -> Result<(u8, u32), Malformed> {
    let (depth, prefix) = (r.u8()?, r.u32()?);
    if depth > DEPTH_MAX || (depth == 0 && prefix != 0) {
        return Err(Malformed("a range too deep"));
    }
    Ok((depth, prefix))
}

//! The table: one slot a node, by handle. Handle 0 is this node itself.

use super::zones::ZoneIndex;
use crate::rng::mix;
use crate::time::Version;
use crate::wire::packet::Alarm;
use crate::wire::rows::Row;
use peermon_model::quantity::ABSENT;
use peermon_model::vitals::SLOTS;
use peermon_model::{Instant, MemberState, Record, ZoneSummary};
use peermon_trust::Half;
use std::sync::Arc;

/// A node's place in this table; other nodes have other numbers for it.
pub(crate) type Handle = u16;
/// This node.
pub(crate) const ME: Handle = 0;
/// No link is the parent.
pub(crate) const NO_LINK: u8 = 255;

/// Who accuses a member, by phase.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accusation {
    /// The latest time it is accused for.
    pub(crate) at: Version,
    pub(crate) silent: Vec<u32>,
    pub(crate) dead: Vec<u32>,
}

/// Which fields changed lately, so that a peer is told only what it lacks.
///
/// A handful of rows back is enough: a peer that is further behind gets the row whole. Four entries instead of a version for
/// each of the 27 fields keep a member small: 10,000 simulated nodes hold 10^8 of them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Changes {
    /// All that changed after this version is in `recent`.
    from: Version,
    /// (version, fields), oldest first.
    recent: [(Version, u32); 4],
    len: u8,
}

impl Changes {
    /// The row of this version is new in every field: whoever has an older one gets it whole.
    pub(crate) fn restart(&mut self, version: Version) {
        *self = Changes { from: version, ..Changes::default() };
    }

    /// These fields differ from the version before.
    pub(crate) fn note(&mut self, version: Version, fields: u32) {
        if fields == 0 {
            return;
        }
        if self.len as usize == self.recent.len() {
            self.from = self.recent[0].0;
            self.recent.rotate_left(1);
            self.len -= 1;
        }
        self.recent[self.len as usize] = (version, fields);
        self.len += 1;
    }

    /// Which fields a peer that has version `known` lacks; `None`: nobody can say, so all.
    pub(crate) fn since(&self, known: Version) -> Option<u32> {
        if known == Version::NONE || self.from == Version::NONE || self.from.newer_than(known) {
            return None;
        }
        let recent = &self.recent[..self.len as usize];
        Some(recent.iter().filter(|(v, _)| v.newer_than(known)).fold(0, |mask, (_, fields)| mask | fields))
    }
}

/// A record and the bytes its node signed, shared by whoever holds it.
#[derive(Debug)]
pub struct Published {
    /// What it says.
    pub record: Arc<Record>,
    /// The bytes its node signed, signature included.
    pub signed: Box<[u8]>,
}

#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) nid: u64,
    pub(crate) published: Arc<Published>,
    /// Since when it is in its state.
    pub(crate) since: Instant,
    /// When its last row, or its record, came.
    pub(crate) heard: Instant,
    /// When to try to reach it, while it is down.
    pub(crate) heal_at: Instant,
    /// Packet counters below this have been heard on a link that is gone.
    pub(crate) heard_counter: u64,
    accused: Option<Box<Accusation>>,
    /// What it says of its whole zone, since which row.
    pub(crate) summary: Option<Box<(Version, ZoneSummary)>>,
    pub(crate) zone: ZoneIndex,
    pub(crate) version: Version,
    pub(crate) changes: Changes,
    /// Rows at or before this version do not revive it.
    pub(crate) down_at: Version,
    pub(crate) codes: [u8; SLOTS],
    pub(crate) state: MemberState,
    /// Whether this node sees it as viable, if it knows.
    pub(crate) seen_viable: Option<bool>,
    /// The link its rows come from.
    pub(crate) parent: u8,
}

impl Member {
    pub(crate) fn new(published: Arc<Published>, zone: ZoneIndex, state: MemberState, now: Instant) -> Self {
        Member {
            nid: published.record.id.nid(),
            published,
            state,
            since: now,
            heard: now,
            version: Version::NONE,
            codes: [ABSENT; SLOTS],
            changes: Changes::default(),
            parent: NO_LINK,
            seen_viable: None,
            down_at: Version::NONE,
            heard_counter: 0,
            accused: None,
            summary: None,
            zone,
            heal_at: now,
        }
    }

    pub(crate) fn record(&self) -> &Record {
        &self.published.record
    }

    /// Alive or suspect: it is in the rings, and its rows travel.
    pub(crate) fn is_up(&self) -> bool {
        matches!(self.state, MemberState::Alive | MemberState::Suspect)
    }

    pub(crate) fn half(&self) -> Half {
        Half { id: self.record().id, salt: self.record().salt }
    }

    /// The number others know its packets by.
    pub(crate) fn tag(&self) -> u32 {
        tag(&self.record().salt)
    }

    /// All that was held of the life before ends with it. Its versions may have been those of another cluster's clock, so that
    /// they say nothing about rows of this one.
    pub(crate) fn begin_life(&mut self) {
        self.version = Version::NONE;
        self.codes = [ABSENT; SLOTS];
        self.changes = Changes::default();
        self.down_at = Version::NONE;
        self.summary = None;
        self.heard_counter = 0;
        self.acquit();
    }

    /// The fields that are present.
    pub(crate) fn present(&self) -> u32 {
        (0..SLOTS).filter(|i| self.codes[*i] != ABSENT).fold(0, |m, i| m | 1 << i)
    }

    /// Takes a newer row, whole or what has changed.
    pub(crate) fn take(&mut self, row: &Row) {
        if row.full {
            self.codes = [ABSENT; SLOTS];
            self.changes.restart(row.version);
        } else {
            self.changes.note(row.version, row.mask);
        }
        let mut mask = row.mask;
        while mask != 0 {
            let i = mask.trailing_zeros() as usize;
            self.codes[i] = row.codes[i];
            mask &= mask - 1;
        }
        self.version = row.version;
    }

    /// This member's part in the fingerprint of the set of records.
    pub(crate) fn fingerprint(&self) -> u64 {
        let r = self.record();
        mix(self.nid ^ mix(u64::from(r.incarnation.0) << 32 | u64::from(r.sequence.0)))
    }

    /// Adds an accuser; the number of accusers of that phase if it is a new one.
    pub(crate) fn accuse(&mut self, alarm: &Alarm) -> Option<usize> {
        let accused = self.accused.get_or_insert_default();
        if accused.at == Version::NONE || alarm.at.newer_than(accused.at) {
            accused.at = alarm.at;
        }
        let list = if alarm.phase == 1 { &mut accused.silent } else { &mut accused.dead };
        // more than a handful of accusers tell nothing new
        if list.contains(&alarm.by) || list.len() >= 8 {
            return None;
        }
        list.push(alarm.by);
        Some(list.len())
    }

    /// Whether a row of this version refutes all that it is accused of.
    pub(crate) fn refutes(&self, version: Version) -> bool {
        self.accused.as_ref().is_none_or(|a| version.newer_than(a.at))
    }

    /// Nobody accuses it any more.
    pub(crate) fn acquit(&mut self) {
        self.accused = None;
    }
}

pub(crate) fn tag(salt: &[u8; 16]) -> u32 {
    u32::from_le_bytes([salt[0], salt[1], salt[2], salt[3]])
}

/// Handles in order of a key; keys may repeat. Two plain arrays: ten bytes an entry, where a tree takes some thirty.
#[derive(Debug, Default)]
struct Index<K> {
    keys: Vec<K>,
    handles: Vec<Handle>,
}

impl<K: Ord + Copy> Index<K> {
    fn of(&self, key: K) -> &[Handle] {
        let from = self.keys.partition_point(|k| *k < key);
        let n = self.keys[from..].iter().take_while(|k| **k == key).count();
        &self.handles[from..from + n]
    }

    fn insert(&mut self, key: K, h: Handle) {
        let at = self.keys.partition_point(|k| *k <= key);
        self.keys.insert(at, key);
        self.handles.insert(at, h);
    }

    fn remove(&mut self, key: K, h: Handle) {
        let from = self.keys.partition_point(|k| *k < key);
        let at = (from..self.keys.len()).take_while(|i| self.keys[*i] == key).find(|i| self.handles[*i] == h);
        if let Some(at) = at {
            self.keys.remove(at);
            self.handles.remove(at);
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Members {
    slots: Vec<Option<Member>>,
    free: Vec<Handle>,
    by_nid: Index<u64>,
    by_tag: Index<u32>,
}

impl Members {
    /// Nodes in the table, this one among them.
    pub(crate) fn len(&self) -> usize {
        self.by_nid.keys.len()
    }

    pub(crate) fn handle(&self, nid: u64) -> Option<Handle> {
        self.by_nid.of(nid).first().copied()
    }

    /// All members in order of nid, those after this one first.
    pub(crate) fn after(&self, nid: u64) -> impl Iterator<Item = Handle> {
        let (before, after) = self.by_nid.handles.split_at(self.by_nid.keys.partition_point(|k| *k <= nid));
        after.iter().chain(before).copied()
    }

    pub(crate) fn get(&self, h: Handle) -> Option<&Member> {
        self.slots.get(h as usize)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, h: Handle) -> Option<&mut Member> {
        self.slots.get_mut(h as usize)?.as_mut()
    }

    /// The member of a handle that is known to be in use.
    pub(crate) fn at(&self, h: Handle) -> &Member {
        self.get(h).expect("the handle of a member")
    }

    /// As [`Self::at`], to change it.
    pub(crate) fn at_mut(&mut self, h: Handle) -> &mut Member {
        self.get_mut(h).expect("the handle of a member")
    }

    /// The members whose packets carry this tag; nearly always one at most.
    pub(crate) fn tagged(&self, tag: u32) -> &[Handle] {
        self.by_tag.of(tag)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Handle, &Member)> {
        self.slots.iter().enumerate().filter_map(|(i, m)| Some((i as Handle, m.as_ref()?)))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (Handle, &mut Member)> {
        self.slots.iter_mut().enumerate().filter_map(|(i, m)| Some((i as Handle, m.as_mut()?)))
    }

    pub(crate) fn insert(&mut self, member: Member) -> Handle {
        let h = self.free.pop().unwrap_or_else(|| {
            if self.slots.len() == self.slots.capacity() {
                // by a quarter rather than to double: the table is most of a node's memory
                self.slots.reserve_exact(self.slots.len() / 4 + 16);
            }
            self.slots.push(None);
            (self.slots.len() - 1) as Handle
        });
        self.by_nid.insert(member.nid, h);
        self.by_tag.insert(member.tag(), h);
        self.slots[h as usize] = Some(member);
        h
    }

    pub(crate) fn replace_record(&mut self, h: Handle, published: Arc<Published>) {
        self.untag(h);
        let m = self.at_mut(h);
        m.published = published;
        let tag = m.tag();
        self.by_tag.insert(tag, h);
    }

    pub(crate) fn remove(&mut self, h: Handle) {
        self.untag(h);
        if let Some(m) = self.slots[h as usize].take() {
            self.by_nid.remove(m.nid, h);
            self.free.push(h);
        }
    }

    fn untag(&mut self, h: Handle) {
        let tag = self.at(h).tag();
        self.by_tag.remove(tag, h);
    }
}

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
/// A handful of rows back is enough: a peer that is further behind gets the row whole. Four small entries instead of a version for
/// each of the 27 fields keep a member small: 10,000 simulated nodes hold 10^8 of them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Changes {
    /// All that changed after this version is in `fields`.
    from: Version,
    /// Oldest first; none where no field changed.
    fields: [u32; 4],
    /// When, in ticks after `from`.
    ticks: [u16; 4],
}

impl Changes {
    /// The row of this version is new in every field: whoever has an older one gets it whole.
    pub(crate) fn restart(&mut self, version: Version) {
        *self = Changes { from: version, ..Changes::default() };
    }

    fn len(&self) -> usize {
        self.fields.iter().take_while(|f| **f != 0).count()
    }

    /// These fields differ from the version before.
    pub(crate) fn note(&mut self, version: Version, fields: u32) {
        if fields == 0 {
            return;
        }
        if self.from == Version::NONE {
            return self.restart(version);
        }
        if self.len() == self.fields.len() {
            self.advance(u32::from(self.ticks[0]));
        }
        let since = u32::try_from(version.ticks_since(self.from)).unwrap_or(0);
        self.advance(since.saturating_sub(u32::from(u16::MAX)));
        let n = self.len();
        self.fields[n] = fields;
        self.ticks[n] = version.ticks_since(self.from).clamp(0, i32::from(u16::MAX)) as u16;
    }

    /// Forgets what changed in so many ticks after `from`.
    fn advance(&mut self, by: u32) {
        if by == 0 {
            return;
        }
        let (old, n) = (*self, self.len());
        self.restart(old.from.later(by));
        let kept = (0..n).filter(|i| u32::from(old.ticks[*i]) > by);
        for (to, i) in kept.enumerate() {
            self.fields[to] = old.fields[i];
            self.ticks[to] = (u32::from(old.ticks[i]) - by) as u16;
        }
    }

    /// Which fields a peer that has version `known` lacks; `None`: nobody can say, so all.
    pub(crate) fn since(&self, known: Version) -> Option<u32> {
        if known == Version::NONE || self.from == Version::NONE || self.from.newer_than(known) {
            return None;
        }
        let known = known.ticks_since(self.from);
        let newer = self.fields.iter().zip(self.ticks).filter(|(_, t)| i32::from(*t) > known);
        Some(newer.fold(0, |mask, (fields, _)| mask | fields))
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

/// What only a few members have.
#[derive(Clone, Debug)]
pub(crate) struct Rare {
    /// When to try to reach it, while it is down.
    pub(crate) heal_at: Instant,
    /// Rows at or before this version do not revive it.
    pub(crate) down_at: Version,
    /// Packet counters below this have been heard on a link that is gone.
    pub(crate) heard_counter: u64,
    accused: Option<Accusation>,
    /// What it says of its whole zone, since which row.
    pub(crate) summary: Option<(Version, ZoneSummary)>,
}

/// Of all the others.
static NOTHING_RARE: Rare =
    Rare { heal_at: Instant::ZERO, down_at: Version::NONE, heard_counter: 0, accused: None, summary: None };

#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) nid: u64,
    pub(crate) published: Arc<Published>,
    /// Since when it is in its state.
    pub(crate) since: Instant,
    /// When its last row, or its record, came.
    pub(crate) heard: Instant,
    rare: Option<Box<Rare>>,
    pub(crate) zone: ZoneIndex,
    pub(crate) version: Version,
    pub(crate) changes: Changes,
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
            rare: None,
            zone,
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
        self.rare = None;
    }

    pub(crate) fn rare(&self) -> &Rare {
        self.rare.as_deref().unwrap_or(&NOTHING_RARE)
    }

    pub(crate) fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_with(|| Box::new(NOTHING_RARE.clone()))
    }

    /// It is no longer known as down since some version, or accused.
    pub(crate) fn forgive(&mut self) {
        if let Some(rare) = &mut self.rare {
            rare.down_at = Version::NONE;
        }
        self.acquit();
    }

    pub(crate) fn forget_summary(&mut self) {
        if let Some(rare) = &mut self.rare {
            rare.summary = None;
        }
    }

    /// It has to be tried again later, while it is down.
    pub(crate) fn heal_at(&mut self, at: Instant) {
        self.rare_mut().heal_at = at;
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
        let accused = self.rare_mut().accused.get_or_insert_default();
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
        self.rare().accused.as_ref().is_none_or(|a| version.newer_than(a.at))
    }

    /// Whether anybody but this one accuses it.
    pub(crate) fn is_accused_beside(&self, by: u32) -> bool {
        self.rare().accused.as_ref().is_some_and(|a| a.silent.iter().chain(&a.dead).any(|x| *x != by))
    }

    /// Nobody accuses it any more.
    pub(crate) fn acquit(&mut self) {
        if let Some(rare) = &mut self.rare {
            rare.accused = None;
        }
    }
}

pub(crate) fn tag(salt: &[u8; 16]) -> u32 {
    u32::from_le_bytes([salt[0], salt[1], salt[2], salt[3]])
}

/// Makes room for some more entries of a list as long as the table: such lists are most of a node's memory, so they grow by a
/// sixteenth rather than to double.
pub(crate) fn make_room<T>(list: &mut Vec<T>, more: usize) {
    if list.capacity() - list.len() < more {
        list.reserve_exact(more.max(list.len() / 16 + 16));
    }
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
        make_room(&mut self.keys, 1);
        make_room(&mut self.handles, 1);
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
            make_room(&mut self.slots, 1);
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_member_is_small() {
        assert!(size_of::<Option<Member>>() <= 104, "{}: 10,000 simulated nodes hold 10^8 of them", size_of::<Option<Member>>());
    }

    proptest! {
        /// What a peer lacks is what changed after its version, or everything.
        #[test]
        fn what_changed_is_known(rows in prop::collection::vec((1u32..200_000, 0u32..8), 1..40), behind in 0usize..10) {
            let mut changes = Changes::default();
            let mut at = Version(7);
            changes.restart(at);
            let mut told = vec![(at, 0)];
            for (ticks, fields) in rows {
                at = at.later(ticks >> (ticks % 18));
                prop_assume!(at != told.last().expect("one").0);
                changes.note(at, fields);
                told.push((at, fields));
            }
            let k = told.len().saturating_sub(1 + behind);
            let lacks = told[k + 1..].iter().fold(0, |mask, t| mask | t.1);
            let changed = told[k + 1..].iter().filter(|t| t.1 != 0).count();
            match changes.since(told[k].0) {
                Some(mask) => prop_assert_eq!(mask, lacks),
                None => {
                    let long_ago = at.ticks_since(told[k].0) > i32::from(u16::MAX);
                    prop_assert!(changed > 4 || long_ago, "{changed} changes are remembered");
                }
            }
        }
    }
}

//! The table: one slot a node, by handle. Handle 0 is this node itself.

use crate::rng::mix;
use crate::time::Version;
use crate::wire::packet::Alarm;
use peermon_model::quantity::ABSENT;
use peermon_model::vitals::SLOTS;
use peermon_model::{Instant, MemberState, Record};
use peermon_trust::Half;
use std::collections::BTreeMap;
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

#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) nid: u64,
    pub(crate) record: Arc<Record>,
    /// The record's bytes as its node signed them.
    pub(crate) signed: Arc<[u8]>,
    pub(crate) state: MemberState,
    /// Since when it is in its state.
    pub(crate) since: Instant,
    /// When its last row, or its record, came.
    pub(crate) heard: Instant,
    pub(crate) version: Version,
    pub(crate) codes: [u8; SLOTS],
    /// At which version each field last changed, at the latest.
    pub(crate) changed: [Version; SLOTS],
    /// The link its rows come from.
    pub(crate) parent: u8,
    /// Rows at or before this version do not revive it.
    pub(crate) down_at: Version,
    /// Packet counters below this have been heard on a link that is gone.
    pub(crate) heard_counter: u64,
    pub(crate) accused: Accusation,
    /// When to try to reach it, while it is down.
    pub(crate) heal_at: Instant,
}

impl Member {
    pub(crate) fn new(record: Arc<Record>, signed: Arc<[u8]>, state: MemberState, now: Instant) -> Self {
        Member {
            nid: record.id.nid(),
            record,
            signed,
            state,
            since: now,
            heard: now,
            version: Version::NONE,
            codes: [ABSENT; SLOTS],
            changed: [Version::NONE; SLOTS],
            parent: NO_LINK,
            down_at: Version::NONE,
            heard_counter: 0,
            accused: Accusation::default(),
            heal_at: now,
        }
    }

    /// Alive or suspect: it is in the rings, and its rows travel.
    pub(crate) fn is_up(&self) -> bool {
        matches!(self.state, MemberState::Alive | MemberState::Suspect)
    }

    pub(crate) fn half(&self) -> Half {
        Half { id: self.record.id, salt: self.record.salt }
    }

    /// The number others know its packets by.
    pub(crate) fn tag(&self) -> u32 {
        tag(&self.record.salt)
    }

    /// Which fields a peer that has version `known` lacks.
    pub(crate) fn mask_since(&self, known: Version) -> u32 {
        let lacks = |i: usize| {
            if known == Version::NONE {
                self.codes[i] != ABSENT
            } else {
                self.changed[i] != Version::NONE && self.changed[i].newer_than(known)
            }
        };
        (0..SLOTS).filter(|i| lacks(*i)).fold(0, |m, i| m | 1 << i)
    }

    /// This member's part in the fingerprint of the set of records.
    pub(crate) fn fingerprint(&self) -> u64 {
        mix(self.nid ^ mix(u64::from(self.record.incarnation.0) << 32 | u64::from(self.record.sequence.0)))
    }

    /// Adds an accuser; the number of accusers of that phase if it is a new one.
    pub(crate) fn accuse(&mut self, alarm: &Alarm) -> Option<usize> {
        if self.accused.at == Version::NONE || alarm.at.newer_than(self.accused.at) {
            self.accused.at = alarm.at;
        }
        let list = if alarm.phase == 1 { &mut self.accused.silent } else { &mut self.accused.dead };
        // more than a handful of accusers tell nothing new
        if list.contains(&alarm.by) || list.len() >= 8 {
            return None;
        }
        list.push(alarm.by);
        Some(list.len())
    }
}

pub(crate) fn tag(salt: &[u8; 16]) -> u32 {
    u32::from_le_bytes([salt[0], salt[1], salt[2], salt[3]])
}

#[derive(Debug, Default)]
pub(crate) struct Members {
    slots: Vec<Option<Member>>,
    free: Vec<Handle>,
    by_nid: BTreeMap<u64, Handle>,
    by_tag: BTreeMap<u32, Vec<Handle>>,
}

impl Members {
    /// Nodes in the table, this one among them.
    pub(crate) fn len(&self) -> usize {
        self.by_nid.len()
    }

    pub(crate) fn handle(&self, nid: u64) -> Option<Handle> {
        self.by_nid.get(&nid).copied()
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
        self.by_tag.get(&tag).map_or(&[], |v| v)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Handle, &Member)> {
        self.slots.iter().enumerate().filter_map(|(i, m)| Some((i as Handle, m.as_ref()?)))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (Handle, &mut Member)> {
        self.slots.iter_mut().enumerate().filter_map(|(i, m)| Some((i as Handle, m.as_mut()?)))
    }

    pub(crate) fn insert(&mut self, member: Member) -> Handle {
        let h = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            (self.slots.len() - 1) as Handle
        });
        self.by_nid.insert(member.nid, h);
        self.by_tag.entry(member.tag()).or_default().push(h);
        self.slots[h as usize] = Some(member);
        h
    }

    pub(crate) fn replace_record(&mut self, h: Handle, record: Arc<Record>, signed: Arc<[u8]>) {
        self.untag(h);
        let m = self.at_mut(h);
        m.record = record;
        m.signed = signed;
        let tag = m.tag();
        self.by_tag.entry(tag).or_default().push(h);
    }

    pub(crate) fn remove(&mut self, h: Handle) {
        self.untag(h);
        if let Some(m) = self.slots[h as usize].take() {
            self.by_nid.remove(&m.nid);
            self.free.push(h);
        }
    }

    fn untag(&mut self, h: Handle) {
        let tag = self.at(h).tag();
        if let Some(list) = self.by_tag.get_mut(&tag) {
            list.retain(|x| *x != h);
            if list.is_empty() {
                self.by_tag.remove(&tag);
            }
        }
    }
}

//! Rows and their trees: each origin's rows travel down a tree that its receivers learn by keeping the link that was first
//! and pruning the others (Plumtree, Leitão et al. 2007, with one tree an origin).

use super::link::Meaning;
use super::members::{Handle, ME, NO_LINK};
use super::zones::{HERE, ZoneIndex};
use super::{Engine, Version, c};
use crate::wire::packet::Gaps;
use crate::wire::rows::Row;
use crate::wire::{Malformed, Reader};
use peermon_model::{Instant, MemberState};
use std::time::Duration;

/// A row that is to be passed on.
#[derive(Debug)]
pub(super) struct News {
    o: Handle,
    version: Version,
    zone: ZoneIndex,
    /// Other zones may know of its origin.
    exported: bool,
    /// And it is of a wave that passes into them.
    passes: bool,
    explores: bool,
}

impl Engine {
    /// Takes the rows of one packet; true if there was news among them. `explores`: by the peer's handle, whose rows go to
    /// everybody, so that their trees are learned anew.
    pub(super) fn receive_rows(
        &mut self,
        now: Instant,
        l: usize,
        rows: impl Iterator<Item = Result<Row, Malformed>>,
        explores: &[u16],
    ) -> Result<bool, Malformed> {
        let mut news = std::mem::take(&mut self.news);
        news.clear();
        let mut result = Ok(());
        for row in rows {
            match row {
                Ok(row) => {
                    if let Some((o, version)) = self.receive_row(now, l, &row) {
                        let m = self.members.at(o);
                        let exported = self.zones.is_exported(m.zone, o);
                        let passes = exported && self.passes(m, o, version);
                        news.push(News { o, version, zone: m.zone, exported, passes, explores: explores.contains(&row.handle) });
                    }
                }
                Err(e) => {
                    result = Err(e);
                    break;
                }
            }
        }
        // link by link rather than row by row: what a link knows of its peer stays in the processor's cache
        for (i, link) in self.links.iter_mut().enumerate() {
            let Some(link) = link else { continue };
            if i == l {
                continue;
            }
            let floods = link.carries_rows();
            for &News { o, version, zone, exported, passes, explores } in &news {
                let wanted = link.eager.get(o) || (explores && floods);
                if !wanted {
                    continue;
                }
                let known = link.known(o);
                // into another zone only what it should know, as often as it should, and nothing of its own
                let crosses = !link.is_border()
                    || if zone == link.zone { link.is_passing() } else { exported && (passes || known == Version::NONE) };
                // an origin need not be told its own row
                if crosses && link.member != Some(o) && version.newer_than(known) {
                    if explores && floods {
                        link.eager.set(o);
                        link.explore.set(o);
                    }
                    link.mark(o);
                }
            }
        }
        let any = !news.is_empty();
        self.news = news;
        result.map(|()| any)
    }

    /// Takes a row from a link; whose and which it is, if it is to be passed on.
    fn receive_row(&mut self, now: Instant, l: usize, row: &Row) -> Option<(Handle, Version)> {
        self.counters.rows_received += 1;
        let o = match self.link(l).meaning(row.handle) {
            Meaning::Member(ME) => return None,
            Meaning::Member(o) if !self.link(l).lacks_base(row.handle, row.full) => o,
            Meaning::Awaited(nid, _) if self.is_refused(nid, now) => {
                self.link(l).note_lost_row(row.handle);
                return None;
            }
            Meaning::Member(_) | Meaning::Unknown | Meaning::Awaited(..) => {
                self.link(l).lose_row(row.handle, now);
                return None;
            }
        };
        let v = row.version;
        let clock = self.clock.at(now);
        if v.ticks_since(clock.version()) > c::FUTURE_TICKS {
            self.counters.dropped_future += 1;
            self.link(l).lose_row(row.handle, now);
            return None;
        }
        let m = self.members.at(o);
        if m.version != Version::NONE && !v.newer_than(m.version) {
            self.duplicate_row(l, o, v);
            return None;
        }
        if m.version == Version::NONE && !row.full {
            self.counters.dropped_baseless += 1;
            self.link(l).note_lost_row(row.handle);
            self.link(l).grafts.push((o, Version::NONE));
            self.link(l).flush_by(now + c::HOLD_URGENT);
            return None;
        }
        let outdated = |since: Version| since != Version::NONE && !v.newer_than(since) && since.age(clock) < c::FORGOTTEN_COUNTS;
        if m.version == Version::NONE && outdated(self.forgotten) {
            // If it is one that was forgotten here, peers may still count on a later row that this node had of it, and build on that.
            self.counters.dropped_outdated += 1;
            self.link(l).note_known(o, v);
            return None;
        }
        if m.state == MemberState::Down && v.newer_than(m.rare().down_at) && v.age(clock) < 3 * self.member_period(m) {
            self.revive(now, o);
        }
        // an old row that comes late is little of a sign of life; but whose rows all come late is alive
        let mut late = if self.clock.is_locked() { v.age(clock) } else { Duration::ZERO };
        if late > c::HEARD_LATE * self.period() {
            late = late.min(c::HEARD_LATE * self.member_period(self.members.at(o)));
        }
        let m = self.members.at_mut(o);
        m.take(row);
        if !m.is_up() {
            // Kept, since the peer now counts on this node having it; but it proves nothing of the present.
            self.link(l).note_known(o, v);
            return None;
        }
        m.heard = m.heard.max(now.before(late));
        let zone = m.zone;
        if m.refutes(v) {
            m.acquit();
            if m.state == MemberState::Suspect {
                m.state = MemberState::Alive;
                m.since = now;
                self.member_event(o);
            }
            // it lived after it was accused: two waves without a word count from here
            if let Some(own) = self.link_of(o) {
                self.link(own).silent_waves = 0;
            }
        }
        self.counters.rows_new += 1;
        self.gaps.note_came(o, l);
        if zone == HERE {
            self.note_published(now, v);
        } else {
            self.note_zone_heard(now, zone, v);
        }
        self.set_parent(o, l as u8);
        let link = self.link(l);
        link.note_known(o, v);
        link.unmark(o);
        Some((o, v))
    }

    /// A row that this node has already: one of the two links is too much.
    fn duplicate_row(&mut self, l: usize, o: Handle, v: Version) {
        let (parent, same) = (self.members.at(o).parent, v == self.members.at(o).version);
        let from_origin = self.link(l).member == Some(o);
        self.link(l).note_known(o, v);
        if same {
            self.gaps.note_came(o, l);
        }
        if parent == l as u8 {
            if same {
                self.link(l).unmark(o);
            }
            return;
        }
        // what comes over a link that ends was asked for on this one
        let ends = |x: &super::Link| x.retiring != Instant::NEVER;
        if same && self.links.get(parent as usize).and_then(Option::as_ref).is_some_and(ends) {
            self.set_parent(o, l as u8);
            self.link(l).unmark(o);
            self.link(parent as usize).prunes.push(o);
            return;
        }
        // Balance: while the row is still held here, this link may become the parent if it carries less. Never one that
        // was sent this row already: it may prune us at the same moment.
        if same && !from_origin && self.may_switch(l, o, parent) {
            self.set_parent(o, l as u8);
            let link = self.link(l);
            link.unmark(o);
            link.eager.clear(o);
            let old = self.link(parent as usize);
            old.eager.clear(o);
            old.unmark(o);
            old.prunes.push(o);
            return;
        }
        let link = self.link(l);
        if from_origin {
            if same {
                link.unmark(o);
            }
            return;
        }
        if same {
            let (held, was_eager) = (link.is_marked(o), link.eager.clear(o));
            link.unmark(o);
            // if our copy is on its way to the peer, the peer prunes
            if was_eager && !held {
                return;
            }
        }
        link.prunes.push(o);
    }

    fn may_switch(&self, l: usize, o: Handle, parent: u8) -> bool {
        let Some(Some(old)) = self.links.get(parent as usize) else { return false };
        let Some(Some(new)) = self.links.get(l) else { return false };
        let held_elsewhere = || {
            let other = |i: usize| i != l && i != parent as usize;
            self.links.iter().enumerate().any(|(i, x)| other(i) && x.as_ref().is_some_and(|x| x.is_marked(o)))
        };
        old.member != Some(o) && self.children[l] + 1 < self.children[parent as usize] && new.is_marked(o) && held_elsewhere()
    }

    pub(super) fn set_parent(&mut self, o: Handle, l: u8) {
        let old = std::mem::replace(&mut self.members.at_mut(o).parent, l);
        if old != l {
            if old != NO_LINK {
                self.children[old as usize] = self.children[old as usize].saturating_sub(1);
            }
            if l != NO_LINK {
                self.children[l as usize] += 1;
            }
        }
    }

    pub(super) fn read_prunes(&mut self, now: Instant, l: usize, mut r: Reader<'_>) -> Result<(), Malformed> {
        let mut gaps = Gaps::default();
        while !r.is_empty() {
            let theirs = gaps.read(&mut r)?;
            let link = self.link(l);
            match link.meaning(theirs) {
                Meaning::Member(o) if o != ME || !(link.ring || link.peer_ring) => {
                    link.eager.clear(o);
                    link.unmark(o);
                }
                Meaning::Member(_) => {}
                // else the peer would prune in vain for ever
                Meaning::Unknown | Meaning::Awaited(..) => link.tell_unknown(theirs, now),
            }
        }
        Ok(())
    }

    pub(super) fn read_grafts(&mut self, now: Instant, l: usize, mut r: Reader<'_>) -> Result<(), Malformed> {
        let mut gaps = Gaps::default();
        while !r.is_empty() {
            let theirs = gaps.read(&mut r)?;
            let has = Version(r.u32()?);
            let Meaning::Member(o) = self.link(l).meaning(theirs) else {
                self.link(l).tell_unknown(theirs, now);
                continue;
            };
            let (version, up) = (self.members.at(o).version, self.members.at(o).is_up());
            let Some(link) = self.links[l].as_ref().filter(|link| self.is_tellable(link, o)) else { continue };
            let due = self.is_due(link, o, has, version);
            let link = self.link(l);
            link.eager.set(o);
            // the peer says what it has, so this replaces what was believed, and what is on its way does not count
            link.unacked.iter_mut().for_each(|s| s.rows.retain(|r| r.0 != o));
            link.put_known(o, has);
            if up && due && version != Version::NONE && (has == Version::NONE || version.newer_than(has)) {
                link.mark(o);
                link.flush_by(now + c::HOLD_URGENT);
            }
        }
        Ok(())
    }

    /// Asks `tries` links for an origin's rows, if possible not the one they should come from.
    pub(super) fn graft(&mut self, now: Instant, o: Handle, tries: usize) {
        let here = self.members.at(o).zone == HERE;
        let usable = |all: bool| -> Vec<usize> {
            let side = |x: &super::Link| !(here && x.is_border());
            let fits = |x: &super::Link| side(x) && if all { !x.listener } else { !x.is_stalled() && x.carries_rows() };
            self.link_indices().filter(|l| self.links[*l].as_ref().is_some_and(fits)).collect()
        };
        let mut links = usable(false);
        if links.is_empty() {
            links = usable(true);
        }
        if links.is_empty() {
            return;
        }
        let m = self.members.at(o);
        let (version, parent, zone) = (m.version, m.parent, m.zone);
        for _ in 0..tries {
            let mut l = links[self.rng.below(links.len())];
            // rather not whom they should come from, nor who wants them from here; a zone gets none of its own from here
            for _ in 0..links.len() {
                let link = self.link(l);
                if l != parent as usize && (!link.eager.get(o) || (zone != HERE && link.zone == zone)) {
                    break;
                }
                l = links[self.rng.below(links.len())];
            }
            self.counters.grafts += 1;
            self.gaps.note_asked(o, l);
            let link = self.link(l);
            if !link.grafts.iter().any(|g| g.0 == o) {
                link.grafts.push((o, version));
            }
            link.flush_by(now + c::HOLD_URGENT);
        }
    }

    /// A link is gone: origins that came over it are asked for on others.
    pub(super) fn adopt_orphans(&mut self, now: Instant, l: usize) {
        let orphans: Vec<Handle> = self.members.iter().filter(|(_, m)| m.parent == l as u8).map(|(h, _)| h).collect();
        for o in orphans {
            self.members.at_mut(o).parent = NO_LINK;
            if self.members.at(o).is_up() {
                self.graft(now, o, 2);
            }
        }
    }
}

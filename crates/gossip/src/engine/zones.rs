//! Zones: each gossips inside, and a few relays pass its rows on.
//!
//! Every member knows every other one of its own zone, and of the others what their relays pass on: all members up to
//! [`crate::Config::members_full`], beyond it the relays, the best nodes, and a summary. Relays are the members with the
//! lowest hashes; everybody computes them alone, so when one is down the next one takes over without a word. The zones form
//! rings as nodes do, and on each ring one relay of a zone has links to those of the zones beside it. Over these border
//! links only every so many waves' rows pass, and nothing goes back into the zone it came from.

use super::link::Link;
use super::members::{Handle, ME, Member};
use super::{Engine, Event, Version, c};
use crate::rng::mix;
use crate::time::ticks;
use crate::wire::packet::{Gaps, Kind, read_summary};
use crate::wire::{Malformed, Reader};
use peermon_model::limits::{RELAYS, ZONES_MAX};
use peermon_model::{Instant, MemberState, ZoneEntry, ZoneName, ZoneSummary};
use std::time::Duration;

/// A zone's place in this node's list of zones.
pub(crate) type ZoneIndex = u16;
/// This node's own zone.
pub(crate) const HERE: ZoneIndex = 0;

#[derive(Debug)]
pub(crate) struct Zone {
    name: ZoneName,
    /// Its place on the rings of zones.
    hash: u64,
    /// Members known that are up.
    up: usize,
    /// The members with the lowest hashes, in that order.
    relays: Vec<(u64, Handle)>,
    /// The newest row of any of its members, and when it came.
    newest: Version,
    heard: Instant,
    stale: bool,
    /// What it says of itself, and with which row it said so.
    summary: Option<(Version, ZoneSummary)>,
    /// When to try to reach it, while it is stale.
    heal_at: Instant,
    /// Rows that came from it lately, and since when they are counted.
    rows: u32,
    rows_since: Instant,
    /// Of so many waves, one came of each member, when it was last counted.
    waves: u32,
}

/// For so many waves at least the rows of a zone are counted, and rather too many waves are reckoned than too few: where the zones in between
/// pass now every wave and now every other, everybody would ask everybody for rows that nobody has.
const COUNTED: u32 = 4;
const ROUNDED: f64 = 0.85;
/// Shares of what other zones' rows may take, above which half as many pass and below which twice as many must stay to pass.
const THIN: f64 = 1.1;
const THICKEN: f64 = 0.9;

/// All zones, this node's first.
#[derive(Debug)]
pub(crate) struct Zones {
    list: Vec<Zone>,
    /// Of every so many waves one passes into another zone, for each node another one.
    thin: u32,
    thin_decided: bool,
    /// There are too many nodes in all to tell of each.
    partial: bool,
    /// What this node knows of its own zone is what a neighbour there knows, or time enough has passed for it. Who has joined with a part of
    /// it only cannot say whether there are too many to tell of each.
    settled: bool,
    born: Instant,
    /// If there are too many, and on relays: those of this zone that are told to others.
    exported: Option<Vec<Handle>>,
}

fn relay_rank(nid: u64) -> u64 {
    mix(nid ^ 0x7a6f_6e65)
}

impl Zone {
    fn new(name: ZoneName, now: Instant) -> Self {
        // any fixed hash of the name that all nodes compute alike
        let hash =
            name.as_str().bytes().fold(0xcbf2_9ce4_8422_2325, |h: u64, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
        Zone {
            name,
            hash,
            up: 0,
            relays: Vec::new(),
            newest: Version::NONE,
            heard: now,
            stale: false,
            summary: None,
            heal_at: now,
            rows: 0,
            rows_since: now,
            waves: 1,
        }
    }

    /// A row came: whether there were enough to see how many waves' rows pass the zones in between, which decide for themselves.
    fn count_row(&mut self, now: Instant, period: Duration) -> bool {
        self.rows += 1;
        now - self.rows_since >= period * COUNTED
            && (self.rows as usize >= self.up || now - self.rows_since >= period * c::THIN_MAX)
    }

    /// So many of its members were heard since rows are counted.
    fn reckon(&mut self, now: Instant, period: Duration, heard: usize) {
        let past = (now - self.rows_since).as_secs_f64() / period.as_secs_f64();
        let waves = past * heard as f64 / f64::from(self.rows);
        self.waves = 1 << ((waves.max(1.0).log2() + ROUNDED).floor() as u32).min(c::THIN_MAX.ilog2());
        (self.rows, self.rows_since) = (0, now);
    }

    fn take_in(&mut self, nid: u64, h: Handle) {
        let key = (relay_rank(nid), h);
        let at = self.relays.partition_point(|r| *r < key);
        if at < RELAYS {
            self.relays.insert(at, key);
            self.relays.truncate(RELAYS);
        }
    }

    /// Its relay on a ring; one node may serve several rings of a small zone.
    fn relay(&self, ring: usize) -> Option<Handle> {
        Some(self.relays.get(ring % self.relays.len().max(1))?.1)
    }

    fn size(&self) -> usize {
        self.up.max(self.summary.map_or(0, |s| s.1.up as usize))
    }
}

impl Zones {
    pub(super) fn new(own: ZoneName, now: Instant) -> Self {
        Zones {
            list: vec![Zone::new(own, now)],
            thin: 1,
            thin_decided: false,
            partial: false,
            settled: false,
            born: now,
            exported: None,
        }
    }

    /// The place of a zone, which is new if it was not known; `None` if there are too many.
    pub(super) fn index(&mut self, name: &ZoneName, now: Instant) -> Option<ZoneIndex> {
        let at = self.list.iter().position(|z| z.name == *name).or_else(|| {
            if self.list.len() >= ZONES_MAX {
                return None;
            }
            self.list.push(Zone::new(name.clone(), now));
            Some(self.list.len() - 1)
        })?;
        Some(at as ZoneIndex)
    }

    /// A member of a zone is up that was not.
    pub(super) fn insert(&mut self, z: ZoneIndex, nid: u64, h: Handle) {
        let zone = &mut self.list[z as usize];
        zone.up += 1;
        zone.take_in(nid, h);
    }

    /// A member is up no more; `up` are those of its zone that still are.
    pub(super) fn remove(&mut self, z: ZoneIndex, h: Handle, up: impl Iterator<Item = (u64, Handle)>) {
        let zone = &mut self.list[z as usize];
        zone.up = zone.up.saturating_sub(1);
        if zone.relays.iter().any(|r| r.1 == h) {
            zone.relays.clear();
            up.for_each(|(nid, h)| zone.take_in(nid, h));
        }
    }

    /// This node was stopped for so long, and could not hear them.
    pub(super) fn note_stall(&mut self, now: Instant, stopped: Duration) {
        for zone in &mut self.list {
            zone.heard = (zone.heard + stopped).min(now);
            (zone.rows, zone.rows_since) = (0, now);
        }
    }

    /// Members up in other zones.
    pub(super) fn remote(&self) -> usize {
        self.list[1..].iter().map(|z| z.up).sum()
    }

    /// A neighbour of this node's zone knows the same of it. Rows that come tell the other zones of whom they were not told until now.
    pub(super) fn settle(&mut self, partial: bool) {
        (self.settled, self.partial) = (true, partial);
    }

    pub(super) fn thin(&self) -> u32 {
        self.thin
    }

    pub(super) fn is_stale(&self, z: ZoneIndex) -> bool {
        self.list[z as usize].stale
    }

    /// Whether another zone is there, and not cut off.
    pub(super) fn is_heard(&self, z: ZoneIndex) -> bool {
        let zone = &self.list[z as usize];
        z != HERE && zone.up > 0 && !zone.stale
    }

    /// Whether only some nodes of each zone are told to the others.
    pub(super) fn is_partial(&self, most: usize) -> bool {
        self.list.len() > 1 && self.list.iter().map(Zone::size).sum::<usize>() > most
    }

    /// Whether this member is one of its zone's relays, and speaks for it.
    fn rank(&self, z: ZoneIndex, h: Handle) -> Option<usize> {
        self.list[z as usize].relays.iter().position(|r| r.1 == h)
    }

    /// Whether a member may be told to another zone at all.
    pub(super) fn is_exported(&self, z: ZoneIndex, h: Handle) -> bool {
        let told = |z: &Zones| match &z.exported {
            Some(those) => those.binary_search(&h).is_ok(),
            // whoever is no relay does not know which are the best, and may yet have let somebody of another zone in
            None => z.settled && !z.partial,
        };
        z != HERE || told(self) || self.rank(HERE, h).is_some()
    }

    /// The relays of other zones that this node has links with, if it is one itself.
    pub(super) fn borders(&self) -> Vec<Handle> {
        let mut found = Vec::new();
        let mut zones: Vec<&Zone> = self.list.iter().filter(|z| !z.relays.is_empty() && !z.stale).collect();
        if zones.len() < 2 || self.rank(HERE, ME).is_none() {
            return found;
        }
        let own = &self.list[HERE as usize];
        for ring in 0..RELAYS {
            if own.relay(ring) != Some(ME) {
                continue;
            }
            let place = |z: &Zone| mix(z.hash ^ mix(ring as u64 + 77));
            zones.sort_unstable_by_key(|z| (place(z), z.hash));
            let Some(at) = zones.iter().position(|z| z.name == own.name) else { return found };
            for z in [zones[(at + 1) % zones.len()], zones[(at + zones.len() - 1) % zones.len()]] {
                if let Some(h) = z.relay(ring)
                    && !found.contains(&h)
                {
                    found.push(h);
                }
            }
        }
        found
    }
}

/// Of how many waves one passes into other zones, if all of them would take so many bytes a second of so many: what was decided before holds as
/// long as it nearly fits.
fn thinned(before: Option<u32>, bytes: f64, most: f64) -> u32 {
    let fits = |thin: u32, share: f64| bytes / f64::from(thin) <= share * most;
    match before {
        None => (0..=c::THIN_MAX.ilog2()).map(|k| 1 << k).find(|thin| fits(*thin, 1.0)).unwrap_or(c::THIN_MAX),
        Some(thin) if !fits(thin, THIN) => (thin * 2).min(c::THIN_MAX),
        Some(thin) if thin > 1 && fits(thin / 2, THICKEN) => thin / 2,
        Some(thin) => thin,
    }
}

impl Engine {
    /// Whether there is any other zone.
    pub(super) fn has_zones(&self) -> bool {
        self.zones.list.len() > 1
    }

    /// What a zone's clock follows, which its peers' mean alone would move too little: whoever has three relays among hundreds of
    /// nodes does not notice them. Everybody follows the relays, by the links their rows come over, and relays lean towards
    /// the other zones'. Returns the mean of the ones' clocks minus this node's, and how far to lean.
    pub(super) fn lead(&self, recent: Instant) -> (Option<i64>, i64) {
        if !self.has_zones() {
            return (None, 0);
        }
        let mean = |offsets: Vec<i64>| (!offsets.is_empty()).then(|| offsets.iter().sum::<i64>() / offsets.len() as i64);
        let offset = |l: &Link| if l.last_heard >= recent { l.offset() } else { None };
        let relays = self.zones.list[HERE as usize].relays.iter().filter(|r| r.1 != ME);
        let parents = relays.map(|r| self.members.at(r.1).parent as usize);
        let inside = mean(parents.filter_map(|l| offset(self.links.get(l)?.as_ref()?)).collect());
        let borders = self.links.iter().flatten().filter(|l| l.is_border() && l.member.is_some() && self.is_relay());
        let across = mean(borders.filter_map(offset).collect());
        (inside, across.unwrap_or(0) / c::CLOCK_BORDER)
    }

    /// How often rows of a zone's members are expected here.
    pub(super) fn zone_period(&self, z: ZoneIndex) -> Duration {
        if z == HERE { self.period() } else { self.period() * self.zones.thin.max(self.zones.list[z as usize].waves) }
    }

    /// Whether a row of this version passes into other zones: of each node one of every so many waves, and always that of the
    /// node that speaks for its zone.
    pub(super) fn passes(&self, m: &Member, h: Handle, v: Version) -> bool {
        let thin = self.zones.thin;
        thin == 1 || self.zones.rank(m.zone, h) == Some(0) || self.waves_past(m.nid, v) == 0
    }

    /// Waves between the last one that passed into other zones and the one of this version.
    fn waves_past(&self, nid: u64, v: Version) -> u32 {
        let wave = v.0 / ticks(self.period()).max(1);
        (u64::from(wave).wrapping_add(mix(nid)) % u64::from(self.zones.thin)) as u32
    }

    /// Whether a peer that has a row of one version should get a newer one: over a border only if a wave has passed since.
    pub(super) fn is_due(&self, link: &Link, h: Handle, has: Version, v: Version) -> bool {
        if has == Version::NONE || !link.is_border() || self.zones.thin == 1 {
            return true;
        }
        let m = self.members.at(h);
        let since = self.waves_past(m.nid, v) * ticks(self.period());
        self.zones.rank(m.zone, h) == Some(0) || v.ticks_since(has) > since as i32
    }

    /// Whether a member is told over a link at all.
    pub(super) fn is_tellable(&self, link: &Link, h: Handle) -> bool {
        // who comes in through this node must know who it is
        if !link.is_border() || h == ME {
            return true;
        }
        let Some(m) = self.members.get(h) else { return false };
        // nothing goes back into the zone it came from, but who comes in through this one does not know its own yet
        if m.zone == link.zone { link.is_passing() } else { self.zones.is_exported(m.zone, h) }
    }

    /// Whether a peer that does not know a member should be told of it: not of one of another zone that this node itself hears no more of,
    /// while zones tell of some nodes only. Neighbours would teach each other for ever whom each of them forgets.
    pub(super) fn is_current(&self, m: &Member, now: Instant) -> bool {
        m.zone == HERE || !self.is_partial() || self.is_fresh(m, now)
    }

    /// A row of another zone came.
    pub(super) fn note_zone_heard(&mut self, now: Instant, z: ZoneIndex, v: Version) {
        let fresh = v.age(self.clock.at(now)) < 3 * self.zone_period(z) + Duration::from_secs(1);
        let period = self.period();
        let zone = &mut self.zones.list[z as usize];
        if !zone.stale && zone.count_row(now, period) {
            let since = zone.rows_since;
            let heard = self.members.iter().filter(|(_, m)| m.zone == z && m.is_up() && m.heard >= since).count();
            self.zones.list[z as usize].reckon(now, period, heard);
        }
        let zone = &mut self.zones.list[z as usize];
        if !v.newer_than(zone.newest) {
            return;
        }
        zone.newest = v;
        if fresh {
            zone.heard = now;
            if std::mem::take(&mut zone.stale) {
                (zone.rows, zone.rows_since) = (0, now);
                let name = zone.name.clone();
                self.events.push_back(Event::Zone { name, stale: false });
                self.recompute(now);
            }
        }
    }

    /// Notices zones that are cut off, and asks for them again.
    pub(super) fn tend_zones(&mut self, now: Instant) {
        if !self.has_zones() {
            return;
        }
        self.zones.partial = self.is_partial();
        self.zones.settled |= now - self.zones.born > c::SETTLED_AFTER;
        let is_relay = self.zones.rank(HERE, ME).is_some() && !self.config.listen_only;
        for z in 1..self.zones.list.len() {
            let patience = 3 * self.zone_period(z as ZoneIndex) + Duration::from_secs(1);
            let zone = &mut self.zones.list[z];
            if zone.up > 0 && !zone.stale && now - zone.heard > patience {
                zone.stale = true;
                zone.heal_at = now;
                let name = zone.name.clone();
                self.events.push_back(Event::Zone { name, stale: true });
                self.recompute(now);
            }
            if self.zones.list[z].stale && now - self.zones.list[z].heard > self.config.remove_after {
                self.forget_zone(now, z as ZoneIndex);
                continue;
            }
            if self.zones.list[z].stale {
                // perhaps it is only this node that hears nothing of it: its neighbours would not tell what they think it has
                self.graft_one_of(now, z as ZoneIndex);
            }
            if self.zones.list[z].stale && is_relay && self.zones.list[z].heal_at <= now {
                let away = now - self.zones.list[z].heard;
                self.zones.list[z].heal_at = now + (away / 4).clamp(c::HEAL_RETRY.0, c::HEAL_RETRY.1);
                self.ask_zone(now, z as ZoneIndex);
            }
        }
        // A relay that has just taken over may be unknown there, and of two that came in through other zones one to the other: it
        // introduces itself.
        for l in self.link_indices() {
            let link = self.link(l);
            if link.ring && !link.ever_heard && now - link.opened > c::INTRODUCED_AFTER {
                let to = link.addr;
                self.ask(now, to, true);
            } else if link.is_border() && link.ring && link.is_stalled() {
                // nobody accuses anybody over a border, so that nothing else would bring a link that stalled at both ends back
                self.counters.pings += 1;
                self.send_on(now, l, Kind::Ping, &[], &[]);
            }
        }
    }

    /// After so long nobody waits for it any more.
    fn forget_zone(&mut self, now: Instant, z: ZoneIndex) {
        let there: Vec<Handle> = self.members.iter().filter(|(_, m)| m.zone == z).map(|(h, _)| h).collect();
        for o in there {
            self.take_out(now, o, MemberState::Left);
            self.forget(now, o);
        }
        let zone = &mut self.zones.list[z as usize];
        (zone.stale, zone.summary, zone.newest, zone.heard) = (false, None, Version::NONE, now);
    }

    /// Asks for the row of some member of a zone.
    fn graft_one_of(&mut self, now: Instant, z: ZoneIndex) {
        let there: Vec<Handle> = self.members.iter().filter(|(_, m)| m.zone == z && m.is_up()).map(|(h, _)| h).collect();
        if !there.is_empty() {
            let o = there[self.rng.below(there.len())];
            self.graft(now, o, 2);
        }
    }

    fn ask_zone(&mut self, now: Instant, z: ZoneIndex) {
        let there: Vec<Handle> = self.members.iter().filter(|(_, m)| m.zone == z && m.is_up()).map(|(h, _)| h).collect();
        if there.is_empty() {
            return;
        }
        let h = there[self.rng.below(there.len())];
        let addresses: Vec<_> = self.members.at(h).record().addresses.iter().copied().filter(|a| self.is_usable(a)).collect();
        if !addresses.is_empty() {
            let to = addresses[self.rng.below(addresses.len())];
            self.ask(now, to, true);
        }
    }

    /// How many waves' rows pass into other zones follows from what a node may spend: half of it. All should come to one
    /// result, so nothing that a node measures by itself counts.
    pub(super) fn decide_thinning(&mut self, budget: Option<f64>) {
        let Some(budget) = budget else {
            self.zones.thin = 1;
            return;
        };
        let period = self.period().as_secs_f64();
        let unthinned = self.zones.remote() as f64 * c::ROW_BYTES / period;
        let before = self.zones.thin_decided.then_some(self.zones.thin);
        self.zones.thin = thinned(before, unthinned, budget / 2.0);
        self.zones.thin_decided = true;
    }

    /// Whether this node passes rows into other zones.
    pub fn is_relay(&self) -> bool {
        self.has_zones() && self.zones.rank(HERE, ME).is_some()
    }

    /// Whether other zones are to be told only some of this zone's nodes, which [`Engine::set_exports`] names.
    pub fn is_partial(&self) -> bool {
        self.zones.is_partial(self.config.members_full)
    }

    /// Which nodes of this zone are told to others, if not all.
    pub fn exports(&self) -> Option<Vec<peermon_model::NodeId>> {
        let handles = self.zones.exported.as_ref()?;
        Some(handles.iter().filter_map(|h| Some(self.members.get(*h)?.record().id)).collect())
    }

    /// Which nodes of this zone are told to others; the relays are in any case. `None`: all.
    pub fn set_exports(&mut self, now: Instant, ids: Option<&[peermon_model::NodeId]>) {
        let handles = ids.map(|ids| {
            let mut list: Vec<Handle> = ids.iter().filter_map(|id| self.members.handle(id.nid())).collect();
            list.sort_unstable();
            list
        });
        let old = std::mem::replace(&mut self.zones.exported, handles);
        let added: Vec<Handle> = match (&old, &self.zones.exported) {
            (Some(old), Some(new)) => new.iter().copied().filter(|h| old.binary_search(h).is_err()).collect(),
            (Some(_), None) => self.members.iter().filter(|(_, m)| m.zone == HERE && m.is_up()).map(|(h, _)| h).collect(),
            (None, _) => Vec::new(),
        };
        for link in self.links.iter_mut().flatten().filter(|l| l.is_border()) {
            for h in &added {
                link.mark_record(*h);
                link.eager.set(*h);
                link.mark(*h);
                link.flush_by(now + c::HOLD_URGENT);
            }
        }
    }

    /// Whether this node should say what its whole zone is like, with its next row.
    pub fn wants_summary(&self) -> bool {
        self.has_zones() && self.zones.rank(HERE, ME) == Some(0) && self.pace.is_summary_turn()
    }

    /// What the whole zone is like.
    pub fn set_summary(&mut self, summary: ZoneSummary) {
        self.own.summary = Some(summary);
    }

    /// Takes what a member says of its whole zone.
    pub(super) fn take_summary(&mut self, o: Handle, version: Version, summary: ZoneSummary) {
        let m = self.members.at_mut(o);
        if m.rare().summary.as_ref().is_some_and(|s| !version.newer_than(s.0)) {
            return;
        }
        m.rare_mut().summary = Some((version, summary));
        let zone = &mut self.zones.list[m.zone as usize];
        if zone.summary.is_none_or(|s| version.newer_than(s.0)) {
            zone.summary = Some((version, summary));
        }
    }

    pub(super) fn read_summaries(&mut self, now: Instant, l: usize, mut r: Reader<'_>) -> Result<(), Malformed> {
        let mut gaps = Gaps::default();
        while !r.is_empty() {
            let theirs = gaps.read(&mut r)?;
            let version = Version(r.u32()?);
            let summary = read_summary(&mut r)?;
            let future = version.ticks_since(self.now_version(now)) > c::FUTURE_TICKS;
            if let super::link::Meaning::Member(o) = self.link(l).meaning(theirs)
                && o != ME
                && !future
            {
                self.take_summary(o, version, summary);
            }
        }
        Ok(())
    }

    /// Members of other zones whose rows have stopped while those of others there still come.
    pub(super) fn declare_unheard_there(&mut self, now: Instant) {
        if !self.has_zones() {
            return;
        }
        let partial = self.is_partial();
        let unheard = |m: &Member| {
            let zone = &self.zones.list[m.zone as usize];
            let patience = c::BACKSTOP * self.zone_period(m.zone).max(m.record().period) + Duration::from_secs(1);
            let behind = m.version == Version::NONE || zone.newest.ticks_since(m.version) > ticks(patience) as i32;
            m.zone != HERE && m.is_up() && !zone.stale && behind && now - m.heard > patience
        };
        let unheard: Vec<Handle> = self.members.iter().filter(|(_, m)| unheard(m)).map(|(h, _)| h).collect();
        for o in unheard {
            if partial {
                // it is no longer among those that its zone tells of
                self.take_out(now, o, MemberState::Left);
                self.forget(now, o);
            } else {
                self.declare_down(now, o);
            }
        }
    }

    /// All zones as a snapshot shows them.
    pub(super) fn zone_entries(&self, now: Instant) -> Vec<ZoneEntry> {
        let clock = self.clock.at(now);
        let partial = self.is_partial();
        let mut entries: Vec<ZoneEntry> = self
            .zones
            .list
            .iter()
            .enumerate()
            .filter(|(i, z)| *i == HERE as usize || z.up > 0 || z.summary.is_some())
            .map(|(i, z)| {
                let own = i == HERE as usize;
                let newest = if own { self.members.at(ME).version } else { z.newest };
                ZoneEntry {
                    name: z.name.clone(),
                    own,
                    stale: z.stale,
                    age: (newest != Version::NONE).then(|| newest.age(clock)),
                    period: self.zone_period(i as ZoneIndex),
                    partial: partial && !own,
                    relays: z.relays.iter().filter_map(|r| Some(self.members.get(r.1)?.record().id)).collect(),
                    summary: z.summary.map(|s| s.1),
                }
            })
            .collect();
        entries.sort_by(|a, b| (!a.own, &a.name).cmp(&(!b.own, &b.name)));
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_holds_as_long_as_it_nearly_fits() {
        for (before, bytes, thin) in [
            (None, 90.0, 1),
            (None, 101.0, 2),
            (None, 1e9, c::THIN_MAX),
            (Some(1), 105.0, 1),
            (Some(1), 111.0, 2),
            (Some(2), 95.0, 2),
            (Some(2), 89.0, 1),
            (Some(c::THIN_MAX), 1e9, c::THIN_MAX),
        ] {
            assert_eq!(thinned(before, bytes, 100.0), thin, "{before:?}, {bytes} bytes of 100");
        }
    }

    #[test]
    fn rows_that_only_some_relays_pass_are_not_waited_for_each_wave() {
        let period = Duration::from_secs(1);
        // of 100 members in 8 waves so many rows came, the last time with losses that were made good by asking
        for (rows, waves) in [(800, 1), (600, 2), (400, 2), (290, 4), (200, 4), (780, 1)] {
            let mut zone = Zone::new(ZoneName::default(), Instant::ZERO);
            zone.rows = rows;
            zone.reckon(Instant::ZERO + 8 * period, period, 100);
            assert_eq!(zone.waves, waves, "{rows} rows");
        }
    }
}

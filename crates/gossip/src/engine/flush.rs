//! Building packets from what a link has to tell, and telling it again when a packet is lost: not the bytes, the state.

use super::link::Sent;
use super::members::{Handle, ME, Member};
use super::{Engine, Version, c};
use crate::wire::packet::{self, ALARM_BYTES, Gaps, Kind, put_section, section, section_header};
use crate::wire::rows::{ENTRY_BYTES_MAX, Row, RowWriter};
use crate::wire::{put_varint, varint_len};
use peermon_model::{Instant, MemberState};

/// What one packet takes in.
#[derive(Debug, Default)]
pub(super) struct Draft {
    body: Vec<u8>,
    dict: Vec<u8>,
    room: usize,
    pub(super) sent: Sent,
    alarms: Vec<packet::Alarm>,
    /// Where one section is made.
    section: Vec<u8>,
}

impl Draft {
    pub(super) fn left(&self) -> usize {
        self.room.saturating_sub(self.body.len() + self.dict.len())
    }

    /// Tells what a handle means.
    fn name(&mut self, h: Handle, m: &Member) {
        put_varint(&mut self.dict, u64::from(h));
        self.dict.extend_from_slice(&m.nid.to_le_bytes());
        self.dict.extend_from_slice(&m.tag().to_le_bytes());
        self.sent.dict.push(h);
    }

    pub(super) fn section(&mut self, kind: u8, body: &[u8]) {
        if !body.is_empty() {
            put_section(&mut self.body, kind, body);
        }
    }
}

impl Engine {
    /// Sends what a link has to tell, in as many packets as needed and as the window allows.
    pub(super) fn flush(&mut self, now: Instant, l: usize) {
        let owes_ack = self.link(l).ack_at <= now;
        self.link(l).flush_at = Instant::NEVER;
        if self.link(l).is_stalled() && !owes_ack {
            return;
        }
        self.tell_claims_once(now, l);
        let link = self.link(l);
        let urgent =
            !(link.alarms.is_empty() && link.prunes.is_empty() && link.grafts.is_empty()) || link.is_marked(ME) || owes_ack;
        self.refill(now);
        let spent = self.tokens < 0.0 && self.link(l).has_work();
        if spent {
            self.counters.dropped_rate += 1;
            self.link(l).flush_by(now + c::RATE_PAUSE);
            if !urgent {
                return;
            }
        }
        let saves = self.saves_rate();
        if saves && !spent && !self.link(l).records.is_empty() {
            self.counters.dropped_rate += 1;
            self.link(l).flush_by(now + c::RATE_PAUSE);
        }
        // Rows newest first would starve none: all of a wave's rows have one version. They go before records, or a joiner's table
        // would hold them up; but a row whose record is still to be told means nothing to the peer.
        // This node's own row goes in any case: it says that this node lives.
        let link = self.link(l);
        let (mut later, mut dirty): (Vec<Handle>, Vec<Handle>) =
            link.take_dirty().into_iter().partition(|h| *h != ME && (spent || link.is_record_marked(*h)));
        let (mut next_row, mut next_later) = (0, 0);
        let (mut prunes, mut grafts) = (std::mem::take(&mut self.link(l).prunes), std::mem::take(&mut self.link(l).grafts));
        prunes.sort_unstable();
        prunes.dedup();
        grafts.sort_unstable_by_key(|g| g.0);
        grafts.dedup_by_key(|g| g.0);
        let (mut prunes, mut grafts) = (prunes.into_iter().peekable(), grafts.into_iter().peekable());
        let mut sent_any = false;
        while self.link(l).unacked.len() < c::WINDOW {
            let room =
                self.link(l).payload - packet::LINK_HEADER - packet::FIXED - peermon_trust::TAG_BYTES - section_header(1000);
            // its buffers are used again and again
            let mut d = std::mem::take(&mut self.draft);
            d.body.clear();
            d.dict.clear();
            d.room = room;
            // alarms, acknowledgements, prunes and what is asked for go in any case; the rest waits when the byte rate is spent
            self.put_small(l, &mut d);
            if !spent {
                self.put_claims(now, l, &mut d);
            }
            next_row += self.put_rows(l, &mut d, &dirty[next_row..]);
            if !saves && next_row == dirty.len() {
                self.put_records(now, l, &mut d);
                if self.link(l).records.is_empty() {
                    next_later += self.put_rows(l, &mut d, &later[next_later..]);
                }
            }
            self.put_handles(l, &mut d, &mut prunes, &mut grafts);
            if d.body.is_empty() {
                self.draft = d;
                break;
            }
            let mut sent = std::mem::take(&mut d.sent);
            sent.at = now;
            (sent.counter, sent.bytes) = self.send_on(now, l, Kind::Link, &d.dict, &d.body);
            sent.alarms = std::mem::take(&mut d.alarms);
            self.draft = d;
            let link = self.link(l);
            link.unacked.push_back(sent);
            link.sent_lately += 1;
            link.watch_losses(now);
            sent_any = true;
        }
        // what found no room waits for acknowledgements
        let link = self.link(l);
        dirty.drain(..next_row);
        later.drain(..next_later);
        dirty.into_iter().chain(later).for_each(|h| link.mark(h));
        link.prunes.extend(prunes);
        link.grafts.extend(grafts);
        if !sent_any && owes_ack {
            self.counters.acks += 1;
            self.send_on(now, l, Kind::Link, &[], &[]);
        }
    }

    /// Whether so little of the byte rate is left that records wait.
    pub(super) fn saves_rate(&self) -> bool {
        self.tokens < c::ROWS_RESERVE * self.config.rate_max
    }

    pub(super) fn refill(&mut self, now: Instant) {
        let dt = (now - self.tokens_at).as_secs_f64();
        self.tokens = (self.tokens + dt * self.config.rate_max).min(self.config.rate_max * c::BURST);
        self.tokens_at = now;
    }

    /// Alarms, hashes, questions: few bytes that matter most.
    fn put_small(&mut self, l: usize, d: &mut Draft) {
        let searches = self.tokens >= c::ROWS_RESERVE / 2.0 * self.config.rate_max;
        let link = self.link(l);
        let n = link.alarms.len().min(d.left().saturating_sub(3) / ALARM_BYTES);
        let mut sec = Vec::new();
        for alarm in link.alarms.drain(..n) {
            alarm.write(&mut sec);
            d.alarms.push(alarm);
        }
        d.section(section::ALARM, &sec);
        sec.clear();
        link.unknown.sort_unstable();
        let mut gaps = Gaps::default();
        let n = link.unknown.len().min(d.left().saturating_sub(3) / 3);
        link.unknown.drain(..n).for_each(|h| gaps.put(&mut sec, h));
        d.section(section::UNKNOWN, &sec);
        link.once.retain(|(kind, body)| {
            // while the byte rate is short, differences are searched with whoever tells the next fingerprint
            if !searches && matches!(*kind, section::SET_QUERY | section::SET_LIST | section::WANT) {
                return false;
            }
            if section_header(body.len()) + body.len() > d.left() {
                return true;
            }
            put_section(&mut d.body, *kind, body);
            false
        });
    }

    fn put_records(&mut self, now: Instant, l: usize, d: &mut Draft) {
        while let Some(h) = self.link(l).take_record() {
            let (Some(m), Some(link)) = (self.members.get(h), self.links[l].as_ref()) else { continue };
            // Where much is to be told it waits for long. Meanwhile its zone may tell of others: each zone that has forgotten it would
            // learn of it again, and teach the next.
            let told = !link.is_border() || h == ME || self.zones.is_exported(m.zone, h);
            let newcomer = m.version == Version::NONE && now - m.heard < 3 * self.member_period(m);
            if !told || !(newcomer || self.is_current(m, now)) {
                continue;
            }
            if section_header(1000) + 1 + m.published.signed.len() > d.left() {
                // a record for which even an empty packet has no room must not hold up all others
                if d.body.is_empty() {
                    continue;
                }
                self.link(l).mark_record(h);
                return;
            }
            let mut sec = Vec::with_capacity(1 + m.published.signed.len());
            sec.push(u8::from(m.state == MemberState::Down));
            sec.extend_from_slice(&m.published.signed);
            d.section(section::RECORD, &sec);
            d.sent.records.push(h);
        }
    }

    /// Appends rows as long as there is room; returns how many of `dirty` are dealt with.
    fn put_rows(&mut self, l: usize, d: &mut Draft, dirty: &[Handle]) -> usize {
        let base = dirty.iter().filter_map(|h| self.members.get(*h)).map(|m| m.version).filter(|v| *v != Version::NONE);
        let Some(base) = base.reduce(|a, b| if b.newer_than(a) { b } else { a }) else { return dirty.len() };
        let mut sec = std::mem::take(&mut d.section);
        sec.clear();
        let (mut explorers, mut gaps) = (Vec::new(), Gaps::default());
        let (mut summaries, mut summary_gaps) = (Vec::new(), Gaps::default());
        let mut writer = RowWriter::new(&mut sec, base);
        let (mut done, before) = (0, d.sent.rows.len());
        d.sent.rows.reserve(dirty.len().min(d.left() / 3));
        for &h in dirty {
            let link = self.links[l].as_mut().expect("the index of a link");
            let Some(m) = self.members.get(h) else {
                done += 1;
                continue;
            };
            let known = link.known(h);
            if m.version == Version::NONE || link.member == Some(h) || (known != Version::NONE && !m.version.newer_than(known)) {
                done += 1;
                continue;
            }
            let dict = if link.dict_acked.get(h) { 0 } else { varint_len(u64::from(h)) + packet::DICT_BYTES };
            let lacks = m.changes.since(known);
            let mask = lacks.unwrap_or_else(|| m.present());
            let most = (ENTRY_BYTES_MAX - peermon_model::vitals::SLOTS + mask.count_ones() as usize) + 4;
            let summary = m.rare().summary.as_ref().filter(|s| known == Version::NONE || s.0.newer_than(known));
            let summary_most = if summary.is_some() { 3 + 4 + packet::SUMMARY_BYTES } else { 0 };
            // 3 more in case it explores
            let more = most + dict + 3 + summary_most + 3 * section_header(1000);
            if sec.len() + explorers.len() + summaries.len() + more > d.left() {
                break;
            }
            if let Some(s) = summary {
                summary_gaps.put(&mut summaries, h);
                summaries.extend_from_slice(&s.0.0.to_le_bytes());
                packet::put_summary(&mut summaries, &s.1);
            }
            if link.explore.clear(h) {
                gaps.put(&mut explorers, h);
            }
            writer.push(&mut sec, &Row { handle: h, version: m.version, mask, full: lacks.is_none(), codes: m.codes });
            if dict > 0 {
                d.name(h, m);
            }
            d.sent.rows.push((h, m.version));
            done += 1;
        }
        writer.finish(&mut sec);
        if d.sent.rows.len() > before {
            self.counters.rows_sent += (d.sent.rows.len() - before) as u64;
            self.counters.row_bytes_sent += sec.len() as u64;
            d.section(section::ZONE, &summaries);
            d.section(section::EXPLORE, &explorers);
            d.section(section::ROWS, &sec);
        }
        d.section = sec;
        done
    }

    /// Appends prunes and grafts as long as there is room.
    fn put_handles(
        &mut self,
        l: usize,
        d: &mut Draft,
        prunes: &mut std::iter::Peekable<impl Iterator<Item = Handle>>,
        grafts: &mut std::iter::Peekable<impl Iterator<Item = (Handle, Version)>>,
    ) {
        let mut sec = Vec::new();
        let mut gaps = Gaps::default();
        while let Some(&h) = prunes.peek() {
            if !self.put_handle(l, d, h, sec.len() + 3) {
                break;
            }
            gaps.put(&mut sec, h);
            d.sent.prunes.push(h);
            prunes.next();
        }
        d.section(section::PRUNE, &sec);
        sec.clear();
        gaps = Gaps::default();
        while let Some(&(h, v)) = grafts.peek() {
            if !self.put_handle(l, d, h, sec.len() + 7) {
                break;
            }
            gaps.put(&mut sec, h);
            sec.extend_from_slice(&v.0.to_le_bytes());
            d.sent.grafts.push((h, v));
            grafts.next();
        }
        d.section(section::GRAFT, &sec);
    }

    /// Makes sure the peer knows what a handle means. False if there is no room.
    fn put_handle(&mut self, l: usize, d: &mut Draft, h: Handle, used: usize) -> bool {
        let Some(m) = self.members.get(h) else { return used + section_header(1000) <= d.left() };
        let link = self.links[l].as_ref().expect("the index of a link");
        let named = link.dict_acked.get(h) || d.sent.dict.contains(&h);
        let need = if named { 0 } else { varint_len(u64::from(h)) + packet::DICT_BYTES };
        if used + need + section_header(1000) > d.left() {
            return false;
        }
        if !named {
            d.name(h, m);
        }
        true
    }

    /// Packets unacknowledged for too long: their content is to be told again, as it is now.
    pub(super) fn give_up_lost(&mut self, now: Instant, l: usize) {
        let link = self.link(l);
        // round trips may have grown since the timer was set
        link.watch_losses(now);
        if link.lost_at > now {
            return;
        }
        let rto = link.rto();
        let heard = link.last_heard + rto >= now;
        if !heard {
            link.timeouts = (link.timeouts + 1).min(10);
        }
        let mut lost = 0;
        while link.unacked.front().is_some_and(|s| s.at + rto <= now) {
            let Some(s) = link.unacked.pop_front() else { break };
            lost += 1;
            link.lost_lately += 1;
            link.note_lost(s.bytes, heard);
            link.prunes.extend(&s.prunes);
            link.alarms.extend(&s.alarms);
            link.claims.extend(&s.claims);
            link.grafts.extend(&s.grafts);
            s.records.iter().for_each(|h| link.mark_record(*h));
            for (h, _) in &s.rows {
                if link.eager.get(*h) {
                    link.mark(*h);
                }
            }
        }
        link.watch_losses(now);
        let back_off = rto * (1 << link.timeouts.min(4)) - rto;
        if link.has_work() {
            link.flush_by(now + c::HOLD_URGENT + back_off);
        }
        self.counters.resent += lost;
    }
}

//! Packets of peers: opening them, what every one of them tells, and their sections.

use super::link::{Meaning, Sent};
use super::members::ME;
use super::{Engine, Version, c};
use crate::time::ClusterTime;
use crate::wire::packet::{self, Alarm, Fixed, Gaps, Kind, LINK_HEADER, section};
use crate::wire::rows::RowReader;
use crate::wire::{Malformed, Reader};
use peermon_model::{Instant, MemberState};
use peermon_trust::ReplayWindow;
use std::net::SocketAddr;
use std::time::Duration;

/// Microseconds of a clock step after which versions from before do not compare with versions from after: 2^30 ticks.
const VERSIONS_APART: u64 = (1 << 30) * 15_625;

impl Engine {
    /// Finds out who sent a packet and opens it; a member's first packet opens a link.
    pub(super) fn open<'a>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &'a mut [u8],
        key: u8,
        tag: u32,
        counter: u64,
    ) -> Option<(usize, &'a [u8])> {
        let Some(cluster) = self.keyring.key(key) else {
            self.counters.dropped_key += 1;
            return None;
        };
        let me = self.me;
        let tagged = |l: &Option<super::Link>| l.as_ref().is_some_and(|l| l.tag == tag);
        if let Some(l) = self.links.iter().position(tagged) {
            let link = self.links[l].as_mut().expect("it was just found");
            if !link.window.is_new(counter) {
                self.counters.dropped_replayed += 1;
                return None;
            }
            let Some(body) = link.keys(&me, key, cluster).open(counter, datagram, LINK_HEADER) else {
                self.counters.dropped_forged += 1;
                return None;
            };
            link.window.accept(counter);
            return Some((l, body));
        }
        // two members whose tags collide (once in 10^5 clusters of 300) talk through others
        let h = self.members.tagged(tag).iter().copied().find(|h| *h != ME);
        let Some(m) = h.and_then(|h| self.members.get(h)) else {
            self.counters.dropped_stranger += 1;
            return None;
        };
        if m.rare().heard_counter > 0 && !ReplayWindow::starting_at(m.rare().heard_counter).is_new(counter) {
            self.counters.dropped_replayed += 1;
            return None;
        }
        let half = m.half();
        let Some(body) = peermon_trust::PairKeys::derive(cluster, &me, &half).open(counter, datagram, LINK_HEADER) else {
            self.counters.dropped_forged += 1;
            return None;
        };
        let was_down = m.state == MemberState::Down;
        let l = self.open_link(now, half, h, from, key)?;
        self.link(l).window.accept(counter);
        if was_down {
            self.start_sync(now, l, false);
        }
        Some((l, body))
    }

    /// Takes an opened packet of a link.
    #[allow(clippy::too_many_arguments)] // the parts of one header
    pub(super) fn receive(
        &mut self,
        now: Instant,
        l: usize,
        from: SocketAddr,
        kind: Kind,
        ring: bool,
        key: u8,
        counter: u64,
        body: &[u8],
    ) {
        let mut r = Reader(body);
        let Ok(fixed) = Fixed::read(&mut r) else {
            self.counters.dropped_malformed += 1;
            return;
        };
        let link = self.link(l);
        if counter + 1 == link.window.next() {
            // the newest packet tells where the peer is now
            link.addr = from;
            if std::mem::replace(&mut link.peer_ring, ring) && !ring && !link.ring {
                link.end_flood();
            }
            link.peer_key = key;
        }
        link.reading = counter;
        let was_stalled = link.is_stalled();
        link.note_heard(now);
        if was_stalled {
            link.flush_by(now + Duration::from_millis(1));
        }
        self.note_time(now, l, &fixed);
        let was_full = self.link(l).unacked.len() >= c::WINDOW;
        for sent in self.link(l).acknowledged(now, fixed.ack, fixed.acks) {
            self.note_delivered(l, &sent);
        }
        let link = self.link(l);
        if was_full && link.unacked.len() < c::WINDOW && link.has_work() {
            link.flush_by(now);
        }
        if kind == Kind::Ping {
            self.send_on(now, l, Kind::Pong, &[], &[]);
        }
        if !r.is_empty() {
            self.link(l).owe_ack(now);
            if self.sections(now, l, r).is_err() {
                self.counters.dropped_malformed += 1;
            }
        }
        // a link may be gone by now: its peer's record told of a new life
        if let Some(link) = self.link_if(l)
            && !link.prunes.is_empty()
        {
            link.flush_by(now + c::HOLD_PRUNE);
        }
    }

    /// Round trip and clock of the peer.
    fn note_time(&mut self, now: Instant, l: usize, fixed: &Fixed) {
        let mine = self.clock.at(now);
        let link = self.link(l);
        let rtt = (fixed.hold != u16::MAX).then(|| {
            let round = ((mine.0 / 16) as u16).wrapping_sub(fixed.echo).wrapping_sub(fixed.hold);
            i64::from(round) * 16
        });
        // beyond half of the echo's range it is a wrapped or stepped clock, no round trip
        let rtt = rtt.filter(|us| *us < 500_000);
        if let Some(us) = rtt {
            link.note_rtt(Duration::from_micros(us as u64));
            link.note_offset(us, fixed.time.0 as i64 + us / 2 - mine.0 as i64);
        }
        link.note_echo(fixed.time.0, now);
        // Half the round trip is left out on purpose: after a peer was stopped for a while the round trip contains that
        // pause, and adding it would set clocks ahead of everybody's, each dragging on the next.
        self.step_clock(now, fixed.time);
    }

    /// Steps the cluster clock forward if a peer's is far ahead.
    pub(super) fn step_clock(&mut self, now: Instant, theirs: ClusterTime) {
        let step = theirs.0.saturating_sub(self.clock.at(now).0);
        if self.clock.step_to(theirs, now) {
            self.counters.clock_steps += 1;
            self.own.whole = true;
            // Serial numbers compare over half their range only: after half a year's step all rows held count as none.
            if step > VERSIONS_APART {
                self.forgotten = Version::NONE;
                for (_, m) in self.members.iter_mut() {
                    m.version = Version::NONE;
                    m.forgive();
                }
                self.links.iter_mut().flatten().for_each(super::Link::forget_known);
            }
            self.links.iter_mut().flatten().for_each(|l| l.offsets.clear());
            self.schedule_wave(now, Duration::ZERO);
            self.republish(now);
        }
    }

    fn note_delivered(&mut self, l: usize, sent: &Sent) {
        let link = self.link(l);
        for (h, v) in &sent.rows {
            link.note_known(*h, *v);
        }
        for h in &sent.dict {
            link.dict_acked.set(*h);
        }
    }

    fn sections(&mut self, now: Instant, l: usize, mut r: Reader<'_>) -> Result<(), Malformed> {
        let mut news = false;
        let mut rows_read = 0;
        let opened = self.link(l).serial;
        let mut explorers: Vec<u16> = Vec::new();
        while let Some((kind, body)) = packet::next_section(&mut r)? {
            if self.has_ended(l, opened) {
                return Ok(());
            }
            match kind {
                section::DICT => self.read_dict(l, body)?,
                section::RECORD => self.read_record(now, l, body)?,
                section::EXPLORE => {
                    let (mut body, mut gaps) = (body, Gaps::default());
                    while !body.is_empty() {
                        explorers.push(gaps.read(&mut body)?);
                    }
                }
                section::ROWS => {
                    let rows = RowReader::new(body)?.inspect(|_| rows_read += 1).take(self.config.members_max + 1);
                    news |= self.receive_rows(now, l, rows, &explorers)?;
                    if rows_read > self.config.members_max {
                        return Err(Malformed("more rows than there can be members"));
                    }
                }
                section::PRUNE => self.read_prunes(now, l, body)?,
                section::GRAFT => self.read_grafts(now, l, body)?,
                section::ALARM => self.read_alarms(now, l, body)?,
                section::HASH => self.read_hash(now, l, body)?,
                section::SET_QUERY => self.read_set_query(now, l, body)?,
                section::SET_LIST => self.read_set_list(now, l, body)?,
                section::WANT => self.read_want(now, l, body)?,
                section::UNKNOWN => self.read_unknown(now, l, body)?,
                section::KEY => self.read_key(now, l, body)?,
                section::CLAIM => self.read_claims(now, l, body)?,
                section::ZONE => self.read_summaries(now, l, body)?,
                _ => {}
            }
        }
        if news {
            let hold = if self.clock.is_locked() { c::HOLD } else { c::HOLD_UNLOCKED };
            // What fills a datagram waits as well: a row that met many others would otherwise go on at once, over more links in the
            // same time, and while all trees are learned anew the longest ways would be the fastest.
            for link in self.links.iter_mut().flatten().filter(|l| !l.dirty.is_empty()) {
                link.flush_by(now + hold);
            }
        }
        Ok(())
    }

    fn read_dict(&mut self, l: usize, mut r: Reader<'_>) -> Result<(), Malformed> {
        while !r.is_empty() {
            let theirs = u16::try_from(r.varint()?).map_err(|_| Malformed("a handle is too large"))?;
            let (nid, tag) = (r.u64()?, r.u32()?);
            if usize::from(theirs) > self.config.members_max {
                return Err(Malformed("a handle is too large"));
            }
            // a row of another life than the one held here would be mixed with rows of this one
            let held = self.members.handle(nid).filter(|h| self.members.at(*h).tag() == tag);
            let meaning = held.map_or(Meaning::Awaited(nid, tag), Meaning::Member);
            self.link(l).put_meaning(theirs, meaning);
        }
        Ok(())
    }

    /// The peer did not understand some of this node's handles: tell all about them again.
    fn read_unknown(&mut self, now: Instant, l: usize, mut r: Reader<'_>) -> Result<(), Malformed> {
        let mut gaps = Gaps::default();
        while !r.is_empty() {
            let h = gaps.read(&mut r)?;
            if let Some(m) = self.members.get(h) {
                let current = self.is_current(m, now);
                let link = self.link(l);
                link.forget_sent(h);
                link.dict_acked.clear(h);
                link.put_known(h, Version::NONE);
                if current {
                    link.mark_record(h);
                    link.mark(h);
                    link.flush_by(now + c::HOLD_URGENT);
                }
            }
        }
        Ok(())
    }

    /// Whether what was read has ended the link, and perhaps another one has taken its slot.
    fn has_ended(&mut self, l: usize, serial: u64) -> bool {
        self.link_if(l).is_none_or(|x| x.serial != serial)
    }

    fn read_alarms(&mut self, now: Instant, l: usize, mut r: Reader<'_>) -> Result<(), Malformed> {
        let opened = self.link(l).serial;
        // several accusations of this node are refuted by one row
        let mut accused_at: Option<Version> = None;
        while !r.is_empty() && !self.has_ended(l, opened) {
            let alarm = Alarm::read(&mut r)?;
            if !matches!(alarm.phase, 1..=3) {
                return Err(Malformed("an alarm of an unknown phase"));
            }
            if alarm.nid == self.me.id.nid() {
                if accused_at.is_none_or(|at| alarm.at.newer_than(at)) {
                    accused_at = Some(alarm.at);
                }
                continue;
            }
            self.alarm(now, Some(l), alarm);
        }
        if let Some(at) = accused_at {
            self.refute(now, at);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

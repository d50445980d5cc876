//! One peer this node exchanges packets with: what it wants, what it has, what is on its way.

use super::claims::ClaimKey;
use super::lost::Lost;
use super::members::{Handle, ME, NO_LINK, make_room};
use super::zones::{HERE, ZoneIndex};
use crate::bits::Bits;
use crate::config::constants as c;
use crate::time::Version;
use crate::wire::packet::Alarm;
use peermon_model::Instant;
use peermon_trust::{ClusterKey, Half, PairKeys, ReplayWindow};
use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

/// What a packet told, kept until it is acknowledged or given up.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    pub(crate) counter: u64,
    pub(crate) at: Instant,
    pub(crate) bytes: usize,
    pub(crate) rows: Vec<(Handle, Version)>,
    pub(crate) dict: Vec<Handle>,
    pub(crate) prunes: Vec<Handle>,
    pub(crate) grafts: Vec<(Handle, Version)>,
    pub(crate) alarms: Vec<Alarm>,
    pub(crate) claims: Vec<ClaimKey>,
    pub(crate) records: Vec<Handle>,
}

/// What a peer's handle means here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Meaning {
    Unknown,
    /// Named by its nid and the tag of its life, but that record has not come yet.
    Awaited(u64, u32),
    Member(Handle),
}

/// One end of a link. What is asked after every packet, of all links, lies here side by side; the rest is one step away.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) flush_at: Instant,
    pub(crate) ack_at: Instant,
    pub(crate) ping_at: Instant,
    /// When the oldest packet on its way counts as lost.
    pub(crate) lost_at: Instant,
    pub(crate) timeouts: u8,
    /// The number the peer's packets carry.
    pub(crate) tag: u32,
    /// No other link of this node ever has the same.
    pub(crate) serial: u64,
    rest: Box<Rest>,
}

impl Deref for Link {
    type Target = Rest;

    fn deref(&self) -> &Rest {
        &self.rest
    }
}

impl DerefMut for Link {
    fn deref_mut(&mut self) -> &mut Rest {
        &mut self.rest
    }
}

/// All that a link knows besides its timers.
#[derive(Debug)]
pub(crate) struct Rest {
    pub(crate) peer: Half,
    /// The peer's place in the table; none before its record came, or if it only listens.
    pub(crate) member: Option<Handle>,
    /// The peer's zone; this node's own before the peer's record came.
    pub(crate) zone: ZoneIndex,
    pub(crate) listener: bool,
    pub(crate) addr: SocketAddr,
    /// This node's rings want it; the peer's rings want it.
    pub(crate) ring: bool,
    pub(crate) peer_ring: bool,
    pub(crate) opened: Instant,
    /// Since when what comes over it has been asked for elsewhere, because nobody's rings want it.
    pub(crate) retiring: Instant,
    pub(crate) synced: Option<Instant>,

    keys: Vec<(u8, PairKeys)>,
    /// The cluster key the peer last used.
    pub(crate) peer_key: u8,
    pub(crate) next_counter: u64,
    pub(crate) window: ReplayWindow,
    /// The counter of the packet that is read.
    pub(crate) reading: u64,

    // what to send
    pub(crate) eager: Bits,
    /// Origins whose next row floods.
    pub(crate) explore: Bits,
    dirty_bits: Bits,
    pub(crate) dirty: Vec<Handle>,
    record_bits: Bits,
    pub(crate) records: Vec<Handle>,
    pub(crate) prunes: Vec<Handle>,
    pub(crate) grafts: Vec<(Handle, Version)>,
    pub(crate) alarms: Vec<Alarm>,
    pub(crate) claims: BTreeSet<ClaimKey>,
    /// All claims were told, or are to be told, since the link carries them.
    pub(crate) claims_told: bool,
    pub(crate) unknown: Vec<u16>,
    /// Sections that are told once and repeated by their own rule if lost.
    pub(crate) once: Vec<(u8, Vec<u8>)>,

    // what the peer has
    known: Vec<Version>,
    pub(crate) dict_acked: Bits,
    /// By the peer's handle: this node's handle, or one of the two numbers below.
    meanings: Vec<Handle>,
    /// Handles that were named before their record came: the peer's handle, the nid and the tag.
    awaited: Vec<(u16, u64, u32)>,
    unknown_told: Vec<(u16, Instant)>,
    lost: Lost,

    pub(crate) unacked: VecDeque<Sent>,
    data_since_ack: u32,

    // hearing and round trips
    pub(crate) last_heard: Instant,
    pub(crate) ever_heard: bool,
    echo: Option<(u16, Instant)>,
    pub(crate) srtt: Option<Duration>,
    rttvar: Duration,
    /// (round trip, peer's clock minus ours), microseconds, the latest last.
    pub(crate) offsets: VecDeque<(i64, i64)>,
    pub(crate) payload: usize,
    big_lost: u8,

    // failure detection
    pub(crate) pings: u8,
    /// Packets sent and given up as lost since somebody last asked.
    pub(crate) sent_lately: u32,
    pub(crate) lost_lately: u32,
    pub(crate) silent_waves: u8,
    pub(crate) hash_differs: u8,
    /// How often the peer publishes, as it told: its period times two to this power.
    pub(crate) step: Option<u8>,
    /// Bytes of a row that it reckons with.
    pub(crate) row_bytes: Option<f64>,
}

impl Link {
    /// Offsets kept: the best of them by round trip counts.
    const OFFSETS: usize = 16;
    /// No handles: tables are smaller than this.
    const UNKNOWN: Handle = Handle::MAX;
    const AWAITED: Handle = Handle::MAX - 1;

    pub(crate) fn new(
        peer: Half,
        addr: SocketAddr,
        key: u8,
        counter: u64,
        heard_counter: u64,
        serial: u64,
        now: Instant,
    ) -> Self {
        let rest = Rest {
            peer,
            member: None,
            zone: HERE,
            listener: false,
            addr,
            ring: false,
            peer_ring: false,
            opened: now,
            retiring: Instant::NEVER,
            synced: None,
            keys: Vec::new(),
            peer_key: key,
            next_counter: counter,
            window: if heard_counter == 0 { ReplayWindow::default() } else { ReplayWindow::starting_at(heard_counter) },
            reading: 0,
            lost: Lost::default(),
            eager: Bits::default(),
            explore: Bits::default(),
            dirty_bits: Bits::default(),
            dirty: Vec::new(),
            record_bits: Bits::default(),
            records: Vec::new(),
            prunes: Vec::new(),
            grafts: Vec::new(),
            alarms: Vec::new(),
            claims: BTreeSet::new(),
            claims_told: false,
            unknown: Vec::new(),
            once: Vec::new(),
            known: Vec::new(),
            dict_acked: Bits::default(),
            meanings: Vec::new(),
            awaited: Vec::new(),
            unknown_told: Vec::new(),
            unacked: VecDeque::new(),
            data_since_ack: 0,
            last_heard: now,
            ever_heard: false,
            echo: None,
            srtt: None,
            rttvar: Duration::ZERO,
            offsets: VecDeque::new(),
            payload: c::PAYLOAD_MAX,
            big_lost: 0,
            pings: 0,
            sent_lately: 0,
            lost_lately: 0,
            silent_waves: 0,
            hash_differs: 0,
            step: None,
            row_bytes: None,
        };
        Link {
            flush_at: Instant::NEVER,
            ack_at: Instant::NEVER,
            ping_at: Instant::NEVER,
            lost_at: Instant::NEVER,
            timeouts: 0,
            tag: super::members::tag(&peer.salt),
            serial,
            rest: Box::new(rest),
        }
    }

    /// The keys of this pair under a cluster key, derived at first use.
    pub(crate) fn keys(&mut self, me: &Half, id: u8, cluster: &ClusterKey) -> &PairKeys {
        let at = match self.keys.iter().position(|k| k.0 == id) {
            Some(i) => i,
            None => {
                // a few keys exist at once; an old one may be derived again
                if self.keys.len() >= 4 {
                    self.keys.remove(0);
                }
                let derived = PairKeys::derive(cluster, me, &self.peer);
                self.keys.push((id, derived));
                self.keys.len() - 1
            }
        };
        &self.keys[at].1
    }

    pub(crate) fn forget_keys(&mut self) {
        self.keys.clear();
    }

    /// The peer's record is known.
    pub(crate) fn bind(&mut self, h: Handle, zone: ZoneIndex) {
        self.member = Some(h);
        self.zone = zone;
    }

    /// Whether it leads into another zone but is none of the links that join zones: one side came in through the other.
    pub(crate) fn is_passing(&self) -> bool {
        self.is_border() && !self.ring && !self.peer_ring
    }

    /// Whether it leads into another zone.
    pub(crate) fn is_border(&self) -> bool {
        self.zone != HERE
    }

    // --- what to send

    pub(crate) fn mark(&mut self, h: Handle) {
        if self.dirty_bits.set(h) {
            self.dirty.push(h);
        }
    }

    pub(crate) fn unmark(&mut self, h: Handle) {
        self.explore.clear(h);
        self.dirty_bits.clear(h);
    }

    pub(crate) fn is_marked(&self, h: Handle) -> bool {
        self.dirty_bits.get(h)
    }

    /// The marked handles in order, their marks cleared.
    pub(crate) fn take_dirty(&mut self) -> Vec<Handle> {
        let rest = &mut *self.rest;
        let mut list = std::mem::take(&mut rest.dirty);
        list.retain(|h| rest.dirty_bits.clear(*h));
        list.sort_unstable();
        list
    }

    pub(crate) fn mark_record(&mut self, h: Handle) {
        if self.record_bits.set(h) {
            self.records.push(h);
        }
    }

    pub(crate) fn unmark_record(&mut self, h: Handle) {
        self.record_bits.clear(h);
    }

    pub(crate) fn is_record_marked(&self, h: Handle) -> bool {
        self.record_bits.get(h)
    }

    /// No ring of this node's wants this link any more: the peer gets the records from its own neighbours, but for this node's own
    /// and a table that it asked for.
    pub(crate) fn end_flood(&mut self) {
        if self.synced.is_none() && !self.listener {
            let rest = &mut *self.rest;
            rest.records.retain(|h| *h == ME || !rest.record_bits.clear(*h));
        }
    }

    /// The next record to send.
    pub(crate) fn take_record(&mut self) -> Option<Handle> {
        while let Some(h) = self.records.pop() {
            if self.record_bits.clear(h) {
                return Some(h);
            }
        }
        None
    }

    pub(crate) fn has_work(&self) -> bool {
        !(self.dirty.is_empty()
            && self.records.is_empty()
            && self.prunes.is_empty()
            && self.grafts.is_empty()
            && self.alarms.is_empty()
            && self.claims.is_empty()
            && self.unknown.is_empty()
            && self.once.is_empty())
    }

    /// Whether trees may run over it: a link that is to end, or to a listener, carries only what is asked for.
    pub(crate) fn carries_rows(&self) -> bool {
        (self.ring || self.peer_ring) && !self.listener
    }

    /// Leaves at `at` at the latest.
    pub(crate) fn flush_by(&mut self, at: Instant) {
        self.flush_at = self.flush_at.min(at);
    }

    // --- what the peer has

    pub(crate) fn known(&self, h: Handle) -> Version {
        self.known.get(h as usize).copied().unwrap_or(Version::NONE)
    }

    /// The peer has this version, or a newer one.
    pub(crate) fn note_known(&mut self, h: Handle, v: Version) {
        let old = self.known(h);
        if old == Version::NONE || v.newer_than(old) {
            self.put_known(h, v);
        }
    }

    /// Nothing is known of what the peer has.
    pub(crate) fn forget_known(&mut self) {
        self.known.clear();
        self.unacked.iter_mut().for_each(|s| s.rows.clear());
    }

    /// What is on its way about this handle will not count when it is acknowledged.
    pub(crate) fn forget_sent(&mut self, h: Handle) {
        for s in &mut self.unacked {
            s.rows.retain(|r| r.0 != h);
            s.dict.retain(|d| *d != h);
        }
    }

    /// The peer has exactly this version.
    pub(crate) fn put_known(&mut self, h: Handle, v: Version) {
        let i = h as usize;
        if i >= self.known.len() {
            let more = i + 1 - self.known.len();
            make_room(&mut self.known, more);
            self.known.resize(i + 1, Version::NONE);
        }
        self.known[i] = v;
    }

    pub(crate) fn meaning(&self, peer_handle: u16) -> Meaning {
        match self.meanings.get(peer_handle as usize).copied().unwrap_or(Self::UNKNOWN) {
            Self::UNKNOWN => Meaning::Unknown,
            Self::AWAITED => {
                let awaited = self.awaited.iter().find(|a| a.0 == peer_handle);
                awaited.map_or(Meaning::Unknown, |(_, nid, tag)| Meaning::Awaited(*nid, *tag))
            }
            h => Meaning::Member(h),
        }
    }

    pub(crate) fn put_meaning(&mut self, peer_handle: u16, m: Meaning) {
        let i = peer_handle as usize;
        if i >= self.meanings.len() {
            let more = i + 1 - self.meanings.len();
            make_room(&mut self.meanings, more);
            self.meanings.resize(i + 1, Self::UNKNOWN);
        }
        if self.meanings[i] == Self::AWAITED {
            self.awaited.retain(|a| a.0 != peer_handle);
        }
        self.meanings[i] = match m {
            Meaning::Unknown => Self::UNKNOWN,
            Meaning::Member(h) => h,
            Meaning::Awaited(nid, tag) => {
                self.awaited.push((peer_handle, nid, tag));
                Self::AWAITED
            }
        };
    }

    /// Handles that waited for this record mean something now.
    pub(crate) fn resolve(&mut self, nid: u64, tag: u32, h: Handle) {
        let Rest { meanings, awaited, .. } = &mut *self.rest;
        awaited.retain(|(theirs, n, t)| {
            let resolved = (*n, *t) == (nid, tag);
            if resolved {
                meanings[*theirs as usize] = h;
            }
            !resolved
        });
    }

    /// A row could not be taken, since what its handle means is not known.
    pub(crate) fn lose_row(&mut self, peer_handle: u16, now: Instant) {
        self.put_meaning(peer_handle, Meaning::Unknown);
        self.note_lost_row(peer_handle);
        self.tell_unknown(peer_handle, now);
        self.flush_by(now + c::HOLD_URGENT);
    }

    pub(crate) fn note_lost_row(&mut self, peer_handle: u16) {
        let packet = self.reading;
        self.lost.note(peer_handle, packet);
    }

    /// Whether a row may build on one that was lost.
    pub(crate) fn lacks_base(&mut self, peer_handle: u16, whole: bool) -> bool {
        let packet = self.reading;
        self.lost.lacks_base(peer_handle, whole, packet)
    }

    /// Asks the peer to tell a handle anew, once a second at most.
    pub(crate) fn tell_unknown(&mut self, peer_handle: u16, now: Instant) {
        // 256 a second are enough to recover a link whose state was lost; the first is the oldest
        let lately = |at: Instant| now - at < Duration::from_secs(1);
        if self.unknown_told.len() >= 256 && self.unknown_told.first().is_some_and(|(_, at)| lately(*at)) {
            return;
        }
        self.unknown_told.retain(|(_, at)| lately(*at));
        if !self.unknown_told.iter().any(|(h, _)| *h == peer_handle) {
            self.unknown_told.push((peer_handle, now));
            self.unknown.push(peer_handle);
        }
    }

    /// A handle means another life from now on: what was told and heard of the one before says nothing about it.
    pub(crate) fn begin_life(&mut self, h: Handle) {
        self.forget_sent(h);
        self.dict_acked.clear(h);
        self.put_known(h, Version::NONE);
        self.meanings.iter_mut().filter(|m| **m == h).for_each(|m| *m = Self::UNKNOWN);
        let sent = self.rest.unacked.iter_mut().flat_map(|s| &mut s.grafts);
        sent.chain(&mut self.rest.grafts).filter(|g| g.0 == h).for_each(|g| g.1 = Version::NONE);
    }

    /// Nothing may refer to a handle that is freed.
    pub(crate) fn forget_member(&mut self, h: Handle) {
        self.eager.clear(h);
        self.explore.clear(h);
        self.dirty_bits.clear(h);
        self.record_bits.clear(h);
        self.dict_acked.clear(h);
        self.put_known(h, Version::NONE);
        self.meanings.iter_mut().filter(|m| **m == h).for_each(|m| *m = Self::UNKNOWN);
        self.prunes.retain(|x| *x != h);
        self.grafts.retain(|x| x.0 != h);
        self.dirty.retain(|x| *x != h);
        self.records.retain(|x| *x != h);
        for s in &mut self.unacked {
            s.rows.retain(|x| x.0 != h);
            s.dict.retain(|x| *x != h);
            s.prunes.retain(|x| *x != h);
            s.grafts.retain(|x| x.0 != h);
            s.records.retain(|x| *x != h);
        }
    }

    // --- acknowledgements and round trips

    pub(crate) fn is_stalled(&self) -> bool {
        self.timeouts >= c::STALL
    }

    /// How long a packet may go unacknowledged (RFC 6298 with the peer's acknowledgement delay).
    pub(crate) fn rto(&self) -> Duration {
        match self.srtt {
            Some(srtt) => (srtt + 4 * self.rttvar + c::ACK_DELAY).clamp(c::RTO_MIN, c::RTO_MAX),
            None => c::RTO_FIRST,
        }
    }

    /// Something is on its way, or no more. Not before now, though round trips may have become shorter: a time that has passed would look
    /// as if this node had been stopped itself.
    pub(crate) fn watch_losses(&mut self, now: Instant) {
        self.lost_at = self.unacked.front().map_or(Instant::NEVER, |s| (s.at + self.rto()).max(now));
    }

    /// When it has something to do next.
    pub(crate) fn deadline(&self) -> Instant {
        let sending = if self.is_stalled() { self.ack_at } else { self.flush_at.min(self.ack_at) };
        sending.min(self.lost_at).min(self.ping_at)
    }

    /// A packet that must be acknowledged came.
    pub(crate) fn owe_ack(&mut self, now: Instant) {
        self.data_since_ack += 1;
        let delay = if self.data_since_ack >= c::ACK_EVERY { Duration::ZERO } else { c::ACK_DELAY };
        self.ack_at = self.ack_at.min(now + delay);
    }

    pub(crate) fn ack_sent(&mut self) {
        self.data_since_ack = 0;
        self.ack_at = Instant::NEVER;
    }

    /// The highest counter heard and which of the 32 before it.
    pub(crate) fn acks(&self) -> (u16, u32) {
        match self.window.next().checked_sub(1) {
            None => (0, 0),
            Some(high) => {
                let heard = |i: u64| high.checked_sub(1 + i).is_some_and(|counter| !self.window.is_new(counter));
                (high as u16, (0..32).filter(|i| heard(*i)).fold(0, |bits, i| bits | 1 << i))
            }
        }
    }

    /// Takes the packets that the peer acknowledges.
    pub(crate) fn acknowledged(&mut self, now: Instant, ack: u16, acks: u32) -> Vec<Sent> {
        let mut done = Vec::new();
        if self.unacked.is_empty() {
            return done;
        }
        let is_acked = |counter: u64| match ack.wrapping_sub(counter as u16) {
            0 => true,
            d @ 1..=32 => acks >> (d - 1) & 1 == 1,
            _ => false,
        };
        let mut i = 0;
        while i < self.unacked.len() {
            if is_acked(self.unacked[i].counter) {
                done.extend(self.unacked.remove(i));
            } else {
                i += 1;
            }
        }
        self.watch_losses(now);
        if done.iter().any(|s| s.bytes > c::PAYLOAD_SAFE) {
            self.big_lost = 0;
        }
        done
    }

    /// A packet was given up. Large ones lost again and again while the peer is heard: the path does not carry them.
    pub(crate) fn note_lost(&mut self, bytes: usize, heard: bool) {
        if heard && bytes > c::PAYLOAD_SAFE {
            self.big_lost += 1;
            if self.big_lost >= 6 {
                self.shrink();
            }
        }
    }

    /// Sends smaller datagrams from now on.
    pub(crate) fn shrink(&mut self) {
        self.payload = c::PAYLOAD_SAFE;
        self.big_lost = 0;
    }

    /// The echo to put into a packet: the peer's time, and how long ago it came, in 16 us.
    pub(crate) fn echo(&self, now: Instant) -> (u16, u16) {
        match self.echo {
            Some((time, at)) => (time, u16::try_from((now - at).as_micros() / 16).unwrap_or(u16::MAX)),
            None => (0, u16::MAX),
        }
    }

    pub(crate) fn note_echo(&mut self, peer_time_us: u64, now: Instant) {
        self.echo = Some(((peer_time_us / 16) as u16, now));
    }

    pub(crate) fn note_rtt(&mut self, rtt: Duration) {
        match self.srtt {
            None => {
                self.srtt = Some(rtt);
                self.rttvar = rtt / 2;
            }
            Some(srtt) => {
                self.rttvar = (3 * self.rttvar + rtt.abs_diff(srtt)) / 4;
                self.srtt = Some((7 * srtt + rtt) / 8);
            }
        }
    }

    pub(crate) fn note_offset(&mut self, rtt: i64, offset: i64) {
        if self.offsets.len() >= Self::OFFSETS {
            self.offsets.pop_front();
        }
        self.offsets.push_back((rtt, offset));
    }

    /// The offset measured over the shortest round trip.
    pub(crate) fn offset(&self) -> Option<i64> {
        self.offsets.iter().min_by_key(|o| o.0).map(|o| o.1)
    }

    /// A sign of life ends all doubt about the peer.
    pub(crate) fn note_heard(&mut self, now: Instant) {
        self.last_heard = now;
        self.ever_heard = true;
        if self.is_stalled() {
            // what has waited since is due now, not then: see `watch_losses`
            self.flush_at = self.flush_at.max(now);
        }
        self.timeouts = 0;
        self.pings = 0;
        self.ping_at = Instant::NEVER;
        self.silent_waves = 0;
    }
}

const _: () = assert!(c::LINKS_MAX < NO_LINK as usize);

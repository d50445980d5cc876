//! Plain newest-first push: each node sends its freshest rows in one full datagram to one random peer at each tick.

use super::{Peer, Protocol, Rows, stamp};
use crate::Rng;
use peermon_model::Instant;
use std::collections::VecDeque;
use std::time::Duration;

/// A datagram's own header: the sender's number, the newest row's stamp, what a real one would need to tell them apart.
const HEADER_BYTES: usize = 12;
/// Of a row, whose it is and how much older than the datagram's newest; its readings follow.
const ROW_HEAD_BYTES: usize = 4;
/// Periods after which a row's node counts as down: PeerMon's, because plain push has no notion of it.
const DOWN_PERIODS: u32 = 10;

/// What all nodes are told.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How often a node samples.
    pub period: Duration,
    /// How often it sends one datagram.
    pub tick: Duration,
    /// Bytes of a row, at least 4; a mean, so it need not be whole.
    pub row_bytes: f64,
    /// Bytes of a datagram's payload.
    pub payload_max: usize,
}

impl Options {
    /// Rows in a datagram.
    pub fn rows_per_datagram(&self) -> usize {
        let room = self.payload_max.saturating_sub(HEADER_BYTES) as f64;
        ((room / self.row_bytes.max(ROW_HEAD_BYTES as f64)) as usize).max(1)
    }
}

/// One node.
#[derive(Debug)]
pub struct Push {
    options: Options,
    me: Peer,
    seeds: Vec<Peer>,
    /// The stamp of each peer's row, plus 1; 0 without one.
    table: Vec<u32>,
    up: Vec<bool>,
    /// When to sample, and when to send.
    due: (Instant, Instant),
    out: VecDeque<(Peer, Vec<u8>)>,
    views: VecDeque<(Peer, bool)>,
    rows: Rows,
    rng: Rng,
}

impl Protocol for Push {
    type Options = Options;

    fn new(options: &Options, me: Peer, seeds: Vec<Peer>, mut rng: Rng, now: Instant) -> Self {
        let due = (now + options.period.mul_f64(rng.unit()), now + options.tick.mul_f64(rng.unit()));
        let (out, views) = (VecDeque::new(), VecDeque::new());
        let mut node =
            Push { options: *options, me, seeds, table: Vec::new(), up: Vec::new(), due, out, views, rows: Rows::default(), rng };
        node.put(me, stamp(now));
        node
    }

    fn handle_datagram(&mut self, _now: Instant, _from: Peer, payload: &[u8]) {
        let Some((head, body)) = payload.split_first_chunk::<HEADER_BYTES>() else { return };
        let newest = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
        let count = u16::from_le_bytes([head[8], head[9]]) as usize;
        for bytes in body.chunks_exact(ROW_HEAD_BYTES).take(count) {
            let peer = Peer::from(u16::from_le_bytes([bytes[0], bytes[1]]));
            let behind = u32::from(u16::from_le_bytes([bytes[2], bytes[3]]));
            self.rows.received += 1;
            if peer != self.me && self.put(peer, newest.saturating_sub(behind)) {
                self.rows.new += 1;
                if !std::mem::replace(&mut self.up[peer as usize], true) {
                    self.views.push_back((peer, true));
                }
            }
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if now >= self.due.0 {
            self.due.0 += self.options.period;
            self.put(self.me, stamp(now));
            self.age(now);
        }
        if now >= self.due.1 {
            self.due.1 += self.options.tick;
            if let Some(to) = self.anybody() {
                let datagram = self.freshest(now);
                self.out.push_back((to, datagram));
            }
        }
    }

    fn deadline(&self) -> Instant {
        self.due.0.min(self.due.1)
    }

    fn poll_transmit(&mut self) -> Option<(Peer, Vec<u8>)> {
        self.out.pop_front()
    }

    fn poll_view(&mut self) -> Option<(Peer, bool)> {
        self.views.pop_front()
    }

    fn sampled(&self, peer: Peer) -> Option<Instant> {
        let stamp = self.table.get(peer as usize)?.checked_sub(1)?;
        Some(Instant::from_millis(stamp.into()))
    }

    fn is_up(&self, peer: Peer) -> bool {
        peer == self.me || self.up.get(peer as usize).is_some_and(|up| *up)
    }

    fn rows(&self) -> Rows {
        self.rows
    }
}

impl Push {
    /// Keeps a row if it is newer; whether it was.
    fn put(&mut self, peer: Peer, stamp: u32) -> bool {
        let i = peer as usize;
        if self.table.len() <= i {
            self.table.resize(i + 1, 0);
            self.up.resize(i + 1, false);
        }
        let newer = stamp.saturating_add(1) > self.table[i];
        if newer {
            self.table[i] = stamp.saturating_add(1);
        }
        newer
    }

    fn age(&mut self, now: Instant) {
        let limit = stamp(now).saturating_sub(self.life_ms());
        for (i, (row, up)) in self.table.iter().zip(&mut self.up).enumerate() {
            if *up && *row <= limit {
                *up = false;
                self.views.push_back((i as Peer, false));
            }
        }
    }

    /// A peer drawn at random from the seeds and all that were ever heard of, running or not.
    fn anybody(&mut self) -> Option<Peer> {
        let known = |i: usize, row: u32| i as Peer != self.me && row > 0 && !self.seeds.contains(&(i as Peer));
        let heard = self.table.iter().enumerate().filter(|(i, row)| known(*i, **row)).map(|(i, _)| i as Peer);
        let peers: Vec<Peer> = self.seeds.iter().copied().chain(heard).collect();
        if peers.is_empty() { None } else { Some(peers[self.rng.below(peers.len())]) }
    }

    fn life_ms(&self) -> u32 {
        (self.options.period * DOWN_PERIODS).as_millis() as u32
    }

    /// The freshest rows, as many as fit.
    fn freshest(&mut self, now: Instant) -> Vec<u8> {
        let limit = stamp(now).saturating_sub(self.life_ms().min(u32::from(u16::MAX)));
        let fresh = |(i, row): (usize, &u32)| (*row > limit).then(|| (std::cmp::Reverse(row - 1), i as u16));
        let mut rows: Vec<_> = self.table.iter().enumerate().filter_map(fresh).collect();
        let most = self.options.rows_per_datagram();
        if rows.len() > most {
            rows.select_nth_unstable(most);
            rows.truncate(most);
        }
        let newest = rows.iter().map(|r| r.0.0).max().unwrap_or(0);
        let bytes = (rows.len() as f64 * self.options.row_bytes.max(ROW_HEAD_BYTES as f64)).round() as usize;
        let mut datagram = Vec::with_capacity(HEADER_BYTES + bytes);
        datagram.extend(self.me.to_le_bytes());
        datagram.extend(newest.to_le_bytes());
        datagram.extend((rows.len() as u32).to_le_bytes());
        for (stamp, peer) in &rows {
            datagram.extend(peer.to_le_bytes());
            datagram.extend(((newest - stamp.0) as u16).to_le_bytes());
        }
        // the readings of all rows
        datagram.resize(HEADER_BYTES + bytes, 0);
        self.rows.sent += rows.len() as u64;
        self.rows.sent_bytes += bytes as u64;
        datagram
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: Options =
        Options { period: Duration::from_secs(1), tick: Duration::from_millis(50), row_bytes: 6.5, payload_max: 1_352 };

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    fn node(options: Options, me: Peer, seeds: &[Peer]) -> Push {
        let mut node = Push::new(&options, me, seeds.to_vec(), Rng::new(1), Instant::ZERO);
        node.due = (at(1_000), at(1_000));
        node
    }

    #[test]
    fn a_row_goes_to_a_seed_and_is_news_once() {
        let (mut a, mut b) = (node(OPTIONS, 0, &[1]), node(OPTIONS, 1, &[]));
        a.handle_timeout(at(1_000));
        let (to, datagram) = a.poll_transmit().expect("a tick sends");
        // header, one row of 6.5 bytes rounded
        assert_eq!((to, datagram.len()), (1, 12 + 7));
        assert_eq!(datagram[..16], [0, 0, 0, 0, 0xe8, 3, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
        b.handle_datagram(at(1_001), 0, &datagram);
        b.handle_datagram(at(1_002), 0, &datagram);
        assert_eq!((b.sampled(0), b.rows().received, b.rows().new), (Some(at(1_000)), 2, 1));
        assert_eq!((b.poll_view(), b.poll_view()), (Some((0, true)), None));
        // the seed now knows somebody
        b.handle_timeout(at(1_000));
        assert_eq!(b.poll_transmit().map(|d| d.0), Some(0));
    }

    #[test]
    fn only_the_freshest_fit() {
        let small = Options { row_bytes: 10.0, payload_max: 12 + 35, ..OPTIONS };
        assert_eq!((small.rows_per_datagram(), OPTIONS.rows_per_datagram()), (3, 206));
        let mut a = node(small, 0, &[]);
        for peer in 1..=9 {
            a.put(peer, 100 * peer);
        }
        a.put(0, 650);
        let mut b = node(small, 10, &[]);
        b.handle_datagram(at(1_000), 0, &a.freshest(at(1_000)));
        let held: Vec<_> = (0..10).filter_map(|p| Some((p, b.sampled(p)?))).collect();
        assert_eq!(held, [(7, at(700)), (8, at(800)), (9, at(900))]);
    }

    #[test]
    fn silence_for_ten_periods_is_down_and_a_row_brings_back() {
        let (mut a, mut b) = (node(OPTIONS, 0, &[]), node(OPTIONS, 1, &[]));
        a.put(0, 2_000);
        let datagram = a.freshest(at(2_000));
        b.handle_datagram(at(2_001), 0, &datagram);
        b.age(at(11_999));
        assert!(b.is_up(0));
        b.age(at(12_001));
        assert!(!b.is_up(0) && b.sampled(0).is_some());
        // the same row again is no sign of life
        b.handle_datagram(at(12_002), 0, &datagram);
        assert!(!b.is_up(0));
        a.put(0, 12_000);
        b.handle_datagram(at(12_003), 0, &a.freshest(at(12_000)));
        assert_eq!(std::iter::from_fn(|| b.poll_view()).collect::<Vec<_>>(), [(0, true), (0, false), (0, true)]);
    }

    #[test]
    fn nonsense_is_left_aside() {
        let mut a = node(OPTIONS, 0, &[]);
        a.handle_datagram(at(1), 1, &[0; 11]);
        a.handle_datagram(at(1), 1, &[0xff; 15]);
        assert_eq!(a.rows(), Rows::default());
    }
}

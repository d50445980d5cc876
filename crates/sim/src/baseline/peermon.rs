//! PeerMon's protocol, from its description (Newhall et al., "PeerMon: A Peer-to-Peer Network Monitoring System", and the
//! layout of its datagrams): every node sends its whole table to three peers each period.

use super::{Peer, Protocol, Rows, stamp};
use crate::Rng;
use peermon_model::Instant;
use std::collections::VecDeque;
use std::time::Duration;

/// Peers that get the table each period.
const FANOUT: usize = 3;
/// An entry lives for so many periods without news.
const TTL_MAX: u8 = 10;
/// An entry: address, port, TTL, in-degree, cores, free memory, load, each a `u32`.
const ENTRY_BYTES: usize = 28;
/// A datagram is at most 512 bytes.
const ENTRIES_PER_DATAGRAM: usize = 512 / ENTRY_BYTES;
/// Its port in each entry; it means nothing here.
const PORT: u32 = 1981;

/// What all nodes are told.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How often a node samples, ages its table and sends it. The published 0.16 Mbit/s at 2,200 nodes is that of 10 s.
    pub period: Duration,
}

/// How the three peers of a period are chosen. The periods go through these in turn; equals are drawn at random.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Choice {
    /// Those that the fewest sent to lately, so that new nodes are taken in.
    New,
    /// Those with the least TTL, so that none is forgotten.
    Forgotten,
    /// Those this node has not sent to for longest.
    Longest,
}

const CHOICES: [Choice; 3] = [Choice::New, Choice::Forgotten, Choice::Longest];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Entry {
    ttl: u8,
    in_degree: u16,
    /// The reading: when it was sampled.
    row: u32,
}

/// One node.
#[derive(Debug)]
pub struct PeerMon {
    period: Duration,
    me: Peer,
    seeds: Vec<Peer>,
    table: Vec<Option<Entry>>,
    /// Periods, counted from 1, in which this node last sent to each peer; 0 for never.
    sent_in: Vec<u32>,
    periods: u32,
    /// Who sent to this node since its last period.
    heard: Vec<Peer>,
    due: Instant,
    out: VecDeque<(Peer, Vec<u8>)>,
    views: VecDeque<(Peer, bool)>,
    rows: Rows,
    rng: Rng,
}

impl Protocol for PeerMon {
    type Options = Options;

    fn new(options: &Options, me: Peer, seeds: Vec<Peer>, mut rng: Rng, now: Instant) -> Self {
        let due = now + options.period.mul_f64(rng.unit());
        let (out, views) = (VecDeque::new(), VecDeque::new());
        let (table, sent_in, heard) = (Vec::new(), Vec::new(), Vec::new());
        let period = options.period;
        PeerMon { period, me, seeds, table, sent_in, periods: 0, heard, due, out, views, rows: Rows::default(), rng }
    }

    fn handle_datagram(&mut self, _now: Instant, from: Peer, payload: &[u8]) {
        if !self.heard.contains(&from) {
            self.heard.push(from);
        }
        for bytes in payload.chunks_exact(ENTRY_BYTES) {
            let word = |i: usize| u32::from_le_bytes(bytes[4 * i..4 * i + 4].try_into().expect("four bytes of an entry"));
            let (peer, ttl) = (word(0), word(2).min(u32::from(TTL_MAX)) as u8);
            self.rows.received += 1;
            if peer == self.me || ttl == 0 || peer > Peer::from(u16::MAX) {
                continue;
            }
            let entry = Entry { ttl, in_degree: word(3).min(u32::from(u16::MAX)) as u16, row: word(5) };
            let slot = self.slot(peer);
            // the TTL is all there is to tell newer from older; of equals the later comer stays, which is fresher by 7 %
            if slot.is_some_and(|old| old.ttl > entry.ttl) {
                continue;
            }
            let (first, news) = (slot.is_none(), slot.is_none_or(|old| old.row < entry.row));
            *slot = Some(entry);
            self.rows.new += u64::from(news);
            if first {
                self.views.push_back((peer, true));
            }
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if now < self.due {
            return;
        }
        self.due += self.period;
        self.periods += 1;
        self.age();
        let in_degree = std::mem::take(&mut self.heard).len() as u16;
        *self.slot(self.me) = Some(Entry { ttl: TTL_MAX, in_degree, row: stamp(now) });
        let to = self.choose(CHOICES[self.periods as usize % CHOICES.len()]);
        for peer in &to {
            self.slot(*peer);
            self.sent_in[*peer as usize] = self.periods;
        }
        let whole: Vec<Vec<u8>> = self.datagrams();
        for peer in to {
            self.out.extend(whole.iter().map(|d| (peer, d.clone())));
            let entries = self.table.iter().flatten().count();
            self.rows.sent += entries as u64;
            self.rows.sent_bytes += (entries * ENTRY_BYTES) as u64;
        }
    }

    fn deadline(&self) -> Instant {
        self.due
    }

    fn poll_transmit(&mut self) -> Option<(Peer, Vec<u8>)> {
        self.out.pop_front()
    }

    fn poll_view(&mut self) -> Option<(Peer, bool)> {
        self.views.pop_front()
    }

    fn sampled(&self, peer: Peer) -> Option<Instant> {
        let entry = self.table.get(peer as usize)?.as_ref()?;
        Some(Instant::from_millis(entry.row.into()))
    }

    fn is_up(&self, peer: Peer) -> bool {
        self.sampled(peer).is_some()
    }

    fn rows(&self) -> Rows {
        self.rows
    }
}

impl PeerMon {
    fn slot(&mut self, peer: Peer) -> &mut Option<Entry> {
        let i = peer as usize;
        if self.table.len() <= i {
            self.table.resize(i + 1, None);
            self.sent_in.resize(i + 1, 0);
        }
        &mut self.table[i]
    }

    /// Counts every TTL down; what reaches 0 is gone.
    fn age(&mut self) {
        for (peer, slot) in self.table.iter_mut().enumerate() {
            let Some(entry) = slot else { continue };
            entry.ttl -= 1;
            if entry.ttl == 0 {
                *slot = None;
                if peer as Peer != self.me {
                    self.views.push_back((peer as Peer, false));
                }
            }
        }
    }

    /// Three peers of the table; in the first period, and as long as it is empty, those of the configuration.
    fn choose(&mut self, choice: Choice) -> Vec<Peer> {
        let mut peers = Vec::with_capacity(self.table.len());
        for (i, slot) in self.table.iter().enumerate() {
            let Some(entry) = slot.filter(|_| i as Peer != self.me) else { continue };
            let key = match choice {
                Choice::New => u32::from(entry.in_degree),
                Choice::Forgotten => u32::from(entry.ttl),
                Choice::Longest => self.sent_in[i],
            };
            peers.push((key, self.rng.bits(), i as Peer));
        }
        if peers.is_empty() || self.periods == 1 && !self.seeds.is_empty() {
            return self.seeds.iter().copied().take(FANOUT).collect();
        }
        if peers.len() > FANOUT {
            peers.select_nth_unstable(FANOUT - 1);
        }
        peers.iter().take(FANOUT).map(|p| p.2).collect()
    }

    /// The whole table.
    fn datagrams(&self) -> Vec<Vec<u8>> {
        let entries: Vec<(usize, Entry)> = self.table.iter().enumerate().filter_map(|(i, e)| Some((i, (*e)?))).collect();
        let encode = |(i, e): &(usize, Entry)| {
            let words = [*i as u32, PORT, e.ttl.into(), e.in_degree.into(), 16, e.row, 0];
            words.into_iter().flat_map(u32::to_le_bytes)
        };
        entries.chunks(ENTRIES_PER_DATAGRAM).map(|c| c.iter().flat_map(encode).collect()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(10);

    fn node(me: Peer, seeds: &[Peer]) -> PeerMon {
        let mut node = PeerMon::new(&Options { period: PERIOD }, me, seeds.to_vec(), Rng::new(1), Instant::ZERO);
        node.due = Instant::ZERO;
        node
    }

    fn sent(node: &mut PeerMon) -> Vec<(Peer, Vec<u8>)> {
        std::iter::from_fn(|| node.poll_transmit()).collect()
    }

    /// An entry as it lies in a datagram, by hand.
    fn entry(peer: u32, ttl: u32, in_degree: u32, row: u32) -> Vec<u8> {
        [peer, PORT, ttl, in_degree, 16, row, 0].into_iter().flat_map(u32::to_le_bytes).collect()
    }

    #[test]
    fn a_new_node_sends_itself_to_the_three_it_was_told() {
        let mut a = node(0, &[1, 2, 3, 4]);
        a.handle_timeout(Instant::ZERO);
        assert_eq!(sent(&mut a), [1, 2, 3].map(|p| (p, entry(0, 10, 0, 0))));
        assert_eq!(a.deadline(), Instant::ZERO + PERIOD);
        assert_eq!(a.rows(), Rows { sent: 3, sent_bytes: 84, ..Rows::default() });
    }

    #[test]
    fn the_higher_ttl_wins_and_an_entry_lives_ten_periods() {
        let mut a = node(0, &[]);
        a.handle_datagram(Instant::ZERO, 7, &entry(7, 9, 0, 500));
        // the second is newer, but its TTL does not say so
        a.handle_datagram(Instant::ZERO, 8, &[entry(7, 9, 0, 900), entry(7, 8, 0, 950)].concat());
        assert_eq!(a.sampled(7), Some(Instant::from_millis(900)));
        a.handle_datagram(Instant::ZERO, 8, &entry(7, 10, 0, 940));
        assert_eq!((a.sampled(7), a.rows().received, a.rows().new), (Some(Instant::from_millis(940)), 4, 3));
        for period in 0..10 {
            assert!(a.is_up(7), "period {period}");
            a.handle_timeout(a.deadline());
        }
        assert!(!a.is_up(7) && a.is_up(0));
        assert_eq!(std::iter::from_fn(|| a.poll_view()).collect::<Vec<_>>(), [(7, true), (7, false)]);
    }

    #[test]
    fn each_choice_follows_its_rule() {
        let mut a = node(0, &[]);
        for peer in 1..=6 {
            a.handle_datagram(Instant::ZERO, peer, &entry(peer, 10 - peer, peer % 4, 0));
        }
        a.sent_in.copy_from_slice(&[0, 5, 1, 4, 2, 3, 6]);
        let mut chosen = |choice| {
            let mut peers = a.choose(choice);
            peers.sort_unstable();
            peers
        };
        // in-degrees 1, 2, 3, 0, 1, 2; TTLs 9 to 4
        assert_eq!(chosen(Choice::New), [1, 4, 5]);
        assert_eq!(chosen(Choice::Forgotten), [4, 5, 6]);
        assert_eq!(chosen(Choice::Longest), [2, 4, 5]);
    }

    #[test]
    fn eighteen_entries_fill_a_datagram() {
        let mut a = node(0, &[]);
        for peer in 1..=36 {
            a.handle_datagram(Instant::ZERO, 1, &entry(peer, 10, 0, 0));
        }
        a.handle_timeout(Instant::ZERO);
        let lengths: Vec<usize> = sent(&mut a).iter().map(|d| d.1.len()).collect();
        assert_eq!(lengths, [504, 504, 28].repeat(3));
    }

    #[test]
    fn nonsense_is_left_aside() {
        let mut a = node(0, &[]);
        a.handle_datagram(Instant::ZERO, 1, &[entry(3, 0, 0, 0), entry(u32::MAX, 10, 0, 0), entry(0, 10, 0, 9)].concat());
        a.handle_datagram(Instant::ZERO, 1, &entry(4, 10, 0, 0)[..27]);
        assert!([0, 3, 4].iter().all(|p| !a.is_up(*p)));
    }
}

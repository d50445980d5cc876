//! Hostile datagrams: what anybody can send who sees some of the cluster's traffic and has no key.

use crate::{Host, Rng};
use peermon_model::Instant;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

/// How many of each kind were sent.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Attack {
    /// Random bytes.
    pub garbage: u64,
    /// The beginning of a real datagram.
    pub cut: u64,
    /// A real datagram with one or two bits turned.
    pub flipped: u64,
    /// A real datagram again, to whom it was for, from its own address or another.
    pub replayed: u64,
    /// A real datagram to somebody else, its sender among them.
    pub reflected: u64,
}

/// Whoever sends them: sees all traffic, keeps some of it for later.
#[derive(Debug)]
pub(crate) struct Attacker {
    pub(crate) sent: Attack,
    /// Its own chance: what it does changes nobody else's.
    rng: Rng,
    /// Datagrams per second; 0: none.
    rate: f64,
    kept: VecDeque<Capture>,
}

#[derive(Debug)]
struct Capture {
    at: Instant,
    from: SocketAddr,
    to: usize,
    payload: Vec<u8>,
}

/// Datagrams kept, and the share of all that is.
const KEPT: usize = 400;
const KEPT_SHARE: f64 = 0.05;
/// A capture is used once it is this old: an attacker is never ahead of the original. Most are from the last seconds, some
/// from minutes ago.
const AGED: Duration = Duration::from_millis(50);
/// Largest payload an Ethernet frame carries.
const LARGEST: usize = 1_472;
/// An address outside the cluster.
const OUTSIDE: ([u8; 4], u16) = ([192, 0, 2, 7], 53);

impl Attacker {
    pub(crate) fn new(seed: u64) -> Self {
        Attacker { sent: Attack::default(), rng: Rng::new(seed), rate: 0.0, kept: VecDeque::new() }
    }

    pub(crate) fn set_rate(&mut self, rate: f64) {
        self.rate = rate;
    }

    pub(crate) fn is_on(&self) -> bool {
        self.rate > 0.0
    }

    /// Until it sends again; nothing if it has ended.
    pub(crate) fn pause(&mut self) -> Option<Duration> {
        self.is_on().then(|| Duration::from_secs_f64(self.rng.exponential(1.0 / self.rate)))
    }

    pub(crate) fn overhear(&mut self, at: Instant, from: SocketAddr, to: usize, payload: &[u8]) {
        if !self.is_on() || !self.rng.chance(KEPT_SHARE) {
            return;
        }
        let capture = Capture { at, from, to, payload: payload.to_vec() };
        if self.kept.len() < KEPT {
            self.kept.push_back(capture);
        } else {
            // any of them makes room, so that some stay for long
            let i = self.rng.below(KEPT);
            self.kept[i] = capture;
        }
    }

    /// The next datagram: from where, to whom.
    pub(crate) fn strike(&mut self, now: Instant, hosts: &[Host]) -> Option<(SocketAddr, usize, Vec<u8>)> {
        let anybody = self.rng.below(hosts.len());
        let from = match self.rng.below(3) {
            0 => SocketAddr::from(OUTSIDE),
            _ => hosts[self.rng.below(hosts.len())].address,
        };
        let kind = self.rng.below(5);
        if kind == 0 {
            self.sent.garbage += 1;
            let bytes = self.rng.below(LARGEST);
            return Some((from, anybody, (0..bytes).map(|_| self.rng.bits() as u8).collect()));
        }
        let k = self.rng.below(self.kept.len().max(1));
        let capture = self.kept.get(k).filter(|c| now - c.at >= AGED)?;
        let (to, mut payload) = (capture.to, capture.payload.clone());
        let from = if self.rng.chance(0.5) { capture.from } else { from };
        match kind {
            1 => {
                self.sent.cut += 1;
                payload.truncate(self.rng.below(payload.len()));
                Some((from, to, payload))
            }
            2 => {
                self.sent.flipped += 1;
                for _ in 0..=self.rng.below(2) {
                    let bit = self.rng.below(payload.len() * 8);
                    payload[bit / 8] ^= 1 << (bit % 8);
                }
                Some((from, to, payload))
            }
            3 => {
                self.sent.replayed += 1;
                Some((from, to, payload))
            }
            _ => {
                self.sent.reflected += 1;
                let sender = hosts.iter().position(|h| h.address == capture.from);
                let to = if self.rng.chance(0.5) { sender.unwrap_or(anybody) } else { anybody };
                Some((from, to, payload))
            }
        }
    }
}

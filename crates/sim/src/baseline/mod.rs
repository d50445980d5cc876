//! Other protocols as whole nodes on the same made-up network, to measure this project's own beside them.
//!
//! A baseline is a small state machine with the verbs of every core here: it takes datagrams and time, and gives datagrams and
//! views. [`Crowd`] runs many of one kind with real messages, latency and loss from [`crate::Network`]. What a baseline needs
//! beyond its description is made easy for it: clocks agree perfectly, and its datagrams are neither sealed nor signed.
//!
//! ```
//! use peermon_sim::baseline::{Crowd, PeerMon, PeerMonOptions};
//! use std::time::Duration;
//! let mut crowd = Crowd::<PeerMon>::new(1, PeerMonOptions { period: Duration::from_secs(1) });
//! crowd.start_cluster(10);
//! crowd.run_for(Duration::from_secs(10));
//! assert!(crowd.all_know_all());
//! ```

mod crowd;
mod peermon;
mod push;

pub use crowd::{Crowd, Machine};
pub use peermon::{Options as PeerMonOptions, PeerMon};
pub use push::{Options as PushOptions, Push};

use crate::Rng;
use peermon_model::Instant;

/// A machine's number: what an address is in the baselines' tables.
pub type Peer = u32;

/// One node of another protocol.
pub trait Protocol {
    /// What all nodes are told at start.
    type Options: Clone;

    /// A node that starts now and knows these peers from its configuration.
    fn new(options: &Self::Options, me: Peer, seeds: Vec<Peer>, rng: Rng, now: Instant) -> Self;

    /// Takes a datagram, with where it came from. What makes no sense is left aside.
    fn handle_datagram(&mut self, now: Instant, from: Peer, payload: &[u8]);

    /// Does what is due.
    fn handle_timeout(&mut self, now: Instant);

    /// When [`Protocol::handle_timeout`] is wanted next.
    fn deadline(&self) -> Instant;

    /// The next datagram to send, and to whom.
    fn poll_transmit(&mut self) -> Option<(Peer, Vec<u8>)>;

    /// The next change of view: whose, and whether it is up now.
    fn poll_view(&mut self) -> Option<(Peer, bool)>;

    /// When the row held of this peer was sampled; none if there is no row.
    fn sampled(&self, peer: Peer) -> Option<Instant>;

    /// Whether this peer counts as running.
    fn is_up(&self, peer: Peer) -> bool;

    /// What happened since the start.
    fn rows(&self) -> Rows;
}

/// Rows counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rows {
    /// Sent.
    pub sent: u64,
    /// Bytes of those, without any header.
    pub sent_bytes: u64,
    /// Received.
    pub received: u64,
    /// Received and news.
    pub new: u64,
}

/// The moment a row was sampled, as it travels: whole milliseconds of the world's time. The made-up machine's reading is that
/// moment, so what a node holds tells how old it is.
fn stamp(now: Instant) -> u32 {
    u32::try_from(now.as_micros() / 1000).unwrap_or(u32::MAX)
}

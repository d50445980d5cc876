//! Membership and dissemination of records as a pure state machine: the protocol "wave".
//!
//! Every node holds every node's signed record and its latest row of vitals. Rows are sampled at the same moment of a shared
//! cluster clock and cross the cluster once a period as one wave, each origin's down a tree of its own, over links that a
//! few rings of all members define. The same links watch over their ends. `docs/internals/gossip.md` tells the state, the
//! invariants and why each rule keeps them.
//!
//! What it is not: it opens no socket, reads no clock and draws no random number; see [`Engine`].
//!
//! ```
//! use peermon_gossip::{Bands, Config, Destination, Engine};
//! use peermon_model::{Facts, Incarnation, Instant, NodeId, Record, Sequence};
//! use peermon_trust::{ClusterKey, Keyring, NodeKey};
//! use std::{net::SocketAddr, time::Duration};
//!
//! let address = |n: u8| SocketAddr::from(([127, 0, 0, n], 19810));
//! let node = |n: u8, seeds: Vec<SocketAddr>| {
//!     let key = NodeKey::from_seed(&[n; 32]);
//!     let record = Record {
//!         id: key.id(), incarnation: Incarnation(1), sequence: Sequence(0), salt: [0; 16],
//!         name: format!("node-{n}").parse().unwrap(), addresses: vec![address(n)], period: Duration::from_secs(1), budget: 0,
//!         zone: Default::default(), left: false, listen_only: false, key_held: 1, facts: Facts::default(), custom: vec![], notices: vec![],
//!         facts_dropped: 0,
//!     };
//!     let config = Config { seeds, discovery: false, ..Config::default() };
//!     Engine::new(config, key, Keyring::new(1, ClusterKey::new([9; 32])), record, Bands::default(), [n; 32], Instant::ZERO)
//! };
//! let mut nodes = [(address(1), node(1, vec![])), (address(2), node(2, vec![address(1)]))];
//! let mut now = Instant::ZERO;
//! while nodes[0].1.members_up() < 2 {
//!     now += Duration::from_millis(1);
//!     for i in 0..2 {
//!         nodes[i].1.handle_timeout(now);
//!         while let Some(datagram) = nodes[i].1.poll_transmit() {
//!             let from = nodes[i].0;
//!             let Destination::Peer(to) = datagram.to else { continue };
//!             let other = nodes.iter_mut().find(|n| n.0 == to).unwrap();
//!             other.1.handle_datagram(now, from, &mut datagram.payload.clone());
//!         }
//!     }
//! }
//! assert!(now < Instant::from_millis(300));
//! ```

mod bits;
mod config;
mod counters;
mod engine;
mod rng;
mod time;
mod wire;

pub use config::{Config, PERIODS};
pub use counters::Counters;
pub use engine::{
    Bands, ClaimError, ClockInfo, Destination, Engine, Event, Held, LinkInfo, LinkRole, PaceInfo, Published, SendError,
    SharedRecords, Transmit,
};
pub use time::{ClusterTime, Version};

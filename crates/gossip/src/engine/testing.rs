//! Nodes for tests.

use crate::{Bands, Config, Engine};
use peermon_model::{Facts, Incarnation, Instant, Record, Sequence};
use peermon_trust::{ClusterKey, Keyring, NodeKey};
use std::net::SocketAddr;
use std::time::Duration;

pub(crate) fn address(n: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, n as u8 + 1], 19810))
}

/// The `n`th node, started now.
pub(crate) fn engine(now: Instant, n: usize, zone: &str, seeds: Vec<SocketAddr>) -> Engine {
    let key = NodeKey::from_seed(&[n as u8 + 1; 32]);
    let record = Record {
        id: key.id(),
        incarnation: Incarnation(now.as_micros() as u32 + 1),
        sequence: Sequence(0),
        salt: [0; 16],
        name: format!("node-{n}").parse().expect("a name"),
        addresses: vec![address(n)],
        period: Duration::from_secs(1),
        budget: 0,
        zone: zone.parse().expect("a name"),
        left: false,
        listen_only: false,
        key_held: 1,
        facts: Facts::default(),
        custom: vec![],
        notices: vec![],
        facts_dropped: 0,
    };
    let config = Config { seeds, discovery: false, ..Config::default() };
    let mut seed = [n as u8; 32];
    seed[..8].copy_from_slice(&now.as_micros().to_le_bytes());
    Engine::new(config, key, Keyring::new(1, ClusterKey::new([9; 32])), record, Bands::default(), seed, now)
}

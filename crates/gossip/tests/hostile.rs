//! Whatever comes from outside: a datagram that is replayed, cut, altered, made up or sealed with another key changes
//! nothing and is counted by its reason; nothing panics, also not for members who send nonsense.

use peermon_gossip::{Bands, Config, Destination, Engine, Transmit};
use peermon_model::{Facts, Incarnation, Instant, NodeId, Record, Sequence, Vitals, vitals::Slot};
use peermon_trust::{ClusterKey, Keyring, NodeKey};
use proptest::prelude::*;
use std::net::SocketAddr;
use std::time::Duration;

fn address(n: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, n], 19810))
}

fn engine(n: u8, cluster: u8, seeds: Vec<SocketAddr>) -> Engine {
    engine_at(Instant::ZERO, n, cluster, seeds)
}

fn engine_at(now: Instant, n: u8, cluster: u8, seeds: Vec<SocketAddr>) -> Engine {
    let key = NodeKey::from_seed(&[n; 32]);
    let record = Record {
        id: key.id(),
        incarnation: Incarnation(1),
        sequence: Sequence(0),
        salt: [0; 16],
        name: format!("node-{n}").parse().expect("a name"),
        addresses: vec![address(n)],
        period: Duration::from_secs(1),
        budget: 0,
        zone: peermon_model::ZoneName::default(),
        left: false,
        listen_only: false,
        key_held: 1,
        facts: Facts::default(),
        custom: vec![],
        notices: vec![],
        facts_dropped: 0,
    };
    let config = Config { seeds, discovery: false, ..Config::default() };
    Engine::new(config, key, Keyring::new(1, ClusterKey::new([cluster; 32])), record, Bands::default(), [n; 32], now)
}

/// Three nodes that talk, and everything that was said.
struct Scene {
    engines: Vec<Engine>,
    now: Instant,
    said: Vec<(SocketAddr, SocketAddr, Vec<u8>)>,
}

impl Scene {
    fn new() -> Self {
        let engines = vec![engine(1, 9, vec![]), engine(2, 9, vec![address(1)]), engine(3, 9, vec![address(1)])];
        let mut scene = Scene { engines, now: Instant::ZERO, said: Vec::new() };
        scene.run(Duration::from_secs(4));
        assert!(scene.engines.iter().all(|e| e.members_up() == 3));
        scene
    }

    fn run(&mut self, d: Duration) {
        let end = self.now + d;
        while self.now < end {
            self.now += Duration::from_millis(1);
            for i in 0..self.engines.len() {
                self.engines[i].handle_timeout(self.now);
                let row = row(self.now.as_micros() as u8);
                while let Some(e) = self.engines[i].poll_event() {
                    if e == peermon_gossip::Event::SampleDue {
                        self.engines[i].publish(self.now, &row);
                    }
                }
                while let Some(Transmit { to: Destination::Peer(to), payload }) = self.engines[i].poll_transmit() {
                    let from = address(i as u8 + 1);
                    self.said.push((from, to, payload.clone()));
                    if let Some(e) = (1..=self.engines.len()).find(|n| address(*n as u8) == to) {
                        self.engines[e - 1].handle_datagram(self.now, from, &mut payload.clone());
                    }
                }
            }
        }
    }

    /// All that a table shows, in words.
    fn table(&self) -> String {
        let e = &self.engines[0];
        let nodes: Vec<_> = e.snapshot(self.now).nodes.iter().map(|n| (n.record.id, n.state, n.record.rank())).collect();
        format!("{nodes:?} {:?} {:?}", e.rows().collect::<Vec<_>>(), e.cluster_time(self.now))
    }

    /// Gives the first node a datagram; the counters of refusals that moved.
    fn give(&mut self, from: SocketAddr, mut datagram: Vec<u8>) -> Vec<&'static str> {
        let refusals = |e: &Engine| -> Vec<(&'static str, u64)> {
            e.counters().iter().filter(|c| c.0.starts_with("gossip.dropped.")).map(|c| (c.0, c.2)).collect()
        };
        let before = refusals(&self.engines[0]);
        self.engines[0].handle_datagram(self.now, from, &mut datagram);
        refusals(&self.engines[0]).iter().zip(&before).filter(|(a, b)| a.1 > b.1).map(|(a, _)| a.0).collect()
    }
}

fn row(value: u8) -> Vitals {
    let mut v = Vitals::default();
    v.put(Slot::new(0).expect("a slot"), value % 200);
    v
}

/// The last ordinary packets that the first node received.
fn heard(scene: &Scene) -> Vec<(SocketAddr, Vec<u8>)> {
    let to_first = scene.said.iter().filter(|(_, to, p)| *to == address(1) && p[0] & 7 < 3);
    to_first.rev().take(50).map(|(from, _, p)| (*from, p.clone())).collect()
}

#[test]
fn versions_older_than_half_their_range_do_no_harm() {
    let mut scene = Scene { engines: vec![engine(1, 9, vec![])], now: Instant::ZERO, said: Vec::new() };
    scene.run(Duration::from_secs(3));
    // two young nodes meet one whose clock is 400 days old; the versions of both sides' rows do not compare
    scene.now += Duration::from_secs(400 * 24 * 3600);
    scene.engines.push(engine_at(scene.now, 2, 9, vec![]));
    scene.engines.push(engine_at(scene.now, 3, 9, vec![address(2)]));
    scene.run(Duration::from_secs(3));
    let now = scene.now;
    scene.engines[1].contact_addresses(now, &[address(1)]);
    scene.run(Duration::from_secs(4));
    for e in &scene.engines {
        let ages: Vec<_> = e.snapshot(scene.now).nodes.iter().map(|n| n.age).collect();
        assert!(ages.len() == 3 && ages.iter().all(|a| a.is_some_and(|a| a < Duration::from_millis(1_200))), "{ages:?}");
        assert_eq!(e.members_up(), 3);
    }
}

#[test]
fn what_was_heard_before_changes_nothing() {
    let mut scene = Scene::new();
    let before = scene.table();
    for (from, datagram) in heard(&scene) {
        assert_eq!(scene.give(from, datagram), ["gossip.dropped.replayed"]);
    }
    assert_eq!(scene.table(), before);
    // nor does it at another node, or at this one in a later life
    let datagrams = heard(&scene);
    for (from, datagram) in &datagrams {
        let mut second = datagram.clone();
        scene.engines[1].handle_datagram(scene.now, *from, &mut second);
    }
    let c = *scene.engines[1].counters();
    assert_eq!(c.dropped_forged + c.dropped_stranger + c.dropped_replayed, datagrams.len() as u64);
}

#[test]
fn what_is_cut_or_altered_changes_nothing() {
    let mut scene = Scene::new();
    // packets that the first node has not heard: the next ones that are sent to it
    scene.said.clear();
    let mut quiet = std::mem::take(&mut scene.engines);
    quiet[1].handle_timeout(scene.now + Duration::from_secs(1));
    quiet[1].publish(scene.now + Duration::from_secs(1), &row(7));
    scene.engines = quiet;
    let fresh: Vec<Vec<u8>> = std::iter::from_fn(|| scene.engines[1].poll_transmit())
        .filter(|t| t.to == Destination::Peer(address(1)))
        .map(|t| t.payload)
        .collect();
    assert!(!fresh.is_empty());
    let before = scene.table();
    for datagram in &fresh {
        for i in 0..datagram.len() {
            let mut altered = datagram.clone();
            altered[i] ^= 0x10;
            let refused = scene.give(address(2), altered);
            assert_eq!(refused.len(), 1, "byte {i}: {refused:?}");
            let refused = scene.give(address(2), datagram[..i].to_vec());
            assert_eq!(refused.len(), 1, "cut at {i}: {refused:?}");
        }
    }
    assert_eq!(scene.table(), before);
    // and the very same packets, whole, are welcome
    for datagram in fresh {
        assert!(scene.give(address(2), datagram).is_empty());
    }
    assert_ne!(scene.table(), before);
}

#[test]
fn a_stranger_with_another_key_is_refused() {
    let mut scene = Scene::new();
    let before = scene.table();
    let mut stranger = engine(4, 8, vec![address(1)]);
    stranger.handle_timeout(scene.now);
    let hello = stranger.poll_transmit().expect("it asks its seed");
    assert_eq!(scene.give(address(4), hello.payload.clone()), ["gossip.dropped.key"]);
    // a key that happens to have the same id does not help
    let mut same_id = hello.payload;
    same_id[1] = ClusterKey::new([9; 32]).id();
    assert_eq!(scene.give(address(4), same_id), ["gossip.dropped.forged"]);
    assert_eq!(scene.table(), before);
    assert!(scene.engines[0].poll_transmit().is_none(), "it is not even answered");
}

#[test]
fn addresses_not_allowed_are_refused_unread() {
    let mut scene = Scene::new();
    let allow = peermon_model::AllowList(vec!["10.0.0.0/30".parse().expect("a prefix")]);
    scene.engines[0].set_allow(allow);
    assert_eq!(scene.give("192.168.0.1:1".parse().expect("valid"), vec![0x10; 100]), ["gossip.dropped.address"]);
}

#[test]
fn a_greeting_needs_a_cookie_of_its_own_address() {
    let mut scene = Scene::new();
    let greeting =
        scene.said.iter().find(|(f, to, p)| *f == address(2) && *to == address(1) && p[0] & 7 == 3 && p.len() > 200).cloned();
    let (_, _, greeting) = greeting.expect("the second node greeted the first");
    let before = scene.table();
    assert_eq!(scene.give("10.9.9.9:5".parse().expect("valid"), greeting), ["gossip.dropped.cookie"]);
    assert_eq!(scene.table(), before);
}

#[test]
fn a_key_shared_by_two_machines_is_found_out() {
    let mut scene = Scene::new();
    // a cloned image: the third machine again, elsewhere
    let clone = engine(3, 9, vec![address(1)]);
    scene.engines.push({
        let key = NodeKey::from_seed(&[3; 32]);
        let record = Record { addresses: vec![address(4)], ..clone.record().clone() };
        let config = Config { seeds: vec![address(1)], discovery: false, ..Config::default() };
        Engine::new(config, key, Keyring::new(1, ClusterKey::new([9; 32])), record, Bands::default(), [77; 32], scene.now)
    });
    let mut told = 0;
    for _ in 0..6_000 {
        scene.now += Duration::from_millis(10);
        for i in 0..4 {
            scene.engines[i].handle_timeout(scene.now);
            while let Some(e) = scene.engines[i].poll_event() {
                match e {
                    peermon_gossip::Event::SampleDue => scene.engines[i].publish(scene.now, &row(3)),
                    peermon_gossip::Event::DuplicateId { .. } => told += 1,
                    _ => {}
                }
            }
            while let Some(Transmit { to: Destination::Peer(to), payload }) = scene.engines[i].poll_transmit() {
                if let Some(e) = (1..=4).find(|n| address(*n) == to) {
                    scene.engines[e as usize - 1].handle_datagram(scene.now, address(i as u8 + 1), &mut payload.clone());
                }
            }
        }
    }
    assert!(told > 0, "one of the two is told to make itself a new key");
    let ids: Vec<NodeId> = scene.engines.iter().map(|e| e.record().id).collect();
    assert_eq!(ids[2], ids[3]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_bytes_panic_or_change_anything(datagrams in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..200), 0..8u8), 1..40)) {
        let mut scene = Scene { engines: vec![engine(1, 9, vec![])], now: Instant::from_millis(10), said: vec![] };
        let before = scene.table();
        for (mut datagram, kind) in datagrams {
            if let Some(first) = datagram.first_mut() { *first = 0x10 | kind; }
            let refused = scene.give(address(2), datagram);
            prop_assert_eq!(refused.len(), 1);
        }
        prop_assert_eq!(scene.table(), before);
    }
}

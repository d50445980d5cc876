//! Members who send nonsense: sections that only a holder of the key can send, of pieces that mean something.

use crate::engine::members::tag;
use crate::engine::testing::{address, engine};
use crate::wire::Reader;
use crate::wire::packet::{Alarm, put_section, section};
use crate::{Destination, Engine, Event, Transmit, Version};
use peermon_model::{Instant, Vitals};
use proptest::prelude::*;
use std::time::Duration;

/// Four nodes of one zone and two of another.
const ZONES: [&str; 6] = ["a", "a", "a", "a", "b", "b"];

fn member(i: usize) -> Engine {
    engine(Instant::ZERO, i, ZONES[i], if i == 0 { vec![] } else { vec![address(0)] })
}

struct Scene {
    engines: Vec<Engine>,
    now: Instant,
}

impl Scene {
    fn new() -> Self {
        let mut scene = Scene { engines: (0..ZONES.len()).map(member).collect(), now: Instant::ZERO };
        scene.run(Duration::from_secs(5));
        assert!(scene.all_know_all());
        scene
    }

    fn all_know_all(&self) -> bool {
        self.engines.iter().all(|e| e.members_up() == ZONES.len())
    }

    fn run(&mut self, d: Duration) {
        let end = self.now + d;
        while self.now < end {
            self.now += Duration::from_millis(2);
            for i in 0..self.engines.len() {
                self.engines[i].handle_timeout(self.now);
                while let Some(event) = self.engines[i].poll_event() {
                    if event == Event::SampleDue {
                        self.engines[i].publish(self.now, &Vitals::default());
                    }
                }
                while let Some(Transmit { to: Destination::Peer(to), mut payload }) = self.engines[i].poll_transmit() {
                    if let Some(e) = (0..self.engines.len()).find(|e| address(*e) == to) {
                        self.engines[e].handle_datagram(self.now, address(i), &mut payload);
                    }
                }
            }
        }
    }

    /// The first node hears this from its neighbours.
    fn say(&mut self, link: usize, sections: &[u8]) {
        let (now, engine) = (self.now, &mut self.engines[0]);
        let links: Vec<usize> = engine.link_indices().collect();
        // all may have been accused in the same moment
        if let Some(l) = links.get(link % links.len().max(1)) {
            // who sends nonsense is heard no further in that packet
            let _malformed = engine.sections(now, *l, Reader(sections));
        }
    }
}

/// Pieces of sections.
#[derive(Clone, Debug)]
enum Piece {
    Byte(u8),
    Small(u8),
    Nid(usize),
    Tag(usize),
    /// So many ticks from now.
    Version(i8),
    Alarm(usize, i8, u8, u32),
    Claim(usize, usize, i8),
}

fn piece() -> impl Strategy<Value = Piece> {
    let who = 0..ZONES.len();
    prop_oneof![
        any::<u8>().prop_map(Piece::Byte),
        (0u8..8).prop_map(Piece::Small),
        who.clone().prop_map(Piece::Nid),
        who.prop_map(Piece::Tag),
        any::<i8>().prop_map(Piece::Version),
        alarm(),
        claim(),
    ]
}

fn alarm() -> impl Strategy<Value = Piece> {
    (0..ZONES.len(), -2i8..8, 1u8..4, 0u32..4).prop_map(|(who, at, phase, by)| Piece::Alarm(who, at, phase, by))
}

fn claim() -> impl Strategy<Value = Piece> {
    (0..ZONES.len(), 0..ZONES.len(), -70i8..8).prop_map(|(by, of, at)| Piece::Claim(by, of, at))
}

/// A section's number and what is in it: anything, or what is made to be understood.
fn part() -> impl Strategy<Value = (u8, Vec<Piece>)> {
    prop_oneof![
        (1u8..17, prop::collection::vec(piece(), 0..12)),
        (Just(section::ALARM), prop::collection::vec(alarm(), 1..12)),
        (Just(section::CLAIM), prop::collection::vec(claim(), 1..4)),
    ]
}

impl Scene {
    fn version(&self, ticks: i8) -> Version {
        let now = self.engines[0].now_version(self.now);
        Version(now.0.wrapping_add_signed(i32::from(ticks)))
    }

    fn write(&self, pieces: &[Piece]) -> Vec<u8> {
        let (mut out, record) = (Vec::new(), |i: usize| self.engines[i].record());
        for piece in pieces {
            match *piece {
                Piece::Byte(b) | Piece::Small(b) => out.push(b),
                Piece::Nid(i) => out.extend(record(i).id.nid().to_le_bytes()),
                Piece::Tag(i) => out.extend(tag(&record(i).salt).to_le_bytes()),
                Piece::Version(ticks) => out.extend(self.version(ticks).0.to_le_bytes()),
                Piece::Alarm(i, ticks, phase, by) => {
                    Alarm { nid: record(i).id.nid(), at: self.version(ticks), phase, by }.write(&mut out);
                }
                Piece::Claim(by, of, ticks) => {
                    out.extend(tag(&record(by).salt).to_le_bytes());
                    out.extend([1, 0]);
                    out.extend(tag(&record(of).salt).to_le_bytes());
                    out.extend(self.version(ticks).0.to_le_bytes());
                    out.extend([64, 8, 1, 0]);
                }
            }
        }
        out
    }
}

#[test]
fn a_peer_that_accuses_itself_and_then_somebody_else_is_heard_no_further() {
    let mut scene = Scene::new();
    let peer = scene.engines[0].links[0].as_ref().and_then(|l| l.member).expect("a member");
    let who = |h| (0..ZONES.len()).find(|i| scene.engines[0].members.at(h).nid == scene.engines[*i].record().id.nid());
    let (peer, other) = (who(peer).expect("one of them"), if who(peer) == Some(1) { 2 } else { 1 });
    let mut sections = Vec::new();
    let alarms = [Piece::Alarm(peer, 0, 2, 1), Piece::Alarm(peer, 0, 2, 2), Piece::Alarm(other, 0, 1, 3)];
    put_section(&mut sections, section::ALARM, &scene.write(&alarms));
    scene.say(0, &sections);
    assert_eq!(scene.engines[0].members_up(), ZONES.len() - 1, "two accusers are enough");
    scene.run(Duration::from_secs(3));
    assert!(scene.all_know_all(), "it lives");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn nonsense_of_members_panics_nobody_and_lasts_for_moments(
        said in prop::collection::vec((0usize..8, prop::collection::vec(part(), 1..5)), 1..40),
    ) {
        let mut scene = Scene::new();
        for (link, parts) in &said {
            let mut sections = Vec::new();
            for (kind, pieces) in parts {
                // a key made up by a member would be taken, and all would have it before long
                if *kind != section::KEY {
                    put_section(&mut sections, *kind, &scene.write(pieces));
                }
            }
            scene.say(*link, &sections);
            scene.run(Duration::from_millis(50));
        }
        scene.run(Duration::from_secs(12));
        prop_assert!(scene.all_know_all());
    }
}

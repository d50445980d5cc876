use super::*;
use crate::engine::testing::{address, engine};
use crate::{Destination, Event};
use peermon_model::Vitals;
use peermon_trust::NodeKey;
use proptest::prelude::*;

/// Some nodes on a network that loses nothing, unless told to.
struct Scene {
    engines: Vec<Option<Engine>>,
    now: Instant,
    lost: f64,
    chance: crate::rng::Rng,
}

impl Scene {
    fn new(n: usize) -> Self {
        let seeds = |i| if i == 0 { vec![] } else { vec![address(0)] };
        let engines = (0..n).map(|i| Some(engine(Instant::ZERO, i, "default", seeds(i)))).collect();
        let mut scene = Scene { engines, now: Instant::ZERO, lost: 0.0, chance: crate::rng::Rng::new(5) };
        scene.run(Duration::from_secs(4));
        assert!(scene.engines.iter().flatten().all(|e| e.members_up() == n));
        scene
    }

    fn run(&mut self, d: Duration) {
        let end = self.now + d;
        while self.now < end {
            self.now += Duration::from_millis(1);
            for i in 0..self.engines.len() {
                let Some(e) = &mut self.engines[i] else { continue };
                e.handle_timeout(self.now);
                while let Some(event) = e.poll_event() {
                    if event == Event::SampleDue {
                        e.publish(self.now, &Vitals::default());
                    }
                }
                let sent: Vec<_> = std::iter::from_fn(|| e.poll_transmit()).collect();
                for mut t in sent {
                    let lost = self.lost > 0.0 && (self.chance.below(1000) as f64) < self.lost * 1000.0;
                    let at = (0..self.engines.len()).find(|j| t.to == Destination::Peer(address(*j)));
                    if let Some(e) = at.filter(|_| !lost).and_then(|j| self.engines[j].as_mut()) {
                        e.handle_datagram(self.now, address(i), &mut t.payload);
                    }
                }
            }
        }
    }

    /// Runs until it holds; how long that took.
    fn until(&mut self, most: Duration, what: &str, done: impl Fn(&Scene) -> bool) -> Duration {
        let start = self.now;
        while !done(self) {
            assert!(self.now - start < most, "not within {most:?}: {what}");
            self.run(Duration::from_millis(1));
        }
        self.now - start
    }

    fn at(&mut self, i: usize) -> &mut Engine {
        self.engines[i].as_mut().expect("it runs")
    }

    fn id(&self, i: usize) -> NodeId {
        NodeKey::from_seed(&[i as u8 + 1; 32]).id()
    }

    fn claim(&mut self, by: usize, of: usize, seconds: u64) -> Result<u16, ClaimError> {
        let (now, id) = (self.now, self.id(of));
        let amounts = Amounts { cpus: 1.3, mem: 3e9, gpus: 1.0 };
        self.at(by).claim(now, &[id], &amounts, Duration::from_secs(seconds)).map(|n| n[0])
    }

    /// What each running node shows.
    fn seen(&self) -> impl Iterator<Item = Vec<ClaimEntry>> + '_ {
        self.engines.iter().flatten().map(|e| e.snapshot(self.now).claims)
    }

    fn all_see(&self, n: usize) -> bool {
        self.seen().all(|claims| claims.len() == n)
    }
}

const fn s(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn a_claim_is_everywhere_at_once_and_gone_when_cancelled_or_over() {
    let mut scene = Scene::new(8);
    let number = scene.claim(2, 5, 3).expect("a claim");
    let took = scene.until(s(1), "seen everywhere", |w| w.all_see(1));
    assert!(took < Duration::from_millis(100), "{took:?}");
    let (by, node) = (Some(scene.id(2)), scene.id(5));
    for claims in scene.seen() {
        let c = &claims[0];
        assert_eq!((c.by, c.node, c.number, c.lasts), (by, node, number, s(3)));
        // rounded up, to eighths and MiB
        assert_eq!(c.amounts, Amounts { cpus: 1.375, mem: 2862.0 * MIB, gpus: 1.0 });
        assert!(c.age < Duration::from_millis(150));
    }
    // renewed in the same tick, so that the order is not the clock's
    let now = scene.now;
    let less = Amounts { cpus: 1.0, ..Amounts::default() };
    scene.at(2).renew_claim(now, number, Some(&less), s(5)).expect("renewed");
    scene.at(2).renew_claim(now, number, None, s(4)).expect("renewed");
    scene.until(s(1), "renewed everywhere", |w| w.seen().all(|c| c[0].amounts == less && c[0].lasts == s(4)));
    let now = scene.now;
    assert_eq!(scene.at(3).cancel_claim(now, number), Err(ClaimError::NoSuchClaim), "it is another node's");
    scene.at(2).cancel_claim(now, number).expect("cancelled");
    scene.until(s(1), "cancelled everywhere", |w| w.all_see(0));
    assert_eq!(scene.at(2).cancel_claim(now, number), Err(ClaimError::NoSuchClaim));
    assert_eq!(scene.at(2).renew_claim(now, number, None, s(4)), Err(ClaimError::NoSuchClaim));
    // the cancellation is held as long as the claim would have been
    assert!(scene.engines.iter().flatten().all(|e| e.claims.held.len() == 1));
    scene.until(s(6), "forgotten", |w| w.engines.iter().flatten().all(|e| e.claims.held.is_empty()));
    // and one that nobody cancels ends by itself
    scene.claim(2, 5, 2).expect("a claim");
    scene.until(s(1), "seen everywhere", |w| w.all_see(1));
    let took = scene.until(s(3), "ended", |w| w.all_see(0));
    assert!(took > Duration::from_millis(1_800) && took < Duration::from_millis(2_050), "{took:?}");
}

#[test]
fn claims_take_the_place_of_others() {
    let mut scene = Scene::new(8);
    let (now, ids) = (scene.now, [3, 4, 5, 6].map(|i| scene.id(i)));
    let (few, more) = (Amounts { cpus: 1.0, ..Amounts::default() }, Amounts { cpus: 2.0, ..Amounts::default() });
    let bid = scene.at(2).claim(now, &ids[..3], &few, Duration::from_millis(500)).expect("claims");
    scene.until(s(1), "the first", |w| w.all_see(3));
    let now = scene.now;
    let settled = scene.at(2).replace_claims(now, &bid, &[ids[3], ids[1]], &more, s(60)).expect("others");
    assert_eq!(settled[1], bid[1], "of the same node it is the same claim");
    assert!(!bid.contains(&settled[0]));
    scene.until(s(1), "the others", |w| w.all_see(2));
    for claims in scene.seen() {
        let found = |number: u16| claims.iter().find(|c| c.number == number).map(|c| (c.node, c.amounts, c.lasts));
        assert_eq!(found(settled[0]), Some((ids[3], more, s(60))));
        assert_eq!(found(settled[1]), Some((ids[1], more, s(60))));
    }
    // What is wrong changes nothing; claims that are over are no matter.
    let now = scene.now;
    assert_eq!(scene.at(2).replace_claims(now, &settled, &[NodeId([7; 32])], &few, s(9)), Err(ClaimError::NoSuchNode));
    assert!(scene.all_see(2));
    scene.at(2).replace_claims(now, &[bid[0], bid[2]], &[ids[0]], &few, s(9)).expect("another");
    scene.until(s(1), "three", |w| w.all_see(3));
}

#[test]
fn each_link_is_told_once() {
    let mut scene = Scene::new(12);
    let sent = |w: &Scene| w.engines.iter().flatten().map(|e| e.counters().claims_sent).sum::<u64>();
    let before = sent(&scene);
    scene.claim(0, 1, 60).expect("a claim");
    scene.run(s(3));
    assert!(scene.all_see(1));
    let links: usize = scene.engines.iter().flatten().map(Engine::links_open).sum::<usize>() / 2;
    let told = sent(&scene) - before;
    // both ends may tell each other at once, and never again
    assert!(told >= 11 && told as usize <= links * 3 / 2, "told {told} times over {links} links");
}

#[test]
fn losses_are_made_good_and_newcomers_are_told() {
    let mut scene = Scene::new(6);
    scene.lost = 0.2;
    let numbers: Vec<u16> = (0..20).map(|i| scene.claim(i % 6, (i + 1) % 6, 60).expect("a claim")).collect();
    scene.until(s(3), "seen everywhere", |w| w.all_see(20));
    let now = scene.now;
    scene.at(1).cancel_claim(now, numbers[1]).expect("cancelled");
    scene.until(s(3), "cancelled everywhere", |w| w.all_see(19));
    let newcomer = engine(scene.now, 6, "default", vec![address(0)]);
    scene.engines.push(Some(newcomer));
    scene.until(s(10), "the newcomer sees them", |w| w.all_see(19));
    let newest = |w: &Scene| w.engines[6].as_ref().is_some_and(|e| e.claims.held.len() == 20);
    assert!(newest(&scene), "it knows of the cancelled one, too");
}

#[test]
fn claims_go_with_who_made_them() {
    let mut scene = Scene::new(6);
    scene.claim(4, 1, 60).expect("a claim");
    scene.claim(3, 4, 60).expect("a claim");
    scene.claim(5, 1, 60).expect("a claim");
    scene.until(s(1), "seen everywhere", |w| w.all_see(3));
    scene.engines[4] = None;
    let (fifth, down) = (scene.id(4), peermon_model::MemberState::Down);
    scene.until(s(5), "down", |w| {
        w.engines.iter().flatten().all(|e| e.snapshot(w.now).node(&fifth).is_some_and(|n| n.state == down))
    });
    assert!(scene.seen().all(|c| c.len() == 2 && c.iter().all(|c| c.by != Some(fifth))));
    // one that leaves
    let now = scene.now;
    scene.at(5).leave(now);
    scene.until(s(2), "gone", |w| w.engines[..4].iter().flatten().all(|e| e.snapshot(w.now).claims.len() == 1));
    // in another life it is no longer claimed
    let again = engine(scene.now, 4, "default", vec![address(0)]);
    scene.engines[4] = Some(again);
    scene.until(s(10), "forgotten", |w| w.engines[..4].iter().flatten().all(|e| e.snapshot(w.now).claims.is_empty()));
}

#[test]
fn one_node_claims_so_much_and_no_more() {
    let mut scene = Scene::new(2);
    let (now, id) = (scene.now, scene.id(1));
    let one = Amounts { cpus: 1.0, ..Amounts::default() };
    let stranger = NodeId([3; 32]);
    assert_eq!(scene.at(0).claim(now, &[id, stranger], &one, s(60)), Err(ClaimError::NoSuchNode));
    assert_eq!(scene.at(0).snapshot(now).claims.len(), 0, "all or none");
    let burst = c::CLAIM_BURST as usize;
    scene.at(0).claim(now, &vec![id; burst], &one, s(600)).expect("claims");
    assert_eq!(scene.at(0).claim(now, &[id], &one, s(600)), Err(ClaimError::TooFast));
    scene.run(s(16));
    assert!(scene.all_see(burst));
    let now = scene.now;
    scene.at(0).claim(now, &vec![id; burst - 1], &one, s(600)).expect("claims");
    scene.run(s(1));
    let now = scene.now;
    assert_eq!(scene.at(0).claim(now, &[id; 2], &one, s(600)), Err(ClaimError::Full));
    // nonsense becomes a bound or nothing
    let wild = Amounts { cpus: 1e99, mem: f64::NAN, gpus: -3.0 };
    scene.at(1).claim(now, &[id], &wild, s(1_000_000)).expect("a claim");
    let shown = scene.at(1).snapshot(now).claims.into_iter().find(|c| c.by == Some(id)).expect("it is shown");
    assert_eq!((shown.amounts, shown.lasts), (Amounts { cpus: 65535.0 / 8.0, mem: 0.0, gpus: 0.0 }, s(600)));
}

/// A link of the first of two nodes.
fn with_link() -> (Scene, usize) {
    let scene = Scene::new(2);
    let l = scene.engines[0].as_ref().and_then(|e| e.link_indices().next()).expect("a link");
    (scene, l)
}

#[test]
fn no_packet_makes_the_table_grow_without_end() {
    let (mut scene, l) = with_link();
    let now = scene.now;
    let e = scene.at(0);
    let made = e.now_version(now);
    let mine = tag(&e.me.salt);
    let mut tell = |by: u32, number: u32, made: Version, lasts: u32| {
        let claim = Claim { by, number: number as u16, node: 7, made, lasts, cpus: 8, mem: 0, gpus: 0 };
        e.hear_claim(now, l, claim);
        (e.claims.held.len(), e.counters.dropped_claims)
    };
    assert_eq!(tell(1, 0, Version(made.0 + 65), 640), (0, 1), "from the future");
    assert_eq!(tell(1, 0, made.earlier(640), 640), (0, 1), "over already");
    assert_eq!(tell(mine, 1, made, 640), (0, 2), "not by this node");
    let last = (0..600).map(|n| tell(1, n, made, 640)).last();
    assert_eq!(last, Some((CLAIMS_OF_ONE_MAX, 2 + 600 - CLAIMS_OF_ONE_MAX as u64)));
    let last = (0..5_000).map(|n| tell(100 + n, 1, made, 640)).last();
    assert_eq!(last.map(|l| l.0), Some(CLAIMS_MAX));
    // the same one again and again
    let before = tell(100, 1, made, 640).1;
    let after = (1..2_000).map(|n| tell(100, 1, Version(made.0.wrapping_sub(60_000).wrapping_add(n)), 70_000)).last();
    assert_eq!(after.map(|l| l.1), Some(before), "older ones are no news");
    e.claims.news.insert(100, c::CLAIM_NEWS_PER_SECOND);
    e.hear_claim(now, l, Claim { by: 100, number: 1, node: 7, made: Version(made.0 + 1), lasts: 640, cpus: 8, mem: 0, gpus: 0 });
    assert_eq!(e.counters.dropped_claims, before + 1, "too many in a second");
    // nobody knows these nodes, so nothing is shown of them; and they end
    assert_eq!(e.snapshot(now).claims.len(), 0);
    scene.run(s(12));
    assert_eq!((scene.at(0).claims.held.len(), scene.at(0).claims.news.len()), (0, 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_section_panics_or_breaks_a_limit(
        claims in prop::collection::vec((0..4u32, 0..2000u16, any::<u32>(), any::<u32>(), 0..70_000u32, any::<u16>(), any::<u32>(), any::<u16>()), 0..200),
        bytes in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let (mut scene, l) = with_link();
        let now = scene.now;
        let node = tag(&scene.at(1).me.salt);
        let e = scene.at(0);
        let at = e.now_version(now);
        let mut out = Vec::new();
        for (by, number, near, made, lasts, cpus, mem, gpus) in claims {
            let made = if near % 2 == 0 { Version(at.0.wrapping_sub(made % 40_000)) } else { Version(made) };
            Claim { by, number, node, made, lasts, cpus, mem, gpus }.write(&mut out);
        }
        let _ = e.read_claims(now, l, Reader(&out));
        let _ = e.read_claims(now, l, Reader(&bytes));
        prop_assert!((0..4).all(|by| e.claims.of(by).count() <= CLAIMS_OF_ONE_MAX) && e.claims.held.len() <= CLAIMS_MAX);
        for c in e.snapshot(now).claims {
            prop_assert!(c.lasts <= s(600) && c.age < c.lasts && !c.amounts.is_nothing());
        }
        scene.run(s(1));
    }
}

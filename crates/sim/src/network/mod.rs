//! The network between the hosts.

mod burst;
mod drops;
mod line;

pub use burst::{Burst, Scope};
pub use drops::{DropReason, Drops};
pub(crate) use line::HEADERS;
pub use line::Line;

use crate::Rng;
use line::{Lane, Way};
use peermon_model::Instant;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Deref, DerefMut};
use std::time::Duration;

/// What a datagram meets on its way from one host to another. Defaults are those of the reference simulation: a quiet LAN.
#[derive(Clone, PartialEq, Debug)]
pub struct Path {
    /// Least time a datagram takes.
    pub latency: Duration,
    /// Mean of the exponential part on top: the jitter.
    pub latency_more: Duration,
    /// Share of datagrams that an operating system delays by 2 to 15 ms.
    pub hiccups: f64,
    /// Share of datagrams that take a longer way, so that later ones overtake them.
    pub reorder: f64,
    /// How much longer that way is.
    pub reorder_by: Duration,
    /// Share of datagrams lost, each by itself.
    pub loss: f64,
    /// Losses that come together.
    pub burst: Option<Burst>,
    /// Share of datagrams that arrive twice.
    pub duplicates: f64,
    /// Largest payload that passes.
    pub payload_max: usize,
}

impl Default for Path {
    fn default() -> Self {
        Path {
            latency: Duration::from_micros(150),
            latency_more: Duration::from_micros(100),
            hiccups: 0.003,
            reorder: 0.0,
            reorder_by: Duration::from_millis(20),
            loss: 0.0,
            burst: None,
            duplicates: 0.0,
            payload_max: 1_472,
        }
    }
}

/// The network between the hosts. It is read and changed as the [`Path`] that all pairs have unless [`Network::path`] gave
/// them one of their own.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// What all pairs have in common.
    pub common: Path,
    /// Directed pairs of hosts between which nothing passes.
    pub cut: BTreeSet<(usize, usize)>,
    /// Hosts that nothing reaches.
    pub deaf: BTreeSet<usize>,
    /// Hosts whose datagrams reach nobody.
    pub mute: BTreeSet<usize>,
    /// What did not arrive, by reason.
    pub drops: Drops,
    paths: BTreeMap<(usize, usize), Path>,
    lanes: BTreeMap<usize, Lane>,
    sites: BTreeMap<usize, usize>,
    distances: BTreeMap<(usize, usize), Duration>,
    weather: burst::Weather,
}

impl Deref for Network {
    type Target = Path;
    fn deref(&self) -> &Path {
        &self.common
    }
}

impl DerefMut for Network {
    fn deref_mut(&mut self) -> &mut Path {
        &mut self.common
    }
}

/// How long a datagram takes, or two copies of it; nothing if it is lost.
pub(crate) type Copies = [Option<Duration>; 2];

impl Network {
    /// What a datagram of so many bytes meets that leaves now. Drops are counted.
    pub(crate) fn send(&mut self, rng: &mut Rng, now: Instant, from: usize, to: usize, payload: usize) -> Copies {
        match self.delays(rng, now, from, to, payload) {
            Ok(copies) => copies,
            Err(why) => {
                self.drops.count(why);
                [None; 2]
            }
        }
    }

    fn delays(&mut self, rng: &mut Rng, now: Instant, from: usize, to: usize, payload: usize) -> Result<Copies, DropReason> {
        let path = if self.paths.is_empty() { &self.common } else { self.paths.get(&(from, to)).unwrap_or(&self.common) };
        if payload > path.payload_max {
            return Err(DropReason::TooBig);
        }
        let waited = match self.lanes.get_mut(&from) {
            Some(lane) => lane.pass(Way::Out, now, payload).ok_or(DropReason::LineFull)? - now,
            None => Duration::ZERO,
        };
        if self.mute.contains(&from) || self.deaf.contains(&to) || self.cut.contains(&(from, to)) {
            return Err(DropReason::Cut);
        }
        if rng.chance(path.loss) {
            return Err(DropReason::Loss);
        }
        if let Some(burst) = &path.burst
            && self.weather.loses(burst, rng, now, from, to)
        {
            return Err(DropReason::Burst);
        }
        let fixed = waited + self.distance(from, to);
        let second = rng.chance(path.duplicates);
        let first = fixed + path.delay(rng);
        Ok([Some(first), second.then(|| fixed + path.delay(rng))])
    }

    /// When a datagram that came to a host's line has passed it; nothing if it is dropped there.
    pub(crate) fn receive(&mut self, now: Instant, to: usize, payload: usize) -> Option<Instant> {
        let passed = match self.lanes.get_mut(&to) {
            Some(lane) => lane.pass(Way::In, now, payload),
            None => Some(now),
        };
        if passed.is_none() {
            self.drops.count(DropReason::LineFull);
        }
        passed
    }

    /// Whether a host's line is so narrow that datagrams queue before it.
    pub(crate) fn is_narrow(&self, host: usize) -> bool {
        self.lanes.contains_key(&host)
    }

    /// The way from one host to another, to change it alone.
    pub fn path(&mut self, from: usize, to: usize) -> &mut Path {
        self.paths.entry((from, to)).or_insert_with(|| self.common.clone())
    }

    /// Gives a host a narrow line, or its wide one back.
    pub fn set_line(&mut self, host: usize, line: Option<Line>) {
        match line {
            Some(line) => self.lanes.insert(host, Lane::new(line)),
            None => self.lanes.remove(&host),
        };
    }

    /// Puts a host at a site; all begin at site 0.
    pub fn place(&mut self, host: usize, site: usize) {
        self.sites.insert(host, site);
    }

    /// Sets how long it takes longer between two sites, each way.
    pub fn set_distance(&mut self, a: usize, b: usize, latency: Duration) {
        self.distances.insert((a, b), latency);
        self.distances.insert((b, a), latency);
    }

    fn distance(&self, from: usize, to: usize) -> Duration {
        if self.distances.is_empty() {
            return Duration::ZERO;
        }
        let site = |host| self.sites.get(&host).copied().unwrap_or(0);
        self.distances.get(&(site(from), site(to))).copied().unwrap_or(Duration::ZERO)
    }

    /// Cuts the hosts of `a` from those of `b`, both ways.
    pub fn part(&mut self, a: &[usize], b: &[usize]) {
        for x in a {
            for y in b {
                self.cut.insert((*x, *y));
                self.cut.insert((*y, *x));
            }
        }
    }

    /// Ends every disturbance: cuts, losses, narrow lines, ways of their own. Sites stay.
    pub fn mend(&mut self) {
        self.common = Path::default();
        self.cut.clear();
        self.deaf.clear();
        self.mute.clear();
        self.paths.clear();
        self.lanes.clear();
        self.weather.forget();
    }

    /// Whether it is so bad as a whole that a living node may well be declared down.
    pub(crate) fn is_harsh(&self) -> bool {
        let cut = !(self.cut.is_empty() && self.deaf.is_empty() && self.mute.is_empty());
        cut || self.common.is_harsh() || self.paths.values().any(Path::is_harsh)
    }

    /// Hosts that are badly connected by themselves, and nobody else is for it.
    pub(crate) fn harsh_hosts(&self) -> impl Iterator<Item = usize> + '_ {
        self.lanes.keys().copied()
    }
}

/// What the protocol promises to bear: losses beyond this, or bad times beyond this, excuse a false alarm.
const LOSS_BORNE: f64 = 0.3;
const BAD_TIME_BORNE: Duration = Duration::from_millis(150);
/// Payloads that every path must carry.
const PAYLOAD_BORNE: usize = 1_172;

impl Path {
    fn delay(&self, rng: &mut Rng) -> Duration {
        let mut d = self.latency + Duration::from_secs_f64(rng.exponential(self.latency_more.as_secs_f64()));
        if rng.chance(self.hiccups) {
            d += Duration::from_secs_f64(0.002 + 0.013 * rng.unit());
        }
        if rng.chance(self.reorder) {
            d += self.reorder_by;
        }
        d
    }

    fn is_harsh(&self) -> bool {
        let burst = self.burst.is_some_and(|b| b.mean_loss() + self.loss > LOSS_BORNE || b.bad > BAD_TIME_BORNE);
        self.loss > LOSS_BORNE || burst || self.payload_max < PAYLOAD_BORNE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    /// Sends a thousand datagrams of 1,000 bytes a millisecond apart from host 1 to 2: how many arrive once, twice, the mean
    /// delay in ms, how many are overtaken.
    fn try_out(network: &mut Network) -> (usize, usize, f64, usize) {
        let mut rng = Rng::new(3);
        let sent: Vec<(Instant, Copies)> =
            (0..1_000).map(|i| (Instant::from_millis(i), network.send(&mut rng, Instant::from_millis(i), 1, 2, 1_000))).collect();
        let arrived: Vec<Instant> = sent.iter().filter_map(|(at, c)| Some(*at + c[0]?)).collect();
        let twice = sent.iter().filter(|s| s.1[1].is_some()).count();
        let delays: f64 = sent.iter().filter_map(|s| s.1[0]).map(|d| d.as_secs_f64() * 1e3).sum();
        let overtaken = arrived.windows(2).filter(|w| w[1] < w[0]).count();
        (arrived.len(), twice, delays / arrived.len().max(1) as f64, overtaken)
    }

    #[test]
    fn each_disturbance_does_what_it_says() {
        let check = |what: &str,
                     change: &dyn Fn(&mut Network),
                     drop: Option<DropReason>,
                     ok: &dyn Fn((usize, usize, f64, usize)) -> bool| {
            let mut network = Network::default();
            change(&mut network);
            let got = try_out(&mut network);
            assert!(ok(got), "{what}: {got:?}");
            let dropped = drop.map_or(0, |d| network.drops.of(d));
            assert_eq!((dropped, network.drops.total()), (1_000 - got.0 as u64, dropped), "{what}: {:?}", network.drops);
            network.mend();
            network.distances.clear();
            assert_eq!(try_out(&mut network), try_out(&mut Network::default()), "{what} can be ended");
        };
        let quiet = |d: f64| (0.2..0.4).contains(&d);
        check("nothing", &|_| (), None, &|(n, twice, d, _)| n == 1_000 && twice == 0 && quiet(d));
        check("loss", &|n| n.loss = 0.2, Some(DropReason::Loss), &|(n, ..)| (750..850).contains(&n));
        check("copies", &|n| n.duplicates = 0.1, None, &|(n, twice, ..)| n == 1_000 && (70..130).contains(&twice));
        check("reordering", &|n| (n.reorder, n.reorder_by) = (0.1, ms(5)), None, &|(.., late)| (60..130).contains(&late));
        check("size", &|n| n.payload_max = 999, Some(DropReason::TooBig), &|(n, ..)| n == 0);
        check("a cut", &|n| n.part(&[2], &[0, 1]), Some(DropReason::Cut), &|(n, ..)| n == 0);
        check("deaf", &|n| n.deaf = [2].into(), Some(DropReason::Cut), &|(n, ..)| n == 0);
        check("mute", &|n| n.mute = [1].into(), Some(DropReason::Cut), &|(n, ..)| n == 0);
        check("deaf elsewhere", &|n| n.deaf = [1].into(), None, &|(n, ..)| n == 1_000);
        check("one way", &|n| n.path(1, 2).loss = 1.0, Some(DropReason::Loss), &|(n, ..)| n == 0);
        check("the other way", &|n| n.path(2, 1).loss = 1.0, None, &|(n, ..)| n == 1_000);
        let line = Line { rate: 514_000.0, queue: 100_000 };
        check("a line", &|n| n.set_line(1, Some(line)), Some(DropReason::LineFull), &|(n, _, d, _)| {
            (590..610).contains(&n) && d > 100.0
        });
        let sites = |n: &mut Network| {
            n.place(2, 1);
            n.set_distance(0, 1, ms(30));
        };
        check("sites", &sites, None, &|(n, _, d, _)| n == 1_000 && quiet(d - 30.0));
        let burst = Burst { good: ms(50), bad: ms(50), loss_good: 0.0, loss_bad: 1.0, scope: Scope::Pair };
        check("bursts", &|n| n.burst = Some(burst), Some(DropReason::Burst), &|(n, ..)| (300..700).contains(&n));
    }

    #[test]
    fn a_line_in_is_narrow_too() {
        let mut network = Network::default();
        network.set_line(2, Some(Line { rate: 1_028.0, queue: 2_056 }));
        let now = Instant::from_millis(5);
        let passed: Vec<_> = (0..3).map(|_| network.receive(now, 2, 1_000)).collect();
        assert_eq!(passed, [Some(now + ms(1_000)), Some(now + ms(2_000)), None]);
        assert_eq!((network.receive(now, 1, 1_000), network.drops.of(DropReason::LineFull)), (Some(now), 1));
    }
}

use crate::Rng;
use std::collections::BTreeSet;
use std::time::Duration;

/// The network between the hosts. Defaults are those of the reference simulation: a quiet LAN.
#[derive(Clone, Debug)]
pub struct Network {
    /// Least time a datagram takes.
    pub latency: Duration,
    /// Mean of the exponential part on top.
    pub latency_more: Duration,
    /// Share of datagrams that an operating system delays by 2 to 15 ms.
    pub hiccups: f64,
    /// Share of datagrams lost, each by itself.
    pub loss: f64,
    /// Share of datagrams that arrive twice.
    pub duplicates: f64,
    /// Largest payload that passes.
    pub payload_max: usize,
    /// Directed pairs of hosts between which nothing passes.
    pub cut: BTreeSet<(usize, usize)>,
}

impl Default for Network {
    fn default() -> Self {
        Network {
            latency: Duration::from_micros(150),
            latency_more: Duration::from_micros(100),
            hiccups: 0.003,
            loss: 0.0,
            duplicates: 0.0,
            payload_max: 1_472,
            cut: BTreeSet::new(),
        }
    }
}

impl Network {
    /// How long the copies of a datagram take; none if it is lost.
    pub(crate) fn deliver(&self, rng: &mut Rng, from: usize, to: usize, bytes: usize) -> Vec<Duration> {
        if bytes > self.payload_max || rng.chance(self.loss) || self.cut.contains(&(from, to)) {
            return Vec::new();
        }
        let copies = if rng.chance(self.duplicates) { 2 } else { 1 };
        (0..copies).map(|_| self.delay(rng)).collect()
    }

    fn delay(&self, rng: &mut Rng) -> Duration {
        let mut d = self.latency + Duration::from_secs_f64(rng.exponential(self.latency_more.as_secs_f64()));
        if rng.chance(self.hiccups) {
            d += Duration::from_secs_f64(0.002 + 0.013 * rng.unit());
        }
        d
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
}

//! How often each client network may ask.

use crate::limits::{RATE_BITS, RATES_MAX};
use peermon_model::Instant;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One token bucket for each client network.
#[derive(Debug)]
pub(crate) struct Rates {
    per_second: f64,
    buckets: HashMap<IpAddr, Bucket>,
    /// Networks beyond [`RATES_MAX`] share this one.
    others: Bucket,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Rates {
    /// So many requests a second for each network, and twice as many at once; 0: no limit.
    pub(crate) fn new(per_second: u32) -> Rates {
        let per_second = f64::from(per_second);
        Rates { per_second, buckets: HashMap::new(), others: Bucket { tokens: per_second * 2.0, at: Instant::ZERO } }
    }

    /// Whether this client may ask now.
    pub(crate) fn may(&mut self, client: IpAddr, now: Instant) -> bool {
        if self.per_second == 0.0 {
            return true;
        }
        let (rate, burst) = (self.per_second, self.per_second * 2.0);
        let network = network(client);
        if !self.buckets.contains_key(&network) && self.buckets.len() >= RATES_MAX {
            // Those that are full again have nothing to remember.
            self.buckets.retain(|_, b| b.tokens + (now - b.at).as_secs_f64() * rate < burst);
        }
        let bucket = if self.buckets.len() < RATES_MAX || self.buckets.contains_key(&network) {
            self.buckets.entry(network).or_insert(Bucket { tokens: burst, at: now })
        } else {
            &mut self.others
        };
        bucket.tokens = (bucket.tokens + (now - bucket.at).as_secs_f64() * rate).min(burst);
        bucket.at = now;
        let may = bucket.tokens >= 1.0;
        if may {
            bucket.tokens -= 1.0;
        }
        may
    }
}

fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V4(a) => Ipv4Addr::from_bits(a.to_bits() & (u32::MAX << (32 - RATE_BITS.0))).into(),
        IpAddr::V6(a) => Ipv6Addr::from_bits(a.to_bits() & (u128::MAX << (128 - RATE_BITS.1))).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(ms: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(ms)
    }

    #[test]
    fn a_network_has_its_rate_and_twice_of_it_at_once() {
        let mut rates = Rates::new(10);
        let (here, neighbour, else_where) = ("10.0.0.1", "10.0.0.9", "10.0.1.1");
        let mut ask = |who: &str, ms| rates.may(who.parse().expect(who), at(ms));
        assert_eq!((0..50).filter(|_| ask(here, 0)).count(), 20);
        assert!(!ask(neighbour, 0), "one network has one rate");
        assert!(ask(else_where, 0));
        assert_eq!((0..50).filter(|_| ask(here, 500)).count(), 5);
        assert_eq!((0..50).filter(|_| ask("::ffff:10.0.0.3", 1000)).count(), 5, "an address in IPv6's clothes is the same");
    }

    #[test]
    fn many_networks_are_forgotten_or_share() {
        let mut rates = Rates::new(1);
        let who = |i: usize| IpAddr::from(Ipv4Addr::from_bits((i as u32) << 8));
        for i in 0..RATES_MAX {
            assert!(rates.may(who(i), at(0)));
        }
        assert_eq!((0..50).filter(|i| rates.may(who(RATES_MAX + i), at(0))).count(), 2);
        assert_eq!(rates.buckets.len(), RATES_MAX);
        assert!(rates.may(who(RATES_MAX), at(5000)), "those that are full again made room");
        assert_eq!(rates.buckets.len(), 1);
        let mut none = Rates::new(0);
        assert!((0..1000).all(|_| none.may(who(1), at(0))));
    }
}

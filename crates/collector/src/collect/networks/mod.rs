//! TCP connections by the network at their other end: how many, how far, how fast, and how much is lost.
//!
//! The kernel is asked for all of them now and then, and its answer taken a piece a round, so that a host with a hundred
//! thousand connections spends no more on it than one with a few.

mod diag;

use super::{Collector, Round, Setup};
use crate::CollectError;
use crate::attributes::{attributes, put, put_of};
use crate::limits::{CONNECTIONS_PER_ROUND, CONNECTIONS_REMEMBERED, NETWORKS_GATHERED_MAX, NETWORKS_REST, NETWORKS_TOLD};
use diag::{Connection, Dump, Info};
use peermon_model::Unit::{BytesPerSecond, Count, PerSecond, Ratio, Seconds};
use peermon_model::{Attribute, Instant, Sample};
use rustix::io::Errno;
use rustix::net::AddressFamily;
use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

attributes! {
    NETWORKS = &Attribute::gauge("tcp.networks", Count, "Networks at the other end of TCP connections: /24 of IPv4, /64 of IPv6.");
    CONNECTIONS = &Attribute::gauge("tcp.to.{}.connections", Count, "TCP connections to a network.");
    RTT = &Attribute::gauge("tcp.to.{}.rtt", Seconds, "Mean round-trip time of the TCP connections to a network.");
    RTT_MIN = &Attribute::gauge("tcp.to.{}.rtt.min", Seconds, "Shortest round-trip time the TCP connections to a network have seen.");
    TX_RATE = &Attribute::gauge("tcp.to.{}.tx.rate", BytesPerSecond, "Bytes per second sent to a network over TCP and acknowledged there.");
    RX_RATE = &Attribute::gauge("tcp.to.{}.rx.rate", BytesPerSecond, "Bytes per second received from a network over TCP.");
    RETRANSMITS = &Attribute::gauge("tcp.to.{}.retransmits.rate", PerSecond, "Segments per second sent to a network again.");
    LOSS = &Attribute::gauge("tcp.to.{}.retransmits.share", Ratio, "Share of the segments sent to a network that were sent again.");
    DELIVERY = &Attribute::gauge("tcp.to.{}.delivery", BytesPerSecond, "Fastest rate at which one TCP connection to a network was last seen to deliver, not held back by its program.");
}

/// Both are asked for: IPv6 sockets may talk IPv4.
const FAMILIES: [AddressFamily; 2] = [AddressFamily::INET, AddressFamily::INET6];

/// Where a connection leads.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Network {
    Local,
    Remote(IpAddr),
    /// All that are not told one by one.
    Other,
}

impl Network {
    fn of(c: &Connection) -> Network {
        if c.remote.is_loopback() || c.remote == c.local {
            return Network::Local;
        }
        let bits = if c.remote.is_ipv4() { 24 } else { 64 };
        Network::Remote(first_address(c.remote, bits))
    }
}

/// As an attribute's middle: `10.1.2.0-24`, `2001:db8::-64`.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Network::Local => f.write_str("local"),
            Network::Remote(a) => write!(f, "{a}-{}", if a.is_ipv4() { 24 } else { 64 }),
            Network::Other => f.write_str("other"),
        }
    }
}

fn first_address(address: IpAddr, bits: u32) -> IpAddr {
    match address {
        IpAddr::V4(a) => IpAddr::V4((a.to_bits() & (u32::MAX << (32 - bits))).into()),
        IpAddr::V6(a) => IpAddr::V6((a.to_bits() & (u128::MAX << (128 - bits))).into()),
    }
}

/// What the connections to one network do together.
#[derive(Clone, Default, PartialEq, Debug)]
struct Sum {
    connections: u64,
    rtt_micros: u64,
    rtt_known: u64,
    rtt_min_micros: Option<u32>,
    delivery: Option<u64>,
    /// Since the former answer.
    acked: u64,
    received: u64,
    retransmits: u64,
    segments: u64,
}

impl Sum {
    fn add(&mut self, new: &Info, former: Option<&Info>) {
        self.connections += 1;
        if new.rtt_micros > 0 {
            self.rtt_micros += u64::from(new.rtt_micros);
            self.rtt_known += 1;
        }
        let least = Some(new.min_rtt_micros).filter(|m| *m > 0 && *m < u32::MAX);
        self.rtt_min_micros = self.rtt_min_micros.into_iter().chain(least).min();
        self.delivery = self.delivery.max(new.delivery);
        if let Some(old) = former {
            self.acked = self.acked.saturating_add(new.acked.saturating_sub(old.acked));
            self.received = self.received.saturating_add(new.received.saturating_sub(old.received));
            self.retransmits += u64::from(new.retransmits.wrapping_sub(old.retransmits));
            self.segments += u64::from(new.segments.wrapping_sub(old.segments));
        }
    }

    fn merge(&mut self, other: &Sum) {
        self.connections += other.connections;
        self.rtt_micros += other.rtt_micros;
        self.rtt_known += other.rtt_known;
        self.rtt_min_micros = self.rtt_min_micros.into_iter().chain(other.rtt_min_micros).min();
        self.delivery = self.delivery.max(other.delivery);
        self.acked = self.acked.saturating_add(other.acked);
        self.received = self.received.saturating_add(other.received);
        self.retransmits += other.retransmits;
        self.segments += other.segments;
    }

    fn put(&self, name: &Arc<str>, seconds: Option<f64>, out: &mut Vec<Sample>) {
        let seconds_of = |micros: f64| micros / 1e6;
        put_of(out, CONNECTIONS, name, self.connections);
        if self.rtt_known > 0 {
            put_of(out, RTT, name, seconds_of(self.rtt_micros as f64 / self.rtt_known as f64));
        }
        self.rtt_min_micros.into_iter().for_each(|m| put_of(out, RTT_MIN, name, seconds_of(f64::from(m))));
        self.delivery.into_iter().for_each(|d| put_of(out, DELIVERY, name, d));
        let Some(seconds) = seconds.filter(|s| *s > 0.0) else { return };
        for (attribute, n) in [(TX_RATE, self.acked), (RX_RATE, self.received), (RETRANSMITS, self.retransmits)] {
            put_of(out, attribute, name, n as f64 / seconds);
        }
        if self.segments > 0 {
            put_of(out, LOSS, name, (self.retransmits as f64 / self.segments as f64).min(1.0));
        }
    }
}

/// All connections at one time.
#[derive(Default)]
struct Picture {
    at: Instant,
    connections: HashMap<u64, Info>,
    /// There were no more than could be remembered: a connection that is not here is new since.
    whole: bool,
}

/// An answer being taken.
struct Taking {
    family: usize,
    dump: Dump,
    sums: HashMap<Network, Sum>,
    picture: Picture,
    spent: Duration,
}

struct Networks {
    is_host: bool,
    next: Option<Instant>,
    taking: Option<Taking>,
    former: Option<Picture>,
    samples: Vec<Sample>,
}

pub(super) fn make(setup: &Setup) -> Box<dyn Collector> {
    let is_host = setup.root.is_host();
    Box::new(Networks { is_host, next: None, taking: None, former: None, samples: Vec::new() })
}

impl Collector for Networks {
    fn collect(&mut self, round: &Round, out: &mut Vec<Sample>) -> Result<(), CollectError> {
        if !self.is_host {
            return Ok(());
        }
        let begun = std::time::Instant::now();
        let mut result = Ok(());
        if self.taking.is_none() && self.next.is_none_or(|at| round.now >= at) {
            // Until it is known what it costs.
            self.next = Some(round.now + round.every);
            self.taking = Taking::begin(round.now);
        }
        if let Some(mut taking) = self.taking.take() {
            match taking.take(self.former.as_ref()) {
                Ok(true) => {
                    taking.spent += begun.elapsed();
                    self.end(taking, round.every);
                }
                Ok(false) => {
                    taking.spent += begun.elapsed();
                    self.taking = Some(taking);
                }
                Err(e) => result = Err(CollectError::Other(format!("the kernel does not tell its TCP connections: {e}"))),
            }
        }
        out.extend_from_slice(&self.samples);
        result
    }
}

impl Networks {
    fn end(&mut self, taking: Taking, every: Duration) {
        let at = taking.picture.at;
        let seconds = self.former.as_ref().map(|f| at.since(f.at).as_secs_f64());
        self.samples = told(taking.sums, seconds);
        self.former = Some(taking.picture);
        self.next = Some(at + every.max(taking.spent * NETWORKS_REST));
    }
}

impl Taking {
    /// `None` if this kernel cannot be asked.
    fn begin(now: Instant) -> Option<Taking> {
        let dump = Dump::begin(FAMILIES[0]).ok()?;
        let picture = Picture { at: now, whole: true, ..Picture::default() };
        Some(Taking { family: 0, dump, sums: HashMap::new(), picture, spent: Duration::ZERO })
    }

    /// Takes as much as one round may; true at the end.
    fn take(&mut self, former: Option<&Picture>) -> rustix::io::Result<bool> {
        let mut taken = 0;
        while taken < CONNECTIONS_PER_ROUND {
            let (sums, picture) = (&mut self.sums, &mut self.picture);
            let done = self.dump.take(|c| {
                taken += 1;
                add(sums, picture, former, &c);
            });
            match done {
                Ok(false) => continue,
                // A kernel without this family or without this way of asking has nothing to tell.
                Ok(true) | Err(Errno::NOENT | Errno::OPNOTSUPP | Errno::INVAL | Errno::AGAIN) => {}
                Err(e) => return Err(e),
            }
            self.family += 1;
            match FAMILIES.get(self.family) {
                Some(family) => self.dump = Dump::begin(*family)?,
                None => return Ok(true),
            }
        }
        Ok(false)
    }
}

fn add(sums: &mut HashMap<Network, Sum>, picture: &mut Picture, former: Option<&Picture>, c: &Connection) {
    let network = match Network::of(c) {
        n if sums.len() < NETWORKS_GATHERED_MAX || sums.contains_key(&n) => n,
        _ => Network::Other,
    };
    let new = Info::default();
    let old = former.and_then(|f| f.connections.get(&c.cookie).or_else(|| f.whole.then_some(&new)));
    sums.entry(network).or_default().add(&c.info, old);
    if picture.connections.len() < CONNECTIONS_REMEMBERED {
        picture.connections.insert(c.cookie, c.info);
    } else {
        picture.whole = false;
    }
}

/// The networks with most traffic one by one, the rest together.
fn told(mut sums: HashMap<Network, Sum>, seconds: Option<f64>) -> Vec<Sample> {
    let mut out = Vec::new();
    let mut rest = sums.remove(&Network::Other).unwrap_or_default();
    put(&mut out, NETWORKS, sums.len() as u64);
    let mut all: Vec<_> = sums.into_iter().collect();
    let weight = |s: &Sum| (s.acked.saturating_add(s.received), s.connections);
    all.sort_by(|(a, x), (b, y)| weight(y).cmp(&weight(x)).then_with(|| a.to_string().cmp(&b.to_string())));
    for (place, (network, sum)) in all.iter().enumerate() {
        if place < NETWORKS_TOLD {
            sum.put(&network.to_string().into(), seconds, &mut out);
        } else {
            rest.merge(sum);
        }
    }
    if rest.connections > 0 {
        rest.put(&Network::Other.to_string().into(), seconds, &mut out);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(cookie: u64, remote: &str, acked: u64, retransmits: u32, segments: u32) -> Connection {
        let info = Info { rtt_micros: 2000, min_rtt_micros: 900, retransmits, segments, acked, received: 10, delivery: Some(7) };
        Connection { cookie, local: "10.0.0.1".parse().expect("an address"), remote: remote.parse().expect("an address"), info }
    }

    fn picture(all: &[Connection], former: Option<&Picture>) -> (HashMap<Network, Sum>, Picture) {
        let (mut sums, mut picture) = (HashMap::new(), Picture { whole: true, ..Picture::default() });
        all.iter().for_each(|c| add(&mut sums, &mut picture, former, c));
        (sums, picture)
    }

    fn value(samples: &[Sample], name: &str) -> Option<f64> {
        samples.iter().find(|s| s.name() == name).map(|s| s.value)
    }

    #[test]
    fn networks_have_names() {
        for (remote, name) in [
            ("10.1.2.3", "10.1.2.0-24"),
            ("127.0.0.9", "local"),
            ("10.0.0.1", "local"),
            ("::1", "local"),
            ("2001:db8:0:1:2:3:4:5", "2001:db8:0:1::-64"),
        ] {
            assert_eq!(Network::of(&connection(1, remote, 0, 0, 0)).to_string(), name);
        }
    }

    #[test]
    fn rates_are_of_the_time_between_two_answers() {
        let (sums, first) = picture(&[connection(1, "10.1.2.3", 1000, 1, 100), connection(2, "127.0.0.1", 5, 0, 5)], None);
        let samples = told(sums, None);
        assert_eq!(value(&samples, "tcp.to.10.1.2.0-24.connections"), Some(1.0));
        assert_eq!(value(&samples, "tcp.to.10.1.2.0-24.tx.rate"), None, "one answer gives no rate");

        // The first goes on, the second has ended, a third is new.
        let (sums, _) = picture(&[connection(1, "10.1.2.3", 5000, 3, 150), connection(3, "10.1.2.9", 1000, 0, 50)], Some(&first));
        let samples = told(sums, Some(10.0));
        for (name, expected) in [
            ("tcp.networks", Some(1.0)),
            ("tcp.to.10.1.2.0-24.connections", Some(2.0)),
            ("tcp.to.10.1.2.0-24.rtt", Some(0.002)),
            ("tcp.to.10.1.2.0-24.rtt.min", Some(0.0009)),
            ("tcp.to.10.1.2.0-24.tx.rate", Some(500.0)),
            ("tcp.to.10.1.2.0-24.rx.rate", Some(1.0)),
            ("tcp.to.10.1.2.0-24.retransmits.rate", Some(0.2)),
            ("tcp.to.10.1.2.0-24.retransmits.share", Some(0.02)),
            ("tcp.to.10.1.2.0-24.delivery", Some(7.0)),
            ("tcp.to.local.connections", None),
        ] {
            assert_eq!(value(&samples, name), expected, "{name}");
        }
    }

    #[test]
    fn many_networks_are_told_together() {
        let all: Vec<_> =
            (0..5000_u32).map(|i| connection(u64::from(i), &format!("10.{}.{}.1", 1 + i / 250, i % 250), 1, 0, 1)).collect();
        let (sums, picture) = picture(&all, None);
        assert!(sums.len() <= NETWORKS_GATHERED_MAX + 1 && picture.whole);
        let samples = told(sums, None);
        let counts: Vec<f64> = samples.iter().filter(|s| std::ptr::eq(s.attribute, CONNECTIONS)).map(|s| s.value).collect();
        assert_eq!((counts.len(), counts.iter().sum::<f64>()), (NETWORKS_TOLD + 1, 5000.0));
    }
}

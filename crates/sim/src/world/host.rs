use super::World;
use crate::clock::HostClock;
use crate::machine::Machine;
use peermon_gossip::Version;
use peermon_model::{Facts, Incarnation, Instant, MemberState, NodeId, Value, ZoneName};
use peermon_node::{Identity, Node};
use peermon_trust::{ClusterKey, Keyring, NodeKey};
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::time::Duration;

/// One machine.
#[derive(Debug)]
pub struct Host {
    /// The node, while its daemon runs.
    pub node: Option<Node>,
    /// Where it receives.
    pub address: SocketAddr,
    /// Its identity.
    pub id: NodeId,
    /// The zone it is told to be in at its next start.
    pub zone: ZoneName,
    /// Bytes sent, with IP and UDP headers.
    pub tx_bytes: u64,
    /// Datagrams sent.
    pub tx_datagrams: u64,
    /// Bytes its daemon received, with IP and UDP headers.
    pub rx_bytes: u64,
    /// Datagrams its daemon received.
    pub rx_datagrams: u64,
    /// What it told of members in trouble: (host, state), in order, with the time. That a member was found alive for the
    /// first time is not kept: in large worlds that would be most of it.
    pub told: Vec<(Instant, usize, MemberState)>,
    /// By host: the last it told was not that it is alive.
    troubled: Vec<bool>,
    pub(super) seed: [u8; 32],
    pub(super) incarnation: u32,
    pub(super) clock: HostClock,
    /// Its process is stopped until then.
    pub(super) stopped_until: Instant,
    /// And so is the whole machine: nothing waits for it.
    pub(super) asleep: bool,
    /// Its process was stopped at least once in this life.
    pub(super) was_stopped: bool,
    pub(super) waiting: Vec<(SocketAddr, Vec<u8>)>,
    pub(super) wake_at: Instant,
    /// The version of its last row.
    pub(super) published: Version,
    pub(super) machine: Machine,
    pub(super) keyring: Keyring,
}

impl Host {
    pub(super) fn tell(&mut self, now: Instant, of: usize, state: MemberState) {
        if self.troubled.len() <= of {
            self.troubled.resize(of + 1, false);
        }
        let is_trouble = state != MemberState::Alive;
        if is_trouble || self.troubled[of] {
            self.told.push((now, of, state));
            self.troubled[of] = is_trouble;
        }
    }
}

/// Port of all daemons.
const PORT: u16 = 19810;

/// The address of a host.
fn address(host: usize) -> SocketAddr {
    let [_, a, b, c] = (host as u32 + 1).to_be_bytes();
    SocketAddr::from(([10, a, b, c], PORT))
}

/// The host that would have an address.
pub(super) fn at(address: SocketAddr) -> Option<usize> {
    match address.ip() {
        IpAddr::V4(ip) if address.port() == PORT && ip.octets()[0] == 10 => {
            (u32::from_be_bytes(ip.octets()) as usize & 0xff_ffff).checked_sub(1)
        }
        _ => None,
    }
}

/// What follows from so many records is done with before further ones are told.
const TOLD_AT_ONCE: usize = 100;
/// Clocks run fast or slow by so much at most, as quartz does.
const DRIFT: f64 = 50e-6;

impl World {
    /// Starts `n` machines whose seeds are the first one.
    pub fn start_cluster(&mut self, n: usize) {
        self.start_cluster_of(&ClusterKey::new([7; 32]), n);
    }

    /// As [`World::start_cluster`], of the cluster with this key.
    pub fn start_cluster_of(&mut self, key: &ClusterKey, n: usize) {
        let first = self.hosts.len();
        for i in 0..n {
            let seeds = if i == 0 { vec![] } else { vec![self.hosts[first].address] };
            self.add_host_of(key.clone(), seeds);
        }
    }

    /// Starts `n` machines that know each other from the start, though no rows: joining takes far more memory than the table does.
    pub fn start_acquainted(&mut self, n: usize) {
        let first = self.hosts.len();
        for _ in 0..n {
            self.add_host(vec![]);
        }
        let clock =
            |w: &World, i: usize| w.hosts[i].node.as_ref().expect("it was just started").engine().cluster_time(w.local(i));
        let time = (first..first + n).map(|i| clock(self, i)).max().expect("there is one");
        let records: Vec<_> =
            self.hosts[first..].iter().filter_map(|h| Some(h.node.as_ref()?.engine().published().clone())).collect();
        for i in first..first + n {
            for some in records.chunks(TOLD_AT_ONCE) {
                self.act(i, |node, now| node.know(now, time, some));
            }
        }
    }

    /// Starts `n` machines in a zone of their own, whose seeds are the first one there and the first of all; their places.
    pub fn start_zone(&mut self, name: &str, n: usize) -> Range<usize> {
        let before = std::mem::replace(&mut self.template.zone, name.parse().expect("a name"));
        let first = self.hosts.len();
        for i in first..first + n {
            let seeds = [0, first].into_iter().filter(|s| *s < i).map(address).collect();
            self.add_host(seeds);
        }
        self.template.zone = before;
        first..first + n
    }

    /// As [`World::start_zone`], but all join through the first of them, and that one through a host of another zone: where there are
    /// thousands, nobody serves them all.
    pub fn start_zone_through(&mut self, name: &str, n: usize, through: usize) -> Range<usize> {
        let before = std::mem::replace(&mut self.template.zone, name.parse().expect("a name"));
        let first = self.hosts.len();
        for i in first..first + n {
            self.add_host([if i == first { through } else { first }].into_iter().filter(|s| *s < i).map(address).collect());
        }
        self.template.zone = before;
        first..first + n
    }

    /// Adds a machine and starts its daemon.
    pub fn add_host(&mut self, seeds: Vec<SocketAddr>) -> usize {
        self.add_host_of(ClusterKey::new([7; 32]), seeds)
    }

    /// As [`World::add_host`], of the cluster with this key.
    pub fn add_host_of(&mut self, key: ClusterKey, seeds: Vec<SocketAddr>) -> usize {
        let i = self.hosts.len();
        let mut seed = [0; 32];
        seed.chunks_mut(8).for_each(|c| c.copy_from_slice(&self.rng.bits().to_le_bytes()));
        let id = NodeKey::from_seed(&seed).id();
        let mut machine = Machine::new(&mut self.rng, self.workload);
        machine.stress = self.stress;
        let rate = DRIFT * (2.0 * self.rng.unit() - 1.0);
        self.hosts.push(Host {
            node: None,
            address: address(i),
            id,
            zone: self.template.zone.clone(),
            tx_bytes: 0,
            tx_datagrams: 0,
            rx_bytes: 0,
            rx_datagrams: 0,
            told: Vec::new(),
            troubled: Vec::new(),
            seed,
            incarnation: 0,
            clock: HostClock::new(Duration::from_secs_f64(1e6 * self.rng.unit()), rate),
            stopped_until: Instant::ZERO,
            asleep: false,
            was_stopped: false,
            waiting: Vec::new(),
            wake_at: Instant::NEVER,
            published: Version::NONE,
            machine,
            keyring: Keyring::new(1, key),
        });
        self.model.add_host(id.nid());
        self.start(i, seeds);
        i
    }

    /// Starts a machine's daemon (again).
    pub fn start(&mut self, i: usize, seeds: Vec<SocketAddr>) {
        let mut config = self.template.clone();
        let mut facts = Facts::default();
        facts.put("host.name", None, Value::text(&format!("host-{i}")));
        facts.put("mem.total", None, Value::Number(64e9));
        facts.put("cpu.threads", None, Value::Number(16.0));
        config.facts = facts;
        config.zone = self.hosts[i].zone.clone();
        config.name = format!("node-{i}").parse().expect("a name");
        config.addresses = vec![self.hosts[i].address];
        config.seeds = seeds;
        let mut entropy = [0; 32];
        entropy.chunks_mut(8).for_each(|c| c.copy_from_slice(&self.rng.bits().to_le_bytes()));
        let now = self.local(i);
        let host = &mut self.hosts[i];
        host.incarnation += 1;
        host.published = Version::NONE;
        host.was_stopped = false;
        host.troubled.clear();
        self.model.note_start(self.now, i);
        let identity = Identity { key: NodeKey::from_seed(&host.seed), incarnation: Incarnation(host.incarnation) };
        let mut node = Node::new(config, identity, host.keyring.clone(), entropy, now);
        node.share_records(self.shared.clone());
        host.node = Some(node);
        host.wake_at = Instant::NEVER;
        self.drain(i);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_found_by_their_addresses() {
        for host in [0, 1, 254, 255, 256, 65_535, 99_999] {
            assert_eq!(at(address(host)), Some(host));
        }
        for other in ["11.0.0.1:19810", "10.0.0.1:19811", "10.0.0.0:19810", "[::1]:19810"] {
            assert_eq!(at(other.parse().expect("an address")), None);
        }
    }
}

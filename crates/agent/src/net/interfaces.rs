//! Which of this machine's addresses others are told.

use peermon_model::limits::ADDRESSES_MAX;
use std::net::{IpAddr, SocketAddr};

/// One address of one interface.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Interface {
    pub(crate) name: String,
    pub(crate) ip: IpAddr,
    pub(crate) up: bool,
}

/// All addresses now; none if the system does not say.
pub(crate) fn read() -> Vec<Interface> {
    let all = if_addrs::get_if_addrs().unwrap_or_default();
    all.into_iter().map(|i| Interface { ip: i.ip(), up: i.is_oper_up(), name: i.name }).collect()
}

/// What to advertise for sockets bound to `bound`, best first. A socket on all addresses stands for every usable address of its
/// family, one on a single address for that.
pub(crate) fn advertised(bound: &[SocketAddr], interfaces: &[Interface]) -> Vec<SocketAddr> {
    let mut found: Vec<(u8, SocketAddr)> = Vec::new();
    for socket in bound {
        if !socket.ip().is_unspecified() {
            found.push((0, *socket));
            continue;
        }
        let same_family = |i: &&Interface| i.ip.is_ipv4() == socket.is_ipv4() && i.up;
        let rated = interfaces.iter().filter(same_family).filter_map(|i| Some((rank(i)?, SocketAddr::new(i.ip, socket.port()))));
        found.extend(rated);
    }
    // Loopback only if there is nothing else: two daemons on a machine without a network still find each other.
    if found.iter().any(|(rank, _)| *rank < LOOPBACK) {
        found.retain(|(rank, _)| *rank < LOOPBACK);
    }
    // Within a rank in the system's order, which is that of the interfaces.
    found.sort_by_key(|(rank, _)| *rank);
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for (_, a) in found {
        if !addresses.contains(&a) {
            addresses.push(a);
        }
    }
    addresses.truncate(ADDRESSES_MAX);
    addresses
}

const LOOPBACK: u8 = 9;

/// The lower the likelier others reach it; `None`: nobody else can.
fn rank(i: &Interface) -> Option<u8> {
    // Bridges and tunnels that live inside one machine: the same address may exist on every host.
    let inner = ["docker", "br-", "virbr", "cni", "flannel", "cali", "lxcbr", "lxdbr", "podman", "veth", "vnet", "tap"];
    let far = 4 * u8::from(inner.iter().any(|p| i.name.starts_with(p)));
    match i.ip {
        ip if ip.is_loopback() => Some(LOOPBACK),
        // A link-local address means nothing without the receiver's own name for the link.
        IpAddr::V4(ip) if ip.is_link_local() || ip.is_unspecified() => None,
        IpAddr::V6(ip) if ip.is_unicast_link_local() || ip.is_unspecified() => None,
        IpAddr::V4(_) => Some(far),
        IpAddr::V6(ip) => Some(far + 1 + u8::from(ip.is_unique_local())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// bound sockets, interfaces (`-` before the name: down), what is told
    type Case = (&'static [&'static str], &'static [(&'static str, &'static str)], &'static [&'static str]);
    const CASES: &[Case] = &[
        (&["0.0.0.0:1"], &[("lo", "127.0.0.1"), ("eth0", "10.0.0.1")], &["10.0.0.1:1"]),
        (&["0.0.0.0:1"], &[("lo", "127.0.0.1")], &["127.0.0.1:1"]),
        (&["0.0.0.0:1"], &[], &[]),
        (&["127.0.0.1:7"], &[("eth0", "10.0.0.1")], &["127.0.0.1:7"]),
        (
            &["[::]:2", "0.0.0.0:1"],
            &[("docker0", "172.17.0.1"), ("eth0", "10.0.0.1"), ("eth0", "fe80::1"), ("eth0", "fd00::1"), ("eth0", "2001:db8::1")],
            &["10.0.0.1:1", "[2001:db8::1]:2", "[fd00::1]:2", "172.17.0.1:1"],
        ),
        (&["0.0.0.0:1"], &[("-eth0", "10.0.0.1"), ("eth1", "10.0.0.2"), ("eth2", "169.254.0.9")], &["10.0.0.2:1"]),
        (&["0.0.0.0:1", "10.0.0.2:1"], &[("eth1", "10.0.0.2")], &["10.0.0.2:1"]),
        (
            &["0.0.0.0:1"],
            &[("a", "10.0.0.1"), ("b", "10.0.0.2"), ("c", "10.0.0.3"), ("d", "10.0.0.4"), ("e", "10.0.0.5")],
            &["10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1", "10.0.0.4:1"],
        ),
    ];

    #[test]
    fn others_are_told_what_they_can_reach() {
        for (bound, interfaces, told) in CASES {
            let interfaces: Vec<_> = interfaces
                .iter()
                .map(|(n, ip)| Interface {
                    name: n.trim_start_matches('-').into(),
                    ip: ip.parse().expect(ip),
                    up: !n.starts_with('-'),
                })
                .collect();
            let bound: Vec<SocketAddr> = bound.iter().map(|b| b.parse().expect(b)).collect();
            let got: Vec<_> = advertised(&bound, &interfaces).iter().map(ToString::to_string).collect();
            assert_eq!(got, *told);
        }
    }

    #[test]
    fn this_machine_has_loopback() {
        assert!(read().iter().any(|i| i.ip.is_loopback()));
    }
}

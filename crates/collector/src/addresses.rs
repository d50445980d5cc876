use std::net::{IpAddr, Ipv6Addr};

/// The addresses by which others may reach this host: of interfaces that are up, without loopback, link-local and
/// unspecified ones; v4 before v6, physical interfaces before bridges of containers and virtual machines. Empty if there are
/// none or the system does not tell.
pub fn interface_addresses() -> Vec<IpAddr> {
    let all = if_addrs::get_if_addrs().unwrap_or_default();
    choose(all.iter().filter(|i| i.is_oper_up() && !i.is_loopback()).map(|i| (i.name.as_str(), i.ip())))
}

/// Interfaces that container and virtual machine software makes; their networks end at this host.
const INNER: &[&str] = &["docker", "br-", "virbr", "cni", "flannel", "cali", "lxcbr", "lxdbr", "podman", "veth", "vnet", "tap"];

fn choose<'a>(all: impl Iterator<Item = (&'a str, IpAddr)>) -> Vec<IpAddr> {
    let mut list: Vec<_> = all
        .filter(|(_, ip)| reachable(ip))
        .map(|(name, ip)| (ip.is_ipv6(), INNER.iter().any(|p| name.starts_with(p)), ip))
        .collect();
    // Stable: within a group the kernel's order stays.
    list.sort_by_key(|(v6, inner, _)| (*v6, *inner));
    let mut addresses: Vec<IpAddr> = Vec::with_capacity(list.len());
    for (.., ip) in list {
        if !addresses.contains(&ip) {
            addresses.push(ip);
        }
    }
    addresses
}

fn reachable(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(a) => !(a.is_loopback() || a.is_link_local() || a.is_unspecified()),
        IpAddr::V6(a) => !(a.is_loopback() || is_link_local(a) || a.is_unspecified()),
    }
}

fn is_link_local(a: &Ipv6Addr) -> bool {
    a.segments()[0] & 0xffc0 == 0xfe80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_others_can_use_come_in_order() {
        let given = [
            ("lo", "127.0.0.1"),
            ("docker0", "172.17.0.1"),
            ("eth0", "fe80::1"),
            ("eth0", "2001:db8::5"),
            ("eth0", "10.1.2.3"),
            ("eth1", "169.254.3.4"),
            ("eth1", "192.0.2.7"),
            ("eth1", "10.1.2.3"),
        ];
        let got = choose(given.iter().map(|(n, a)| (*n, a.parse().expect("an address"))));
        let got: Vec<_> = got.iter().map(ToString::to_string).collect();
        assert_eq!(got, ["10.1.2.3", "192.0.2.7", "172.17.0.1", "2001:db8::5"]);
    }

    #[test]
    fn this_host_answers() {
        assert!(interface_addresses().iter().all(reachable));
    }
}

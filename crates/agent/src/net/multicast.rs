use super::interfaces::Interface;
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockAddr, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4, UdpSocket};

/// Hops an announcement may take: none beyond the LAN.
const TTL: u32 = 1;

/// The socket that hears announcements of other daemons. They are sent through the gossip socket instead, so that their
/// source is an address that can be answered.
#[derive(Debug)]
pub(super) struct Multicast {
    pub(super) socket: UdpSocket,
    group: SocketAddrV4,
    /// Addresses of the interfaces that take part.
    interfaces: Vec<Ipv4Addr>,
}

impl Multicast {
    /// Joins the group on every interface that has one of `usable`'s IPv4 addresses. Fails only if none can be joined.
    pub(super) fn open(group: SocketAddrV4, interfaces: &[Interface]) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        // Several daemons on one machine (a demo, tests) hear the same group.
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        // Bound to the group, not to any address: other groups' and unicast packets to the port stay out.
        socket.bind(&SockAddr::from(group))?;
        let mut joined = Vec::new();
        let mut last = io::Error::other("no interface has an IPv4 address");
        for ip in interfaces.iter().filter(|i| i.up).filter_map(|i| match i.ip {
            IpAddr::V4(ip) => Some(ip),
            IpAddr::V6(_) => None,
        }) {
            match socket.join_multicast_v4_n(group.ip(), &InterfaceIndexOrAddress::Address(ip)) {
                Ok(()) => joined.push(ip),
                // A second address of an interface that has joined already.
                Err(e) if e.raw_os_error() == Some(rustix::io::Errno::ADDRINUSE.raw_os_error()) => {}
                Err(e) => last = e,
            }
        }
        if joined.is_empty() {
            return Err(last);
        }
        Ok(Multicast { socket: socket.into(), group, interfaces: joined })
    }

    /// Sends an announcement out of every interface, through the gossip socket. True if any was taken.
    pub(super) fn send(&self, gossip: &UdpSocket, payload: &[u8]) -> bool {
        let options = socket2::SockRef::from(gossip);
        let mut taken = false;
        for ip in &self.interfaces {
            let ready = options.set_multicast_if_v4(ip).and_then(|()| options.set_multicast_ttl_v4(TTL));
            taken |= ready.and_then(|()| gossip.send_to(payload, self.group)).is_ok();
        }
        taken
    }
}

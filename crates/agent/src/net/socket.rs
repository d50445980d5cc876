use super::DATAGRAM_BYTES_MAX;
use super::interfaces::Interface;
use super::multicast::Multicast;
use rustix::fd::{AsFd, BorrowedFd};
use rustix::io::Errno;
use rustix::net::sockopt::{self, Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};

/// Bytes the kernel may hold for us: a wave of 2,200 nodes is about 30 kB, and its accounting counts a small packet as up
/// to 2 kB, so this holds a wave of that size while the loop is not scheduled. The kernel may grant less.
const RECEIVE_BUFFER_BYTES: usize = 1 << 20;
/// Errors in a row after which a socket is opened anew.
const ERRORS_MAX: u32 = 16;

/// Why the daemon cannot listen where it was told.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// One address cannot be used.
    #[error("cannot listen on UDP {address}: {source}{}", advice(*address, source))]
    Bind {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// This machine has none of the address families.
    #[error("none of the addresses of gossip.listen can be used on this machine; name one with --listen ADDRESS:PORT")]
    None,
}

fn advice(address: SocketAddr, e: &io::Error) -> String {
    match e.kind() {
        ErrorKind::AddrInUse => format!(
            "; another program, perhaps another peermon, has port {}: stop it, or give another port with --listen ADDRESS:PORT",
            address.port()
        ),
        ErrorKind::AddrNotAvailable => "; this machine has no such address: name one of its own, or 0.0.0.0".to_string(),
        ErrorKind::PermissionDenied => "; ports below 1024 need privileges: use another one".to_string(),
        _ => String::new(),
    }
}

/// One gossip socket.
#[derive(Debug)]
struct Gossip {
    socket: UdpSocket,
    local: SocketAddr,
    /// Errors since it last worked.
    errors: u32,
}

/// What became of a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sent {
    Done,
    /// The kernel has no room.
    NoBuffers,
    /// It is larger than the path carries.
    TooBig,
    /// There is no way there, or no socket of that family.
    Unreachable,
}

/// All sockets of the daemon.
#[derive(Debug)]
pub(crate) struct Sockets {
    list: Vec<Gossip>,
    multicast: Option<Multicast>,
    /// Sockets that were opened anew.
    pub(crate) reopened: u64,
    /// Datagrams longer than any of ours.
    pub(crate) oversized: u64,
    /// Errors other than "nothing there" while receiving.
    pub(crate) receive_errors: u64,
}

impl Sockets {
    /// Opens one socket for each address. The wildcard of a family this machine lacks is skipped.
    pub(crate) fn open(listen: &[SocketAddr]) -> Result<Self, SocketError> {
        let mut list = Vec::new();
        for address in listen {
            match open(*address) {
                Ok((socket, local)) => list.push(Gossip { socket, local, errors: 0 }),
                Err(e) if address.ip().is_unspecified() && lacks_family(&e) => {
                    tracing::warn!(%address, error = %e, "this machine lacks an address family; going on without");
                }
                Err(source) => return Err(SocketError::Bind { address: *address, source }),
            }
        }
        if list.is_empty() {
            return Err(SocketError::None);
        }
        Ok(Sockets { list, multicast: None, reopened: 0, oversized: 0, receive_errors: 0 })
    }

    /// Where the sockets are bound.
    pub(crate) fn bound(&self) -> Vec<SocketAddr> {
        self.list.iter().map(|g| g.local).collect()
    }

    /// Whether there are sockets for IPv4 and for IPv6.
    pub(crate) fn families(&self) -> (bool, bool) {
        (self.list.iter().any(|g| g.local.is_ipv4()), self.list.iter().any(|g| g.local.is_ipv6()))
    }

    /// Takes part in discovery, or does so anew on other interfaces. What was open before is closed in any case.
    pub(crate) fn discover(&mut self, group: SocketAddrV4, interfaces: &[Interface]) -> io::Result<()> {
        self.multicast = None;
        let v4 = self.list.iter().find(|g| g.local.is_ipv4()).ok_or_else(|| io::Error::other("there is no IPv4 socket"))?;
        let bound = v4.local.ip();
        // A socket on one address only speaks on that one; one on all addresses leaves loopback out, unless it is alone.
        let fits = |i: &&Interface| if bound.is_unspecified() { !i.ip.is_loopback() } else { i.ip == bound };
        let mut usable: Vec<Interface> = interfaces.iter().filter(fits).cloned().collect();
        if usable.iter().all(|i| i.ip.is_ipv6()) {
            usable = interfaces.iter().filter(|i| i.ip.is_loopback()).cloned().collect();
        }
        self.multicast = Some(Multicast::open(group, &usable)?);
        Ok(())
    }

    /// Whether discovery is open.
    pub(crate) fn discovers(&self) -> bool {
        self.multicast.is_some()
    }

    /// What to wait for, in the order of [`Sockets::receive`]'s index.
    pub(crate) fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.list.iter().map(|g| g.socket.as_fd()).chain(self.multicast.iter().map(|m| m.socket.as_fd()))
    }

    /// One datagram, if one is there: its length and source.
    pub(crate) fn receive(&mut self, index: usize, buffer: &mut [u8; DATAGRAM_BYTES_MAX]) -> Option<(usize, SocketAddr)> {
        loop {
            let socket = match self.list.get(index) {
                Some(g) => &g.socket,
                None => &self.multicast.as_ref()?.socket,
            };
            match socket.recv_from(buffer) {
                Ok((DATAGRAM_BYTES_MAX, _)) => self.oversized += 1,
                Ok(got) => {
                    self.works(index);
                    return Some(got);
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => return None,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => {
                    self.receive_errors += 1;
                    self.failed(index, &e);
                    return None;
                }
            }
        }
    }

    /// Sends to one peer.
    pub(crate) fn send(&mut self, to: SocketAddr, payload: &[u8]) -> Sent {
        let Some(index) = self.list.iter().position(|g| g.local.is_ipv4() == to.is_ipv4()) else {
            return Sent::Unreachable;
        };
        loop {
            let Err(e) = self.list[index].socket.send_to(payload, to) else {
                self.works(index);
                return Sent::Done;
            };
            return match Errno::from_io_error(&e) {
                Some(Errno::INTR) => continue,
                Some(Errno::AGAIN | Errno::NOBUFS | Errno::NOMEM) => Sent::NoBuffers,
                Some(Errno::MSGSIZE) => Sent::TooBig,
                // Of the destination or the way there, not of the socket.
                Some(
                    Errno::NETUNREACH
                    | Errno::HOSTUNREACH
                    | Errno::NETDOWN
                    | Errno::HOSTDOWN
                    | Errno::CONNREFUSED
                    | Errno::ACCESS
                    | Errno::PERM
                    | Errno::ADDRNOTAVAIL
                    | Errno::INVAL,
                ) => Sent::Unreachable,
                _ => {
                    self.failed(index, &e);
                    Sent::Unreachable
                }
            };
        }
    }

    /// Sends an announcement to the discovery group.
    pub(crate) fn announce(&self, payload: &[u8]) -> Sent {
        let socket = self.list.iter().find(|g| g.local.is_ipv4());
        match (&self.multicast, socket) {
            (Some(m), Some(g)) if m.send(&g.socket, payload) => Sent::Done,
            _ => Sent::Unreachable,
        }
    }

    fn works(&mut self, index: usize) {
        if let Some(g) = self.list.get_mut(index) {
            g.errors = 0;
        }
    }

    /// A socket that keeps failing is opened anew, on the same port. If that fails too it is tried again after as many errors.
    fn failed(&mut self, index: usize, error: &io::Error) {
        let Some(g) = self.list.get_mut(index) else {
            // The discovery socket only helps: it is opened anew when addresses change.
            self.multicast = None;
            return;
        };
        g.errors += 1;
        if !g.errors.is_multiple_of(ERRORS_MAX) {
            return;
        }
        tracing::warn!(address = %g.local, %error, "a socket keeps failing; opening it anew");
        // The old one holds the port until it is gone.
        if let Ok(placeholder) = UdpSocket::bind(("127.0.0.1", 0)) {
            g.socket = placeholder;
        }
        match open(g.local) {
            Ok((socket, _)) => {
                g.socket = socket;
                self.reopened += 1;
            }
            Err(e) => tracing::warn!(address = %g.local, error = %e, "cannot open it; trying again"),
        }
    }
}

fn open(address: SocketAddr) -> io::Result<(UdpSocket, SocketAddr)> {
    let domain = if address.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    // Nothing is fragmented: a datagram that is too big is told, and the node sends smaller ones.
    if address.is_ipv4() {
        sockopt::set_ip_mtu_discover(&socket, Ipv4PathMtuDiscovery::DO)?;
    } else {
        socket.set_only_v6(true)?;
        sockopt::set_ipv6_mtu_discover(&socket, Ipv6PathMtuDiscovery::DO)?;
    }
    // Only better to have.
    if let Err(e) = socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES) {
        tracing::debug!(error = %e, "cannot enlarge the receive buffer");
    }
    socket.bind(&SockAddr::from(address))?;
    let socket = UdpSocket::from(socket);
    let local = socket.local_addr()?;
    Ok((socket, local))
}

fn lacks_family(e: &io::Error) -> bool {
    matches!(Errno::from_io_error(e), Some(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL | Errno::PROTONOSUPPORT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loopback() -> Sockets {
        Sockets::open(&["127.0.0.1:0".parse().expect("an address")]).expect("a socket")
    }

    fn wait_readable(s: &Sockets) {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let mut fds: Vec<_> = s.fds().map(|f| PollFd::from_borrowed_fd(f, PollFlags::IN)).collect();
        assert!(poll(&mut fds, Some(&Timespec { tv_sec: 10, tv_nsec: 0 })).expect("poll") > 0, "nothing came");
    }

    #[test]
    fn datagrams_travel_and_long_ones_are_counted() {
        let (mut a, mut b) = (loopback(), loopback());
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        assert_eq!(b.receive(0, &mut buffer), None);
        assert_eq!(a.send(b.bound()[0], &[1; 5000]), Sent::Done);
        assert_eq!(a.send(b.bound()[0], b"hello"), Sent::Done);
        wait_readable(&b);
        assert_eq!(b.receive(0, &mut buffer), Some((5, a.bound()[0])));
        assert_eq!((&buffer[..5], b.oversized), (&b"hello"[..], 1));
    }

    #[test]
    fn failures_are_told_apart() {
        let mut a = loopback();
        assert_eq!(a.send("[::1]:9".parse().expect("an address"), b"x"), Sent::Unreachable, "no IPv6 socket");
        assert_eq!(a.send("127.0.0.1:9".parse().expect("an address"), &[0; 65_508]), Sent::TooBig);
        assert_eq!(a.announce(b"x"), Sent::Unreachable, "no discovery");
        let taken = a.bound();
        let e = Sockets::open(&taken).expect_err("taken").to_string();
        assert!(e.contains(&taken[0].to_string()) && e.contains("--listen"), "{e}");
        let e = Sockets::open(&["192.0.2.1:0".parse().expect("an address")]).expect_err("not ours").to_string();
        assert!(e.contains("no such address"), "{e}");
    }

    #[test]
    fn a_socket_that_keeps_failing_is_opened_anew_on_its_port() {
        let (mut a, mut b) = (loopback(), loopback());
        let address = b.bound()[0];
        for _ in 0..ERRORS_MAX {
            b.failed(0, &io::Error::other("made up"));
        }
        assert_eq!((b.reopened, b.bound()[0]), (1, address));
        assert_eq!(a.send(address, b"again"), Sent::Done);
        wait_readable(&b);
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        assert_eq!(b.receive(0, &mut buffer), Some((5, a.bound()[0])));
    }
}

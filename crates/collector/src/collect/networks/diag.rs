//! Asking the kernel for its TCP connections: sock_diag over netlink (`linux/inet_diag.h`, `linux/tcp.h`, man 7 sock_diag).

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;

/// Bytes taken at a time: the most the kernel puts into one piece of its answer, some 100 connections.
const RECEIVE_BYTES: usize = 32 << 10;

const HEADER_BYTES: usize = 16;
const REQUEST_BYTES: usize = 72;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// The kernel's error numbers.
const ERRNOS: std::ops::Range<u32> = 1..4096;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const REQUEST_ALL: u16 = 0x301;
const PROTOCOL_TCP: u8 = 6;
/// `1 << (INET_DIAG_INFO - 1)`: with a `struct tcp_info` of each.
const WITH_INFO: u8 = 1 << 1;
const ESTABLISHED: u32 = 1 << 1;
/// The kernel's `AF_INET`, in its answers.
const FAMILY_V4: u8 = 2;
/// Bytes of a `struct inet_diag_msg`, before the attributes.
const MESSAGE_BYTES: usize = 72;
const ATTRIBUTE_INFO: u16 = 2;

/// One established connection.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Connection {
    /// Tells it from every other one since boot.
    pub(super) cookie: u64,
    pub(super) local: IpAddr,
    pub(super) remote: IpAddr,
    pub(super) info: Info,
}

/// What the kernel knows of a connection. Older kernels know less; what they lack is 0.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
pub(super) struct Info {
    pub(super) rtt_micros: u32,
    pub(super) min_rtt_micros: u32,
    /// Segments sent again, of those sent.
    pub(super) retransmits: u32,
    pub(super) segments: u32,
    /// Bytes sent that were acknowledged.
    pub(super) acked: u64,
    pub(super) received: u64,
    /// Bytes per second it was last seen to deliver, unless its program sent less than it could.
    pub(super) delivery: Option<u64>,
}

/// An answer under way. It can be taken a piece at a time, over several rounds.
pub(super) struct Dump {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

impl Dump {
    /// Asks for all established connections of a family.
    pub(super) fn begin(family: AddressFamily) -> rustix::io::Result<Dump> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(netlink::SOCK_DIAG))?;
        let mut request = [0; REQUEST_BYTES];
        request[..4].copy_from_slice(&(REQUEST_BYTES as u32).to_ne_bytes());
        request[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        request[6..8].copy_from_slice(&REQUEST_ALL.to_ne_bytes());
        request[HEADER_BYTES] = family.as_raw() as u8;
        request[HEADER_BYTES + 1] = PROTOCOL_TCP;
        request[HEADER_BYTES + 2] = WITH_INFO;
        request[HEADER_BYTES + 4..HEADER_BYTES + 8].copy_from_slice(&ESTABLISHED.to_ne_bytes());
        send(&socket, &request, SendFlags::empty())?;
        Ok(Dump { socket, buffer: vec![0; RECEIVE_BYTES] })
    }

    /// The next piece; true if it was the last.
    pub(super) fn take(&mut self, each: impl FnMut(Connection)) -> rustix::io::Result<bool> {
        let (length, _) = recv(&self.socket, &mut self.buffer[..], RecvFlags::empty())?;
        messages(&self.buffer[..length], each)
    }
}

/// Goes through the messages of one piece; true if the answer ends in it.
fn messages(mut bytes: &[u8], mut each: impl FnMut(Connection)) -> rustix::io::Result<bool> {
    while let (Some(length), Some(kind)) = (u32_at(bytes, 0), u16_at(bytes, 4)) {
        let length = length as usize;
        let Some(body) = bytes.get(HEADER_BYTES..length) else { break };
        match kind {
            NLMSG_DONE => return Ok(true),
            NLMSG_ERROR => {
                // A negative error number; anything else is no answer of a kernel's.
                let number = u32_at(body, 0).map_or(0, |n| (n as i32).unsigned_abs());
                return Err(if ERRNOS.contains(&number) { Errno::from_raw_os_error(number as i32) } else { Errno::PROTO });
            }
            SOCK_DIAG_BY_FAMILY => connection(body).into_iter().for_each(&mut each),
            _ => {}
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    // Less than a message: nothing more can come that makes sense.
    Ok(bytes.len() >= HEADER_BYTES)
}

/// A `struct inet_diag_msg` and its attributes; `None` if it is too short or has no `tcp_info`.
fn connection(bytes: &[u8]) -> Option<Connection> {
    let address = |at: usize| -> Option<IpAddr> {
        let sixteen: [u8; 16] = bytes.get(at..at + 16)?.try_into().ok()?;
        Some(match *bytes.first()? {
            FAMILY_V4 => Ipv4Addr::new(sixteen[0], sixteen[1], sixteen[2], sixteen[3]).into(),
            _ => Ipv6Addr::from(sixteen).to_canonical(),
        })
    };
    let (local, remote) = (address(8)?, address(24)?);
    let cookie = u64::from(u32_at(bytes, 44)?) | u64::from(u32_at(bytes, 48)?) << 32;
    let mut rest = bytes.get(MESSAGE_BYTES..)?;
    while let (Some(length), Some(kind)) = (u16_at(rest, 0), u16_at(rest, 2)) {
        let length = usize::from(length);
        let body = rest.get(4..length)?;
        if kind == ATTRIBUTE_INFO {
            return Some(Connection { cookie, local, remote, info: info(body) });
        }
        rest = rest.get(length.next_multiple_of(4)..)?;
    }
    None
}

/// The fields wanted of a `struct tcp_info`, which grows at its end from kernel to kernel.
fn info(bytes: &[u8]) -> Info {
    let word = |at: usize| u32_at(bytes, at).unwrap_or(0);
    let long = |at: usize| u64_at(bytes, at).unwrap_or(0);
    let application_limited = bytes.get(7).is_some_and(|b| b & 1 == 1);
    Info {
        rtt_micros: word(68),
        retransmits: word(100),
        acked: long(120),
        received: long(128),
        segments: word(136),
        min_rtt_micros: word(148),
        delivery: Some(long(160)).filter(|d| *d > 0 && !application_limited),
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::{TcpListener, TcpStream};

    /// All connections of this host; `None` if it does not tell.
    fn all(family: AddressFamily) -> Option<Vec<Connection>> {
        let mut found = Vec::new();
        let mut dump = Dump::begin(family).ok()?;
        while !dump.take(|c| found.push(c)).ok()? {}
        Some(found)
    }

    #[test]
    // What is skipped is said.
    #[allow(clippy::print_stderr)]
    fn a_connection_of_this_host_is_found() {
        for (listen, family) in [("127.0.0.1:0", AddressFamily::INET), ("[::1]:0", AddressFamily::INET6)] {
            let Ok(listener) = TcpListener::bind(listen) else {
                eprintln!("skipped: no {listen} here");
                continue;
            };
            let Some(before) = all(family) else {
                eprintln!("skipped: this kernel does not tell its connections");
                return;
            };
            let _client = TcpStream::connect(listener.local_addr().expect("an address")).expect("connected");
            let _server = listener.accept().expect("accepted");
            let after = all(family).expect("as before");
            let new: Vec<_> = after.iter().filter(|c| !before.iter().any(|b| b.cookie == c.cookie)).collect();
            assert!(new.iter().filter(|c| c.remote.is_loopback() && c.local == c.remote).count() >= 2, "{new:?}");
        }
    }

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let mut m = ((HEADER_BYTES + body.len()) as u32).to_ne_bytes().to_vec();
        m.extend_from_slice(&kind.to_ne_bytes());
        m.extend_from_slice(&[0; 10]);
        m.extend_from_slice(body);
        m
    }

    #[test]
    fn errors_and_ends_are_told() {
        assert_eq!(messages(&message(NLMSG_DONE, &[0; 4]), |_| ()), Ok(true));
        assert_eq!(messages(&message(NLMSG_ERROR, &(-2_i32).to_ne_bytes()), |_| ()), Err(Errno::NOENT));
        assert_eq!(messages(&message(SOCK_DIAG_BY_FAMILY, &[]), |_| panic!("too short")), Ok(false));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), kind in 0..30_u16) {
            let _: Result<bool, _> = messages(&bytes, |_| ());
            let _: Result<bool, _> = messages(&message(kind, &bytes), |_| ());
            let mut near = vec![FAMILY_V4; MESSAGE_BYTES];
            near.extend_from_slice(&bytes);
            let _: Option<Connection> = connection(&near);
        }
    }
}

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, Protocol, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};

/// NETLINK_ROUTE, the protocol number 0.
const ROUTE: Option<Protocol> = None;
/// RTMGRP_LINK, RTMGRP_IPV4_IFADDR and RTMGRP_IPV6_IFADDR (rtnetlink(7)).
const GROUPS: u32 = 0x1 | 0x10 | 0x100;
/// Messages thrown away at one look: a burst beyond that only means another look.
const DRAIN_MAX: usize = 64;

/// Hears from the kernel that an interface or address came or went. What exactly is not read: the addresses are looked up anew.
#[derive(Debug)]
pub(crate) struct AddressWatch(OwnedFd);

impl AddressWatch {
    /// `None` where the system forbids it; addresses are looked up now and then anyway.
    pub(crate) fn open() -> Option<Self> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let fd = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, ROUTE).ok()?;
        bind(&fd, &SocketAddrNetlink::new(0, GROUPS)).ok()?;
        Some(AddressWatch(fd))
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Forgets what was heard. An overflow (ENOBUFS) is news too, so errors are not told apart.
    pub(crate) fn drain(&self) {
        let mut buffer = [0u8; 4096];
        for _ in 0..DRAIN_MAX {
            if recv(&self.0, &mut buffer[..], RecvFlags::empty()).is_err() {
                return;
            }
        }
    }
}

//! The daemon's sockets and what it knows of this machine's interfaces.

pub(crate) mod interfaces;
mod multicast;
pub(crate) mod resolve;
mod socket;
mod watch;

pub use socket::SocketError;
pub(crate) use socket::{Sent, Sockets};
pub(crate) use watch::AddressWatch;

/// Bytes read of one datagram: more than any of ours has (1,452 and a little), so that a longer one is seen to be none.
pub(crate) const DATAGRAM_BYTES_MAX: usize = 2048;

use crate::letter::Letter;
use crate::signals::Signal;
use std::net::SocketAddr;

/// Everything that can happen to the daemon. The loop takes one at a time, and each costs bounded work.
#[derive(Debug)]
pub(crate) enum Event<'a> {
    /// A datagram came, by unicast or multicast.
    Datagram {
        /// From whom.
        from: SocketAddr,
        /// Its bytes; they are decrypted in place.
        bytes: &'a mut [u8],
    },
    /// The node's deadline has passed.
    Timeout,
    /// The collectors have not answered in time.
    SamplesLate,
    /// Another thread handed something over.
    Letter(Letter),
    /// The process got a signal.
    Signal(Signal),
    /// An interface or address came or went, or it is time to look.
    AddressesChanged,
    /// It is time for what is done about once a second.
    Tick,
}

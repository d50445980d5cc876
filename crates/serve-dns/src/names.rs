//! What the names of the zone stand for.

use peermon_api::By;

/// The host name of this server, where no other name servers are named.
pub(crate) const NS: &str = "ns";
/// Digits of an id that make a name: few enough to type, and enough to be no word.
pub(crate) const ID_DIGITS_MIN: usize = 8;

/// A name that is always there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fixed {
    /// The zone itself.
    Origin,
    /// The best nodes.
    Best(By),
    /// Where the nodes' own protocol is spoken.
    Service,
    /// Nothing itself, but names below it.
    Above,
    /// This server.
    NameServer,
}

/// All of them, relative to the zone and in lower case.
pub(crate) const FIXED: &[(&str, Fixed)] = &[
    ("", Fixed::Origin),
    ("best", Fixed::Best(By::Both)),
    ("best-cpu", Fixed::Best(By::Cpu)),
    ("best-mem", Fixed::Best(By::Mem)),
    ("_peermon._udp", Fixed::Service),
    ("_peermon._tcp", Fixed::Service),
    ("_udp", Fixed::Above),
    ("_tcp", Fixed::Above),
    (NS, Fixed::NameServer),
];

/// What a relative name in lower case always stands for, if it does.
pub(crate) fn fixed(name: &[u8]) -> Option<Fixed> {
    FIXED.iter().find(|(text, _)| text.as_bytes() == name).map(|(_, what)| *what)
}

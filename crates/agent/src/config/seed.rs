use super::GOSSIP_PORT;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// A member to contact: an address, or a host name that is looked up again and again until it answers.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Seed {
    /// An address.
    Address(SocketAddr),
    /// A host name and a port.
    Name(String, u16),
}

/// Bytes of a host name (RFC 1035).
const HOST_BYTES_MAX: usize = 253;

impl FromStr for Seed {
    type Err = ();

    /// `ADDRESS`, `ADDRESS:PORT`, `[V6]:PORT`, `HOST` or `HOST:PORT`; the port is that of gossip unless given.
    fn from_str(s: &str) -> Result<Self, ()> {
        if let Ok(address) = s.parse::<SocketAddr>() {
            return if address.port() == 0 { Err(()) } else { Ok(Seed::Address(address)) };
        }
        if let Ok(ip) = s.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            return Ok(Seed::Address((ip, GOSSIP_PORT).into()));
        }
        let (host, port) = match s.split_once(':') {
            Some((host, port)) => (host, port.parse().ok().filter(|p| *p != 0).ok_or(())?),
            None => (s, GOSSIP_PORT),
        };
        let letters = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        // All digits and dots is an address that was mistyped, not a name.
        let number = host.chars().all(|c| c.is_ascii_digit() || c == '.');
        if host.is_empty() || host.len() > HOST_BYTES_MAX || !host.chars().all(letters) || number {
            return Err(());
        }
        Ok(Seed::Name(host.to_string(), port))
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Seed::Address(a) => a.fmt(f),
            Seed::Name(host, port) => write!(f, "{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_addresses_or_names() {
        for (text, shown) in [
            ("10.0.0.1", "10.0.0.1:19810"),
            ("10.0.0.1:7", "10.0.0.1:7"),
            ("fd00::1", "[fd00::1]:19810"),
            ("[fd00::1]", "[fd00::1]:19810"),
            ("[fd00::1]:7", "[fd00::1]:7"),
            ("node-1.lab", "node-1.lab:19810"),
            ("node_1:7", "node_1:7"),
        ] {
            assert_eq!(text.parse::<Seed>().map(|s| s.to_string()), Ok(shown.to_string()), "{text}");
        }
        for bad in ["", ":7", "10.0.0", "10.0.0.1:0", "10.0.0.1:70000", "a b", "a:b:c", "http://x", "é"] {
            assert!(bad.parse::<Seed>().is_err(), "{bad}");
        }
    }
}

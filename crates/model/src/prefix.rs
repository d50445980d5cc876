use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// An address prefix such as `10.0.0.0/8` or `fd00::/8`; a bare address is a prefix of full length.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IpPrefix {
    bits: u128,
    len: u8,
    v4: bool,
}

/// Why a text is not an address prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsePrefix(String);

impl fmt::Display for ParsePrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not an address prefix; write for example 10.0.0.0/8 or fd00::/8", self.0)
    }
}
impl std::error::Error for ParsePrefix {}

fn bits_of(ip: IpAddr) -> (u128, bool) {
    match ip.to_canonical() {
        IpAddr::V4(a) => (u128::from(u32::from(a)) << 96, true),
        IpAddr::V6(a) => (u128::from(a), false),
    }
}

fn mask(len: u8) -> u128 {
    if len == 0 { 0 } else { !0 << (128 - u32::from(len)) }
}

impl IpPrefix {
    /// Whether the address lies in the prefix. IPv4-mapped IPv6 addresses count as IPv4.
    pub fn contains(&self, ip: IpAddr) -> bool {
        let (bits, v4) = bits_of(ip);
        v4 == self.v4 && (bits ^ self.bits) & mask(self.len) == 0
    }
}

impl FromStr for IpPrefix {
    type Err = ParsePrefix;
    fn from_str(s: &str) -> Result<Self, ParsePrefix> {
        let bad = || ParsePrefix(s.chars().take(80).collect());
        let (ip, len) = match s.split_once('/') {
            Some((ip, len)) => (ip, Some(len.parse::<u8>().map_err(|_| bad())?)),
            None => (s, None),
        };
        let (bits, v4) = bits_of(ip.parse().map_err(|_| bad())?);
        let most = if v4 { 32 } else { 128 };
        let len = len.unwrap_or(most);
        if len > most {
            return Err(bad());
        }
        Ok(IpPrefix { bits: bits & mask(len), len, v4 })
    }
}

impl fmt::Display for IpPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ip: IpAddr = if self.v4 { IpAddr::V4(((self.bits >> 96) as u32).into()) } else { IpAddr::V6(self.bits.into()) };
        write!(f, "{ip}/{}", self.len)
    }
}

/// Prefixes that packets may come from and records may name. Empty: everything is allowed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AllowList(pub Vec<IpPrefix>);

impl AllowList {
    /// Whether the address is allowed.
    pub fn allows(&self, ip: IpAddr) -> bool {
        self.0.is_empty() || self.0.iter().any(|p| p.contains(ip))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_contain_what_they_should() {
        for (prefix, ip, yes) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "10.1.2.4", false),
            ("0.0.0.0/0", "1.2.3.4", true),
            ("0.0.0.0/0", "::1", false),
            ("10.0.0.0/8", "::ffff:10.1.1.1", true),
            ("fd00::/8", "fd12::1", true),
            ("::/0", "fe80::1", true),
        ] {
            assert_eq!(prefix.parse::<IpPrefix>().expect(prefix).contains(ip.parse().expect(ip)), yes, "{prefix} {ip}");
        }
        for bad in ["", "10.0.0.0/33", "::/129", "ten", "10.0.0.0/", "10.0.0.0/-1"] {
            assert!(bad.parse::<IpPrefix>().is_err(), "{bad}");
        }
        assert_eq!("10.1.2.3/8".parse::<IpPrefix>().expect("valid").to_string(), "10.0.0.0/8");
    }
}

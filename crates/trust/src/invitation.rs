use crate::{ClusterKey, digest64};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// What a machine needs to join: where to ask, and the cluster key. As text it is the token of `peermon invite`.
///
/// ```
/// use peermon_trust::{ClusterKey, Invitation};
/// let i = Invitation { addresses: vec!["10.0.0.1:19810".parse().unwrap()], generation: 1, key: ClusterKey::new([5; 32]) };
/// assert_eq!(i.to_string().parse(), Ok(i));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Invitation {
    /// Members to ask, at most [`Invitation::ADDRESSES_MAX`].
    pub addresses: Vec<SocketAddr>,
    /// The key's generation.
    pub generation: u32,
    /// The cluster key.
    pub key: ClusterKey,
}

impl Invitation {
    /// Addresses in one token: enough that one of them answers, few enough to paste.
    pub const ADDRESSES_MAX: usize = 4;
}

const PREFIX: &str = "pm1-";
/// Crockford's alphabet: no letters that look like digits.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Why a text is not an invitation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseInvitation(&'static str);

impl fmt::Display for ParseInvitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this is not a token of `peermon invite`: {}; copy it whole, from {PREFIX} to its end", self.0)
    }
}
impl std::error::Error for ParseInvitation {}

impl fmt::Display for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.generation.to_le_bytes().to_vec();
        bytes.extend_from_slice(self.key.secret());
        for a in self.addresses.iter().take(Self::ADDRESSES_MAX) {
            match a.ip().to_canonical() {
                IpAddr::V4(ip) => {
                    bytes.push(4);
                    bytes.extend_from_slice(&ip.octets());
                }
                IpAddr::V6(ip) => {
                    bytes.push(6);
                    bytes.extend_from_slice(&ip.octets());
                }
            }
            bytes.extend_from_slice(&a.port().to_le_bytes());
        }
        let check = digest64(&bytes).to_le_bytes();
        bytes.extend_from_slice(&check[..4]);
        f.write_str(PREFIX)?;
        f.write_str(&base32(&bytes))
    }
}

impl FromStr for Invitation {
    type Err = ParseInvitation;
    fn from_str(s: &str) -> Result<Self, ParseInvitation> {
        let s = s.trim().to_ascii_lowercase();
        let digits = s.strip_prefix(PREFIX).ok_or(ParseInvitation("it does not begin with pm1-"))?;
        if digits.len() > 400 {
            return Err(ParseInvitation("it is too long"));
        }
        let bytes = unbase32(digits).ok_or(ParseInvitation("it has a character that no token has"))?;
        let (body, check) = bytes.split_last_chunk::<4>().ok_or(ParseInvitation("it is too short"))?;
        if digest64(body).to_le_bytes()[..4] != *check {
            return Err(ParseInvitation("a character is wrong or missing"));
        }
        let cut = || ParseInvitation("it is cut off");
        let (generation, rest) = body.split_first_chunk::<4>().ok_or_else(cut)?;
        let (key, mut rest) = rest.split_first_chunk::<32>().ok_or_else(cut)?;
        let mut addresses = Vec::new();
        while let Some((family, tail)) = rest.split_first() {
            let (ip, tail): (IpAddr, &[u8]) = match family {
                4 => tail.split_first_chunk::<4>().map(|(a, t)| ((*a).into(), t)).ok_or_else(cut)?,
                6 => tail.split_first_chunk::<16>().map(|(a, t)| ((*a).into(), t)).ok_or_else(cut)?,
                _ => return Err(ParseInvitation("it has an address of an unknown kind")),
            };
            let (port, tail) = tail.split_first_chunk::<2>().ok_or_else(cut)?;
            addresses.push(SocketAddr::new(ip, u16::from_le_bytes(*port)));
            rest = tail;
        }
        if addresses.len() > Self::ADDRESSES_MAX {
            return Err(ParseInvitation("it has too many addresses"));
        }
        Ok(Invitation { addresses, generation: u32::from_le_bytes(*generation), key: ClusterKey::new(*key) })
    }
}

fn base32(bytes: &[u8]) -> String {
    let mut text = String::new();
    let (mut acc, mut bits) = (0u32, 0);
    for b in bytes {
        acc = acc << 8 | u32::from(*b);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(ALPHABET[(acc >> bits & 31) as usize] as char);
        }
    }
    if bits > 0 {
        text.push(ALPHABET[(acc << (5 - bits) & 31) as usize] as char);
    }
    text
}

fn unbase32(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut acc, mut bits) = (0u32, 0);
    for c in text.bytes() {
        let c = match c {
            b'o' => b'0',
            b'i' | b'l' => b'1',
            c => c,
        };
        acc = acc << 5 | ALPHABET.iter().position(|a| *a == c)? as u32;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((acc >> bits) as u8);
        }
    }
    (acc & ((1 << bits) - 1) == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn token() -> String {
        let addresses = vec!["10.0.0.1:19810".parse().expect("valid"), "[fd00::1]:1".parse().expect("valid")];
        Invitation { addresses, generation: 3, key: ClusterKey::new(std::array::from_fn(|i| i as u8)) }.to_string()
    }

    #[test]
    fn every_typing_mistake_is_noticed() {
        let good = token();
        assert!(good.to_ascii_uppercase().parse::<Invitation>().is_ok());
        for i in 0..good.len() {
            let mut wrong = good.clone().into_bytes();
            wrong[i] = if wrong[i] == b'x' { b'y' } else { b'x' };
            assert!(String::from_utf8(wrong).expect("ascii").parse::<Invitation>().is_err(), "character {i}");
            assert!(good[..i].parse::<Invitation>().is_err(), "cut at {i}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(s in "\\PC{0,80}", t in "pm1-[0-9a-z]{0,120}") {
            let _ = s.parse::<Invitation>();
            let _ = t.parse::<Invitation>();
        }
    }
}

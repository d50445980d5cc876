use crate::limits;
use std::fmt;
use std::str::FromStr;

/// A node's identity: the public half of its Ed25519 key. Names are labels and may collide; this does not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub [u8; 32]);

impl NodeId {
    /// The short handle used inside the protocol: the first 8 bytes of the key (a uniformly distributed value already, so
    /// hashing it again would add nothing).
    pub fn nid(&self) -> u64 {
        let mut b = [0; 8];
        b.copy_from_slice(&self.0[..8]);
        u64::from_le_bytes(b)
    }

    /// The first 8 hexadecimal digits, for people.
    pub fn short(&self) -> String {
        self.to_string()[..8].to_string()
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.short())
    }
}

/// Why a text is not a node id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseNodeId;

impl fmt::Display for ParseNodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a node id is 64 hexadecimal digits")
    }
}
impl std::error::Error for ParseNodeId {}

impl FromStr for NodeId {
    type Err = ParseNodeId;
    fn from_str(s: &str) -> Result<Self, ParseNodeId> {
        let digits: Vec<u8> =
            s.bytes().map(|c| (c as char).to_digit(16).map(|d| d as u8)).collect::<Option<_>>().ok_or(ParseNodeId)?;
        let (pairs, rest) = digits.as_chunks::<2>();
        if !rest.is_empty() || pairs.len() != 32 {
            return Err(ParseNodeId);
        }
        let mut id = [0; 32];
        for (out, [hi, lo]) in id.iter_mut().zip(pairs) {
            *out = hi << 4 | lo;
        }
        Ok(NodeId(id))
    }
}

/// Which life of a node: it grows at every start, so that a restarted node outranks what is still told of its former life.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Incarnation(pub u32);

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A node's label: 1 to 63 printable characters without white space, quotes, slashes or control characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(Box<str>);

impl NodeName {
    /// The label as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is not a node name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseNodeName {
    given: String,
    reason: &'static str,
}

impl ParseNodeName {
    /// As what kind of name the text fails.
    pub(crate) fn tell(&self, f: &mut fmt::Formatter<'_>, kind: &str) -> fmt::Result {
        write!(f, "{:?} is not a {kind} name: {}", self.given, self.reason)
    }
}

impl fmt::Display for ParseNodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tell(f, "node")
    }
}
impl std::error::Error for ParseNodeName {}

impl FromStr for NodeName {
    type Err = ParseNodeName;
    fn from_str(s: &str) -> Result<Self, ParseNodeName> {
        let bad = |reason| Err(ParseNodeName { given: s.chars().take(80).collect(), reason });
        if s.is_empty() {
            return bad("it is empty");
        }
        if s.len() > limits::NAME_BYTES_MAX {
            return bad("it is longer than 63 bytes");
        }
        if s.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'' | '/' | '\\' | '`' | ',')) {
            return bad("white space, quotes, commas, slashes and control characters are not allowed");
        }
        Ok(NodeName(s.into()))
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_round_trip_and_reject_other_text() {
        let id = NodeId(std::array::from_fn(|i| i as u8 * 7));
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in ["", "00", "zz", &"0".repeat(63), &"0".repeat(65), "é", &"é".repeat(32)] {
            assert_eq!(bad.parse::<NodeId>(), Err(ParseNodeId), "{bad}");
        }
    }

    #[test]
    fn names_are_labels_without_traps() {
        for good in ["a", "node-01.lab", "größe", &"x".repeat(63)] {
            assert_eq!(good.parse::<NodeName>().expect(good).as_str(), good);
        }
        for bad in ["", "a b", "a/b", "a\nb", "\"", "a,b", &"x".repeat(64)] {
            assert!(bad.parse::<NodeName>().is_err(), "{bad:?}");
        }
    }
}

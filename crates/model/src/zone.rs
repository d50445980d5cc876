use crate::id::{NodeName, ParseNodeName};
use crate::{NodeId, limits};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The label of a zone: nodes with a common fate or LAN. The rules are those of node names.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZoneName(NodeName);

impl ZoneName {
    /// The label as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl Default for ZoneName {
    /// The zone of nodes that were told none.
    fn default() -> Self {
        ZoneName("default".parse().expect("it is a valid name"))
    }
}

impl FromStr for ZoneName {
    type Err = ParseZoneName;
    fn from_str(s: &str) -> Result<Self, ParseZoneName> {
        s.parse().map(ZoneName).map_err(ParseZoneName)
    }
}

impl fmt::Display for ZoneName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for ZoneName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

/// Why a text is not a zone name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseZoneName(ParseNodeName);

impl fmt::Display for ParseZoneName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.tell(f, "zone")
    }
}
impl std::error::Error for ParseZoneName {}

/// A whole zone in a few numbers, told by one of its nodes. Sums are over the nodes that are up.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct ZoneSummary {
    /// Nodes that are up.
    pub up: u32,
    /// Nodes that are down and not yet forgotten.
    pub down: u32,
    /// Hardware threads.
    pub threads: u32,
    /// GPUs.
    pub gpus: u32,
    /// Memory, in bytes.
    pub mem_total: f64,
    /// Memory available, in bytes.
    pub mem_available: f64,
    /// Share of all threads' time that is not idle, 0 to 1.
    pub cpu_busy: f64,
}

/// One zone in a snapshot.
#[derive(Clone, Debug)]
pub struct ZoneEntry {
    /// Its label.
    pub name: ZoneName,
    /// It is the zone of the node that holds the table.
    pub own: bool,
    /// Nothing has come from it for so long that what is shown of it may be wrong: it is cut off, or all of it is down.
    pub stale: bool,
    /// How old the newest row of any of its nodes was when the snapshot was taken; `None` before the first.
    pub age: Option<Duration>,
    /// How often rows of its nodes are expected here.
    pub period: Duration,
    /// Only some of its nodes are in the table: the relays and the best ones.
    pub partial: bool,
    /// Nodes that pass its rows to other zones, at most [`limits::RELAYS`].
    pub relays: Vec<NodeId>,
    /// What it says of itself, if it did.
    pub summary: Option<ZoneSummary>,
}

const _: () = assert!(limits::RELAYS > 0);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zone_names_are_checked_as_node_names_are() {
        assert_eq!("rack-7".parse::<ZoneName>().expect("valid").to_string(), "rack-7");
        assert_eq!(ZoneName::default().as_str(), "default");
        let e = "rack 7".parse::<ZoneName>().expect_err("white space").to_string();
        assert!(e.starts_with("\"rack 7\" is not a zone name: "), "{e}");
    }
}

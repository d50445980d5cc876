use crate::{ClaimEntry, Instant, NodeId, Record, Vitals, Why, ZoneEntry};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How membership sees a node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum MemberState {
    /// It publishes.
    Alive,
    /// It was silent in one period; its neighbours ask it.
    Suspect,
    /// It was silent for two periods and answers nobody.
    Down,
    /// It said that it leaves.
    Left,
    /// Its zone is cut off: what is shown is what was last heard.
    Stale,
}

impl MemberState {
    /// The state's name in JSON and on screens.
    pub const fn name(self) -> &'static str {
        match self {
            MemberState::Alive => "alive",
            MemberState::Suspect => "suspect",
            MemberState::Down => "down",
            MemberState::Left => "left",
            MemberState::Stale => "stale",
        }
    }
}

impl fmt::Display for MemberState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One node in a snapshot.
#[derive(Clone, Debug)]
pub struct NodeEntry {
    /// What it published and signed.
    pub record: Arc<Record>,
    /// How membership sees it.
    pub state: MemberState,
    /// Its latest row.
    pub vitals: Vitals,
    /// How often its row is expected here.
    pub period: Duration,
    /// How old the row was when the snapshot was taken; `None` if no row has come yet.
    pub age: Option<Duration>,
    /// How long it had been in its state when the snapshot was taken.
    pub in_state: Duration,
    /// It has been down or gone so long that it is not shown unless asked for.
    pub hidden: bool,
    /// Why the node that holds this table avoids it.
    pub avoided: Option<Why>,
}

/// The table at a moment: immutable, shared with every reader.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// When it was taken, on this machine's clock.
    pub taken: Instant,
    /// The node that holds this table.
    pub me: NodeId,
    /// All nodes, in order of id, this one among them (unless it only listens).
    pub nodes: Vec<NodeEntry>,
    /// All zones, this node's first, then by name.
    pub zones: Vec<ZoneEntry>,
    /// What is claimed of nodes in this table, in order of who claimed and number.
    pub claims: Vec<ClaimEntry>,
    /// The cluster's clock when it was taken.
    pub clock: Duration,
}

impl Snapshot {
    /// A table without nodes.
    pub fn empty(me: NodeId) -> Self {
        Snapshot { taken: Instant::ZERO, me, nodes: Vec::new(), zones: Vec::new(), claims: Vec::new(), clock: Duration::ZERO }
    }

    /// The node with this id.
    pub fn node(&self, id: &NodeId) -> Option<&NodeEntry> {
        self.nodes.binary_search_by(|n| n.record.id.cmp(id)).ok().map(|i| &self.nodes[i])
    }

    /// How old a node's row is now.
    pub fn age(&self, node: &NodeEntry, now: Instant) -> Option<Duration> {
        node.age.map(|a| a + (now - self.taken))
    }

    /// The nodes a person asks for with `text`: an exact name, an exact id, or the start (4 digits or more) of an id.
    /// More than one is possible, since names may collide.
    pub fn matching<'a>(&'a self, text: &str) -> Vec<&'a NodeEntry> {
        let lower = text.to_ascii_lowercase();
        let hex = lower.len() >= 4 && lower.bytes().all(|b| b.is_ascii_hexdigit());
        let named: Vec<_> = self.nodes.iter().filter(|n| n.record.name.as_str() == text).collect();
        if !named.is_empty() || !hex {
            return named;
        }
        self.nodes.iter().filter(|n| n.record.id.to_string().starts_with(&lower)).collect()
    }
}

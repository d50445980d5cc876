use crate::NodeId;
use std::time::Duration;

/// What a job will take of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Amounts {
    /// Processors.
    pub cpus: f64,
    /// Bytes of memory.
    pub mem: f64,
    /// GPUs.
    pub gpus: f64,
}

impl Amounts {
    /// Whether it is nothing at all.
    pub fn is_nothing(&self) -> bool {
        self.cpus <= 0.0 && self.mem <= 0.0 && self.gpus <= 0.0
    }
}

/// A claim in a snapshot: somebody chose a node for a job that may not show in its values yet.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimEntry {
    /// The node whose user claimed; `None` if it is not in the table: it only listens, or another zone does not tell of it.
    pub by: Option<NodeId>,
    /// Which of its claims.
    pub number: u16,
    /// The node that is claimed.
    pub node: NodeId,
    /// How much of it.
    pub amounts: Amounts,
    /// How long before the snapshot it was made or renewed.
    pub age: Duration,
    /// How long it holds from then.
    pub lasts: Duration,
}

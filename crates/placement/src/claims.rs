//! What others have claimed of nodes and may not show in their values yet.

use crate::decay;
use peermon_model::{Instant, NodeId, Snapshot};
use std::collections::BTreeMap;
use std::fmt;

/// What others have claimed of one node, as much of it as still counts. It is taken off what the node has before anything is
/// asked or ordered. A negative part or a NaN counts as 0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Claimed {
    /// Processors; they count as load.
    pub cpus: f64,
    /// Bytes of memory.
    pub mem: f64,
    /// GPUs.
    pub gpus: f64,
}

/// What is claimed of each node; a node that is not there has no claims.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claims {
    of: BTreeMap<NodeId, Held>,
}

/// What is claimed of one node.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Held {
    /// What the claims name.
    pub(crate) named: Claimed,
    /// Processors that are not yet seen busy.
    pub(crate) unseen: f64,
    /// Processors claimed without a word on memory.
    pub(crate) bare: f64,
}

impl Claims {
    /// What still counts at `now` of all claims in a table, less the more the job shows by itself.
    pub fn of(snapshot: &Snapshot, now: Instant) -> Claims {
        let mut claims = Claims::default();
        for c in &snapshot.claims {
            let age = c.age + (now - snapshot.taken);
            if age < c.lasts {
                claims.put(c.node, decay::left(&c.amounts, age, c.lasts));
            }
        }
        claims
    }

    /// Adds a claim, of a job that does not run yet, to what is claimed of a node already.
    pub fn add(&mut self, node: NodeId, more: Claimed) {
        self.put(node, Held { named: more, unseen: more.cpus, bare: if more.mem > 0.0 { 0.0 } else { more.cpus } });
    }

    /// Adds what is left of a claim.
    pub(crate) fn put(&mut self, node: NodeId, more: Held) {
        // max also turns a NaN into 0.
        let amount = |n: f64| n.max(0.0);
        let all = self.of.entry(node).or_default();
        all.named.cpus += amount(more.named.cpus);
        all.named.mem += amount(more.named.mem);
        all.named.gpus += amount(more.named.gpus);
        all.unseen += amount(more.unseen);
        all.bare += amount(more.bare);
    }

    /// Whether nothing is claimed.
    pub fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    /// What is claimed of a node.
    pub(crate) fn get(&self, node: &NodeId) -> Option<Held> {
        self.of.get(node).copied()
    }
}

impl Claimed {
    /// Nothing worth a word.
    pub(crate) fn is_nothing(&self) -> bool {
        self.cpus < 0.005 && self.mem < 1e6 && self.gpus < 0.005
    }
}

impl fmt::Display for Claimed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |n: f64| if n.fract() == 0.0 { format!("{n:.0}") } else { format!("{n:.2}") };
        let some = |n: f64, what: &str| format!("{} {what}{}", plain(n), if n == 1.0 { "" } else { "s" });
        let parts = [
            (self.cpus >= 0.005, some(self.cpus, "processor")),
            (self.mem >= 1e6, format!("{:.1} GiB of memory", self.mem / (1024.0 * 1024.0 * 1024.0))),
            (self.gpus >= 0.005, some(self.gpus, "GPU")),
        ];
        let said: Vec<_> = parts.into_iter().filter(|p| p.0).map(|p| p.1).collect();
        f.write_str(&said.join(", "))
    }
}

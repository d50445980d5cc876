//! How nodes are seen by whoever has to choose: their values, with the doubt that age brings, less what others have claimed.

use crate::claims::Held;
use crate::{Claimed, Claims, Unmet, Wanted};
use peermon_expr::{NodeKey, NodeRow, Row};
use peermon_model::{Instant, MemberState, NodeEntry, Snapshot, facts, vitals};
use std::time::Duration;

/// How long a job is taken to last, in seconds, when what a node told is carried on to now. The load is an average over one
/// minute, so it does not show anything that comes and goes faster. Longer: stale values are believed too long; shorter: values
/// a few seconds old are hardly believed at all.
pub const JOB_SECONDS: f64 = 60.0;

/// A table at a moment, as one who chooses sees it.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) now: Instant,
    claims: Option<&'a Claims>,
    /// Load per processor of all that can be used.
    load_mean: f64,
    keys: Keys,
}

/// What is changed by claims and age, by number.
#[derive(Clone, Copy, Debug)]
struct Keys {
    load: usize,
    running: usize,
    busy: usize,
    available: usize,
    threads: u8,
    gpus: u8,
    gpu_memory: u8,
}

impl<'a> Sight<'a> {
    /// The snapshot's nodes as they are at `now`, of which nobody has claimed anything.
    pub fn new(snapshot: &'a Snapshot, now: Instant) -> Self {
        let (mut load, mut cores) = (0.0, 0.0);
        for node in &snapshot.nodes {
            let counts = node.state == MemberState::Alive && !node.hidden && !node.record.listen_only;
            if let Some(l) = counts.then(|| vital(node, "load.1")).flatten() {
                load += l;
                cores += processors(node);
            }
        }
        let load_mean = if cores > 0.0 { load / cores } else { 0.0 };
        Sight { snapshot, now, claims: None, load_mean, keys: Keys::new() }
    }

    /// The same, less what others have claimed.
    #[must_use]
    pub fn with_claims(mut self, claims: &'a Claims) -> Self {
        self.claims = (!claims.is_empty()).then_some(claims);
        self
    }

    /// What others have claimed of a node.
    pub fn claimed(&self, node: &NodeEntry) -> Claimed {
        self.held(node).named
    }

    pub(crate) fn held(&self, node: &NodeEntry) -> Held {
        self.claims.and_then(|c| c.get(&node.record.id)).unwrap_or_default()
    }

    /// Whether a node has all that is wanted; if not, the first thing it lacks.
    pub fn met(&self, wanted: &Wanted, node: &NodeEntry) -> Result<(), Unmet> {
        wanted.met(&self.row(node), self.claimed(node))
    }

    /// How old a node's values are.
    pub(crate) fn age(&self, node: &NodeEntry) -> Option<Duration> {
        self.snapshot.age(node, self.now)
    }

    /// A load that a node told, as it is believed now.
    ///
    /// Who sees an idle node sees it some time ago, and so did all others who were looking for one. If jobs arrive at random and
    /// last [`JOB_SECONDS`] on average, what is expected now lies between what was told and the mean of all, the nearer to the mean
    /// the older it is (the transient of the M/M/infinity queue; the idea is M. Dahlin's, "Interpreting stale load information", IEEE
    /// TPDS 2000). Only low loads are raised: a busy node is not believed to be idle because it is silent.
    pub(crate) fn load_now(&self, told: f64, cores: f64, age: Duration) -> f64 {
        let usual = self.load_mean * cores;
        let doubt = 1.0 - (-age.as_secs_f64() / JOB_SECONDS).exp();
        told + (usual - told).max(0.0) * doubt
    }

    pub(crate) fn row(&self, node: &'a NodeEntry) -> SeenRow<'a> {
        let Held { named: claimed, unseen, .. } = self.held(node);
        SeenRow { row: NodeRow { snapshot: self.snapshot, node, now: self.now }, sight: *self, claimed, unseen }
    }
}

impl Keys {
    fn new() -> Keys {
        let vital = |name| vitals::find(name).expect("a built-in vital").slot.index();
        let fact = |name| facts::find(name).expect("a fact of the catalogue").code;
        Keys {
            load: vital("load.1"),
            running: vital("procs.running"),
            busy: vital("cpu.busy"),
            available: vital("mem.available"),
            threads: fact("cpu.threads"),
            gpus: fact("gpu.count"),
            gpu_memory: fact("gpu.mem.total"),
        }
    }
}

/// A node to expressions: what they ask about processors, memory and GPUs is what is left of them.
pub(crate) struct SeenRow<'a> {
    row: NodeRow<'a>,
    sight: Sight<'a>,
    claimed: Claimed,
    unseen: f64,
}

impl SeenRow<'_> {
    fn fact(&self, code: u8) -> Option<f64> {
        self.row.number(&NodeKey::Fact(code, None))
    }
}

impl Row<NodeKey> for SeenRow<'_> {
    fn number(&self, key: &NodeKey) -> Option<f64> {
        let told = self.row.number(key)?;
        let (keys, claimed) = (&self.sight.keys, &self.claimed);
        Some(match key {
            NodeKey::Vital(i, _) if *i == keys.load => {
                let age = self.sight.age(self.row.node).unwrap_or_default();
                self.sight.load_now(told, processors(self.row.node), age) + claimed.cpus
            }
            NodeKey::Vital(i, _) if *i == keys.running => told + self.unseen,
            NodeKey::Vital(i, _) if *i == keys.busy => {
                let threads = self.fact(keys.threads).filter(|t| *t >= 1.0).unwrap_or(1.0);
                (told + self.unseen / threads).min(1.0)
            }
            NodeKey::Vital(i, _) if *i == keys.available => (told - claimed.mem).max(0.0),
            NodeKey::Fact(code, None) if *code == keys.gpus => (told - claimed.gpus).max(0.0),
            NodeKey::Fact(code, None) if *code == keys.gpu_memory => {
                let gpus = self.fact(keys.gpus).filter(|n| *n >= 1.0).unwrap_or(1.0);
                told * (1.0 - claimed.gpus / gpus).clamp(0.0, 1.0)
            }
            _ => told,
        })
    }

    fn text<'b>(&'b self, key: &'b NodeKey) -> Option<&'b str> {
        self.row.text(key)
    }

    fn truth(&self, key: &NodeKey) -> Option<bool> {
        self.row.truth(key)
    }
}

/// A vital that makes sense.
pub(crate) fn vital(node: &NodeEntry, name: &str) -> Option<f64> {
    node.record.vital(&node.vitals, name).filter(|v| v.is_finite() && *v >= 0.0)
}

/// Processors to spread the load over. Unknown or senseless: 1, so that such a node looks busier than it is, not idler.
pub(crate) fn processors(node: &NodeEntry) -> f64 {
    node.record.facts.number("cpu.threads").filter(|n| n.is_finite() && *n >= 1.0).unwrap_or(1.0)
}

//! Ranks the nodes of a [`Snapshot`] for a job: which machine should I use now, and why?
//!
//! A node is ranked by its available memory / (1 + its load per core), or by one of the two alone. With both, the load is that
//! with the job ([`JOB_THREADS`] more), memory beyond what most nodes have does not count ([`PLENTY_SHARE`]), and a node without an
//! idle processor counts for less ([`FULL`]): otherwise all jobs crowd on the few largest nodes
//! (`docs/internals/placement-figures.md` shows what that costs). Small differences mean
//! nothing, so nodes that hardly differ form a group and stand in it by lot, the more idle processors and memory the likelier:
//! callers that ask at once, each with another seed, fill the group evenly instead of all running to one machine. Nodes that a job
//! should not be sent to are left out, each with a [`Reason`].
//!
//! What it is not: it measures nothing, keeps nothing between calls and logs nobody in. Time and chance are arguments.
//!
//! What is not seen in a node's values is reckoned with in one place, [`Sight`], for every ranking and requirement: what others have
//! claimed of it ([`Claims`]), and that a low load told some seconds ago was seen by others, too.
//!
//! # Equality
//! "Differs by less than a delta" is not transitive: A may equal B and B equal C though A and C differ. So groups are formed
//! from the best downwards: the best node that has no group yet leads the next one, and every node without a group whose
//! load per core *and* available memory (whichever of them count) are within the deltas of the *leader's* joins it. The
//! leader is the node of highest score (at equal scores: of more memory that counts, then of lower id), so the groups depend on the
//! nodes alone and not on the order they are given in, and nobody is more than one delta away from its group's leader.
//!
//! ```
//! use peermon_model::{Instant, NodeId, Snapshot};
//! use peermon_placement::{Query, rank};
//!
//! let nobody = Snapshot::empty(NodeId([0; 32]));
//! assert!(rank(&nobody, &Query::default(), Instant::ZERO, 7).best.is_empty());
//! ```

mod chance;
mod claims;
pub mod crowd;
mod decay;
mod eligible;
pub mod lsf;
pub mod nodeset;
mod order;
mod rank;
mod requirements;
mod sight;
#[cfg(test)]
mod tests;

pub use claims::{Claimed, Claims};
pub use eligible::{AGE_MAX_PERIODS, Reason, SUPPOSED_SHARE, SYSTEM_CPU_MAX};
pub use order::{Order, Ordered, Placed};
pub use rank::{Chosen, FULL, JOB_THREADS, PLENTY_SHARE, PLENTY_SHARE_TOGETHER, Ranking, rank};
pub use requirements::{Label, ParseLabel, Requirements, Unmet, Wanted, bytes};
pub use sight::{JOB_SECONDS, Sight};

#[cfg(doc)]
use peermon_model::Snapshot;

/// What counts when ranking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// Load per core, the lowest first.
    Cpu,
    /// Available memory, the most first.
    Mem,
    /// Available memory, as far as it counts / (1 + load per core with the job), the most first.
    #[default]
    Both,
}

impl By {
    pub(crate) fn cpu(self) -> bool {
        self != By::Mem
    }

    pub(crate) fn mem(self) -> bool {
        self != By::Cpu
    }
}

/// Which nodes are wanted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Query {
    /// How many at most.
    pub n: usize,
    /// What counts.
    pub by: By,
    /// Load per core that counts as no difference. Default 0.25. Too small: everybody runs to the same machine; too large: busy
    /// machines are offered beside idle ones. A negative one or a NaN counts as 0.
    pub cpu_delta: f64,
    /// Bytes of available memory that count as no difference. Default 1 GB; otherwise as `cpu_delta`.
    pub mem_delta: f64,
    /// Whether one job takes all of them: it needs less memory on each and ends with the slowest, so load counts for more
    /// ([`PLENTY_SHARE_TOGETHER`]).
    pub together: bool,
}

impl Default for Query {
    fn default() -> Self {
        Query { n: 1, by: By::Both, cpu_delta: 0.25, mem_delta: 1e9, together: false }
    }
}

//! What probes found: of the node that answers, and how its peers answer it.

use serde::{Deserialize, Serialize};

/// The health of the node that answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HealthAnswer {
    /// The node's label.
    pub name: String,
    /// How far it trusts itself by its probes: 1 is well, 0 is unusable. It falls at once and comes back within a minute.
    pub trust: f64,
    /// What is wrong, the worst first; empty if all is well.
    pub reasons: Vec<ReasonView>,
    /// Every self-probe, by name and what it tries.
    pub probes: Vec<ProbeView>,
    /// Peers that this node sees as viable.
    pub sees: Visibility,
    /// Peers that see this node as viable.
    pub seen_by: Visibility,
    /// How each peer answers this node, by name.
    pub peers: Vec<PeerHealthView>,
}

/// Some of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Visibility {
    /// So many are viable.
    pub viable: usize,
    /// Of so many about whom something is known.
    pub of: usize,
}

/// Why a node is not, or not fully, to be used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReasonView {
    /// Which probe says so.
    pub probe: String,
    /// In words.
    pub text: String,
    /// `avoid`: it is not offered; `weak`: others are better.
    pub severity: String,
    /// For how long, in seconds.
    pub seconds: f64,
}

/// One self-probe of one thing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProbeView {
    /// Which probe.
    pub probe: String,
    /// What it tries: a mount, a name server; null if there is one of it.
    pub instance: Option<String>,
    /// The last 32 tries, oldest first: `.` good, `l` late, `x` failed.
    pub history: String,
    /// Tries so far.
    pub tries: u64,
    /// How long the last one took, in seconds.
    pub seconds: f64,
    /// Mean of those that did not fail; null if all did.
    pub mean_seconds: Option<f64>,
    /// What is wrong, while it fails.
    pub reason: Option<ReasonView>,
}

/// How one peer answers the node that was asked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PeerHealthView {
    /// Its label.
    pub name: String,
    /// Its identity.
    pub id: String,
    /// Whether it is viable; null if nothing is known yet.
    pub viable: Option<bool>,
    /// Why it is avoided, in words.
    pub why: Option<String>,
    /// For how long it has been so, in seconds.
    pub seconds: f64,
    /// The last 32 answers, oldest first: `.` good, `l` late, `x` missing.
    pub history: String,
    /// Round-trip time of the last probe that was answered, in seconds.
    pub rtt_seconds: Option<f64>,
    /// What the last fetch over TCP failed with, in words; null if it worked, or if its API cannot be reached from other machines.
    #[serde(default)]
    pub fetch: Option<String>,
    /// Share of the time since it is known in which it was viable.
    pub viable_share: f64,
    /// Whether it sees this node as viable; null if it has not said so lately.
    pub sees_me: Option<bool>,
}

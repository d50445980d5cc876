use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How membership sees a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It publishes.
    Alive,
    /// It was silent in one period.
    Suspect,
    /// It was silent for two periods and answers nobody.
    Down,
    /// It said that it leaves.
    Left,
    /// Its zone is cut off: what is shown is what was last heard.
    Stale,
}

/// Which nodes to list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema, utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct NodesQuery {
    /// Only nodes in this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Also nodes that have been down or gone for long.
    #[serde(default)]
    pub all: bool,
    /// Only nodes for which all these conditions hold, e.g. `mem.available > 4GiB`.
    #[serde(default, rename = "where", skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<String>,
    /// In the order of these expressions, the highest first, instead of by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub order: Vec<String>,
}

/// A fact: a number in base units or a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(untagged)]
pub enum FactValue {
    /// In base units.
    Number(f64),
    /// A text.
    Text(String),
}

/// One node as every face shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NodeView {
    /// Its label; may collide with another node's.
    pub name: String,
    /// Its identity, 64 hexadecimal digits.
    pub id: String,
    /// Its zone: nodes with a common fate or LAN.
    pub zone: String,
    /// Where it receives gossip, best first, as `address:port`.
    pub addresses: Vec<String>,
    /// How membership sees it.
    pub state: State,
    /// How long it has been in this state, in seconds.
    pub state_seconds: f64,
    /// How old its vitals are, in seconds; null if none have come yet.
    pub age_seconds: Option<f64>,
    /// Which life of the node.
    pub incarnation: u32,
    /// How often it publishes, in seconds.
    pub period_seconds: f64,
    /// What rarely changes, by attribute name.
    pub facts: BTreeMap<String, FactValue>,
    /// Its vitals, attribute name to number in base units; a missing one is not known.
    pub vitals: BTreeMap<String, f64>,
    /// Messages it shows to everybody. Topics that begin with `health.` are what its self-probes found wrong.
    #[serde(default)]
    pub notices: Vec<NoticeView>,
    /// Why the node that answers avoids it, in words; absent if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avoided: Option<String>,
    /// Whether it is the node that answers.
    #[serde(default)]
    pub this: bool,
}

/// One zone, as the node that answers knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ZoneView {
    /// Its label.
    pub name: String,
    /// Whether the node that answers is in it.
    pub this: bool,
    /// Nothing has come from it for so long that it is cut off, or all of it is down.
    pub stale: bool,
    /// How old its newest values are, in seconds; null if none have come yet.
    pub age_seconds: Option<f64>,
    /// How often values of each of its nodes come here, in seconds.
    pub period_seconds: f64,
    /// Only its relays and best nodes are in the table; `totals` is of all.
    pub partial: bool,
    /// Nodes of it in the table that are not down or gone.
    pub nodes: usize,
    /// Names of the nodes that pass its values on to other zones.
    pub relays: Vec<String>,
    /// What it says of itself; null before it did.
    pub totals: Option<ZoneTotals>,
}

/// A whole zone in a few numbers. Sums are over the nodes that are up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ZoneTotals {
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

/// A short message a node shows to everybody.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NoticeView {
    /// What it is about.
    pub topic: String,
    /// The message.
    pub text: String,
    /// For how long it has been shown, in seconds; null if that is not known.
    #[serde(default)]
    pub seconds: Option<f64>,
}

/// A message that this node shows to everybody for a while, so that others know what runs on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Announcement {
    /// What it is about, e.g. `dns.keeper`.
    pub topic: String,
    /// The message.
    pub text: String,
    /// How long it holds unless it is announced again, in seconds; 0 takes it back.
    pub seconds: f64,
}

impl Announcement {
    /// The longest time one holds, in seconds: whoever announces something for longer writes it into the configuration.
    pub const SECONDS_MAX: f64 = 3600.0;
}

/// What counts when ranking nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// Load per core, the lowest first.
    Cpu,
    /// Available memory, the most first.
    Mem,
    /// Available memory, but no more than most nodes have / (1 + load per core with 4 processes more), the most first; a third of
    /// it if no processor is idle.
    #[default]
    Both,
}

/// Which nodes are wanted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema, utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields, default)]
pub struct BestQuery {
    /// How many; with `select` 0 is as many as its `span` says, or one.
    pub n: usize,
    /// What counts.
    pub by: By,
    /// Load per core that counts as no difference.
    pub cpu_delta: f64,
    /// Bytes of available memory that count as no difference.
    pub mem_delta: f64,
    /// Also say why every other node was left out.
    pub explain: bool,
    /// Idle processors they need.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<u32>,
    /// Bytes of available memory they need.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mem: Option<f64>,
    /// GPUs they need.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpus: Option<u32>,
    /// Bytes of GPU memory not in use that they need, on all their GPUs together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu_mem: Option<f64>,
    /// Labels they need, KEY or KEY=VALUE, all of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub label: Vec<String>,
    /// The zone they must be in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Conditions that must hold for them, all of them, e.g. `cpu.busy < 50%`.
    #[serde(rename = "where", skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<String>,
    /// What to order by instead of `by`: expressions, the highest first; the next decides among those that hardly differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub order: Vec<String>,
    /// Requirements in LSF's shape: `select[...] order[...] span[...]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub select: Option<String>,
    /// Also give the chosen nodes whole.
    pub whole: bool,
}

impl BestQuery {
    /// Most nodes one answer names.
    pub const N_MAX: usize = 100_000;
}

impl Default for BestQuery {
    fn default() -> Self {
        // PeerMon's delta of memory. Its 0.1 of load leaves too few equals for a crowd to spread over (see docs/placement.md).
        BestQuery {
            n: 1,
            by: By::Both,
            cpu_delta: 0.25,
            mem_delta: 1e9,
            explain: false,
            cpus: None,
            mem: None,
            gpus: None,
            gpu_mem: None,
            label: Vec::new(),
            zone: None,
            conditions: Vec::new(),
            order: Vec::new(),
            select: None,
            whole: false,
        }
    }
}

/// The ranking.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BestAnswer {
    /// Best first, at most as many as asked for.
    pub best: Vec<BestNode>,
    /// With `explain`: every node that was not offered, and why.
    #[serde(default)]
    pub left_out: Vec<LeftOut>,
    /// With `whole`: all that is known of the nodes of `best`, in its order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<NodeView>,
    /// Processes that each node takes, if `select` says so in its `span`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_node: Option<usize>,
    /// The claims made with this choice, in the order of `best`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<crate::ClaimView>,
}

/// What publishing costs, and what is promised for it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PaceView {
    /// Bytes a second that a node may send to keep the table: the median of all nodes' budgets; null: no limit.
    pub budget_bytes: Option<f64>,
    /// Bytes a second that a node is expected to send, with IP and UDP headers.
    pub cost_bytes: f64,
    /// Mean age of values that is promised, in seconds.
    pub age_mean_seconds: f64,
    /// Age that hardly any value passes, in seconds.
    pub age_most_seconds: f64,
}

/// A node that was offered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BestNode {
    /// Its label.
    pub name: String,
    /// Its identity.
    pub id: String,
    /// Where it is reached: its first address without the gossip port.
    pub address: String,
    /// What it was ranked by; higher is better. Bytes for `mem` and `both`, minus load per core for `cpu`; with `order` the first
    /// of its numbers that is known, in base units.
    pub score: f64,
    /// Why it stands where it stands, in words.
    pub reasons: Vec<String>,
    /// How old the values behind it are, in seconds.
    pub age_seconds: f64,
}

/// A node that was not offered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeftOut {
    /// Its label.
    pub name: String,
    /// Its identity.
    pub id: String,
    /// Why, in words.
    pub reason: String,
}

/// This daemon's health, cost and counters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Status {
    /// This node's label.
    pub name: String,
    /// This node's identity.
    pub id: String,
    /// The daemon's version.
    pub version: String,
    /// Which life of the node this is.
    pub incarnation: u32,
    /// Seconds since the daemon started.
    pub uptime_seconds: f64,
    /// Where it listens for gossip.
    pub listen: Vec<String>,
    /// Where its API listens: `http://...` and socket paths.
    pub api: Vec<String>,
    /// How often it publishes, in seconds: longer than it measures if the budget asks for it.
    pub period_seconds: f64,
    /// What publishing so often costs, and how fresh values are for it.
    pub pace: PaceView,
    /// Nodes in the table, by state.
    pub nodes: BTreeMap<String, usize>,
    /// Peers it exchanges packets with.
    pub links: Vec<LinkView>,
    /// Mean and largest age of the alive nodes' vitals now, in seconds.
    pub age_mean_seconds: Option<f64>,
    /// Largest age of the alive nodes' vitals now, in seconds.
    pub age_max_seconds: Option<f64>,
    /// Share of one core the daemon has used since the last round.
    pub cpu_share: Option<f64>,
    /// How the budget of processor time is kept.
    pub budget: BudgetView,
    /// Resident memory, in bytes.
    pub resident_bytes: Option<u64>,
    /// Whether the cluster clock is in step with the peers.
    pub clock_locked: bool,
    /// Distance to the median of the peers' cluster clocks, in seconds.
    pub clock_error_seconds: f64,
    /// Addresses it tries to join by, and has not reached yet.
    pub seeds_waiting: Vec<String>,
    /// All counters by name, e.g. `gossip.dropped.replayed`.
    pub counters: BTreeMap<String, u64>,
    /// What each collector cost in the last round and why it failed, if it did.
    pub collectors: Vec<CollectorView>,
}

/// One peer of this node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LinkView {
    /// The peer's label, or its short id before its record is known.
    pub name: String,
    /// Where packets to it go.
    pub address: String,
    /// Round-trip time, in seconds, once measured.
    pub rtt_seconds: Option<f64>,
    /// Why the link is there: `ring`, `extra` or `listener`.
    pub role: String,
}

/// The daemon's budget of processor time, and what it takes to keep it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BudgetView {
    /// Share of one core the daemon may use; none: no limit.
    pub cpu_share: Option<f64>,
    /// Share it used in the last ten seconds that were judged; none: none were yet.
    pub used_share: Option<f64>,
    /// How many times as long as usual collectors that can wait do wait; 1: none waits.
    pub stretch: f64,
    /// Why they wait, in words.
    pub why: Option<String>,
}

/// One collector's last run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CollectorView {
    /// Its name.
    pub name: String,
    /// Time it took, in seconds.
    pub seconds: f64,
    /// Seconds from one run to the next as things are; 0: it runs in every round.
    pub every_seconds: f64,
    /// Why it failed, if it did.
    pub failure: Option<String>,
}

/// A token that lets another machine join.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Invitation {
    /// The token; it contains the cluster key, so whoever has it can join.
    pub token: String,
    /// The addresses in it.
    pub addresses: Vec<String>,
}

/// What to join.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct JoinRequest {
    /// A token of `peermon invite`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Further addresses of this cluster to contact.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// Join even if this node already has other members in its table and the token is of another cluster.
    #[serde(default)]
    pub force: bool,
}

/// What a join did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JoinAnswer {
    /// Addresses now being contacted.
    pub contacting: Vec<String>,
    /// Whether the token brought another cluster key than the node had.
    pub new_cluster: bool,
}

/// One cluster key, without its secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeyView {
    /// Its number.
    pub id: u8,
    /// Whether this node sends with it.
    pub sending: bool,
    /// Alive nodes that hold it, and all alive nodes.
    pub held_by: usize,
    /// Alive nodes.
    pub of: usize,
    /// The first digits of its hash, to compare keys by eye.
    pub fingerprint: String,
}

/// One entry of the attribute catalogue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AttributeView {
    /// Dotted name; `{}` stands where an instance's name goes.
    pub name: String,
    /// Base unit of its values: `bytes`, `seconds`, `ratio`, ...
    pub unit: String,
    /// `gauge`, `counter` or `fact`.
    pub kind: String,
    /// What it says, one sentence.
    pub help: String,
}

/// Why a call failed, with what to do next. Each kind is one HTTP status.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "code", content = "message", rename_all = "snake_case")]
pub enum Error {
    /// The request makes no sense (400).
    #[error("{0}")]
    BadRequest(String),
    /// The token is missing or wrong (401).
    #[error("{0}")]
    Unauthorised(String),
    /// There is no such thing (404).
    #[error("{0}")]
    NotFound(String),
    /// More than one node has this name (409); the message lists their ids.
    #[error("{0}")]
    Ambiguous(String),
    /// The state of the node does not allow it (409).
    #[error("{0}")]
    Conflict(String),
    /// A named limit was passed (429).
    #[error("{0}")]
    TooMany(String),
    /// The daemon cannot answer now, or is not there (503).
    #[error("{0}")]
    Unavailable(String),
}

impl Error {
    /// The kind's name in JSON, e.g. `not_found`.
    pub const fn code(&self) -> &'static str {
        match self {
            Error::BadRequest(_) => "bad_request",
            Error::Unauthorised(_) => "unauthorised",
            Error::NotFound(_) => "not_found",
            Error::Ambiguous(_) => "ambiguous",
            Error::Conflict(_) => "conflict",
            Error::TooMany(_) => "too_many",
            Error::Unavailable(_) => "unavailable",
        }
    }

    /// The kind's HTTP status.
    pub const fn status(&self) -> u16 {
        match self {
            Error::BadRequest(_) => 400,
            Error::Unauthorised(_) => 401,
            Error::NotFound(_) => 404,
            Error::Ambiguous(_) | Error::Conflict(_) => 409,
            Error::TooMany(_) => 429,
            Error::Unavailable(_) => 503,
        }
    }
}

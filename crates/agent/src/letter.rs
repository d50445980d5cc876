use crate::config::ConfigError;
use peermon_api::{self as api, Invitation, JoinAnswer, NoticeView};
use peermon_model::{Amounts, Facts, NodeId, Notice, Samples};
use peermon_trust as trust;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// Letters the loop's mailbox holds: requests of people and one of each kind of answer. A request that finds it full is refused.
pub(crate) const LETTERS_MAX: usize = 128;
/// How long a request waits for the loop, which answers within milliseconds unless the machine is stopped.
pub(crate) const ANSWER_WAIT: Duration = Duration::from_secs(5);

/// What other threads hand to the loop.
#[derive(Debug)]
pub(crate) enum Letter {
    /// A round of samples has come.
    Samples(Samples),
    /// Facts have come.
    Facts(Facts),
    /// Seeds given by name have been looked up.
    Found(Vec<SocketAddr>),
    /// A self-probe has something to say.
    Probe(peermon_collector::probe::Report),
    /// A fetch from a peer has worked, or failed so.
    Fetched(NodeId, Option<peermon_model::Why>),
    /// Somebody asks how well this node is.
    Health(Reply<Result<api::HealthAnswer, api::Error>>),
    /// Somebody asks for an invitation.
    Invite(Reply<Result<Invitation, api::Error>>),
    /// Somebody wants to join: a cluster, if there is an invitation, and addresses to contact.
    Join {
        invitation: Option<trust::Invitation>,
        contact: Vec<SocketAddr>,
        force: bool,
        reply: Reply<Result<JoinAnswer, api::Error>>,
    },
    /// Somebody wants a new cluster key.
    Rotate(Reply<Result<(), api::Error>>),
    /// Somebody has something to show to everybody for a while.
    Announce { notice: Notice, lease: Duration, reply: Reply<Result<Vec<NoticeView>, api::Error>> },
    /// Somebody makes, replaces, renews or cancels claims; the answer is their numbers, once the table shows them.
    Claim(Claiming, Reply<Result<Vec<u16>, api::Error>>),
    /// Read the configuration and keys again.
    Reload(Reply<Result<(), ReloadError>>),
    /// The API is being served.
    Serving,
    /// Stop, after saying so to the cluster or not.
    Stop { leave: bool },
}

/// What to do about claims.
#[derive(Debug)]
pub(crate) enum Claiming {
    Make(Vec<NodeId>, Amounts, Duration),
    /// In the place of these.
    Replace(Vec<u16>, Vec<NodeId>, Amounts, Duration),
    /// Nothing, but the table is to show all claims that are known.
    Show,
    Renew(u16, Option<Amounts>, Duration),
    Cancel(u16),
}

/// Where the answer to a letter goes.
pub(crate) type Reply<T> = SyncSender<T>;

/// A reply's two ends.
pub(crate) fn reply<T>() -> (Reply<T>, Receiver<T>) {
    sync_channel(1)
}

/// Why a reload changed nothing, or not everything.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The configuration is wrong; the one in use stays.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// The collectors cannot be set up as it says; the former ones stay.
    #[error("{0}")]
    Source(#[from] crate::collect::SourceError),
    /// The cluster keys cannot be read; those in use stay. The configuration was applied.
    #[error("{0}")]
    Keys(#[from] crate::state::StateError),
    /// The daemon does not answer.
    #[error("the daemon does not answer; is it stopping?")]
    Gone,
}

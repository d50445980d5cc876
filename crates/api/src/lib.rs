//! What a face or a tool may ask of a node: [`Service`] and the plain types it speaks.
//!
//! Every face (HTTP, text, files, terminal) is written against [`Service`] and nothing below it; the daemon implements it on
//! its snapshots, and the client implements it over a socket. Calls read a snapshot and return at once: none waits for the
//! network or holds up the daemon's loop. These types are the only ones of peermon with serde besides configuration.

mod claims;
mod events;
mod health;
mod live;
mod parts;
mod series;
mod types;
mod usage;
mod view;

pub use claims::{ChooseRequest, ClaimRequest, ClaimTerms, ClaimView, claims};
pub use events::{Event, EventSink, EventStream, NextEvent};
pub use health::{HealthAnswer, PeerHealthView, ProbeView, ReasonView, Visibility};
pub use live::{Live, LiveNode, LiveQuery, LiveReader, LiveRow};
pub use parts::{CoreView, DiskView, FileSystemView, InterfaceView, MemoryView, PartsAnswer};
pub use series::{Fold, Series, SeriesAnswer, SeriesQuery};
pub use types::*;
pub use usage::{GpuUseView, ProcessView, UsageAnswer, UserView};
pub use view::{listed, one, selected, zones};

use peermon_model::{Catalogue, Samples};
use std::sync::Arc;
use std::time::Duration;

/// What one node answers, from its own table.
pub trait Service: Send + Sync {
    /// All nodes that the query asks for, in order of name, then id.
    fn nodes(&self, query: &NodesQuery) -> Result<Vec<NodeView>, Error>;
    /// One node, by exact name, exact id, or the first 4 or more digits of its id.
    fn node(&self, name_or_id: &str) -> Result<NodeView, Error>;
    /// The best nodes for a job, best first.
    fn best(&self, query: &BestQuery) -> Result<BestAnswer, Error>;
    /// What probes found: of this node, and how its peers answer it. Who only shows a table probes nothing.
    fn health(&self) -> Result<HealthAnswer, Error> {
        Err(Error::Unavailable("what answers here only shows a table and probes nothing; ask a daemon".into()))
    }
    /// The processes and users that use most of this node's machine. Who only shows a table knows none.
    fn usage(&self) -> Result<UsageAnswer, Error> {
        Err(Error::Unavailable("what answers here only shows a table and has no processes; ask a daemon".into()))
    }
    /// Each processor, disk, file system and network interface of this node's machine. Who only shows a table knows none.
    fn parts(&self) -> Result<PartsAnswer, Error> {
        Err(Error::Unavailable("what answers here only shows a table and has no parts; ask a daemon".into()))
    }
    /// All zones, the one of the node that answers first, then by name.
    fn zones(&self) -> Result<Vec<ZoneView>, Error>;
    /// What this node remembers of the last hour of nodes' vitals. Who only shows a table remembers nothing.
    fn series(&self, _: &SeriesQuery) -> Result<SeriesAnswer, Error> {
        Err(Error::Unavailable("what answers here only shows a table and remembers nothing; ask a daemon".into()))
    }
    /// This daemon's health, cost and counters.
    fn status(&self) -> Result<Status, Error>;
    /// Member and record changes from now on.
    fn events(&self) -> Result<EventStream, Error>;
    /// What `peermon invite` prints: a token that lets another machine join.
    fn invite(&self) -> Result<Invitation, Error>;
    /// Joins the cluster of a token, or contacts further addresses of this cluster.
    fn join(&self, request: &JoinRequest) -> Result<JoinAnswer, Error>;
    /// The cluster keys held: ids and states, never secrets.
    fn keys(&self) -> Result<Vec<KeyView>, Error>;
    /// Makes a new cluster key and moves the cluster to it.
    fn rotate_key(&self) -> Result<Vec<KeyView>, Error>;
    /// Shows a message to everybody for a while, renews it, or takes it back; the answer is all messages shown.
    fn announce(&self, announcement: &Announcement) -> Result<Vec<NoticeView>, Error>;
    /// All claims that hold, whoever made them. Who only shows a table has none.
    fn claims(&self) -> Result<Vec<ClaimView>, Error> {
        Ok(Vec::new())
    }
    /// Claims a node, or renews a claim made through this daemon.
    fn claim(&self, _: &ClaimRequest) -> Result<ClaimView, Error> {
        no_claims()
    }
    /// Takes a claim made through this daemon back; the answer is what it was.
    fn cancel_claim(&self, _number: u16) -> Result<ClaimView, Error> {
        no_claims()
    }
    /// The best nodes for a job, claimed in the same step.
    fn choose(&self, _: &ChooseRequest) -> Result<BestAnswer, Error> {
        no_claims()
    }
}

fn no_claims<T>() -> Result<T, Error> {
    Err(Error::Unavailable("what answers here only shows a table and makes no claims; ask a daemon".into()))
}

/// What only the daemon itself can answer, besides [`Service`]: this host's full samples, which never leave it unasked.
pub trait Local: Service {
    /// The latest round of samples of this host, and how old it is; `None` before the first round.
    fn samples(&self) -> Option<(Arc<Samples>, Duration)>;
    /// Every attribute there is.
    fn catalogue(&self) -> &Catalogue;
    /// What changed in the table since `reader` was told last. Who only shows a made-up table has no changes to tell.
    fn live(&self, _reader: &mut LiveReader, _: &LiveQuery) -> Result<Live, Error> {
        Err(Error::Unavailable("what answers here only shows a table that stands still; ask a daemon".into()))
    }
    /// Whether the daemon has a first round of samples and its table is in use.
    fn ready(&self) -> Result<(), String>;
}

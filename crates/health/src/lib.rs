//! Health that counters do not show: what the tries of probes add up to.
//!
//! A [`History`] holds the last 32 outcomes of one probe. [`Own`] judges this host's self-probes: which fail, since when, and how much
//! the node may still be trusted. [`Peers`] judges the others by how they answer this node.
//!
//! The rules are those of CoDeeN's monitor (Wang, Park, Pang, Pai, Peterson: Reliability and Security in the CoDeeN Content
//! Distribution Network, USENIX 2004): avoid whoever failed the last probe or two of the last 32, trust again after a run of good ones;
//! and who fails is given less work for a while rather than cut off.
//!
//! What it is not: it probes nothing, and takes time as an argument.

mod history;
mod own;
mod peers;

pub use history::{DEPTH, History};
pub use own::{Own, RECOVERY, Reason, Test};
pub use peers::{Opinion, PeerView, Peers};

/// Good tries in a row that end a failing (CoDeeN's figure).
pub const GOOD_RUN: u32 = 12;

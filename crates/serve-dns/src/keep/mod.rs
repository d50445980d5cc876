//! Keeping a name of another name server at the best nodes.
//!
//! Several nodes may keep one name, so that it is kept when one of them dies. Who updates needs no talk between them: each announces
//! in its record that it keeps the name, and of all announcers that are up, the one whose [`rank_of`] is lowest updates. Two tables
//! may differ for a second or two, or a cut network may show each half to itself alone; so every update demands that the name still
//! holds what was read (RFC 2136 prerequisites), and carries a marker that says who wrote it. A keeper that is overwritten by one it
//! cannot see gives way to it if that one's rank is lower.
//!
//! [`Keeper`] decides and touches nothing; [`exchange`] speaks to the name server.

mod choice;
pub mod exchange;
mod key;

pub use choice::choose;
pub use key::{Key, KeyError};

use crate::server::StartError;
use exchange::Held;
pub use hickory_proto::rr::Name;
use peermon_api::{BestNode, NodeView, State};
use peermon_model::Instant;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// The topic under which keepers announce the name they keep.
pub const TOPIC: &str = "dns.keeper";
/// How long a keeper only looks after it has announced itself, so that the one that updates has seen it, and the table is whole.
pub const WATCH: Duration = Duration::from_secs(6);
/// How long a keeper gives way to another one that writes and that its table does not show.
pub const YIELD: Duration = Duration::from_secs(60);
/// Bytes of a name that fits an announcement.
pub const NAME_BYTES_MAX: usize = peermon_model::limits::NOTICE_TEXT_BYTES_MAX;

/// A full name as people write it.
///
/// # Errors
/// If it is none.
pub fn name(text: &str) -> Result<Name, StartError> {
    crate::zone::name(text)
}

/// The text of an announcement for this name: lower case, without the last dot.
pub fn announcement(name: &Name) -> String {
    name.to_lowercase().to_ascii().trim_end_matches('.').to_string()
}

/// Where a node stands among the keepers of a name, the lowest first (FNV-1a over name and id, mixed). Another name has another
/// order, so that many names are kept by many nodes.
pub fn rank_of(name: &str, id: &str) -> u64 {
    let bytes = name.bytes().chain([0]).chain(id.bytes());
    let h = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    // Similar ids must not stand together: splitmix64's last steps.
    let h = (h ^ (h >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let h = (h ^ (h >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    h ^ (h >> 31)
}

/// What a keeper sees at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// All nodes.
    pub nodes: &'a [NodeView],
    /// All usable nodes, best first.
    pub best: &'a [BestNode],
}

/// Who updates.
#[derive(Clone, Debug, PartialEq)]
pub enum Turn {
    /// This node.
    Mine,
    /// Nobody may yet: this keeper has just begun.
    Watching,
    /// This node's announcement is not in its own record.
    NotAnnounced,
    /// Another node, by name and id.
    Other(String, String),
    /// A keeper that the table does not show, by the first digits of its id.
    Unseen(String),
}

/// Decides whether this node updates, and what the name should hold.
#[derive(Debug)]
pub struct Keeper {
    name: String,
    began: Instant,
    /// Nodes given out, by id.
    members: Vec<String>,
    /// The last marker of this node was overwritten by this one, which the table does not show.
    yielding: Option<(String, Instant)>,
    wrote: bool,
}

impl Keeper {
    /// A keeper of this name that begins now.
    pub fn new(name: &Name, now: Instant) -> Keeper {
        Keeper { name: announcement(name), began: now, members: Vec::new(), yielding: None, wrote: false }
    }

    /// Whose turn it is.
    pub fn turn(&mut self, sight: Sight<'_>, now: Instant) -> Turn {
        let Some(me) = sight.nodes.iter().find(|n| n.this && self.announces(n)) else { return Turn::NotAnnounced };
        if now.since(self.began) < WATCH {
            return Turn::Watching;
        }
        if let Some((id, until)) = &self.yielding {
            if now < *until {
                return Turn::Unseen(id.get(..8).unwrap_or(id).to_string());
            }
            self.yielding = None;
        }
        let up = |n: &&NodeView| matches!(n.state, State::Alive | State::Suspect) && self.announces(n);
        match sight.nodes.iter().filter(up).min_by_key(|n| (rank_of(&self.name, &n.id), &n.id)) {
            Some(first) if first.id != me.id => {
                // Should the turn come back, what was written by then is another's.
                self.wrote = false;
                Turn::Other(first.name.clone(), first.id.clone())
            }
            _ => Turn::Mine,
        }
    }

    fn announces(&self, node: &NodeView) -> bool {
        node.notices.iter().any(|n| n.topic == TOPIC && n.text == self.name)
    }

    /// The addresses the name should hold: up to `n` nodes, those that are given out already as long as they are good enough.
    pub fn wanted(&mut self, sight: Sight<'_>, n: usize) -> BTreeSet<IpAddr> {
        self.members = choose(&self.members, sight.best, n);
        let addresses = |id: &String| {
            let node = sight.nodes.iter().find(|n| n.id == *id);
            node.map_or(Vec::new(), one_of_each_family)
        };
        self.members.iter().flat_map(addresses).collect()
    }

    /// Takes note of who wrote what the server holds. Whether to go on: not if a keeper that the table does not show writes too, and
    /// its rank is lower.
    pub fn may_overwrite(&mut self, held: &Held, sight: Sight<'_>, me: &str, now: Instant) -> bool {
        let Some(writer) = held.writer().filter(|w| *w != me) else { return true };
        let shown = sight.nodes.iter().any(|n| n.id == writer && matches!(n.state, State::Alive | State::Suspect));
        let lower = rank_of(&self.name, writer) < rank_of(&self.name, me);
        // The first time, it is what the last keeper left behind.
        if self.wrote && !shown && lower {
            self.yielding = Some((writer.to_string(), now + YIELD));
            self.wrote = false;
            return false;
        }
        true
    }

    /// The server has taken an update of this node.
    pub fn wrote(&mut self) {
        self.wrote = true;
    }

    /// Whether other keepers of the name are up.
    pub fn others(&self, sight: Sight<'_>) -> bool {
        let others = sight.nodes.iter().filter(|n| !n.this);
        others.into_iter().any(|n| n.state == State::Alive && self.announces(n))
    }
}

/// A node's first address of each family, without those that mean something only on the node itself.
fn one_of_each_family(node: &NodeView) -> Vec<IpAddr> {
    let all: Vec<IpAddr> =
        node.addresses.iter().filter_map(|a| Some(a.parse::<SocketAddr>().ok()?.ip().to_canonical())).collect();
    let usable = |a: &&IpAddr| match a {
        IpAddr::V4(a) => !a.is_unspecified() && !a.is_link_local(),
        IpAddr::V6(a) => !a.is_unspecified() && !a.is_unicast_link_local(),
    };
    let v4 = all.iter().filter(usable).find(|a| a.is_ipv4());
    let v6 = all.iter().filter(usable).find(|a| a.is_ipv6());
    v4.into_iter().chain(v6).copied().collect()
}

#[cfg(test)]
mod tests;

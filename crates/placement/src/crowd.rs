//! Choosing beside others who choose at the same moment.
//!
//! Nobody can know of a choice that is made now, so all who choose at once see the same idle nodes and take the same ones. Therefore
//! whoever means to claim first makes a **bid**: claims that last no longer than [`BID`] of what it would take. After [`WAIT`] all bids
//! made by then are known everywhere, and everybody puts them in one order, that of `Turn`.
//! Then it supposes that each bidder before itself chooses as it would, one after another, and takes what is best after them
//! ([`expect`]). The bids become claims, and nobody had to ask anybody.
//!
//! It does not matter much if what is supposed of one of them is wrong, since it asks for something else or sees other values: what
//! counts is that each of many keeps clear of about as much as those before it take.

use crate::chance::Chance;
use crate::{Claimed, Claims, decay};
use peermon_model::{Amounts, ClaimEntry, Instant, NodeId, Snapshot};
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::time::Duration;

/// A claim that lasts no longer than this is a bid: its maker waits for the others' bids, and will claim or has gone. Shorter: it may be
/// over before its maker has chosen on a busy machine; longer: a bid that nobody settles keeps others away.
pub const BID: Duration = Duration::from_millis(500);
/// How long a bidder waits for the bids of others. A claim is known to all within some 30 ms, and 60 ms where packets are lost.
/// Shorter: not all bids are known; longer: whoever waits at a terminal notices it.
pub const WAIT: Duration = Duration::from_millis(80);
/// Bidders for more nodes than this do without bids: they take most of a cluster anyway, and a bid costs a packet's room for each node.
pub const BID_NODES_MAX: usize = 64;
/// How many nodes are ranked at most to find out what others will take, all rankings together: half a second's work by an expression.
/// Bids that are left then count where they stand.
const RANKED_MAX: usize = 250_000;

/// Nodes that somebody means to claim.
struct Bid<'a> {
    turn: Turn,
    claims: Vec<&'a ClaimEntry>,
}

/// What will be claimed when one's turn has come.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected {
    /// All claims, and what those bidders are expected to take who come first.
    pub claims: Claims,
    /// The lot to draw: for a bid the one that others suppose.
    pub seed: u64,
}

/// What to reckon with when choosing at `now`: all claims of a table, and what bidders will take whose turn comes before one's own. `mine`
/// are the numbers of one's own bid, made through the table's node; without any all other bidders come first, and `seed` is the lot.
///
/// `choose` ranks the table with claims, and names so many of the best nodes by a lot; it is called for each bidder that has its
/// eye on nodes which it offers.
pub fn expect(
    snapshot: &Snapshot,
    now: Instant,
    mine: &[u16],
    seed: u64,
    mut choose: impl FnMut(&Claims, usize, u64) -> Vec<NodeId>,
) -> Expected {
    let (mut claims, mut bids, mut own) = (Claims::default(), Vec::<Bid<'_>>::new(), None);
    for claim in &snapshot.claims {
        let age = claim.age + (now - snapshot.taken);
        if claim.by == Some(snapshot.me) && mine.contains(&claim.number) {
            // The first of them stands for the bid, as it does for others.
            own = own.or(Some(turn(claim)));
        } else if age >= claim.lasts {
        } else if claim.lasts > BID {
            claims.put(claim.node, decay::left(&claim.amounts, age, claim.lasts));
        } else {
            match bids.last_mut().filter(|b| b.goes_on_with(claim)) {
                Some(bid) => bid.claims.push(claim),
                None => bids.push(Bid { turn: turn(claim), claims: vec![claim] }),
            }
        }
    }
    bids.retain(|b| own.is_none_or(|own| b.turn < own));
    bids.sort_by_key(|b| b.turn);
    if !bids.is_empty() {
        let offered: BTreeSet<NodeId> = choose(&claims, usize::MAX, seed).into_iter().collect();
        let mut ranked = 0;
        for bid in bids {
            ranked += snapshot.nodes.len();
            let rivals = bid.claims.iter().any(|c| offered.contains(&c.node)) && ranked <= RANKED_MAX;
            let nodes =
                if rivals { choose(&claims, bid.claims.len(), bid.turn.1) } else { bid.claims.iter().map(|c| c.node).collect() };
            let Amounts { cpus, mem, gpus } = bid.claims[0].amounts;
            nodes.into_iter().for_each(|node| claims.add(node, Claimed { cpus, mem, gpus }));
        }
    }
    Expected { claims, seed: own.map_or(seed, |own| own.1) }
}

/// When somebody's turn is: the oldest bid first, and of those that are of one age whichever has the lower number, which also is its lot.
type Turn = (Reverse<Duration>, u64);

/// The turn of a bid by its first claim. All see the same: how much older a claim is than another does not depend on when they came.
fn turn(first: &ClaimEntry) -> Turn {
    let by = first.by.map_or(0, |id| id.nid());
    (Reverse(first.age), Chance::new(Chance::new(by).bits() ^ u64::from(first.number)).bits())
}

impl Bid<'_> {
    /// Whether a claim is the next one of this bid: made by the same one at the same time, of another node.
    fn goes_on_with(&self, next: &ClaimEntry) -> bool {
        let last = self.claims[self.claims.len() - 1];
        (last.by, last.number.wrapping_add(1), last.age, last.amounts) == (next.by, next.number, next.age, next.amounts)
            && self.claims.iter().all(|c| c.node != next.node)
    }
}

//! Short memory: the last hour of every node's vitals, in little and bounded memory, so that whoever looks sees the past at once.
//!
//! A row is kept as often as it came, with the bytes it travelled as ([`peermon_model::vitals`]). The newest rows of a node lie
//! plainly; every [`CHUNK_ROWS`] of them become a [`Chunk`]: each vital a column of differences, deflated (RFC 1951). The oldest
//! chunks go when they are too old, or when all together take too much.

mod chunk;
mod resample;

pub use chunk::{CHUNK_ROWS, Chunk, Row};
pub use resample::{Fold, Grid, resample};

use peermon_model::vitals::SLOTS;
use peermon_model::{Instant, NodeId, Snapshot};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Two rows of one node closer than this are one: a row's moment is known as well as the cluster's clocks agree.
const SAME: Duration = Duration::from_millis(30);
/// What a node costs besides its rows: its entry, the list of its chunks.
const NODE_BYTES: usize = 200;

/// How much is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// Rows older than this go.
    pub keep: Duration,
    /// Bytes that all rows may take; beyond it the oldest go.
    pub bytes_max: usize,
}

/// What is kept, and what it takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Size {
    /// Nodes of which anything is kept.
    pub nodes: usize,
    /// Rows kept.
    pub rows: u64,
    /// Bytes they take, lists and all.
    pub bytes: usize,
    /// Rows that went before their time, since all together took too much.
    pub rows_dropped: u64,
}

/// The rows of all nodes.
#[derive(Debug)]
pub struct Memory {
    bounds: Bounds,
    nodes: BTreeMap<NodeId, Past>,
    /// Whose oldest chunk is the next oldest of all.
    order: VecDeque<NodeId>,
    size: Size,
}

#[derive(Debug, Default)]
struct Past {
    /// Oldest first.
    chunks: VecDeque<Arc<Chunk>>,
    /// Those that are no chunk yet, oldest first.
    fresh: Vec<Row>,
    /// The names of its custom vitals, and since when they are these.
    custom: Vec<Box<str>>,
    custom_since: Instant,
}

/// One node's rows, to be read without holding up whoever adds to them.
#[derive(Clone, Debug)]
pub struct Kept {
    chunks: Vec<Arc<Chunk>>,
    fresh: Vec<Row>,
    /// Custom vitals of rows before this were others.
    pub custom_since: Instant,
}

impl Kept {
    /// The rows from `from` on, oldest first, and the one before, which still held then.
    pub fn rows(&self, from: Instant) -> Vec<Row> {
        let mut rows = Vec::new();
        for chunk in &self.chunks {
            if chunk.to() >= from {
                rows.extend(chunk.rows());
            }
        }
        rows.extend_from_slice(&self.fresh);
        let first = rows.partition_point(|r| r.at < from).saturating_sub(1);
        rows.drain(..first);
        rows
    }
}

impl Memory {
    /// Nothing yet.
    pub fn new(bounds: Bounds) -> Self {
        Memory { bounds, nodes: BTreeMap::new(), order: VecDeque::new(), size: Size::default() }
    }

    /// Takes from a table the rows that are new. To keep every row, show it every table, or one a period.
    pub fn take(&mut self, snapshot: &Snapshot) {
        for node in &snapshot.nodes {
            let Some(age) = node.age else { continue };
            let at = snapshot.taken.before(age);
            let past = self.nodes.entry(node.record.id).or_insert_with(|| {
                self.size.bytes += NODE_BYTES;
                Past::default()
            });
            if past.last().is_some_and(|last| at.since(last) < SAME) {
                continue;
            }
            if !past.custom.iter().eq(node.record.custom.iter().map(|c| &c.name)) {
                past.custom = node.record.custom.iter().map(|c| c.name.clone()).collect();
                past.custom_since = at;
            }
            let capacity = past.fresh.capacity();
            past.fresh.push(Row { at, codes: *node.vitals.codes() });
            self.size.bytes += (past.fresh.capacity() - capacity) * size_of::<Row>();
            self.size.rows += 1;
            // not those of all nodes at once, which would take as long as all others together
            let full = if past.chunks.is_empty() { 1 + CHUNK_ROWS / 2 + stagger(&node.record.id) } else { CHUNK_ROWS };
            if past.fresh.len() >= full {
                let chunk = Chunk::of(&past.fresh);
                past.fresh.clear();
                self.size.bytes += chunk.bytes();
                past.chunks.push_back(Arc::new(chunk));
                self.order.push_back(node.record.id);
            }
        }
        self.forget(snapshot.taken);
    }

    /// What is kept of a node.
    pub fn of(&self, node: &NodeId) -> Option<Kept> {
        let past = self.nodes.get(node)?;
        Some(Kept { chunks: past.chunks.iter().cloned().collect(), fresh: past.fresh.clone(), custom_since: past.custom_since })
    }

    /// What is kept, and what it takes.
    pub fn size(&self) -> Size {
        Size { nodes: self.nodes.len(), ..self.size }
    }

    /// How far back it is meant to reach.
    pub fn keep(&self) -> Duration {
        self.bounds.keep
    }

    /// Lets go of what is too old or too much.
    fn forget(&mut self, now: Instant) {
        let oldest = now.before(self.bounds.keep);
        while let Some(id) = self.order.front() {
            let past = self.nodes.get_mut(id).expect("a node with chunks is there");
            let chunk = past.chunks.front().expect("the order lists chunks that are there");
            let too_much = self.size.bytes > self.bounds.bytes_max;
            if chunk.to() >= oldest && !too_much {
                break;
            }
            self.size.bytes -= chunk.bytes();
            self.size.rows -= chunk.len() as u64;
            if chunk.to() >= oldest {
                self.size.rows_dropped += chunk.len() as u64;
            }
            past.chunks.pop_front();
            self.order.pop_front();
        }
        let size = &mut self.size;
        self.nodes.retain(|_, past| {
            let stays = !past.chunks.is_empty() || past.last().is_some_and(|last| last >= oldest);
            if !stays {
                size.bytes -= NODE_BYTES + past.fresh.capacity() * size_of::<Row>();
                size.rows -= past.fresh.len() as u64;
            }
            stays
        });
    }
}

/// Any number below half a chunk that differs from node to node.
fn stagger(id: &NodeId) -> usize {
    usize::from(id.0[31]) * (CHUNK_ROWS / 2) / 256
}

impl Past {
    fn last(&self) -> Option<Instant> {
        self.fresh.last().map(|r| r.at).or_else(|| self.chunks.back().map(|c| c.to()))
    }
}

/// The bytes that a row takes unpacked: how well packing does is told against it.
pub const ROW_BYTES: usize = SLOTS;

#[cfg(test)]
mod tests;

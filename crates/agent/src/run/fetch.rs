//! Fetching from peers in turn, those whose API can be reached: on a thread of its own, since every step may take seconds.

use super::Loop;
use crate::letter::Letter;
use crate::mailbox::Post;
use peermon_collector::probe::fetch;
use peermon_model::{Instant, MemberState, NodeId};
use std::net::SocketAddr;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

/// Between two fetches.
const EVERY: Duration = Duration::from_secs(2);
/// Stack: the C library's resolver uses large buffers.
const STACK_BYTES: usize = 256 * 1024;

/// Whom to fetch from.
struct Task {
    id: NodeId,
    name: String,
    to: SocketAddr,
}

/// The loop's side of the thread, which starts with the first peer there is to fetch from.
#[derive(Debug)]
pub(crate) struct Fetching {
    tasks: Option<SyncSender<Task>>,
    next: Instant,
    last: Option<NodeId>,
}

impl Fetching {
    pub(crate) fn new(now: Instant) -> Self {
        Fetching { tasks: None, next: now + EVERY, last: None }
    }
}

impl Loop {
    /// About once a second: fetches from the peer whose turn it is.
    pub(super) fn fetch_in_turn(&mut self, now: Instant) {
        if self.fetching.next > now {
            return;
        }
        self.fetching.next = now + EVERY;
        let snapshot = self.shared.snapshot.load();
        let port = |n: &peermon_model::NodeEntry| {
            let port = n.record.facts.number("api.port").filter(|p| (1.0..65_536.0).contains(p))?;
            let address = n.record.addresses.first()?.ip().to_canonical();
            Some(SocketAddr::new(address, port as u16))
        };
        let able = || {
            let up = snapshot.nodes.iter().filter(|n| n.state == MemberState::Alive && n.record.id != self.id);
            up.filter_map(|n| Some((n, port(n)?)))
        };
        let after = |id: &NodeId| self.fetching.last.is_some_and(|last| *id > last);
        let Some((node, to)) = able().find(|(n, _)| after(&n.record.id)).or_else(|| able().next()) else { return };
        let task = Task { id: node.record.id, name: node.record.name.to_string(), to };
        self.fetching.last = Some(task.id);
        if self.fetching.tasks.is_none() {
            self.fetching.tasks = start(self.shared.post.clone());
        }
        // a fetch that still waits is the one that counts
        if let Some(tasks) = &self.fetching.tasks {
            tasks.try_send(task).ok();
        }
    }
}

fn start(post: Post<Letter>) -> Option<SyncSender<Task>> {
    let (tasks, todo) = sync_channel::<Task>(1);
    let work = move || {
        for task in todo {
            let failed = fetch(&task.name, task.to).err();
            if !post.send(Letter::Fetched(task.id, failed)) {
                return;
            }
        }
    };
    match std::thread::Builder::new().name("fetch".into()).stack_size(STACK_BYTES).spawn(work) {
        Ok(_) => Some(tasks),
        Err(error) => {
            tracing::warn!(%error, "cannot fetch from peers; their other answers count alone");
            None
        }
    }
}

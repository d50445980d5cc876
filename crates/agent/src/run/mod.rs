//! The loop: one thread that waits for whatever happens, gives it to the node, and does what the node says.

mod announce;
mod claim;
mod fetch;
mod handle;
mod house;
mod output;
pub(crate) mod probes;
mod requests;
mod start;

pub use start::StartError;
pub(crate) use start::start;
#[cfg(test)]
pub(crate) use start::start_with;

use crate::budget::Budget;
use crate::clock::{self, SleepWatch, timespec};
use crate::collect::Collecting;
use crate::config::Config;
use crate::event::Event;
use crate::letter::Letter;
use crate::log::Rarely;
use crate::mailbox::Mailbox;
use crate::net::resolve::Resolver;
use crate::net::{AddressWatch, DATAGRAM_BYTES_MAX, Sockets};
use crate::realtime;
use crate::shared::Shared;
use crate::signals::Signals;
use crate::state::State;
use crate::supervisor::Supervisor;
use peermon_model::{Facts, Incarnation, Instant, NodeId};
use peermon_node::Node;
use peermon_trust::Keyring;
use rustix::event::{PollFd, PollFlags, poll};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Datagrams taken from one socket before timers and other inputs get their turn: about a millisecond of work.
const DATAGRAMS_PER_TURN: usize = 64;
/// Letters taken before the sockets get their turn.
const LETTERS_PER_TURN: usize = 16;
/// Between two rounds of what is done about once a second.
const TICK: Duration = Duration::from_secs(1);
/// After saying that it leaves, the daemon stays this long to say it again to whoever missed it.
const LEAVE_WAIT: Duration = Duration::from_millis(300);
/// Between two looks at the interfaces, however much the kernel tells of them.
const ADDRESSES_EVERY_MIN: Duration = Duration::from_millis(500);
/// No wait is longer, whatever the deadlines say: the machine may have been asleep.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// Everything the loop owns.
pub(crate) struct Loop {
    node: Node,
    id: NodeId,
    incarnation: Incarnation,
    keyring: Keyring,
    config: Config,
    /// Facts of the machine, without those of the configuration.
    host_facts: Facts,
    state: State,
    sockets: Sockets,
    addresses: Vec<SocketAddr>,
    watch: Option<AddressWatch>,
    signals: Option<Signals>,
    mailbox: Mailbox<Letter>,
    collecting: Collecting,
    budget: Budget,
    probing: probes::Probing,
    fetching: fetch::Fetching,
    resolver: Option<Resolver>,
    shared: Arc<Shared>,
    supervisor: Supervisor,
    sleep: SleepWatch,
    times: Times,
    tally: Tally,
    logs: Logs,
    /// What is shown for a while, and until when.
    announced: Vec<(peermon_model::Notice, Instant)>,
    /// What readers of events are told once a snapshot shows it.
    news: Vec<peermon_api::Event>,
    /// When to end, once it is ending.
    ending: Option<Instant>,
}

/// When what is due next.
struct Times {
    tick: Instant,
    /// Of a node that only listens.
    look: Instant,
    addresses: Instant,
    addresses_last: Instant,
    facts: Instant,
    peers: Instant,
    /// A snapshot must be published; `None`: nothing has changed.
    snapshot: Option<Instant>,
    snapshot_last: Instant,
    /// Shortest time between two snapshots.
    snapshot_every: Duration,
    cpu_from: (Instant, Duration),
}

/// What the loop counts, besides what the node does.
#[derive(Default)]
struct Tally {
    turns: u64,
    snapshots: u64,
    /// The latest a timer ran since the last tick.
    delay: Duration,
    state_failures: u64,
    sleeps: u64,
    identities: u64,
    reloads: u64,
}

/// Messages that must not be repeated without end.
struct Logs {
    state: Rarely,
    send: Rarely,
    discovery: Rarely,
    members: Rarely,
    budget: Rarely,
}

impl Loop {
    /// Goes round until told to end.
    pub(crate) fn run(mut self) {
        if self.config.realtime {
            be_on_time();
        }
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        tracing::info!(id = %self.id, incarnation = self.incarnation.0, name = %self.config.node_name(), listen = ?self.sockets.bound(), "started");
        loop {
            let ready = self.wait();
            self.turn(&ready, &mut buffer);
            if self.ending.is_some_and(|at| clock::now() >= at) {
                break;
            }
        }
        self.store_peers();
        self.publish(clock::now());
        tracing::info!("stopped");
    }

    /// Everything that can be done now, a bounded share of each kind.
    fn turn(&mut self, ready: &Ready, buffer: &mut [u8; DATAGRAM_BYTES_MAX]) {
        self.tally.turns += 1;
        for index in ready.sockets() {
            for _ in 0..DATAGRAMS_PER_TURN {
                let Some((length, from)) = self.sockets.receive(index, buffer) else { break };
                self.handle(Event::Datagram { from, bytes: &mut buffer[..length] });
            }
            // What the datagrams of one socket ask for leaves before the next socket is looked at.
            self.flush();
        }
        if ready.signal {
            while let Some(signal) = self.signals.as_mut().and_then(Signals::take) {
                self.handle(Event::Signal(signal));
            }
        }
        if ready.mailbox {
            self.mailbox.hush();
            for _ in 0..LETTERS_PER_TURN {
                let Some(letter) = self.mailbox.take() else { break };
                self.handle(Event::Letter(letter));
            }
        }
        if ready.addresses {
            if let Some(watch) = &self.watch {
                watch.drain();
            }
            self.times.addresses = clock::now().max(self.times.addresses_last + ADDRESSES_EVERY_MIN);
        }
        let now = clock::now();
        if self.node.deadline() <= now {
            self.handle(Event::Timeout);
        }
        if self.collecting.due().is_some_and(|due| due <= now) {
            self.handle(Event::SamplesLate);
        }
        if self.times.addresses <= now {
            self.handle(Event::AddressesChanged);
        }
        if self.times.tick <= now {
            self.handle(Event::Tick);
        }
        self.flush();
        self.publish_if_due(clock::now());
    }

    /// Waits until something is ready or due.
    fn wait(&self) -> Ready {
        let mut ready = Ready::default();
        let now = clock::now();
        let deadlines = [
            Some(self.node.deadline()),
            Some(self.times.tick),
            Some(self.times.addresses),
            self.times.snapshot,
            self.collecting.due(),
            self.ending,
        ];
        let next = deadlines.into_iter().flatten().min().unwrap_or(Instant::NEVER);
        let timeout = timespec((next - now).min(WAIT_MAX));
        let mut fds: Vec<PollFd<'_>> = Vec::with_capacity(16);
        let input = |fd| PollFd::from_borrowed_fd(fd, PollFlags::IN);
        fds.push(input(self.mailbox.bell()));
        let signals = self.signals.as_ref().map(|s| (fds.len(), fds.push(input(s.fd()))).0);
        let watch = self.watch.as_ref().map(|w| (fds.len(), fds.push(input(w.fd()))).0);
        let sockets = fds.len();
        fds.extend(self.sockets.fds().map(input));
        if poll(&mut fds, Some(&timeout)).is_err() {
            // Interrupted by a signal, or a moment without memory: look at everything, nothing blocks.
            return Ready { mailbox: true, signal: true, addresses: false, sockets: u32::MAX >> (32 - (fds.len() - sockets)) };
        }
        let is_ready = |i: usize| !fds[i].revents().is_empty();
        ready.mailbox = is_ready(0);
        ready.signal = signals.is_some_and(is_ready);
        ready.addresses = watch.is_some_and(is_ready);
        for i in sockets..fds.len() {
            ready.sockets |= u32::from(is_ready(i)) << (i - sockets);
        }
        ready
    }
}

/// Asks for what keeps the loop timely; goes on without what is refused.
fn be_on_time() {
    match realtime::raise_thread() {
        Ok(()) => tracing::info!("real-time priority"),
        Err(error) => tracing::warn!(%error, "no real-time priority; it takes CAP_SYS_NICE or a limit RTPRIO"),
    }
    match realtime::lock_memory() {
        Ok(()) => tracing::info!("memory is locked"),
        Err(reason) => tracing::warn!(reason, "memory is not locked"),
    }
}

impl Drop for Loop {
    /// However it ends, nobody must wait for it.
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Release);
        self.shared.fanout.end();
    }
}

/// What has input.
#[derive(Clone, Copy, Default, Debug)]
struct Ready {
    mailbox: bool,
    signal: bool,
    addresses: bool,
    /// One bit for each socket; there are at most nine.
    sockets: u32,
}

impl Ready {
    fn sockets(self) -> impl Iterator<Item = usize> {
        (0..32).filter(move |i| self.sockets >> i & 1 == 1)
    }
}

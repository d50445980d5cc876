//! What the node wants: datagrams sent, events told, the table shown.

use super::Loop;
use crate::clock;
use crate::net::Sent;
use peermon_api as api;
use peermon_model::Instant;
use peermon_node::{Destination, Event, SendError};
use std::time::Duration;

/// News held until the snapshot that shows them is published; from so many on, that is made at once. A part of what a reader
/// queues, so that one batch does not overrun it.
const NEWS_MAX: usize = api::EventStream::QUEUE_MAX / 4;
/// Shortest time between two snapshots: a wave of rows, which takes about 40 ms to pass, becomes two or three.
const SNAPSHOT_EVERY_MIN: Duration = Duration::from_millis(20);
/// Making snapshots may take this share of the time at most: one in so many.
const SNAPSHOT_SHARE: u32 = 200;

impl Loop {
    /// Sends everything there is to send.
    pub(super) fn flush(&mut self) {
        while let Some(transmit) = self.node.poll_transmit() {
            let (sent, to) = match transmit.to {
                Destination::Peer(to) => (self.sockets.send(to, &transmit.payload), Some(to)),
                Destination::Discovery => (self.sockets.announce(&transmit.payload), None),
            };
            let error = match sent {
                Sent::Done => continue,
                Sent::NoBuffers => SendError::NoBuffers,
                Sent::TooBig => SendError::TooBig,
                Sent::Unreachable => SendError::Unreachable,
            };
            let now = clock::now();
            match to {
                Some(to) => {
                    self.node.handle_send_error(now, to, error);
                    if let Some(held_back) = self.logs.send.may(now) {
                        tracing::debug!(%to, ?error, held_back, "cannot send");
                    }
                }
                None => {
                    if let Some(held_back) = self.logs.discovery.may(now) {
                        tracing::debug!(?error, held_back, "cannot announce this node on the LAN");
                    }
                }
            }
        }
    }

    /// Does what the node's events ask for.
    pub(super) fn heed(&mut self, now: Instant) {
        while let Some(event) = self.node.poll_event() {
            match event {
                Event::SampleDue => self.collecting.ask_round(now, self.demand(now)),
                Event::Member { id, name, state, incarnation } => {
                    self.publish_soon(now);
                    if let Some(held_back) = self.logs.members.may(now) {
                        tracing::info!(%name, id = %id.short(), %state, held_back, "member");
                    }
                    let (name, id) = (name.to_string(), id.to_string());
                    self.tell(now, api::Event::Member { name, id, state: state.into(), incarnation: incarnation.0 });
                }
                Event::Zone { name, stale: true } => tracing::warn!(zone = %name, "nothing comes from the zone any more"),
                Event::Zone { name, stale: false } => tracing::info!(zone = %name, "the zone is heard again"),
                Event::Record { id, name, incarnation, sequence } => {
                    let (name, id) = (name.to_string(), id.to_string());
                    self.tell(now, api::Event::Record { name, id, incarnation: incarnation.0, sequence: sequence.0 });
                }
                Event::Keyring(keyring) => self.keep_keyring(now, keyring),
                Event::Incarnation(incarnation) => self.keep_incarnation(now, incarnation),
                Event::DuplicateId { addresses } => self.renew_identity(now, &addresses),
                // The node keeps these to itself.
                Event::Answered { .. } | Event::Probed { .. } => {}
            }
        }
    }

    /// Has readers told with the next snapshot: who hears of a change and looks must find it.
    fn tell(&mut self, now: Instant, event: api::Event) {
        if self.shared.fanout.is_empty() {
            return;
        }
        self.news.push(event);
        self.changed(now);
        if self.news.len() >= NEWS_MAX {
            self.publish(now);
        }
    }

    /// The table may have changed: a snapshot is due, but not sooner than the last one allows.
    pub(super) fn changed(&mut self, now: Instant) {
        if self.times.snapshot.is_none() {
            self.times.snapshot = Some((self.times.snapshot_last + self.times.snapshot_every).max(now));
        }
    }

    /// Somebody is waiting for this: the next snapshot is due now.
    pub(super) fn publish_soon(&mut self, now: Instant) {
        self.times.snapshot = Some((self.times.snapshot_last + SNAPSHOT_EVERY_MIN).max(now));
    }

    pub(super) fn publish_if_due(&mut self, now: Instant) {
        if self.times.snapshot.is_some_and(|due| due <= now) {
            self.publish(now);
        }
    }

    pub(super) fn publish(&mut self, now: Instant) {
        // of processor time: on a busy machine one that was put aside in the middle of this would show a table a second old all the time
        let before = clock::thread_time();
        self.shared.show(self.node.snapshot(now));
        self.news.drain(..).for_each(|event| self.shared.fanout.tell(&event));
        let cost = clock::thread_time().saturating_sub(before);
        self.tally.snapshots += 1;
        self.times.snapshot = None;
        self.times.snapshot_last = now;
        self.times.snapshot_every = SNAPSHOT_EVERY_MIN.max(cost * SNAPSHOT_SHARE).min(Duration::from_secs(1));
    }
}

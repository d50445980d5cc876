//! One event at a time.

use super::{LEAVE_WAIT, Loop};
use crate::clock;
use crate::event::Event;
use crate::letter::Letter;
use crate::signals::Signal;
use peermon_model::{Instant, Samples};
use peermon_node::Command;
use std::sync::Arc;

impl Loop {
    pub(super) fn handle(&mut self, event: Event<'_>) {
        let now = clock::now();
        match event {
            Event::Datagram { from, bytes } => {
                self.node.handle_datagram(now, from, bytes);
                self.changed(now);
            }
            Event::Timeout => {
                self.tally.delay = self.tally.delay.max(now - self.node.deadline());
                self.node.handle_timeout(now);
                self.changed(now);
            }
            Event::SamplesLate => {
                let empty = self.collecting.give_up();
                self.take_samples(now, empty, true);
            }
            Event::Letter(letter) => self.open(now, letter),
            Event::Signal(Signal::Stop) => self.stop(now, true),
            Event::Signal(Signal::Reload) => {
                if let Err(error) = self.reload(now) {
                    tracing::error!(%error, "reload failed; what was in use stays");
                }
            }
            Event::AddressesChanged => self.look_at_addresses(now),
            Event::Tick => self.tick(now),
        }
        self.heed(now);
    }

    fn open(&mut self, now: Instant, letter: Letter) {
        match letter {
            Letter::Samples(samples) => {
                // A late round is still this host's latest, but its turn to be published is over.
                let awaited = self.collecting.came();
                self.take_samples(now, samples, awaited);
            }
            Letter::Facts(facts) => {
                if facts != self.host_facts {
                    self.host_facts = facts;
                    self.publish_facts(now);
                }
            }
            Letter::Probe(report) => self.take_report(now, report),
            Letter::Fetched(id, failed) => {
                self.node.handle_fetch(now, &id, failed);
                self.changed(now);
            }
            Letter::Health(reply) => drop(reply.try_send(Ok(self.health(now)))),
            Letter::Found(addresses) => self.command(now, Command::Contact(addresses)),
            // A reader that no longer waits for its answer needs none.
            Letter::Invite(reply) => drop(reply.try_send(self.invite())),
            Letter::Join { invitation, contact, force, reply } => {
                drop(reply.try_send(self.join(now, invitation, contact, force)));
            }
            Letter::Rotate(reply) => drop(reply.try_send(self.rotate(now))),
            Letter::Announce { notice, lease, reply } => drop(reply.try_send(self.announce(now, notice, lease))),
            Letter::Claim(what, reply) => drop(reply.try_send(self.claim(now, what))),
            Letter::Reload(reply) => drop(reply.try_send(self.reload(now))),
            Letter::Serving => {
                let api = self.shared.api.load();
                tracing::info!(api = %if api.is_empty() { "none".to_string() } else { api.join(", ") }, "ready");
                self.supervisor.ready();
            }
            Letter::Stop { leave } => self.stop(now, leave),
        }
    }

    /// Tells the node something that cannot fail.
    pub(super) fn command(&mut self, now: Instant, command: Command) {
        if let Err(error) = self.node.handle_command(now, command) {
            tracing::error!(%error, "the node refused a command");
        }
    }

    /// A round has come, or must be done without.
    fn take_samples(&mut self, now: Instant, mut samples: Samples, publish: bool) {
        self.add_own(&mut samples);
        self.add_probes(now, &mut samples);
        self.judge_samples(now, &samples);
        if publish {
            self.node.handle_samples(now, &samples);
            self.changed(now);
        }
        self.shared.samples.store(Some(Arc::new((Arc::new(samples), now))));
    }

    /// Begins to end: at once, or after saying so.
    fn stop(&mut self, now: Instant, leave: bool) {
        if self.ending.is_some() {
            // Asked twice: somebody is in a hurry.
            self.ending = Some(now);
            return;
        }
        self.supervisor.stopping();
        let wait = if leave {
            tracing::info!("leaving the cluster");
            self.command(now, Command::Leave);
            if self.node.links(now).is_empty() { std::time::Duration::ZERO } else { LEAVE_WAIT }
        } else {
            std::time::Duration::ZERO
        };
        self.ending = Some(now + wait);
    }
}

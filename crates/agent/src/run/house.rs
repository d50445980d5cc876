//! What is done now and then.

use super::{Loop, TICK};
use crate::budget::Change;
use crate::clock;
use crate::net::interfaces;
use crate::own;
use crate::shared::{Health, KeyHealth, LinkHealth};
use crate::state::{PEERS_MAX, StateError};
use peermon_collector::Demand;
use peermon_collector::limits::REST_EVERY;
use peermon_model::{Instant, MemberState, Samples};
use peermon_node::LinkRole;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Between two looks at the interfaces, should the kernel tell nothing.
const ADDRESSES_EVERY: Duration = Duration::from_secs(30);
/// Between two gatherings of facts: they rarely change, and some cost a visit to the hardware.
const FACTS_EVERY: Duration = Duration::from_mins(5);
/// Between two writings of known peers: a disk that sleeps shall sleep.
const PEERS_EVERY: Duration = Duration::from_mins(10);

impl Loop {
    /// About once a second.
    pub(super) fn tick(&mut self, now: Instant) {
        self.times.tick = now + TICK;
        if let Some(asleep) = self.sleep.look() {
            self.tally.sleeps += 1;
            tracing::info!(seconds = asleep.as_secs(), "the machine was asleep");
            self.times.addresses = now;
            self.times.facts = now;
        }
        // Nobody else waits for what a node that only listens measures.
        if self.config.listen_only && (self.shared.is_asked(now) || self.times.look <= now) {
            self.times.look = now + REST_EVERY;
            self.collecting.look(self.demand(now));
        }
        if self.times.facts <= now {
            self.times.facts = now + FACTS_EVERY;
            self.collecting.ask_facts();
        }
        if self.times.peers <= now {
            self.times.peers = now + PEERS_EVERY;
            self.store_peers();
        }
        self.forget_announcements(now);
        self.tell_probes(now);
        self.fetch_in_turn(now);
        self.keep_budget(now);
        self.publish_health(now);
        let snapshot = self.shared.snapshot.load();
        self.supervisor.alive(now, || {
            let alive = snapshot.nodes.iter().filter(|n| n.state == MemberState::Alive).count();
            format!("{alive} of {} nodes alive", snapshot.nodes.len())
        });
    }

    /// What the collectors are wanted for now.
    pub(super) fn demand(&self, now: Instant) -> Demand {
        Demand { asked: self.shared.is_asked(now), stretch: self.budget.stretch() }
    }

    /// Lets collectors wait, or wait no more, as the budget of processor time has it.
    fn keep_budget(&mut self, now: Instant) {
        let Some(change) = self.budget.look(now, clock::process_time()) else { return };
        let stretch = (self.budget.stretch() * 10.0).round() / 10.0;
        let why = self.budget.why().unwrap_or_default();
        match change {
            Change::Begins => tracing::info!(stretch, why, "collectors that can wait look less often"),
            Change::Ends => tracing::info!("collectors look as often as usual again"),
            Change::Fails => {
                if let Some(held_back) = self.logs.budget.may(now) {
                    tracing::warn!(stretch, why, held_back, "this daemon costs more than its budget");
                }
            }
        }
    }

    /// Tells others where this node is, if that has changed, and joins the discovery group on new interfaces.
    pub(super) fn look_at_addresses(&mut self, now: Instant) {
        self.times.addresses = now + ADDRESSES_EVERY;
        self.times.addresses_last = now;
        let interfaces = interfaces::read();
        let found = own_addresses(&self.config, &self.sockets.bound(), &interfaces);
        let changed = found != self.addresses && !is_away(&found, &self.addresses);
        if changed {
            tracing::info!(addresses = ?found, "this node's addresses have changed");
            self.addresses.clone_from(&found);
            self.node.handle_addresses(now, found);
        }
        if changed || !self.sockets.discovers() {
            self.discover(now, &interfaces);
        }
    }

    /// Opens discovery on these interfaces. It is only a help, so failing is worth a line now and then.
    pub(super) fn discover(&mut self, now: Instant, interfaces: &[interfaces::Interface]) {
        if !self.config.discovery.enabled {
            return;
        }
        if let Err(error) = self.sockets.discover(self.config.discovery.group, interfaces)
            && let Some(held_back) = self.logs.discovery.may(now)
        {
            tracing::info!(%error, held_back, "no discovery on the LAN; seeds work without");
        }
    }

    /// Gives the node the machine's facts and the configuration's.
    pub(super) fn publish_facts(&mut self, now: Instant) {
        self.node.handle_facts(now, super::start::facts(&self.config, &self.host_facts));
        self.changed(now);
    }

    /// Remembers some members for the next start, if they are others than before.
    pub(super) fn store_peers(&mut self) {
        let peers = self.peers();
        if peers.is_empty() || same(&peers, &self.state.peers()) {
            return;
        }
        if let Err(error) = self.state.store_peers(&peers) {
            self.state_failed(&error);
        }
    }

    /// Linked members first: they answered most recently.
    fn peers(&self) -> Vec<SocketAddr> {
        let now = clock::now();
        let snapshot = self.node.snapshot(now);
        let alive = snapshot.nodes.iter().filter(|n| n.state == MemberState::Alive && n.record.id != self.id);
        let mut peers: Vec<SocketAddr> = self.node.links(now).iter().map(|l| l.address).collect();
        for address in alive.filter_map(|n| n.record.addresses.first()) {
            if !peers.contains(address) {
                peers.push(*address);
            }
            if peers.len() >= PEERS_MAX {
                break;
            }
        }
        peers.truncate(PEERS_MAX);
        peers
    }

    /// Something could not be stored: the daemon goes on with what it has in memory.
    pub(super) fn state_failed(&mut self, error: &StateError) {
        self.tally.state_failures += 1;
        if let Some(held_back) = self.logs.state.may(clock::now()) {
            tracing::warn!(%error, held_back, "cannot store; going on without");
        }
    }

    /// The loop's own attributes join the host's.
    pub(super) fn add_own(&mut self, samples: &mut Samples) {
        own::add(samples, &self.counters(), self.tally.delay.as_secs_f64(), &self.budget);
        self.tally.delay = Duration::ZERO;
    }

    /// Everything counted, by name.
    fn counters(&self) -> Vec<(&'static str, u64)> {
        let mut all = self.node.counters();
        all.extend([
            ("peermon.loop.turns", self.tally.turns),
            ("peermon.loop.snapshots", self.tally.snapshots),
            ("peermon.rounds.late", self.collecting.late),
            ("peermon.state.failures", self.tally.state_failures),
            ("peermon.sleeps", self.tally.sleeps),
            ("peermon.identities", self.tally.identities),
            ("peermon.reloads", self.tally.reloads),
            ("peermon.sockets.reopened", self.sockets.reopened),
            ("peermon.sockets.errors", self.sockets.receive_errors),
            ("peermon.dropped.oversized", self.sockets.oversized),
        ]);
        all
    }

    pub(super) fn publish_health(&mut self, now: Instant) {
        let (from, used) = self.times.cpu_from;
        let used_now = clock::process_time();
        let cpu_share = (now > from).then(|| (used_now.saturating_sub(used)).as_secs_f64() / (now - from).as_secs_f64());
        self.times.cpu_from = (now, used_now);
        let clock = self.node.clock();
        let links = self.node.links(now).into_iter().map(|l| LinkHealth {
            name: l.name.map_or(l.short_id, |n| n.to_string()),
            address: l.address,
            rtt: l.rtt,
            role: role_name(l.role),
        });
        let keys = self.keyring.iter().map(|(id, key)| KeyHealth {
            id,
            sending: id == self.keyring.sending(),
            fingerprint: key.fingerprint(),
        });
        let health = Health {
            id: self.id,
            name: self.config.node_name().to_string(),
            incarnation: self.incarnation.0,
            pace: self.node.pace(),
            listen: self.sockets.bound(),
            counters: self.counters(),
            links: links.collect(),
            clock_locked: clock.locked,
            clock_error_seconds: clock.error.as_secs_f64(),
            seeds_waiting: self.node.seeds_waiting().iter().map(ToString::to_string).collect(),
            cpu_share,
            budget: self.budget.clone(),
            resident_bytes: own::resident_bytes(),
            keys: keys.collect(),
        };
        self.shared.health.store(Arc::new(health));
    }
}

/// The addresses others are told: those configured, or those of the interfaces.
pub(super) fn own_addresses(
    config: &crate::config::Config,
    bound: &[SocketAddr],
    interfaces: &[interfaces::Interface],
) -> Vec<SocketAddr> {
    if config.gossip.advertise.is_empty() { interfaces::advertised(bound, interfaces) } else { config.gossip.advertise.clone() }
}

/// Whether the network is away: nothing is left but loopback. Nobody could be told, and the old addresses usually come back.
fn is_away(found: &[SocketAddr], before: &[SocketAddr]) -> bool {
    let only_loopback = |l: &[SocketAddr]| l.iter().all(|a| a.ip().is_loopback());
    only_loopback(found) && !only_loopback(before)
}

fn role_name(role: LinkRole) -> &'static str {
    match role {
        LinkRole::Ring => "ring",
        LinkRole::Extra => "extra",
        LinkRole::Listener => "listener",
    }
}

fn same(a: &[SocketAddr], b: &[SocketAddr]) -> bool {
    let sorted = |l: &[SocketAddr]| {
        let mut l = l.to_vec();
        l.sort_unstable();
        l
    };
    sorted(a) == sorted(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_that_is_away_is_told_from_one_that_has_changed() {
        let list = |l: &[&str]| l.iter().map(|a| a.parse().expect(a)).collect::<Vec<SocketAddr>>();
        for (found, before, away) in [
            (&["127.0.0.1:1"][..], &["10.0.0.1:1"][..], true),
            (&[], &["10.0.0.1:1"], true),
            (&["10.0.0.2:1"], &["10.0.0.1:1"], false),
            (&["127.0.0.1:1"], &["127.0.0.1:2"], false),
            (&["10.0.0.1:1"], &["127.0.0.1:1"], false),
        ] {
            assert_eq!(is_away(&list(found), &list(before)), away, "{found:?} after {before:?}");
        }
    }

    #[test]
    fn peers_are_the_same_in_any_order() {
        let (a, b) = (SocketAddr::from(([10, 0, 0, 1], 1)), SocketAddr::from(([10, 0, 0, 2], 1)));
        assert!(same(&[a, b], &[b, a]) && !same(&[a], &[a, b]));
    }
}

//! What people ask of the daemon, and what it does to its own identity and keys.

use super::Loop;
use super::start;
use crate::clock;
use crate::collect::{self, Collecting};
use crate::config::Config;
use crate::letter::ReloadError;
use crate::net::resolve::{self, Resolver};
use crate::state;
use peermon_api::{Error, Invitation, JoinAnswer};
use peermon_model::{Incarnation, Instant, MemberState};
use peermon_node::Command;
use peermon_trust::{self as trust, ClusterKey, Keyring};
use std::net::SocketAddr;

impl Loop {
    /// A token with this node's addresses, and other members' in case this one is away by then.
    pub(super) fn invite(&self) -> Result<Invitation, Error> {
        let mut addresses = self.addresses.clone();
        addresses.truncate(trust::Invitation::ADDRESSES_MAX / 2);
        let snapshot = self.shared.snapshot.load();
        let others = snapshot.nodes.iter().filter(|n| n.state == MemberState::Alive && n.record.id != self.id);
        for a in others.filter_map(|n| n.record.addresses.first()).chain(&self.addresses) {
            if !addresses.contains(a) && addresses.len() < trust::Invitation::ADDRESSES_MAX {
                addresses.push(*a);
            }
        }
        if addresses.is_empty() {
            return Err(Error::Unavailable("this node has no address that others could reach; set gossip.advertise".into()));
        }
        let id = self.keyring.newest();
        let key = self.keyring.key(id).unwrap_or_else(|| self.keyring.sending_key()).clone();
        let generation = self.keyring.generation(id).unwrap_or(1);
        let token = trust::Invitation { addresses: addresses.clone(), generation, key }.to_string();
        Ok(Invitation { token, addresses: addresses.iter().map(ToString::to_string).collect() })
    }

    /// Contacts members of this cluster, or goes over to another one.
    pub(super) fn join(
        &mut self,
        now: Instant,
        invitation: Option<trust::Invitation>,
        contact: Vec<SocketAddr>,
        force: bool,
    ) -> Result<JoinAnswer, Error> {
        let other = invitation.filter(|i| self.keyring.iter().all(|(_, key)| *key != i.key));
        let new_cluster = other.is_some();
        if let Some(invitation) = other {
            let snapshot = self.node.snapshot(now);
            let others = snapshot.nodes.iter().filter(|n| n.record.id != self.id && n.state == MemberState::Alive).count();
            if others > 0 && !force {
                return Err(Error::Conflict(format!(
                    "this node is in a cluster with {others} other nodes, and the token is of another cluster; to leave the one for the \
                     other, repeat with --force"
                )));
            }
            let keyring = Keyring::new(invitation.generation, invitation.key);
            self.state
                .store_keyring(&keyring)
                .map_err(|e| Error::Unavailable(format!("nothing was changed, since the key could not be stored: {e}")))?;
            if let Err(error) = self.state.store_peers(&contact) {
                self.state_failed(&error);
            }
            tracing::info!(key = %keyring.sending_key().fingerprint(), "joining another cluster");
            // Members of the former cluster shall see this node go, and not wait for it.
            self.command(now, Command::Leave);
            self.flush();
            self.keyring = keyring;
            self.live_anew(now);
        }
        let contacting = contact.iter().map(ToString::to_string).collect();
        self.command(now, Command::Contact(contact));
        self.publish(now);
        self.publish_health(now);
        Ok(JoinAnswer { contacting, new_cluster })
    }

    /// Begins a rotation: the new key goes to all members, and is sent with once all hold it.
    pub(super) fn rotate(&mut self, now: Instant) -> Result<(), Error> {
        if self.keyring.newest() != self.keyring.sending() {
            return Err(Error::Conflict("a rotation is under way already; `peermon key list` shows how far it is".into()));
        }
        // Ids are one byte: once in some 64 rotations the first draw has the id of a key that is held.
        let key = loop {
            let key = ClusterKey::new(state::random());
            if self.keyring.key(key.id()).is_none() {
                break key;
            }
        };
        self.node.handle_command(now, Command::RotateKey(key)).map_err(|e| Error::Conflict(e.to_string()))?;
        self.heed(now);
        self.publish_health(now);
        Ok(())
    }

    /// The cluster's keys have changed: keep them for the next start.
    pub(super) fn keep_keyring(&mut self, _now: Instant, keyring: Keyring) {
        tracing::info!(newest = keyring.newest(), sending = keyring.sending(), "cluster keys have changed");
        if let Err(error) = self.state.store_keyring(&keyring) {
            self.state_failed(&error);
        }
        self.keyring = keyring;
    }

    /// This node had to outrank what was told of it.
    pub(super) fn keep_incarnation(&mut self, _now: Instant, incarnation: Incarnation) {
        self.incarnation = incarnation;
        if let Err(error) = self.state.store_incarnation(incarnation) {
            self.state_failed(&error);
        }
    }

    /// Another machine lives under this node's key, as happens when a disk image is copied: this one takes a new identity.
    pub(super) fn renew_identity(&mut self, now: Instant, others: &[SocketAddr]) {
        tracing::warn!(id = %self.id, ?others, "another machine has this node's key, as a copied disk image does; taking a new one");
        match self.state.renew_node_key() {
            Ok(_) => {}
            Err(error) => {
                self.state_failed(&error);
                tracing::error!(%error, "cannot store a new node key, so the old one must do; remove node.key on one of the machines");
                return;
            }
        }
        self.tally.identities += 1;
        self.live_anew(now);
    }

    /// A new life in this process: the node forgets its table and joins as it does at a start.
    fn live_anew(&mut self, now: Instant) {
        let key = match self.state.node_key() {
            Ok(key) => key,
            Err(error) => {
                self.state_failed(&error);
                return;
            }
        };
        let life = self.state.begin_life(clock::unix_seconds().max(u64::from(self.incarnation.0) + 1));
        if let Some(error) = &life.problem {
            self.state_failed(error);
        }
        self.id = key.id();
        self.incarnation = life.incarnation;
        let seeds = start::seeds(&self.config, &self.state);
        let config = start::node_config(&self.config, &self.host_facts, self.addresses.clone(), seeds, self.sockets.families());
        self.node = start::node(config, key, life.incarnation, self.keyring.clone(), now);
        self.show_notices(now);
        self.publish(now);
    }

    /// Collectors as another configuration has them. The former ones end by themselves.
    fn collect_anew(&mut self, config: &Config) -> Result<(), ReloadError> {
        let source = collect::source(config)?;
        match Collecting::start(source, self.config.period, self.config.realtime, start::answers(&self.shared.post)) {
            Ok(mut collecting) => {
                collecting.late = self.collecting.late;
                self.collecting = collecting;
            }
            Err(error) => tracing::error!(%error, "cannot start the collectors' thread; the former ones stay"),
        }
        Ok(())
    }

    /// Reads configuration and keys again and applies what can be applied while running.
    pub(super) fn reload(&mut self, now: Instant) -> Result<(), ReloadError> {
        self.supervisor.reloading();
        let done = self.reload_all(now);
        self.supervisor.ready();
        done
    }

    fn reload_all(&mut self, now: Instant) -> Result<(), ReloadError> {
        self.tally.reloads += 1;
        let new = self.config.reload()?;
        let restart = self.config.restart_needed(&new);
        if !restart.is_empty() {
            tracing::warn!(options = %restart.join(", "), "these options have changed and take effect at the next start");
        }
        crate::log::set_level(new.log.level);
        if new.join != self.config.join {
            self.command(now, Command::Contact(resolve::addresses(&new.join)));
            self.resolver = Resolver::start(&new.join, start::found(&self.shared));
        }
        if new.notices != self.config.notices {
            self.config.notices.clone_from(&new.notices);
            self.show_notices(now);
        }
        if new.vitals != self.config.vitals
            || new.without_collectors != self.config.without_collectors
            || new.collector_periods != self.config.collector_periods
            || new.processes != self.config.processes
            || new.probes.cpu_window != self.config.probes.cpu_window
        {
            self.collect_anew(&new)?;
            self.node.handle_custom(now, new.vitals.iter().map(|v| v.published.clone()).collect());
        }
        if new.probes != self.config.probes {
            self.config.probes.clone_from(&new.probes);
            self.probe_anew(now);
        }
        self.node.handle_allow(new.gossip.allow.clone());
        // Only these: the rest of the configuration stays the one in use.
        self.config.gossip.allow = new.gossip.allow;
        self.config.vitals = new.vitals;
        self.config.without_collectors = new.without_collectors;
        self.config.collector_periods = new.collector_periods;
        self.config.processes = new.processes;
        self.config.cpu_budget = new.cpu_budget;
        self.budget.set(new.cpu_budget);
        self.config.join = new.join;
        self.config.labels = new.labels;
        self.config.log.level = new.log.level;
        self.config.gossip.advertise = new.gossip.advertise;
        self.publish_facts(now);
        self.look_at_addresses(now);
        let keyring = self.state.keyring()?;
        if keyring != self.keyring {
            tracing::info!(newest = keyring.newest(), sending = keyring.sending(), "cluster keys read again");
            self.keyring = keyring.clone();
            self.command(now, Command::SetKeyring(keyring));
        }
        tracing::info!("configuration read again");
        self.publish_health(now);
        Ok(())
    }
}

//! Changing the cluster key without a gap: everybody accepts the new one, says so in its record, and only then sends with it.

use super::{Engine, Event};
use crate::wire::packet::section;
use crate::wire::{Malformed, Reader};
use peermon_model::Instant;
use peermon_trust::{ClusterKey, Keyring, KeyringError};

#[derive(Debug, Default)]
pub(crate) struct Rotation {
    /// When the newest key came, while it is not sent with yet.
    installed: Option<Instant>,
    /// Keys no longer sent with, and since when.
    retired: Vec<(u8, Instant)>,
    /// When keys were last passed on to those who lack them.
    offered: Option<Instant>,
}

impl Rotation {
    /// Where a keyring found at the start, or given by an administrator, stands.
    pub(crate) fn of(keyring: &Keyring, now: Instant) -> Self {
        let (newest, sending) = (keyring.newest(), keyring.sending());
        let retired = keyring.iter().map(|k| k.0).filter(|id| *id != newest && *id != sending).map(|id| (id, now)).collect();
        Rotation { installed: (newest != sending).then_some(now), retired, offered: None }
    }
}

impl Engine {
    /// The keys held now.
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// Replaces all keys: an administrator changed the key file.
    pub fn set_keyring(&mut self, now: Instant, keyring: Keyring) {
        self.rotation = Rotation::of(&keyring, now);
        self.keyring = keyring;
        self.links.iter_mut().flatten().for_each(super::Link::forget_keys);
        let record = self.record().clone();
        self.reissue(now, record);
    }

    /// Installs a new cluster key and passes it to everybody; it is sent with once all members hold it. Its number.
    pub fn rotate_key(&mut self, now: Instant, key: ClusterKey) -> Result<u8, KeyringError> {
        let id = key.id();
        self.install(now, self.keyring.next_generation(), key)?;
        Ok(id)
    }

    fn install(&mut self, now: Instant, generation: u32, key: ClusterKey) -> Result<(), KeyringError> {
        match self.keyring.key(key.id()) {
            Some(k) if *k == key => return Ok(()),
            Some(k) => return Err(KeyringError::Twice(k.id())),
            None => {}
        }
        if self.keyring.iter().count() >= Keyring::KEYS_MAX {
            let oldest = self.keyring.iter().map(|k| k.0).find(|k| *k != self.keyring.sending());
            oldest.map_or(Ok(()), |k| self.keyring.remove(k))?;
            self.links.iter_mut().flatten().for_each(super::Link::forget_keys);
        }
        self.keyring.install(generation, key)?;
        if self.keyring.newest() != self.keyring.sending() {
            self.rotation.installed = Some(now);
        }
        self.rotation.offered = None;
        self.events.push_back(Event::Keyring(self.keyring.clone()));
        let record = self.record().clone();
        self.reissue(now, record);
        self.tend_keys(now);
        Ok(())
    }

    pub(super) fn read_key(&mut self, now: Instant, _l: usize, mut r: Reader<'_>) -> Result<(), Malformed> {
        let generation = r.u32()?;
        let key = ClusterKey::new(r.array()?);
        // a full or clashing keyring is for its administrator to mend; the old keys go on working
        let _refused = self.install(now, generation, key);
        Ok(())
    }

    /// Passes the newest key on, sends with it when all hold it, and forgets old ones in time.
    pub(super) fn tend_keys(&mut self, now: Instant) {
        let newest = self.keyring.newest();
        if let Some(since) = self.rotation.installed {
            let others = || self.members.iter().filter(|(_, m)| m.is_up());
            let all_hold = others().all(|(_, m)| m.record().key_held == newest);
            if all_hold || now - since > self.config.key_patience {
                let old = self.keyring.sending();
                self.keyring.send_with(newest).expect("the newest key is held");
                self.rotation.installed = None;
                if old != newest {
                    let rest: Vec<u8> = self.keyring.iter().map(|k| k.0).filter(|id| *id != newest).collect();
                    self.rotation.retired.retain(|k| rest.contains(&k.0));
                    for id in rest {
                        if !self.rotation.retired.iter().any(|k| k.0 == id) {
                            self.rotation.retired.push((id, now));
                        }
                    }
                    self.events.push_back(Event::Keyring(self.keyring.clone()));
                }
            }
        }
        let pause = std::time::Duration::from_millis(500);
        if self.keyring.iter().count() > 1 && self.rotation.offered.is_none_or(|at| now - at > pause) {
            self.rotation.offered = Some(now);
            let mut body = self.keyring.generation(newest).expect("the newest key is held").to_le_bytes().to_vec();
            body.extend_from_slice(self.keyring.key(newest).expect("the newest key is held").secret());
            for l in self.link_indices() {
                let member = self.link(l).member;
                let lacks = member.and_then(|h| self.members.get(h)).is_some_and(|m| m.record().key_held != newest);
                let link = self.link(l);
                let lacks = lacks || (link.listener && link.peer_key != newest);
                if lacks && !link.once.iter().any(|s| s.0 == section::KEY) {
                    link.once.push((section::KEY, body.clone()));
                    link.flush_by(now);
                }
            }
        }
        let overlap = self.config.key_overlap;
        let expired: Vec<u8> = self.rotation.retired.iter().filter(|(_, at)| now - *at > overlap).map(|k| k.0).collect();
        for id in expired {
            self.rotation.retired.retain(|k| k.0 != id);
            if self.keyring.remove(id).is_ok() {
                self.links.iter_mut().flatten().for_each(super::Link::forget_keys);
                self.events.push_back(Event::Keyring(self.keyring.clone()));
            }
        }
    }
}

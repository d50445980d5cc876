//! The state directory: what a node must remember across restarts, and nothing else.
//!
//! | file | holds | mode |
//! | --- | --- | --- |
//! | `node.key` | the secret half of the node's identity, 64 hexadecimal digits | 0600 |
//! | `cluster.keys` | the cluster keys, unless a file of their own is named | 0600 |
//! | `incarnation` | the number of the last life | 0600 |
//! | `peers` | addresses of members that answered, tried at the next start | 0600 |
//! | `pid` | the daemon that uses the directory now | 0600 |
//!
//! Every write goes to a new file that replaces the old one in one step, so a crash or a full disk leaves the old one.

mod error;
mod file;
mod lock;

pub use error::StateError;

use peermon_model::Incarnation;
use peermon_trust::{ClusterKey, Invitation, Keyring, KeyringError, NodeKey};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Peers remembered: enough that some answer after a long night, few enough to try all.
pub const PEERS_MAX: usize = 32;

const NODE_KEY: &str = "node.key";
const CLUSTER_KEYS: &str = "cluster.keys";
const INCARNATION: &str = "incarnation";
const PEERS: &str = "peers";

/// A state directory that this daemon, and no other, uses.
#[derive(Debug)]
pub struct State {
    dir: PathBuf,
    keys: PathBuf,
    _lock: lock::Lock,
}

/// An incarnation, and why it could not be stored, if so.
#[derive(Debug)]
pub struct Life {
    /// Greater than that of every former life that was stored.
    pub incarnation: Incarnation,
    /// Set if a later start may not know of this life.
    pub problem: Option<StateError>,
}

impl State {
    /// Takes the directory for this daemon, making it if need be. `cluster_key_file`: where the cluster keys are, if not in it.
    ///
    /// # Errors
    /// If it cannot be made or read, others may write to it, or another daemon uses it.
    pub fn open(dir: &Path, cluster_key_file: Option<&Path>) -> Result<Self, StateError> {
        file::private_directory(dir)?;
        let lock = lock::Lock::take(dir)?;
        let keys = cluster_key_file.map_or_else(|| dir.join(CLUSTER_KEYS), Path::to_path_buf);
        Ok(State { dir: dir.to_path_buf(), keys, _lock: lock })
    }

    /// The node's own key, made at first start.
    ///
    /// # Errors
    /// If the file is open to others, damaged, or cannot be made: without a key that lasts there is no identity.
    pub fn node_key(&self) -> Result<NodeKey, StateError> {
        let path = self.dir.join(NODE_KEY);
        match file::read_secret(&path)? {
            Some(text) => Ok(NodeKey::from_seed(&seed_of(&text).ok_or_else(|| StateError::Damaged {
                path,
                what: "a node key (64 hexadecimal digits)".to_string(),
                then: "restore it from a backup, or remove it to give this node a new identity",
            })?)),
            None => self.new_node_key(),
        }
    }

    /// Gives the node a new identity; the former key stays as `node.key.old`.
    ///
    /// # Errors
    /// If the new key cannot be stored; the former one is still in use then.
    pub fn renew_node_key(&self) -> Result<NodeKey, StateError> {
        let path = self.dir.join(NODE_KEY);
        if let Some(old) = file::read_secret(&path)? {
            file::write(&self.dir.join("node.key.old"), &old)?;
        }
        self.new_node_key()
    }

    fn new_node_key(&self) -> Result<NodeKey, StateError> {
        let seed = random();
        file::write(&self.dir.join(NODE_KEY), &format!("{}\n", hex(&seed)))?;
        Ok(NodeKey::from_seed(&seed))
    }

    /// The cluster keys. At first start one is made: a cluster of this node alone, until it joins another.
    ///
    /// # Errors
    /// If the file is open to others, is no key file, or cannot be made, or if a file that was named is not there.
    pub fn keyring(&self) -> Result<Keyring, StateError> {
        match file::read_secret(&self.keys)? {
            Some(text) => self.parse_keyring(&text),
            None if self.keys != self.dir.join(CLUSTER_KEYS) => Err(StateError::Missing { path: self.keys.clone() }),
            None => {
                let keyring = Keyring::new(1, ClusterKey::new(random()));
                self.store_keyring(&keyring)?;
                Ok(keyring)
            }
        }
    }

    fn parse_keyring(&self, text: &str) -> Result<Keyring, StateError> {
        Keyring::from_text(text).map_err(|e: KeyringError| StateError::Damaged {
            path: self.keys.clone(),
            what: format!("a file of cluster keys: {e}"),
            then: "correct it, or copy it from another node of the cluster",
        })
    }

    /// Stores the cluster keys where they were read.
    ///
    /// # Errors
    /// If they cannot be stored; the file is as before.
    pub fn store_keyring(&self, keyring: &Keyring) -> Result<(), StateError> {
        file::write(&self.keys, &keyring.to_text())
    }

    /// Begins a new life: stores and gives a number above the last one and not below the Unix time in seconds, so that even a
    /// node whose state was lost outranks what is told of it. Never fails: if it cannot be stored, the time alone must do.
    pub fn begin_life(&self, unix_seconds: u64) -> Life {
        let path = self.dir.join(INCARNATION);
        let by_clock = u32::try_from(unix_seconds).unwrap_or(u32::MAX - 1);
        let (last, read_problem) = match file::read_secret(&path) {
            Ok(None) => (None, None),
            Ok(Some(text)) => match text.trim().parse::<u32>() {
                Ok(n) => (Some(n), None),
                Err(_) => {
                    let what = "the number of a life".to_string();
                    (
                        None,
                        Some(StateError::Damaged {
                            path: path.clone(),
                            what,
                            then: "nothing: it is written anew, from the clock",
                        }),
                    )
                }
            },
            Err(e) => (None, Some(e)),
        };
        let incarnation = Incarnation(last.map_or(0, |n| n.saturating_add(1)).max(by_clock));
        let write_problem = file::write(&path, &format!("{incarnation}\n")).err();
        Life { incarnation, problem: write_problem.or(read_problem) }
    }

    /// Stores the number of the present life, where it has grown since its beginning.
    ///
    /// # Errors
    /// If it cannot be stored; the file is as before.
    pub fn store_incarnation(&self, incarnation: Incarnation) -> Result<(), StateError> {
        file::write(&self.dir.join(INCARNATION), &format!("{incarnation}\n"))
    }

    /// Addresses of members that answered in a former life. Lines that are none are skipped: they only help.
    pub fn peers(&self) -> Vec<SocketAddr> {
        let text = file::read_secret(&self.dir.join(PEERS)).ok().flatten().unwrap_or_default();
        text.lines().filter_map(|l| l.trim().parse().ok()).take(PEERS_MAX).collect()
    }

    /// Remembers addresses for the next start, at most [`PEERS_MAX`].
    ///
    /// # Errors
    /// If they cannot be stored; the file is as before.
    pub fn store_peers(&self, peers: &[SocketAddr]) -> Result<(), StateError> {
        file::write(&self.dir.join(PEERS), &lines(peers))
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

/// Puts an invitation into the state directory of a daemon that is not running: its next start joins that cluster.
///
/// # Errors
/// If a daemon uses the directory (ask it instead), or it cannot be written.
pub fn store_invitation(dir: &Path, cluster_key_file: Option<&Path>, invitation: &Invitation) -> Result<(), StateError> {
    let state = State::open(dir, cluster_key_file)?;
    let mut peers = invitation.addresses.clone();
    let known = match file::read_secret(&state.keys)? {
        Some(text) => state.parse_keyring(&text).ok().filter(|k| k.iter().any(|(_, key)| *key == invitation.key)),
        None => None,
    };
    match known {
        // The same cluster: its other keys and known peers stay.
        Some(_) => peers.extend(state.peers()),
        None => state.store_keyring(&Keyring::new(invitation.generation, invitation.key.clone()))?,
    }
    state.store_peers(&peers)
}

fn lines(peers: &[SocketAddr]) -> String {
    peers.iter().take(PEERS_MAX).map(|p| format!("{p}\n")).collect()
}

fn seed_of(text: &str) -> Option<[u8; 32]> {
    // A seed is written as an id is: 64 hexadecimal digits.
    text.trim().parse::<peermon_model::NodeId>().ok().map(|id| id.0)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// 32 bytes from the system's random source.
pub(crate) fn random() -> [u8; 32] {
    use ring::rand::SecureRandom;
    let mut bytes = [0; 32];
    ring::rand::SystemRandom::new().fill(&mut bytes).expect("getrandom(2) answers on every kernel since 3.17");
    bytes
}

#[cfg(test)]
mod tests;

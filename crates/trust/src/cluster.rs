use crate::digest64;
use std::fmt::{self, Write};

/// The secret that makes machines one cluster. Whoever has it is a member.
#[derive(Clone, PartialEq, Eq)]
pub struct ClusterKey([u8; 32]);

impl ClusterKey {
    /// The key with these 32 random bytes.
    pub const fn new(secret: [u8; 32]) -> Self {
        ClusterKey(secret)
    }

    /// The secret itself, for key files and invitations only.
    pub fn secret(&self) -> &[u8; 32] {
        &self.0
    }

    /// A short hash, to compare keys by eye.
    pub fn fingerprint(&self) -> String {
        let mut tagged = b"peermon key fingerprint".to_vec();
        tagged.extend_from_slice(&self.0);
        format!("{:016x}", digest64(&tagged))[..8].to_string()
    }
}

impl fmt::Debug for ClusterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClusterKey({})", self.fingerprint())
    }
}

/// The cluster keys a node holds, by number: it opens what is sealed with any of them and seals with one.
///
/// ```
/// use peermon_trust::{ClusterKey, Keyring};
/// let ring = Keyring::new(1, ClusterKey::new([9; 32]));
/// let text = ring.to_text();
/// assert_eq!(Keyring::from_text(&text).unwrap(), ring);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Keyring {
    keys: Vec<(u8, ClusterKey)>,
    sending: u8,
}

/// Why a keyring's text or a change to it was refused. The keyring is as before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyringError {
    /// No key in the text.
    Empty,
    /// A line is not `[NUMBER] 64-HEX-DIGITS [sending]`.
    Line(usize),
    /// Two lines have one number.
    Twice(u8),
    /// More than [`Keyring::KEYS_MAX`] keys.
    Full,
    /// No key has this number.
    Unknown(u8),
    /// The key that is sent with cannot be removed.
    Sending(u8),
}

impl fmt::Display for KeyringError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyringError::Empty => f.write_str("it holds no key; a key is 64 hexadecimal digits on a line"),
            KeyringError::Line(n) => write!(f, "line {n} is not a key; a line is: [NUMBER] 64-HEX-DIGITS [sending]"),
            KeyringError::Twice(id) => write!(f, "key number {id} stands in it twice; remove one line"),
            KeyringError::Full => write!(f, "it holds more than {} keys; remove the oldest", Keyring::KEYS_MAX),
            KeyringError::Unknown(id) => write!(f, "there is no key number {id}"),
            KeyringError::Sending(id) => write!(f, "key number {id} is the one sent with; send with another one first"),
        }
    }
}
impl std::error::Error for KeyringError {}

impl Keyring {
    /// Keys held at once: the one in use, its successor, and two that a slow node may still send with.
    pub const KEYS_MAX: usize = 4;

    /// A keyring of one key.
    pub fn new(id: u8, key: ClusterKey) -> Self {
        Keyring { keys: vec![(id, key)], sending: id }
    }

    /// The key with this number.
    pub fn key(&self, id: u8) -> Option<&ClusterKey> {
        self.keys.iter().find(|k| k.0 == id).map(|k| &k.1)
    }

    /// The number of the key sealed with.
    pub fn sending(&self) -> u8 {
        self.sending
    }

    /// The key sealed with.
    pub fn sending_key(&self) -> &ClusterKey {
        self.key(self.sending).expect("the key sent with is always held")
    }

    /// Numbers and keys, the oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (u8, &ClusterKey)> {
        self.keys.iter().map(|(i, k)| (*i, k))
    }

    /// The number of the key installed last.
    pub fn newest(&self) -> u8 {
        self.keys.last().expect("a keyring is never empty").0
    }

    /// A number that no key held has.
    pub fn free_id(&self) -> u8 {
        let mut id = self.newest().wrapping_add(1);
        while id == 0 || self.key(id).is_some() {
            id = id.wrapping_add(1);
        }
        id
    }

    /// Holds one more key, as the newest; opens with it but does not send with it yet. Installing a key that is held
    /// already changes nothing.
    pub fn install(&mut self, id: u8, key: ClusterKey) -> Result<(), KeyringError> {
        match self.key(id) {
            Some(k) if *k == key => return Ok(()),
            Some(_) => return Err(KeyringError::Twice(id)),
            None if self.keys.len() >= Self::KEYS_MAX => return Err(KeyringError::Full),
            None => {}
        }
        self.keys.push((id, key));
        Ok(())
    }

    /// Sends with this key from now on.
    pub fn send_with(&mut self, id: u8) -> Result<(), KeyringError> {
        self.key(id).ok_or(KeyringError::Unknown(id))?;
        self.sending = id;
        Ok(())
    }

    /// Forgets a key: what is sealed with it opens no more.
    pub fn remove(&mut self, id: u8) -> Result<(), KeyringError> {
        self.key(id).ok_or(KeyringError::Unknown(id))?;
        if id == self.sending {
            return Err(KeyringError::Sending(id));
        }
        self.keys.retain(|k| k.0 != id);
        Ok(())
    }

    /// The keyring as a key file: one line a key. Secret.
    pub fn to_text(&self) -> String {
        let mut text = String::from("# peermon cluster keys; keep secret. NUMBER KEY [sending]\n");
        for (id, key) in &self.keys {
            let hex: String = key.0.iter().map(|b| format!("{b:02x}")).collect();
            let mark = if *id == self.sending { " sending" } else { "" };
            writeln!(text, "{id} {hex}{mark}").expect("a String takes all");
        }
        text
    }

    /// Reads a key file: lines `[NUMBER] 64-HEX-DIGITS [sending]`, `#` comments. Without numbers they count from 1; without
    /// `sending` the first key is sent with.
    pub fn from_text(text: &str) -> Result<Self, KeyringError> {
        let mut keys: Vec<(u8, ClusterKey)> = Vec::new();
        let mut sending = None;
        for (n, line) in text.lines().enumerate() {
            let bad = || KeyringError::Line(n + 1);
            let line = line.split('#').next().unwrap_or_default();
            let mut words: Vec<&str> = line.split_whitespace().collect();
            if words.is_empty() {
                continue;
            }
            let is_sending = words.last() == Some(&"sending") && words.pop().is_some();
            let (id, hex) = match words[..] {
                [hex] => (keys.len() as u8 + 1, hex),
                [id, hex] => (id.parse().map_err(|_| bad())?, hex),
                _ => return Err(bad()),
            };
            let secret = hex.parse::<peermon_model::NodeId>().map_err(|_| bad())?.0; // 64 hexadecimal digits
            if keys.iter().any(|k| k.0 == id) {
                return Err(KeyringError::Twice(id));
            }
            if keys.len() >= Self::KEYS_MAX {
                return Err(KeyringError::Full);
            }
            if is_sending {
                sending = Some(id);
            }
            keys.push((id, ClusterKey(secret)));
        }
        let first = keys.first().ok_or(KeyringError::Empty)?.0;
        Ok(Keyring { sending: sending.unwrap_or(first), keys })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_may_be_one_bare_key() {
        let ring = Keyring::from_text(&format!("{}\n", "0a".repeat(32))).expect("a key");
        assert_eq!((ring.sending(), ring.sending_key()), (1, &ClusterKey([10; 32])));
    }

    #[test]
    fn wrong_key_files_are_told_apart() {
        let k = "00".repeat(32);
        for (text, error) in [
            (String::new(), KeyringError::Empty),
            ("# nothing\n".into(), KeyringError::Empty),
            (format!("{k}\nxyz"), KeyringError::Line(2)),
            (format!("300 {k}"), KeyringError::Line(1)),
            (format!("1 {k} sending please"), KeyringError::Line(1)),
            ("sending".into(), KeyringError::Line(1)),
            (format!("1 {k}\n1 {k}"), KeyringError::Twice(1)),
            (format!("1 {k}\n2 {k}\n3 {k}\n4 {k}\n5 {k}"), KeyringError::Full),
        ] {
            assert_eq!(Keyring::from_text(&text), Err(error), "{text}");
        }
    }

    #[test]
    fn rotation_overlaps() {
        let mut ring = Keyring::new(255, ClusterKey([1; 32]));
        let id = ring.free_id();
        assert_eq!(id, 1);
        ring.install(id, ClusterKey([2; 32])).expect("room");
        assert_eq!((ring.sending(), ring.newest()), (255, 1));
        assert_eq!(ring.install(1, ClusterKey([3; 32])), Err(KeyringError::Twice(1)));
        assert_eq!(ring.remove(255), Err(KeyringError::Sending(255)));
        ring.send_with(1).expect("held");
        ring.remove(255).expect("held");
        assert_eq!(ring.iter().count(), 1);
        assert_eq!(ring.send_with(9), Err(KeyringError::Unknown(9)));
    }
}

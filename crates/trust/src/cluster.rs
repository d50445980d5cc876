use crate::digest64;
use std::fmt::{self, Write};

/// The secret that makes machines one cluster. Whoever has it is a member.
#[derive(Clone, PartialEq, Eq)]
pub struct ClusterKey {
    secret: [u8; 32],
    /// Asked for with every datagram, so computed once.
    id: u8,
}

impl ClusterKey {
    /// The key with these 32 random bytes.
    pub fn new(secret: [u8; 32]) -> Self {
        let mut tagged = b"peermon key id".to_vec();
        tagged.extend_from_slice(&secret);
        ClusterKey { secret, id: digest64(&tagged) as u8 }
    }

    /// The secret itself, for key files and invitations only.
    pub fn secret(&self) -> &[u8; 32] {
        &self.secret
    }

    /// Its id: one byte of a hash of it, told in clear with everything sealed with it.
    pub fn id(&self) -> u8 {
        self.id
    }

    /// A short hash, to compare keys by eye.
    pub fn fingerprint(&self) -> String {
        let mut tagged = b"peermon key fingerprint".to_vec();
        tagged.extend_from_slice(&self.secret);
        format!("{:016x}", digest64(&tagged))[..8].to_string()
    }
}

impl fmt::Debug for ClusterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClusterKey({})", self.fingerprint())
    }
}

/// The cluster keys a node holds: it opens what is sealed with any of them and seals with one.
///
/// A key's id is made from the key, so that two keys made at the same time in two halves of a cut cluster are not taken for
/// one. Which key is newest follows from the keys alone (generation, then the key itself): all who hold the same keys agree.
///
/// ```
/// use peermon_trust::{ClusterKey, Keyring};
/// let ring = Keyring::new(1, ClusterKey::new([9; 32]));
/// let text = ring.to_text();
/// assert_eq!(Keyring::from_text(&text).unwrap(), ring);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Keyring {
    /// In order of generation, then secret.
    keys: Vec<(u32, ClusterKey)>,
    /// The id of the key sealed with.
    sending: u8,
}

/// Why a keyring's text or a change to it was refused. The keyring is as before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyringError {
    /// No key in the text.
    Empty,
    /// A line is not `[GENERATION] 64-HEX-DIGITS [sending]`.
    Line(usize),
    /// Two keys have one id: the same key, or (once in 256) a chance.
    Twice(u8),
    /// More than [`Keyring::KEYS_MAX`] keys.
    Full,
    /// No key has this id.
    Unknown(u8),
    /// The key that is sent with cannot be removed.
    Sending(u8),
}

impl fmt::Display for KeyringError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyringError::Empty => f.write_str("it holds no key; a key is 64 hexadecimal digits on a line"),
            KeyringError::Line(n) => write!(f, "line {n} is not a key; a line is: [GENERATION] 64-HEX-DIGITS [sending]"),
            KeyringError::Twice(id) => write!(f, "two keys in it have the id {id}; remove one, or make another key"),
            KeyringError::Full => write!(f, "it holds more than {} keys; remove the oldest", Keyring::KEYS_MAX),
            KeyringError::Unknown(id) => write!(f, "there is no key {id}"),
            KeyringError::Sending(id) => write!(f, "key {id} is the one sent with; send with another one first"),
        }
    }
}
impl std::error::Error for KeyringError {}

impl Keyring {
    /// Keys held at once: the one in use, its successor, and two that a slow node may still send with.
    pub const KEYS_MAX: usize = 4;

    /// A keyring of one key.
    pub fn new(generation: u32, key: ClusterKey) -> Self {
        Keyring { sending: key.id(), keys: vec![(generation, key)] }
    }

    /// The key with this id.
    pub fn key(&self, id: u8) -> Option<&ClusterKey> {
        self.keys.iter().map(|k| &k.1).find(|k| k.id() == id)
    }

    /// How many keys of the cluster came before this one, plus one.
    pub fn generation(&self, id: u8) -> Option<u32> {
        self.keys.iter().find(|k| k.1.id() == id).map(|k| k.0)
    }

    /// The id of the key sealed with.
    pub fn sending(&self) -> u8 {
        self.sending
    }

    /// The key sealed with.
    pub fn sending_key(&self) -> &ClusterKey {
        self.key(self.sending).expect("the key sent with is always held")
    }

    /// Ids and keys, the oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (u8, &ClusterKey)> + ExactSizeIterator {
        self.keys.iter().map(|(_, k)| (k.id(), k))
    }

    /// The id of the newest key.
    pub fn newest(&self) -> u8 {
        self.keys.last().expect("a keyring is never empty").1.id()
    }

    /// The generation of a key that is to follow the newest one.
    pub fn next_generation(&self) -> u32 {
        self.keys.last().expect("a keyring is never empty").0.saturating_add(1)
    }

    /// Holds one more key; opens with it but does not send with it yet. Installing a key that is held already changes nothing.
    pub fn install(&mut self, generation: u32, key: ClusterKey) -> Result<(), KeyringError> {
        match self.key(key.id()) {
            Some(k) if *k == key => return Ok(()),
            Some(k) => return Err(KeyringError::Twice(k.id())),
            None if self.keys.len() >= Self::KEYS_MAX => return Err(KeyringError::Full),
            None => {}
        }
        self.keys.push((generation, key));
        self.keys.sort_by(|a, b| (a.0, &a.1.secret).cmp(&(b.0, &b.1.secret)));
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
        self.keys.retain(|k| k.1.id() != id);
        Ok(())
    }

    /// The keyring as a key file: one line a key. Secret.
    pub fn to_text(&self) -> String {
        let mut text = String::from("# peermon cluster keys; keep secret. GENERATION KEY [sending]\n");
        for (generation, key) in &self.keys {
            let hex: String = key.secret.iter().map(|b| format!("{b:02x}")).collect();
            let mark = if key.id() == self.sending { " sending" } else { "" };
            writeln!(text, "{generation} {hex}{mark}").expect("a String takes all");
        }
        text
    }

    /// Reads a key file: lines `[GENERATION] 64-HEX-DIGITS [sending]`, `#` comments. Without generations they count from 1;
    /// without `sending` the first key is sent with.
    pub fn from_text(text: &str) -> Result<Self, KeyringError> {
        let mut ring: Option<Keyring> = None;
        let mut sending = None;
        for (n, line) in text.lines().enumerate() {
            let bad = || KeyringError::Line(n + 1);
            let line = line.split('#').next().unwrap_or_default();
            let mut words: Vec<&str> = line.split_whitespace().collect();
            if words.is_empty() {
                continue;
            }
            let is_sending = words.last() == Some(&"sending") && words.pop().is_some();
            let held = ring.as_ref().map_or(0, |r| r.keys.len() as u32);
            let (generation, hex) = match words[..] {
                [hex] => (held + 1, hex),
                [generation, hex] => (generation.parse().map_err(|_| bad())?, hex),
                _ => return Err(bad()),
            };
            let key = ClusterKey::new(hex.parse::<peermon_model::NodeId>().map_err(|_| bad())?.0); // 64 hexadecimal digits
            if is_sending {
                sending = Some(key.id());
            }
            match &mut ring {
                None => ring = Some(Keyring::new(generation, key)),
                Some(r) if r.key(key.id()).is_some() => return Err(KeyringError::Twice(key.id())),
                Some(r) => r.install(generation, key)?,
            }
        }
        let mut ring = ring.ok_or(KeyringError::Empty)?;
        if let Some(id) = sending {
            ring.send_with(id)?;
        }
        Ok(ring)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_may_be_one_bare_key() {
        let ring = Keyring::from_text(&format!("{}\n", "0a".repeat(32))).expect("a key");
        assert_eq!((ring.generation(ring.sending()), ring.sending_key()), (Some(1), &ClusterKey::new([10; 32])));
    }

    #[test]
    fn wrong_key_files_are_told_apart() {
        let k = |n: u8| format!("{n:02x}").repeat(32);
        let id = ClusterKey::new([0; 32]).id();
        for (text, error) in [
            (String::new(), KeyringError::Empty),
            ("# nothing\n".into(), KeyringError::Empty),
            (format!("{}\nxyz", k(0)), KeyringError::Line(2)),
            (format!("x {}", k(0)), KeyringError::Line(1)),
            (format!("1 {} sending please", k(0)), KeyringError::Line(1)),
            ("sending".into(), KeyringError::Line(1)),
            (format!("1 {0}\n2 {0}", k(0)), KeyringError::Twice(id)),
            (format!("1 {}\n2 {}\n3 {}\n4 {}\n5 {}", k(0), k(1), k(2), k(3), k(4)), KeyringError::Full),
        ] {
            assert_eq!(Keyring::from_text(&text), Err(error), "{text}");
        }
    }

    #[test]
    fn rotation_overlaps() {
        let (old, new) = (ClusterKey::new([1; 32]), ClusterKey::new([2; 32]));
        let mut ring = Keyring::new(1, old.clone());
        ring.install(ring.next_generation(), new.clone()).expect("room");
        assert_eq!((ring.sending(), ring.newest()), (old.id(), new.id()));
        assert_eq!(ring.remove(old.id()), Err(KeyringError::Sending(old.id())));
        ring.send_with(new.id()).expect("held");
        ring.remove(old.id()).expect("held");
        assert_eq!(ring.iter().count(), 1);
        assert_eq!(ring.send_with(old.id()), Err(KeyringError::Unknown(old.id())));
    }

    #[test]
    fn all_who_hold_the_same_keys_agree_on_the_newest() {
        let (a, b, c) = (ClusterKey::new([1; 32]), ClusterKey::new([2; 32]), ClusterKey::new([3; 32]));
        let mut one = Keyring::new(1, a.clone());
        let mut two = one.clone();
        one.install(2, b.clone()).expect("room");
        one.install(2, c.clone()).expect("room");
        two.install(2, c).expect("room");
        two.install(2, b).expect("room");
        assert_eq!(one, two);
    }
}

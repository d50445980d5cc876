//! Keys, sealed datagrams, replay protection and invitations.
//!
//! Pure: randomness comes in as arguments, files and sockets are elsewhere. All cryptography is ring's; it is used in this
//! crate alone, so that replacing it touches nothing else.
//!
//! * [`NodeKey`]: a node's Ed25519 key; its public half is the node's identity and it signs the node's record.
//! * [`ClusterKey`] and [`Keyring`]: the secrets that make machines one cluster, up to four at a time while one replaces
//!   another.
//! * [`PairKeys`]: the two keys of one pair of nodes, derived from a cluster key and both nodes' ids and salts. Since each
//!   direction of each pair has its own key in each life of both nodes, a captured datagram opens nowhere else and never
//!   again, and a plain counter is a safe nonce.
//! * [`HelloKey`]: seals the first datagrams of strangers, with random nonces.
//! * [`ReplayWindow`], [`CookieJar`]: what came before does not count twice; who asks must be where it says it is.
//!
//! ```
//! use peermon_trust::{ClusterKey, Half, NodeKey, PairKeys};
//! let cluster = ClusterKey::new([7; 32]);
//! let (a, b) = (NodeKey::from_seed(&[1; 32]), NodeKey::from_seed(&[2; 32]));
//! let (a, b) = (Half { id: a.id(), salt: [3; 16] }, Half { id: b.id(), salt: [4; 16] });
//! let mut datagram = b"headerhello".to_vec();
//! PairKeys::derive(&cluster, &a, &b).seal(1, &mut datagram, 6);
//! let body = PairKeys::derive(&cluster, &b, &a).open(1, &mut datagram, 6).unwrap();
//! assert_eq!(body, b"hello");
//! ```

mod cluster;
mod cookie;
mod invitation;
mod node_key;
mod replay;
mod seal;

pub use cluster::{ClusterKey, Keyring, KeyringError};
pub use cookie::{COOKIE_BYTES, CookieJar};
pub use invitation::{Invitation, ParseInvitation};
pub use node_key::{NodeKey, SIGNATURE_BYTES, verify};
pub use replay::ReplayWindow;
pub use seal::{Half, HelloKey, NONCE_BYTES, PairKeys, TAG_BYTES};

/// The first 8 bytes of SHA-256: fingerprints that need no key.
pub fn digest64(data: &[u8]) -> u64 {
    let d = ring::digest::digest(&ring::digest::SHA256, data);
    let mut b = [0; 8];
    b.copy_from_slice(&d.as_ref()[..8]);
    u64::from_le_bytes(b)
}

/// A secret made from a seed (HMAC-SHA-256 over label and number): none tells anything of the seed or of another one.
pub fn derive_secret(seed: &[u8; 32], label: &[u8], n: u64) -> [u8; 32] {
    let mut c = ring::hmac::Context::with_key(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, seed));
    c.update(label);
    c.update(&n.to_le_bytes());
    let mut secret = [0; 32];
    secret.copy_from_slice(c.sign().as_ref());
    secret
}

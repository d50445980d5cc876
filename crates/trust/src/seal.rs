use crate::ClusterKey;
use peermon_model::NodeId;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use std::fmt;

/// Bytes a sealed datagram is longer than its content.
pub const TAG_BYTES: usize = 16;
/// Bytes of a random nonce.
pub const NONCE_BYTES: usize = 12;

/// One end of a pair: a node in one of its lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Half {
    /// Which node.
    pub id: NodeId,
    /// Which life: 16 bytes it chose at random when it started.
    pub salt: [u8; 16],
}

fn derive(cluster: &ClusterKey, info: &[&[u8]]) -> LessSafeKey {
    let prk = Salt::new(HKDF_SHA256, b"peermon 1").extract(cluster.secret());
    let okm = prk.expand(info, &AES_256_GCM).expect("a 32-byte key is a length HKDF gives");
    LessSafeKey::new(UnboundKey::from(okm))
}

fn seal(key: &LessSafeKey, nonce: Nonce, datagram: &mut Vec<u8>, header: usize) {
    let (head, body) = datagram.split_at_mut(header);
    let tag = key.seal_in_place_separate_tag(nonce, Aad::from(&*head), body).expect("a datagram is far below AES-GCM's limit");
    datagram.extend_from_slice(tag.as_ref());
}

fn open<'a>(key: &LessSafeKey, nonce: Nonce, datagram: &'a mut [u8], header: usize) -> Option<&'a mut [u8]> {
    let (head, body) = datagram.split_at_mut_checked(header)?;
    key.open_in_place(nonce, Aad::from(&*head), body).ok()
}

/// The keys of one pair of nodes: one for each direction, AES-256-GCM (NIST SP 800-38D) under HKDF-SHA-256 (RFC 5869).
pub struct PairKeys {
    to_peer: LessSafeKey,
    from_peer: LessSafeKey,
}

impl PairKeys {
    /// The keys between this node and a peer.
    pub fn derive(cluster: &ClusterKey, me: &Half, peer: &Half) -> Self {
        let one_way = |from: &Half, to: &Half| derive(cluster, &[b"pair", &from.id.0, &from.salt, &to.id.0, &to.salt]);
        PairKeys { to_peer: one_way(me, peer), from_peer: one_way(peer, me) }
    }

    /// Seals everything after the first `header` bytes (which stay readable but cannot be altered) and appends the tag.
    /// A counter must never be used twice.
    pub fn seal(&self, counter: u64, datagram: &mut Vec<u8>, header: usize) {
        seal(&self.to_peer, nonce(counter), datagram, header);
    }

    /// Opens what the peer sealed, in place; `None` if it is not authentic. The content is then of no use.
    pub fn open<'a>(&self, counter: u64, datagram: &'a mut [u8], header: usize) -> Option<&'a mut [u8]> {
        open(&self.from_peer, nonce(counter), datagram, header)
    }
}

fn nonce(counter: u64) -> Nonce {
    let mut n = [0; NONCE_BYTES];
    n[..8].copy_from_slice(&counter.to_le_bytes());
    Nonce::assume_unique_for_key(n)
}

impl fmt::Debug for PairKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PairKeys")
    }
}

/// The key of first contacts, when neither side knows the other's salt. Nonces are random: with 96 bits and the few first
/// contacts of a cluster's life, two never meet.
pub struct HelloKey(LessSafeKey);

impl HelloKey {
    /// The key under this cluster key.
    pub fn derive(cluster: &ClusterKey) -> Self {
        HelloKey(derive(cluster, &[b"hello"]))
    }

    /// Seals everything after the first `header` bytes and appends the tag.
    pub fn seal(&self, nonce: [u8; NONCE_BYTES], datagram: &mut Vec<u8>, header: usize) {
        seal(&self.0, Nonce::assume_unique_for_key(nonce), datagram, header);
    }

    /// Opens what a key holder sealed, in place; `None` if it is not authentic.
    pub fn open<'a>(&self, nonce: [u8; NONCE_BYTES], datagram: &'a mut [u8], header: usize) -> Option<&'a mut [u8]> {
        open(&self.0, Nonce::assume_unique_for_key(nonce), datagram, header)
    }
}

impl fmt::Debug for HelloKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HelloKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn half(n: u8) -> Half {
        Half { id: NodeId([n; 32]), salt: [n; 16] }
    }

    #[test]
    fn only_the_right_peer_in_its_right_life_opens() {
        let cluster = ClusterKey::new([1; 32]);
        let mut sealed = b"head body".to_vec();
        PairKeys::derive(&cluster, &half(1), &half(2)).seal(5, &mut sealed, 4);
        let open = |cluster: &ClusterKey, me: &Half, peer: &Half, counter| {
            PairKeys::derive(cluster, me, peer).open(counter, &mut sealed.clone(), 4).map(|b| b.to_vec())
        };
        assert_eq!(open(&cluster, &half(2), &half(1), 5), Some(b" body".to_vec()));
        assert_eq!(open(&cluster, &half(2), &half(1), 6), None, "another counter");
        assert_eq!(open(&cluster, &half(1), &half(2), 5), None, "the other direction");
        assert_eq!(open(&cluster, &half(3), &half(1), 5), None, "another receiver");
        assert_eq!(open(&cluster, &Half { salt: [9; 16], ..half(2) }, &half(1), 5), None, "a later life");
        assert_eq!(open(&ClusterKey::new([2; 32]), &half(2), &half(1), 5), None, "another cluster");
    }

    #[test]
    fn every_altered_or_cut_byte_is_noticed() {
        let keys = PairKeys::derive(&ClusterKey::new([1; 32]), &half(1), &half(1));
        let mut sealed = b"head body".to_vec();
        keys.seal(1, &mut sealed, 4);
        for i in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[i] ^= 0x40;
            assert!(keys.open(1, &mut altered, 4).is_none(), "byte {i}");
            assert!(keys.open(1, &mut sealed[..i].to_vec(), 4).is_none(), "cut at {i}");
        }
    }
}

use peermon_model::NodeId;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use std::fmt;

/// Bytes of a signature.
pub const SIGNATURE_BYTES: usize = 64;

/// A node's own Ed25519 key (RFC 8032).
pub struct NodeKey {
    pair: Ed25519KeyPair,
    id: NodeId,
}

impl NodeKey {
    /// The key with this secret seed: 32 random bytes, kept by the node alone.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).expect("every 32 bytes are an Ed25519 seed");
        let mut id = [0; 32];
        id.copy_from_slice(pair.public_key().as_ref());
        NodeKey { pair, id: NodeId(id) }
    }

    /// The public half: the node's identity.
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// Signs `message`.
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        let mut s = [0; SIGNATURE_BYTES];
        s.copy_from_slice(self.pair.sign(message).as_ref());
        s
    }
}

impl fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeKey({:?})", self.id)
    }
}

/// Whether `signature` is the node's own over `message`.
pub fn verify(id: &NodeId, message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, &id.0).verify(message, signature).is_ok()
}

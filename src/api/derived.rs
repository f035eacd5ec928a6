//! Keys that the cluster's token key gives, one for each use, so that every node takes what any node has authenticated.

use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Bytes of a MAC that are kept: 128 bits.
pub(super) const MAC: usize = 16;

/// A key for one use.
pub(super) struct DerivedKey(Zeroizing<[u8; 32]>);

impl DerivedKey {
    /// Derives the key for a use. What `usage` says sets it apart from every other.
    pub(super) fn new(token_key: &[u8; 32], usage: &[u8]) -> Self {
        let mut mac = keyed(token_key);
        mac.update(usage);
        Self(Zeroizing::new(mac.finalize().into_bytes().into()))
    }

    /// A MAC under the key, over nothing yet.
    pub(super) fn mac(&self) -> Hmac<Sha256> {
        keyed(&self.0)
    }
}

/// HMAC-SHA-256 under a key of its block's half, which it always takes.
fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    let mut block = Zeroizing::new([0_u8; 64]);
    block[..32].copy_from_slice(key);
    Hmac::new((&*block).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_use_and_each_token_key_has_a_key_of_its_own() {
        let mac = |token_key: u8, usage: &[u8]| {
            let key = DerivedKey::new(&[token_key; 32], usage);
            key.mac().chain_update(b"x").finalize().into_bytes()
        };
        assert_eq!(mac(1, b"a"), mac(1, b"a"));
        assert_ne!(mac(1, b"a"), mac(1, b"b"));
        assert_ne!(mac(1, b"a"), mac(2, b"a"));
    }
}

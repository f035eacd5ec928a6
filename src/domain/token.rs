//! What is stored of an identifier: a keyed token, made at the edge.

use std::fmt;

use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::names::{IdentifierType, Namespace};
use super::refusal::Refusal;

/// The generation of the first token key; each rotation will count one up.
const FIRST_GENERATION: u16 = 1;

/// What is stored of an identifier: which key made it, and the first 16 bytes of the HMAC. Still personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token {
    /// The generation of the key.
    pub generation: u16,
    /// The first 16 bytes of the HMAC.
    pub bytes: [u8; 16],
}

/// A token with the type of its identifier.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubjectToken {
    /// The type, such as `email`.
    pub identifier_type: IdentifierType,
    /// The token.
    pub token: Token,
}

/// Tells token keys apart without giving anything of them away: a part of the replicated state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyFingerprint(pub [u8; 16]);

/// The secret that turns identifiers into tokens: the same on every node of a cluster, never replicated, never shown.
#[derive(Clone)]
pub struct TokenKey(Zeroizing<[u8; 32]>);

impl TokenKey {
    /// Takes a key of 32 secret bytes.
    pub fn new(secret: [u8; 32]) -> Self {
        Self(Zeroizing::new(secret))
    }

    /// Tells this key from others.
    pub fn fingerprint(&self) -> KeyFingerprint {
        KeyFingerprint(self.mac(&[b"refrain token key fingerprint"]))
    }

    /// The token of an identifier, from the SHA-256 of its normalised value.
    pub fn token(
        &self,
        namespace: &Namespace,
        identifier_type: &IdentifierType,
        value_sha256: &[u8; 32],
    ) -> Token {
        Token {
            generation: FIRST_GENERATION,
            bytes: self.mac(&[
                namespace.as_str().as_bytes(),
                identifier_type.as_str().as_bytes(),
                value_sha256,
            ]),
        }
    }

    /// A key for another use than tokens.
    pub(super) fn derive(&self, usage: &[u8]) -> Zeroizing<[u8; 32]> {
        derive(&self.0, usage)
    }

    /// The first 16 bytes of the HMAC over the parts, each with its length before it (32 bits, big-endian). What the
    /// parts are for is told by how many there are.
    fn mac(&self, parts: &[&[u8]]) -> [u8; 16] {
        let mut mac = keyed(&self.0);
        for part in parts {
            mac.update(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            mac.update(part);
        }
        first_half(&mac.finalize().into_bytes().into())
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(secret)")
    }
}

/// SHA-256 of a normalised value: what goes into [`TokenKey::token`].
pub fn value_sha256(normalised: &str) -> [u8; 32] {
    Sha256::digest(normalised.as_bytes()).into()
}

/// HMAC-SHA-256 under a key of 32 bytes.
pub(crate) fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    // A key shorter than SHA-256's block of 64 bytes is padded with zeros: the same as `new_from_slice`, which alone
    // is fallible.
    let mut block = Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(key);
    Hmac::new((&*block).into())
}

/// A key for one use, from a secret that serves several.
pub(super) fn derive(secret: &[u8; 32], usage: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut mac = keyed(secret);
    mac.update(usage);
    Zeroizing::new(mac.finalize().into_bytes().into())
}

/// The first 16 of 32 bytes.
pub(crate) fn first_half(digest: &[u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    half
}

impl Token {
    /// Whether the key that made it is one that the cluster has or had. A token of another is nobody's.
    pub fn is_of_known_key(&self) -> bool {
        self.generation == FIRST_GENERATION
    }

    /// Reads a token as it is shown: `<generation>:<32 hex digits>`.
    ///
    /// # Errors
    /// `IDENTIFIER_INVALID`.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let invalid = Refusal::IdentifierInvalid {
            why: "a token is `<generation>:<32 hex digits>`, as it was returned before",
        };
        let Some((generation, digits)) = text.split_once(':') else {
            return Err(invalid);
        };
        let mut bytes = [0; 16];
        let plain = generation.bytes().all(|b| b.is_ascii_digit());
        match (generation.parse(), hex::decode_to_slice(digits, &mut bytes)) {
            (Ok(generation), Ok(())) if plain && generation > 0 => Ok(Self { generation, bytes }),
            _ => Err(invalid),
        }
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.generation, hex::encode(self.bytes))
    }
}

impl fmt::Display for KeyFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn email() -> IdentifierType {
        IdentifierType::parse("email").unwrap()
    }

    #[test]
    fn keyed_is_plain_hmac() {
        let key = [3; 32];
        let mut plain = <Hmac<Sha256> as hmac::Mac>::new_from_slice(&key).unwrap();
        plain.update(b"x");
        let mut ours = keyed(&key);
        ours.update(b"x");
        assert_eq!(ours.finalize().into_bytes(), plain.finalize().into_bytes());
    }

    #[test]
    fn every_part_counts() {
        let key = TokenKey::new([1; 32]);
        let namespace = Namespace::default_namespace();
        let sha = value_sha256("ada@example.com");
        let token = key.token(&namespace, &email(), &sha);
        assert_eq!(token, key.token(&namespace, &email(), &sha));
        let phone = IdentifierType::parse("phone").unwrap();
        let other = Namespace::parse("other").unwrap();
        assert_ne!(token, key.token(&namespace, &phone, &sha));
        assert_ne!(token, key.token(&other, &email(), &sha));
        assert_ne!(token, key.token(&namespace, &email(), &[0; 32]));
        assert_ne!(
            token,
            TokenKey::new([2; 32]).token(&namespace, &email(), &sha)
        );
    }

    #[test]
    fn known_token() {
        // Tokens lie in every cluster's state for ever: how they are made must not change. Worked out with Python's hmac.
        let key = TokenKey::new([7; 32]);
        let sha = value_sha256("ada@example.com");
        let token = key.token(&Namespace::default_namespace(), &email(), &sha);
        assert_eq!(token.to_string(), "1:456d61acc9e635823a46203dd74e22ea");
        assert_eq!(
            key.fingerprint().to_string(),
            "528555dd594cbbdb7dabe276890f6227"
        );
    }

    #[test]
    fn shown_and_read() {
        let token = Token {
            generation: 513,
            bytes: [0xab; 16],
        };
        assert_eq!(Token::parse(&token.to_string()).unwrap(), token);
        let digits = "00112233445566778899aabbccddeeff";
        for bad in [
            "",
            "1",
            "1:",
            &format!("0:{digits}"),
            &format!("+1:{digits}"),
            &format!("65536:{digits}"),
            &format!("1:{digits}0"),
            &format!(":{digits}"),
        ] {
            assert!(Token::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_key_is_not_shown() {
        assert_eq!(format!("{:?}", TokenKey::new([9; 32])), "TokenKey(secret)");
    }
}

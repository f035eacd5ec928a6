//! What a link holds, and its signed form: short enough for a mail's header, and taken by every node for ever.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use super::super::derived::{DerivedKey, MAC};
use crate::{
    domain::{IdentifierType, Namespace, PurposeName, SubjectToken, Token},
    limits,
};

/// The form of a link: its first byte.
const FORM: u8 = 1;

/// What sets this use of the token key apart from every other.
const USE_OF_KEY: &[u8] = b"refrain link 1";

/// Whom a link opts out, and of what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    /// The tenant.
    pub(super) namespace: Namespace,
    /// The subject: 1 to 4 tokens.
    pub(super) tokens: Vec<SubjectToken>,
    /// 1 to 8 purposes; `*` too.
    pub(super) purposes: Vec<PurposeName>,
}

/// The key that links are signed with, derived from the cluster's token key: every node takes every node's links.
pub struct LinkKey(DerivedKey);

impl LinkKey {
    /// Derives the key.
    pub fn derive(token_key: &[u8; 32]) -> Self {
        Self(DerivedKey::new(token_key, USE_OF_KEY))
    }

    /// A MAC under the key, over nothing yet.
    pub(super) fn mac(&self) -> Hmac<Sha256> {
        self.0.mac()
    }

    /// Signs a link: base64url. `None` where it has too many parts, or comes out too long.
    pub(super) fn write(&self, link: &Link) -> Option<String> {
        let mut bytes = encode(link)?;
        let mac = self.mac().chain_update(&bytes).finalize().into_bytes();
        bytes.extend_from_slice(&mac[..MAC]);
        let text = URL_SAFE_NO_PAD.encode(bytes);
        (text.len() <= limits::LINK_BYTES).then_some(text)
    }

    /// Reads a link back: `None` unless this cluster signed it just so.
    pub(super) fn read(&self, text: &str) -> Option<Link> {
        if text.len() > limits::LINK_BYTES {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (said, mac) = bytes.split_last_chunk::<MAC>()?;
        let verified = self.mac().chain_update(said).verify_truncated_left(mac);
        verified.ok()?;
        decode(said)
    }
}

/// The form; the namespace; how many tokens, and of each the type, the generation and the bytes; how many purposes, and
/// each of them. Every text has its length before it, in one byte.
pub(super) fn encode(link: &Link) -> Option<Vec<u8>> {
    let within = (1..=limits::LINK_IDENTIFIERS).contains(&link.tokens.len())
        && (1..=limits::LINK_PURPOSES).contains(&link.purposes.len());
    if !within {
        return None;
    }
    let mut bytes = vec![FORM];
    put(&mut bytes, link.namespace.as_str())?;
    bytes.push(u8::try_from(link.tokens.len()).ok()?);
    for subject in &link.tokens {
        put(&mut bytes, subject.identifier_type.as_str())?;
        bytes.extend_from_slice(&subject.token.generation.to_be_bytes());
        bytes.extend_from_slice(&subject.token.bytes);
    }
    bytes.push(u8::try_from(link.purposes.len()).ok()?);
    for purpose in &link.purposes {
        put(&mut bytes, purpose.as_str())?;
    }
    Some(bytes)
}

fn put(bytes: &mut Vec<u8>, text: &str) -> Option<()> {
    bytes.push(u8::try_from(text.len()).ok()?);
    bytes.extend_from_slice(text.as_bytes());
    Some(())
}

pub(super) fn decode(said: &[u8]) -> Option<Link> {
    let mut rest = Rest(said);
    if rest.byte()? != FORM {
        return None;
    }
    let namespace = Namespace::parse(rest.text()?).ok()?;
    let tokens = (0..rest.byte()?)
        .map(|_| {
            Some(SubjectToken {
                identifier_type: IdentifierType::parse(rest.text()?).ok()?,
                token: Token {
                    generation: u16::from_be_bytes(rest.array()?),
                    bytes: rest.array()?,
                },
            })
        })
        .collect::<Option<Vec<_>>>()?;
    let purposes = (0..rest.byte()?)
        .map(|_| PurposeName::parse(rest.text()?).ok())
        .collect::<Option<Vec<_>>>()?;
    let Rest(left) = rest;
    left.is_empty().then_some(Link {
        namespace,
        tokens,
        purposes,
    })
}

/// What is still to be read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk()?;
        self.0 = tail;
        Some(*head)
    }

    fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = self.byte()?;
        let (head, tail) = self.0.split_at_checked(length.into())?;
        self.0 = tail;
        std::str::from_utf8(head).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> LinkKey {
        LinkKey::derive(&[7; 32])
    }

    fn link() -> Link {
        Link {
            namespace: Namespace::default_namespace(),
            tokens: vec![subject("email", 1, [9; 16])],
            purposes: vec![PurposeName::parse("marketing.email").expect("purpose")],
        }
    }

    fn subject(kind: &str, generation: u16, bytes: [u8; 16]) -> SubjectToken {
        SubjectToken {
            identifier_type: IdentifierType::parse(kind).expect("type"),
            token: Token { generation, bytes },
        }
    }

    /// Links stand in mails for ever: whoever changes their form must read this one too.
    #[test]
    fn a_link_is_read_as_it_always_was() {
        let golden = "AQdkZWZhdWx0AQVlbWFpbAABCQkJCQkJCQkJCQkJCQkJCQEPbWFya2V0aW5nLmVtYWlst72YcHJVKxfN0cidD5KPFA";
        assert_eq!(key().write(&link()).as_deref(), Some(golden));
        assert_eq!(key().read(golden), Some(link()));
    }

    #[test]
    fn a_changed_byte_anywhere_is_refused() {
        let text = key().write(&link()).expect("a link");
        for at in 0..text.len() {
            for other in *b"AQgw4_-.=%" {
                let mut forged = text.clone().into_bytes();
                if forged[at] == other {
                    continue;
                }
                forged[at] = other;
                let forged = String::from_utf8(forged).expect("ascii");
                assert_eq!(key().read(&forged), None, "{at}");
            }
            assert_eq!(key().read(&text[..at]), None, "cut off at {at}");
        }
        for wrong in [
            format!("{text}="),
            format!("{text}A"),
            format!("{text}AAAA"),
            "A".repeat(limits::LINK_BYTES),
            "A".repeat(limits::LINK_BYTES + 4),
            "é".to_owned(),
        ] {
            assert_eq!(key().read(&wrong), None, "{wrong}");
        }
        assert_eq!(LinkKey::derive(&[8; 32]).read(&text), None);
    }

    #[test]
    fn a_link_has_a_bound_in_every_direction() {
        let with = |tokens: usize, purposes: usize, bytes: usize| {
            key().write(&Link {
                tokens: vec![link().tokens[0].clone(); tokens],
                purposes: vec![PurposeName::parse(&"a".repeat(bytes)).expect("purpose"); purposes],
                ..link()
            })
        };
        assert!(with(4, 8, 64).is_some());
        assert!(with(5, 1, 1).is_none() && with(0, 1, 1).is_none());
        assert!(with(1, 9, 1).is_none() && with(1, 0, 1).is_none());
        assert!(with(1, 8, 128).is_none(), "longer than a line of a mail");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_was_written_is_what_is_read(
            namespace in "[a-z0-9][a-z0-9_-]{0,63}",
            tokens in proptest::collection::vec(("[a-z][a-z0-9_]{0,31}", any::<u16>(), any::<[u8; 16]>()), 1..=4),
            purposes in proptest::collection::vec("[*]|[a-z][a-z0-9_]{0,12}(\\.[a-z]{1,9}){0,3}", 1..=8),
        ) {
            let link = Link {
                namespace: Namespace::parse(&namespace).expect("namespace"),
                tokens: tokens.iter().map(|(kind, generation, bytes)| subject(kind, *generation, *bytes)).collect(),
                purposes: purposes.iter().map(|name| PurposeName::parse(name).expect("purpose")).collect(),
            };
            let text = key().write(&link).expect("a link");
            prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)));
            prop_assert_eq!(key().read(&text), Some(link));
        }

        #[test]
        fn no_bytes_make_a_reader_stumble(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Some(link) = decode(&bytes) {
                prop_assert_eq!(encode(&link), Some(bytes.clone()));
            }
            prop_assert_eq!(key().read(&URL_SAFE_NO_PAD.encode(&bytes)), None);
        }
    }
}

//! Ids of events and requests (`UUIDv7`), the time in them, and how the id of a node is written.

use std::fmt;

use sha2::{Digest as _, Sha256};
use uuid::{Builder, Uuid};

use super::refusal::Refusal;
pub use crate::clock::Millis;

/// How many events there are: dense, from 1, the same on every node. 0 is the state before the first event.
pub type Revision = u64;

/// The id of an event: a `UUIDv7`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(pub Uuid);

/// The id of a request or of an import: a `UUIDv7` that its caller made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub Uuid);

/// The id of a node, as it is written wherever people and programs read it: 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u64);

impl EventId {
    /// Makes an id from a time and 10 random bytes.
    pub fn new(at: Millis, random: [u8; 10]) -> Self {
        Self(Builder::from_unix_timestamp_millis(at.0, &random).into_uuid())
    }

    /// The id of the `ordinal`-th event that this one's command caused: the same on every node, with the same time.
    #[must_use]
    pub fn derive(self, ordinal: u64) -> Self {
        let mut hash = Sha256::new();
        hash.update(self.0.as_bytes());
        hash.update(ordinal.to_be_bytes());
        let digest = hash.finalize();
        let mut random = [0; 10];
        random.copy_from_slice(&digest[..10]);
        Self::new(self.timestamp(), random)
    }

    /// The time in it.
    pub fn timestamp(self) -> Millis {
        timestamp(self.0)
    }
}

impl RequestId {
    /// Makes an id from a time and 10 random bytes.
    pub fn new(at: Millis, random: [u8; 10]) -> Self {
        Self(EventId::new(at, random).0)
    }

    /// Reads an id in any of the usual forms of a UUID.
    ///
    /// # Errors
    /// `REQUEST_ID_INVALID` for what is no UUID, and for one of another version than 7.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let uuid = Uuid::try_parse(text).map_err(|_| Refusal::RequestIdInvalid {
            why: "it is not a UUID",
        })?;
        Self::from_uuid(uuid)
    }

    /// Takes a UUID of version 7.
    ///
    /// # Errors
    /// `REQUEST_ID_INVALID` for one of another version.
    pub fn from_uuid(uuid: Uuid) -> Result<Self, Refusal> {
        if uuid.get_version_num() == 7 && uuid.get_variant() == uuid::Variant::RFC4122 {
            Ok(Self(uuid))
        } else {
            Err(Refusal::RequestIdInvalid {
                why: "it is a UUID of another version than 7",
            })
        }
    }

    /// The time in it.
    pub fn timestamp(self) -> Millis {
        timestamp(self.0)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

fn timestamp(uuid: Uuid) -> Millis {
    // The first 48 bits of a UUIDv7.
    Millis(uuid.as_u64_pair().0 >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_are_of_version_seven() {
        let id = RequestId::new(Millis(1_700_000_000_123), [7; 10]);
        assert_eq!(id.timestamp(), Millis(1_700_000_000_123));
        assert_eq!(RequestId::parse(&id.to_string()).unwrap(), id);
        assert!(RequestId::parse("").is_err());
        assert!(RequestId::parse("67e55044-10b1-426f-9247-bb680e5fe0c8").is_err());
    }

    #[test]
    fn the_id_of_a_node_always_has_sixteen_digits() {
        assert_eq!(NodeId(0xab).to_string(), "00000000000000ab");
        assert_eq!(NodeId(u64::MAX).to_string(), "ffffffffffffffff");
    }

    #[test]
    fn derived_ids_keep_time_and_version() {
        let cause = EventId::new(Millis(1_700_000_000_123), [1; 10]);
        let first = cause.derive(0);
        assert_ne!(first, cause.derive(1));
        assert_eq!(first, cause.derive(0));
        assert_eq!(first.timestamp(), cause.timestamp());
        assert_eq!(first.0.get_version_num(), 7);
        assert_eq!(first.0.get_variant(), uuid::Variant::RFC4122);
    }
}

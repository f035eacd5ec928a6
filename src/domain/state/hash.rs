//! The state's hash: the sum of the hashes of what it holds, so that each change costs the same however much there is.

use prost::Message as _;
use sha2::{Digest as _, Sha256};

use super::State;
use super::journal_keys::JournalKey;
use super::namespaces::NamespaceId;
use super::record::{Key, Record, row};
use super::stamp_keys::StampKey;
use crate::domain::anomaly::AnomalySettings;
use crate::domain::change::{Override, Pending};
use crate::domain::encoding::{anomaly_settings_out, member_out, override_out, pending_out};
use crate::domain::member::Member;
use crate::domain::names::Namespace;
use crate::domain::purpose::Purpose;
use crate::domain::registry::PurposeId;

/// The first byte of what is hashed tells what it is; 1 and 2 are rows of records.
const NAMESPACE: u8 = 3;
const PURPOSE: u8 = 4;
const WHOLE: u8 = 5;
const FLOOR: u8 = 6;
const SETTINGS: u8 = 7;
const PENDING: u8 = 8;
const OVERRIDE: u8 = 9;
const STAMP_KEY: u8 = 10;
const JOURNAL_KEY: u8 = 11;
const ANOMALY_SETTINGS: u8 = 12;
const MEMBER: u8 = 13;

/// A sum of SHA-256 hashes modulo 2^256: it does not depend on the order in which they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sum([u64; 4]);

impl Sum {
    /// Counts an element in.
    pub(super) fn add(&mut self, element: [u8; 32]) {
        let mut carry = false;
        for (limb, other) in self.0.iter_mut().zip(limbs(element)) {
            let (sum, over) = limb.overflowing_add(other);
            let (sum, over_again) = sum.overflowing_add(u64::from(carry));
            *limb = sum;
            carry = over | over_again;
        }
    }

    /// Takes an element out.
    pub(super) fn sub(&mut self, element: [u8; 32]) {
        let mut borrow = false;
        for (limb, other) in self.0.iter_mut().zip(limbs(element)) {
            let (difference, under) = limb.overflowing_sub(other);
            let (difference, under_again) = difference.overflowing_sub(u64::from(borrow));
            *limb = difference;
            borrow = under | under_again;
        }
    }
}

/// 32 bytes, little-endian, as limbs with the lowest first.
fn limbs(bytes: [u8; 32]) -> [u64; 4] {
    let mut limbs = [0; 4];
    for (limb, chunk) in limbs.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *limb = u64::from_le_bytes(*chunk);
    }
    limbs
}

/// The element of a record.
pub(super) fn record(key: &Key, record: &Record) -> [u8; 32] {
    Sha256::digest(row(key, record)).into()
}

/// The element of a namespace.
pub(super) fn namespace(id: NamespaceId, name: &Namespace) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update([NAMESPACE]);
    hash.update(id.0.to_be_bytes());
    hash.update(name.as_str());
    hash.finalize().into()
}

/// The element of a purpose.
pub(super) fn purpose(id: PurposeId, purpose: &Purpose) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update([PURPOSE]);
    hash.update(id.0.to_be_bytes());
    hash.update([u8::from(purpose.default_deny), u8::from(purpose.essential)]);
    hash.update(purpose.schema_version.to_be_bytes());
    // A name holds no zero byte, so that this tells where the description begins.
    hash.update(purpose.name.as_str());
    hash.update([0]);
    hash.update(&purpose.description);
    hash.finalize().into()
}

/// The element of a schema floor; the cluster's own stands at `*`.
pub(super) fn floor(id: PurposeId, version: u32) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update([FLOOR]);
    hash.update(id.0.to_be_bytes());
    hash.update(version.to_be_bytes());
    hash.finalize().into()
}

/// The element of a namespace's settings.
pub(super) fn settings(id: NamespaceId, gpc: &[PurposeId]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update([SETTINGS]);
    hash.update(id.0.to_be_bytes());
    for purpose in gpc {
        hash.update(purpose.0.to_be_bytes());
    }
    hash.finalize().into()
}

/// The element of a change that waits: over its stored form.
pub(super) fn pending(pending: &Pending) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update([PENDING]);
    hash.update(pending_out(pending).encode_to_vec());
    hash.finalize().into()
}

/// The element of an override: over its stored form.
pub(super) fn standing_override(standing: &Override) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update([OVERRIDE]);
    hash.update(override_out(standing).encode_to_vec());
    hash.finalize().into()
}

/// The element of a key for stamps.
pub(super) fn stamp_key(key: &StampKey) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update([STAMP_KEY]);
    hash.update(key.node_id.to_be_bytes());
    hash.update(key.public_key);
    hash.update(key.added_at.0.to_be_bytes());
    hash.update([u8::from(key.accepted_until.is_some())]);
    hash.update(key.accepted_until.unwrap_or_default().0.to_be_bytes());
    hash.finalize().into()
}

/// The element of a key for the journal's checkpoints.
pub(super) fn journal_key(key: &JournalKey) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update([JOURNAL_KEY]);
    hash.update(key.node_id.to_be_bytes());
    hash.update(key.public_key);
    hash.update(key.added_at.to_be_bytes());
    hash.update(key.retired_at.unwrap_or_default().to_be_bytes());
    hash.finalize().into()
}

/// The element of what counts as out of the ordinary: over its stored form.
pub(super) fn anomaly_settings(settings: &AnomalySettings) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update([ANOMALY_SETTINGS]);
    hash.update(anomaly_settings_out(settings).encode_to_vec());
    hash.finalize().into()
}

/// The element of a member: over its stored form.
pub(super) fn member(member: &Member) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update([MEMBER]);
    hash.update(member_out(member).encode_to_vec());
    hash.finalize().into()
}

/// The hash of all.
pub(super) fn whole(state: &State) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update([WHOLE]);
    for limb in state.sum.0 {
        hash.update(limb.to_le_bytes());
    }
    hash.update(state.revision.to_be_bytes());
    hash.update(state.registry.schema_version().to_be_bytes());
    if let Some(cluster) = &state.cluster {
        hash.update(cluster.id);
        hash.update(cluster.key_fingerprint.0);
        hash.update(cluster.feature_level.to_be_bytes());
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sums_do_not_depend_on_order(mut elements: Vec<[u8; 32]>, gone: [u8; 32]) {
            let mut forth = Sum::default();
            for element in &elements {
                forth.add(*element);
            }
            let mut back = Sum::default();
            back.add(gone);
            elements.reverse();
            for element in &elements {
                back.add(*element);
            }
            back.sub(gone);
            prop_assert_eq!(forth, back);
        }
    }

    #[test]
    fn carries_and_borrows_run_through() {
        let mut sum = Sum::default();
        sum.sub([1; 32]);
        sum.add([1; 32]);
        assert_eq!(sum, Sum::default());
        let mut one = [0; 32];
        one[0] = 1;
        sum.sub(one);
        assert_eq!(sum, Sum([u64::MAX; 4]));
        sum.add(one);
        assert_eq!(sum, Sum::default());
    }
}

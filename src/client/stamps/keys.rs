//! The cluster's public keys, from its answer.

use super::denied::NoGoAhead;
use crate::{
    clock::Millis,
    limits,
    proto::v1::ListStampKeysResponse,
    stamp::{KeySet, PublicKey},
};

/// The keys of which stamps are accepted at `now`.
pub(super) fn of(told: &ListStampKeysResponse, now: Millis) -> Result<KeySet, NoGoAhead> {
    let wrong = |why: &str| NoGoAhead::KeysUnread(why.to_owned());
    let mut cluster = [0; 16];
    hex::decode_to_slice(&told.cluster_id, &mut cluster)
        .map_err(|_| wrong("the answer names no cluster"))?;
    if told.keys.len() > limits::STAMP_KEYS {
        return Err(wrong("the answer has too many keys"));
    }
    let seconds = i64::try_from(now.0 / 1_000).unwrap_or(i64::MAX);
    let accepted = told.keys.iter().filter(|key| {
        let until = key.accepted_until.as_ref();
        until.is_none_or(|until| until.seconds > seconds)
    });
    let keys = accepted.map(|key| {
        let bytes: [u8; 32] = key.public_key.as_slice().try_into().ok()?;
        PublicKey::from_bytes(&bytes)
    });
    let keys: Option<Vec<PublicKey>> = keys.collect();
    let keys = keys.ok_or_else(|| wrong("the answer has a key that is none"))?;
    Ok(KeySet::new(&cluster, keys))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{proto::v1::StampKey, stamp::SigningKey};

    fn told(keys: Vec<(Vec<u8>, Option<i64>)>) -> ListStampKeysResponse {
        let keys = keys.into_iter().map(|(public_key, until)| StampKey {
            public_key,
            accepted_until: until.map(|seconds| prost_types::Timestamp { seconds, nanos: 0 }),
            ..StampKey::default()
        });
        ListStampKeysResponse {
            keys: keys.collect(),
            revision: 1,
            cluster_id: "ab".repeat(16),
        }
    }

    #[test]
    fn only_keys_that_are_accepted_are_taken() {
        let key = |byte| SigningKey::new(&[byte; 32]).public();
        let bytes = |byte| key(byte).as_bytes().to_vec();
        let all = told(vec![
            (bytes(1), None),
            (bytes(2), Some(100)),
            (bytes(3), Some(101)),
        ]);
        let set = of(&all, Millis(100_000)).unwrap();
        assert_eq!(set.keys(), [key(1), key(3)]);
        assert_eq!(set.cluster_id(), all.cluster_id);

        for bad in [vec![], vec![1; 31], vec![0; 32]] {
            assert!(of(&told(vec![(bad, None)]), Millis(0)).is_err());
        }
        let nobodys = ListStampKeysResponse {
            cluster_id: String::new(),
            ..told(vec![])
        };
        assert!(of(&nobodys, Millis(0)).is_err());
        assert!(
            of(
                &told(vec![(bytes(1), None); limits::STAMP_KEYS + 1]),
                Millis(0)
            )
            .is_err()
        );
    }
}

//! What holds for all stamps, and for all that are none.

use proptest::prelude::*;

use super::{CLUSTER, NOW, header, key, keys};
use crate::{
    limits,
    stamp::{Claims, KeySet, SigningKey, StampError, Stamped, jws},
};

fn any_claims() -> impl Strategy<Value = Claims> {
    let token = (1_u16.., any::<[u8; 16]>())
        .prop_map(|(generation, bytes)| format!("{generation}:{}", hex::encode(bytes)));
    (
        proptest::collection::vec(token, 1..=16),
        "[a-z0-9_-]{1,64}",
        proptest::collection::vec("[a-z][a-z0-9_]{0,20}(\\.[a-z]{1,9}){0,3}", 1..=8),
        any::<(bool, u64, u32)>(),
        1..=limits::STAMP_SECONDS,
        ("[a-zA-Z0-9._-]{0,128}", "[a-zA-Z0-9_-]{0,256}"),
    )
        .prop_map(
            |(tokens, namespace, purposes, numbers, life, (service, decision_id))| {
                let (allow, revision, issued_at) = numbers;
                let issued_at = u64::from(issued_at);
                Claims {
                    cluster_id: hex::encode(CLUSTER),
                    subject: tokens[0].clone(),
                    tokens,
                    namespace,
                    purposes,
                    decision: if allow { Stamped::Allow } else { Stamped::Deny },
                    revision,
                    service,
                    issued_at,
                    expires_at: issued_at + life,
                    decision_id,
                }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_signed_is_what_is_read(claims in any_claims(), secret in any::<[u8; 32]>()) {
        let key = SigningKey::new(&secret);
        let keys = KeySet::new(&CLUSTER, [key.public()]);
        let stamp = key.sign(&claims).expect("a stamp");
        let now = claims.issued_at;
        prop_assert_eq!(keys.verify(&stamp, now), Ok(claims));
        let other = KeySet::new(&CLUSTER, [super::key(1).public()]);
        prop_assert_eq!(other.verify(&stamp, now), Err(StampError::UnknownKey));
    }

    #[test]
    fn no_text_is_taken_that_was_not_signed(
        text in "[A-Za-z0-9_.=-]{0,300}",
        payload in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        prop_assert!(keys().verify(&text, NOW).is_err());
        let stamp = key(1).compact(header().as_bytes(), &payload);
        prop_assert!(keys().verify(&stamp, NOW).is_err());
        prop_assert!(jws::claims(&payload).is_err());
    }
}

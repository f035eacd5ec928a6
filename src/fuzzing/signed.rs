//! Stamps and the keys that they are verified with.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::Signer as _;

use super::input::{choice, pieces};
use crate::stamp::{Claims, KeySet, Offline, SigningKey, StampError, Stamped, Wanted};

/// The cluster of the kept inputs, and a time at which their stamps count.
const CLUSTER: [u8; 16] = [7; 16];
const NOW: u64 = 1_700_000_000;

const SECRET: [u8; 32] = [1; 32];

/// Stamps that nobody signed, and those that the cluster's own key signed whatever they say. What is accepted is accepted
/// by that key alone, as it is and in no way changed.
pub fn stamps(data: &[u8]) {
    let Some((kind, bytes)) = choice(data) else {
        return;
    };
    let stamp = match kind {
        0 => match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => return,
        },
        1 => {
            let mut parts = pieces(bytes);
            signed(
                parts.next().unwrap_or_default(),
                parts.next().unwrap_or_default(),
            )
        }
        _ => {
            let key = SigningKey::new(&SECRET).public();
            let header = format!(
                r#"{{"alg":"EdDSA","typ":"refrain-stamp+jws","kid":"{}"}}"#,
                key.kid()
            );
            signed(header.as_bytes(), bytes)
        }
    };
    let keys = set(&SECRET);
    let claims = match keys.verify(&stamp, NOW) {
        Ok(claims) => claims,
        Err(error) => {
            let wanted = Wanted {
                namespace: "",
                purpose: "marketing.email",
            };
            let judged = keys.judge(&stamp, wanted, NOW);
            assert_eq!(judged, Offline::Deny(error.into()), "not denied");
            return;
        }
    };
    assert_eq!(
        set(&[2; 32]).verify(&stamp, NOW),
        Err(StampError::UnknownKey)
    );
    assert_eq!(Claims::unverified(&stamp).as_ref(), Ok(&claims));
    for purpose in &claims.purposes {
        let wanted = Wanted {
            namespace: &claims.namespace,
            purpose,
        };
        let allows = matches!(keys.judge(&stamp, wanted, NOW), Offline::AllowedAsOf(_));
        assert_eq!(allows, claims.decision == Stamped::Allow);
    }
    let again = SigningKey::new(&SECRET).sign(&claims);
    let again = again.expect("claims that were signed before");
    assert_eq!(keys.verify(&again, NOW), Ok(claims));
    for at in [0, stamp.len() / 4, stamp.len() / 2, stamp.len() - 1] {
        let mut changed = stamp.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).expect("ASCII");
        assert!(keys.verify(&changed, NOW).is_err(), "changed at {at}");
    }
}

fn set(secret: &[u8; 32]) -> KeySet {
    KeySet::new(&CLUSTER, [SigningKey::new(secret).public()])
}

/// What the cluster's key makes of these parts.
fn signed(header: &[u8], payload: &[u8]) -> String {
    let [header, payload] = [header, payload].map(|part| URL_SAFE_NO_PAD.encode(part));
    let text = format!("{header}.{payload}");
    let signature = ed25519_dalek::SigningKey::from_bytes(&SECRET).sign(text.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(signature.to_bytes());
    format!("{text}.{signature}")
}

/// JWK sets: what is read is read again as it is written.
pub fn key_sets(data: &[u8]) {
    if let Ok(set) = KeySet::from_json(data) {
        let again = KeySet::from_json(set.to_json().as_bytes());
        assert_eq!(again, Ok(set), "read otherwise as it is written");
    }
}

//! Sets of keys as JSON: ours, others', and none at all.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{key, keys};
use crate::{
    limits,
    stamp::{KeySet, PublicKey},
};

#[test]
fn a_set_of_keys_comes_back_and_passes_over_what_is_not_ours() {
    let json = keys().to_json();
    assert_eq!(KeySet::from_json(json.as_bytes()), Ok(keys()));
    let (x, kid) = (
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        key(2).public().kid().to_owned(),
    );
    let with = |key: String| {
        let set = json.replacen("\"keys\":[", &format!("\"keys\":[{key},"), 1);
        assert_ne!(set, json);
        KeySet::from_json(set.as_bytes())
    };
    for other in [
        r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#.to_owned(),
        format!(r#"{{"kty":"OKP","crv":"X25519","x":"{x}"}}"#),
        format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}","use":"enc"}}"#),
        format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}","alg":"ES256"}}"#),
    ] {
        assert_eq!(with(other), Ok(keys()));
    }
    let public = URL_SAFE_NO_PAD.encode(key(1).public().as_bytes());
    for wrong in [
        // A point of small order, for which signatures can be made without a secret.
        format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}"#),
        format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{public}","kid":"{kid}"}}"#),
        format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{}"}}"#, &public[..42]),
        format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{public}="}}"#),
        r#"{"kty":"OKP","crv":"Ed25519"}"#.to_owned(),
        r#"{"kty":"OKP","kty":"OKP"}"#.to_owned(),
        "1".to_owned(),
    ] {
        assert!(with(wrong.clone()).is_err(), "{wrong}");
    }
    let many = vec![r#"{"kty":"RSA"}"#; limits::STAMP_KEYS].join(",");
    assert!(with(many).is_err());
    for wrong in ["", "{}", r#"{"keys":[]}"#, r#"{"issuer":"ab","keys":[]}"#] {
        assert!(KeySet::from_json(wrong.as_bytes()).is_err(), "{wrong}");
    }
    assert!(KeySet::from_json(&vec![b' '; limits::JWK_SET_BYTES + 1]).is_err());
    assert!(PublicKey::from_bytes(&[0; 32]).is_none());
}

//! Stamps as they are made, as they are forged, and as the RFC has them.

mod key_sets;
mod properties;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{Claims, Denied, KeySet, Offline, SigningKey, StampError, Stamped, Wanted};
use crate::limits;

const CLUSTER: [u8; 16] = [0xab; 16];
const NOW: u64 = 1_800_000_000;

fn key(byte: u8) -> SigningKey {
    SigningKey::new(&[byte; 32])
}

fn keys() -> KeySet {
    KeySet::new(&CLUSTER, [key(1).public(), key(2).public()])
}

fn claims() -> Claims {
    let tokens = vec![
        format!("1:{}", "0f".repeat(16)),
        format!("2:{}", "1e".repeat(16)),
    ];
    Claims {
        cluster_id: hex::encode(CLUSTER),
        subject: tokens[0].clone(),
        tokens,
        namespace: "default".to_owned(),
        purposes: vec!["marketing.email".to_owned()],
        decision: Stamped::Allow,
        revision: 42,
        service: "mailer".to_owned(),
        issued_at: NOW,
        expires_at: NOW + 900,
        decision_id: "AAAA".to_owned(),
    }
}

/// A stamp of a header and a payload that are anybody's, under a genuine signature.
fn signed(header: &str, payload: &str) -> String {
    key(1).compact(header.as_bytes(), payload.as_bytes())
}

fn header() -> String {
    let kid = key(1).public().kid().to_owned();
    format!(r#"{{"alg":"EdDSA","typ":"refrain-stamp+jws","kid":"{kid}"}}"#)
}

fn payload() -> String {
    serde_json::to_string(&claims()).expect("json")
}

fn malformed(stamp: &str) {
    let found = keys().verify(stamp, NOW);
    assert!(
        matches!(found, Err(StampError::Malformed(_))),
        "{stamp}: {found:?}"
    );
}

/// RFC 8037, appendix A: the key, its thumbprint, and a signature.
#[test]
fn keys_thumbprints_and_signatures_are_those_of_the_rfc() {
    let decoded = |text: &str| -> [u8; 32] {
        let bytes = URL_SAFE_NO_PAD.decode(text).expect("base64url");
        bytes.try_into().expect("32 bytes")
    };
    let secret = decoded("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
    let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    let key = SigningKey::new(&secret);
    let public = key.public();
    assert_eq!(public.as_bytes(), &decoded(x));
    assert_eq!(public.kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    assert_eq!(
        key.compact(br#"{"alg":"EdDSA"}"#, b"Example of Ed25519 signing"),
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iyl\
         Gjg5BhVsPt9g7sVvpAr_MuM0KAg"
    );
    // Without a `kid` and a `use`, as the appendix has it, the key is read; its signature is over no stamp.
    let set = format!(
        r#"{{"issuer":"{}","keys":[{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}]}}"#,
        hex::encode(CLUSTER)
    );
    let set = KeySet::from_json(set.as_bytes()).expect("a set");
    assert_eq!(set, KeySet::new(&CLUSTER, [public]));
}

/// What is signed once is read for as long as stamps live: a change here breaks readers in other languages.
#[test]
fn a_stamp_is_written_as_it_always_was() {
    let stamp = key(1).sign(&claims()).expect("a stamp");
    let part = |at: usize| {
        let text = stamp.split('.').nth(at).expect("a part");
        String::from_utf8(URL_SAFE_NO_PAD.decode(text).expect("base64url")).expect("text")
    };
    assert_eq!(part(0), header());
    assert_eq!(
        part(1),
        r#"{"iss":"abababababababababababababababab","sub":"1:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f","tokens":["1:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f","2:1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e"],"ns":"default","purposes":["marketing.email"],"decision":"ALLOW","rev":42,"svc":"mailer","iat":1800000000,"exp":1800000900,"jti":"AAAA"}"#
    );
    assert_eq!(signed(&part(0), &part(1)), stamp);
}

#[test]
fn a_stamp_counts_within_its_time_alone() {
    let stamp = key(2).sign(&claims()).expect("a stamp");
    let at = |now| keys().verify(&stamp, now).map(drop);
    assert_eq!(at(NOW - 61), Err(StampError::NotYetValid));
    assert_eq!(at(NOW - 60), Ok(()));
    assert_eq!(at(NOW + 899), Ok(()));
    assert_eq!(at(NOW + 900), Err(StampError::Expired));
    assert_eq!(at(u64::MAX), Err(StampError::Expired));
    assert_eq!(at(0), Err(StampError::NotYetValid));
}

#[test]
fn who_signed_must_be_known_and_of_this_cluster() {
    let stamp = key(3).sign(&claims()).expect("a stamp");
    assert_eq!(keys().verify(&stamp, NOW), Err(StampError::UnknownKey));
    let other = Claims {
        cluster_id: hex::encode([0xcd; 16]),
        ..claims()
    };
    let stamp = key(1).sign(&other).expect("a stamp");
    assert_eq!(keys().verify(&stamp, NOW), Err(StampError::OtherCluster));
    // Signed by one key in the name of another.
    let forged = key(2).compact(header().as_bytes(), payload().as_bytes());
    assert_eq!(keys().verify(&forged, NOW), Err(StampError::BadSignature));
}

#[test]
fn a_changed_byte_anywhere_is_refused() {
    let stamp = key(1).sign(&claims()).expect("a stamp");
    assert!(keys().verify(&stamp, NOW).is_ok());
    for at in 0..stamp.len() {
        for other in *b"AQgw4_-.=\n{" {
            let mut forged = stamp.clone().into_bytes();
            if forged[at] == other {
                continue;
            }
            forged[at] = other;
            let forged = String::from_utf8(forged).expect("ascii");
            assert!(keys().verify(&forged, NOW).is_err(), "{at} to {other}");
        }
        assert!(keys().verify(&stamp[..at], NOW).is_err(), "cut off at {at}");
    }
}

#[test]
fn what_is_not_written_as_a_stamp_is_malformed_whoever_signed_it() {
    let kid = key(1).public().kid().to_owned();
    for header in [
        format!(r#"{{"alg":"none","typ":"refrain-stamp+jws","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"HS256","typ":"refrain-stamp+jws","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"EdDSA","typ":"JWT","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"EdDSA","kid":"{kid}"}}"#),
        r#"{"alg":"EdDSA","typ":"refrain-stamp+jws"}"#.to_owned(),
        format!(r#"{{"alg":"EdDSA","typ":"refrain-stamp+jws","kid":"{kid}","crit":["exp"]}}"#),
        format!(r#"{{"alg":"EdDSA","typ":"refrain-stamp+jws","kid":"{kid}","b64":false}}"#),
        format!(r#"{{"alg":"none","alg":"EdDSA","typ":"refrain-stamp+jws","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"EdDSA","typ":"refrain-stamp+jws","kid":"{kid}","kid":"{kid}"}}"#),
        format!(r#"{{"typ":"refrain-stamp+jws","alg":"EdDSA","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"EdDSA","typ":"refrain-stamp+jws","kid":"{kid}"}} "#),
        format!(r#"["EdDSA","refrain-stamp+jws","{kid}"]"#),
        format!(r#"{{"alg":"EdDSA","typ":"refrain-stamp+jws","kid":"{kid}"}}{{}}"#),
        String::new(),
        "{}".to_owned(),
    ] {
        malformed(&signed(&header, &payload()));
    }
    let says = payload();
    for wrong in [
        format!("{says}{{}}"),
        says.replace(r#""rev":42"#, r#""rev":42,"rev":43"#),
        says.replace(r#""rev":42"#, r#""rev":-1"#),
        says.replace(r#""rev":42,"#, ""),
        says.replace(r#""rev":42"#, r#""rev":42,"new":1"#),
        says.replace("ALLOW", "allow"),
        says.replace(&format!("{}", NOW + 900), &format!("{}", NOW + 901)),
        says.replace(&format!("{}", NOW + 900), &format!("{NOW}")),
        says.replace("marketing.email", ""),
        says.replace("abab", "ABAB"),
        says.replace(r#""tokens":["1:"#, r#""tokens":["01:"#),
        says.replace("1:0f", "0:0f"),
        says.replace(r#""sub":"1"#, r#""sub":"2"#),
        "[]".to_owned(),
        String::new(),
    ] {
        assert_ne!(wrong, says);
        malformed(&signed(&header(), &wrong));
    }
    let whole = signed(&header(), &says);
    assert!(keys().verify(&whole, NOW).is_ok());
    for wrong in [
        String::new(),
        "..".to_owned(),
        format!("{whole}="),
        format!("{whole}."),
        format!("{whole}.AAAA"),
        format!(" {whole}"),
        format!("{whole}\n"),
        whole.replace('.', ".."),
        whole.replacen('.', "=.", 1),
        whole.rsplit_once('.').expect("parts").0.to_owned(),
        format!("{}.", whole.rsplit_once('.').expect("parts").0),
        "A".repeat(limits::STAMP_BYTES),
        "A".repeat(limits::STAMP_BYTES + 1),
        "é.é.é".to_owned(),
    ] {
        malformed(&wrong);
    }
}

#[test]
fn nothing_is_signed_that_would_not_be_read() {
    let refused = |claims: Claims| {
        let made = key(1).sign(&claims);
        assert!(matches!(made, Err(StampError::Malformed(_))), "{claims:?}");
    };
    refused(Claims {
        expires_at: NOW + 901,
        ..claims()
    });
    refused(Claims {
        expires_at: NOW - 1,
        ..claims()
    });
    refused(Claims {
        tokens: Vec::new(),
        ..claims()
    });
    refused(Claims {
        purposes: Vec::new(),
        ..claims()
    });
    refused(Claims {
        purposes: vec!["a".to_owned(); 65],
        ..claims()
    });
    refused(Claims {
        namespace: String::new(),
        ..claims()
    });
    refused(Claims {
        service: "a".repeat(129),
        ..claims()
    });
    refused(Claims {
        decision_id: "a".repeat(257),
        ..claims()
    });
    refused(Claims {
        cluster_id: String::new(),
        ..claims()
    });
    // Each part within its bounds, and all of them together too long.
    refused(Claims {
        purposes: vec!["a".repeat(128); 64],
        ..claims()
    });
}

#[test]
fn a_stamp_alone_never_says_more_than_allowed_as_of_a_revision() {
    let judged = |claims: &Claims, namespace, purpose, now| {
        let stamp = key(1).sign(claims).expect("a stamp");
        keys().judge(&stamp, Wanted { namespace, purpose }, now)
    };
    let Offline::AllowedAsOf(allowed) = judged(&claims(), "", "marketing.email", NOW) else {
        panic!("not allowed");
    };
    assert_eq!(allowed.revision(), 42);
    assert_eq!(allowed.tokens(), claims().tokens);
    assert!(allowed.lives_at(NOW + 899) && !allowed.lives_at(NOW + 900));
    let denied = |claims: &Claims, namespace, purpose, now, why: Denied| {
        assert_eq!(judged(claims, namespace, purpose, now), Offline::Deny(why));
    };
    let deny = Claims {
        decision: Stamped::Deny,
        ..claims()
    };
    denied(
        &deny,
        "",
        "marketing.email",
        NOW,
        Denied::Said { revision: 42 },
    );
    denied(
        &claims(),
        "other",
        "marketing.email",
        NOW,
        Denied::NamespaceDiffers,
    );
    for purpose in ["marketing", "marketing.sms", "marketing.email.x", "*", ""] {
        denied(&claims(), "default", purpose, NOW, Denied::PurposeDiffers);
    }
    denied(
        &claims(),
        "",
        "marketing.email",
        NOW + 900,
        StampError::Expired.into(),
    );
}

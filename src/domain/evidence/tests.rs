//! Evidence sealed, opened, wrapped anew, and damaged.

use super::*;

fn evidence() -> Evidence {
    Evidence {
        statement: "ticked the box on the sign-up page".to_owned(),
        ip_address: "192.0.2.1".to_owned(),
        user_agent: "Mozilla".to_owned(),
    }
}

fn wrapping(operators: u8, own: u8) -> Sealer {
    SealingKey::new(&[operators; 32]).sealer(7, &[own; 32])
}

#[test]
fn sealed_and_opened() {
    let by = wrapping(1, 1);
    let sealed = by.seal(&evidence(), &[5; SEALING_RANDOM_BYTES]).unwrap();
    assert_eq!(by.unseal(&sealed.bytes, &sealed.key).unwrap(), evidence());
    // Neither half alone makes the key.
    for other in [wrapping(2, 1), wrapping(1, 2)] {
        assert_eq!(other.unseal(&sealed.bytes, &sealed.key), Err(CannotUnseal));
        let claimed = WrappedKey {
            under: other.id(),
            ..sealed.key
        };
        assert_eq!(other.unseal(&sealed.bytes, &claimed), Err(CannotUnseal));
    }
    for damaged in 0..sealed.bytes.len() {
        let mut bytes = sealed.bytes.to_vec();
        bytes[damaged] ^= 1;
        let opened = by.unseal(&bytes, &sealed.key);
        assert_ne!(opened, Ok(Evidence::default()));
        assert_ne!(opened, Ok(evidence()), "byte {damaged}");
    }
    for cut in 0..sealed.bytes.len() {
        let opened = by.unseal(&sealed.bytes[..cut], &sealed.key);
        assert_eq!(opened, Err(CannotUnseal));
    }
    for damaged in 0..48 {
        let mut key = sealed.key;
        key.wrapped[damaged] ^= 1;
        assert_eq!(by.unseal(&sealed.bytes, &key), Err(CannotUnseal));
    }
}

#[test]
fn wrapped_anew_it_opens_under_the_new_key_and_the_old_one_is_of_no_use() {
    let (old, new) = (wrapping(1, 1), wrapping(1, 2));
    assert_eq!((old.id().node_id(), new.id().node_id()), (7, 7));
    assert_ne!(old.id(), new.id());
    let sealed = old.seal(&evidence(), &[5; SEALING_RANDOM_BYTES]).unwrap();
    let anew = old.rewrap(&sealed.key, &new, &[6; 24]).unwrap();
    assert_eq!(new.unseal(&sealed.bytes, &anew).unwrap(), evidence());
    assert_eq!(old.unseal(&sealed.bytes, &anew), Err(CannotUnseal));
    assert_eq!(new.rewrap(&sealed.key, &old, &[6; 24]), Err(CannotUnseal));
}

#[test]
fn nothing_shows() {
    let by = wrapping(1, 1);
    let sealed = by.seal(&evidence(), &[5; SEALING_RANDOM_BYTES]).unwrap();
    let clear = b"ticked";
    assert!(!sealed.bytes.windows(clear.len()).any(|w| w == clear));
    for shown in [
        format!("{:?}", evidence()),
        format!("{sealed:?}"),
        format!("{by:?}"),
        format!("{:?}", sealed.key),
        format!("{:?}", SealingKey::new(&[1; 32])),
    ] {
        assert!(!shown.contains("ticked") && !shown.contains('['), "{shown}");
    }
}

#[test]
fn a_retry_is_known_by_its_digest() {
    let by = wrapping(1, 1);
    let first = by.seal(&evidence(), &[5; SEALING_RANDOM_BYTES]).unwrap();
    let again = by.seal(&evidence(), &[6; SEALING_RANDOM_BYTES]).unwrap();
    assert_ne!(first.bytes, again.bytes);
    assert_eq!(first.digest, again.digest);
    let node = |secret| {
        let key = SealingKey::new(&[secret; 32]).known_by(&TokenKey::new([9; 32]));
        let by = key.sealer(7, &[secret; 32]);
        by.seal(&evidence(), &[8; SEALING_RANDOM_BYTES]).unwrap()
    };
    assert_ne!(node(1).key, node(2).key);
    assert_eq!(node(1).digest, node(2).digest);
    assert_ne!(node(1).digest, first.digest);
    let mut other = evidence();
    other.statement.push('!');
    let other = by.seal(&other, &[7; SEALING_RANDOM_BYTES]).unwrap();
    assert_ne!(first.digest, other.digest);
}

#[test]
fn the_largest_fits_and_more_is_refused() {
    let by = wrapping(1, 1);
    let mut largest = Evidence {
        statement: "s".repeat(limits::EVIDENCE_STATEMENT_BYTES),
        ip_address: "i".repeat(limits::EVIDENCE_IP_ADDRESS_BYTES),
        user_agent: "u".repeat(limits::EVIDENCE_USER_AGENT_BYTES),
    };
    let sealed = by.seal(&largest, &[5; SEALING_RANDOM_BYTES]).unwrap();
    assert!(sealed.bytes.len() <= limits::SEALED_EVIDENCE_BYTES);
    largest.user_agent.push('u');
    let refusal = by.seal(&largest, &[5; SEALING_RANDOM_BYTES]).unwrap_err();
    assert_eq!(refusal.reason(), "EVIDENCE_INVALID");
    let empty = by.seal(&Evidence::default(), &[5; SEALING_RANDOM_BYTES]);
    assert_eq!(empty.unwrap_err().reason(), "EVIDENCE_REQUIRED");
}

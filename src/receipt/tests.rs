//! Receipts that are whole are verified; no byte of one can be another.

use proptest::prelude::*;

use super::*;
use crate::domain::fixtures::*;
use crate::domain::*;
use crate::proof::{KnownKey, merkle::leaf_hash, origin, tree::inclusion};

const CLUSTER: [u8; 16] = [5; 16];

fn signer() -> JournalSigner {
    JournalSigner::new(&origin(CLUSTER), &[1; 32])
}

fn keys() -> VerifierKeys {
    VerifierKeys::new([signer().verifier_key()])
}

/// Events with each detail that one can have.
pub(crate) fn events() -> Vec<Event> {
    let mut driven = Driven::empty();
    let mut create = Create::new([7; 16], KeyFingerprint([8; 16]));
    create.founder = membership(0xF00D, Became::Voter).member();
    driven.send(Body::Create(create)).unwrap();
    driven.opt_out(&[1, 2], &["analytics", "sale"]).unwrap();
    driven.opt_in(&[1], &["analytics"]).unwrap();
    let mut set = driven.preference(Change::OptOut, &[3], &["sale"]);
    set.service = service("shop");
    driven.send(Body::SetPreference(set)).unwrap();
    let learner = membership(0xFEED, Became::Learner);
    driven.send(Body::RecordMembership(learner)).unwrap();
    let violations = violation_report(0xFEED, 1);
    driven.send(Body::ReportViolations(violations)).unwrap();
    let erase = EraseEvidence {
        request_id: driven.next_request_id(),
        namespace: Namespace::default_namespace(),
        tokens: subjects(&[1]),
    };
    driven.send(Body::EraseEvidence(erase)).unwrap();
    let configure = ConfigureAnomalies {
        request_id: driven.next_request_id(),
        settings: thresholds(2),
    };
    driven.send(Body::ConfigureAnomalies(configure)).unwrap();
    driven.opt_in(&[3], &["sale"]).unwrap();
    driven.opt_out(&[3], &["sale"]).unwrap();
    driven.put(purpose("surveys")).unwrap();
    driven.events
}

/// The events of a short story, and the receipt of each.
fn story() -> (Vec<Event>, Vec<v1::Receipt>) {
    let events = events();
    let leaves: Vec<_> = events.iter().map(Event::encode).collect();
    let size = leaves.len() as u64;
    let root_of = |range: &std::ops::Range<u64>| {
        let hashes: Vec<Hash> = leaves
            [usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()]
            .iter()
            .map(|leaf| leaf_hash(leaf))
            .collect();
        let mut peaks = crate::proof::merkle::Peaks::default();
        peaks.extend(&hashes);
        peaks.root()
    };
    let checkpoint = Checkpoint {
        origin: origin(CLUSTER),
        size,
        root: root_of(&(0..size)),
    };
    let receipts = (0..size).zip(&leaves).map(|(index, leaf)| {
        let proof: Vec<_> = inclusion(index, size).iter().map(root_of).collect();
        make(leaf, &proof, &checkpoint, &signer()).unwrap()
    });
    let receipts = receipts.collect();
    (events, receipts)
}

#[test]
fn every_event_has_a_receipt_that_says_what_was_recorded() {
    let (events, receipts) = story();
    assert!(events.len() > 3);
    for (event, receipt) in events.iter().zip(&receipts) {
        let verified = verify(receipt, &keys()).unwrap();
        assert_eq!(verified.event, *event);
        assert_eq!(verified.key, signer().verifier_key());
        let json = serde_json::to_vec_pretty(&to_json(receipt).unwrap()).unwrap();
        assert_eq!(verify_json(&json, &keys()), Ok(verified));
    }
}

#[test]
fn a_document_has_the_fields_of_the_specification() {
    let (events, receipts) = story();
    let place = events.iter().position(|it| it.kind == EventKind::OptOut);
    let (event, receipt) = (&events[place.unwrap()], &receipts[place.unwrap()]);
    let document = to_json(receipt).unwrap();
    assert_eq!(document["@type"], "dpv:ConsentReceipt");
    assert_eq!(document["dct:identifier"], event.id.to_string());
    assert_eq!(document["dpv:hasDataController"], "default");
    assert_eq!(document["dpv:hasDataSubject"].as_array().unwrap().len(), 2);
    let first = &document["dpv:hasConsent"][0];
    assert_eq!(first["dpv:hasPurpose"], "analytics");
    assert_eq!(first["dpv:hasConsentStatus"], "dpv:ConsentWithdrawn");
    assert_eq!(document["refrain:event"]["kind"], "opt_out");
    let purpose = events.iter().position(|it| it.kind == EventKind::Purpose);
    let document = to_json(&receipts[purpose.unwrap()]).unwrap();
    assert_eq!(document["@type"], serde_json::Value::Null);
}

#[test]
fn no_bit_of_its_message_can_be_another() {
    use prost::Message as _;
    let (_, receipts) = story();
    let whole = &receipts[receipts.len() - 2];
    let bytes = whole.encode_to_vec();
    for place in 0..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1 << bit;
            // Not every change of bytes is one of what they say: a field may come in another order, or twice.
            match v1::Receipt::decode(&damaged[..]) {
                Ok(read) if read != *whole => {
                    let verified = verify(&read, &keys());
                    assert!(verified.is_err(), "byte {place}, bit {bit}: {verified:?}");
                }
                _ => {}
            }
        }
    }
}

#[test]
fn no_bit_of_its_document_can_be_another() {
    let (_, receipts) = story();
    let document = to_json(&receipts[receipts.len() - 2]).unwrap();
    let json = serde_json::to_vec(&document).unwrap();
    for place in 0..json.len() {
        for bit in 0..8 {
            let mut damaged = json.clone();
            damaged[place] ^= 1 << bit;
            // Written as short as can be, it cannot say the same with one bit changed.
            let verified = verify_json(&damaged, &keys());
            assert!(verified.is_err(), "byte {place}, bit {bit}: {verified:?}");
        }
    }
}

/// A value as text, once for each member in it, which is there twice: first as something else, then as it should be.
fn doubled(value: &serde_json::Value) -> Vec<String> {
    use serde_json::Value;
    let mut all = Vec::new();
    match value {
        Value::Object(members) => {
            for place in 0..members.len() {
                let with = |texts: &dyn Fn(&str, &Value) -> String| {
                    let members = members.iter().enumerate();
                    let members = members.map(|(at, (name, value))| {
                        if at == place {
                            texts(name, value)
                        } else {
                            format!("\"{name}\":{value}")
                        }
                    });
                    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
                };
                for first in ["null", "[{\"dpv:hasConsentStatus\":\"dpv:ConsentGiven\"}]"] {
                    all.push(with(&|name, value| {
                        format!("\"{name}\":{first},\"{name}\":{value}")
                    }));
                }
                // The same name, written in another way.
                all.push(with(&|name, value| {
                    let code = u32::from(name.chars().next().unwrap());
                    let rest = &name[1..];
                    format!("\"\\u{code:04x}{rest}\":null,\"{name}\":{value}")
                }));
                let (name, value) = members.iter().nth(place).unwrap();
                for inner in doubled(value) {
                    all.push(with(&|_, _| format!("\"{name}\":{inner}")));
                }
            }
        }
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                for inner in doubled(item) {
                    let mut texts: Vec<_> = items.iter().map(Value::to_string).collect();
                    texts[place] = inner;
                    all.push(format!("[{}]", texts.join(",")));
                }
            }
        }
        _ => {}
    }
    all
}

#[test]
fn a_member_that_is_there_twice_is_refused() {
    let (_, receipts) = story();
    for receipt in &receipts {
        let document = to_json(receipt).unwrap();
        let texts = doubled(&document);
        assert!(texts.len() > 30);
        for text in texts {
            // Whoever reads it without care sees the document as it should be.
            let read: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(read, document);
            let verified = verify_json(text.as_bytes(), &keys());
            assert!(
                matches!(&verified, Err(ReceiptInvalid::Malformed(why)) if why.contains("twice")),
                "{text}: {verified:?}"
            );
        }
    }
}

#[test]
fn a_member_more_or_less_is_refused() {
    let (_, receipts) = story();
    let document = to_json(&receipts[1]).unwrap();
    let names: Vec<String> = document.as_object().unwrap().keys().cloned().collect();
    for name in names {
        let mut less = document.clone();
        less.as_object_mut().unwrap().remove(&name);
        let json = serde_json::to_vec(&less).unwrap();
        assert!(verify_json(&json, &keys()).is_err(), "without {name}");
    }
    let mut more = document;
    more["dpv:hasNotice"] = "https://example.com/notice".into();
    let json = serde_json::to_vec(&more).unwrap();
    assert_eq!(verify_json(&json, &keys()), Err(ReceiptInvalid::Differs));
}

#[test]
fn the_key_in_use_elsewhere_proves_nothing() {
    let (_, receipts) = story();
    let other = JournalSigner::new(&origin(CLUSTER), &[2; 32]);
    for known in [
        VerifierKeys::default(),
        VerifierKeys::new([other.verifier_key()]),
    ] {
        let verified = verify(&receipts[1], &known);
        assert_eq!(verified, Err(NoteInvalid::SignedByNobodyKnown.into()));
    }
}

#[test]
fn a_key_that_was_retired_by_then_proves_nothing() {
    let (events, receipts) = story();
    let size = events.len() as u64;
    let retired = |at| {
        let key = signer().verifier_key();
        let retired_at = Some(at);
        VerifierKeys::new([KnownKey { key, retired_at }])
    };
    let json = serde_json::to_vec(&to_json(&receipts[1]).unwrap()).unwrap();
    assert!(verify_json(&json, &retired(size + 1)).is_ok());
    for retired_at in [1, size] {
        let refused = CheckpointInvalid::Retired { size, retired_at };
        let verified = verify_json(&json, &retired(retired_at));
        assert_eq!(verified, Err(refused.into()));
    }
}

#[test]
fn one_event_has_not_the_proof_of_another() {
    let (_, receipts) = story();
    let mixed = v1::Receipt {
        leaf: receipts[1].leaf.clone(),
        event: receipts[1].event.clone(),
        ..receipts[2].clone()
    };
    assert_eq!(verify(&mixed, &keys()), Err(ReceiptInvalid::NotIncluded));
}

proptest! {
    #[test]
    fn whatever_comes_is_refused_without_a_panic(bytes: Vec<u8>) {
        prop_assert!(verify_json(&bytes, &keys()).is_err());
    }
}

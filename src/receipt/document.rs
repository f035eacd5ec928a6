//! A receipt as JSON-LD, after the fields of ISO/IEC TS 27560:2023 in the words of the W3C's Data Privacy Vocabulary (DPV).
//!
//! | ISO/IEC TS 27560 | here | what it is of Refrain |
//! | --- | --- | --- |
//! | receipt: schema version | `dct:conformsTo` | `urn:refrain:receipt:1`, this table |
//! | receipt and record identifier | `dct:identifier` | the event's id |
//! | PII principal identifier | `dpv:hasDataSubject` | the tokens, each with its identifier's type; never an identifier |
//! | PII controller | `dpv:hasDataController` | the namespace |
//! | processing: purposes, and event state of each | `dpv:hasConsent`, with `dpv:hasPurpose` and `dpv:hasConsentStatus` | opted out: `dpv:ConsentWithdrawn`; opted in: `dpv:ConsentGiven` |
//! | event time | `dpv:isIndicatedAtTime` | when the leader received it |
//! | event: how it was indicated | `dpv:hasIndicationMethod` | the signal |
//! | event: by whom | `dpv:isIndicatedBy` | the principal that called |
//! | - | `refrain:event` | the whole event, as REST's calls return it |
//! | - | `refrain:proof` | the leaf, the inclusion proof, the signed checkpoint |
//!
//! What the specification asks of a notice, of storage, recipients and jurisdictions, the cluster does not know: whoever hands the receipt
//! on adds it around the document, not within. An administrative event's document lacks the members from the principal's identifier to
//! the event's state.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{ReceiptInvalid, contract, strict::Strict, words};
use crate::{
    domain::{Change, Event},
    proto::v1,
};

/// Which table a document is written by.
const CONFORMS_TO: &str = "urn:refrain:receipt:1";

/// What of a document the receipt is made of: all else follows from it.
#[derive(Deserialize)]
struct Proof {
    leaf: String,
    inclusion: Vec<String>,
    checkpoint: String,
}

/// The document of a receipt. Only its leaf, its proof and its checkpoint are read.
pub(super) fn of(receipt: &v1::Receipt) -> Result<Value, ReceiptInvalid> {
    let event = Event::decode(&receipt.leaf)?;
    let mut document = Map::new();
    let mut set = |name: &str, value: Value| document.insert(name.to_owned(), value);
    set(
        "@context",
        json!({
            "dct": "http://purl.org/dc/terms/",
            "dpv": "https://w3id.org/dpv#",
            "refrain": "urn:refrain:receipt#",
        }),
    );
    set("dct:conformsTo", CONFORMS_TO.into());
    set("dct:identifier", event.id.to_string().into());
    let at = contract::timestamp(event.received_at).to_string();
    set("dpv:isIndicatedAtTime", at.into());
    set("dpv:isIndicatedBy", event.principal.to_string().into());
    let readable = contract::event(event.clone());
    let signal = readable.signal();
    set(
        "dpv:hasIndicationMethod",
        words::word(signal.as_str_name(), "SIGNAL_"),
    );
    let changes = event.changes();
    if !changes.is_empty() {
        set("@type", "dpv:ConsentReceipt".into());
        let namespace = event.namespace.as_ref().map(ToString::to_string);
        set("dpv:hasDataController", namespace.into());
        let tokens = event.tokens.iter().map(|token| {
            let subject = &token.subject;
            json!({
                "@type": format!("refrain:{}", subject.identifier_type),
                "dpv:hasIdentifier": subject.token.to_string(),
            })
        });
        set("dpv:hasDataSubject", tokens.collect());
        let consents = changes.iter().map(|(purpose, change)| {
            let status = match change {
                Change::OptOut => "dpv:ConsentWithdrawn",
                Change::OptIn => "dpv:ConsentGiven",
            };
            json!({ "dpv:hasPurpose": purpose.to_string(), "dpv:hasConsentStatus": status })
        });
        set("dpv:hasConsent", consents.collect());
    }
    set("refrain:event", words::event(&readable));
    let base64 = |bytes: &Vec<u8>| BASE64_STANDARD.encode(bytes);
    set(
        "refrain:proof",
        json!({
            "leaf": base64(&receipt.leaf),
            "inclusion": receipt.inclusion_proof.iter().map(base64).collect::<Vec<_>>(),
            "checkpoint": receipt.checkpoint,
        }),
    );
    Ok(document.into())
}

/// Reads a document, and the receipt that it is of.
pub(super) fn read(json: &[u8]) -> Result<(Value, v1::Receipt), ReceiptInvalid> {
    let malformed = |what: String| ReceiptInvalid::Malformed(what);
    let Strict(document) = serde_json::from_slice(json)
        .map_err(|error| malformed(format!("it is not JSON ({error})")))?;
    let proof = document
        .get("refrain:proof")
        .ok_or_else(|| malformed("it has no `refrain:proof`".to_owned()))?;
    let proof = Proof::deserialize(proof)
        .map_err(|error| malformed(format!("its `refrain:proof` cannot be read ({error})")))?;
    let bytes = |text: &String| {
        let bytes = BASE64_STANDARD.decode(text);
        bytes.map_err(|_| malformed("its proof is not base64".to_owned()))
    };
    let leaf = bytes(&proof.leaf)?;
    let event = contract::event(Event::decode(&leaf)?);
    let receipt = v1::Receipt {
        leaf,
        inclusion_proof: proof
            .inclusion
            .iter()
            .map(bytes)
            .collect::<Result<_, _>>()?,
        checkpoint: proof.checkpoint,
        event: Some(event),
    };
    Ok((document, receipt))
}

//! A receipt, verified offline, and told in the words of people.

use std::path::Path;

use refrain::{
    domain::{Change, Event},
    proof::VerifierKeys,
    receipt::{self, Verified},
};
use serde_json::json;

use crate::cli::{
    exit,
    failure::Failure,
    output::Output,
    paint::{Tone, grouped},
};

/// Verifies the receipt in a file.
pub fn verify(path: &Path, keys: &VerifierKeys, output: &Output) -> Result<u8, Failure> {
    let named = path.display();
    let bytes = std::fs::read(path)
        .map_err(|error| Failure::usage(format!("cannot read {named}: {error}")))?;
    match receipt::verify_json(&bytes, keys) {
        Ok(verified) => {
            show(&verified, &bytes, output)?;
            Ok(exit::OK)
        }
        Err(error) => Err(Failure::other(format!("{named} proves nothing: {error}"))),
    }
}

fn show(verified: &Verified, document: &[u8], output: &Output) -> Result<(), Failure> {
    let Verified {
        event,
        checkpoint,
        key,
    } = verified;
    let document: serde_json::Value = serde_json::from_slice(document).unwrap_or_default();
    let at = document["dpv:isIndicatedAtTime"].as_str();
    let text = || {
        let paint = output.paint;
        let mut lines = vec![format!(
            "{}  {}",
            paint.text(Tone::Good, "recorded"),
            what(event)
        )];
        let namespace = event.namespace.as_ref();
        if let Some(namespace) = namespace {
            lines.push(paint.fact("namespace", namespace));
        }
        for token in &event.tokens {
            let subject = &token.subject;
            let kind = subject.identifier_type.as_str();
            lines.push(paint.fact(kind, subject.token));
        }
        lines.push(paint.fact("event", event.id));
        lines.push(paint.fact("revision", grouped(event.revision)));
        lines.push(paint.fact("received", at.unwrap_or_default()));
        lines.push(paint.fact("by", &event.principal));
        let size = grouped(checkpoint.size);
        lines.push(paint.fact(
            "journal",
            format!("{} with {size} events", checkpoint.origin),
        ));
        lines.push(paint.fact("signed by", key));
        lines.join("\n")
    };
    let json = json!({
        "verified": true,
        "event": document["refrain:event"],
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "root": hex::encode(checkpoint.root),
        "signed_by": key.to_string(),
    });
    output.result(text, &json)
}

/// What was recorded, in one line.
fn what(event: &Event) -> String {
    let changes = event.changes();
    if changes.is_empty() {
        let purposes: Vec<String> = event.purposes.iter().map(ToString::to_string).collect();
        return format!("{:?} {}", event.kind, purposes.join(", "));
    }
    let of = |wanted: Change| {
        let named = changes.iter().filter(|(_, change)| *change == wanted);
        let named: Vec<String> = named.map(|(purpose, _)| purpose.to_string()).collect();
        named.join(", ")
    };
    let parts = [
        ("opted out of", of(Change::OptOut)),
        ("opted in to", of(Change::OptIn)),
    ];
    let parts = parts.into_iter().filter(|(_, names)| !names.is_empty());
    let parts: Vec<String> = parts.map(|(how, names)| format!("{how} {names}")).collect();
    parts.join("; ")
}

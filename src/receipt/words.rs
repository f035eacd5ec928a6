//! An event as JSON, with the members that it has and by the names that REST has for them.

use serde_json::{Value, json};

use crate::proto::v1;

/// The whole event.
pub(super) fn event(event: &v1::Event) -> Value {
    let lifted = event.lifted.iter();
    let lifted = lifted.map(|one| json!({ "service": one.service, "count": one.count }));
    let mut words = json!({
        "id": event.id,
        "revision": event.revision,
        "kind": word(event.kind().as_str_name(), "EVENT_KIND_"),
        "tokens": tokens(&event.tokens),
        "purposes": event.purposes,
        "opted_in_purposes": event.opted_in_purposes,
        "signal": word(event.signal().as_str_name(), "SIGNAL_"),
        "principal": event.principal,
        "lifted": lifted.collect::<Vec<_>>(),
    });
    let optional = [
        ("namespace", event.namespace.clone()),
        ("received_at", moment(event.received_at)),
        ("evidence_sha256", hex::encode(&event.evidence_sha256)),
        ("change_id", event.change_id.clone()),
        ("proposed_by", event.proposed_by.clone()),
        ("service", event.service.clone()),
    ];
    add(&mut words, optional);
    // What only some kinds have.
    let details = [
        ("anomaly", event.anomaly.as_ref().map(anomaly)),
        (
            "anomaly_settings",
            event.anomaly_settings.as_ref().map(anomaly_settings),
        ),
        ("membership", event.membership.as_ref().map(membership)),
        ("violations", event.violations.as_ref().map(violations)),
        (
            "erased_evidence",
            event.erased_evidence.as_ref().map(erased_evidence),
        ),
    ];
    for (name, detail) in details {
        if let Some(detail) = detail {
            words[name] = detail;
        }
    }
    words
}

/// The name of a value of an enumeration, short and in lower case.
pub(super) fn word(name: &str, prefix: &str) -> Value {
    let short = name.strip_prefix(prefix).unwrap_or(name);
    short.to_ascii_lowercase().into()
}

/// Adds the members that say something.
fn add<const N: usize>(words: &mut Value, members: [(&str, String); N]) {
    for (name, value) in members {
        if !value.is_empty() {
            words[name] = value.into();
        }
    }
}

fn moment(at: Option<prost_types::Timestamp>) -> String {
    at.map(|at| at.to_string()).unwrap_or_default()
}

fn tokens(tokens: &[v1::EventToken]) -> Value {
    let tokens = tokens.iter().map(|token| {
        json!({
            "type": token.r#type,
            "token": token.token,
            "previous_revision": token.previous_revision,
        })
    });
    tokens.collect()
}

fn anomaly(found: &v1::Anomaly) -> Value {
    let mut words = json!({
        "kind": word(found.kind().as_str_name(), "ANOMALY_KIND_"),
        "count": found.count,
        "expected": found.expected,
        "window_s": found.window_s,
    });
    let subject = [
        ("type", found.r#type.clone()),
        ("token", found.token.clone()),
    ];
    add(&mut words, subject);
    words
}

fn anomaly_settings(settings: &v1::AnomalySettings) -> Value {
    json!({
        "subject_window_s": settings.subject_window_s,
        "subject_changes": settings.subject_changes,
        "subject_turns": settings.subject_turns,
        "caller_window_s": settings.caller_window_s,
        "caller_changes": settings.caller_changes,
        "repeat_window_s": settings.repeat_window_s,
        "repeats": settings.repeats,
        "import_factor": settings.import_factor,
        "import_rows": settings.import_rows,
    })
}

fn membership(done: &v1::Membership) -> Value {
    json!({
        "node_id": done.node_id,
        "peer_address": done.peer_address,
        "act": word(done.act().as_str_name(), "MEMBERSHIP_ACT_"),
    })
}

fn violations(found: &v1::Violations) -> Value {
    let samples = found.samples.iter().map(|sample| {
        let mut words = json!({ "type": sample.r#type, "token": sample.token });
        let optional = [
            ("processed_at", moment(sample.processed_at)),
            ("opt_out_event_id", sample.opt_out_event_id.clone()),
        ];
        add(&mut words, optional);
        words
    });
    let mut words = json!({
        "service": found.service,
        "kind": word(found.kind().as_str_name(), "VIOLATION_KIND_"),
        "count": found.count,
        "samples": samples.collect::<Vec<_>>(),
    });
    let times = [
        ("first_at", moment(found.first_at)),
        ("last_at", moment(found.last_at)),
    ];
    add(&mut words, times);
    words
}

fn erased_evidence(erased: &v1::ErasedEvidence) -> Value {
    json!({ "tokens": tokens(&erased.tokens), "revisions": erased.revisions })
}

//! From the domain's types to messages.

use prost_types::Timestamp;

use crate::{
    domain::{
        Change, Decision, Detail, Event, EventId, EventKind, Millis, NamespaceSettings,
        Preferences, Purpose, PurposeName, Reason, SchemaFloor, ServiceName, ServiceSeen, Signal,
        Standing, SubjectToken,
    },
    proto::v1,
};

pub(in crate::api) fn timestamp(at: Millis) -> Timestamp {
    let seconds = i64::try_from(at.0 / 1000).unwrap_or(i64::MAX);
    // Less than 10^9, whatever the time.
    let nanos = i32::try_from(at.0 % 1000).unwrap_or_default() * 1_000_000;
    Timestamp { seconds, nanos }
}

pub(in crate::api) fn event_id(id: Option<EventId>) -> String {
    id.map(|id| id.to_string()).unwrap_or_default()
}

pub(in crate::api) fn decision(decision: Decision) -> v1::Decision {
    match decision {
        Decision::Deny => v1::Decision::Deny,
        Decision::Allow => v1::Decision::Allow,
    }
}

pub(in crate::api) fn reason(reason: Reason) -> v1::Reason {
    match reason {
        Reason::OptedOut => v1::Reason::OptedOut,
        Reason::DefaultDeny => v1::Reason::DefaultDeny,
        Reason::OptedIn => v1::Reason::OptedIn,
        Reason::DefaultAllow => v1::Reason::DefaultAllow,
        Reason::Essential => v1::Reason::Essential,
        Reason::Overridden => v1::Reason::Overridden,
    }
}

fn change(change: Change) -> v1::Change {
    match change {
        Change::OptOut => v1::Change::OptOut,
        Change::OptIn => v1::Change::OptIn,
    }
}

fn signal(signal: Signal) -> v1::Signal {
    match signal {
        Signal::User => v1::Signal::User,
        Signal::Gpc => v1::Signal::Gpc,
        Signal::ListUnsubscribe => v1::Signal::ListUnsubscribe,
        Signal::Import => v1::Signal::Import,
        Signal::Operator => v1::Signal::Operator,
        Signal::Probe => v1::Signal::Probe,
    }
}

fn event_kind(kind: EventKind) -> v1::EventKind {
    match kind {
        EventKind::Created => v1::EventKind::Created,
        EventKind::OptOut => v1::EventKind::OptOut,
        EventKind::OptIn => v1::EventKind::OptIn,
        EventKind::Purpose => v1::EventKind::Purpose,
        EventKind::Namespace => v1::EventKind::Namespace,
        EventKind::FeatureLevel => v1::EventKind::FeatureLevel,
        EventKind::Preferences => v1::EventKind::Preferences,
        EventKind::NamespaceSettings => v1::EventKind::NamespaceSettings,
        EventKind::SchemaFloor => v1::EventKind::SchemaFloor,
        EventKind::ChangeProposed => v1::EventKind::ChangeProposed,
        EventKind::ChangeWithdrawn => v1::EventKind::ChangeWithdrawn,
        EventKind::OverrideBegan => v1::EventKind::OverrideBegan,
        EventKind::OverrideRevoked => v1::EventKind::OverrideRevoked,
        EventKind::OverrideEnded => v1::EventKind::OverrideEnded,
        EventKind::StampKey => v1::EventKind::StampKey,
        EventKind::JournalKey => v1::EventKind::JournalKey,
    }
}

pub(in crate::api) fn event(event: Event) -> v1::Event {
    v1::Event {
        id: event.id.to_string(),
        revision: event.revision,
        kind: event_kind(event.kind).into(),
        namespace: event.namespace.map(|it| it.to_string()).unwrap_or_default(),
        tokens: event
            .tokens
            .into_iter()
            .map(|token| v1::EventToken {
                r#type: token.subject.identifier_type.to_string(),
                token: token.subject.token.to_string(),
                previous_revision: token.previous,
            })
            .collect(),
        purposes: event.purposes.iter().map(PurposeName::to_string).collect(),
        signal: signal(event.signal).into(),
        principal: event.principal.to_string(),
        received_at: Some(timestamp(event.received_at)),
        evidence_sha256: event.evidence_sha256.map(Vec::from).unwrap_or_default(),
        opted_in_purposes: match &event.detail {
            Detail::OptedIn(names) => names.iter().map(PurposeName::to_string).collect(),
            _ => Vec::new(),
        },
        change_id: event_id(event.change_id),
        proposed_by: event
            .proposed_by
            .map(|it| it.to_string())
            .unwrap_or_default(),
        lifted: match event.detail {
            Detail::Lifted(totals) => counts(totals),
            _ => Vec::new(),
        },
    }
}

pub(in crate::api) fn standing(standing: &Standing) -> v1::Standing {
    v1::Standing {
        namespace: standing.namespace.to_string(),
        token: standing.token.to_string(),
        purpose: standing.purpose.to_string(),
        change: change(standing.change).into(),
        event_id: standing.event_id.to_string(),
        revision: standing.revision,
        signalled: standing.signalled,
    }
}

/// An identifier as it is stored.
pub(in crate::api) fn identifier(subject: &SubjectToken) -> v1::Identifier {
    v1::Identifier {
        r#type: subject.identifier_type.to_string(),
        form: Some(v1::identifier::Form::Token(subject.token.to_string())),
    }
}

pub(in crate::api) fn settings(settings: &NamespaceSettings) -> v1::NamespaceChange {
    let purposes = settings.gpc_purposes.iter();
    v1::NamespaceChange {
        namespace: settings.namespace.to_string(),
        settings: Some(v1::NamespaceSettings {
            gpc_purposes: purposes.map(PurposeName::to_string).collect(),
        }),
    }
}

pub(in crate::api) fn floor(floor: &SchemaFloor) -> v1::SchemaFloor {
    v1::SchemaFloor {
        purpose: floor
            .purpose
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        version: floor.version,
    }
}

pub(in crate::api) fn counts(totals: Vec<(ServiceName, u64)>) -> Vec<v1::ServiceCount> {
    totals
        .into_iter()
        .map(|(service, count)| v1::ServiceCount {
            service: service.to_string(),
            count,
        })
        .collect()
}

pub(in crate::api) fn service_seen(seen: &ServiceSeen) -> v1::ServiceSeen {
    v1::ServiceSeen {
        service: seen.usage.service.to_string(),
        schema_version: seen.usage.schema_version,
        calls: seen.usage.calls,
        below_floor: seen.usage.below_floor,
        first_seen: Some(timestamp(seen.first_seen)),
        last_seen: Some(timestamp(seen.last_seen)),
    }
}

/// A purpose with the schema floor that stands at it.
pub(in crate::api) fn purpose(purpose: Purpose, schema_floor: u32) -> v1::Purpose {
    v1::Purpose {
        name: purpose.name.to_string(),
        description: purpose.description,
        default_deny: Some(purpose.default_deny),
        essential: purpose.essential,
        schema_version: purpose.schema_version,
        schema_floor,
    }
}

/// A subject's preferences; `asked` gives the tokens their types back.
pub(in crate::api) fn preferences(found: Preferences) -> v1::GetPreferencesResponse {
    let preferences = found
        .records
        .into_iter()
        .map(|record| v1::Preference {
            token: record.subject.token.to_string(),
            r#type: record.subject.identifier_type.to_string(),
            purpose: record.purpose.to_string(),
            change: change(record.change).into(),
            event_id: record.event_id.to_string(),
            revision: record.revision,
            received_at: Some(timestamp(record.received_at)),
            signalled: record.signalled,
        })
        .collect();
    let decisions = found
        .decisions
        .into_iter()
        .map(|decided| v1::PurposeDecision {
            purpose: decided.purpose.to_string(),
            decision: decision(decided.decision).into(),
            reason: reason(decided.reason).into(),
            event_id: event_id(decided.event_id),
        })
        .collect();
    v1::GetPreferencesResponse {
        preferences,
        decisions,
        revision: found.revision,
        last_revision: found.last_revision,
    }
}

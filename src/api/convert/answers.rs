//! From the domain's types to messages.

use crate::{
    domain::{
        Change, Decision, NamespaceSettings, Preferences, Purpose, PurposeName, Reason,
        SchemaFloor, ServiceSeen, Standing, SubjectToken,
    },
    proto::v1,
};

pub(in crate::api) use crate::receipt::contract::{counts, event, event_id, timestamp};

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

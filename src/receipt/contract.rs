//! An event in the words of the contract.

use prost_types::Timestamp;

use crate::{
    domain::{
        Anomaly, AnomalyKind, AnomalySettings, Became, Detail, ErasedEvidence, Event, EventId,
        EventKind, Member, Millis, NodeId, PurposeName, RecordMembership, ServiceName, Signal,
        ViolationKind, Violations,
    },
    proto::v1,
};

pub(crate) fn timestamp(at: Millis) -> Timestamp {
    let seconds = i64::try_from(at.0 / 1000).unwrap_or(i64::MAX);
    // Less than 10^9, whatever the time.
    let nanos = i32::try_from(at.0 % 1000).unwrap_or_default() * 1_000_000;
    Timestamp { seconds, nanos }
}

pub(crate) fn event_id(id: Option<EventId>) -> String {
    id.map(|id| id.to_string()).unwrap_or_default()
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
        EventKind::Membership => v1::EventKind::Membership,
        EventKind::Violation => v1::EventKind::Violation,
        EventKind::Anomaly => v1::EventKind::Anomaly,
        EventKind::AnomalySettings => v1::EventKind::AnomalySettings,
        EventKind::EvidenceErased => v1::EventKind::EvidenceErased,
    }
}

pub(crate) fn event(event: Event) -> v1::Event {
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
        service: event.service.to_string(),
        anomaly: match &event.detail {
            Detail::Anomaly(found) => Some(anomaly(found)),
            _ => None,
        },
        anomaly_settings: match &event.detail {
            Detail::AnomalySettings(settings) => Some(anomaly_settings(*settings)),
            _ => None,
        },
        membership: match &event.detail {
            Detail::Membership(done) => Some(membership(done)),
            Detail::Created(create) => create.founder.as_ref().map(founded),
            _ => None,
        },
        violations: match &event.detail {
            Detail::Violation(found) => Some(violations(found)),
            _ => None,
        },
        erased_evidence: match &event.detail {
            Detail::ErasedEvidence(erased) => Some(erased_evidence(erased)),
            _ => None,
        },
        lifted: match event.detail {
            Detail::Lifted(totals) => counts(totals),
            _ => Vec::new(),
        },
    }
}

fn erased_evidence(erased: &ErasedEvidence) -> v1::ErasedEvidence {
    let tokens = erased.tokens.iter().map(|subject| v1::EventToken {
        r#type: subject.identifier_type.to_string(),
        token: subject.token.to_string(),
        previous_revision: 0,
    });
    v1::ErasedEvidence {
        tokens: tokens.collect(),
        revisions: erased.revisions.clone(),
    }
}

fn membership(done: &RecordMembership) -> v1::Membership {
    let act = match done.became {
        Became::Learner => v1::MembershipAct::Learner,
        Became::Voter => v1::MembershipAct::Voter,
        Became::Removed { forced: false } => v1::MembershipAct::Removed,
        Became::Removed { forced: true } => v1::MembershipAct::RemovedByForce,
    };
    v1::Membership {
        node_id: NodeId(done.node_id).to_string(),
        peer_address: done.peer_address.to_string(),
        act: act.into(),
    }
}

fn founded(founder: &Member) -> v1::Membership {
    v1::Membership {
        node_id: NodeId(founder.node_id).to_string(),
        peer_address: founder.peer_address.to_string(),
        act: v1::MembershipAct::Founded.into(),
    }
}

fn violations(found: &Violations) -> v1::Violations {
    let samples = found.samples.iter().map(|sample| v1::ViolationSample {
        r#type: sample.token.identifier_type.to_string(),
        token: sample.token.token.to_string(),
        processed_at: Some(timestamp(sample.at)),
        opt_out_event_id: event_id(sample.opt_out),
    });
    v1::Violations {
        service: found.service.to_string(),
        kind: violation_kind(found.kind).into(),
        count: found.count,
        first_at: Some(timestamp(found.first_at)),
        last_at: Some(timestamp(found.last_at)),
        samples: samples.collect(),
    }
}

pub(crate) fn violation_kind(kind: ViolationKind) -> v1::ViolationKind {
    match kind {
        ViolationKind::AfterOptOut => v1::ViolationKind::AfterOptOut,
        ViolationKind::StaleStamp => v1::ViolationKind::StaleStamp,
        ViolationKind::ExpiredOverride => v1::ViolationKind::ExpiredOverride,
        ViolationKind::FalseProof => v1::ViolationKind::FalseProof,
        ViolationKind::NoCheck => v1::ViolationKind::NoCheck,
        ViolationKind::BelowFloor => v1::ViolationKind::BelowFloor,
    }
}

pub(crate) fn counts(totals: Vec<(ServiceName, u64)>) -> Vec<v1::ServiceCount> {
    totals
        .into_iter()
        .map(|(service, count)| v1::ServiceCount {
            service: service.to_string(),
            count,
        })
        .collect()
}

fn anomaly(found: &Anomaly) -> v1::Anomaly {
    let subject = found.subject.as_ref();
    v1::Anomaly {
        kind: anomaly_kind(found.kind).into(),
        r#type: subject
            .map(|it| it.identifier_type.to_string())
            .unwrap_or_default(),
        token: subject.map(|it| it.token.to_string()).unwrap_or_default(),
        count: found.count,
        expected: found.expected,
        window_s: found.window_s,
    }
}

pub(crate) fn anomaly_kind(kind: AnomalyKind) -> v1::AnomalyKind {
    match kind {
        AnomalyKind::Flapping => v1::AnomalyKind::Flapping,
        AnomalyKind::ManyChanges => v1::AnomalyKind::ManyChanges,
        AnomalyKind::Burst => v1::AnomalyKind::Burst,
        AnomalyKind::Repeated => v1::AnomalyKind::Repeated,
        AnomalyKind::ImportSize => v1::AnomalyKind::ImportSize,
    }
}

pub(crate) fn anomaly_settings(settings: AnomalySettings) -> v1::AnomalySettings {
    v1::AnomalySettings {
        subject_window_s: settings.subject_window_s,
        subject_changes: settings.subject_changes,
        subject_turns: settings.subject_turns,
        caller_window_s: settings.caller_window_s,
        caller_changes: settings.caller_changes,
        repeat_window_s: settings.repeat_window_s,
        repeats: settings.repeats,
        import_factor: settings.import_factor,
        import_rows: settings.import_rows,
    }
}

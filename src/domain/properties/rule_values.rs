//! Random values of what rules are stored: floors, proposed changes, signals, reports of usage.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::values::*;
use crate::domain::*;

pub(super) fn services() -> impl Strategy<Value = ServiceName> {
    "[a-zA-Z0-9._-]{0,128}".prop_map(|text| ServiceName::parse(&text).unwrap())
}

pub(super) fn floors() -> impl Strategy<Value = SchemaFloor> {
    (option::of(purpose_names()), any::<u32>())
        .prop_map(|(purpose, version)| SchemaFloor { purpose, version })
}

pub(super) fn proposed() -> impl Strategy<Value = ProposedChange> {
    let terms = (
        namespaces(),
        vec(purpose_names(), 0..3),
        vec(services(), 0..3),
        option::of(subject_tokens()),
        "\\PC{0,40}",
        times(),
    )
        .prop_map(
            |(namespace, purposes, services, subject, reason, expires_at)| OverrideTerms {
                namespace,
                purposes,
                services,
                subject,
                reason,
                expires_at,
            },
        );
    prop_oneof![
        terms.prop_map(ProposedChange::Override),
        purposes().prop_map(ProposedChange::Purpose),
        floors().prop_map(ProposedChange::SchemaFloor),
        (namespaces(), vec(purpose_names(), 0..4)).prop_map(|(namespace, gpc_purposes)| {
            ProposedChange::Settings(NamespaceSettings {
                namespace,
                gpc_purposes,
            })
        }),
    ]
}

fn credentials() -> impl Strategy<Value = Credential> {
    any::<[u8; 16]>().prop_map(Credential)
}

pub(super) fn bases() -> impl Strategy<Value = Basis> {
    (credentials(), any::<u32>(), option::of(proposed())).prop_map(
        |(credential, max_minutes, stood)| Basis {
            credential,
            max_minutes,
            stood: stood.map(Box::new),
        },
    )
}

pub(super) fn reports() -> impl Strategy<Value = ReportUsage> {
    let usage = (services(), any::<u32>(), any::<u64>(), any::<u64>()).prop_map(
        |(service, schema_version, calls, below_floor)| ServiceUsage {
            service,
            schema_version,
            calls,
            below_floor,
        },
    );
    let lifted =
        (event_ids(), services(), any::<u64>()).prop_map(|(override_id, service, count)| Lifted {
            override_id,
            service,
            count,
        });
    (any::<[u64; 3]>(), vec(usage, 0..3), vec(lifted, 0..3)).prop_map(
        |([node_id, start, number], services, lifted)| ReportUsage {
            node_id,
            start,
            number,
            services,
            lifted,
        },
    )
}

pub(super) fn anomalies() -> impl Strategy<Value = Anomaly> {
    (
        select(AnomalyKind::ALL.to_vec()),
        option::of(subject_tokens()),
        any::<[u64; 2]>(),
        any::<u32>(),
    )
        .prop_map(|(kind, subject, [count, expected], window_s)| Anomaly {
            kind,
            subject,
            count,
            expected,
            window_s,
        })
}

pub(super) fn erased() -> impl Strategy<Value = ErasedEvidence> {
    (vec(subject_tokens(), 0..4), vec(any::<u64>(), 0..5))
        .prop_map(|(tokens, revisions)| ErasedEvidence { tokens, revisions })
}

fn wrapping_ids() -> impl Strategy<Value = WrappingId> {
    any::<[u8; 16]>().prop_map(WrappingId)
}

fn addresses() -> impl Strategy<Value = PeerAddress> {
    "[!-~]{0,40}".prop_map(|text| PeerAddress::parse(&text).unwrap())
}

pub(super) fn members() -> impl Strategy<Value = Member> {
    (any::<u64>(), addresses(), any::<bool>()).prop_map(|(node_id, peer_address, voter)| Member {
        node_id,
        peer_address,
        voter,
    })
}

pub(super) fn memberships() -> impl Strategy<Value = RecordMembership> {
    let became = select(vec![
        Became::Learner,
        Became::Voter,
        Became::Removed { forced: false },
        Became::Removed { forced: true },
    ]);
    (any::<u64>(), addresses(), became).prop_map(|(node_id, peer_address, became)| {
        RecordMembership {
            node_id,
            peer_address,
            became,
        }
    })
}

pub(super) fn anomaly_settings() -> impl Strategy<Value = AnomalySettings> {
    any::<[u32; 9]>().prop_map(|of| AnomalySettings {
        subject_window_s: of[0],
        subject_changes: of[1],
        subject_turns: of[2],
        caller_window_s: of[3],
        caller_changes: of[4],
        repeat_window_s: of[5],
        repeats: of[6],
        import_factor: of[7],
        import_rows: of[8],
    })
}

pub(super) fn violations() -> impl Strategy<Value = Violations> {
    let sample = (subject_tokens(), any::<u64>(), option::of(event_ids())).prop_map(
        |(token, at, opt_out)| Sample {
            token,
            at: Millis(at),
            opt_out,
        },
    );
    (
        (namespaces(), services(), purpose_names(), principals()),
        select(ViolationKind::ALL.to_vec()),
        any::<[u64; 3]>(),
        vec(sample, 0..3),
    )
        .prop_map(
            |(
                (namespace, service, purpose, reported_by),
                kind,
                [count, first_at, last_at],
                samples,
            )| {
                Violations {
                    namespace,
                    service,
                    purpose,
                    kind,
                    count,
                    first_at: Millis(first_at),
                    last_at: Millis(last_at),
                    samples,
                    reported_by,
                }
            },
        )
}

fn violation_reports() -> impl Strategy<Value = ReportViolations> {
    (
        any::<[u64; 3]>(),
        vec((services(), any::<u64>()), 0..3),
        vec(violations(), 0..3),
    )
        .prop_map(
            |([node_id, start, number], judged, found)| ReportViolations {
                node_id,
                start,
                number,
                judged,
                found,
            },
        )
}

pub(super) fn kinds() -> impl Strategy<Value = ChangeKind> {
    select(vec![ChangeKind::Override, ChangeKind::Registry])
}

/// What came after the first release of the encodings.
pub(super) fn later_bodies() -> impl Strategy<Value = Body> {
    let signal = (
        request_ids(),
        namespaces(),
        vec(subject_tokens(), 0..4),
        signals(),
        (any::<u32>(), services()),
    )
        .prop_map(
            |(request_id, namespace, tokens, signal, (schema_version, service))| {
                Body::ReportSignal(ReportSignal {
                    request_id,
                    namespace,
                    tokens,
                    signal,
                    schema_version,
                    service,
                })
            },
        );
    prop_oneof![
        signal,
        (request_ids(), namespaces(), vec(purpose_names(), 0..4)).prop_map(
            |(request_id, namespace, gpc_purposes)| Body::ConfigureNamespace(ConfigureNamespace {
                request_id,
                namespace,
                gpc_purposes,
            })
        ),
        (request_ids(), floors()).prop_map(|(request_id, floor)| Body::SetSchemaFloor(
            SetSchemaFloor { request_id, floor }
        )),
        (
            request_ids(),
            proposed(),
            any::<u32>(),
            option::of(credentials())
        )
            .prop_map(|(request_id, change, max_minutes, credential)| {
                Body::Propose(Propose {
                    request_id,
                    change,
                    max_minutes,
                    credential,
                })
            }),
        (
            request_ids(),
            event_ids(),
            kinds(),
            option::of(any::<u32>()),
            option::of(credentials())
        )
            .prop_map(|(request_id, change_id, kind, max_minutes, credential)| {
                Body::Approve(Approve {
                    request_id,
                    change_id,
                    kind,
                    max_minutes,
                    credential,
                })
            }),
        (request_ids(), event_ids(), kinds()).prop_map(|(request_id, change_id, kind)| {
            Body::Withdraw(Withdraw {
                request_id,
                change_id,
                kind,
            })
        }),
        (any::<u64>(), any::<[u8; 32]>()).prop_map(|(node_id, public_key)| Body::AddStampKey(
            AddStampKey {
                node_id,
                public_key
            }
        )),
        any::<u64>().prop_map(|node_id| Body::RetireStampKeys(RetireStampKeys { node_id })),
        (any::<u64>(), any::<[u8; 32]>()).prop_map(|(node_id, public_key)| {
            Body::AddJournalKey(AddJournalKey {
                node_id,
                public_key,
            })
        }),
        any::<u64>().prop_map(|node_id| Body::RetireJournalKey(RetireJournalKey { node_id })),
        memberships().prop_map(Body::RecordMembership),
        reports().prop_map(Body::ReportUsage),
        (request_ids(), namespaces(), vec(subject_tokens(), 0..4)).prop_map(
            |(request_id, namespace, tokens)| {
                Body::EraseEvidence(EraseEvidence {
                    request_id,
                    namespace,
                    tokens,
                })
            }
        ),
        (wrapping_ids(), vec((any::<u64>(), wrapped_keys()), 0..4))
            .prop_map(|(from, keys)| Body::RewrapEvidence(RewrapEvidence { from, keys })),
        (
            any::<[u64; 2]>(),
            vec(wrapping_ids(), 0..4),
            vec(any::<u64>(), 0..4)
        )
            .prop_map(|([node_id, since], retired, given_up)| {
                Body::RotateWrappingKey(RotateWrappingKey {
                    node_id,
                    since,
                    retired,
                    given_up,
                })
            }),
        violation_reports().prop_map(Body::ReportViolations),
        (request_ids(), anomaly_settings()).prop_map(|(request_id, settings)| {
            Body::ConfigureAnomalies(ConfigureAnomalies {
                request_id,
                settings,
            })
        }),
    ]
}

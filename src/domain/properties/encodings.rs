//! Every stored encoding is read as it was written, and no bytes at all make a decoder panic.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::rule_values::*;
use super::values::*;
use crate::domain::*;

fn bodies() -> impl Strategy<Value = Body> {
    let imports = (
        request_ids(),
        namespaces(),
        any::<u32>(),
        any::<u64>(),
        vec(rows(), 0..4),
    )
        .prop_map(|(import_id, namespace, schema_version, first_row, rows)| {
            Body::ImportChunk(ImportChunk {
                import_id,
                namespace,
                schema_version,
                first_row,
                rows,
            })
        });
    prop_oneof![
        later_bodies(),
        creates().prop_map(Body::Create),
        set_preferences().prop_map(Body::SetPreference),
        imports,
        (request_ids(), purposes()).prop_map(|(request_id, purpose)| Body::PutPurpose(
            PutPurpose {
                request_id,
                purpose
            }
        )),
        (request_ids(), namespaces()).prop_map(|(request_id, namespace)| Body::AddNamespace(
            AddNamespace {
                request_id,
                namespace
            }
        )),
        (0..=FEATURE_LEVEL).prop_map(|level| Body::RaiseFeatureLevel(RaiseFeatureLevel { level })),
    ]
}

fn refusals() -> impl Strategy<Value = Refusal> {
    select(refusal::every())
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        (event_ids(), any::<u64>(), any::<bool>(), times()).prop_map(
            |(event_id, revision, changed, received_at)| {
                Outcome::Preference {
                    event_id,
                    revision,
                    changed,
                    received_at,
                }
            }
        ),
        (
            event_ids(),
            any::<u64>(),
            any::<bool>(),
            times(),
            vec(purpose_names(), 0..3)
        )
            .prop_map(|(event_id, revision, changed, received_at, purposes)| {
                Outcome::Signal {
                    event_id,
                    revision,
                    changed,
                    received_at,
                    purposes,
                }
            }),
        (any::<[u64; 5]>(), vec((any::<u64>(), refusals()), 0..5)).prop_map(
            |([changed, unchanged, skipped, next_row, revision], refusals)| Outcome::Import {
                changed,
                unchanged,
                skipped,
                refusals,
                next_row,
                revision,
            }
        ),
        (
            option::of(event_ids()),
            any::<u64>(),
            any::<bool>(),
            option::of(purposes())
        )
            .prop_map(|(event_id, revision, changed, purpose)| Outcome::Registry {
                event_id,
                revision,
                changed,
                purpose
            }),
        any::<u64>().prop_map(|revision| Outcome::Done { revision }),
    ]
}

fn details() -> impl Strategy<Value = (EventKind, Detail)> {
    prop_oneof![
        select(vec![
            EventKind::OptOut,
            EventKind::OptIn,
            EventKind::Namespace,
            EventKind::ChangeWithdrawn,
            EventKind::OverrideBegan,
            EventKind::OverrideRevoked
        ])
        .prop_map(|kind| (kind, Detail::None)),
        creates().prop_map(|create| (EventKind::Created, Detail::Created(Box::new(create)))),
        purposes().prop_map(|purpose| (EventKind::Purpose, Detail::Purpose(Box::new(purpose)))),
        any::<u32>().prop_map(|level| (EventKind::FeatureLevel, Detail::FeatureLevel(level))),
        vec(purpose_names(), 0..4)
            .prop_map(|names| (EventKind::Preferences, Detail::OptedIn(names))),
        vec(purpose_names(), 0..4)
            .prop_map(|names| (EventKind::NamespaceSettings, Detail::Settings(names))),
        floors().prop_map(|floor| (EventKind::SchemaFloor, Detail::SchemaFloor(floor))),
        (proposed(), option::of(bases())).prop_map(|(change, basis)| (
            EventKind::ChangeProposed,
            Detail::Proposed(Box::new(change), basis)
        )),
        vec((services(), any::<u64>()), 0..4)
            .prop_map(|totals| (EventKind::OverrideEnded, Detail::Lifted(totals))),
        (any::<u64>(), option::of(any::<[u8; 32]>())).prop_map(|(node_id, public_key)| (
            EventKind::StampKey,
            Detail::StampKey {
                node_id,
                public_key
            }
        )),
        memberships().prop_map(|done| (EventKind::Membership, Detail::Membership(done))),
        violations().prop_map(|found| (EventKind::Violation, Detail::Violation(Box::new(found)))),
        anomalies().prop_map(|found| (EventKind::Anomaly, Detail::Anomaly(Box::new(found)))),
        anomaly_settings().prop_map(|it| (EventKind::AnomalySettings, Detail::AnomalySettings(it))),
        erased().prop_map(|it| (
            EventKind::EvidenceErased,
            Detail::ErasedEvidence(Box::new(it))
        )),
        (any::<u64>(), option::of(any::<[u8; 32]>())).prop_map(|(node_id, public_key)| (
            EventKind::JournalKey,
            Detail::JournalKey {
                node_id,
                public_key
            }
        )),
    ]
}

fn events() -> impl Strategy<Value = Event> {
    let tokens = (subject_tokens(), any::<u64>())
        .prop_map(|(subject, previous)| EventToken { subject, previous });
    (
        (
            event_ids(),
            any::<u64>(),
            details(),
            option::of(namespaces()),
            vec(tokens, 0..4),
        ),
        (
            vec(purpose_names(), 0..4),
            signals(),
            principals(),
            times(),
            option::of(any::<[u8; 32]>()),
            (
                option::of(event_ids()),
                option::of(principals()),
                services(),
            ),
        ),
    )
        .prop_map(
            |(
                (id, revision, (kind, detail), namespace, tokens),
                (
                    purposes,
                    signal,
                    principal,
                    received_at,
                    evidence_sha256,
                    (change_id, proposed_by, service),
                ),
            )| Event {
                id,
                revision,
                kind,
                namespace,
                tokens,
                purposes,
                signal,
                principal,
                received_at,
                evidence_sha256,
                detail,
                change_id,
                proposed_by,
                service,
            },
        )
}

proptest! {
    #[test]
    fn commands_and_proposals(body in bodies(), principal in principals(), at in times(), event_id in event_ids()) {
        let proposal = Proposal { principal, body };
        let decoded = Proposal::decode(&proposal.encode()).unwrap();
        prop_assert_eq!(&decoded, &proposal);
        let command = proposal.into_command(at, event_id);
        let decoded = Command::decode(&command.encode()).unwrap();
        prop_assert_eq!(&decoded, &command);
    }

    #[test]
    fn replies(reply in prop_oneof![outcomes().prop_map(Ok), refusals().prop_map(Err)]) {
        let decoded = decode_reply(&encode_reply(&reply)).unwrap();
        prop_assert_eq!(&decoded, &reply);
        prop_assert_eq!(encode_reply(&decoded), encode_reply(&reply));
    }

    #[test]
    fn leaves(event in events()) {
        let leaf = event.encode();
        let decoded = Event::decode(&leaf).unwrap();
        prop_assert_eq!(&decoded, &event);
        prop_assert_eq!(decoded.encode(), leaf);
    }

    #[test]
    fn evidence(statement in "\\PC{1,200}", secret: [u8; 32], random in vec(any::<u8>(), SEALING_RANDOM_BYTES)) {
        prop_assume!(!statement.trim().is_empty());
        let evidence = Evidence { statement, ..Evidence::default() };
        let sealer = SealingKey::new(&secret).sealer(1, &secret);
        let sealed = sealer.seal(&evidence, &random.try_into().unwrap()).unwrap();
        prop_assert_eq!(sealer.unseal(&sealed.bytes, &sealed.key), Ok(evidence));
    }

    #[test]
    fn tokens_as_text(generation in 1..=u16::MAX, bytes: [u8; 16]) {
        let token = Token { generation, bytes };
        prop_assert_eq!(Token::parse(&token.to_string()), Ok(token));
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in vec(any::<u8>(), 0..200)) {
        let _ = Command::decode(&bytes);
        let _ = Proposal::decode(&bytes);
        let _ = Event::decode(&bytes);
        let _ = decode_reply(&bytes);
        let _ = State::from_chunks([Ok::<_, ()>(bytes)]);
    }

    #[test]
    fn nor_does_a_flipped_bit(event in events(), body in bodies(), at: prop::sample::Index, bit in 0..8) {
        let mut leaf = event.encode();
        let place = at.index(leaf.len());
        leaf[place] ^= 1_u8 << bit;
        let _ = Event::decode(&leaf);
        let proposal = Proposal { principal: event.principal, body };
        let mut bytes = proposal.encode().to_vec();
        let place = at.index(bytes.len());
        bytes[place] ^= 1_u8 << bit;
        let _ = Proposal::decode(&bytes);
    }
}

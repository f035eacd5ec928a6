//! Every stored encoding is read as it was written, and no bytes at all make a decoder panic.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::domain::*;

fn purpose_names() -> impl Strategy<Value = PurposeName> {
    "[a-z][a-z0-9_]{0,9}(\\.[a-z][a-z0-9_]{0,9}){0,7}|\\*"
        .prop_map(|text| PurposeName::parse(&text).unwrap())
}

fn namespaces() -> impl Strategy<Value = Namespace> {
    "[a-z0-9][a-z0-9_-]{0,63}".prop_map(|text| Namespace::parse(&text).unwrap())
}

fn principals() -> impl Strategy<Value = Principal> {
    "[!-~]{1,128}".prop_map(|text| Principal::parse(&text).unwrap())
}

fn subject_tokens() -> impl Strategy<Value = SubjectToken> {
    ("[a-z][a-z0-9_]{0,31}", any::<u16>(), any::<[u8; 16]>()).prop_map(
        |(text, generation, bytes)| SubjectToken {
            identifier_type: IdentifierType::parse(&text).unwrap(),
            token: Token { generation, bytes },
        },
    )
}

fn times() -> impl Strategy<Value = Millis> {
    (0..=Millis::MAX.0).prop_map(Millis)
}

fn event_ids() -> impl Strategy<Value = EventId> {
    (times(), any::<[u8; 10]>()).prop_map(|(at, random)| EventId::new(at, random))
}

fn request_ids() -> impl Strategy<Value = RequestId> {
    event_ids().prop_map(|id| RequestId(id.0))
}

fn purposes() -> impl Strategy<Value = Purpose> {
    (
        purpose_names(),
        "\\PC{0,40}",
        any::<bool>(),
        any::<bool>(),
        any::<u32>(),
    )
        .prop_map(
            |(name, description, default_deny, essential, schema_version)| Purpose {
                name,
                description,
                default_deny,
                essential,
                schema_version,
            },
        )
}

fn signals() -> impl Strategy<Value = Signal> {
    select(vec![
        Signal::User,
        Signal::Gpc,
        Signal::ListUnsubscribe,
        Signal::Import,
        Signal::Operator,
        Signal::Probe,
    ])
}

fn creates() -> impl Strategy<Value = Create> {
    (
        any::<[u8; 16]>(),
        any::<[u8; 16]>(),
        vec(purposes(), 0..4),
        vec(namespaces(), 0..3),
        0..=FEATURE_LEVEL,
    )
        .prop_map(
            |(cluster_id, fingerprint, purposes, namespaces, feature_level)| Create {
                cluster_id,
                key_fingerprint: KeyFingerprint(fingerprint),
                purposes,
                namespaces,
                feature_level,
            },
        )
}

fn sealed() -> impl Strategy<Value = SealedEvidence> {
    (vec(any::<u8>(), 0..80), any::<[u8; 16]>()).prop_map(|(bytes, digest)| SealedEvidence {
        bytes: bytes.into(),
        digest,
    })
}

fn set_preferences() -> impl Strategy<Value = SetPreference> {
    (
        (
            request_ids(),
            namespaces(),
            vec(subject_tokens(), 0..4),
            vec(purpose_names(), 0..4),
        ),
        (
            any::<bool>(),
            signals(),
            any::<u32>(),
            any::<u64>(),
            option::of(sealed()),
        ),
    )
        .prop_map(
            |(
                (request_id, namespace, tokens, purposes),
                (out, signal, schema_version, min_revision, evidence),
            )| {
                SetPreference {
                    request_id,
                    namespace,
                    tokens,
                    purposes,
                    change: if out { Change::OptOut } else { Change::OptIn },
                    signal,
                    schema_version,
                    min_revision,
                    evidence,
                }
            },
        )
}

fn rows() -> impl Strategy<Value = ImportRow> {
    option::weighted(
        0.8,
        (vec(subject_tokens(), 0..3), vec(purpose_names(), 0..3)),
    )
    .prop_map(|row| {
        row.map_or(ImportRow::Refused, |(tokens, purposes)| ImportRow::OptOut {
            tokens,
            purposes,
        })
    })
}

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
            EventKind::Namespace
        ])
        .prop_map(|kind| (kind, Detail::None)),
        creates().prop_map(|create| (EventKind::Created, Detail::Created(Box::new(create)))),
        purposes().prop_map(|purpose| (EventKind::Purpose, Detail::Purpose(Box::new(purpose)))),
        any::<u32>().prop_map(|level| (EventKind::FeatureLevel, Detail::FeatureLevel(level))),
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
        ),
    )
        .prop_map(
            |(
                (id, revision, (kind, detail), namespace, tokens),
                (purposes, signal, principal, received_at, evidence_sha256),
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
        let key = SealingKey::new(&secret);
        let sealed = key.seal(&evidence, &random.try_into().unwrap()).unwrap();
        prop_assert_eq!(key.unseal(&sealed.bytes), Ok(evidence));
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

//! Random values of what is stored: names, ids, tokens, preferences, imports.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::rule_values::{members, services};

use crate::domain::*;

pub(super) fn purpose_names() -> impl Strategy<Value = PurposeName> {
    "[a-z][a-z0-9_]{0,9}(\\.[a-z][a-z0-9_]{0,9}){0,7}|\\*"
        .prop_map(|text| PurposeName::parse(&text).unwrap())
}

pub(super) fn namespaces() -> impl Strategy<Value = Namespace> {
    "[a-z0-9][a-z0-9_-]{0,63}".prop_map(|text| Namespace::parse(&text).unwrap())
}

pub(super) fn principals() -> impl Strategy<Value = Principal> {
    "[!-~]{1,128}".prop_map(|text| Principal::parse(&text).unwrap())
}

pub(super) fn subject_tokens() -> impl Strategy<Value = SubjectToken> {
    ("[a-z][a-z0-9_]{0,31}", any::<u16>(), any::<[u8; 16]>()).prop_map(
        |(text, generation, bytes)| SubjectToken {
            identifier_type: IdentifierType::parse(&text).unwrap(),
            token: Token { generation, bytes },
        },
    )
}

pub(super) fn times() -> impl Strategy<Value = Millis> {
    (0..=Millis::MAX.0).prop_map(Millis)
}

pub(super) fn event_ids() -> impl Strategy<Value = EventId> {
    (times(), any::<[u8; 10]>()).prop_map(|(at, random)| EventId::new(at, random))
}

pub(super) fn request_ids() -> impl Strategy<Value = RequestId> {
    event_ids().prop_map(|id| RequestId(id.0))
}

pub(super) fn purposes() -> impl Strategy<Value = Purpose> {
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

pub(super) fn signals() -> impl Strategy<Value = Signal> {
    select(vec![
        Signal::User,
        Signal::Gpc,
        Signal::ListUnsubscribe,
        Signal::Import,
        Signal::Operator,
        Signal::Probe,
    ])
}

pub(super) fn creates() -> impl Strategy<Value = Create> {
    (
        any::<[u8; 16]>(),
        any::<[u8; 16]>(),
        vec(purposes(), 0..4),
        vec(namespaces(), 0..3),
        0..=FEATURE_LEVEL,
        option::of(members()),
    )
        .prop_map(
            |(cluster_id, fingerprint, purposes, namespaces, feature_level, founder)| Create {
                cluster_id,
                key_fingerprint: KeyFingerprint(fingerprint),
                purposes,
                namespaces,
                feature_level,
                founder,
            },
        )
}

pub(super) fn sealed() -> impl Strategy<Value = SealedEvidence> {
    (vec(any::<u8>(), 0..80), any::<[u8; 16]>(), wrapped_keys()).prop_map(|(bytes, digest, key)| {
        SealedEvidence {
            bytes: bytes.into(),
            digest,
            key,
        }
    })
}

pub(super) fn wrapped_keys() -> impl Strategy<Value = WrappedKey> {
    (any::<[u8; 16]>(), any::<[u8; 24]>(), any::<u8>()).prop_map(|(under, nonce, byte)| {
        WrappedKey {
            under: WrappingId(under),
            nonce,
            wrapped: [byte; 48],
        }
    })
}

pub(super) fn set_preferences() -> impl Strategy<Value = SetPreference> {
    (
        (
            request_ids(),
            namespaces(),
            vec(subject_tokens(), 0..4),
            vec(purpose_names(), 0..4),
        ),
        (
            vec(purpose_names(), 0..3),
            signals(),
            any::<u32>(),
            (any::<u64>(), option::of(any::<u64>())),
            (option::of(sealed()), services()),
        ),
    )
        .prop_map(
            |(
                (request_id, namespace, tokens, opt_out),
                (
                    opt_in,
                    signal,
                    schema_version,
                    (min_revision, if_last_revision),
                    (evidence, service),
                ),
            )| {
                SetPreference {
                    request_id,
                    namespace,
                    tokens,
                    opt_out,
                    opt_in,
                    signal,
                    schema_version,
                    min_revision,
                    if_last_revision,
                    evidence,
                    service,
                }
            },
        )
}

pub(super) fn rows() -> impl Strategy<Value = ImportRow> {
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

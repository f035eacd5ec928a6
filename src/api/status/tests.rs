//! The table, held by a golden file: a reason, once given, is a promise to every client.

use std::{collections::BTreeSet, path::Path};

use super::*;
use crate::{
    admission::{Denied, Permission, Unauthenticated},
    authority::{AdminError, WriteError},
    domain::Principal,
};

/// One of every refusal. The match has no wildcard, so that a new one cannot be forgotten here.
fn refusals() -> Vec<Refusal> {
    let name = || "x".to_owned();
    let all = vec![
        Refusal::NamespaceInvalid,
        Refusal::NamespaceUnknown { namespace: name() },
        Refusal::PurposeInvalid { why: "why" },
        Refusal::PurposeUnknown { purpose: name() },
        Refusal::PurposeEssential { purpose: name() },
        Refusal::ParentUnknown { purpose: name() },
        Refusal::EssentialMisplaced { purpose: name() },
        Refusal::WidensAllow { what: name() },
        Refusal::RegistryFull {
            what: "purposes",
            limit: 1,
        },
        Refusal::IdentifierInvalid { why: "why" },
        Refusal::IdentifiersRequired,
        Refusal::TooManyIdentifiers,
        Refusal::DuplicateIdentifier,
        Refusal::PurposesRequired,
        Refusal::TooManyPurposes,
        Refusal::DuplicatePurpose,
        Refusal::PrincipalInvalid,
        Refusal::RequestIdInvalid { why: "why" },
        Refusal::RequestIdReused,
        Refusal::RequestIdExpired,
        Refusal::TooManyRequests,
        Refusal::SchemaUnknown { asked: 2, known: 1 },
        Refusal::SchemaTooOld {
            asked: 1,
            needed: 2,
        },
        Refusal::SubjectChanged { asked: 1, last: 2 },
        Refusal::ServiceInvalid,
        Refusal::OverridesOff,
        Refusal::OverrideInvalid { why: "why" },
        Refusal::OverrideExpiryInvalid { minutes: 60 },
        Refusal::SecondPrincipalRequired,
        Refusal::ChangeOutdated,
        Refusal::ChangeUnknown,
        Refusal::ProcessedAhead,
        Refusal::ThresholdInvalid {
            what: "repeats",
            bounds: "2 to 1,000,000, or 0 for never",
        },
        Refusal::ChangeWidensNothing,
        Refusal::TooManyChanges {
            what: "overrides",
            limit: 1,
        },
        Refusal::SignalUnconfigured,
        Refusal::StampKeyInvalid { why: "why" },
        Refusal::JournalKeyInvalid { why: "why" },
        Refusal::RevisionAhead {
            asked: 2,
            reached: 1,
        },
        Refusal::RevisionCompacted {
            asked: 1,
            earliest: 2,
        },
        Refusal::SignalInvalid { why: "why" },
        Refusal::EvidenceRequired,
        Refusal::EvidenceOutdated,
        Refusal::EvidenceFull { limit: 1 },
        Refusal::EvidenceInvalid { why: "why" },
        Refusal::ImportRowsRequired,
        Refusal::ImportChunkTooLarge,
        Refusal::ImportGap {
            first_row: 2,
            next_row: 1,
        },
        Refusal::CommandTooLarge,
        Refusal::ClusterAlreadyInitialised,
        Refusal::ClusterNotInitialised,
        Refusal::FeatureLevelUnknown { level: 9 },
        Refusal::StateInconsistent { what: "what" },
        Refusal::relayed("FROM_A_LATER_VERSION", name(), RefusalKind::Precondition),
    ];
    for refusal in &all {
        match refusal {
            Refusal::NamespaceInvalid
            | Refusal::NamespaceUnknown { .. }
            | Refusal::PurposeInvalid { .. }
            | Refusal::PurposeUnknown { .. }
            | Refusal::PurposeEssential { .. }
            | Refusal::ParentUnknown { .. }
            | Refusal::EssentialMisplaced { .. }
            | Refusal::WidensAllow { .. }
            | Refusal::RegistryFull { .. }
            | Refusal::IdentifierInvalid { .. }
            | Refusal::IdentifiersRequired
            | Refusal::TooManyIdentifiers
            | Refusal::DuplicateIdentifier
            | Refusal::PurposesRequired
            | Refusal::TooManyPurposes
            | Refusal::DuplicatePurpose
            | Refusal::PrincipalInvalid
            | Refusal::RequestIdInvalid { .. }
            | Refusal::RequestIdReused
            | Refusal::RequestIdExpired
            | Refusal::TooManyRequests
            | Refusal::SchemaUnknown { .. }
            | Refusal::SchemaTooOld { .. }
            | Refusal::SubjectChanged { .. }
            | Refusal::ServiceInvalid
            | Refusal::OverridesOff
            | Refusal::OverrideInvalid { .. }
            | Refusal::OverrideExpiryInvalid { .. }
            | Refusal::SecondPrincipalRequired
            | Refusal::ChangeOutdated
            | Refusal::ChangeUnknown
            | Refusal::ProcessedAhead
            | Refusal::ThresholdInvalid { .. }
            | Refusal::ChangeWidensNothing
            | Refusal::TooManyChanges { .. }
            | Refusal::SignalUnconfigured
            | Refusal::StampKeyInvalid { .. }
            | Refusal::JournalKeyInvalid { .. }
            | Refusal::RevisionAhead { .. }
            | Refusal::RevisionCompacted { .. }
            | Refusal::SignalInvalid { .. }
            | Refusal::EvidenceRequired
            | Refusal::EvidenceOutdated
            | Refusal::EvidenceFull { .. }
            | Refusal::EvidenceInvalid { .. }
            | Refusal::ImportRowsRequired
            | Refusal::ImportChunkTooLarge
            | Refusal::ImportGap { .. }
            | Refusal::CommandTooLarge
            | Refusal::ClusterAlreadyInitialised
            | Refusal::ClusterNotInitialised
            | Refusal::FeatureLevelUnknown { .. }
            | Refusal::StateInconsistent { .. }
            | Refusal::Relayed { .. } => {}
        }
    }
    all
}

fn administrative() -> Vec<AdminError> {
    let text = || "x".to_owned();
    vec![
        AdminError::Write(WriteError::Unknown {
            why: Unavailable::LeaderLost,
        }),
        AdminError::NodeUnknown { id: text() },
        AdminError::NodeAmbiguous { id: text() },
        AdminError::AddressInvalid { address: text() },
        AdminError::Unreachable {
            address: text(),
            why: text(),
        },
        AdminError::OtherCluster { address: text() },
        AdminError::TokenKeyDiffers { address: text() },
        AdminError::FeatureLevelTooLow {
            address: text(),
            known: 1,
            needed: 2,
        },
        AdminError::JournalAtRisk,
        AdminError::LastVoter,
        AdminError::NotAVoter { id: text() },
        AdminError::NotCaughtUp { id: text() },
        AdminError::AddressTaken {
            address: text(),
            id: text(),
        },
        AdminError::NoOtherVoter,
        AdminError::TransferFailed { id: text() },
        AdminError::TooManyMembers,
        AdminError::ChangeInProgress,
    ]
}

fn failures() -> Vec<Failure> {
    let denied = Denied {
        principal: Principal::parse("somebody").expect("name"),
        permission: Permission::OptIn,
        reach: String::new(),
    };
    let mut all: Vec<Failure> = refusals().into_iter().map(Failure::from).collect();
    all.extend(Input::ALL.map(Failure::from));
    all.push(Unauthenticated::Elsewhere.into());
    all.push(denied.into());
    all.extend(Unavailable::ALL.map(Failure::from));
    all.extend(Unavailable::ALL.map(Failure::Unknown));
    all.extend(
        [
            FeedEnd::Compacted {
                asked: 1,
                earliest: 2,
            },
            FeedEnd::Stopping,
            FeedEnd::Deadline,
            FeedEnd::Unreadable,
        ]
        .map(Failure::from),
    );
    all.extend(administrative().into_iter().map(Failure::from));
    all.extend(
        [
            Transport::MessageInvalid {
                why: "why".to_owned(),
            },
            Transport::MessageTooLarge,
            Transport::MessageMissing,
            Transport::MethodUnknown,
            Transport::EncodingUnknown,
            Transport::MessageSlow,
            Transport::MediaTypeUnknown,
            Transport::PathInvalid,
            Transport::QueryInvalid {
                why: "why".to_owned(),
            },
            Transport::HeaderInvalid {
                name: "name".to_owned(),
            },
            Transport::RouteUnknown,
            Transport::MethodNotAllowed,
            Transport::Broken,
        ]
        .map(Failure::from),
    );
    let gap = Refusal::ImportGap {
        first_row: 2,
        next_row: 1,
    };
    all.push(Failure::Partly(Box::new(gap.into()), "this goes on"));
    all.push(Failure::TooManySnapshots);
    all.push(Failure::JournalKeyMissing);
    all.push(Failure::Panicked);
    all
}

#[test]
fn the_table_is_what_was_promised() {
    let lines: BTreeSet<String> = failures()
        .iter()
        .map(|failure| {
            let row = Row::of(failure);
            format!(
                "{} {:?} {} {:?}: {}\n",
                row.reason,
                row.code,
                http_status(row.code, row.reason).as_u16(),
                row.outcome,
                row.what_to_do
            )
        })
        .collect();
    let table: String = lines.into_iter().collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/status.txt");
    if std::env::var_os("BLESS").is_some() {
        std::fs::create_dir_all(path.parent().expect("folder")).expect("folder");
        std::fs::write(&path, &table).expect("write");
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    let (old, new): (BTreeSet<_>, BTreeSet<_>) =
        (golden.lines().collect(), table.lines().collect());
    let changed: Vec<_> = old.symmetric_difference(&new).collect();
    assert!(
        changed.is_empty(),
        "{changed:#?}
set BLESS=1 to take the new table, if clients can live with it"
    );
}

#[test]
fn every_status_carries_its_reason_and_outcome() {
    for failure in failures() {
        let row = Row::of(&failure);
        let status = Status::from(failure.clone());
        let info = status.get_details_error_info().expect("info");
        assert_eq!(
            (info.domain.as_str(), info.reason.as_str()),
            ("refrain", row.reason)
        );
        let outcome = info.metadata.get("outcome").map(String::as_str);
        let promised = match row.outcome {
            Outcome::NotApplied => "not_applied",
            Outcome::Unknown => "unknown",
        };
        assert_eq!(outcome, Some(promised), "{failure:?}");
        assert!(!status.message().is_empty() && !row.what_to_do.is_empty());
        assert!(
            row.reason
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
        );

        let item = ItemError::from(failure);
        assert_eq!(
            (item.code, item.reason.as_str()),
            (i32::from(row.code), row.reason)
        );
    }
}

#[test]
fn every_failure_is_one_over_http_too() {
    for failure in failures() {
        let told = failure.explained();
        let status = told.status;
        assert!(
            status.is_client_error() || status.is_server_error(),
            "{failure:?}: {status}"
        );
        let row = Row::of(&failure);
        assert_eq!(
            (told.reason, told.outcome),
            (row.reason, row.outcome.as_str())
        );
    }
}

#[test]
fn only_what_was_surely_not_done_says_so() {
    for why in Unavailable::ALL {
        assert_eq!(Row::of(&Failure::Unknown(why)).outcome, Outcome::Unknown);
    }
    assert_eq!(Row::of(&Failure::Panicked).outcome, Outcome::Unknown);
    assert_eq!(Row::of(&Transport::Broken.into()).outcome, Outcome::Unknown);
    let status = Status::from(Failure::Unknown(Unavailable::LeaderLost));
    let info = status.get_details_error_info().expect("info");
    assert_eq!(
        info.metadata.get("why").map(String::as_str),
        Some("LEADER_LOST")
    );
}

#[test]
fn a_compacted_revision_names_the_earliest() {
    for failure in [
        Failure::from(FeedEnd::Compacted {
            asked: 1,
            earliest: 7,
        }),
        Failure::from(Refusal::RevisionCompacted {
            asked: 1,
            earliest: 7,
        }),
    ] {
        let status = Status::from(failure);
        assert_eq!(status.code(), Code::OutOfRange);
        let info = status.get_details_error_info().expect("info");
        assert_eq!(info.reason, "REVISION_COMPACTED");
        assert_eq!(
            info.metadata.get("earliest_revision").map(String::as_str),
            Some("7")
        );
    }
}

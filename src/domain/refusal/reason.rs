//! The stable reason of each refusal, and its family.

use super::{Refusal, RefusalKind};

/// Every reason, so that one that comes over the wire gets its own static text back.
const REASONS: [&str; 54] = [
    "NAMESPACE_INVALID",
    "NAMESPACE_UNKNOWN",
    "PURPOSE_INVALID",
    "PURPOSE_UNKNOWN",
    "PURPOSE_ESSENTIAL",
    "PARENT_UNKNOWN",
    "ESSENTIAL_MISPLACED",
    "WIDENS_ALLOW",
    "REGISTRY_FULL",
    "IDENTIFIER_INVALID",
    "IDENTIFIERS_REQUIRED",
    "TOO_MANY_IDENTIFIERS",
    "DUPLICATE_IDENTIFIER",
    "PURPOSES_REQUIRED",
    "TOO_MANY_PURPOSES",
    "DUPLICATE_PURPOSE",
    "PRINCIPAL_INVALID",
    "REQUEST_ID_INVALID",
    "REQUEST_ID_REUSED",
    "REQUEST_ID_EXPIRED",
    "TOO_MANY_REQUESTS",
    "SCHEMA_UNKNOWN",
    "SCHEMA_TOO_OLD",
    "SUBJECT_CHANGED",
    "SERVICE_INVALID",
    "OVERRIDES_OFF",
    "OVERRIDE_INVALID",
    "OVERRIDE_EXPIRY_INVALID",
    "SECOND_PRINCIPAL_REQUIRED",
    "CHANGE_UNKNOWN",
    "PROCESSED_AHEAD",
    "THRESHOLD_INVALID",
    "CHANGE_OUTDATED",
    "CHANGE_WIDENS_NOTHING",
    "TOO_MANY_CHANGES",
    "SIGNAL_UNCONFIGURED",
    "STAMP_KEY_INVALID",
    "JOURNAL_KEY_INVALID",
    "REVISION_AHEAD",
    "REVISION_COMPACTED",
    "SIGNAL_INVALID",
    "EVIDENCE_REQUIRED",
    "EVIDENCE_OUTDATED",
    "EVIDENCE_FULL",
    "EVIDENCE_INVALID",
    "IMPORT_ROWS_REQUIRED",
    "IMPORT_CHUNK_TOO_LARGE",
    "IMPORT_GAP",
    "COMMAND_TOO_LARGE",
    "CLUSTER_ALREADY_INITIALISED",
    "CLUSTER_NOT_INITIALISED",
    "FEATURE_LEVEL_UNKNOWN",
    "STATE_INCONSISTENT",
    "REFUSED",
];

impl Refusal {
    /// The stable reason, in capitals.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NamespaceInvalid => "NAMESPACE_INVALID",
            Self::NamespaceUnknown { .. } => "NAMESPACE_UNKNOWN",
            Self::PurposeInvalid { .. } => "PURPOSE_INVALID",
            Self::PurposeUnknown { .. } => "PURPOSE_UNKNOWN",
            Self::PurposeEssential { .. } => "PURPOSE_ESSENTIAL",
            Self::ParentUnknown { .. } => "PARENT_UNKNOWN",
            Self::EssentialMisplaced { .. } => "ESSENTIAL_MISPLACED",
            Self::WidensAllow { .. } => "WIDENS_ALLOW",
            Self::RegistryFull { .. } => "REGISTRY_FULL",
            Self::IdentifierInvalid { .. } => "IDENTIFIER_INVALID",
            Self::IdentifiersRequired => "IDENTIFIERS_REQUIRED",
            Self::TooManyIdentifiers => "TOO_MANY_IDENTIFIERS",
            Self::DuplicateIdentifier => "DUPLICATE_IDENTIFIER",
            Self::PurposesRequired => "PURPOSES_REQUIRED",
            Self::TooManyPurposes => "TOO_MANY_PURPOSES",
            Self::DuplicatePurpose => "DUPLICATE_PURPOSE",
            Self::PrincipalInvalid => "PRINCIPAL_INVALID",
            Self::RequestIdInvalid { .. } => "REQUEST_ID_INVALID",
            Self::RequestIdReused => "REQUEST_ID_REUSED",
            Self::RequestIdExpired => "REQUEST_ID_EXPIRED",
            Self::TooManyRequests => "TOO_MANY_REQUESTS",
            Self::SchemaUnknown { .. } => "SCHEMA_UNKNOWN",
            Self::SchemaTooOld { .. } => "SCHEMA_TOO_OLD",
            Self::SubjectChanged { .. } => "SUBJECT_CHANGED",
            Self::ServiceInvalid => "SERVICE_INVALID",
            Self::OverridesOff => "OVERRIDES_OFF",
            Self::OverrideInvalid { .. } => "OVERRIDE_INVALID",
            Self::OverrideExpiryInvalid { .. } => "OVERRIDE_EXPIRY_INVALID",
            Self::SecondPrincipalRequired => "SECOND_PRINCIPAL_REQUIRED",
            Self::ChangeUnknown => "CHANGE_UNKNOWN",
            Self::ProcessedAhead => "PROCESSED_AHEAD",
            Self::ThresholdInvalid { .. } => "THRESHOLD_INVALID",
            Self::ChangeOutdated => "CHANGE_OUTDATED",
            Self::ChangeWidensNothing => "CHANGE_WIDENS_NOTHING",
            Self::TooManyChanges { .. } => "TOO_MANY_CHANGES",
            Self::SignalUnconfigured => "SIGNAL_UNCONFIGURED",
            Self::StampKeyInvalid { .. } => "STAMP_KEY_INVALID",
            Self::JournalKeyInvalid { .. } => "JOURNAL_KEY_INVALID",
            Self::RevisionAhead { .. } => "REVISION_AHEAD",
            Self::RevisionCompacted { .. } => "REVISION_COMPACTED",
            Self::SignalInvalid { .. } => "SIGNAL_INVALID",
            Self::EvidenceRequired => "EVIDENCE_REQUIRED",
            Self::EvidenceOutdated => "EVIDENCE_OUTDATED",
            Self::EvidenceFull { .. } => "EVIDENCE_FULL",
            Self::EvidenceInvalid { .. } => "EVIDENCE_INVALID",
            Self::ImportRowsRequired => "IMPORT_ROWS_REQUIRED",
            Self::ImportChunkTooLarge => "IMPORT_CHUNK_TOO_LARGE",
            Self::ImportGap { .. } => "IMPORT_GAP",
            Self::CommandTooLarge => "COMMAND_TOO_LARGE",
            Self::ClusterAlreadyInitialised => "CLUSTER_ALREADY_INITIALISED",
            Self::ClusterNotInitialised => "CLUSTER_NOT_INITIALISED",
            Self::FeatureLevelUnknown { .. } => "FEATURE_LEVEL_UNKNOWN",
            Self::StateInconsistent { .. } => "STATE_INCONSISTENT",
            Self::Relayed { reason, .. } => reason,
        }
    }

    /// The family.
    pub fn kind(&self) -> RefusalKind {
        match self {
            Self::NamespaceUnknown { .. } | Self::PurposeUnknown { .. } | Self::ChangeUnknown => {
                RefusalKind::NotFound
            }
            Self::RequestIdReused => RefusalKind::AlreadyExists,
            Self::PurposeEssential { .. }
            | Self::ParentUnknown { .. }
            | Self::EssentialMisplaced { .. }
            | Self::WidensAllow { .. }
            | Self::RegistryFull { .. }
            | Self::RequestIdExpired
            | Self::SchemaUnknown { .. }
            | Self::RevisionAhead { .. }
            | Self::SchemaTooOld { .. }
            | Self::SubjectChanged { .. }
            | Self::OverridesOff
            | Self::SecondPrincipalRequired
            | Self::ChangeOutdated
            | Self::TooManyChanges { .. }
            | Self::SignalUnconfigured
            | Self::EvidenceOutdated
            | Self::EvidenceFull { .. }
            | Self::ClusterAlreadyInitialised
            | Self::ClusterNotInitialised
            | Self::FeatureLevelUnknown { .. }
            | Self::StateInconsistent { .. } => RefusalKind::Precondition,
            Self::RevisionCompacted { .. } => RefusalKind::OutOfRange,
            Self::TooManyRequests => RefusalKind::Exhausted,
            Self::NamespaceInvalid
            | Self::PurposeInvalid { .. }
            | Self::IdentifierInvalid { .. }
            | Self::IdentifiersRequired
            | Self::TooManyIdentifiers
            | Self::DuplicateIdentifier
            | Self::ProcessedAhead
            | Self::ThresholdInvalid { .. }
            | Self::PurposesRequired
            | Self::TooManyPurposes
            | Self::DuplicatePurpose
            | Self::PrincipalInvalid
            | Self::RequestIdInvalid { .. }
            | Self::SignalInvalid { .. }
            | Self::EvidenceRequired
            | Self::EvidenceInvalid { .. }
            | Self::ImportRowsRequired
            | Self::ImportChunkTooLarge
            | Self::ImportGap { .. }
            | Self::ServiceInvalid
            | Self::OverrideInvalid { .. }
            | Self::OverrideExpiryInvalid { .. }
            | Self::ChangeWidensNothing
            | Self::StampKeyInvalid { .. }
            | Self::JournalKeyInvalid { .. }
            | Self::CommandTooLarge => RefusalKind::Invalid,
            Self::Relayed { kind, .. } => *kind,
        }
    }

    /// A refusal that another node made. A reason that this program does not know becomes `REFUSED`; the message stays.
    pub fn relayed(reason: &str, message: String, kind: RefusalKind) -> Self {
        let reason = REASONS
            .into_iter()
            .find(|known| *known == reason)
            .unwrap_or("REFUSED");
        Self::Relayed {
            reason,
            message,
            kind,
        }
    }
}

/// One refusal of every kind but `Relayed`.
#[cfg(test)]
pub(in crate::domain) fn every() -> Vec<Refusal> {
    let purpose = || "a.b".to_owned();
    let why = "why";
    vec![
        Refusal::NamespaceInvalid,
        Refusal::NamespaceUnknown {
            namespace: "n".to_owned(),
        },
        Refusal::PurposeInvalid { why },
        Refusal::PurposeUnknown { purpose: purpose() },
        Refusal::PurposeEssential { purpose: purpose() },
        Refusal::ParentUnknown { purpose: purpose() },
        Refusal::EssentialMisplaced { purpose: purpose() },
        Refusal::WidensAllow { what: purpose() },
        Refusal::RegistryFull {
            what: "purposes",
            limit: 1,
        },
        Refusal::IdentifierInvalid { why },
        Refusal::IdentifiersRequired,
        Refusal::TooManyIdentifiers,
        Refusal::DuplicateIdentifier,
        Refusal::PurposesRequired,
        Refusal::TooManyPurposes,
        Refusal::DuplicatePurpose,
        Refusal::PrincipalInvalid,
        Refusal::RequestIdInvalid { why },
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
        Refusal::OverrideInvalid { why },
        Refusal::OverrideExpiryInvalid { minutes: 1 },
        Refusal::SecondPrincipalRequired,
        Refusal::ChangeUnknown,
        Refusal::ProcessedAhead,
        Refusal::ThresholdInvalid {
            what: "repeats",
            bounds: "2 to 1,000,000, or 0 for never",
        },
        Refusal::ChangeOutdated,
        Refusal::ChangeWidensNothing,
        Refusal::TooManyChanges {
            what: "overrides",
            limit: 1,
        },
        Refusal::SignalUnconfigured,
        Refusal::StampKeyInvalid { why },
        Refusal::JournalKeyInvalid { why },
        Refusal::RevisionAhead {
            asked: 2,
            reached: 1,
        },
        Refusal::RevisionCompacted {
            asked: 1,
            earliest: 2,
        },
        Refusal::SignalInvalid { why },
        Refusal::EvidenceRequired,
        Refusal::EvidenceOutdated,
        Refusal::EvidenceFull { limit: 1 },
        Refusal::EvidenceInvalid { why },
        Refusal::ImportRowsRequired,
        Refusal::ImportChunkTooLarge,
        Refusal::ImportGap {
            first_row: 2,
            next_row: 1,
        },
        Refusal::CommandTooLarge,
        Refusal::ClusterAlreadyInitialised,
        Refusal::ClusterNotInitialised,
        Refusal::FeatureLevelUnknown { level: 2 },
        Refusal::StateInconsistent { what: "what" },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_keeps_its_name_on_the_wire() {
        for refusal in every() {
            let relayed = Refusal::relayed(refusal.reason(), refusal.to_string(), refusal.kind());
            assert_eq!(relayed, refusal);
        }
        let mut reasons: Vec<_> = every().iter().map(Refusal::reason).collect();
        reasons.push("REFUSED");
        assert_eq!(reasons, REASONS);
        let newer = Refusal::relayed("OF_A_NEWER_PROGRAM", "m".to_owned(), RefusalKind::Invalid);
        assert_eq!(newer.reason(), "REFUSED");
    }
}

//! Why a request was refused, free of any transport; every refusal means that nothing was done.

use super::ids::Revision;

/// The family of a refusal: what the caller can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusalKind {
    /// The request is wrong in itself, whatever the state.
    Invalid,
    /// It names what is not there.
    NotFound,
    /// It clashes with what is there.
    AlreadyExists,
    /// The state forbids it.
    Precondition,
    /// It asks for what lies past an end.
    OutOfRange,
}

/// A refusal: its message says what is wrong and what to do, and holds no identifier of a person.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Refusal {
    /// A malformed namespace.
    #[error(
        "the namespace is malformed: use 1 to 64 characters of `a-z 0-9 _ -`, a letter or a digit first"
    )]
    NamespaceInvalid,
    /// A namespace that is not registered.
    #[error("the namespace `{namespace}` is not registered: add it first, or correct the name")]
    NamespaceUnknown {
        /// Its name.
        namespace: String,
    },
    /// A malformed purpose.
    #[error("the purpose cannot be taken: {why}")]
    PurposeInvalid {
        /// What is wrong.
        why: &'static str,
    },
    /// A purpose that is not registered.
    #[error("the purpose `{purpose}` is not registered: register it first, or correct the name")]
    PurposeUnknown {
        /// Its name.
        purpose: String,
    },
    /// An essential purpose was to be opted out of, or in to.
    #[error("the purpose `{purpose}` is essential and takes no preference: leave it out")]
    PurposeEssential {
        /// Its name.
        purpose: String,
    },
    /// A purpose's parent is not registered.
    #[error("the parent of the purpose `{purpose}` is not registered: register the parent first")]
    ParentUnknown {
        /// The purpose's name.
        purpose: String,
    },
    /// An essential purpose would stand beneath one that is not.
    #[error(
        "`{purpose}` would be essential beneath a parent that is not: make it a purpose without a parent, or change what lies beneath it first"
    )]
    EssentialMisplaced {
        /// The essential purpose's name.
        purpose: String,
    },
    /// A change would turn a denial into an ALLOW for people who did nothing.
    #[error(
        "changing `{purpose}` so would allow what is denied today: register a new purpose instead"
    )]
    WidensAllow {
        /// The purpose's name.
        purpose: String,
    },
    /// No more purposes, or namespaces, can be registered.
    #[error("no more than {limit} {what} can be registered")]
    RegistryFull {
        /// `purposes` or `namespaces`.
        what: &'static str,
        /// How many can.
        limit: usize,
    },
    /// A malformed identifier.
    #[error("an identifier cannot be taken: {why}")]
    IdentifierInvalid {
        /// What is wrong, without the identifier.
        why: &'static str,
    },
    /// No identifier.
    #[error("no identifier is given: name the subject by 1 to 16 of them")]
    IdentifiersRequired,
    /// Too many identifiers.
    #[error("too many identifiers are given: name the subject by 1 to 16 of them")]
    TooManyIdentifiers,
    /// Two identifiers are the same.
    #[error("two of the identifiers are the same: give each once")]
    DuplicateIdentifier,
    /// No purpose.
    #[error("no purpose is given: give 1 to 64 of them")]
    PurposesRequired,
    /// Too many purposes.
    #[error("too many purposes are given: give 1 to 64 of them")]
    TooManyPurposes,
    /// Two purposes are the same.
    #[error("a purpose is given twice: give each once")]
    DuplicatePurpose,
    /// A malformed principal.
    #[error("the principal's name is malformed: use 1 to 128 visible ASCII characters")]
    PrincipalInvalid,
    /// A request id that cannot be taken.
    #[error("the request id cannot be taken: {why}; make a fresh UUIDv7 for each request")]
    RequestIdInvalid {
        /// What is wrong.
        why: &'static str,
    },
    /// A request id that was used for something else.
    #[error("the request id was used for another request: make a fresh UUIDv7 for each request")]
    RequestIdReused,
    /// A request id that lies before what is remembered.
    #[error(
        "the request id is older than what is remembered, so it cannot be told whether it was taken: read the preference, and send the change under a fresh id if it is still wanted"
    )]
    RequestIdExpired,
    /// The caller's schema is newer than the registry.
    #[error(
        "schema version {asked} is newer than the registry, which is at {known}: register the purposes that the caller was built for first"
    )]
    SchemaUnknown {
        /// What the caller said.
        asked: u32,
        /// What the registry has.
        known: u32,
    },
    /// A revision that the cluster has not reached.
    #[error(
        "revision {asked} is ahead of the cluster, which is at {reached}: it is of another cluster, or of this one before it was restored"
    )]
    RevisionAhead {
        /// What the caller said.
        asked: Revision,
        /// Where the cluster is.
        reached: Revision,
    },
    /// A revision that is no longer kept.
    #[error("revision {asked} is no longer kept here: the earliest left is {earliest}")]
    RevisionCompacted {
        /// What the caller said.
        asked: Revision,
        /// What there is.
        earliest: Revision,
    },
    /// A signal that cannot bring this change.
    #[error("the signal cannot be taken: {why}")]
    SignalInvalid {
        /// What is wrong.
        why: &'static str,
    },
    /// An opt-in without evidence.
    #[error("an opt-in needs evidence: say in `statement` what the person saw and did")]
    EvidenceRequired,
    /// Evidence that cannot be taken.
    #[error("the evidence cannot be taken: {why}")]
    EvidenceInvalid {
        /// What is wrong.
        why: &'static str,
    },
    /// A chunk of an import without rows.
    #[error("the chunk has no rows: send 1 to 1,000 of them")]
    ImportRowsRequired,
    /// A chunk of an import with too many rows, or bytes.
    #[error("the chunk is too large: send at most 1,000 rows, and fewer where they are long")]
    ImportChunkTooLarge,
    /// A chunk of an import that leaves rows out.
    #[error(
        "the chunk begins at row {first_row}, but the import goes on at row {next_row}: send the rows from there"
    )]
    ImportGap {
        /// Where the chunk begins.
        first_row: u64,
        /// Where the import goes on.
        next_row: u64,
    },
    /// A request that is too large for the log.
    #[error("the request is too large for the log: send less at a time")]
    CommandTooLarge,
    /// The cluster exists already.
    #[error("the cluster was created before: nothing is left to do")]
    ClusterAlreadyInitialised,
    /// There is no cluster yet.
    #[error("the cluster was not created yet: run `refrain cluster init` first")]
    ClusterNotInitialised,
    /// A feature level that this program does not know.
    #[error("feature level {level} is not known here: upgrade every member first")]
    FeatureLevelUnknown {
        /// What was asked for.
        level: u32,
    },
    /// An event does not fit the state: a fault of the program.
    #[error("the state does not fit the change ({what}): report this as a fault of the program")]
    StateInconsistent {
        /// What does not fit.
        what: &'static str,
    },
    /// A refusal that another node made.
    #[error("{message}")]
    Relayed {
        /// Its reason.
        reason: &'static str,
        /// Its message.
        message: String,
        /// Its family.
        kind: RefusalKind,
    },
}

/// Every reason, so that one that comes over the wire gets its own static text back.
const REASONS: [&str; 35] = [
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
    "SCHEMA_UNKNOWN",
    "REVISION_AHEAD",
    "REVISION_COMPACTED",
    "SIGNAL_INVALID",
    "EVIDENCE_REQUIRED",
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
            Self::SchemaUnknown { .. } => "SCHEMA_UNKNOWN",
            Self::RevisionAhead { .. } => "REVISION_AHEAD",
            Self::RevisionCompacted { .. } => "REVISION_COMPACTED",
            Self::SignalInvalid { .. } => "SIGNAL_INVALID",
            Self::EvidenceRequired => "EVIDENCE_REQUIRED",
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
            Self::NamespaceUnknown { .. } | Self::PurposeUnknown { .. } => RefusalKind::NotFound,
            Self::RequestIdReused => RefusalKind::AlreadyExists,
            Self::PurposeEssential { .. }
            | Self::ParentUnknown { .. }
            | Self::EssentialMisplaced { .. }
            | Self::WidensAllow { .. }
            | Self::RegistryFull { .. }
            | Self::RequestIdExpired
            | Self::SchemaUnknown { .. }
            | Self::RevisionAhead { .. }
            | Self::ClusterAlreadyInitialised
            | Self::ClusterNotInitialised
            | Self::FeatureLevelUnknown { .. }
            | Self::StateInconsistent { .. } => RefusalKind::Precondition,
            Self::RevisionCompacted { .. } => RefusalKind::OutOfRange,
            Self::NamespaceInvalid
            | Self::PurposeInvalid { .. }
            | Self::IdentifierInvalid { .. }
            | Self::IdentifiersRequired
            | Self::TooManyIdentifiers
            | Self::DuplicateIdentifier
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

/// Two refusals are equal where a caller could not tell them apart.
impl PartialEq for Refusal {
    fn eq(&self, other: &Self) -> bool {
        self.reason() == other.reason()
            && self.kind() == other.kind()
            && self.to_string() == other.to_string()
    }
}

impl Eq for Refusal {}

/// One refusal of every kind but `Relayed`.
#[cfg(test)]
pub(super) fn every() -> Vec<Refusal> {
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
        Refusal::WidensAllow { purpose: purpose() },
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
        Refusal::SchemaUnknown { asked: 2, known: 1 },
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

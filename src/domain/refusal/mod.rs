//! Why a request was refused, free of any transport; every refusal means that nothing was done.

mod reason;

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
    /// There is no room for it just now.
    Exhausted,
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
        "this would allow what is denied today ({what}), which needs two principals: propose it, and have another one approve it"
    )]
    WidensAllow {
        /// What would be widened.
        what: String,
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
    /// More was changed within seconds than can be remembered.
    #[error(
        "more was changed in a short time than can be remembered for retries: send it again in some seconds, under the same id"
    )]
    TooManyRequests,
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
    /// The caller's schema is below a floor.
    #[error(
        "schema version {asked} is too old: version {needed} is needed here, so build the service for the purposes as they are now"
    )]
    SchemaTooOld {
        /// What the caller said; 0 where it did not say.
        asked: u32,
        /// What is needed.
        needed: u32,
    },
    /// The subject has changed since the caller looked.
    #[error(
        "the subject's last revision is {last}, not {asked}: read the preferences again, and decide anew"
    )]
    SubjectChanged {
        /// What the caller said.
        asked: Revision,
        /// What it is.
        last: Revision,
    },
    /// A malformed name of a service.
    #[error("the service's name is malformed: use at most 128 characters of `a-z A-Z 0-9 . _ -`")]
    ServiceInvalid,
    /// Nobody could approve an override.
    #[error(
        "overrides are off: they need two principals with the permission `override`, so configure those first"
    )]
    OverridesOff,
    /// An override that cannot be taken.
    #[error("the override cannot be taken: {why}")]
    OverrideInvalid {
        /// What is wrong.
        why: &'static str,
    },
    /// An override that would end too late, or has ended.
    #[error(
        "the override would end too late, or is over already: let it end within {minutes} minutes from now"
    )]
    OverrideExpiryInvalid {
        /// How far from now it may end.
        minutes: u32,
    },
    /// Who proposed a change cannot approve it, and who has not proven who it is can do neither.
    #[error(
        "it takes two principals with a token each: have one propose it and another approve it"
    )]
    SecondPrincipalRequired,
    /// A change that nobody proposed, or that is no longer there.
    #[error(
        "no such change waits: it was approved, withdrawn or has lapsed, or its id is of another kind; list what waits"
    )]
    ChangeUnknown,
    /// Something that was processed in the future.
    #[error(
        "that was processed more than a minute ahead of the cluster's time: mend the clock of the service"
    )]
    ProcessedAhead,
    /// What is to change is not what it was when the change was proposed.
    #[error(
        "what stood when the change was proposed has changed since: withdraw it, look at what stands now, and propose it anew"
    )]
    ChangeOutdated,
    /// A change that one principal can make.
    #[error("the change widens nothing, so that it needs no second principal: make it directly")]
    ChangeWidensNothing,
    /// Too many changes wait, or too many overrides are in force.
    #[error("no more than {limit} {what} can stand at a time: end one first")]
    TooManyChanges {
        /// `proposed changes` or `overrides`.
        what: &'static str,
        /// How many can.
        limit: usize,
    },
    /// A signal that means nothing in its namespace.
    #[error(
        "the namespace does not say what the signal opts out of, and none of the usual purposes is registered: configure the namespace"
    )]
    SignalUnconfigured,
    /// A key for stamps that cannot be taken.
    #[error("the key for stamps cannot be taken: {why}")]
    StampKeyInvalid {
        /// What is wrong.
        why: &'static str,
    },
    /// A key for the journal's checkpoints that cannot be taken.
    #[error("the key for the journal's checkpoints cannot be taken: {why}")]
    JournalKeyInvalid {
        /// What is wrong.
        why: &'static str,
    },
    /// As much evidence is kept as can be.
    #[error("no more than {limit} pieces of evidence can be kept: erase what is no longer needed")]
    EvidenceFull {
        /// How many can be.
        limit: u64,
    },
    /// Evidence was under way for so long that what sealed it was replaced meanwhile.
    #[error(
        "the evidence was sealed under a key that was replaced meanwhile: send the request again"
    )]
    EvidenceOutdated,
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
    /// A threshold of anomalies that is out of bounds.
    #[error("`{what}` cannot be set so: it is {bounds}")]
    ThresholdInvalid {
        /// Which.
        what: &'static str,
        /// What it may be.
        bounds: &'static str,
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

/// Two refusals are equal where a caller could not tell them apart.
impl PartialEq for Refusal {
    fn eq(&self, other: &Self) -> bool {
        self.reason() == other.reason()
            && self.kind() == other.kind()
            && self.to_string() == other.to_string()
    }
}

impl Eq for Refusal {}

#[cfg(test)]
pub(super) use reason::every;

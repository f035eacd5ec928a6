//! What is wrong with a request that only the edge can see: the shapes of messages, pages and streams.

use crate::{limits, stamp::StampError};

/// A request that cannot be taken. Nothing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Input {
    /// A batch without items.
    #[error("the batch has no items: send 1 to {} of them", limits::BATCH_ITEMS)]
    BatchEmpty,
    /// A batch with too many items.
    #[error(
        "the batch has too many items: send 1 to {} of them",
        limits::BATCH_ITEMS
    )]
    BatchTooLarge,
    /// A correlation id that is too long to be echoed.
    #[error(
        "a correlation id is longer than {} bytes: shorten it",
        limits::CORRELATION_ID_BYTES
    )]
    CorrelationIdInvalid,
    /// A message of a stream without its question.
    #[error("the message has no `check`: put the question there")]
    CheckRequired,
    /// A page that is too large.
    #[error(
        "the page is too large: ask for 1 to {} events, or 0 for {}",
        limits::EVENTS_PAGE,
        limits::EVENTS_PAGE_DEFAULT
    )]
    PageSizeInvalid,
    /// Heartbeats that come too often, or too seldom.
    #[error(
        "the heartbeat interval is out of bounds: ask for {} to {} ms, or 0 for {} ms",
        limits::HEARTBEAT_MIN_MS,
        limits::HEARTBEAT_MAX_MS,
        limits::HEARTBEAT_DEFAULT_MS
    )]
    HeartbeatInvalid,
    /// Too many filters.
    #[error(
        "there are too many filters: give at most {0} namespaces, {0} purposes and {0} tokens",
        limits::WATCH_FILTERS
    )]
    TooManyFilters,
    /// A snapshot together with a revision to begin at.
    #[error("a snapshot says what stands now, so `from_revision` must be 0 with it")]
    SnapshotFromRevision,
    /// An import that does not begin with its header.
    #[error("an import begins with its header: send that first")]
    ImportHeaderRequired,
    /// A second header.
    #[error("an import has one header: send rows after it")]
    ImportHeaderRepeated,
    /// A message of an import that is neither header nor rows.
    #[error("a message of the import is empty: send `rows` in it")]
    ImportPartRequired,
    /// An idempotency key without a name in it.
    #[error("the header `Idempotency-Key` is empty: put a fresh UUIDv7 there, or leave it out")]
    IdempotencyKeyInvalid,
    /// A condition that is no revision.
    #[error(
        "the header `If-Match` cannot be taken: put the subject's last revision there in quotes, as `ETag` told it"
    )]
    IfMatchInvalid,
    /// An event source's place that is no revision.
    #[error("the header `Last-Event-ID` is not the id of an event of this feed")]
    LastEventIdInvalid,
    /// A signal that nobody sent.
    #[error(
        "the header `Sec-GPC` is not `1`: without the visitor's own there is no signal to report"
    )]
    GpcRequired,
    /// No purpose in a request to put one.
    #[error("no purpose is given: fill in `purpose`")]
    PurposeRequired,
    /// A purpose that does not say what people without a record get.
    #[error(
        "the purpose does not say whether people without a record are denied: fill in `default_deny`, since what is left out does not come to mean ALLOW"
    )]
    DefaultRequired,
    /// No change in a proposal.
    #[error("no change is given: fill in `change`")]
    ChangeRequired,
    /// No floor in a request to set one.
    #[error("no floor is given: fill in `floor`")]
    FloorRequired,
    /// A purpose with its schema floor.
    #[error("a schema floor is set by a call of its own: leave `schema_floor` 0")]
    FloorOfItsOwn,
    /// No scope of an override.
    #[error("no scope is given: say in `scope` what the override covers")]
    ScopeRequired,
    /// No end of an override.
    #[error("no end is given: say in `expires_at` when the override is over")]
    ExpiryRequired,
    /// No settings of a namespace.
    #[error("no settings are given: fill in `settings`")]
    SettingsRequired,
    /// A time that is none.
    #[error("the time cannot be taken: give it between 1970 and the year 10,000")]
    TimeInvalid,
    /// More than a link can hold.
    #[error(
        "that does not fit into a link: name at most {} identifiers and {} purposes, {} characters in all",
        limits::LINK_IDENTIFIERS,
        limits::LINK_PURPOSES,
        limits::LINK_BYTES
    )]
    LinkTooLarge,
    /// A link that this cluster has not made, or only a part of one.
    #[error("the link is none of this cluster's, or was changed on its way")]
    LinkUnknown,
    /// A request to a link that does not say what RFC 8058 demands.
    #[error(
        "the request is no one-click unsubscribe: send the form field `List-Unsubscribe=One-Click`"
    )]
    LinkBodyInvalid,
    /// A path below `/tile/` where nothing is.
    #[error(
        "there is no such tile or bundle: its path is not one of tlog-tiles, or the journal is not that long"
    )]
    TileUnknown,
    /// An event that is not of the namespace that was named.
    #[error("the namespace has no event of this revision")]
    EventUnknown,
    /// A revision that no event has.
    #[error("the first event has the revision 1")]
    RevisionInvalid,
    /// A report without the service that it is of.
    #[error("no service is given: say in `service` who processed it")]
    ServiceRequired,
    /// A report of somebody whose history is too long to be gone through.
    #[error(
        "more than {} changes of this subject lie after it was processed: it cannot be judged any more",
        limits::JUDGED_EVENTS
    )]
    HistoryTooLong,
    /// A report under a stamp that nobody can verify.
    #[error(
        "no known key has signed the stamp: it was retired more than {} days ago, or is another cluster's, and nothing else tells whether it was right",
        limits::STAMP_KEYS_KEPT_MS / 86_400_000
    )]
    StampKeyForgotten,
    /// A span of time that no counts are kept for.
    #[error("the span cannot be taken: ask for 1 to 168 hours, or 0 for 24")]
    SpanInvalid,
    /// A kind of anomalies that this node does not know.
    #[error("there is no such kind of anomalies: name one of the contract's, or none for all")]
    AnomalyKindUnknown,
    /// An export of a span that ends before it begins.
    #[error("the span holds nothing: `until` has to be later than `since`")]
    SpanEmpty,
    /// A stamp that is none of this cluster's.
    #[error("{0}")]
    StampInvalid(StampError),
    /// A stamp whose time is over.
    #[error("the stamp has expired: ask again")]
    StampExpired,
    /// A stamp that says nothing about what is asked.
    #[error("the stamp is about other purposes: ask about one that it names, or check without it")]
    StampPurposeDiffers,
    /// A stamp of another tenant.
    #[error(
        "the stamp is about another namespace: ask about the one that it names, or check without it"
    )]
    StampNamespaceDiffers,
    /// A stamp of somebody else.
    #[error("the stamp is about somebody else: deny, or check without it")]
    StampSubjectDiffers,
}

impl Input {
    /// Every value, for tables and tests.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 41] = [
        Self::BatchEmpty,
        Self::BatchTooLarge,
        Self::CorrelationIdInvalid,
        Self::CheckRequired,
        Self::PageSizeInvalid,
        Self::HeartbeatInvalid,
        Self::TooManyFilters,
        Self::SnapshotFromRevision,
        Self::ImportHeaderRequired,
        Self::ImportHeaderRepeated,
        Self::ImportPartRequired,
        Self::IdempotencyKeyInvalid,
        Self::IfMatchInvalid,
        Self::LastEventIdInvalid,
        Self::GpcRequired,
        Self::PurposeRequired,
        Self::DefaultRequired,
        Self::ChangeRequired,
        Self::FloorRequired,
        Self::FloorOfItsOwn,
        Self::ScopeRequired,
        Self::ExpiryRequired,
        Self::SettingsRequired,
        Self::TimeInvalid,
        Self::LinkTooLarge,
        Self::LinkUnknown,
        Self::LinkBodyInvalid,
        Self::TileUnknown,
        Self::EventUnknown,
        Self::RevisionInvalid,
        Self::ServiceRequired,
        Self::HistoryTooLong,
        Self::StampKeyForgotten,
        Self::SpanInvalid,
        Self::AnomalyKindUnknown,
        Self::SpanEmpty,
        Self::StampInvalid(StampError::UnknownKey),
        Self::StampExpired,
        Self::StampPurposeDiffers,
        Self::StampNamespaceDiffers,
        Self::StampSubjectDiffers,
    ];

    /// The stable reason, in capitals.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::BatchEmpty => "BATCH_EMPTY",
            Self::BatchTooLarge => "BATCH_TOO_LARGE",
            Self::CorrelationIdInvalid => "CORRELATION_ID_INVALID",
            Self::CheckRequired => "CHECK_REQUIRED",
            Self::PageSizeInvalid => "PAGE_SIZE_INVALID",
            Self::HeartbeatInvalid => "HEARTBEAT_INVALID",
            Self::TooManyFilters => "TOO_MANY_FILTERS",
            Self::SnapshotFromRevision => "SNAPSHOT_FROM_REVISION",
            Self::ImportHeaderRequired => "IMPORT_HEADER_REQUIRED",
            Self::ImportHeaderRepeated => "IMPORT_HEADER_REPEATED",
            Self::ImportPartRequired => "IMPORT_PART_REQUIRED",
            Self::IdempotencyKeyInvalid => "IDEMPOTENCY_KEY_INVALID",
            Self::IfMatchInvalid => "IF_MATCH_INVALID",
            Self::LastEventIdInvalid => "LAST_EVENT_ID_INVALID",
            Self::GpcRequired => "GPC_REQUIRED",
            Self::PurposeRequired => "PURPOSE_REQUIRED",
            Self::DefaultRequired => "DEFAULT_REQUIRED",
            Self::ChangeRequired => "CHANGE_REQUIRED",
            Self::FloorRequired => "FLOOR_REQUIRED",
            Self::FloorOfItsOwn => "SCHEMA_FLOOR_ELSEWHERE",
            Self::ScopeRequired => "SCOPE_REQUIRED",
            Self::ExpiryRequired => "EXPIRY_REQUIRED",
            Self::SettingsRequired => "SETTINGS_REQUIRED",
            Self::TimeInvalid => "TIME_INVALID",
            Self::LinkTooLarge => "LINK_TOO_LARGE",
            Self::LinkUnknown => "LINK_UNKNOWN",
            Self::LinkBodyInvalid => "LINK_BODY_INVALID",
            Self::TileUnknown => "TILE_UNKNOWN",
            Self::EventUnknown => "EVENT_UNKNOWN",
            Self::RevisionInvalid => "REVISION_INVALID",
            Self::ServiceRequired => "SERVICE_REQUIRED",
            Self::HistoryTooLong => "HISTORY_TOO_LONG",
            Self::StampKeyForgotten => "STAMP_KEY_FORGOTTEN",
            Self::SpanInvalid => "SPAN_INVALID",
            Self::AnomalyKindUnknown => "ANOMALY_KIND_UNKNOWN",
            Self::SpanEmpty => "SPAN_EMPTY",
            Self::StampInvalid(_) => "STAMP_INVALID",
            Self::StampExpired => "STAMP_EXPIRED",
            Self::StampPurposeDiffers => "STAMP_PURPOSE_DIFFERS",
            Self::StampNamespaceDiffers => "STAMP_NAMESPACE_DIFFERS",
            Self::StampSubjectDiffers => "STAMP_SUBJECT_DIFFERS",
        }
    }
}

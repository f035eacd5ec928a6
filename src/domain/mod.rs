//! The model and its rules: pure, synchronous and deterministic; no clock, no randomness, no order of hash maps.

mod anomaly;
mod basis;
mod change;
mod command;
mod encoding;
mod erasure;
mod event;
mod evidence;
#[cfg(test)]
pub(crate) mod fixtures;
mod floors;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod golden_two;
mod ids;
mod member;
mod monitor;
mod names;
mod normalise;
mod outcome;
#[cfg(test)]
mod properties;
mod purpose;
mod refusal;
mod registry;
mod state;
mod token;
mod usage;
mod validate;

pub use anomaly::{Anomaly, AnomalyKind, AnomalySettings, ConfigureAnomalies};
pub use basis::{Basis, Credential};
pub use change::{
    Approve, ChangeKind, NamespaceSettings, Override, OverrideTerms, Pending, Propose,
    ProposedChange, SchemaFloor, Withdraw,
};
pub use command::{
    AddJournalKey, AddNamespace, AddStampKey, Body, Change, Command, ConfigureNamespace, Create,
    FEATURE_LEVEL, ImportChunk, ImportRow, Proposal, PutPurpose, RaiseFeatureLevel, ReportSignal,
    RetireJournalKey, RetireStampKeys, SetPreference, SetSchemaFloor, Signal,
};
pub use encoding::DecodeError;
pub use erasure::{EraseEvidence, ErasedEvidence, RewrapEvidence, RotateWrappingKey};
pub use event::{Detail, Event, EventKind, EventToken};
pub use evidence::{
    CannotUnseal, Evidence, SEALING_RANDOM_BYTES, SealedEvidence, Sealer, SealingKey,
    WRAPPING_RANDOM_BYTES, WrappedKey, WrappingId,
};
pub use ids::{EventId, Millis, NodeId, RequestId, Revision};
pub use member::{Became, Member, PeerAddress, RecordMembership};
pub use monitor::{
    Answered, Judged, Processed, Proof, ReportViolations, Sample, Score, Tally, ViolationKind,
    Violations,
};
pub use names::{IdentifierType, Namespace, Principal, PurposeName, ServiceName};
pub use normalise::normalise;
pub use outcome::{Applied, Outcome, Reply, decode_reply, encode_reply};
pub use purpose::{Purpose, default_purposes};
pub use refusal::{Refusal, RefusalKind};
pub use registry::Registry;
pub use state::{
    Decision, Found, FoundAnomaly, JournalKey, PreferenceRecord, Preferences, PurposeDecision,
    Question, Reason, RestoreError, StampKey, Standing, State, Verdict,
};
pub use token::{KeyFingerprint, SubjectToken, Token, TokenKey, value_sha256};
pub use usage::{Lifted, ReportUsage, ServiceSeen, ServiceUsage};
pub use validate::{check_purposes, check_tokens};

//! What callers ask for, and the checks of it that need no state.

use bytes::Bytes;

use super::anomaly::ConfigureAnomalies;
use super::change::{Approve, Propose, SchemaFloor, Withdraw};
use super::encoding::{self, DecodeError};
use super::erasure::{EraseEvidence, RewrapEvidence, RotateWrappingKey};
use super::evidence::SealedEvidence;
use super::ids::{EventId, Millis, RequestId, Revision};
use super::member::{Member, RecordMembership};
use super::monitor::ReportViolations;
use super::names::{Namespace, Principal, PurposeName, ServiceName};
use super::purpose::{Purpose, default_purposes};
use super::refusal::Refusal;
use super::token::{KeyFingerprint, SubjectToken};
use super::usage::ReportUsage;
use crate::limits;

/// The highest feature level that this program knows: it selects the rules of apply and the encoding of events.
///
/// Still 1, though rules have changed under it: nothing has been released yet, so that no cluster has members that would
/// apply a command otherwise. From the first release on, a rule of apply changes with a level of its own.
pub const FEATURE_LEVEL: u32 = 1;

/// What a change does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// The person said stop.
    OptOut,
    /// The person said go on, with evidence.
    OptIn,
}

/// How the wish arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signal {
    /// The person, through a product's own screen or support.
    User,
    /// Global Privacy Control.
    Gpc,
    /// One-click unsubscribe.
    ListUnsubscribe,
    /// A row of an imported list.
    Import,
    /// Somebody who runs the cluster.
    Operator,
    /// A synthetic change that tests the cluster.
    Probe,
}

/// What a caller asks for, on its way to the leader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// Who calls.
    pub principal: Principal,
    /// What is asked for.
    pub body: Body,
}

/// A proposal with the time and the id that the leader gave it: what the replicated log holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// When the leader received it.
    pub received_at: Millis,
    /// The id of its event; those of an import's rows are derived from it.
    pub event_id: EventId,
    /// Who called.
    pub principal: Principal,
    /// What was asked for.
    pub body: Body,
}

/// What can be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// The first command of a cluster.
    Create(Create),
    /// Opt out or in.
    SetPreference(SetPreference),
    /// A signal that a browser sends for its user.
    ReportSignal(ReportSignal),
    /// Some rows of an import.
    ImportChunk(ImportChunk),
    /// Add or change a purpose.
    PutPurpose(PutPurpose),
    /// Add a namespace.
    AddNamespace(AddNamespace),
    /// Set what a namespace's signals mean.
    ConfigureNamespace(ConfigureNamespace),
    /// Raise a schema floor.
    SetSchemaFloor(SetSchemaFloor),
    /// Set what counts as out of the ordinary.
    ConfigureAnomalies(ConfigureAnomalies),
    /// Propose a change that can widen ALLOW.
    Propose(Propose),
    /// Approve it, and so make it.
    Approve(Approve),
    /// Withdraw it, or revoke an override.
    Withdraw(Withdraw),
    /// Add a node's key for stamps.
    AddStampKey(AddStampKey),
    /// Retire the keys of a node that left.
    RetireStampKeys(RetireStampKeys),
    /// Add a node's key for the journal's checkpoints.
    AddJournalKey(AddJournalKey),
    /// Retire the key of a node that left.
    RetireJournalKey(RetireJournalKey),
    /// What was done with a member.
    RecordMembership(RecordMembership),
    /// What a node has counted.
    ReportUsage(ReportUsage),
    /// What a node has found in services' reports.
    ReportViolations(ReportViolations),
    /// Destroy the keys of a subject's evidence.
    EraseEvidence(EraseEvidence),
    /// Wrap keys of evidence anew.
    RewrapEvidence(RewrapEvidence),
    /// A node has replaced what they were wrapped under.
    RotateWrappingKey(RotateWrappingKey),
    /// Raise the feature level.
    RaiseFeatureLevel(RaiseFeatureLevel),
}

/// Creates a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Create {
    /// The cluster's id.
    pub cluster_id: [u8; 16],
    /// Which token key the cluster lives with.
    pub key_fingerprint: KeyFingerprint,
    /// The purposes that it begins with, parents first.
    pub purposes: Vec<Purpose>,
    /// The namespaces that it begins with.
    pub namespaces: Vec<Namespace>,
    /// The feature level that it begins with.
    pub feature_level: u32,
    /// The member that it begins with, a voter; none where that was not told.
    pub founder: Option<Member>,
}

/// One subject's change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetPreference {
    /// Names the request: a retry has one effect.
    pub request_id: RequestId,
    /// The tenant.
    pub namespace: Namespace,
    /// The subject: 1 to 16 tokens, no two alike.
    pub tokens: Vec<SubjectToken>,
    /// The purposes opted out of. With those opted in to, 1 to 64, no two alike; `*` too.
    pub opt_out: Vec<PurposeName>,
    /// The purposes opted in to.
    pub opt_in: Vec<PurposeName>,
    /// How the wish arrived.
    pub signal: Signal,
    /// The schema version that the caller was built for, or 0.
    pub schema_version: u32,
    /// The revision that must have been reached, or 0.
    pub min_revision: Revision,
    /// The subject's last revision, if it must still be that one; 0 for a subject without events.
    pub if_last_revision: Option<Revision>,
    /// What proves the opt-in; none where nothing is opted in to.
    pub evidence: Option<SealedEvidence>,
    /// The service that sent it, as it calls itself.
    pub service: ServiceName,
}

/// One subject's signal: an opt-out of what the namespace's settings name for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportSignal {
    /// Names the request: a retry has one effect.
    pub request_id: RequestId,
    /// The tenant.
    pub namespace: Namespace,
    /// The subject: 1 to 16 tokens, no two alike.
    pub tokens: Vec<SubjectToken>,
    /// What it was: [`Signal::Gpc`].
    pub signal: Signal,
    /// The schema version that the caller was built for, or 0.
    pub schema_version: u32,
    /// The service that sent it, as it calls itself.
    pub service: ServiceName,
}

/// Some rows of an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportChunk {
    /// Names the import.
    pub import_id: RequestId,
    /// The tenant.
    pub namespace: Namespace,
    /// The schema version that the caller was built for, or 0.
    pub schema_version: u32,
    /// The number of the first row, from 0.
    pub first_row: u64,
    /// The rows, in order.
    pub rows: Vec<ImportRow>,
}

/// One row of an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportRow {
    /// A subject opts out.
    OptOut {
        /// The subject: 1 to 16 tokens, no two alike.
        tokens: Vec<SubjectToken>,
        /// 1 to 64 purposes, no two alike; `*` too.
        purposes: Vec<PurposeName>,
    },
    /// The edge refused this row and reports it: it stands here so that the numbers stay dense.
    Refused,
}

/// Adds or changes a purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutPurpose {
    /// Names the request.
    pub request_id: RequestId,
    /// The purpose; its schema version is 0.
    pub purpose: Purpose,
}

/// Adds a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddNamespace {
    /// Names the request.
    pub request_id: RequestId,
    /// The namespace.
    pub namespace: Namespace,
}

/// Sets what a namespace's signals mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigureNamespace {
    /// Names the request.
    pub request_id: RequestId,
    /// The namespace.
    pub namespace: Namespace,
    /// What Global Privacy Control opts out of: 1 to 16 purposes, no two alike.
    pub gpc_purposes: Vec<PurposeName>,
}

/// Raises a schema floor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetSchemaFloor {
    /// Names the request.
    pub request_id: RequestId,
    /// The floor as it is to stand.
    pub floor: SchemaFloor,
}

/// Adds a node's key for stamps; its earlier ones are retired by that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddStampKey {
    /// The node.
    pub node_id: u64,
    /// Its Ed25519 public key.
    pub public_key: [u8; 32],
}

/// Retires the keys of a node that left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetireStampKeys {
    /// The node.
    pub node_id: u64,
}

/// Adds a node's key for the journal's checkpoints; its earlier one is retired by that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddJournalKey {
    /// The node.
    pub node_id: u64,
    /// Its Ed25519 public key.
    pub public_key: [u8; 32],
}

/// Retires the key for the journal's checkpoints of a node that left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetireJournalKey {
    /// The node.
    pub node_id: u64,
}

/// Raises the feature level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RaiseFeatureLevel {
    /// The level to reach.
    pub level: u32,
}

impl Proposal {
    /// What the cluster asks for by itself.
    pub fn by_cluster(body: Body) -> Self {
        Self {
            principal: Principal::cluster(),
            body,
        }
    }

    /// The command that the leader makes of it.
    pub fn into_command(self, received_at: Millis, event_id: EventId) -> Command {
        Command {
            received_at,
            event_id,
            principal: self.principal,
            body: self.body,
        }
    }

    /// All checks that need no state. Apply makes the same ones again.
    ///
    /// # Errors
    /// The refusal that apply would give, or `COMMAND_TOO_LARGE`.
    pub fn validate(&self) -> Result<(), Refusal> {
        self.body.validate()?;
        if self.encode().len() > limits::PROPOSAL_BYTES {
            return Err(Refusal::CommandTooLarge);
        }
        Ok(())
    }

    /// The bytes that go to the leader.
    pub fn encode(&self) -> Bytes {
        encoding::encode_proposal(self)
    }

    /// Reads what [`Proposal::encode`] wrote.
    ///
    /// # Errors
    /// See [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        encoding::decode_proposal(bytes)
    }
}

impl Command {
    /// The bytes that go into the log.
    pub fn encode(&self) -> Bytes {
        encoding::encode_command(self)
    }

    /// Reads what [`Command::encode`] wrote. A node that meets a command which it does not know must stop.
    ///
    /// # Errors
    /// See [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        encoding::decode_command(bytes)
    }
}

impl Create {
    /// A cluster with what ships: the default tree of purposes and the namespace `default`.
    pub fn new(cluster_id: [u8; 16], key_fingerprint: KeyFingerprint) -> Self {
        Self {
            cluster_id,
            key_fingerprint,
            purposes: default_purposes(),
            namespaces: vec![Namespace::default_namespace()],
            feature_level: FEATURE_LEVEL,
            founder: None,
        }
    }
}

impl ImportChunk {
    /// Splits the chunk so that each part fits one command of the log.
    pub fn split(self) -> Vec<Self> {
        let mut parts: Vec<Self> = Vec::new();
        let mut bytes = usize::MAX;
        for (row, number) in self.rows.into_iter().zip(self.first_row..) {
            let size = encoding::row_len(&row);
            let full = |part: &Self| {
                part.rows.len() >= limits::IMPORT_CHUNK_ROWS
                    || bytes.saturating_add(size) > limits::IMPORT_CHUNK_BYTES
            };
            match parts.last_mut() {
                Some(part) if !full(part) => {
                    bytes += size;
                    part.rows.push(row);
                }
                _ => {
                    bytes = size;
                    parts.push(Self {
                        import_id: self.import_id,
                        namespace: self.namespace.clone(),
                        schema_version: self.schema_version,
                        first_row: number,
                        rows: vec![row],
                    });
                }
            }
        }
        parts
    }
}

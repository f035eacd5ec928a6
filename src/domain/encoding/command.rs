//! Proposals and commands: what goes to the leader, and what the replicated log holds.

use bytes::Bytes;
use prost::Message as _;

use super::DecodeError;
use super::anomaly::{anomaly_settings, anomaly_settings_out};
use super::change::{
    approve, approve_out, floor, floor_out, propose, propose_out, withdraw, withdraw_out,
};
use super::evidence::{
    erase, erase_out, rewrap, rewrap_out, rotate, rotate_out, wrapped_key, wrapped_key_out,
};
use super::member::{member, member_out, record, record_out};
use super::monitor::{found, found_out};
use super::parts::{
    change, change_out, digest16, event_id, namespace, principal, purpose, purpose_names,
    purpose_names_out, purpose_out, request_id, service, sha256, signal, signal_out, subject_out,
    subjects, uuid_out,
};
use super::usage::{report, report_out};
use crate::domain::anomaly::ConfigureAnomalies;
use crate::domain::command::{
    AddJournalKey, AddNamespace, AddStampKey, Body, Change, Command, ConfigureNamespace, Create,
    FEATURE_LEVEL, ImportChunk, ImportRow, Proposal, PutPurpose, RaiseFeatureLevel, ReportSignal,
    RetireJournalKey, RetireStampKeys, SetPreference, SetSchemaFloor,
};
use crate::domain::evidence::SealedEvidence;
use crate::domain::ids::Millis;
use crate::domain::token::KeyFingerprint;
use crate::proto::persisted::{self, body::Kind};

pub(crate) fn encode_proposal(proposal: &Proposal) -> Bytes {
    persisted::Proposal {
        principal: proposal.principal.to_string(),
        body: Some(body_out(&proposal.body)),
    }
    .encode_to_vec()
    .into()
}

pub(crate) fn decode_proposal(bytes: &[u8]) -> Result<Proposal, DecodeError> {
    let message = persisted::Proposal::decode(bytes)?;
    Ok(Proposal {
        principal: principal(&message.principal)?,
        body: body(message.body)?,
    })
}

pub(crate) fn encode_command(command: &Command) -> Bytes {
    persisted::Command {
        received_at_ms: command.received_at.0,
        event_id: uuid_out(command.event_id.0),
        principal: command.principal.to_string(),
        body: Some(body_out(&command.body)),
    }
    .encode_to_vec()
    .into()
}

pub(crate) fn decode_command(bytes: &[u8]) -> Result<Command, DecodeError> {
    let message = persisted::Command::decode(bytes)?;
    Ok(Command {
        received_at: Millis(message.received_at_ms),
        event_id: event_id(&message.event_id)?,
        principal: principal(&message.principal)?,
        body: body(message.body)?,
    })
}

/// How many bytes a row adds to its chunk.
pub(crate) fn row_len(row: &ImportRow) -> usize {
    let message = row_out(row).encoded_len();
    // A tag of one byte and a length of at most five.
    message + 6
}

fn body_out(body: &Body) -> persisted::Body {
    let kind = match body {
        Body::Create(create) => Kind::Create(create_out(create)),
        Body::SetPreference(set) => Kind::SetPreference(set_preference_out(set)),
        Body::ImportChunk(chunk) => Kind::ImportChunk(persisted::ImportChunk {
            import_id: uuid_out(chunk.import_id.0),
            namespace: chunk.namespace.to_string(),
            schema_version: chunk.schema_version,
            first_row: chunk.first_row,
            rows: chunk.rows.iter().map(row_out).collect(),
        }),
        Body::PutPurpose(put) => Kind::PutPurpose(persisted::PutPurpose {
            request_id: uuid_out(put.request_id.0),
            purpose: Some(purpose_out(&put.purpose)),
        }),
        Body::AddNamespace(add) => Kind::AddNamespace(persisted::AddNamespace {
            request_id: uuid_out(add.request_id.0),
            namespace: add.namespace.to_string(),
        }),
        Body::ReportSignal(report) => Kind::ReportSignal(persisted::ReportSignal {
            request_id: uuid_out(report.request_id.0),
            namespace: report.namespace.to_string(),
            tokens: report.tokens.iter().map(subject_out).collect(),
            signal: signal_out(report.signal).into(),
            schema_version: report.schema_version,
            service: report.service.to_string(),
        }),
        Body::ConfigureNamespace(configure) => {
            Kind::ConfigureNamespace(persisted::ConfigureNamespace {
                request_id: uuid_out(configure.request_id.0),
                namespace: configure.namespace.to_string(),
                gpc_purposes: purpose_names_out(&configure.gpc_purposes),
            })
        }
        Body::SetSchemaFloor(set) => Kind::SetSchemaFloor(persisted::SetSchemaFloor {
            request_id: uuid_out(set.request_id.0),
            floor: Some(floor_out(&set.floor)),
        }),
        Body::ConfigureAnomalies(configure) => {
            Kind::ConfigureAnomalies(persisted::ConfigureAnomalies {
                request_id: uuid_out(configure.request_id.0),
                settings: Some(anomaly_settings_out(&configure.settings)),
            })
        }
        Body::Propose(propose) => Kind::Propose(propose_out(propose)),
        Body::Approve(approve) => Kind::Approve(approve_out(approve)),
        Body::Withdraw(withdraw) => Kind::Withdraw(withdraw_out(withdraw)),
        Body::AddStampKey(add) => Kind::StampKey(node_key_out(add.node_id, Some(&add.public_key))),
        Body::RetireStampKeys(retire) => Kind::StampKey(node_key_out(retire.node_id, None)),
        Body::AddJournalKey(add) => {
            Kind::JournalKey(node_key_out(add.node_id, Some(&add.public_key)))
        }
        Body::RetireJournalKey(retire) => Kind::JournalKey(node_key_out(retire.node_id, None)),
        Body::RecordMembership(done) => Kind::RecordMembership(record_out(done)),
        Body::ReportUsage(report) => Kind::ReportUsage(report_out(report)),
        Body::ReportViolations(report) => Kind::ReportViolations(found_out(report)),
        Body::EraseEvidence(it) => Kind::EraseEvidence(erase_out(it)),
        Body::RewrapEvidence(it) => Kind::RewrapEvidence(rewrap_out(it)),
        Body::RotateWrappingKey(it) => Kind::RotateWrappingKey(rotate_out(it)),
        Body::RaiseFeatureLevel(raise) => {
            Kind::RaiseFeatureLevel(persisted::RaiseFeatureLevel { level: raise.level })
        }
    };
    persisted::Body { kind: Some(kind) }
}

fn body(message: Option<persisted::Body>) -> Result<Body, DecodeError> {
    let message = message.ok_or(DecodeError::Damaged("a command without a body"))?;
    // A kind that this program does not know leaves the field empty.
    let kind = message.kind.ok_or(DecodeError::UnknownCommand)?;
    Ok(match kind {
        Kind::Create(message) => {
            let create = create(message)?;
            known_level(create.feature_level)?;
            Body::Create(create)
        }
        Kind::SetPreference(message) => Body::SetPreference(set_preference(message)?),
        Kind::ImportChunk(message) => Body::ImportChunk(ImportChunk {
            import_id: request_id(&message.import_id)?,
            namespace: namespace(&message.namespace)?,
            schema_version: message.schema_version,
            first_row: message.first_row,
            rows: message.rows.iter().map(row).collect::<Result<_, _>>()?,
        }),
        Kind::PutPurpose(message) => Body::PutPurpose(PutPurpose {
            request_id: request_id(&message.request_id)?,
            purpose: purpose(
                message
                    .purpose
                    .ok_or(DecodeError::Damaged("a command without its purpose"))?,
            )?,
        }),
        Kind::AddNamespace(message) => Body::AddNamespace(AddNamespace {
            request_id: request_id(&message.request_id)?,
            namespace: namespace(&message.namespace)?,
        }),
        Kind::ReportSignal(message) => Body::ReportSignal(ReportSignal {
            request_id: request_id(&message.request_id)?,
            namespace: namespace(&message.namespace)?,
            tokens: subjects(&message.tokens)?,
            signal: signal(message.signal)?,
            schema_version: message.schema_version,
            service: service(&message.service)?,
        }),
        Kind::ConfigureNamespace(message) => Body::ConfigureNamespace(ConfigureNamespace {
            request_id: request_id(&message.request_id)?,
            namespace: namespace(&message.namespace)?,
            gpc_purposes: purpose_names(&message.gpc_purposes)?,
        }),
        Kind::SetSchemaFloor(message) => Body::SetSchemaFloor(SetSchemaFloor {
            request_id: request_id(&message.request_id)?,
            floor: floor(
                &message
                    .floor
                    .ok_or(DecodeError::Damaged("a command without its floor"))?,
            )?,
        }),
        Kind::ConfigureAnomalies(message) => Body::ConfigureAnomalies(ConfigureAnomalies {
            request_id: request_id(&message.request_id)?,
            settings: anomaly_settings(
                &message
                    .settings
                    .ok_or(DecodeError::Damaged("a command without its settings"))?,
            ),
        }),
        Kind::Propose(message) => Body::Propose(propose(message)?),
        Kind::Approve(message) => Body::Approve(approve(&message)?),
        Kind::Withdraw(message) => Body::Withdraw(withdraw(&message)?),
        Kind::StampKey(message) => match node_key(&message)? {
            (node_id, Some(public_key)) => Body::AddStampKey(AddStampKey {
                node_id,
                public_key,
            }),
            (node_id, None) => Body::RetireStampKeys(RetireStampKeys { node_id }),
        },
        Kind::JournalKey(message) => match node_key(&message)? {
            (node_id, Some(public_key)) => Body::AddJournalKey(AddJournalKey {
                node_id,
                public_key,
            }),
            (node_id, None) => Body::RetireJournalKey(RetireJournalKey { node_id }),
        },
        Kind::RecordMembership(message) => Body::RecordMembership(record(&message)?),
        Kind::ReportUsage(message) => Body::ReportUsage(report(&message)?),
        Kind::ReportViolations(message) => Body::ReportViolations(found(&message)?),
        Kind::EraseEvidence(message) => Body::EraseEvidence(erase(&message)?),
        Kind::RewrapEvidence(message) => Body::RewrapEvidence(rewrap(&message)?),
        Kind::RotateWrappingKey(message) => Body::RotateWrappingKey(rotate(&message)?),
        Kind::RaiseFeatureLevel(message) => {
            known_level(message.level)?;
            Body::RaiseFeatureLevel(RaiseFeatureLevel {
                level: message.level,
            })
        }
    })
}

/// A level past what this program knows would have it apply rules that it does not have.
fn known_level(level: u32) -> Result<(), DecodeError> {
    if level <= FEATURE_LEVEL {
        Ok(())
    } else {
        Err(DecodeError::UnknownCommand)
    }
}

pub(crate) fn node_key_out(node_id: u64, public_key: Option<&[u8; 32]>) -> persisted::NodeKey {
    persisted::NodeKey {
        node_id,
        public_key: public_key
            .map(|key| Bytes::copy_from_slice(key))
            .unwrap_or_default(),
    }
}

pub(crate) fn node_key(
    message: &persisted::NodeKey,
) -> Result<(u64, Option<[u8; 32]>), DecodeError> {
    let public_key = match &*message.public_key {
        [] => None,
        bytes => Some(sha256(bytes)?),
    };
    Ok((message.node_id, public_key))
}

pub(super) fn create_out(create: &Create) -> persisted::Create {
    persisted::Create {
        cluster_id: Bytes::copy_from_slice(&create.cluster_id),
        key_fingerprint: Bytes::copy_from_slice(&create.key_fingerprint.0),
        purposes: create.purposes.iter().map(purpose_out).collect(),
        namespaces: create.namespaces.iter().map(ToString::to_string).collect(),
        feature_level: create.feature_level,
        founder: create.founder.as_ref().map(member_out),
    }
}

pub(super) fn create(message: persisted::Create) -> Result<Create, DecodeError> {
    Ok(Create {
        cluster_id: digest16(&message.cluster_id)?,
        key_fingerprint: KeyFingerprint(digest16(&message.key_fingerprint)?),
        purposes: message
            .purposes
            .into_iter()
            .map(purpose)
            .collect::<Result<_, _>>()?,
        namespaces: message
            .namespaces
            .iter()
            .map(|text| namespace(text))
            .collect::<Result<_, _>>()?,
        feature_level: message.feature_level,
        founder: message.founder.as_ref().map(member).transpose()?,
    })
}

fn set_preference_out(set: &SetPreference) -> persisted::SetPreference {
    let (evidence, evidence_digest) = match &set.evidence {
        None => (Bytes::new(), Bytes::new()),
        Some(sealed) => (sealed.bytes.clone(), Bytes::copy_from_slice(&sealed.digest)),
    };
    // One of the two lists alone says with `change` what it is; both together stand apart.
    let (change, purposes, beside) = match (&*set.opt_out, &*set.opt_in) {
        ([], opt_in) => (Change::OptIn, opt_in, &[][..]),
        (opt_out, opt_in) => (Change::OptOut, opt_out, opt_in),
    };
    persisted::SetPreference {
        request_id: uuid_out(set.request_id.0),
        namespace: set.namespace.to_string(),
        tokens: set.tokens.iter().map(subject_out).collect(),
        purposes: purpose_names_out(purposes),
        change: change_out(change).into(),
        opt_in_purposes: purpose_names_out(beside),
        if_last_revision: set.if_last_revision,
        signal: signal_out(set.signal).into(),
        schema_version: set.schema_version,
        min_revision: set.min_revision,
        evidence,
        evidence_digest,
        service: set.service.to_string(),
        evidence_key: set.evidence.as_ref().map(|it| wrapped_key_out(&it.key)),
    }
}

fn set_preference(message: persisted::SetPreference) -> Result<SetPreference, DecodeError> {
    let evidence = match (&*message.evidence, &*message.evidence_digest) {
        ([], []) => None,
        (_, digest) => Some(SealedEvidence {
            digest: digest16(digest)?,
            bytes: message.evidence,
            key: wrapped_key(message.evidence_key.as_ref())?,
        }),
    };
    let purposes = purpose_names(&message.purposes)?;
    let beside = purpose_names(&message.opt_in_purposes)?;
    let (opt_out, opt_in) = match change(message.change)? {
        Change::OptOut => (purposes, beside),
        Change::OptIn if beside.is_empty() => (beside, purposes),
        Change::OptIn => return Err(DecodeError::Damaged("opt-ins beside opt-ins")),
    };
    Ok(SetPreference {
        request_id: request_id(&message.request_id)?,
        namespace: namespace(&message.namespace)?,
        tokens: subjects(&message.tokens)?,
        opt_out,
        opt_in,
        if_last_revision: message.if_last_revision,
        signal: signal(message.signal)?,
        schema_version: message.schema_version,
        min_revision: message.min_revision,
        evidence,
        service: service(&message.service)?,
    })
}

fn row_out(row: &ImportRow) -> persisted::ImportRow {
    match row {
        ImportRow::OptOut { tokens, purposes } => persisted::ImportRow {
            tokens: tokens.iter().map(subject_out).collect(),
            purposes: purpose_names_out(purposes),
            refused: false,
        },
        ImportRow::Refused => persisted::ImportRow {
            tokens: Vec::new(),
            purposes: Vec::new(),
            refused: true,
        },
    }
}

fn row(message: &persisted::ImportRow) -> Result<ImportRow, DecodeError> {
    if message.refused {
        return Ok(ImportRow::Refused);
    }
    Ok(ImportRow::OptOut {
        tokens: subjects(&message.tokens)?,
        purposes: purpose_names(&message.purposes)?,
    })
}

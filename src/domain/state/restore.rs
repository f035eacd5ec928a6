//! Reads a state back from the chunks of a snapshot, and believes nothing that its hash does not confirm.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message as _;

use super::imports::Import;
use super::namespaces::Namespaces;
use super::record::{Key, ROW_BYTES, from_row};
use super::requests::Remembered;
use super::shards::shard_of;
use super::snapshot::FORMAT;
use super::{Cluster, State, hash};
use crate::domain::command::FEATURE_LEVEL;
use crate::domain::encoding::{
    DecodeError, digest16, namespace, outcome, principal, purpose, request_id, sha256,
};
use crate::domain::ids::{Millis, RequestId};
use crate::domain::refusal::Refusal;
use crate::domain::registry::{PurposeId, Registry};
use crate::domain::token::KeyFingerprint;
use crate::proto::persisted::{self, state_chunk::Section};

/// Why a state could not be restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError<E> {
    /// The chunks could not be read.
    #[error(transparent)]
    Source(E),
    /// The snapshot is of a layout, or of a feature level, that this program does not know.
    #[error("the snapshot was written by a newer program: upgrade this node")]
    TooNew,
    /// The chunks do not hold what they should.
    #[error("the snapshot of the state is damaged: {0}")]
    Damaged(&'static str),
}

/// Why a chunk could not be taken in.
pub(super) enum Fault {
    TooNew,
    Damaged(&'static str),
}

impl From<DecodeError> for Fault {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::UnknownCommand => Self::TooNew,
            DecodeError::Damaged(what) => Self::Damaged(what),
        }
    }
}

/// What does not fit the registry or the namespaces.
impl From<Refusal> for Fault {
    fn from(_: Refusal) -> Self {
        Self::Damaged("a purpose or a namespace that does not fit")
    }
}

/// A state in the making.
#[derive(Default)]
pub(super) struct Restore {
    pub(super) state: State,
    pub(super) registry: Registry,
    pub(super) namespaces: Namespaces,
    schema_version: u32,
    /// The section that the last chunk was of: they come in a fixed order.
    section: u8,
    last_record: Option<(usize, Key, (PurposeId, bool))>,
}

impl State {
    /// Reads what [`State::chunks`] wrote.
    ///
    /// # Errors
    /// The source's own error, or what is wrong with the chunks: missing ones, one too many, a hash that does not fit.
    pub fn from_chunks<E>(
        chunks: impl IntoIterator<Item = Result<Vec<u8>, E>>,
    ) -> Result<Self, RestoreError<E>> {
        let mut restore = Restore::default();
        for chunk in chunks {
            let chunk = chunk.map_err(RestoreError::Source)?;
            restore.chunk(chunk.into()).map_err(RestoreError::from)?;
        }
        restore.finish().map_err(RestoreError::from)
    }
}

impl<E> From<Fault> for RestoreError<E> {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::TooNew => Self::TooNew,
            Fault::Damaged(what) => Self::Damaged(what),
        }
    }
}

/// The place of the last section.
const END: u8 = 9;

impl Restore {
    fn chunk(&mut self, chunk: Bytes) -> Result<(), Fault> {
        let section = persisted::StateChunk::decode(chunk)
            .map_err(DecodeError::from)?
            .section
            .ok_or(Fault::TooNew)?;
        let (number, once) = match &section {
            Section::Header(_) => (1, true),
            Section::Purposes(_) => (2, false),
            Section::Namespaces(_) => (3, false),
            Section::Rules(_) => (4, false),
            Section::Records(_) => (5, false),
            Section::Requests(_) => (6, false),
            Section::Imports(_) => (7, false),
            Section::Usage(_) => (8, false),
            Section::End(_) => (END, true),
        };
        let first = self.section == 0;
        if first != (number == 1) || number < self.section || (once && number == self.section) {
            return Err(Fault::Damaged("its chunks are out of order"));
        }
        self.section = number;
        match section {
            Section::Header(header) => self.header(&header),
            Section::Purposes(section) => self.purposes(section),
            Section::Namespaces(section) => self.namespaces(&section),
            Section::Records(rows) => self.records(&rows),
            Section::Requests(section) => self.requests(section),
            Section::Imports(section) => self.imports(&section),
            Section::Rules(section) => self.rules(section),
            Section::Usage(section) => self.usage(section),
            Section::End(end) => self.end(&end),
        }
    }

    fn header(&mut self, header: &persisted::StateHeader) -> Result<(), Fault> {
        if header.format != FORMAT || header.feature_level > FEATURE_LEVEL {
            return Err(Fault::TooNew);
        }
        self.schema_version = header.schema_version;
        let state = &mut self.state;
        state.revision = header.revision;
        state.log_time = Millis(header.log_time_ms);
        state.repeats = header.repeats;
        if !header.cluster_id.is_empty() {
            state.cluster = Some(Cluster {
                id: digest16(&header.cluster_id)?,
                key_fingerprint: KeyFingerprint(digest16(&header.key_fingerprint)?),
                feature_level: header.feature_level,
            });
        }
        for point in &header.hash_points {
            let hash = sha256(&point.hash)?;
            state.hash_points.push_back((point.revision, hash));
        }
        state.requests.restore_floor(floor(&header.request_floor)?);
        state.imports.restore_floor(floor(&header.import_floor)?);
        Ok(())
    }

    fn purposes(&mut self, section: persisted::PurposeSection) -> Result<(), Fault> {
        for message in section.purposes {
            let purpose = purpose(message)?;
            let (id, before) = self.registry.put(purpose.clone())?;
            if before.is_some() {
                return Err(Fault::Damaged("a purpose comes twice"));
            }
            self.state.sum.add(hash::purpose(id, &purpose));
        }
        Ok(())
    }

    fn namespaces(&mut self, section: &persisted::NamespaceSection) -> Result<(), Fault> {
        for name in &section.namespaces {
            let name = namespace(name)?;
            let id = self.namespaces.add(name.clone())?;
            self.state.sum.add(hash::namespace(id, &name));
        }
        Ok(())
    }

    fn records(&mut self, rows: &[u8]) -> Result<(), Fault> {
        let (rows, rest) = rows.as_chunks::<ROW_BYTES>();
        if !rest.is_empty() {
            return Err(Fault::Damaged("a record is cut short"));
        }
        for row in rows {
            let (key, record) = from_row(row).ok_or(Fault::Damaged("a record"))?;
            let place = Some((shard_of(&key), key, record.place()));
            let known = self.registry.name(record.purpose()).is_some()
                && self.namespaces.name(key.namespace()).is_some()
                && record.revision() <= self.state.revision;
            if !known || place <= self.last_record {
                return Err(Fault::Damaged("a record that does not fit"));
            }
            self.last_record = place;
            self.state.sum.add(hash::record(&key, &record));
            self.state.shards.put(key, record);
        }
        Ok(())
    }

    fn requests(&mut self, section: persisted::RequestSection) -> Result<(), Fault> {
        for message in section.requests {
            let outcome = outcome(
                message
                    .outcome
                    .ok_or(Fault::Damaged("a request without an outcome"))?,
            )?;
            let id = request_id(&message.id)?;
            let entry = Remembered::new(id, digest16(&message.digest)?, &outcome);
            if !self.state.requests.restore(entry) {
                return Err(Fault::Damaged("the requests are out of order"));
            }
        }
        Ok(())
    }

    fn imports(&mut self, section: &persisted::ImportSection) -> Result<(), Fault> {
        for message in &section.imports {
            let import = Import {
                namespace: namespace(&message.namespace)?,
                principal: principal(&message.principal)?,
                next_row: message.next_row,
            };
            let id = request_id(&message.id)?;
            if !self.state.imports.restore(id, import) {
                return Err(Fault::Damaged("the imports are out of order"));
            }
        }
        Ok(())
    }

    fn end(&mut self, end: &persisted::StateEnd) -> Result<(), Fault> {
        self.registry.restore_schema_version(self.schema_version);
        self.state.registry = Arc::new(std::mem::take(&mut self.registry));
        self.state.namespaces = Arc::new(std::mem::take(&mut self.namespaces));
        let state = &self.state;
        let complete = end.records == state.shards.records()
            && end.requests == state.requests.len() as u64
            && end.imports == state.imports.len() as u64
            && end.watched == state.anomalies.watched()
            && end.evidence == state.evidence.count();
        if !complete {
            return Err(Fault::Damaged("something is missing"));
        }
        if end.hash != state.hash().as_slice() {
            return Err(Fault::Damaged("its hash is another"));
        }
        Ok(())
    }

    fn finish(self) -> Result<State, Fault> {
        if self.section == END {
            Ok(self.state)
        } else {
            Err(Fault::Damaged("its end is missing"))
        }
    }
}

/// For the fuzz targets.
#[cfg(any(test, fuzzing))]
impl State {
    /// Chunks of a snapshot with the end that they need to be accepted, whatever they hold; `None` where one of them is
    /// refused by itself.
    pub(crate) fn with_end(mut chunks: Vec<Vec<u8>>) -> Option<Vec<Vec<u8>>> {
        let mut restore = Restore::default();
        for chunk in &chunks {
            restore.chunk(chunk.clone().into()).ok()?;
        }
        // Refused for its hash, with the state put together.
        let _ = restore.end(&persisted::StateEnd::default());
        let section = Some(Section::End(restore.state.end_out()));
        chunks.push(persisted::StateChunk { section }.encode_to_vec());
        Some(chunks)
    }
}

fn floor(bytes: &[u8]) -> Result<Option<RequestId>, Fault> {
    match bytes {
        [] => Ok(None),
        bytes => Ok(Some(request_id(bytes)?)),
    }
}

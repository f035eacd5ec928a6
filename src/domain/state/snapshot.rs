//! The state as chunks of a snapshot: the same bytes for the same state on every node.

use std::iter::{self, Peekable};

use bytes::Bytes;
use prost::Message as _;

use super::State;
use super::imports::Import;
use super::record::{ROW_BYTES, row};
use super::requests::Remembered;
use crate::domain::encoding::{outcome_out, purpose_out, uuid_out};
use crate::domain::ids::RequestId;
use crate::limits;
use crate::proto::persisted::{self, state_chunk::Section};

/// The layout that this program writes and reads.
pub(super) const FORMAT: u32 = 1;

/// Bytes of items in one chunk: what is left of a chunk is for its frame.
const ITEM_BYTES: usize = limits::SNAPSHOT_CHUNK_BYTES - 64;

/// About how many bytes a remembered request, or import, takes with its frame. What few of them take more is made up for by
/// the many that take less.
const REMEMBERED_BYTES: u64 = 128;

/// What the rest takes that does not grow with the subjects: registry, rules, usage.
const REST_BYTES: u64 = 1 << 20;

/// Bytes that the frame of one item takes in its section: a tag and a length.
const ITEM_FRAME: usize = 6;

impl State {
    /// The state in chunks of at most 1 MiB, to be read by [`State::from_chunks`]. The iterator holds a clone: the
    /// state itself can go on.
    pub fn chunks(&self) -> impl Iterator<Item = Vec<u8>> + Send + use<> {
        let registry = self.registry.clone();
        let purposes = (0..).map_while(move |at| registry.at(at).map(purpose_out));
        let namespaces = self.namespaces.clone();
        let namespaces = (0..).map_while(move |at| namespaces.at(at).map(ToString::to_string));
        let shards = self.shards.clone();
        let rows = (0..)
            .map_while(move |shard| shards.sorted(shard))
            .flatten()
            .map(|(key, record)| row(&key, &record));
        let requests = self
            .requests
            .clone()
            .into_entries()
            .map(|entry| request_out(&entry));
        let imports = self.imports.clone().into_entries().map(import_out);

        iter::once(Section::Header(self.header_out()))
            .chain(Batches::new(purposes, prost::Message::encoded_len).map(purpose_section))
            .chain(Batches::new(namespaces, String::len).map(namespace_section))
            .chain(self.rule_sections())
            .chain(Batches::new(rows, |_| ROW_BYTES).map(record_section))
            .chain(Batches::new(requests, prost::Message::encoded_len).map(request_section))
            .chain(Batches::new(imports, prost::Message::encoded_len).map(import_section))
            .chain(self.usage_sections())
            .chain(iter::once(Section::End(self.end_out())))
            .map(|section| {
                let chunk = persisted::StateChunk {
                    section: Some(section),
                };
                chunk.encode_to_vec()
            })
    }

    /// About how many bytes the chunks would take, found out without making them: to ask for room on the disk.
    pub fn snapshot_bytes(&self) -> u64 {
        let remembered = (self.requests.len() + self.imports.len()) as u64;
        let records = self.shards.records().saturating_mul(ROW_BYTES as u64);
        // A chunk's frame is a few bytes in a mebibyte.
        records
            .saturating_add(remembered * REMEMBERED_BYTES)
            .saturating_add(self.anomaly_bytes())
            .saturating_add(self.evidence_bytes())
            .saturating_add(REST_BYTES)
    }

    fn header_out(&self) -> persisted::StateHeader {
        let (cluster_id, key_fingerprint) = match &self.cluster {
            None => (Bytes::new(), Bytes::new()),
            Some(cluster) => (
                Bytes::copy_from_slice(&cluster.id),
                Bytes::copy_from_slice(&cluster.key_fingerprint.0),
            ),
        };
        persisted::StateHeader {
            format: FORMAT,
            revision: self.revision,
            log_time_ms: self.log_time.0,
            cluster_id,
            key_fingerprint,
            feature_level: self.feature_level(),
            schema_version: self.registry.schema_version(),
            hash_points: self
                .hash_points()
                .map(|(revision, hash)| persisted::HashPoint {
                    revision,
                    hash: Bytes::copy_from_slice(&hash),
                })
                .collect(),
            repeats: self.repeats,
            request_floor: floor_out(self.requests.floor()),
            import_floor: floor_out(self.imports.floor()),
        }
    }

    pub(super) fn end_out(&self) -> persisted::StateEnd {
        persisted::StateEnd {
            records: self.shards.records(),
            requests: self.requests.len() as u64,
            imports: self.imports.len() as u64,
            hash: Bytes::copy_from_slice(&self.hash()),
            watched: self.anomalies.watched(),
            evidence: self.evidence.count(),
        }
    }
}

fn floor_out(floor: Option<RequestId>) -> Bytes {
    floor.map(|id| uuid_out(id.0)).unwrap_or_default()
}

fn request_out(entry: &Remembered) -> persisted::RememberedRequest {
    persisted::RememberedRequest {
        id: uuid_out(entry.id.0),
        digest: Bytes::copy_from_slice(&entry.digest),
        outcome: Some(outcome_out(&entry.outcome())),
    }
}

fn import_out((id, import): (RequestId, Import)) -> persisted::RememberedImport {
    persisted::RememberedImport {
        id: uuid_out(id.0),
        namespace: import.namespace.to_string(),
        principal: import.principal.to_string(),
        next_row: import.next_row,
    }
}

fn purpose_section(purposes: Vec<persisted::Purpose>) -> Section {
    Section::Purposes(persisted::PurposeSection { purposes })
}

fn namespace_section(namespaces: Vec<String>) -> Section {
    Section::Namespaces(persisted::NamespaceSection { namespaces })
}

fn record_section(rows: Vec<[u8; ROW_BYTES]>) -> Section {
    Section::Records(rows.into_flattened().into())
}

fn request_section(requests: Vec<persisted::RememberedRequest>) -> Section {
    Section::Requests(persisted::RequestSection { requests })
}

fn import_section(imports: Vec<persisted::RememberedImport>) -> Section {
    Section::Imports(persisted::ImportSection { imports })
}

/// Gathers items into lists that fit a chunk.
pub(super) struct Batches<I: Iterator, F> {
    items: Peekable<I>,
    size: F,
}

impl<I: Iterator, F: Fn(&I::Item) -> usize> Batches<I, F> {
    pub(super) fn new(items: I, size: F) -> Self {
        Self {
            items: items.peekable(),
            size,
        }
    }
}

impl<I: Iterator, F: Fn(&I::Item) -> usize> Iterator for Batches<I, F> {
    type Item = Vec<I::Item>;

    fn next(&mut self) -> Option<Self::Item> {
        // An item alone always fits: the largest is a purpose with its description.
        let first = self.items.next()?;
        let mut left = ITEM_BYTES.saturating_sub((self.size)(&first) + ITEM_FRAME);
        let mut batch = vec![first];
        while let Some(next) = self.items.peek() {
            let Some(rest) = left.checked_sub((self.size)(next) + ITEM_FRAME) else {
                break;
            };
            left = rest;
            batch.extend(self.items.next());
        }
        Some(batch)
    }
}

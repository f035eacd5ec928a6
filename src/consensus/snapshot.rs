//! What a snapshot holds (what it covers, the journal's edge, the state) and its way to disk and back.

use std::sync::{Arc, Mutex, PoisonError};
use std::{fmt, io};

use super::room::{Room, Use};
use super::types::SnapshotMeta;
use crate::domain::{RestoreError, State};
use crate::storage::Refused;
use crate::storage::files::Files;
use crate::storage::journal::JournalEdge;
use crate::storage::snapshot::{
    MAX_CHUNK, ReceivedSnapshot, Section, SnapshotPieces, SnapshotReader, SnapshotReceiver,
    Snapshots as Folder,
};
use crate::storage::space::Space;

/// Everything that a snapshot holds.
pub struct Content {
    /// Which log entries it covers, and who the members were.
    pub meta: SnapshotMeta,
    /// The journal's edge at the state's revision.
    pub edge: JournalEdge,
    /// The state.
    pub state: State,
}

/// A snapshot as openraft hands it around.
pub enum SnapshotData {
    /// One that lies in a node's folder, named by the log index that it covers.
    Kept(Folder, u64),
    /// One that a leader sent. It becomes the node's own when it is installed.
    Received(ReceivedSnapshot),
}

/// The snapshots of this node, of which the newest counts.
pub struct Snapshots {
    folder: Folder,
    current: Mutex<Option<Current>>,
    room: Room,
}

#[derive(Clone)]
struct Current {
    meta: SnapshotMeta,
    bytes: u64,
}

fn position(meta: &SnapshotMeta) -> u64 {
    meta.last_log_id.map_or(0, |id| id.index)
}

// By value, since that is how `map_err` hands it over.
#[allow(clippy::needless_pass_by_value)]
fn damaged(what: impl fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_string())
}

impl Snapshots {
    /// Opens the folder, and reads the newest snapshot if there is one.
    ///
    /// # Errors
    /// When it is damaged: the log behind it is gone, so that nothing can stand in for it.
    pub fn open(files: Arc<dyn Files>, space: Arc<Space>) -> io::Result<(Self, Option<Content>)> {
        let folder = Folder::open(files)?;
        let snapshots = Self {
            folder,
            current: Mutex::default(),
            room: Room::new(space),
        };
        let Some(newest) = snapshots.folder.latest()? else {
            return Ok((snapshots, None));
        };
        let content = read(snapshots.folder.read(newest)?)?;
        snapshots.note(&content.meta)?;
        Ok((snapshots, Some(content)))
    }

    /// Whether there is room for one, and whether one waits for room.
    pub fn room(&self) -> &Room {
        &self.room
    }

    /// Writes a snapshot, and makes it the current one.
    ///
    /// # Errors
    /// Whatever the disk says; [`io::ErrorKind::StorageFull`] before it takes the room that writes need. Nothing is left
    /// of it then, and what was there before stands.
    pub fn save(&self, content: &Content) -> io::Result<SnapshotData> {
        let meta = serde_json::to_vec(&content.meta).map_err(damaged)?;
        let mut writer = self.folder.create(position(&content.meta), &meta)?;
        for chunk in content.edge.encode().chunks(MAX_CHUNK) {
            writer.push(Section::Journal, chunk)?;
        }
        for chunk in content.state.chunks() {
            self.room.check_growth()?;
            writer.push(Section::State, &chunk)?;
        }
        writer.finish()?;
        self.note(&content.meta)?;
        self.room.done(Use::Build);
        Ok(SnapshotData::Kept(
            self.folder.clone(),
            position(&content.meta),
        ))
    }

    /// Begins a snapshot that a leader sends.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn receive(&self, meta: &SnapshotMeta) -> io::Result<SnapshotReceiver> {
        self.folder.receive(position(meta))
    }

    /// Reads a snapshot whole, and makes it the current one if it is not yet.
    ///
    /// # Errors
    /// When it is damaged, or covers something else than `meta` says.
    pub fn adopt(&self, meta: &SnapshotMeta, data: SnapshotData) -> io::Result<Content> {
        let received = match data {
            SnapshotData::Received(received) => received,
            SnapshotData::Kept(folder, position) => {
                let mut pieces = folder.pieces(position)?;
                let mut receiver = self.receive(meta)?;
                while let Some(piece) = pieces.next_piece()? {
                    receiver.push(&piece)?;
                }
                receiver.finish()?
            }
        };
        let content = read(received.read()?)?;
        if content.meta != *meta {
            return Err(damaged(
                "the snapshot covers something else than its sender said",
            ));
        }
        received.publish()?;
        self.note(meta)?;
        self.room.done(Use::Receive);
        Ok(content)
    }

    /// The current snapshot.
    pub fn current(&self) -> Option<(SnapshotMeta, SnapshotData)> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let meta = current.as_ref()?.meta.clone();
        let data = SnapshotData::Kept(self.folder.clone(), position(&meta));
        Some((meta, data))
    }

    /// The current snapshot, or where there is none, one of nothing.
    pub fn standing(&self) -> (SnapshotMeta, SnapshotData) {
        let nothing = || {
            let data = SnapshotData::Kept(self.folder.clone(), 0);
            (SnapshotMeta::default(), data)
        };
        self.current().unwrap_or_else(nothing)
    }

    /// The log index that the current snapshot covers; 0 where there is none.
    pub fn position(&self) -> u64 {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let current = current.as_ref();
        current.map_or(0, |current| position(&current.meta))
    }

    /// Bytes of the current snapshot; 0 where there is none.
    pub fn bytes(&self) -> u64 {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.as_ref().map_or(0, |current| current.bytes)
    }

    /// A kept one, to be sent as it lies on disk.
    ///
    /// # Errors
    /// Whatever the disk says; also for a received one, which is never sent on.
    pub fn pieces(data: &SnapshotData) -> io::Result<SnapshotPieces> {
        match data {
            SnapshotData::Kept(folder, position) => folder.pieces(*position),
            SnapshotData::Received(_) => Err(damaged("a snapshot is sent from where it was made")),
        }
    }

    fn note(&self, meta: &SnapshotMeta) -> io::Result<()> {
        let bytes = self.folder.size(position(meta))?.unwrap_or(0);
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        // A build that was overtaken by an installed snapshot has been removed already.
        let newer = |held: &Current| position(&held.meta) > position(meta);
        if current.as_ref().is_some_and(newer) {
            return Ok(());
        }
        *current = Some(Current {
            meta: meta.clone(),
            bytes,
        });
        Ok(())
    }
}

/// Reads and verifies a snapshot to its end.
fn read(mut reader: SnapshotReader) -> io::Result<Content> {
    let meta: SnapshotMeta = serde_json::from_slice(reader.meta()).map_err(damaged)?;
    let mut edge = Vec::new();
    let first = loop {
        match reader.next_chunk()? {
            Some((Section::Journal, chunk)) => edge.extend_from_slice(&chunk),
            other => break other,
        }
    };
    let edge = JournalEdge::decode(&edge).map_err(damaged)?;
    // The state is built as its chunks are read: only one of them is in memory beside it.
    let rest = std::iter::from_fn(|| reader.next_chunk().transpose());
    let chunks = first
        .map(Ok)
        .into_iter()
        .chain(rest)
        .map(|chunk| match chunk {
            Ok((Section::State, chunk)) => Ok(chunk.to_vec()),
            Ok((Section::Journal, _)) => Err(damaged("the journal's edge stands after the state")),
            Err(error) => Err(error.into()),
        });
    let state = State::from_chunks(chunks).map_err(|error| match error {
        RestoreError::Source(error) => error,
        other => damaged(other),
    })?;
    if state.revision() != edge.size() {
        return Err(damaged(
            "the snapshot's state and its journal's edge are of different revisions",
        ));
    }
    Ok(Content { meta, edge, state })
}

/// Refuses a log whose beginning is gone without a snapshot that stands in for it: the node would begin from nothing.
///
/// # Errors
/// The way to rejoin.
pub fn check_covers(purged: Option<u64>, covered: Option<u64>) -> Result<(), Refused> {
    match purged {
        Some(purged) if covered.is_none_or(|covered| covered < purged) => {
            let what = format!(
                "the log was purged up to {purged}, and the snapshot that covers it is gone"
            );
            Err(Refused::damaged("snapshots", what))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purged_log_needs_the_snapshot_that_covers_it() {
        assert!(check_covers(None, None).is_ok());
        assert!(check_covers(Some(9), Some(9)).is_ok());
        assert!(check_covers(Some(9), Some(8)).is_err());
        let gone = check_covers(Some(9), None).unwrap_err();
        assert!(gone.to_string().contains("purged up to 9"), "{gone}");
    }
}

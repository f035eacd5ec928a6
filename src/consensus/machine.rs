//! openraft's view of the replica: apply, build a snapshot, install one.

use std::{io, sync::Arc};

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use openraft::{
    EntryPayload, OptionalSend,
    storage::{EntryResponder, RaftSnapshotBuilder, RaftStateMachine, Snapshot},
};

use super::replica::Replica;
use super::room::{Use, out_of_room};
use super::snapshot::{Content, SnapshotData, Snapshots};
use super::types::{EncodedReply, LogId, SnapshotMeta, StoredMembership, Types};
use crate::domain::State;
use crate::storage::off_thread;

/// The state machine that openraft is given.
pub struct Machine {
    replica: Arc<Replica>,
    snapshots: Arc<Snapshots>,
    applied: Option<LogId>,
    membership: StoredMembership,
}

impl Machine {
    /// Takes a replica as it was after the entry `applied`.
    pub fn new(replica: Arc<Replica>, snapshots: Arc<Snapshots>, meta: SnapshotMeta) -> Self {
        Self {
            replica,
            snapshots,
            applied: meta.last_log_id,
            membership: meta.last_membership,
        }
    }

    fn meta(&self) -> SnapshotMeta {
        SnapshotMeta {
            last_log_id: self.applied,
            last_membership: self.membership.clone(),
        }
    }
}

impl RaftStateMachine<Types> for Machine {
    type SnapshotData = SnapshotData;
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        Ok((self.applied, self.membership.clone()))
    }

    async fn apply<Strm>(&mut self, mut entries: Strm) -> io::Result<()>
    where
        Strm: Stream<Item = io::Result<EntryResponder<Types>>> + Unpin + OptionalSend,
    {
        while let Some(entry) = entries.next().await {
            let (entry, responder) = entry?;
            let index = entry.log_id.index;
            let reply = match entry.payload {
                EntryPayload::Normal(command) => self.replica.apply(index, &command.0)?,
                EntryPayload::Blank => {
                    self.replica.skip(index);
                    Bytes::new()
                }
                EntryPayload::Membership(members) => {
                    self.membership = StoredMembership::new(Some(entry.log_id), members);
                    self.replica.skip(index);
                    Bytes::new()
                }
            };
            self.applied = Some(entry.log_id);
            if let Some(responder) = responder {
                responder.send(EncodedReply(reply));
            }
        }
        Ok(())
    }

    async fn try_create_snapshot_builder(&mut self, force: bool) -> Option<Builder> {
        let bytes = self.replica.with_state(State::snapshot_bytes);
        // One that breaks off would end the node, at each start anew. The log stays as long as it is until there is room.
        if !force && !self.snapshots.room().take(Use::Build, bytes) {
            return None;
        }
        Some(self.get_snapshot_builder().await)
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        let (state, edge) = self.replica.freeze();
        Builder {
            content: Some(Content {
                meta: self.meta(),
                edge,
                state,
            }),
            replica: self.replica.clone(),
            snapshots: self.snapshots.clone(),
        }
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        file: SnapshotData,
    ) -> io::Result<()> {
        let (snapshots, covers) = (self.snapshots.clone(), meta.clone());
        // The snapshot becomes the node's own before the state moves to it: after a crash in between, it is what the
        // node starts from.
        let content = off_thread(move || snapshots.adopt(&covers, file)).await??;
        let index = meta.last_log_id.map_or(0, |id| id.index);
        let revision = content.state.revision();
        self.replica.install(content.state, &content.edge, index)?;
        tracing::info!(revision, "installed a snapshot");
        self.applied = meta.last_log_id;
        self.membership = meta.last_membership.clone();
        Ok(())
    }

    async fn get_current_snapshot(
        &mut self,
    ) -> io::Result<Option<openraft::type_config::alias::SmSnapshotOf<Types, Self>>> {
        Ok(self
            .snapshots
            .current()
            .map(|(meta, snapshot)| Snapshot { meta, snapshot }))
    }
}

/// Writes one snapshot while the state machine goes on.
pub struct Builder {
    content: Option<Content>,
    replica: Arc<Replica>,
    snapshots: Arc<Snapshots>,
}

impl RaftSnapshotBuilder<Types> for Builder {
    type SnapshotData = SnapshotData;

    async fn build_snapshot(
        &mut self,
    ) -> io::Result<openraft::type_config::alias::SnapshotOf<Types, SnapshotData>> {
        let Some(content) = self.content.take() else {
            return Err(io::Error::other("a snapshot builder builds one snapshot"));
        };
        let meta = content.meta.clone();
        let (replica, snapshots) = (self.replica.clone(), self.snapshots.clone());
        let saved = off_thread(move || {
            // The log is purged up to the snapshot: the journal's bundles must be on the disk by then.
            replica.journal().sync()?;
            Ok::<_, io::Error>(snapshots.save(&content))
        })
        .await??;
        match saved {
            Ok(snapshot) => Ok(Snapshot { meta, snapshot }),
            Err(error) if out_of_room(&error) => {
                // The disk filled up meanwhile. To openraft an error is the end of the node, and a snapshot that is no
                // newer than what it has is no news.
                let bytes = self.replica.with_state(State::snapshot_bytes);
                self.snapshots.room().ran_out(Use::Build, bytes);
                let (meta, snapshot) = self.snapshots.standing();
                Ok(Snapshot { meta, snapshot })
            }
            Err(error) => Err(error),
        }
    }
}

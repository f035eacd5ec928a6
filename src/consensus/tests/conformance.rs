//! openraft's storage conformance suite, on the log that is served from disk.

use std::path::Path;
use std::sync::Arc;

use openraft::StorageError;
use openraft::testing::log::{StoreBuilder, Suite};
use tempfile::TempDir;

use crate::consensus::log_store::LogStore;
use crate::consensus::machine::Machine;
use crate::consensus::replica::Replica;
use crate::consensus::snapshot::Snapshots;
use crate::consensus::types::{SnapshotMeta, Types};
use crate::domain::State;
use crate::storage::data_folder::DataFolder;
use crate::storage::files::Files;
use crate::storage::journal::{Journal, JournalEdge};
use crate::storage::log::{LogOptions, SledLog};
use crate::storage::space::Space;

struct Disk;

impl StoreBuilder<Types, LogStore, Machine, TempDir> for Disk {
    async fn build(&self) -> Result<(TempDir, LogStore, Machine), StorageError<Types>> {
        let folder = tempfile::tempdir().unwrap();
        let (log, machine) = open(folder.path());
        Ok((folder, log, machine))
    }
}

fn open(folder: &Path) -> (LogStore, Machine) {
    let files: Arc<dyn Files> = Arc::new(DataFolder::open(folder).unwrap());
    let fatal = Arc::new(|error: &std::io::Error| panic!("storage failed: {error}"));
    let log = SledLog::open(files.clone(), folder, &LogOptions::default(), fatal).unwrap();
    let space = Arc::new(Space::new(files.clone(), None));
    let (snapshots, content) = Snapshots::open(files.clone(), space).unwrap();
    assert!(content.is_none());
    let journal = Arc::new(Journal::open(files, &JournalEdge::default()).unwrap());
    let replica = Arc::new(Replica::new(State::default(), journal, 0));
    let machine = Machine::new(replica, Arc::new(snapshots), SnapshotMeta::default());
    (LogStore::new(Arc::new(log)), machine)
}

#[test]
fn the_store_conforms() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(Suite::test_all(Disk)).unwrap();
}

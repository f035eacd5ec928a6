//! What a node keeps, opened in the order that makes a lost piece show.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;

use super::first_start;
use crate::clock::Entropy;
use crate::metrics::Timer;
use crate::storage::data_folder::DataFolder;
use crate::storage::files::Files;
use crate::storage::identity::Identity;
use crate::storage::log::{Log, LogOptions, MemoryLog, SledLog};
use crate::storage::memory::MemoryFiles;
use crate::storage::space::Space;

/// A node's disk.
pub struct Disk {
    /// The replicated log.
    pub log: Arc<dyn Log>,
    /// Whole files: snapshots, the journal.
    pub files: Arc<dyn Files>,
    /// Whether there is room.
    pub space: Arc<Space>,
    /// Times what it takes the log to make a batch durable.
    pub log_sync: Timer,
    /// Who the node is.
    pub identity: Identity,
    /// Whether it has been anybody before: an identity that is new is not on the disk yet.
    pub new: bool,
}

impl Disk {
    /// Opens the data folder, or makes it. `join`: whether a new node waits to be taken into a cluster.
    ///
    /// # Errors
    /// When another process has it, when it cannot be used, when what lies in it is damaged (with the way to rejoin), or
    /// when a former node has left something there from which a new cluster must not begin.
    pub fn open(folder: &Path, join: bool, entropy: &dyn Entropy) -> anyhow::Result<Self> {
        let files: Arc<dyn Files> = Arc::new(DataFolder::open(folder)?);
        let known = Identity::load(&*files).map_err(|refused| refused.in_folder(folder))?;
        if known.is_none() {
            first_start::begin(&*files, folder, join)?;
        }
        let space = Arc::new(Space::new(Arc::clone(&files), Some(folder)));
        space
            .prepare()
            .with_context(|| format!("cannot make room in {}", folder.display()))?;
        let log_sync = Timer::default();
        let options = LogOptions {
            sync: log_sync.clone(),
            // A node that has an identity had a log: one that is gone is damage, never a fresh start.
            must_exist: known.is_some(),
            ..LogOptions::default()
        };
        let failed = Arc::new(|error: &std::io::Error| {
            tracing::error!(%error, "the disk failed: nothing more is written, and the node stops");
        });
        let name = |refused: crate::storage::Refused| match known {
            Some(identity) => refused.in_folder(folder).of_node(identity.node_id),
            None => refused.in_folder(folder),
        };
        let log = SledLog::open(Arc::clone(&files), folder, &options, failed).map_err(name)?;
        let identity = known.unwrap_or_else(|| Identity::random(entropy));
        Ok(Self {
            log: Arc::new(log),
            files,
            space,
            log_sync,
            identity,
            new: known.is_none(),
        })
    }

    /// A disk in memory, for simulation: keep clones of both parts, and hand them to the node's next life.
    ///
    /// # Errors
    /// When the identity on it is damaged.
    pub fn in_memory(
        log: MemoryLog,
        files: MemoryFiles,
        entropy: &dyn Entropy,
    ) -> anyhow::Result<Self> {
        let known = Identity::load(&files)?;
        let files: Arc<dyn Files> = Arc::new(files);
        Ok(Self {
            log: Arc::new(log),
            space: Arc::new(Space::new(Arc::clone(&files), None)),
            log_sync: Timer::default(),
            files,
            identity: known.unwrap_or_else(|| Identity::random(entropy)),
            new: known.is_none(),
        })
    }

    /// Makes the identity last. Comes after the log and the keys were made: a crash before it leaves a folder that the
    /// next start takes as it is.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn settle(&self) -> anyhow::Result<()> {
        if self.new {
            self.identity
                .save(&*self.files)
                .context("cannot save the node's identity")?;
        }
        // Also where an earlier life came to its identity and no further.
        first_start::end(&*self.files).context("cannot end the first start")
    }
}

//! Whether a snapshot fits the disk: asked before one is built or received, and told once when the answer changes.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::limits::SNAPSHOT_PAUSE;
use crate::storage::space::Space;

/// What a snapshot needs room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// It is made of this node's own state.
    Build,
    /// A leader sends it.
    Receive,
}

/// The room for snapshots. Writes and the next start need some of the disk too: that is left to them.
pub struct Room {
    space: Arc<Space>,
    waiting: Mutex<[Option<Wait>; 2]>,
}

/// A snapshot that did not fit.
#[derive(Clone, Copy)]
struct Wait {
    bytes: u64,
    /// Not before then is it tried again.
    again: Instant,
}

/// Whether an error says that the disk is full, so that trying again later is right.
pub fn out_of_room(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded)
}

impl Room {
    /// Room on the disk that `space` watches.
    pub fn new(space: Arc<Space>) -> Self {
        Self {
            space,
            waiting: Mutex::default(),
        }
    }

    /// Whether a snapshot of about so many bytes fits. One that does not waits from then on, until [`Self::done`].
    pub fn take(&self, what: Use, bytes: u64) -> bool {
        let fits = self.space.fits(bytes);
        if !fits {
            self.wait(what, bytes, Instant::now());
        }
        fits
    }

    /// Notes that the disk was full before a snapshot for which there seemed to be room was whole.
    pub fn ran_out(&self, what: Use, bytes: u64) {
        self.wait(what, bytes, Instant::now() + SNAPSHOT_PAUSE);
    }

    /// Refuses to let a snapshot grow into what writes need.
    ///
    /// # Errors
    /// [`io::ErrorKind::StorageFull`].
    pub fn check_growth(&self) -> io::Result<()> {
        if self.space.may_grow() {
            return Ok(());
        }
        let what = "a snapshot would take the room that writes need";
        Err(io::Error::new(io::ErrorKind::StorageFull, what))
    }

    /// Notes that a snapshot is whole.
    pub fn done(&self, what: Use) {
        if self.waiting()[what as usize].take().is_some() {
            tracing::info!("there is room again for {}", what.name());
        }
    }

    /// Whether a snapshot waits for room.
    pub fn waits(&self, what: Use) -> bool {
        self.waiting()[what as usize].is_some()
    }

    /// Whether a snapshot waits for room, and there seems to be enough by now.
    pub fn is_back(&self, what: Use) -> bool {
        let waiting = self.waiting()[what as usize];
        waiting.is_some_and(|wait| wait.again <= Instant::now() && self.space.fits(wait.bytes))
    }

    fn wait(&self, what: Use, bytes: u64, again: Instant) {
        let wait = Wait { bytes, again };
        let before = self.waiting()[what as usize].replace(wait);
        if before.is_none() {
            tracing::warn!(
                bytes,
                "the disk has no room for {}: free some of it. {}",
                what.name(),
                what.meanwhile()
            );
        }
    }

    fn waiting(&self) -> MutexGuard<'_, [Option<Wait>; 2]> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Use {
    fn name(self) -> &'static str {
        match self {
            Self::Build => "a snapshot of this node's state",
            Self::Receive => "the snapshot that the leader sends",
        }
    }

    fn meanwhile(self) -> &'static str {
        match self {
            Self::Build => "Until then the node goes on without one, and its log grows",
            Self::Receive => "Until then the node keeps what it has, and answers nothing",
        }
    }
}

//! What proves that an event was recorded: the Merkle tree, its checkpoints and who signed them, the paths of its tiles.
//!
//! The journal is a log after C2SP [tlog-tiles], its checkpoints are after C2SP [tlog-checkpoint], signed as C2SP [signed-note].
//! Nothing in here trusts anything but the keys that it is given.
//!
//! [tlog-tiles]: https://c2sp.org/tlog-tiles
//! [tlog-checkpoint]: https://c2sp.org/tlog-checkpoint
//! [signed-note]: https://c2sp.org/signed-note

mod checkpoint;
pub mod growing;
mod keys;
pub mod merkle;
mod note;
pub mod path;
pub mod tiles;
pub mod tree;

pub use self::{
    checkpoint::{Checkpoint, CheckpointInvalid},
    keys::{KnownKey, VerifierKeys},
    note::{JournalSigner, NoteInvalid, VerifierKey},
};

/// The name of a cluster's journal: the origin of its checkpoints, and the name of its keys.
///
/// It names the cluster and no place: wherever the journal is served from, it is the same.
pub fn origin(cluster_id: [u8; 16]) -> String {
    format!("refrain/{}", hex::encode(cluster_id))
}

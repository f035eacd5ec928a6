//! Everything on disk: the replicated log, the vote, the node's identity, and the one way to refuse to start.

pub mod data_folder;
pub mod files;
pub mod identity;
pub mod log;
pub mod refused;
pub mod space;

mod envelope;

pub use refused::Refused;

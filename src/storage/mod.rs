//! Everything on disk: the replicated log, the vote, the node's identity, snapshots, the journal, and the one way to
//! refuse to start.

pub mod data_folder;
mod envelope;
pub mod files;
mod frame;
pub mod identity;
pub mod journal;
pub mod log;
pub mod memory;
mod off_thread;
pub mod refused;
pub mod secrets;
pub mod snapshot;
pub mod space;

pub use off_thread::off_thread;
pub use refused::Refused;

#[cfg(test)]
mod tests;

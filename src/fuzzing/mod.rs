//! What the fuzz targets of `tests/fuzz` call: everything that reads bytes from outside or from the disk, each with what must hold of it.
//!
//! Each function takes any bytes at all. It panics where something is wrong, and must not where the bytes are. The same
//! functions are called by `cargo test` with the kept inputs. What a room keeps to itself is called from a file of its
//! own there, `fuzzed.rs`.

// A panic is how a target says what it found.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod edge;
mod identifiers;
mod input;
mod proven;
mod signed;
mod state;
mod stored;
#[cfg(test)]
mod tests;

pub use self::{
    edge::{bodies, requests},
    identifiers::identifiers,
    proven::{notes, receipts},
    signed::{key_sets, stamps},
    state::{commands, encodings, state_chunks},
    stored::{journal, small_files, snapshots},
};
pub use crate::{api::link::fuzzed::links, config::settings, storage::log::fuzzed::log_records};

//! Whole nodes in a simulated network with a simulated clock: real code, disks in memory, no sockets.

// A test says by a panic what went wrong.
#![allow(clippy::unwrap_used)]

mod cluster;
#[path = "../invariants/mod.rs"]
mod invariants;
mod leader_cut_off;
mod override_ends;
mod world;

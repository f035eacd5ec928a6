//! Whole nodes in a simulated network with a simulated clock: real code, disks in memory, no sockets.

// A test says by a panic what went wrong.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod alone;
mod calls;
mod clients;
mod clock;
mod disk;
mod faults;
mod feed;
mod hosts;
#[path = "../invariants/mod.rs"]
mod invariants;
#[path = "../invariants/tests/mod.rs"]
mod judges;
mod nemesis;
mod operator;
mod random;
mod record;
mod run;
mod scenarios;
mod seeds;
mod told;
mod watchers;
mod world;

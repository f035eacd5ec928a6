//! Tests of apply, and of what can be asked of a state.

mod decisions;
mod imports;
mod registry;
mod requests;
mod snapshots;
mod speed;

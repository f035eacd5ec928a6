//! Tests of apply, and of what can be asked of a state.

mod allow;
mod anomalies;
mod decisions;
mod evidence;
mod floors;
mod governance;
mod imports;
mod journal_keys;
mod judge;
mod members;
mod monitor;
mod registry;
mod requests;
mod signals;
mod snapshots;
mod speed;
mod two;

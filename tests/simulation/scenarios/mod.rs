//! Known ways to fail, each as a story of its own that is told the same way every time.

mod deaf_leader;
mod fsync_fails_once;
mod leader_cut_off;
mod open_stream;
mod override_ends;
mod power_cut;
mod principals;
mod purged_log;
mod removed_voter;
mod stage;
mod unsynced_entry;
mod wiped_disk;

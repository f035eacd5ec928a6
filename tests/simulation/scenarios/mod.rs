//! Known ways to fail, each as a story of its own that is told the same way every time.

mod commit_without_quorum;
mod deaf_leader;
mod fsync_fails_once;
mod in_time;
mod leader_cut_off;
mod many_items;
mod open_stream;
mod override_ends;
mod power_cut;
mod principals;
mod purged_log;
mod read_before_first_commit;
mod reads_during_replay;
mod removed_voter;
mod retried_opt_in;
mod single_node;
mod snapshots_close_together;
mod stage;
mod stale_acknowledgement;
mod stale_membership;
mod unsynced_entry;
mod unsynced_vote;
mod watch_keeps_its_place;
mod wiped_disk;

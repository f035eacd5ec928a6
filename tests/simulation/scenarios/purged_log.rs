//! A follower that was down comes back behind a fully purged log: it takes a snapshot, and goes on from there.

use refrain::proto::v1::Decision;

use super::stage::{INSTALLED, decides, leader, opt_out, others, tell};
use crate::operator::form;

#[test]
fn a_follower_behind_a_purged_log_takes_a_snapshot() {
    // A snapshot every few changes, close together, and no entry kept behind it.
    tell(21, 3, Some((300, 0)), |hands| async move {
        form(3).await;
        let behind = others(leader(0).await)[0];
        let up = others(behind)[0];
        hands.crash(behind).await;
        let before = hands.heard(INSTALLED);
        opt_out(up, "s1").await;
        for subject in 100..160 {
            opt_out(up, &format!("s{subject}")).await;
        }
        hands.restart(behind).await;
        assert_eq!(decides(behind, "s1").await, Decision::Deny);
        assert!(hands.heard(INSTALLED) > before, "no snapshot was needed");
        assert_eq!(decides(behind, "s159").await, Decision::Deny);
        // It counts as one that has all of it: with the other one gone, both of them go on.
        hands.crash(up).await;
        opt_out(behind, "s2").await;
        for node in others(up) {
            for subject in ["s1", "s159", "s2"] {
                assert_eq!(decides(node, subject).await, Decision::Deny);
            }
        }
    });
}

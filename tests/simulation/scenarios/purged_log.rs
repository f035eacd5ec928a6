//! A follower that was down comes back behind a fully purged log: it takes a snapshot, and with it what was asked before.

use refrain::proto::v1::Decision;

use super::stage::{decides, id, leader, opt_out, others, set, tell};
use crate::invariants::history::{Change, Outcome};
use crate::operator::form;

#[test]
fn a_snapshot_brings_state_requests_and_nothing_twice() {
    // A snapshot every few changes, close together, and no entry kept behind it.
    let told = tell(21, 3, Some((300, 0)), |hands| async move {
        form(3).await;
        let behind = others(leader(0).await)[0];
        let up = others(behind)[0];
        hands.crash(behind).await;

        let opt_in = id("the opt-in");
        let first = set(up, &opt_in, Change::OptIn, "s1").await.unwrap();
        opt_out(up, "s1").await;
        for subject in 100..160 {
            opt_out(up, &format!("s{subject}")).await;
        }
        hands.restart(behind).await;
        assert_eq!(decides(behind, "s1").await, Decision::Deny);
        assert_eq!(decides(behind, "s159").await, Decision::Deny);

        // Whoever has only the snapshot knows the request too: its retry has its first answer, and no effect.
        hands.crash(up).await;
        let again =
            crate::operator::until("a retry is answered", super::stage::PATIENCE, || async {
                set(behind, &opt_in, Change::OptIn, "s1").await.ok()
            })
            .await;
        assert_eq!(again, first);
        assert!(matches!(first, Outcome::Done { changed: true, .. }));
        assert_eq!(decides(behind, "s1").await, Decision::Deny);
    });
    assert!(told.count("installed a snapshot") > 0, "none was needed");
}

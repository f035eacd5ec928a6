//! An opt-in is sent again after a newer opt-out, to a node that knows of both from a snapshot alone: it has its first answer, and no effect.

use refrain::proto::v1::Decision;

use super::stage::{INSTALLED, PATIENCE, decides, id, leader, opt_out, others, set, tell};
use crate::invariants::history::{Change, Outcome};
use crate::operator::{form, until};

#[test]
fn a_retried_opt_in_does_not_undo_a_newer_opt_out() {
    tell(22, 3, Some((300, 0)), |hands| async move {
        form(3).await;
        let behind = others(leader(0).await)[0];
        let up = others(behind)[0];
        hands.crash(behind).await;
        let before = hands.heard(INSTALLED);
        let opt_in = id("the opt-in");
        let first = set(up, &opt_in, Change::OptIn, "s1").await.unwrap();
        assert!(matches!(first, Outcome::Done { changed: true, .. }));
        opt_out(up, "s1").await;
        for subject in 100..120 {
            opt_out(up, &format!("s{subject}")).await;
        }
        hands.restart(behind).await;
        assert_eq!(decides(behind, "s1").await, Decision::Deny);
        assert!(hands.heard(INSTALLED) > before, "no snapshot was needed");

        // With one of the two gone that took the request, the other two have to know it. Each is asked.
        hands.crash(up).await;
        for node in others(up) {
            let again = until("a retry is answered", PATIENCE, || async {
                set(node, &opt_in, Change::OptIn, "s1").await.ok()
            })
            .await;
            assert_eq!(again, first);
            assert_eq!(decides(node, "s1").await, Decision::Deny);
        }
    });
}

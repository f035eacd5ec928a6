//! A voter that was removed behind its back, with all of the log in its hands, neither answers nor leads.

use refrain::proto::v1::Decision;

use super::stage::{PATIENCE, check, decides, leader, opt_out, others, tell};
use crate::operator::{form, member_on, remove, status, until};
use crate::world::{channel, name};

#[test]
fn a_removed_voter_that_does_not_know_has_no_say() {
    tell(61, 3, None, |_| async move {
        form(3).await;
        opt_out(0, "s1").await;
        let leads = leader(0).await;
        let gone = others(leads)[0];
        let node_id = {
            let status = status(channel(leads), PATIENCE).await.unwrap();
            member_on(&status, gone).unwrap()
        };
        for other in others(gone) {
            turmoil::partition(name(gone), name(other));
        }
        until("it is removed", PATIENCE, || remove(leads, &node_id, false)).await;
        opt_out(leads, "s2").await;
        for other in others(gone) {
            turmoil::repair(name(gone), name(other));
        }
        for _ in 0..40 {
            let answer = check(gone, "s2").await;
            assert!(!matches!(answer, Ok(Decision::Allow)), "{answer:?}");
        }
        for node in others(gone) {
            assert_eq!(decides(node, "s2").await, Decision::Deny);
            assert_ne!(leader(node).await, gone);
        }
    });
}

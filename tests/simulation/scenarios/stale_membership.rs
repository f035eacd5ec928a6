//! A node whose old log names other members than the snapshot that it gets: the snapshot counts, and still does after a restart.

use refrain::proto::v1::Decision;

use super::stage::{
    INSTALLED, PATIENCE, check, cut, decides, id, leader, look, opt_out, others, set, tell,
};
use crate::invariants::history::Change;
use crate::operator::{add, form, host, member_on, remove, until};

/// The hosts of the members that a node knows.
async fn members(node: usize) -> Vec<usize> {
    let status = until("a node tells its members", PATIENCE, || look(node)).await;
    let members = status.members.iter();
    let mut members: Vec<_> = members.filter_map(|it| host(&it.peer_address)).collect();
    members.sort_unstable();
    members
}

#[test]
fn the_members_are_those_of_the_snapshot() {
    tell(101, 4, Some((300, 0)), |hands| async move {
        form(3).await;
        let leads = leader(0).await;
        let [behind, gone] = others(leads);
        hands.crash(behind).await;
        let before = hands.heard(INSTALLED);
        // While it is down, one of those that it knows makes room for one that it does not.
        until("a new member", PATIENCE, || add(leads, 3)).await;
        let node_id = {
            let status = until("the members are told", PATIENCE, || look(leads)).await;
            member_on(&status, gone).unwrap()
        };
        until("a member goes", PATIENCE, || remove(leads, &node_id, true)).await;
        for subject in 100..120 {
            opt_out(leads, &format!("s{subject}")).await;
        }
        hands.restart(behind).await;
        assert_eq!(decides(behind, "s119").await, Decision::Deny);
        assert!(hands.heard(INSTALLED) > before, "no snapshot was needed");
        let mut now = vec![leads, behind, 3];
        now.sort_unstable();
        assert_eq!(members(behind).await, now);
        // It makes snapshots of its own from here on.
        for subject in 120..140 {
            opt_out(behind, &format!("s{subject}")).await;
        }

        // Alone with its disk, and with the one that was a member together with it before: two of the three of old.
        cut(behind, [leads, 3]);
        cut(gone, [leads, 3]);
        hands.crash(behind).await;
        hands.restart(behind).await;
        assert_eq!(members(behind).await, now, "after a restart");
        opt_out(leads, "s1").await;
        for _ in 0..3 {
            for node in [behind, gone] {
                let answer = check(node, "s1").await;
                assert!(answer.is_err(), "node {node} answers {answer:?}");
            }
        }
        let written = set(behind, &id("the two of old"), Change::OptOut, "s2").await;
        assert!(written.is_err(), "the members of old acknowledged");
    });
}

//! A new leader that does not know yet how far the log is committed: a read waits for the first commit of its term.

use std::time::Duration;

use refrain::proto::v1::Decision;
use tokio::time::sleep;
use tonic::Status;

use super::stage::{PATIENCE, check, cut, id, leader, leads, others, revision, set, tell};
use crate::invariants::history::{Change, Outcome};
use crate::operator::{form, until};
use crate::world::name;

#[test]
fn a_read_of_the_new_leader_waits_for_its_first_commit() {
    tell(111, 3, None, |hands| async move {
        form(3).await;
        // Until all have looked at each other's clocks: a new leader that has not does so before it answers.
        sleep(Duration::from_secs(4)).await;
        let old = leader(0).await;
        for node in 0..3 {
            assert_eq!(check(node, "s1").await.unwrap(), Decision::Allow);
        }
        // One follower has the change, and its word of it gets back to the leader; that it is committed is news to it. The
        // other lacks the change, so that it cannot lead.
        let [new, another] = others(old);
        cut(another, [old]);
        hands.slow(new, Duration::from_millis(400)).await;
        let change = tokio::spawn(set_once(old));
        sleep(Duration::from_millis(100)).await;
        turmoil::partition_oneway(name(old), name(new));
        let done = change.await.unwrap().unwrap();
        let Outcome::Done { revision: made, .. } = done else {
            panic!("{done:?}");
        };
        cut(old, [new]);
        hands.crash(old).await;

        // Who leads now is heard by a majority at once. Its own disk takes its time with the first entry of its term.
        until("it leads", PATIENCE, || leads(new)).await;
        hands.slow(new, Duration::from_secs(1)).await;
        let before = revision(new).await;
        assert!(before < made, "the new leader knew: {before}, {made}");
        let (one, two) = tokio::join!(check(new, "s1"), check(another, "s1"));
        for answer in [one, two] {
            assert_eq!(answer.unwrap(), Decision::Deny);
        }
    });
}

async fn set_once(node: usize) -> Result<Outcome, Status> {
    set(node, &id("s1"), Change::OptOut, "s1").await
}

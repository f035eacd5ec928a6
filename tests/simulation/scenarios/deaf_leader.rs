//! A leader that is heard and hears nobody: the others do not follow it for ever, but elect one that hears them.

use std::time::Duration;

use refrain::proto::v1::Decision;
use tokio::time::sleep;

use super::stage::{check, decides, leader, opt_out, others, tell};
use crate::operator::form;
use crate::world::name;

/// What a leader says that begins to.
const QUIET: &str = "no majority answers this leader: it keeps quiet by turns, so that the others may elect another";
/// Many turns of a leader that keeps quiet by turns.
const LONG: Duration = Duration::from_secs(20);

#[test]
fn the_others_elect_a_leader_that_hears_them() {
    tell(83, 3, None, |_| async {
        form(3).await;
        let deaf = leader(0).await;
        for other in others(deaf) {
            turmoil::partition_oneway(name(other), name(deaf));
        }
        opt_out(others(deaf)[0], "s1").await;
        for other in others(deaf) {
            assert_eq!(decides(other, "s1").await, Decision::Deny);
        }
        // It takes itself for the leader, and nobody tells it better. It is not to allow anything.
        for _ in 0..5 {
            let answer = check(deaf, "s2").await;
            assert!(answer.is_err(), "a deaf leader answers {answer:?}");
        }
        for other in others(deaf) {
            assert_ne!(leader(other).await, deaf);
            turmoil::repair_oneway(name(other), name(deaf));
        }
        assert_eq!(decides(deaf, "s1").await, Decision::Deny);
    });
}

#[test]
fn a_leader_that_nobody_can_replace_leads_on_when_it_hears_again() {
    let told = tell(84, 3, None, |hands| async move {
        form(3).await;
        let deaf = leader(0).await;
        let [left, down] = others(deaf);
        hands.crash(down).await;
        turmoil::partition_oneway(name(left), name(deaf));
        let turns = std::time::Duration::from_secs(20);
        tokio::time::sleep(turns).await;
        assert!(
            check(left, "s1").await.is_err(),
            "two voters are a majority"
        );
        turmoil::repair_oneway(name(left), name(deaf));
        opt_out(left, "s1").await;
        assert_eq!(decides(deaf, "s1").await, Decision::Deny);
    });
    assert!(told.count(QUIET) > 0);
}

#[test]
fn a_leader_that_is_answered_never_keeps_quiet() {
    let told = tell(85, 3, None, |hands| async move {
        form(3).await;
        let leads = leader(0).await;
        sleep(LONG).await;
        // One voter less is no less of a majority.
        hands.crash(others(leads)[0]).await;
        sleep(LONG).await;
        assert_eq!(leader(others(leads)[1]).await, leads);
    });
    assert_eq!(told.count(QUIET), 0);
}

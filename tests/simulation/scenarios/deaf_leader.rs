//! A leader that is heard and hears nobody: the others do not follow it for ever, but elect one that hears them.

use std::time::Duration;

use refrain::proto::v1::Decision;
use tokio::time::sleep;

use super::stage::{check, decides, leader, opt_out, others, tell};
use crate::operator::form;
use crate::world::name;

/// Much longer than it takes to elect a leader.
const LONG: Duration = Duration::from_secs(20);

/// What the others draw decides who stands when: each of these draws otherwise.
const SEEDS: std::ops::Range<u64> = 800..812;

#[test]
fn the_others_elect_a_leader_that_hears_them() {
    for seed in SEEDS {
        tell(seed, 3, None, |_| async {
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
            let answer = check(deaf, "s2").await;
            assert!(answer.is_err(), "a deaf leader answers {answer:?}");
            for other in others(deaf) {
                assert_ne!(leader(other).await, deaf);
                turmoil::repair_oneway(name(other), name(deaf));
            }
            assert_eq!(decides(deaf, "s1").await, Decision::Deny);
        });
    }
}

#[test]
fn where_nobody_else_can_win_the_cluster_goes_on_once_it_hears_again() {
    tell(84, 3, None, |hands| async move {
        form(3).await;
        let deaf = leader(0).await;
        let [left, down] = others(deaf);
        hands.crash(down).await;
        turmoil::partition_oneway(name(left), name(deaf));
        sleep(LONG).await;
        assert!(check(left, "s1").await.is_err(), "is there a majority?");
        turmoil::repair_oneway(name(left), name(deaf));
        opt_out(left, "s1").await;
        assert_eq!(decides(deaf, "s1").await, Decision::Deny);
    });
}

#[test]
fn a_leader_that_is_answered_leads_on() {
    tell(85, 3, None, |hands| async move {
        form(3).await;
        let leads = leader(0).await;
        sleep(LONG).await;
        // One voter less is no less of a majority.
        let [down, left] = others(leads);
        hands.crash(down).await;
        sleep(LONG).await;
        assert_eq!(leader(left).await, leads);
    });
}

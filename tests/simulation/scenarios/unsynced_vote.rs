//! A vote that was not synced is lost in a crash: the voter must not have given it, or one term would have two leaders.

use std::time::Duration;

use refrain::proto::v1::Decision;
use tokio::time::{sleep, timeout};

use super::stage::{
    PATIENCE, cut, decides, id, join, leader, leads, look, opt_out, others, set, tell,
};
use crate::invariants::history::Change;
use crate::operator::{form, until};

#[test]
fn no_term_has_two_leaders_around_a_crash() {
    tell(81, 3, None, |hands| async move {
        form(3).await;
        let elder = leader(0).await;
        let [rival, voter] = others(elder);
        let before = until("it leads", PATIENCE, || leads(elder)).await;
        // The voter lacks an entry that both others have: it can elect either of them, and neither can elect it.
        cut(voter, others(voter));
        opt_out(elder, "s0").await;
        hands.slow(voter, Duration::from_secs(3_600)).await;
        cut(elder, [rival]);
        join(voter, [rival]);
        until("the rival stands for election", PATIENCE, || async {
            (look(rival).await?.term > before).then_some(())
        })
        .await;
        let elected = until("the rival leads", PATIENCE, || leads(rival));
        let elected = timeout(Duration::from_secs(3), elected).await.ok();

        // The voter goes, and with it whatever it had not synced. With the elder it makes a majority again.
        cut(rival, [voter]);
        hands.crash(voter).await;
        hands.crash(elder).await;
        hands.restart(voter).await;
        hands.restart(elder).await;
        join(voter, [elder]);
        let term = until("the elder leads", PATIENCE, || leads(elder)).await;
        assert_eq!(term, before + 1, "this story is about one term");
        assert_ne!(elected, Some(term), "two nodes lead in term {term}");

        // What it commits is there to stay, whatever the rival took itself for meanwhile.
        let lonely = set(rival, &id("lonely"), Change::OptOut, "s2").await;
        assert!(lonely.is_err(), "the rival acknowledged alone");
        opt_out(elder, "s1").await;
        join(rival, others(rival));
        sleep(Duration::from_secs(3)).await;
        for node in 0..3 {
            assert_eq!(decides(node, "s1").await, Decision::Deny, "node {node}");
        }
    });
}

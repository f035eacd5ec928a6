//! A sync that fails once and then succeeds: the node ends at the first failure, and what it took for written is not acknowledged.

use std::time::Duration;

use refrain::proto::v1::Decision;
use tokio::time::sleep;

use super::stage::{check, decides, leader, opt_out, others, tell};
use crate::operator::form;

#[test]
fn a_node_ends_at_the_first_failure_of_its_disk() {
    tell(41, 3, None, |hands| async move {
        form(3).await;
        let fails = leader(0).await;
        hands
            .world(move |_, hosts| {
                hosts[fails].doomed = true;
                hosts[fails].machine().disk.fail_log();
            })
            .await;
        opt_out(others(fails)[0], "s1").await;
        sleep(Duration::from_secs(1)).await;
        hands
            .world(move |_, hosts| assert!(!hosts[fails].up, "it went on after a failed sync"))
            .await;
        assert!(check(fails, "s1").await.is_err());
        hands.restart(fails).await;
        assert_eq!(decides(fails, "s1").await, Decision::Deny);
    });
}

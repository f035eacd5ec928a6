//! A cluster of one: nobody else has what it acknowledged, so that its own disk must have it first.

use std::time::Duration;

use refrain::proto::v1::Decision;

use super::stage::{decides, opt_out, tell};
use crate::operator::form;

#[test]
fn an_acknowledgement_of_a_single_node_is_not_lost() {
    tell(12, 1, None, |hands| async move {
        form(1).await;
        for round in 0..10 {
            let subject = format!("s{round}");
            // So slow that whatever is acknowledged before it was synced is lost.
            hands.slow(0, Duration::from_millis(50)).await;
            opt_out(0, &subject).await;
            hands.crash(0).await;
            hands.restart(0).await;
            assert_eq!(decides(0, &subject).await, Decision::Deny);
        }
    });
}

//! The power goes right after an acknowledgement: the change is there when the first node answers again, and nobody answers sooner.
//!
//! A leader that comes back as one, with an old idea of what is committed, would show here.

use std::time::Duration;

use refrain::proto::v1::Decision;
use tokio::time::sleep;

use super::stage::{check, decides, opt_out, tell};
use crate::operator::form;

#[test]
fn what_was_acknowledged_is_there_at_the_first_answer() {
    tell(11, 3, None, |hands| async move {
        form(3).await;
        for round in 0..8 {
            // So slow that whatever is acknowledged before it was synced is lost.
            hands
                .world(|_, hosts| {
                    let slow = (Duration::from_millis(40), Duration::from_millis(60));
                    for host in hosts.iter() {
                        host.machine().disk.slow(slow);
                    }
                })
                .await;
            let subject = format!("s{round}");
            assert_eq!(decides(round % 3, &subject).await, Decision::Allow);
            opt_out(round % 3, &subject).await;
            hands
                .world(|sim, hosts| {
                    for host in hosts {
                        host.crash(sim, Duration::MAX, true);
                    }
                })
                .await;
            for node in 0..3 {
                hands.restart((round + node) % 3).await;
            }
            // From the first moment on: an error, or DENY.
            for _ in 0..60 {
                for node in 0..3 {
                    if let Ok(decision) = check(node, &subject).await {
                        assert_eq!(decision, Decision::Deny, "node {node}, round {round}");
                    }
                }
                sleep(Duration::from_millis(5)).await;
            }
            for node in 0..3 {
                assert_eq!(decides(node, &subject).await, Decision::Deny);
            }
        }
    });
}

//! Two snapshots close together: one is made, and the log purged up to it, while the one before is still on its way to a follower.

use std::time::Duration;

use refrain::proto::v1::Decision;
use tokio::time::sleep;

use super::stage::{INSTALLED, agree, decides, leader, opt_out, others, tell};
use crate::operator::form;
use crate::world::{LATENCY, name};

#[test]
fn a_snapshot_that_is_old_when_it_arrives_is_followed_by_a_newer_one() {
    tell(141, 3, Some((300, 0)), |hands| async move {
        form(3).await;
        let leads = leader(0).await;
        let behind = others(leads)[0];
        hands.crash(behind).await;
        let before = hands.heard(INSTALLED);
        for subject in 100..130 {
            opt_out(leads, &format!("s{subject}")).await;
        }
        // What gets to the follower takes longer than the next snapshots do.
        let slow = move |sim: &mut turmoil::Sim<'static>, most| {
            sim.set_link_max_message_latency(name(leads), name(behind), most);
        };
        hands
            .world(move |sim, _| slow(sim, Duration::from_millis(400)))
            .await;
        hands.restart(behind).await;
        let mut subject = 130;
        while hands.heard(INSTALLED) < before + 2 {
            opt_out(leads, &format!("s{subject}")).await;
            subject += 1;
            // In the midst of it the follower goes once more.
            if subject == 160 {
                hands.crash(behind).await;
                sleep(Duration::from_millis(100)).await;
                hands.restart(behind).await;
            }
            assert!(subject < 600, "no second snapshot was taken");
        }
        hands.world(move |sim, _| slow(sim, LATENCY.1)).await;
        for subject in [100, 130, subject - 1] {
            let denied = decides(behind, &format!("s{subject}")).await;
            assert_eq!(denied, Decision::Deny, "s{subject}");
        }
        agree(3).await;
    });
}

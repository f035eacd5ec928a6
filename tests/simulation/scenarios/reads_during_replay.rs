//! A node that came back has still to apply what it missed: until then a read on it waits, or ends in an error.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use std::time::Duration;

use refrain::proto::v1::Decision;
use tokio::time::Instant;

use super::stage::{PATIENCE, decides, leader, opt_out, others, tell};
use crate::calls;
use crate::invariants::history::Outcome;
use crate::operator::form;
use crate::world::channel;

/// What a node decides that has little time for it.
async fn quickly(node: usize, subject: &str) -> Result<bool, String> {
    let soon = Duration::from_millis(100);
    let subject = [subject.to_owned()];
    match calls::check(channel(node), soon, &subject, "analytics").await {
        Ok(Outcome::Decided { allow, .. }) => Ok(allow),
        Ok(other) => panic!("{other:?}"),
        Err(status) => Err(calls::reason(&status)),
    }
}

/// Tells the story with a seed, and counts how often the node said that it was behind.
fn told(seed: u64) -> usize {
    let said = Arc::new(AtomicUsize::new(0));
    let heard = Arc::clone(&said);
    tell(seed, 3, None, |hands| async move {
        form(3).await;
        let leads = leader(0).await;
        let behind = others(leads)[0];
        let missed: Vec<_> = (0..40).map(|n| format!("s{n}")).collect();
        for subject in &missed {
            assert_eq!(decides(behind, subject).await, Decision::Allow);
        }
        hands.crash(behind).await;
        for subject in &missed {
            opt_out(leads, subject).await;
        }
        // So slow, from its first step on, that it knows how far it must come long before it is there.
        hands.restart_slow(behind, Duration::from_secs(1)).await;
        let (mut replaying, mut behind_still) = (0, true);
        let begun = Instant::now();
        while behind_still {
            assert!(begun.elapsed() < PATIENCE, "it does not catch up");
            behind_still = false;
            for subject in missed.iter().step_by(13) {
                match quickly(behind, subject).await {
                    Ok(allow) => assert!(!allow, "{subject} is allowed by a state that is behind"),
                    Err(why) => {
                        replaying += usize::from(why == "REPLAYING");
                        behind_still = true;
                    }
                }
            }
        }
        heard.store(replaying, Ordering::Relaxed);
    });
    said.load(Ordering::Relaxed)
}

#[test]
fn nothing_is_answered_from_a_state_that_is_behind() {
    // How soon it is there is up to the seed, and each of them holds what was answered.
    let replaying: usize = (121..125).map(told).sum();
    assert!(replaying > 0, "nobody asked while it was behind");
}

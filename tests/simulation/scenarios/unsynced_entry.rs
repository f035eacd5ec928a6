//! An entry that only the leader has synced is not acknowledged, however long the followers' disks take.

use std::time::Duration;

use tokio::time::sleep;

use super::stage::{check, decides, id, leader, others, set, tell};
use crate::invariants::history::Change;
use crate::operator::form;

#[test]
fn no_acknowledgement_comes_before_a_majority_has_synced() {
    tell(31, 3, None, |hands| async move {
        form(3).await;
        let leads = leader(0).await;
        let hour = Duration::from_secs(3_600);
        for other in others(leads) {
            hands
                .world(move |_, hosts| hosts[other].machine().disk.slow((hour, hour)))
                .await;
        }
        // From here on nothing can be acknowledged: not even that nothing was changed.
        let taken = set(leads, &id("lost"), Change::OptOut, "s1").await;
        assert!(taken.is_err(), "{taken:?}");
        // The leader has the entry. It goes, and the others lose what they had not synced.
        hands
            .world(|sim, hosts| {
                for host in hosts {
                    host.crash(sim, Duration::MAX, true);
                }
            })
            .await;
        for other in others(leads) {
            hands.restart(other).await;
        }
        let without = decides(others(leads)[0], "s1").await;
        hands.restart(leads).await;
        sleep(Duration::from_secs(5)).await;
        // Whatever they decided without it, it stays so: what was never committed does not come back.
        for node in 0..3 {
            assert_eq!(check(node, "s1").await.unwrap(), without, "node {node}");
        }
    });
}

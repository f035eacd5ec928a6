//! Whether this node serves: found out by doing what a client would, a linearizable read, over and over.

use std::sync::Arc;

use openraft::async_runtime::WatchReceiver as _;
use tokio::time::{Instant, sleep, timeout};

use super::core::Core;
use super::outcome::Unavailable;
use super::reads;
use super::report::Health;
use super::room::Use;
use crate::limits::{HEALTH_INTERVAL, HEALTH_PROBE_TIMEOUT};

/// Asks again at an interval, and at once when the leader changes.
pub async fn watch(core: Arc<Core>) {
    let mut metrics = core.raft.metrics();
    let room = core.snapshots.room();
    loop {
        let health = match probe(&core).await {
            Ok(()) => {
                // What did not fit has come some other way.
                room.done(Use::Receive);
                if room.waits(Use::Build) || !core.space.enough_space() {
                    Health::serving_without(Unavailable::DiskNearlyFull)
                } else {
                    Ok(()).into()
                }
            }
            // What it lacks is in a snapshot that does not fit.
            Err(Unavailable::Replaying | Unavailable::NoQuorum) if room.waits(Use::Receive) => {
                Err(Unavailable::DiskNearlyFull).into()
            }
            Err(why) => Err(why).into(),
        };
        let ready = health.ready;
        core.health.send_if_modified(|current| {
            let changed = *current != health;
            if changed {
                *current = health;
            }
            changed
        });
        let leader = metrics.borrow_watched().current_leader;
        // A node on its way to serving is asked more often than one that serves.
        let interval = if ready {
            HEALTH_INTERVAL
        } else {
            HEALTH_INTERVAL / 10
        };
        let _ = timeout(interval, async {
            while metrics.changed().await.is_ok() {
                if metrics.borrow_watched().current_leader != leader {
                    return;
                }
            }
            // The node is stopping: nothing changes any more.
            sleep(interval).await;
        })
        .await;
    }
}

async fn probe(core: &Core) -> Result<(), Unavailable> {
    if core.raft.metrics().borrow_watched().running_state.is_err() {
        return Err(Unavailable::StorageFailed);
    }
    reads::catch_up(core, Instant::now() + HEALTH_PROBE_TIMEOUT)
        .await
        .map(drop)
}

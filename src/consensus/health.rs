//! Whether this node serves: found out by doing what a client would, a linearizable read, over and over.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use openraft::async_runtime::WatchReceiver as _;
use tokio::time::{Instant, sleep, timeout};

use super::core::Core;
use super::reads;
use super::unavailable::Unavailable;
use crate::limits::{HEALTH_INTERVAL, HEALTH_PROBE_TIMEOUT};

/// Whether a node serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health(pub Result<(), Unavailable>);

impl Health {
    /// Whether it answers checks.
    pub fn ready(self) -> bool {
        self.0.is_ok()
    }

    /// The word for why not, or `ok`.
    pub fn reason(self) -> &'static str {
        self.0.err().map_or("ok", Unavailable::reason)
    }
}

/// Asks again at an interval, and at once when the leader changes.
pub async fn watch(core: Arc<Core>) {
    let mut metrics = core.raft.metrics();
    loop {
        let health = Health(probe(&core).await);
        // A node that has begun to drain stays unready, whatever a probe that was under way found.
        let draining = core.draining.load(Ordering::Acquire);
        let health = if draining { Health(Err(Unavailable::Draining)) } else { health };
        core.health.send_if_modified(|current| {
            let changed = *current != health;
            if changed {
                tracing::info!(ready = health.ready(), reason = health.reason(), "health");
            }
            *current = health;
            changed
        });
        let leader = metrics.borrow_watched().current_leader;
        let _ = timeout(HEALTH_INTERVAL, async {
            while metrics.changed().await.is_ok() {
                if metrics.borrow_watched().current_leader != leader {
                    return;
                }
            }
            // The node is stopping: nothing changes any more.
            sleep(HEALTH_INTERVAL).await;
        })
        .await;
    }
}

async fn probe(core: &Core) -> Result<(), Unavailable> {
    if core.raft.metrics().borrow_watched().running_state.is_err() {
        return Err(Unavailable::StorageFailed);
    }
    reads::catch_up(core, Instant::now() + HEALTH_PROBE_TIMEOUT).await
}

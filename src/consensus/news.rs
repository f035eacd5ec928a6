//! What the log tells of the cluster: who leads, and which peers fall silent and come back; each change once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use openraft::Instant as _;
use openraft::async_runtime::WatchReceiver as _;
use tokio::time::{Instant, interval};

use super::core::Core;
use crate::domain::NodeId;
use crate::limits::NEWS_INTERVAL;

/// Looks at an interval, and logs what is new.
pub async fn tell(core: Arc<Core>) {
    let patience = Duration::from_millis(core.timing.election_timeout_ms.1);
    let metrics = core.raft.metrics();
    let mut tick = interval(NEWS_INTERVAL);
    let mut leader = None;
    let mut peers = Peers::default();
    loop {
        tick.tick().await;
        let (now, heard) = {
            let metrics = metrics.borrow_watched();
            // Only a leader hears from all of them.
            let heard: Vec<_> = metrics.heartbeat.iter().flatten().collect();
            let heard = heard
                .into_iter()
                .filter(|(id, _)| **id != core.node_id())
                .map(|(id, at)| (*id, at.as_ref().map(|at| at.elapsed())))
                .collect::<BTreeMap<u64, Option<Duration>>>();
            (metrics.current_leader, heard)
        };
        if now != leader {
            leader = now;
            match now {
                Some(id) if id == core.node_id() => tracing::info!("this node leads"),
                Some(id) => tracing::info!(leader = %NodeId(id), "another node leads"),
                None => tracing::warn!("no leader is known"),
            }
        }
        for (id, silent) in peers.changes(&heard, patience) {
            let node = NodeId(id).to_string();
            if silent {
                tracing::warn!(node, "a node does not answer any more");
            } else {
                tracing::info!(node, "a node answers again");
            }
        }
    }
}

/// The peers, with when each was looked at first, and whether it is silent.
#[derive(Default)]
struct Peers(BTreeMap<u64, (Instant, bool)>);

impl Peers {
    /// Who fell silent (`true`) and who came back (`false`). `heard` has, of each peer, how long ago it last answered;
    /// `None` where it never has.
    fn changes(
        &mut self,
        heard: &BTreeMap<u64, Option<Duration>>,
        patience: Duration,
    ) -> Vec<(u64, bool)> {
        self.0.retain(|id, _| heard.contains_key(id));
        let mut changes = Vec::new();
        for (&id, &ago) in heard {
            let (first, was) = self.0.entry(id).or_insert_with(|| (Instant::now(), false));
            let silent = ago.unwrap_or_else(|| first.elapsed()) > patience;
            if silent != *was {
                *was = silent;
                changes.push((id, silent));
            }
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn each_change_of_a_peer_is_told_once() {
        let mut peers = Peers::default();
        let mut after = |ago: &[(u64, Option<u64>)]| {
            let heard = ago
                .iter()
                .map(|(id, ms)| (*id, ms.map(Duration::from_millis)));
            peers.changes(&heard.collect(), PATIENCE)
        };
        assert_eq!(after(&[(1, Some(10)), (2, None)]), []);
        tokio::time::advance(PATIENCE * 2).await;
        // Who was there before and has never answered is silent; who is new has time.
        assert_eq!(after(&[(1, Some(10)), (2, None), (3, None)]), [(2, true)]);
        assert_eq!(after(&[(1, Some(10)), (2, None), (3, Some(0))]), []);
        assert_eq!(
            after(&[(1, Some(1_001)), (2, Some(5))]),
            [(1, true), (2, false)]
        );
        assert_eq!(after(&[(1, Some(1_201)), (2, Some(5))]), []);
        // Another leads, and this one hears nothing any more.
        assert_eq!(after(&[]), []);
        assert_eq!(after(&[(1, Some(3))]), []);
    }
}

//! Nodes whose clocks disagree: who is far ahead proposes nothing, and a read is judged by the later clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::StreamExt as _;

use super::cluster::{Node, cluster, soon};
use super::proposals::opt_out;
use crate::clock::{Clock, SystemClock};
use crate::consensus::{Unavailable, WriteError, clocks, writes};
use crate::domain::{Decision, Millis, Outcome};

/// The system's clock, as far ahead of it as a test says.
#[derive(Clone, Default)]
pub struct SetClock(Arc<AtomicU64>);

impl SetClock {
    pub fn set_ahead(&self, by: Duration) {
        self.0
            .store(by.as_millis().try_into().unwrap(), Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn now(&self) -> Millis {
        Millis(SystemClock.now().0 + self.0.load(Ordering::SeqCst))
    }
}

const HOUR: Duration = Duration::from_secs(3_600);

fn leader_and_follower(nodes: &[Node]) -> (&Node, &Node) {
    let (leader, _) = nodes[0].consensus.leader().unwrap();
    let of = |leads: bool| {
        nodes
            .iter()
            .find(|node| (node.consensus.node_id() == leader) == leads)
            .unwrap()
    };
    (of(true), of(false))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_far_ahead_proposes_nothing_and_another_takes_over() {
    let nodes = cluster(3).await;
    let (leader, follower) = leader_and_follower(&nodes);
    clocks::measure(&leader.consensus.core).await;
    leader.clock.set_ahead(HOUR);
    // Through the one that is ahead: it refuses, hands over, and the change is made by whoever leads then.
    let Ok(Outcome::Preference { received_at, .. }) = leader.write(1).await else {
        panic!("nobody took over");
    };
    assert!(
        received_at < leader.clock.now(),
        "the clock that is ahead gave the time"
    );
    let log_time_limit = Millis(SystemClock.now().0 + 60_000);
    assert!(received_at < log_time_limit, "{received_at:?}");
    let (new, _) = follower.consensus.leader().unwrap();
    assert_ne!(new, leader.consensus.node_id());
    assert_eq!(leader.decide(1).await, Ok(Decision::Deny));
    let alarms = follower.consensus.status(soon()).await.alarms;
    assert!(
        alarms
            .iter()
            .any(|alarm| alarm.contains("3600 s ahead") || alarm.contains("3599 s ahead")),
        "{alarms:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nobody_can_take_over_nothing_is_written_until_the_clock_is_mended() {
    let leader = Node::start(7).await;
    leader.consensus.init(soon()).await.unwrap();
    leader.ready().await;
    // Alone there is nothing to be ahead of.
    leader.clock.set_ahead(HOUR);
    clocks::measure(&leader.consensus.core).await;
    leader.write(1).await.unwrap();
    leader.clock.set_ahead(Duration::ZERO);

    let learner = Node::start(7).await;
    let mut adding = leader.consensus.add(learner.peer.clone(), true);
    while let Some(step) = adding.next().await {
        step.unwrap();
    }
    leader.clock.set_ahead(Duration::from_secs(9));
    clocks::measure(&leader.consensus.core).await;
    leader.write(2).await.unwrap();
    leader.clock.set_ahead(Duration::from_secs(12));
    let refused = writes::propose(&leader.consensus.core, &opt_out(3)).await;
    let why = Unavailable::ClockAhead;
    assert_eq!(refused, Err(WriteError::NotApplied { why }));
    // Nothing was made of it, and questions are answered all the same.
    assert_eq!(leader.decide(3).await, Ok(Decision::Allow));
    // A change that comes through another node waits as long as its caller does.
    let mend = async {
        assert!(leader.consensus.core.clocks.ahead(leader.clock.now()));
        leader.clock.set_ahead(Duration::ZERO);
    };
    let (written, ()) = tokio::join!(learner.write(3), mend);
    written.unwrap();
    assert_eq!(leader.decide(3).await, Ok(Decision::Deny));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_is_judged_by_the_leaders_clock_or_its_own_whichever_is_later() {
    let nodes = cluster(3).await;
    let (leader, follower) = leader_and_follower(&nodes);
    leader.clock.set_ahead(Duration::from_secs(8));
    let before = leader.clock.now();
    let at = follower.consensus.read(soon()).await.unwrap();
    assert!(
        before <= at && at <= leader.clock.now(),
        "{at:?} is not the leader's"
    );

    follower.clock.set_ahead(HOUR);
    let before = follower.clock.now();
    let at = follower.consensus.read(soon()).await.unwrap();
    assert!(
        before <= at && at <= follower.clock.now(),
        "{at:?} is not its own"
    );

    let before = leader.clock.now();
    let at = leader.consensus.read(soon()).await.unwrap();
    assert!(
        before <= at && at <= leader.clock.now(),
        "{at:?} is not the leader's"
    );
}

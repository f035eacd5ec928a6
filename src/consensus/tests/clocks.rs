//! Nodes whose clocks disagree: who is far ahead proposes nothing, and no clock makes what has ended last longer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::StreamExt as _;

use super::cluster::{Node, cluster, operator, soon};
use super::proposals::{opt_out, request_id, token};
use crate::clock::{Clock, SystemClock};
use crate::consensus::{Unavailable, WriteError, clocks, writes};
use crate::domain::{
    Approve, Body, ChangeKind, Decision, Millis, Namespace, Outcome, OverrideTerms, Principal,
    Proposal, Propose, ProposedChange, PurposeName, Question, Reason, ServiceName,
};

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
    let mut adding = leader.consensus.add(learner.peer.clone(), true, operator());
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

async fn write(node: &Node, principal: &str, body: Body) -> Outcome {
    let principal = Principal::parse(principal).unwrap();
    let proposal = Proposal { principal, body };
    node.consensus.write(proposal, soon()).await.unwrap()
}

/// Opts subject 1 out of analytics, and lifts that for an hour.
async fn lift_for_an_hour(node: &Node) {
    node.write(1).await.unwrap();
    let terms = OverrideTerms {
        namespace: Namespace::default_namespace(),
        purposes: vec![PurposeName::parse("analytics").unwrap()],
        services: vec![ServiceName::parse("shop").unwrap()],
        subject: None,
        reason: "A recall.".to_owned(),
        expires_at: Millis(SystemClock.now().0 + 3_600_000),
    };
    let propose = Propose {
        request_id: request_id(),
        change: ProposedChange::Override(terms),
        max_minutes: 60,
        credential: None,
    };
    let proposed = write(node, "ann", Body::Propose(propose)).await;
    let Outcome::Registry { event_id, .. } = proposed else {
        panic!("not proposed: {proposed:?}");
    };
    let approve = Approve {
        request_id: request_id(),
        change_id: event_id.unwrap(),
        kind: ChangeKind::Override,
        max_minutes: Some(60),
        credential: None,
    };
    write(node, "bob", Body::Approve(approve)).await;
    assert_eq!(reason(node).await, Reason::Overridden);
}

/// Why a node answers `shop` as it does about subject 1.
async fn reason(node: &Node) -> Reason {
    let at = node.consensus.read(soon()).await.unwrap();
    let verdict = node.consensus.with_state(|state| {
        state.decide(&Question {
            namespace: &Namespace::default_namespace(),
            tokens: &[token(1)],
            purpose: &PurposeName::parse("analytics").unwrap(),
            service: &ServiceName::parse("shop").unwrap(),
            schema_version: 0,
            min_revision: 0,
            at,
        })
    });
    verdict.unwrap().reason
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_leader_lengthens_no_override() {
    let nodes = cluster(3).await;
    let (leader, _) = leader_and_follower(&nodes);
    lift_for_an_hour(leader).await;
    // All but the leader's clock say that it is three hours later: the leader's is three hours slow.
    for node in &nodes {
        if node.consensus.node_id() != leader.consensus.node_id() {
            node.clock.set_ahead(3 * HOUR);
        }
    }
    clocks::measure(&leader.consensus.core).await;
    let (leads, _) = leader.consensus.leader().unwrap();
    assert_eq!(leads, leader.consensus.node_id(), "a slow clock may lead");
    for node in &nodes {
        assert_eq!(reason(node).await, Reason::OptedOut);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_clocks_the_later_ends_an_override() {
    let nodes = cluster(2).await;
    let (leader, follower) = leader_and_follower(&nodes);
    lift_for_an_hour(leader).await;
    follower.clock.set_ahead(3 * HOUR);
    clocks::measure(&leader.consensus.core).await;
    assert_eq!(reason(leader).await, Reason::OptedOut);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_set_back_lengthens_no_override() {
    let node = Node::start(7).await;
    node.consensus.init(soon()).await.unwrap();
    node.ready().await;
    lift_for_an_hour(&node).await;
    // It ends, nothing is written, and the clock is set back.
    node.clock.set_ahead(HOUR);
    assert_eq!(reason(&node).await, Reason::OptedOut);
    node.clock.set_ahead(Duration::ZERO);
    assert_eq!(reason(&node).await, Reason::OptedOut);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_does_one_that_is_set_back_while_the_node_is_down() {
    let node = Node::start(7).await;
    node.consensus.init(soon()).await.unwrap();
    node.ready().await;
    lift_for_an_hour(&node).await;
    // Most of the hour passes, and the log knows it; then the node starts again on a clock that is where it began.
    node.clock.set_ahead(Duration::from_secs(3_000));
    node.write(2).await.unwrap();
    assert_eq!(reason(&node).await, Reason::Overridden);
    let node = node.crash_and_restart(64 << 20).await;
    node.ready().await;
    assert_eq!(reason(&node).await, Reason::OptedOut);
    // A clock that agrees with the log again is believed.
    node.clock.set_ahead(Duration::from_secs(3_010));
    assert_eq!(reason(&node).await, Reason::Overridden);
}

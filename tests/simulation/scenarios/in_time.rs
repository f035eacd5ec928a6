//! A node that cannot know says so before its caller's deadline: the caller hears a status of the node, and does not just give up.

use std::fmt::Debug;
use std::time::Duration;

use refrain::proto::v1::Decision;
use tokio::time::Instant;
use tonic::{Status, transport::Channel};

use super::stage::{Hands, cut, decides, id, join, leader, opt_out, others, tell};
use crate::calls;
use crate::invariants::history::{Change, Outcome};
use crate::operator::form;
use crate::world::{channel, name};

/// What a caller gives a call.
const DEADLINE: Duration = Duration::from_millis(400);

/// How a call ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// With an answer.
    Answer(String),
    /// With an error for which the node has a reason.
    Refused(String),
    /// Without a word of the node: a connection that was refused, or broke.
    Broken,
    /// At the caller's own deadline.
    GaveUp,
}

async fn end<T: Debug>(call: impl Future<Output = Result<T, Status>>) -> End {
    let begun = Instant::now();
    match call.await {
        Ok(answer) => End::Answer(format!("{answer:?}")),
        Err(status) if calls::answered(&status) && begun.elapsed() <= DEADLINE => {
            End::Refused(calls::reason(&status))
        }
        Err(_) if begun.elapsed() < DEADLINE => End::Broken,
        Err(_) => End::GaveUp,
    }
}

fn purposes() -> [String; 1] {
    ["analytics".to_owned()]
}

/// Asks everything that can be asked, all at once.
async fn ask(to: &Channel) -> [End; 5] {
    let subject = ["s1".to_owned()];
    let questions = [(subject.to_vec(), "analytics".to_owned())];
    let change = |change, subject: &'static str| {
        let to = to.clone();
        async move { calls::set(to, DEADLINE, &id(subject), change, subject, &purposes()).await }
    };
    let batch = async {
        let outcomes = calls::batch_check(to.clone(), DEADLINE, &questions).await?;
        match &outcomes[..] {
            [Outcome::Unknown] => Err(Status::internal("an item without an answer")),
            _ => Ok(outcomes),
        }
    };
    let check = calls::check(to.clone(), DEADLINE, &subject, "analytics");
    let preferences = calls::preferences(to.clone(), DEADLINE, "s1");
    tokio::join!(
        end(Box::pin(check)),
        end(Box::pin(batch)),
        end(Box::pin(preferences)),
        end(Box::pin(change(Change::OptOut, "s1"))),
        end(Box::pin(change(Change::OptIn, "s2"))),
    )
    .into()
}

/// What is between a caller and a node takes no time worth speaking of: the rest is the node's.
async fn near(hands: &Hands) {
    hands
        .world(|sim, hosts| {
            for host in hosts {
                let most = Duration::from_millis(1);
                sim.set_link_max_message_latency("story", name(host.node), most);
            }
        })
        .await;
}

#[test]
fn without_a_quorum_every_call_is_refused_in_time() {
    tell(171, 3, None, |hands| async move {
        form(3).await;
        near(&hands).await;
        let open: Vec<_> = (0..3).map(channel).collect();
        for node in &open {
            ask(node).await;
        }
        for node in 0..3 {
            cut(node, others(node));
        }
        for round in 0..10 {
            for (node, open) in open.iter().enumerate() {
                for (call, end) in ask(open).await.into_iter().enumerate() {
                    let refused = matches!(end, End::Refused(_));
                    assert!(refused, "round {round}, node {node}, call {call}: {end:?}");
                }
            }
        }
    });
}

#[test]
fn a_node_that_starts_refuses_in_time() {
    tell(172, 3, None, |hands| async move {
        form(3).await;
        near(&hands).await;
        let starting = others(leader(0).await)[0];
        hands.crash(starting).await;
        cut(starting, others(starting));
        hands.restart(starting).await;
        let mut refused = 0;
        for _ in 0..10 {
            for end in ask(&channel(starting)).await {
                // Before it listens, there is nobody to answer.
                assert!(matches!(end, End::Refused(_) | End::Broken), "{end:?}");
                refused += usize::from(matches!(end, End::Refused(_)));
            }
        }
        assert!(refused > 0, "it never spoke");
        // It knows how far it has to come, and is not there for long.
        hands.slow(starting, Duration::from_secs(2)).await;
        for subject in 3..43 {
            opt_out(others(starting)[0], &format!("s{subject}")).await;
        }
        join(starting, others(starting));
        let open = channel(starting);
        let mut replaying = 0;
        loop {
            let ends = ask(&open).await;
            assert!(!ends.contains(&End::GaveUp), "{ends:?}");
            replaying += usize::from(ends[0] == End::Refused("REPLAYING".to_owned()));
            if matches!(ends[0], End::Answer(_)) {
                break;
            }
        }
        assert!(replaying > 0, "nobody asked while it was behind");
        assert_eq!(decides(starting, "s3").await, Decision::Deny);
    });
}

#[test]
fn a_disk_that_hangs_or_fails_holds_up_nobody() {
    tell(173, 3, None, |hands| async move {
        form(3).await;
        near(&hands).await;
        let leads = leader(0).await;
        let open = channel(leads);
        ask(&open).await;
        let hour = Duration::from_secs(3_600);
        for node in 0..3 {
            hands.slow(node, hour).await;
        }
        for _ in 0..5 {
            let ends = ask(&open).await;
            assert!(!ends.contains(&End::GaveUp), "{ends:?}");
            let changes = ends[3..].iter();
            for end in changes {
                assert!(matches!(end, End::Refused(_)), "{end:?}");
            }
        }
        // Now it fails: the node ends, with it its connections, and nobody has an answer from it any more.
        hands
            .world(move |_, hosts| {
                hosts[leads].doomed = true;
                hosts[leads].machine().disk.fail_log();
            })
            .await;
        for _ in 0..5 {
            for end in ask(&open).await {
                assert!(!matches!(end, End::Answer(_)), "{end:?}");
            }
        }
    });
}

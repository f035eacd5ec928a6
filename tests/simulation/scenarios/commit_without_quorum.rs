//! A leader with followers, and without a majority: it commits nothing, however many of them have synced an entry.

use std::time::Duration;

use refrain::proto::v1::Decision;
use tokio::time::sleep;

use super::stage::{PATIENCE, check, cut, decides, id, join, leader, leads, opt_out, set, tell};
use crate::invariants::history::Change;
use crate::operator::{form, until};

/// So many nodes, of which the leader is cut off with `with` others: all that they are asked for meanwhile comes to nothing.
fn leader_among_too_few(seed: u64, nodes: usize, with: usize) {
    tell(seed, nodes, None, move |_| async move {
        form(nodes).await;
        let old = leader(0).await;
        let few: Vec<_> = (0..=with).map(|n| (old + n) % nodes).collect();
        let rest: Vec<_> = (0..nodes).filter(|node| !few.contains(node)).collect();
        for node in &few {
            cut(*node, rest.iter().copied());
        }
        for (n, node) in few.iter().enumerate() {
            let subject = format!("lonely{n}");
            let done = set(*node, &id(&subject), Change::OptOut, &subject).await;
            assert!(done.is_err(), "node {node} acknowledged: {done:?}");
            let answer = check(*node, &subject).await;
            assert!(answer.is_err(), "node {node} answered: {answer:?}");
        }
        let majority = rest.len() * 2 > nodes;
        if majority {
            let new = until("the others elect one of them", PATIENCE, || async {
                for node in &rest {
                    if leads(*node).await.is_some() {
                        return Some(*node);
                    }
                }
                None
            })
            .await;
            opt_out(new, "s1").await;
        } else {
            // As many as the others are no majority either.
            let done = set(rest[0], &id("rest"), Change::OptOut, "s1").await;
            assert!(done.is_err(), "half of them acknowledged: {done:?}");
        }
        for node in &few {
            join(*node, rest.iter().copied());
        }
        let stands = decides(rest[0], "s1").await;
        if majority {
            assert_eq!(stands, Decision::Deny);
        }
        sleep(Duration::from_secs(3)).await;
        for subject in ["s1", "lonely0"] {
            let first = check(rest[0], subject).await.unwrap();
            for node in 0..nodes {
                assert_eq!(check(node, subject).await.unwrap(), first, "{subject}");
            }
        }
    });
}

#[test]
fn two_of_five_commit_nothing() {
    leader_among_too_few(131, 5, 1);
}

#[test]
fn half_of_four_commit_nothing() {
    leader_among_too_few(132, 4, 1);
}

//! Questions that are asked of every node all the while, through a change: none that begins after it was acknowledged may be answered
//! as before.

use std::time::{Duration, Instant};

use futures::future::join_all;
use refrain::{client::Cause, proto::v1::Decision};
use tokio_util::sync::CancellationToken;

use super::{
    nodes::{Node, question},
    record::Step,
};

/// How many questions each node is asked after the change was acknowledged.
const AFTER: usize = 5;

/// What a node was answered.
struct Answered {
    begun: Instant,
    took: Duration,
    /// The decision and its revision, or why there was none.
    answer: Result<(Decision, u64), String>,
}

/// Makes a change while every node is asked, and holds that each answers `wanted` from then on. `change` returns its revision.
pub async fn through<T, F>(
    step: &mut Step,
    nodes: &[Node],
    purpose: &str,
    wanted: Decision,
    change: F,
) -> Result<T, String>
where
    F: Future<Output = Result<(T, u64), String>>,
{
    let acknowledged = CancellationToken::new();
    let asking = nodes.iter().map(|node| {
        let acknowledged = acknowledged.clone();
        let (node, purpose) = (node.clone(), purpose.to_owned());
        tokio::spawn(async move { ask(&node, &purpose, &acknowledged).await })
    });
    let asking: Vec<_> = asking.collect();
    let begun = Instant::now();
    let changed = change.await;
    let at = Instant::now();
    step.took(at - begun);
    acknowledged.cancel();
    let answered = join_all(asking).await;
    let (value, revision) = changed?;
    for (node, answers) in nodes.iter().zip(answered) {
        let Ok(answers) = answers else {
            step.fault(format!("the questions to {} broke off", node.address));
            continue;
        };
        let after = answers.iter().filter(|it| it.begun >= at);
        for one in after {
            step.took(one.took);
            match &one.answer {
                Ok((decision, reached)) if *decision == wanted && *reached >= revision => {}
                Ok((decision, reached)) => step.fault(format!(
                    "{} answered {} as of revision {reached}, to a question that began after the change at revision {revision} was \
                     acknowledged",
                    node.address,
                    decision.as_str_name()
                )),
                Err(why) => step.fault(format!("{} has no answer: {why}", node.address)),
            }
        }
    }
    Ok(value)
}

/// Asks a node over and over, and a few times more once the change was acknowledged.
async fn ask(node: &Node, purpose: &str, acknowledged: &CancellationToken) -> Vec<Answered> {
    let mut answers = Vec::new();
    let mut left = None;
    while left != Some(0) {
        let begun = Instant::now();
        let answer = decision(node, purpose).await;
        answers.push(Answered {
            begun,
            took: begun.elapsed(),
            answer,
        });
        if let Some(left) = &mut left {
            *left -= 1;
        } else if acknowledged.is_cancelled() {
            left = Some(AFTER);
        }
        // Only what comes after counts; what came long before need not be kept.
        if left.is_none() && answers.len() > 64 {
            answers.clear();
        }
    }
    answers
}

/// One question to one node.
pub async fn decision(node: &Node, purpose: &str) -> Result<(Decision, u64), String> {
    match node.client.check(question(purpose)).await {
        Ok(allowed) => {
            let answer = allowed.answer();
            Ok((Decision::Allow, answer.revision))
        }
        Err(denied) => match denied.cause {
            Cause::Decided(answer) => Ok((Decision::Deny, answer.revision)),
            Cause::Unanswered(error) => Err(error.to_string()),
        },
    }
}

//! `CheckStream`.

use std::{collections::HashSet, time::Duration};

use refrain::proto::v1::{CheckStreamRequest, Decision, check_stream_response::Result as Answer};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use super::support::{Node, assert_status, question};

fn ask(correlation_id: impl Into<String>, address: &str, purpose: &str) -> CheckStreamRequest {
    CheckStreamRequest {
        correlation_id: correlation_id.into(),
        check: Some(question(address, purpose)),
    }
}

#[tokio::test]
async fn many_in_flight_each_answered_once() {
    let node = Node::start().await;
    node.opt_out("7@example.com", "sale").await;
    let questions: Vec<_> = (0..5_000)
        .map(|n| ask(n.to_string(), &format!("{n}@example.com"), "sale"))
        .collect();
    let mut answers = node
        .decisions()
        .check_stream(tokio_stream::iter(questions))
        .await
        .expect("stream")
        .into_inner();
    let mut seen = HashSet::new();
    while let Some(answer) = answers.message().await.expect("answer") {
        let Some(Answer::Ok(ok)) = answer.result else {
            panic!("{answer:?}");
        };
        let denied = ok.decision() == Decision::Deny;
        assert_eq!(denied, answer.correlation_id == "7");
        assert!(seen.insert(answer.correlation_id));
    }
    assert_eq!(seen.len(), 5_000);
}

#[tokio::test]
async fn questions_go_on_after_answers_and_bad_ones_are_answered_too() {
    let node = Node::start().await;
    let (questions, rest) = mpsc::channel(8);
    let mut answers = {
        questions
            .send(ask("a", "ada@example.com", "nothing"))
            .await
            .expect("send");
        let answers = node
            .decisions()
            .check_stream(ReceiverStream::new(rest))
            .await;
        answers.expect("stream").into_inner()
    };
    let answer = answers.message().await.expect("answer").expect("one");
    let Some(Answer::Error(error)) = answer.result else {
        panic!("{answer:?}");
    };
    assert_eq!(
        (answer.correlation_id.as_str(), error.reason.as_str()),
        ("a", "PURPOSE_UNKNOWN")
    );

    let unasked = CheckStreamRequest {
        correlation_id: "b".to_owned(),
        check: None,
    };
    questions.send(unasked).await.expect("send");
    let answer = answers.message().await.expect("answer").expect("one");
    assert!(
        matches!(answer.result, Some(Answer::Error(error)) if error.reason == "CHECK_REQUIRED")
    );

    // A change between two questions of one stream is seen by the second.
    for (correlation_id, decision) in [("c", Decision::Allow), ("d", Decision::Deny)] {
        questions
            .send(ask(correlation_id, "ada@example.com", "sale"))
            .await
            .expect("send");
        let answer = answers.message().await.expect("answer").expect("one");
        assert!(matches!(answer.result, Some(Answer::Ok(ok)) if ok.decision() == decision));
        node.opt_out("ada@example.com", "sale").await;
    }
    drop(questions);
    assert!(answers.message().await.expect("end").is_none());
}

#[tokio::test]
async fn what_cannot_be_echoed_ends_the_stream_after_the_others() {
    let node = Node::start().await;
    let questions = vec![
        ask("fits", "ada@example.com", "sale"),
        ask("x".repeat(65), "ada@example.com", "sale"),
    ];
    let answers = node
        .decisions()
        .check_stream(tokio_stream::iter(questions))
        .await;
    let mut answers = answers.expect("stream").into_inner();
    let first = answers.message().await.expect("answer").expect("one");
    assert_eq!(first.correlation_id, "fits");
    let status = answers.message().await.expect_err("ended");
    assert_status(&status, Code::InvalidArgument, "CORRELATION_ID_INVALID");
}

#[tokio::test]
async fn the_server_reads_on_only_when_it_has_answered() {
    let node = Node::start().await;
    let (questions, rest) = mpsc::channel(1);
    let sender = tokio::spawn(async move {
        let mut sent = 0_u32;
        let pause = Duration::from_secs(2);
        // Answers are not read, so that the sender must come to a stop.
        while let Ok(Ok(())) = tokio::time::timeout(
            pause,
            questions.send(ask("x".repeat(64), "ada@example.com", "sale")),
        )
        .await
        {
            sent += 1;
            assert!(sent < 100_000, "nothing holds the sender back");
        }
        sent
    });
    let answers = node
        .decisions()
        .check_stream(ReceiverStream::new(rest))
        .await;
    let answers = answers.expect("stream").into_inner();
    let sent = sender.await.expect("sender");
    assert!(sent >= 1_024, "{sent}");
    drop(answers);
}

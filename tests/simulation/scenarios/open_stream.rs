//! A leader that was cut off is asked over a stream that was open before: it must not allow what it no longer knows.

use std::time::Duration;

use refrain::proto::v1::{
    CheckRequest, CheckStreamRequest, Decision, check_stream_response,
    decision_service_client::DecisionServiceClient,
};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;

use super::stage::{leader, opt_out, others, tell};
use crate::calls::identifiers;
use crate::operator::form;
use crate::world::{channel, name};

fn question(number: usize) -> CheckStreamRequest {
    CheckStreamRequest {
        correlation_id: number.to_string(),
        check: Some(CheckRequest {
            identifiers: identifiers(&["s1".to_owned()]),
            purpose: "analytics".to_owned(),
            ..CheckRequest::default()
        }),
    }
}

#[test]
fn an_open_stream_does_not_outlive_the_leadership() {
    tell(71, 3, None, |_| async move {
        form(3).await;
        let old = leader(0).await;
        let (ask, asked) = mpsc::channel(64);
        ask.send(question(0)).await.unwrap();
        let mut client = DecisionServiceClient::new(channel(old));
        let answers = client
            .check_stream(ReceiverStream::new(asked))
            .await
            .unwrap();
        let mut answers = answers.into_inner();
        let first = answers.message().await.unwrap().unwrap();
        let allowed = |result: Option<check_stream_response::Result>| match result {
            Some(check_stream_response::Result::Ok(answer)) => answer.decision() == Decision::Allow,
            _ => false,
        };
        assert!(allowed(first.result), "the stream answers before");

        for other in others(old) {
            turmoil::partition(name(old), name(other));
        }
        opt_out(others(old)[0], "s1").await;
        let mut refused = 0;
        for number in 1..20 {
            if ask.send(question(number)).await.is_err() {
                break;
            }
            let answer = timeout(Duration::from_secs(10), answers.message()).await;
            let Ok(Ok(Some(answer))) = answer else { break };
            refused += 1;
            assert!(!allowed(answer.result), "allowed over the old stream");
        }
        assert!(refused > 0, "nothing was answered over the stream");
    });
}

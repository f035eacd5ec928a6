//! `CheckStream`: many checks in flight on one call, those that wait answered together by one read.

use std::sync::Arc;

use futures::{Stream, StreamExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tonic::{Status, Streaming};

use super::{
    Api, Call,
    input::Input,
    questions::{Asked, sort_out},
    status::{Failure, Transport},
};
use crate::{
    admission::admit,
    authority::{Checks, Unavailable},
    limits,
    proto::v1::{CheckStreamRequest, CheckStreamResponse, ItemError, check_stream_response},
};

/// A question in flight. Its permit goes back when it is answered.
struct Waiting {
    correlation_id: String,
    asked: Result<Asked, Failure>,
    permit: OwnedSemaphorePermit,
}

/// Answers the questions of a stream until it ends, the node drains, or a question cannot even be echoed.
pub(super) fn answers(
    api: Api,
    call: Call,
    questions: Streaming<CheckStreamRequest>,
) -> impl Stream<Item = Result<CheckStreamResponse, Status>> + Send {
    // One task reads, this stream answers: the next batch gathers while the last one is being read.
    let (to_answer, mut waiting) = mpsc::channel(limits::STREAM_IN_FLIGHT);
    let reader = tokio::spawn(take_in(api.clone(), questions, to_answer));
    async_stream::stream! {
        // Dropping the call (the caller went away) ends the reader with it.
        let _ended_with_us = AbortOnDrop(reader.abort_handle());
        let mut batch = Vec::new();
        while waiting.recv_many(&mut batch, limits::STREAM_IN_FLIGHT).await > 0 {
            for (answer, permit) in answer_all(&api, &call, batch.drain(..)).await {
                yield Ok(answer);
                drop(permit);
            }
        }
        match reader.await {
            Ok(Ok(())) => {}
            Ok(Err(failure)) => yield Err(failure.into()),
            Err(_) => yield Err(Failure::Panicked.into()),
        }
    }
}

/// Reads questions, as long as fewer than the limit are in flight.
async fn take_in(
    api: Api,
    mut questions: Streaming<CheckStreamRequest>,
    to_answer: mpsc::Sender<Waiting>,
) -> Result<(), Failure> {
    let in_flight = Arc::new(Semaphore::new(limits::STREAM_IN_FLIGHT));
    let drain = api.parts().drain.clone();
    loop {
        let permit = Arc::clone(&in_flight).acquire_owned().await;
        let Ok(permit) = permit else {
            return Ok(());
        };
        let question = tokio::select! {
            question = questions.next() => question,
            () = drain.cancelled() => return Err(Unavailable::Draining.into()),
        };
        let question = match question {
            None => return Ok(()),
            Some(Err(status)) => return Err(Transport::of(&status).into()),
            Some(Ok(question)) => question,
        };
        if question.correlation_id.len() > limits::CORRELATION_ID_BYTES {
            return Err(Input::CorrelationIdInvalid.into());
        }
        // Converted at once: what waits holds tokens, not whatever came in.
        let asked = match question.check {
            Some(check) => api.asked(check),
            None => Err(Input::CheckRequired.into()),
        };
        let waiting = Waiting {
            correlation_id: question.correlation_id,
            asked,
            permit,
        };
        if to_answer.send(waiting).await.is_err() {
            return Ok(());
        }
    }
}

/// Answers a batch at one revision.
async fn answer_all(
    api: &Api,
    call: &Call,
    batch: impl Iterator<Item = Waiting>,
) -> Vec<(CheckStreamResponse, OwnedSemaphorePermit)> {
    let mut echoes = Vec::new();
    let asked = batch.map(|waiting| {
        echoes.push((waiting.correlation_id, waiting.permit));
        waiting.asked
    });
    let (checks, places) = sort_out(&call.caller, asked);
    let deadline = call.deadline.one_of_many();
    let decided = match admit(&call.caller, Checks(checks)) {
        Ok(admitted) => api
            .authority()
            .read(admitted, deadline)
            .await
            .map_err(Failure::from),
        Err(denied) => Err(Failure::from(denied)),
    };
    let results: Vec<Result<_, ItemError>> = match decided {
        Ok(decided) => api.put_back(places, decided.verdicts, deadline).await,
        // What was wrong with a question by itself stays its answer; the others share the reason.
        Err(failure) => places
            .into_iter()
            .map(|place| Err(place.err().unwrap_or_else(|| failure.clone()).into()))
            .collect(),
    };
    echoes
        .into_iter()
        .zip(results)
        .map(|((correlation_id, permit), result)| {
            let result = match result {
                Ok(answer) => check_stream_response::Result::Ok(answer),
                Err(error) => check_stream_response::Result::Error(error),
            };
            let answer = CheckStreamResponse {
                correlation_id,
                result: Some(result),
            };
            (answer, permit)
        })
        .collect()
}

/// Ends a task with its owner.
struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

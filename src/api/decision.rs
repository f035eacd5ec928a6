//! `DecisionService`: may I?

use futures::stream::BoxStream;
use tokio::time::Instant;
use tonic::{Request, Response, Status, Streaming};

use super::{
    Api, Call,
    convert::answers,
    decision_id::{Answer, Question},
    input::Input,
    questions::{Asked, Stamp, sort_out},
    status::Failure,
};
use crate::{
    admission::{Caller, admit},
    authority::{Check, Checks, Signer},
    domain::Verdict,
    limits,
    proto::v1::{
        BatchCheckItem, BatchCheckRequest, BatchCheckResponse, CheckRequest, CheckResponse,
        CheckStreamRequest, CheckStreamResponse, batch_check_item,
        decision_service_server::DecisionService,
    },
    traces,
};

/// The service.
pub(super) struct Decisions(pub(super) Api);

#[tonic::async_trait]
impl DecisionService for Decisions {
    async fn check(
        &self,
        request: Request<CheckRequest>,
    ) -> Result<Response<CheckResponse>, Status> {
        self.0.unary(request, Api::check).await
    }

    async fn batch_check(
        &self,
        request: Request<BatchCheckRequest>,
    ) -> Result<Response<BatchCheckResponse>, Status> {
        self.0.unary(request, Api::batch_check).await
    }

    type CheckStreamStream = BoxStream<'static, Result<CheckStreamResponse, Status>>;

    async fn check_stream(
        &self,
        request: Request<Streaming<CheckStreamRequest>>,
    ) -> Result<Response<Self::CheckStreamStream>, Status> {
        let Self(api) = self;
        let (call, questions) = api.open(request)?;
        let answers = super::stream::answers(api.clone(), call, questions);
        Ok(Response::new(Box::pin(answers)))
    }
}

impl Api {
    /// Decides one item.
    pub(super) async fn check(
        &self,
        call: Call,
        request: CheckRequest,
    ) -> Result<CheckResponse, Failure> {
        let Asked { check, stamp } = self.asked(request)?;
        let deadline = call.deadline.step();
        let (check, verdict) = self.decide(&call.caller, check, deadline).await?;
        let signer = self.signer(stamp == Stamp::Wanted, deadline).await;
        let answer = self.answer(&check, &verdict, signer.as_ref());
        traces::note(
            &traces::current(),
            "refrain.decision_id",
            &answer.decision_id,
        );
        Ok(answer)
    }

    /// Decides, and counts who asked and what an override let through.
    async fn decide(
        &self,
        caller: &Caller,
        check: Check,
        deadline: Instant,
    ) -> Result<(Check, Verdict), Failure> {
        let (name, version) = (check.service.clone(), check.schema_version);
        let admitted = admit(caller, check)?;
        let decided = self
            .authority()
            .read(admitted, deadline)
            .await
            .inspect_err(|failed| self.count_read(&name, version, failed))?;
        self.count_answer(&name, version, Ok(&decided.1));
        Ok(decided)
    }

    /// Decides many at one revision.
    pub(super) async fn batch_check(
        &self,
        call: Call,
        request: BatchCheckRequest,
    ) -> Result<BatchCheckResponse, Failure> {
        let items = request.items;
        match items.len() {
            0 => return Err(Input::BatchEmpty.into()),
            1..=limits::BATCH_ITEMS => {}
            _ => return Err(Input::BatchTooLarge.into()),
        }
        let (checks, places) =
            sort_out(&call.caller, items.into_iter().map(|item| self.asked(item)));
        let admitted = admit(&call.caller, Checks(checks))?;
        let deadline = call.deadline.step();
        let decided = self.authority().read(admitted, deadline).await?;
        let results = self
            .put_back(places, decided.verdicts, deadline)
            .await
            .into_iter()
            .map(|result| BatchCheckItem {
                result: Some(match result {
                    Ok(answer) => batch_check_item::Result::Ok(answer),
                    Err(error) => batch_check_item::Result::Error(error),
                }),
            })
            .collect();
        Ok(BatchCheckResponse {
            results,
            revision: decided.revision,
        })
    }

    /// What stamps are signed with, where one is wanted.
    pub(super) async fn signer(&self, wanted: bool, deadline: Instant) -> Option<Signer> {
        if wanted {
            self.authority().signer(deadline).await
        } else {
            None
        }
    }

    /// Converts a verdict, and gives it its name, and its stamp where there is somebody to sign it.
    pub(super) fn answer(
        &self,
        check: &Check,
        verdict: &Verdict,
        signer: Option<&Signer>,
    ) -> CheckResponse {
        let evaluated_at = verdict.evaluated_at;
        let question = Question {
            namespace: &check.subject.namespace,
            tokens: &check.subject.tokens,
            purpose: &check.purpose,
            service: check.service.as_str(),
        };
        let answer = Answer {
            node: self.authority().node_id(),
            revision: verdict.revision,
            evaluated_at,
            decision: verdict.decision,
        };
        let decision_id = self.parts().decision_key.name(&question, &answer);
        let (decision, reason) = (
            answers::decision(verdict.decision),
            answers::reason(verdict.reason),
        );
        self.parts().meters.decided(
            word(decision.as_str_name(), "DECISION_"),
            word(reason.as_str_name(), "REASON_"),
        );
        tracing::debug!(
            decision_id,
            decision = decision.as_str_name(),
            reason = reason.as_str_name(),
            revision = verdict.revision,
            service = check.service.as_str(),
            "decided"
        );
        let stamp = signer.map(|signer| self.stamp(signer, check, verdict, &decision_id));
        CheckResponse {
            decision: decision.into(),
            reason: reason.into(),
            event_id: answers::event_id(verdict.event_id),
            revision: verdict.revision,
            decision_id,
            evaluated_at: Some(answers::timestamp(evaluated_at)),
            stamp: stamp.unwrap_or_default(),
            override_id: answers::event_id(verdict.override_id),
        }
    }
}

/// The name of an enumeration's value without what its type is called.
fn word(name: &'static str, prefix: &str) -> &'static str {
    name.strip_prefix(prefix).unwrap_or(name)
}

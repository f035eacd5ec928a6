//! `DecisionService`: may I?

use futures::stream::BoxStream;
use tokio::time::Instant;
use tonic::{Request, Response, Status, Streaming};

use super::{
    Api, Call,
    convert::answers,
    decision_id::{Answer, Question},
    input::Input,
    status::Failure,
};
use crate::{
    admission::{Admissible as _, Caller, admit},
    authority::{Check, Checks, Signer},
    domain::{PurposeName, Refusal, ServiceName, Verdict},
    limits,
    proto::v1::{
        BatchCheckItem, BatchCheckRequest, BatchCheckResponse, CheckRequest, CheckResponse,
        CheckStreamRequest, CheckStreamResponse, ItemError, batch_check_item,
        decision_service_server::DecisionService,
    },
};

/// After so many signatures others get their turn.
const STAMPS_IN_A_ROW: usize = 32;

/// The service.
pub(super) struct Decisions(pub(super) Api);

/// A check, and what its answer is to look like.
pub(super) struct Asked {
    pub(super) check: Check,
    pub(super) stamp: Stamp,
}

/// Whether the answer is to carry a stamp.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stamp {
    Wanted,
    Unwanted,
}

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

/// Where the answer to an item comes from: the next verdict (with a stamp or without), or a failure that showed before anything was
/// asked.
pub(super) type Place = Result<Stamp, Failure>;

/// Parts the checks that can be asked, and that the caller may ask, from those that cannot, and keeps their order.
pub(super) fn sort_out(
    caller: &Caller,
    items: impl Iterator<Item = Result<Asked, Failure>>,
) -> (Vec<Check>, Vec<Place>) {
    let mut checks = Vec::new();
    let places = items
        .map(|item| {
            let Asked { check, stamp } = item?;
            caller.may(&check.needs())?;
            checks.push(check);
            Ok(stamp)
        })
        .collect();
    (checks, places)
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
        Ok(self.answer(&check, &verdict, signer.as_ref()))
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

    /// Converts a question.
    pub(super) fn asked(&self, request: CheckRequest) -> Result<Asked, Failure> {
        let service = ServiceName::parse(&request.service)?;
        let subject = self.subject(&request.namespace, request.identifiers)?;
        let purpose = PurposeName::parse(&request.purpose)?;
        Ok(Asked {
            check: Check {
                subject,
                purpose,
                service,
                schema_version: request.schema_version,
                min_revision: request.min_revision,
            },
            stamp: if request.want_stamp {
                Stamp::Wanted
            } else {
                Stamp::Unwanted
            },
        })
    }

    /// What stamps are signed with, where one is wanted.
    async fn signer(&self, wanted: bool, deadline: Instant) -> Option<Signer> {
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
        let stamp = signer.map(|signer| self.stamp(signer, check, verdict, &decision_id));
        CheckResponse {
            decision: answers::decision(verdict.decision).into(),
            reason: answers::reason(verdict.reason).into(),
            event_id: answers::event_id(verdict.event_id),
            revision: verdict.revision,
            decision_id,
            evaluated_at: Some(answers::timestamp(evaluated_at)),
            stamp: stamp.unwrap_or_default(),
            override_id: answers::event_id(verdict.override_id),
        }
    }

    /// Puts verdicts and failures back into the order of the questions.
    pub(super) async fn put_back(
        &self,
        places: Vec<Place>,
        verdicts: Vec<(Check, Result<Verdict, Refusal>)>,
        deadline: Instant,
    ) -> Vec<Result<CheckResponse, ItemError>> {
        let wants = |place: &Place| matches!(place, Ok(Stamp::Wanted));
        let signer = self.signer(places.iter().any(wants), deadline).await;
        let mut verdicts = verdicts.into_iter();
        let mut results = Vec::with_capacity(places.len());
        let mut in_a_row = 0;
        for place in places {
            let signer = signer.as_ref().filter(|_| wants(&place));
            // There are as many verdicts as places for them; should one ever be missing, the item has no answer.
            let answer = place.and_then(|_| {
                let (check, verdict) = verdicts.next().ok_or(Failure::Panicked)?;
                self.count_answer(&check.service, check.schema_version, verdict.as_ref());
                Ok(self.answer(&check, &verdict?, signer))
            });
            results.push(answer.map_err(ItemError::from));
            in_a_row += usize::from(signer.is_some());
            if in_a_row == STAMPS_IN_A_ROW {
                in_a_row = 0;
                tokio::task::yield_now().await;
            }
        }
        results
    }
}

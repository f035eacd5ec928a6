//! `MonitorService`: what services processed, judged after the fact; violations by name, and scores.

use std::time::Instant;

use futures::stream::BoxStream;
use tokio::time::Instant as Deadline;
use tonic::{Request, Response, Status, Streaming};

use super::{
    Api, Call, convert,
    convert::answers,
    decision_id::Question,
    found::{alike, answer, counts, percent},
    input::Input,
    judging::Turn,
    preference::page_size,
    proofs::Proofs,
    status::{Failure, Transport},
};
use crate::{
    admission::admit,
    authority::{GetScores, ListViolations, MayReport, Unavailable},
    domain::{Namespace, Processed, PurposeName, Refusal, ServiceName},
    limits,
    proto::v1::{
        self, GetScoresRequest, GetScoresResponse, ListViolationsRequest, ListViolationsResponse,
        Processing, ReportProcessingRequest, ReportProcessingResponse, ServiceScore,
        monitor_service_server::MonitorService,
    },
};

/// The service.
pub(super) struct Monitor(pub(super) Api);

#[tonic::async_trait]
impl MonitorService for Monitor {
    type ReportProcessingStream = BoxStream<'static, Result<ReportProcessingResponse, Status>>;

    async fn report_processing(
        &self,
        request: Request<Streaming<ReportProcessingRequest>>,
    ) -> Result<Response<Self::ReportProcessingStream>, Status> {
        let Self(api) = self;
        let (call, batches) = api.open(request)?;
        Ok(Response::new(Box::pin(in_turn(api.clone(), call, batches))))
    }

    async fn list_violations(
        &self,
        request: Request<ListViolationsRequest>,
    ) -> Result<Response<ListViolationsResponse>, Status> {
        self.0.unary(request, Api::list_violations).await
    }

    async fn get_scores(
        &self,
        request: Request<GetScoresRequest>,
    ) -> Result<Response<GetScoresResponse>, Status> {
        self.0.unary(request, Api::get_scores).await
    }

    async fn list_anomalies(
        &self,
        request: Request<v1::ListAnomaliesRequest>,
    ) -> Result<Response<v1::ListAnomaliesResponse>, Status> {
        self.0.unary(request, Api::list_anomalies).await
    }

    async fn get_anomaly_settings(
        &self,
        request: Request<v1::GetAnomalySettingsRequest>,
    ) -> Result<Response<v1::GetAnomalySettingsResponse>, Status> {
        self.0.unary(request, Api::get_anomaly_settings).await
    }

    async fn configure_anomalies(
        &self,
        request: Request<v1::ConfigureAnomaliesRequest>,
    ) -> Result<Response<v1::ConfigureAnomaliesResponse>, Status> {
        self.0.unary(request, Api::configure_anomalies).await
    }
}

/// Answers each batch before the next is read, until the stream ends or the node drains.
fn in_turn(
    api: Api,
    call: Call,
    mut batches: Streaming<ReportProcessingRequest>,
) -> impl futures::Stream<Item = Result<ReportProcessingResponse, Status>> + Send {
    async_stream::try_stream! {
        let drain = api.parts().drain.clone();
        loop {
            let batch = tokio::select! {
                batch = batches.message() => batch.map_err(|status| Transport::of(&status).into()),
                () = drain.cancelled() => Err(Failure::from(Unavailable::Draining)),
            };
            let Some(batch) = batch? else {
                break;
            };
            let deadline = call.deadline.one_of_many();
            yield api.report_batch(&call, batch, deadline).await?;
        }
    }
}

impl Api {
    /// Judges one batch.
    pub(super) async fn report_processing(
        &self,
        call: Call,
        batch: ReportProcessingRequest,
    ) -> Result<ReportProcessingResponse, Failure> {
        let deadline = call.deadline.step();
        self.report_batch(&call, batch, deadline).await
    }

    async fn report_batch(
        &self,
        call: &Call,
        batch: ReportProcessingRequest,
        deadline: Deadline,
    ) -> Result<ReportProcessingResponse, Failure> {
        match batch.reports.len() {
            0 => return Err(Input::BatchEmpty.into()),
            1..=limits::REPORTS => {}
            _ => return Err(Input::BatchTooLarge.into()),
        }
        let namespace = convert::namespace(&batch.namespace)?;
        let service = ServiceName::parse(&batch.service)?;
        if service.is_none() {
            return Err(Input::ServiceRequired.into());
        }
        let mut turn = Turn::take(&self.0.judging, deadline).await?;
        let mut refused = Vec::new();
        let purposes = purposes(&batch.reports);
        let wish = || MayReport {
            namespace: namespace.clone(),
            purposes: purposes.clone(),
        };
        let keys = self
            .authority()
            .read(admit(&call.caller, wish())?, deadline)
            .await?;
        let begun = Instant::now();
        let proofs = Proofs::new(&self.parts().decision_key, &keys.cluster_id, &keys.keys);
        let mut placed = Vec::with_capacity(batch.reports.len());
        for (place, report) in batch.reports.into_iter().enumerate() {
            let made = self.processed(&namespace, &service, batch.schema_version, report, &proofs);
            match made {
                Ok(report) => placed.push((place, report)),
                Err(failure) => refused.push((place, failure)),
            }
        }
        turn.took(begun.elapsed());
        let (judged, more) = self.judge(call, placed, turn, deadline).await?;
        refused.extend(more);
        let answer = answer(&judged, refused);
        // What is only a rehearsal is nobody's fault.
        if !namespace.is_probe() {
            let admitted = admit(&call.caller, wish())?;
            let found = alike(&namespace, &service, call.caller.principal(), judged);
            let count = u64::from(answer.judged);
            self.authority()
                .found(admitted, &service, count, found, deadline)
                .await
                .map_err(|why| match why {
                    Unavailable::Deadline => Failure::Unknown(why),
                    other => other.into(),
                })?;
        }
        Ok(answer)
    }

    /// A report in the domain's words; what it was processed under is verified here.
    fn processed(
        &self,
        namespace: &Namespace,
        service: &ServiceName,
        schema_version: u32,
        report: Processing,
        proofs: &Proofs<'_>,
    ) -> Result<Processed, Failure> {
        let tokens = self.tokens(namespace, report.identifiers)?;
        let purpose = PurposeName::parse(&report.purpose)?;
        let at = report.processed_at.as_ref().ok_or(Input::TimeInvalid)?;
        let at = convert::time(at)?;
        let question = Question {
            namespace,
            tokens: &tokens,
            purpose: &purpose,
            service: service.as_str(),
        };
        let proof = proofs.verify(&report.decision_id, &report.stamp, &question, at);
        Ok(Processed {
            namespace: namespace.clone(),
            tokens,
            purpose,
            service: service.clone(),
            schema_version,
            at,
            proof,
        })
    }

    /// Lists the events of violations.
    pub(super) async fn list_violations(
        &self,
        call: Call,
        request: ListViolationsRequest,
    ) -> Result<ListViolationsResponse, Failure> {
        let namespace = match &*request.namespace {
            "" => None,
            name => Some(Namespace::parse(name)?),
        };
        let since = request.since.as_ref().map(convert::time).transpose()?;
        let list = ListViolations {
            namespace,
            service: named(&request.service)?,
            since: since.unwrap_or_default(),
            before: request.before_revision,
            limit: page_size(request.limit)?,
        };
        let admitted = admit(&call.caller, list)?;
        let deadline = call.deadline.step();
        let (revisions, more) = self.authority().read(admitted, deadline).await?;
        let next_before_revision = match revisions.last() {
            Some(oldest) if more => *oldest,
            _ => 0,
        };
        let events = self.parts().feed.events(revisions).await?;
        Ok(ListViolationsResponse {
            events: events.into_iter().map(answers::event).collect(),
            next_before_revision,
        })
    }

    /// Tells what services' reports came to.
    pub(super) async fn get_scores(
        &self,
        call: Call,
        request: GetScoresRequest,
    ) -> Result<GetScoresResponse, Failure> {
        let hours = match request.hours {
            0 => 24,
            hours if u64::from(hours) <= limits::MONITOR_HOURS / 2 => hours,
            _ => return Err(Input::SpanInvalid.into()),
        };
        let scores = GetScores {
            service: named(&request.service)?,
            hours: u64::from(hours),
        };
        let admitted = admit(&call.caller, scores)?;
        let deadline = call.deadline.step();
        let scores = self.authority().read(admitted, deadline).await?;
        let scores = scores.into_iter().map(|score| ServiceScore {
            service: score.service.to_string(),
            score: percent(&score.tally),
            score_before: percent(&score.before),
            judged: score.tally.judged,
            violations: counts(&score.tally),
        });
        Ok(GetScoresResponse {
            scores: scores.collect(),
        })
    }
}

/// A service that is named; none where the name is empty.
pub(super) fn named(service: &str) -> Result<Option<ServiceName>, Refusal> {
    let service = ServiceName::parse(service)?;
    Ok((!service.is_none()).then_some(service))
}

/// The purposes that a batch names, as far as they are names, each once.
fn purposes(reports: &[Processing]) -> Vec<PurposeName> {
    let mut names: Vec<&String> = reports.iter().map(|it| &it.purpose).collect();
    names.sort_unstable();
    names.dedup();
    let parsed = names.into_iter().map(|name| PurposeName::parse(name));
    parsed.filter_map(Result::ok).collect()
}

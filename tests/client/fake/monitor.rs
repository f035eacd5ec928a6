//! What a made-up node does with reports of what was processed: it counts them, as often as they come.

use refrain::proto::v1::{monitor_service_server::*, *};
use tonic::{Request, Status, Streaming};

use super::services::{Api, Feed, Reply};

fn not_there<T>() -> Reply<T> {
    Err(Status::unimplemented("not made up"))
}

#[tonic::async_trait]
impl MonitorService for Api {
    type ReportProcessingStream = Feed<ReportProcessingResponse>;

    async fn report_processing(
        &self,
        request: Request<Streaming<ReportProcessingRequest>>,
    ) -> Reply<Self::ReportProcessingStream> {
        let batch = request.into_inner().message().await?;
        let batch = batch.ok_or_else(|| Status::invalid_argument("no batch"))?;
        let judged = u32::try_from(batch.reports.len()).unwrap();
        let answered = self.answer(|model| {
            model.reported += judged;
            Ok(ReportProcessingResponse {
                judged,
                ..ReportProcessingResponse::default()
            })
        });
        let answer = answered.await?.into_inner();
        let one: Self::ReportProcessingStream = Box::pin(tokio_stream::once(Ok(answer)));
        Ok(tonic::Response::new(one))
    }

    async fn list_violations(
        &self,
        _: Request<ListViolationsRequest>,
    ) -> Reply<ListViolationsResponse> {
        not_there()
    }

    async fn get_scores(&self, _: Request<GetScoresRequest>) -> Reply<GetScoresResponse> {
        not_there()
    }

    async fn list_anomalies(
        &self,
        _: Request<ListAnomaliesRequest>,
    ) -> Reply<ListAnomaliesResponse> {
        not_there()
    }

    async fn get_anomaly_settings(
        &self,
        _: Request<GetAnomalySettingsRequest>,
    ) -> Reply<GetAnomalySettingsResponse> {
        not_there()
    }

    async fn configure_anomalies(
        &self,
        _: Request<ConfigureAnomaliesRequest>,
    ) -> Reply<ConfigureAnomaliesResponse> {
        not_there()
    }
}

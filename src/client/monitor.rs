//! What was processed: reported to be judged; what was found; scores.

use super::{Client, call::Effect, endpoints::Channel, error::Error};
use crate::proto::v1::{
    AnomalySettings, ConfigureAnomaliesRequest, ConfigureAnomaliesResponse,
    GetAnomalySettingsRequest, GetScoresRequest, ListAnomaliesRequest, ListAnomaliesResponse,
    ListViolationsRequest, ListViolationsResponse, ReportProcessingRequest,
    ReportProcessingResponse, ServiceScore, monitor_service_client::MonitorServiceClient,
};

impl Client {
    /// Reports a batch of what was processed. When it returns, the violations among it are committed as events.
    ///
    /// A batch has no id that makes it one: where its answer was lost it is not sent again by itself. Whoever sends it again after
    /// [`Outcome::Unknown`](super::error::Outcome::Unknown) has it counted twice, should it have been taken the first time.
    ///
    /// # Errors
    /// A refusal, or no answer in time; see [`Error::outcome`].
    pub async fn report_processing(
        &self,
        mut batch: ReportProcessingRequest,
    ) -> Result<ReportProcessingResponse, Error> {
        self.tenant(&mut batch.namespace);
        self.send(Effect::Adds, batch, |channel, request| async move {
            let one = request.map(|batch| futures::stream::once(async move { batch }));
            let mut answers = monitor(channel).report_processing(one).await?;
            let answer = answers.get_mut().message().await?;
            let answer = answer.ok_or_else(|| tonic::Status::unavailable("the stream ended"))?;
            Ok(tonic::Response::new(answer))
        })
        .await
    }

    /// The events of violations, newest first; of all namespaces where the request names none.
    ///
    /// # Errors
    /// A refusal, or no answer in time.
    pub async fn violations(
        &self,
        request: ListViolationsRequest,
    ) -> Result<ListViolationsResponse, Error> {
        self.send(Effect::Reads, request, |channel, request| async move {
            monitor(channel).list_violations(request).await
        })
        .await
    }

    /// What services' reports came to.
    ///
    /// # Errors
    /// A refusal, or no answer in time.
    pub async fn scores(&self, request: GetScoresRequest) -> Result<Vec<ServiceScore>, Error> {
        let answer = self.send(Effect::Reads, request, |channel, request| async move {
            monitor(channel).get_scores(request).await
        });
        Ok(answer.await?.scores)
    }

    /// The events of anomalies, newest first; of all namespaces where the request names none.
    ///
    /// # Errors
    /// A refusal, or no answer in time.
    pub async fn anomalies(
        &self,
        request: ListAnomaliesRequest,
    ) -> Result<ListAnomaliesResponse, Error> {
        self.send(Effect::Reads, request, |channel, request| async move {
            monitor(channel).list_anomalies(request).await
        })
        .await
    }

    /// What counts as out of the ordinary.
    ///
    /// # Errors
    /// A refusal, or no answer in time.
    pub async fn anomaly_settings(&self) -> Result<AnomalySettings, Error> {
        let request = GetAnomalySettingsRequest {};
        let answer = self.send(Effect::Reads, request, |channel, request| async move {
            monitor(channel).get_anomaly_settings(request).await
        });
        Ok(answer.await?.settings.unwrap_or_default())
    }

    /// Sets what counts as out of the ordinary, on all nodes.
    ///
    /// # Errors
    /// A refusal, or no answer in time; see [`Error::outcome`].
    pub async fn configure_anomalies(
        &self,
        mut request: ConfigureAnomaliesRequest,
    ) -> Result<ConfigureAnomaliesResponse, Error> {
        self.name(&mut request.request_id);
        self.send(Effect::Changes, request, |channel, request| async move {
            monitor(channel).configure_anomalies(request).await
        })
        .await
    }
}

fn monitor(channel: Channel) -> MonitorServiceClient<Channel> {
    MonitorServiceClient::new(channel)
}

//! What was processed: reported to be judged; what was found; scores.

use super::{Client, call::Effect, endpoints::Channel, error::Error};
use crate::proto::v1::{
    GetScoresRequest, ListViolationsRequest, ListViolationsResponse, ReportProcessingRequest,
    ReportProcessingResponse, ServiceScore, monitor_service_client::MonitorServiceClient,
};

impl Client {
    /// Reports a batch of what was processed. When it returns, the violations among it are committed as events.
    ///
    /// A call whose answer was lost is made again: what it found may then count twice.
    ///
    /// # Errors
    /// A refusal, or no answer in time.
    pub async fn report_processing(
        &self,
        mut batch: ReportProcessingRequest,
    ) -> Result<ReportProcessingResponse, Error> {
        self.tenant(&mut batch.namespace);
        self.send(Effect::Reads, batch, |channel, request| async move {
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
}

fn monitor(channel: Channel) -> MonitorServiceClient<Channel> {
    MonitorServiceClient::new(channel)
}

//! Forming a cluster, looking at it, and asking one node for its health.

use futures::stream::BoxStream;
use tokio::time::{Instant, sleep, timeout};
use tonic::{Request, Streaming};

use super::{
    ANSWER_BYTES_MAX, Client,
    call::{Backoff, Effect, timed},
    error::{Error, Trail},
};
use crate::proto::health::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use crate::proto::v1::{
    AddProgress, AddRequest, InitRequest, InitResponse, RemoveRequest, RemoveResponse,
    StatusRequest, StatusResponse, TransferLeaderRequest, TransferLeaderResponse,
    cluster_service_client::ClusterServiceClient,
};

impl Client {
    /// Creates a cluster with the endpoint named first as its one voter. Goes to that node alone: on any other it would
    /// make another cluster.
    ///
    /// # Errors
    /// A refusal, or no answer in time.
    pub async fn cluster_init(&self) -> Result<InitResponse, Error> {
        self.call_first(Effect::Changes, |channel, limit| async move {
            ClusterServiceClient::new(channel)
                .init(timed(InitRequest {}, limit))
                .await
        })
        .await
    }

    /// Adds a node; the stream tells how far it is and ends after the item that has `done`. Where the call breaks off,
    /// it is made again, which goes on from where it was. It gives up when the node was not heard of within the
    /// deadline, or later not for the import deadline.
    pub fn cluster_add(
        &self,
        request: AddRequest,
    ) -> BoxStream<'static, Result<AddProgress, Error>> {
        let client = self.clone();
        Box::pin(async_stream::stream! {
            let patience = client.0.settings.import_deadline;
            let mut ends = Instant::now() + client.0.settings.deadline;
            let mut backoff = Backoff::new(&client.0.settings);
            let mut trail = Trail::new(true);
            loop {
                let (at, endpoint) = client.0.endpoints.preferred();
                let uri = endpoint.uri.clone();
                let mut channel = ClusterServiceClient::new(endpoint.channel.clone());
                let left = ends.saturating_duration_since(Instant::now());
                let opened = timeout(left, channel.add(Request::new(request.clone()))).await;
                let error = match opened {
                    Err(_) => Error::timed_out(left),
                    Ok(Err(status)) => Error::from_status(&status),
                    Ok(Ok(progress)) => {
                        let mut progress = progress.into_inner();
                        loop {
                            match advance(&mut progress, ends).await {
                                Err(error) => break error,
                                Ok(news) => {
                                    let done = news.done;
                                    yield Ok(news);
                                    if done {
                                        return;
                                    }
                                    ends = Instant::now() + patience;
                                    backoff = Backoff::new(&client.0.settings);
                                }
                            }
                        }
                    }
                };
                trail.note(&uri, &error);
                client.0.endpoints.leave(at, None);
                let wait = backoff.next();
                if !error.is_temporary() || Instant::now() + wait >= ends {
                    yield Err(error.over(&trail));
                    return;
                }
                sleep(wait).await;
            }
        })
    }

    /// Takes a node out.
    ///
    /// # Errors
    /// A refusal, or no answer in time; see [`Error::outcome`].
    pub async fn cluster_remove(&self, request: RemoveRequest) -> Result<RemoveResponse, Error> {
        self.send(Effect::Changes, request, |channel, request| async move {
            ClusterServiceClient::new(channel).remove(request).await
        })
        .await
    }

    /// What each member says of itself.
    ///
    /// # Errors
    /// No answer in time.
    pub async fn cluster_status(&self) -> Result<StatusResponse, Error> {
        self.call(Effect::Reads, |channel, limit| async move {
            ClusterServiceClient::new(channel)
                .max_decoding_message_size(ANSWER_BYTES_MAX)
                .status(timed(StatusRequest {}, limit))
                .await
        })
        .await
    }

    /// Hands the leadership to a voter: the one named by its id, or by the beginning of it, or the most caught up
    /// where that is empty.
    ///
    /// # Errors
    /// A refusal, or no answer in time; see [`Error::outcome`].
    pub async fn transfer_leader(&self, node_id: &str) -> Result<TransferLeaderResponse, Error> {
        let request = TransferLeaderRequest {
            node_id: node_id.to_owned(),
        };
        self.call(Effect::Changes, |channel, limit| {
            let request = timed(request.clone(), limit);
            async move {
                ClusterServiceClient::new(channel)
                    .transfer_leader(request)
                    .await
            }
        })
        .await
    }

    /// Whether the endpoint named first serves: `service` is `live` for liveness, empty for readiness, or the full name
    /// of a gRPC service.
    ///
    /// # Errors
    /// No answer in time, or an unknown service.
    pub async fn health(&self, service: &str) -> Result<bool, Error> {
        let request = HealthCheckRequest {
            service: service.to_owned(),
        };
        let answer = self
            .call_first(Effect::Reads, |channel, limit| {
                let request = timed(request.clone(), limit);
                async move { HealthClient::new(channel).check(request).await }
            })
            .await?;
        Ok(answer.status() == ServingStatus::Serving)
    }
}

/// The next news of a node that is being added.
async fn advance(
    progress: &mut Streaming<AddProgress>,
    ends: Instant,
) -> Result<AddProgress, Error> {
    let left = ends.saturating_duration_since(Instant::now());
    match timeout(left, progress.message()).await {
        Ok(Ok(Some(news))) => Ok(news),
        Ok(Ok(None)) => Err(Error::broken("the call ended before the node was added")),
        Ok(Err(status)) => Err(Error::from_status(&status)),
        Err(_) => Err(Error::timed_out(left)),
    }
}

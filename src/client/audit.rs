//! An export of the events, over broken connections and lost nodes.

use futures::stream::BoxStream;
use tokio::time::{sleep, timeout};
use tonic::Streaming;

use super::{
    ANSWER_BYTES_MAX, Client,
    call::{Backoff, Effect},
    error::Error,
};
use crate::proto::v1::{ExportRequest, ExportResponse, audit_service_client::AuditServiceClient};

/// How often an export is taken up again without anything new in between.
const TRIES: u32 = 5;

impl Client {
    /// The events up to now that pass what the request asks for, in pieces; the last is `complete`. A stream that breaks off is
    /// taken up again where it was, at another endpoint if need be: no event comes twice, and none is left out.
    ///
    /// What ends with an error before it is complete can be gone on with from the last `next_revision`.
    pub fn export(
        &self,
        mut request: ExportRequest,
    ) -> BoxStream<'static, Result<ExportResponse, Error>> {
        let client = self.clone();
        Box::pin(async_stream::stream! {
            let mut backoff = Backoff::new(&client.0.settings);
            let mut tries = 0;
            // How many in a row have not all of the journal.
            let mut lacking = 0;
            loop {
                let mut pieces = match client.begin_export(request.clone()).await {
                    Ok(pieces) => pieces,
                    Err(error) => {
                        lacking += 1;
                        if client.goes_elsewhere(&error, lacking) {
                            continue;
                        }
                        yield Err(error);
                        return;
                    }
                };
                // Whoever says nothing for so long is gone.
                let silence = client.0.settings.deadline;
                let why = loop {
                    match timeout(silence, pieces.message()).await {
                        Ok(Ok(Some(piece))) => {
                            (tries, lacking) = (0, 0);
                            request.from_revision = piece.next_revision;
                            let complete = piece.complete;
                            yield Ok(piece);
                            if complete {
                                return;
                            }
                        }
                        Ok(Ok(None)) => break Error::broken("the export broke off"),
                        Ok(Err(status)) => break Error::from_status(&status),
                        Err(_) => break Error::timed_out(silence),
                    }
                };
                lacking += 1;
                if client.goes_elsewhere(&why, lacking) {
                    continue;
                }
                tries += 1;
                if tries > TRIES || !why.is_temporary() {
                    yield Err(why);
                    return;
                }
                client.0.endpoints.leave_preferred();
                sleep(backoff.next()).await;
            }
        })
    }

    /// Leaves a node that fetches its journal still, while another may have all of it.
    fn goes_elsewhere(&self, why: &Error, lacking: usize) -> bool {
        let endpoints = &self.0.endpoints;
        let goes = why.reason() == "REVISION_COMPACTED" && lacking < endpoints.len();
        if goes {
            endpoints.leave_preferred();
        }
        goes
    }

    async fn begin_export(
        &self,
        request: ExportRequest,
    ) -> Result<Streaming<ExportResponse>, Error> {
        let settings = &self.0.settings;
        let limits = (settings.deadline, settings.attempt_timeout);
        self.call_within(Effect::Reads, limits, |channel, _| {
            let request = request.clone();
            // No grpc-timeout: it would end the export itself.
            async move {
                let client = AuditServiceClient::new(channel);
                let mut client = client.max_decoding_message_size(ANSWER_BYTES_MAX);
                client.export(request).await
            }
        })
        .await
    }
}

//! Stamps: asking the authority about one, and its public keys.

use super::{
    ANSWER_BYTES_MAX, Client,
    call::Effect,
    check::{Allowed, Denied, judge},
    endpoints::Channel,
    error::Error,
};
use crate::proto::v1::{
    CheckResponse, ListStampKeysRequest, ListStampKeysResponse, VerifyStampRequest,
    stamp_service_client::StampServiceClient,
};

impl Client {
    /// Asks whether a stamp is genuine and what the decision is now: a check like any other, of the stamp's tokens.
    ///
    /// # Errors
    /// Everything but an ALLOW: a denial by the cluster, a stamp that is forged, foreign or expired, no answer in time.
    pub async fn verify_stamp(&self, mut request: VerifyStampRequest) -> Result<Allowed, Denied> {
        self.caller(&mut request.service, &mut request.schema_version);
        let answer = self
            .send(Effect::Reads, request, |channel, request| async move {
                stamps(channel).verify(request).await
            })
            .await?;
        let stamped_revision = answer.stamped_revision;
        let answer = CheckResponse {
            decision: answer.decision,
            reason: answer.reason,
            event_id: answer.event_id,
            revision: answer.revision,
            decision_id: answer.decision_id,
            evaluated_at: answer.evaluated_at,
            stamp: String::new(),
            override_id: answer.override_id,
        };
        judge(answer, stamped_revision)
    }

    /// The public keys that stamps are signed with.
    ///
    /// # Errors
    /// No answer in time.
    pub async fn stamp_keys(&self) -> Result<ListStampKeysResponse, Error> {
        let request = ListStampKeysRequest {};
        self.send(Effect::Reads, request, |channel, request| async move {
            stamps(channel).list_keys(request).await
        })
        .await
    }
}

fn stamps(channel: Channel) -> StampServiceClient<Channel> {
    StampServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX)
}

//! Setting and reading preferences.

use super::{
    ANSWER_BYTES_MAX, Client,
    call::{Effect, timed},
    endpoints::Channel,
    error::Error,
};
use crate::proto::v1::{
    CreateLinkRequest, CreateLinkResponse, GetImportRequest, GetPreferencesRequest,
    GetPreferencesResponse, ListEventsRequest, ListEventsResponse, SetOptInRequest,
    SetOptInResponse, SetOptOutRequest, SetOptOutResponse,
    preference_service_client::PreferenceServiceClient,
};

impl Client {
    /// Opts a subject out. Every attempt carries the same `request_id`: the one given, or one made here.
    ///
    /// # Errors
    /// A refusal, or no answer in time; see [`Error::outcome`].
    pub async fn opt_out(&self, mut request: SetOptOutRequest) -> Result<SetOptOutResponse, Error> {
        self.name(&mut request.request_id);
        self.place(&mut request.namespace, &mut request.schema_version);
        self.call(Effect::Changes, |channel, limit| {
            let request = timed(request.clone(), limit);
            async move { preferences(channel).set_opt_out(request).await }
        })
        .await
    }

    /// Opts a subject in, with evidence. As for [`Client::opt_out`].
    ///
    /// # Errors
    /// A refusal, or no answer in time; see [`Error::outcome`].
    pub async fn opt_in(&self, mut request: SetOptInRequest) -> Result<SetOptInResponse, Error> {
        self.name(&mut request.request_id);
        self.place(&mut request.namespace, &mut request.schema_version);
        self.call(Effect::Changes, |channel, limit| {
            let request = timed(request.clone(), limit);
            async move { preferences(channel).set_opt_in(request).await }
        })
        .await
    }

    /// A subject's preferences and how each purpose is decided.
    ///
    /// # Errors
    /// A refusal, or no answer in time.
    pub async fn preferences(
        &self,
        mut request: GetPreferencesRequest,
    ) -> Result<GetPreferencesResponse, Error> {
        self.place(&mut request.namespace, &mut request.schema_version);
        self.call(Effect::Reads, |channel, limit| {
            let request = timed(request.clone(), limit);
            async move { preferences(channel).get_preferences(request).await }
        })
        .await
    }

    /// A page of a subject's history, newest first.
    ///
    /// # Errors
    /// A refusal, or no answer in time.
    pub async fn list_events(
        &self,
        mut request: ListEventsRequest,
    ) -> Result<ListEventsResponse, Error> {
        self.place(&mut request.namespace, &mut 0);
        self.call(Effect::Reads, |channel, limit| {
            let request = timed(request.clone(), limit);
            async move { preferences(channel).list_events(request).await }
        })
        .await
    }

    /// A signed link for one-click unsubscribe (RFC 8058). Making one changes nothing.
    ///
    /// # Errors
    /// A refusal, or no answer in time.
    pub async fn create_link(
        &self,
        mut request: CreateLinkRequest,
    ) -> Result<CreateLinkResponse, Error> {
        self.place(&mut request.namespace, &mut 0);
        self.call(Effect::Reads, |channel, limit| {
            let request = timed(request.clone(), limit);
            async move { preferences(channel).create_link(request).await }
        })
        .await
    }

    /// The row that an import goes on with; 0 where its id is not known.
    ///
    /// # Errors
    /// A refusal, or no answer in time.
    pub async fn import_position(&self, import_id: &str, namespace: &str) -> Result<u64, Error> {
        let mut request = GetImportRequest {
            import_id: import_id.to_owned(),
            namespace: namespace.to_owned(),
        };
        self.place(&mut request.namespace, &mut 0);
        let answer = self
            .call(Effect::Reads, |channel, limit| {
                let request = timed(request.clone(), limit);
                async move { preferences(channel).get_import(request).await }
            })
            .await?;
        Ok(answer.next_row)
    }
}

pub(super) fn preferences(channel: Channel) -> PreferenceServiceClient<Channel> {
    PreferenceServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX)
}

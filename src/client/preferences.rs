//! Setting and reading preferences.

use super::{ANSWER_BYTES_MAX, Client, call::Effect, endpoints::Channel, error::Error};
use crate::proto::v1::{
    GetImportRequest, GetPreferencesRequest, GetPreferencesResponse, ListEventsRequest,
    ListEventsResponse, SetOptInRequest, SetOptInResponse, SetOptOutRequest, SetOptOutResponse,
    SetPreferencesRequest, SetPreferencesResponse,
    preference_service_client::PreferenceServiceClient,
};

impl Client {
    /// Opts a subject out. Every attempt carries the same `request_id`: the one given, or one made here.
    ///
    /// # Errors
    /// A refusal, or no answer in time; see [`Error::outcome`].
    pub async fn opt_out(&self, mut request: SetOptOutRequest) -> Result<SetOptOutResponse, Error> {
        self.name(&mut request.request_id);
        self.tenant(&mut request.namespace);
        self.caller(&mut request.service, &mut request.schema_version);
        self.send(Effect::Changes, request, |channel, request| async move {
            preferences(channel).set_opt_out(request).await
        })
        .await
    }

    /// Opts a subject in, with evidence. As for [`Client::opt_out`].
    ///
    /// # Errors
    /// A refusal, or no answer in time; see [`Error::outcome`].
    pub async fn opt_in(&self, mut request: SetOptInRequest) -> Result<SetOptInResponse, Error> {
        self.name(&mut request.request_id);
        self.tenant(&mut request.namespace);
        self.caller(&mut request.service, &mut request.schema_version);
        self.send(Effect::Changes, request, |channel, request| async move {
            preferences(channel).set_opt_in(request).await
        })
        .await
    }

    /// Opts a subject out of some purposes and in to others, at once. As for [`Client::opt_out`].
    ///
    /// # Errors
    /// A refusal, which leaves all as it was, or no answer in time; see [`Error::outcome`].
    pub async fn set_preferences(
        &self,
        mut request: SetPreferencesRequest,
    ) -> Result<SetPreferencesResponse, Error> {
        self.name(&mut request.request_id);
        self.tenant(&mut request.namespace);
        self.caller(&mut request.service, &mut request.schema_version);
        self.send(Effect::Changes, request, |channel, request| async move {
            preferences(channel).set_preferences(request).await
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
        self.tenant(&mut request.namespace);
        self.caller(&mut request.service, &mut request.schema_version);
        self.send(Effect::Reads, request, |channel, request| async move {
            preferences(channel).get_preferences(request).await
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
        self.caller(&mut request.service, &mut request.schema_version);
        self.tenant(&mut request.namespace);
        self.send(Effect::Reads, request, |channel, request| async move {
            preferences(channel).list_events(request).await
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
        self.tenant(&mut request.namespace);
        let answer = self
            .send(Effect::Reads, request, |channel, request| async move {
                preferences(channel).get_import(request).await
            })
            .await?;
        Ok(answer.next_row)
    }
}

pub(super) fn preferences(channel: Channel) -> PreferenceServiceClient<Channel> {
    PreferenceServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX)
}

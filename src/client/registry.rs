//! The registry of purposes and namespaces.

use std::time::Duration;

use super::{
    ANSWER_BYTES_MAX, Client,
    call::{Effect, timed},
    endpoints::Channel,
    error::Error,
};
use crate::proto::v1::{
    AddNamespaceRequest, AddNamespaceResponse, ConfigureNamespaceRequest,
    ConfigureNamespaceResponse, ListNamespacesRequest, ListNamespacesResponse, ListPurposesRequest,
    ListPurposesResponse, PutPurposeRequest, PutPurposeResponse,
    registry_service_client::RegistryServiceClient,
};

impl Client {
    /// All purposes, with the registry's schema version and the schema floors.
    ///
    /// # Errors
    /// No answer in time.
    pub async fn purposes(&self) -> Result<ListPurposesResponse, Error> {
        let settings = &self.0.settings;
        self.purposes_within((settings.deadline, settings.attempt_timeout))
            .await
    }

    /// As [`Client::purposes`], with a deadline for the call and one for each attempt.
    pub(super) async fn purposes_within(
        &self,
        limits: (Duration, Duration),
    ) -> Result<ListPurposesResponse, Error> {
        self.call_within(Effect::Reads, limits, |channel, limit| async move {
            let request = timed(ListPurposesRequest {}, limit);
            registry(channel).list_purposes(request).await
        })
        .await
    }

    /// Adds a purpose or changes one.
    ///
    /// # Errors
    /// A refusal, or no answer in time; see [`Error::outcome`]. A change that can widen ALLOW is refused with
    /// `WIDENS_ALLOW`: see [`Client::propose_change`].
    pub async fn put_purpose(
        &self,
        mut request: PutPurposeRequest,
    ) -> Result<PutPurposeResponse, Error> {
        self.name(&mut request.request_id);
        self.send(Effect::Changes, request, |channel, request| async move {
            registry(channel).put_purpose(request).await
        })
        .await
    }

    /// All namespaces, with the settings of each.
    ///
    /// # Errors
    /// No answer in time.
    pub async fn namespaces(&self) -> Result<ListNamespacesResponse, Error> {
        let request = ListNamespacesRequest {};
        self.send(Effect::Reads, request, |channel, request| async move {
            registry(channel).list_namespaces(request).await
        })
        .await
    }

    /// Adds a namespace; one that is there already changes nothing.
    ///
    /// # Errors
    /// A refusal, or no answer in time; see [`Error::outcome`].
    pub async fn add_namespace(&self, namespace: &str) -> Result<AddNamespaceResponse, Error> {
        let request = AddNamespaceRequest {
            request_id: self.new_request_id(),
            namespace: namespace.to_owned(),
        };
        self.send(Effect::Changes, request, |channel, request| async move {
            registry(channel).add_namespace(request).await
        })
        .await
    }

    /// Sets what a namespace's signals mean; what it names replaces what stood.
    ///
    /// # Errors
    /// A refusal, or no answer in time; see [`Error::outcome`].
    pub async fn configure_namespace(
        &self,
        mut request: ConfigureNamespaceRequest,
    ) -> Result<ConfigureNamespaceResponse, Error> {
        self.name(&mut request.request_id);
        self.tenant(&mut request.namespace);
        self.send(Effect::Changes, request, |channel, request| async move {
            registry(channel).configure_namespace(request).await
        })
        .await
    }
}

pub(super) fn registry(channel: Channel) -> RegistryServiceClient<Channel> {
    RegistryServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX)
}

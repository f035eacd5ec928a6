//! The registry of purposes and namespaces.

use super::{
    ANSWER_BYTES_MAX, Client,
    call::{Effect, timed},
    error::Error,
};
use crate::proto::v1::{
    AddNamespaceRequest, AddNamespaceResponse, ListNamespacesRequest, ListNamespacesResponse,
    ListPurposesRequest, ListPurposesResponse, PutPurposeRequest, PutPurposeResponse,
    registry_service_client::RegistryServiceClient,
};

impl Client {
    /// All purposes, with the registry's schema version.
    ///
    /// # Errors
    /// No answer in time.
    pub async fn purposes(&self) -> Result<ListPurposesResponse, Error> {
        self.call(Effect::Reads, |channel, limit| async move {
            RegistryServiceClient::new(channel)
                .max_decoding_message_size(ANSWER_BYTES_MAX)
                .list_purposes(timed(ListPurposesRequest {}, limit))
                .await
        })
        .await
    }

    /// Adds a purpose or changes one.
    ///
    /// # Errors
    /// A refusal, or no answer in time; see [`Error::outcome`].
    pub async fn put_purpose(
        &self,
        mut request: PutPurposeRequest,
    ) -> Result<PutPurposeResponse, Error> {
        self.name(&mut request.request_id);
        self.call(Effect::Changes, |channel, limit| {
            let request = timed(request.clone(), limit);
            async move {
                RegistryServiceClient::new(channel)
                    .put_purpose(request)
                    .await
            }
        })
        .await
    }

    /// All namespaces.
    ///
    /// # Errors
    /// No answer in time.
    pub async fn namespaces(&self) -> Result<ListNamespacesResponse, Error> {
        self.call(Effect::Reads, |channel, limit| async move {
            RegistryServiceClient::new(channel)
                .max_decoding_message_size(ANSWER_BYTES_MAX)
                .list_namespaces(timed(ListNamespacesRequest {}, limit))
                .await
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
        self.call(Effect::Changes, |channel, limit| {
            let request = timed(request.clone(), limit);
            async move {
                RegistryServiceClient::new(channel)
                    .add_namespace(request)
                    .await
            }
        })
        .await
    }
}

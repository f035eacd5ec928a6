//! `RegistryService`: which namespaces and purposes there are.

use sha2::{Digest as _, Sha256};
use tonic::{Request, Response, Status};

use super::{
    Api, Call,
    convert::{self, answers},
    input::Input,
    status::Failure,
};
use crate::{
    admission::admit,
    authority::{ListNamespaces, ListPurposes},
    domain::{
        AddNamespace, Body, ConfigureNamespace, Namespace, PurposeName, PutPurpose, RequestId,
    },
    proto::v1::{
        self, AddNamespaceRequest, AddNamespaceResponse, ListNamespacesRequest,
        ListNamespacesResponse, ListPurposesRequest, ListPurposesResponse, NamespaceSettings,
        PutPurposeRequest, PutPurposeResponse, registry_service_server::RegistryService,
    },
};

/// The service.
pub(super) struct Registry(pub(super) Api);

#[tonic::async_trait]
impl RegistryService for Registry {
    async fn list_purposes(
        &self,
        request: Request<ListPurposesRequest>,
    ) -> Result<Response<ListPurposesResponse>, Status> {
        self.0.unary(request, Api::list_purposes).await
    }

    async fn put_purpose(
        &self,
        request: Request<PutPurposeRequest>,
    ) -> Result<Response<PutPurposeResponse>, Status> {
        self.0.unary(request, Api::put_purpose).await
    }

    async fn list_namespaces(
        &self,
        request: Request<ListNamespacesRequest>,
    ) -> Result<Response<ListNamespacesResponse>, Status> {
        self.0.unary(request, Api::list_namespaces).await
    }

    async fn add_namespace(
        &self,
        request: Request<AddNamespaceRequest>,
    ) -> Result<Response<AddNamespaceResponse>, Status> {
        self.0.unary(request, Api::add_namespace).await
    }

    async fn configure_namespace(
        &self,
        request: Request<v1::ConfigureNamespaceRequest>,
    ) -> Result<Response<v1::ConfigureNamespaceResponse>, Status> {
        self.0.unary(request, Api::configure_namespace).await
    }

    async fn set_schema_floor(
        &self,
        request: Request<v1::SetSchemaFloorRequest>,
    ) -> Result<Response<v1::SetSchemaFloorResponse>, Status> {
        self.0.unary(request, Api::set_schema_floor).await
    }

    async fn list_services(
        &self,
        request: Request<v1::ListServicesRequest>,
    ) -> Result<Response<v1::ListServicesResponse>, Status> {
        self.0.unary(request, Api::list_services).await
    }

    async fn propose_change(
        &self,
        request: Request<v1::ProposeChangeRequest>,
    ) -> Result<Response<v1::ProposeChangeResponse>, Status> {
        self.0.unary(request, Api::propose_change).await
    }

    async fn approve_change(
        &self,
        request: Request<v1::ApproveChangeRequest>,
    ) -> Result<Response<v1::ApproveChangeResponse>, Status> {
        self.0.unary(request, Api::approve_change).await
    }

    async fn withdraw_change(
        &self,
        request: Request<v1::WithdrawChangeRequest>,
    ) -> Result<Response<v1::WithdrawChangeResponse>, Status> {
        self.0.unary(request, Api::withdraw_change).await
    }

    async fn list_pending_changes(
        &self,
        request: Request<v1::ListPendingChangesRequest>,
    ) -> Result<Response<v1::ListPendingChangesResponse>, Status> {
        self.0.unary(request, Api::list_pending_changes).await
    }
}

impl Api {
    /// Lists the purposes.
    pub(super) async fn list_purposes(
        &self,
        call: Call,
        _: ListPurposesRequest,
    ) -> Result<ListPurposesResponse, Failure> {
        let admitted = admit(&call.caller, ListPurposes)?;
        let found = self
            .authority()
            .read(admitted, call.deadline.step())
            .await?;
        Ok(ListPurposesResponse {
            purposes: found
                .purposes
                .into_iter()
                .map(|(purpose, floor)| answers::purpose(purpose, floor))
                .collect(),
            schema_version: found.schema_version,
            revision: found.revision,
            schema_floor: found.schema_floor,
        })
    }

    /// Adds a purpose or changes one.
    pub(super) async fn put_purpose(
        &self,
        call: Call,
        request: PutPurposeRequest,
    ) -> Result<PutPurposeResponse, Failure> {
        let asked = request.purpose.ok_or(Input::PurposeRequired)?;
        let put = PutPurpose {
            request_id: self.request_id(&request.request_id)?,
            purpose: convert::purpose(asked)?,
        };
        let request_id = put.request_id;
        let done = self
            .register(&call, request_id, Body::PutPurpose(put))
            .await?;
        Ok(PutPurposeResponse {
            event_id: answers::event_id(done.event_id),
            revision: done.revision,
            changed: done.changed,
            purpose: done.purpose.map(|purpose| {
                let floor = self.authority().schema_floor(&purpose.name);
                answers::purpose(purpose, floor)
            }),
            request_id: done.request_id.to_string(),
        })
    }

    /// Lists the namespaces.
    pub(super) async fn list_namespaces(
        &self,
        call: Call,
        _: ListNamespacesRequest,
    ) -> Result<ListNamespacesResponse, Failure> {
        let admitted = admit(&call.caller, ListNamespaces)?;
        let found = self
            .authority()
            .read(admitted, call.deadline.step())
            .await?;
        Ok(ListNamespacesResponse {
            namespaces: found.namespaces.iter().map(|it| it.0.to_string()).collect(),
            settings: found
                .namespaces
                .iter()
                .map(|(_, gpc)| NamespaceSettings {
                    gpc_purposes: gpc.iter().map(PurposeName::to_string).collect(),
                })
                .collect(),
            revision: found.revision,
        })
    }

    /// Sets what a namespace's signals mean.
    pub(super) async fn configure_namespace(
        &self,
        call: Call,
        request: v1::ConfigureNamespaceRequest,
    ) -> Result<v1::ConfigureNamespaceResponse, Failure> {
        let settings = request.settings.ok_or(Input::SettingsRequired)?;
        let configure = ConfigureNamespace {
            request_id: self.request_id(&request.request_id)?,
            namespace: convert::namespace(&request.namespace)?,
            gpc_purposes: convert::purposes(&settings.gpc_purposes)?,
        };
        let request_id = configure.request_id;
        let done = self
            .register(&call, request_id, Body::ConfigureNamespace(configure))
            .await?;
        Ok(done.into())
    }

    /// Adds a namespace.
    pub(super) async fn add_namespace(
        &self,
        call: Call,
        request: AddNamespaceRequest,
    ) -> Result<AddNamespaceResponse, Failure> {
        let add = AddNamespace {
            request_id: self.request_id(&request.request_id)?,
            namespace: Namespace::parse(&request.namespace)?,
        };
        let request_id = add.request_id;
        let done = self
            .register(&call, request_id, Body::AddNamespace(add))
            .await?;
        Ok(done.into())
    }

    /// Adds a namespace where it is not there, and then configures it where settings are given.
    pub(super) async fn put_namespace(
        &self,
        call: Call,
        request_id: String,
        namespace: String,
        settings: Option<v1::NamespaceSettings>,
    ) -> Result<v1::ConfigureNamespaceResponse, Failure> {
        let first = self.request_id(&request_id)?;
        let add = AddNamespaceRequest {
            request_id: first.to_string(),
            namespace: namespace.clone(),
        };
        let added = self.add_namespace(call.clone(), add).await?;
        let Some(settings) = settings else {
            return Ok(v1::ConfigureNamespaceResponse {
                event_id: added.event_id,
                revision: added.revision,
                changed: added.changed,
                request_id: added.request_id,
            });
        };
        let configure = v1::ConfigureNamespaceRequest {
            // A request of its own, which a retry of the whole finds again.
            request_id: second_step(first).to_string(),
            namespace,
            settings: Some(settings),
        };
        let configured = self
            .configure_namespace(call, configure)
            .await
            .map_err(|failure| Failure::Partly(Box::new(failure), "the namespace is there"))?;
        Ok(v1::ConfigureNamespaceResponse {
            changed: added.changed || configured.changed,
            request_id: added.request_id,
            ..configured
        })
    }
}

/// The id of the second change of a request that makes two: the same however often it is asked for.
fn second_step(first: RequestId) -> RequestId {
    let digest = Sha256::digest(format!("the second step of {first}"));
    let mut random = [0; 10];
    random.copy_from_slice(&digest[..10]);
    RequestId::new(first.timestamp(), random)
}

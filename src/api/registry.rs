//! `RegistryService`: which namespaces and purposes there are.

use tonic::{Request, Response, Status};

use super::{Api, Call, convert::answers, input::Input, status::Failure};
use crate::{
    admission::admit,
    authority::{ListNamespaces, ListPurposes},
    domain::{AddNamespace, Body, Namespace, Outcome, Purpose, PurposeName, PutPurpose},
    proto::v1::{
        self, AddNamespaceRequest, AddNamespaceResponse, ListNamespacesRequest,
        ListNamespacesResponse, ListPurposesRequest, ListPurposesResponse, PutPurposeRequest,
        PutPurposeResponse, registry_service_server::RegistryService,
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
        _: Request<v1::ConfigureNamespaceRequest>,
    ) -> Result<Response<v1::ConfigureNamespaceResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }

    async fn set_schema_floor(
        &self,
        _: Request<v1::SetSchemaFloorRequest>,
    ) -> Result<Response<v1::SetSchemaFloorResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }

    async fn list_services(
        &self,
        _: Request<v1::ListServicesRequest>,
    ) -> Result<Response<v1::ListServicesResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }

    async fn propose_change(
        &self,
        _: Request<v1::ProposeChangeRequest>,
    ) -> Result<Response<v1::ProposeChangeResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }

    async fn approve_change(
        &self,
        _: Request<v1::ApproveChangeRequest>,
    ) -> Result<Response<v1::ApproveChangeResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }

    async fn withdraw_change(
        &self,
        _: Request<v1::WithdrawChangeRequest>,
    ) -> Result<Response<v1::WithdrawChangeResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }

    async fn list_pending_changes(
        &self,
        _: Request<v1::ListPendingChangesRequest>,
    ) -> Result<Response<v1::ListPendingChangesResponse>, Status> {
        Err(Status::unimplemented("not yet"))
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
            purposes: found.purposes.into_iter().map(answers::purpose).collect(),
            schema_version: found.schema_version,
            revision: found.revision,
            ..ListPurposesResponse::default()
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
            purpose: Purpose {
                name: PurposeName::parse(&asked.name)?,
                description: asked.description,
                default_deny: asked.default_deny,
                essential: asked.essential,
                schema_version: asked.schema_version,
            },
        };
        let request_id = put.request_id;
        let admitted = admit(&call.caller, Body::PutPurpose(put))?;
        let outcome = self
            .authority()
            .write(admitted, call.deadline.step())
            .await?;
        let Outcome::Registry {
            event_id,
            revision,
            changed,
            purpose,
        } = outcome
        else {
            return Err(Failure::Panicked);
        };
        Ok(PutPurposeResponse {
            event_id: answers::event_id(event_id),
            revision,
            changed,
            purpose: purpose.map(answers::purpose),
            request_id: request_id.to_string(),
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
            namespaces: found.namespaces.iter().map(Namespace::to_string).collect(),
            revision: found.revision,
            ..ListNamespacesResponse::default()
        })
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
        let admitted = admit(&call.caller, Body::AddNamespace(add))?;
        let outcome = self
            .authority()
            .write(admitted, call.deadline.step())
            .await?;
        let Outcome::Registry {
            event_id,
            revision,
            changed,
            ..
        } = outcome
        else {
            return Err(Failure::Panicked);
        };
        Ok(AddNamespaceResponse {
            event_id: answers::event_id(event_id),
            revision,
            changed,
            request_id: request_id.to_string(),
        })
    }
}

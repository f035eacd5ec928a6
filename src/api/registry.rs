//! `RegistryService`: which namespaces and purposes there are.

use tonic::{Request, Response, Status};

use super::{Api, convert::answers, input::Input, status::Failure};
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
        let Self(api) = self;
        let call = api.call(&request)?;
        let admitted = admit(&call.caller, ListPurposes)?;
        let found = api.authority().read(admitted, call.deadline.step()).await?;
        Ok(Response::new(ListPurposesResponse {
            purposes: found.purposes.into_iter().map(answers::purpose).collect(),
            schema_version: found.schema_version,
            revision: found.revision,
            ..ListPurposesResponse::default()
        }))
    }

    async fn put_purpose(
        &self,
        request: Request<PutPurposeRequest>,
    ) -> Result<Response<PutPurposeResponse>, Status> {
        let Self(api) = self;
        let call = api.call(&request)?;
        let request = request.into_inner();
        let asked = request.purpose.ok_or(Input::PurposeRequired)?;
        let put = PutPurpose {
            request_id: api.request_id(&request.request_id)?,
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
        let outcome = api
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
            return Err(Failure::Panicked.into());
        };
        Ok(Response::new(PutPurposeResponse {
            event_id: answers::event_id(event_id),
            revision,
            changed,
            purpose: purpose.map(answers::purpose),
            request_id: request_id.to_string(),
        }))
    }

    async fn list_namespaces(
        &self,
        request: Request<ListNamespacesRequest>,
    ) -> Result<Response<ListNamespacesResponse>, Status> {
        let Self(api) = self;
        let call = api.call(&request)?;
        let admitted = admit(&call.caller, ListNamespaces)?;
        let found = api.authority().read(admitted, call.deadline.step()).await?;
        Ok(Response::new(ListNamespacesResponse {
            namespaces: found.namespaces.iter().map(Namespace::to_string).collect(),
            revision: found.revision,
            ..ListNamespacesResponse::default()
        }))
    }

    async fn add_namespace(
        &self,
        request: Request<AddNamespaceRequest>,
    ) -> Result<Response<AddNamespaceResponse>, Status> {
        let Self(api) = self;
        let call = api.call(&request)?;
        let request = request.into_inner();
        let add = AddNamespace {
            request_id: api.request_id(&request.request_id)?,
            namespace: Namespace::parse(&request.namespace)?,
        };
        let request_id = add.request_id;
        let admitted = admit(&call.caller, Body::AddNamespace(add))?;
        let outcome = api
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
            return Err(Failure::Panicked.into());
        };
        Ok(Response::new(AddNamespaceResponse {
            event_id: answers::event_id(event_id),
            revision,
            changed,
            request_id: request_id.to_string(),
        }))
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

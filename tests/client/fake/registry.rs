//! The registry of a made-up node: purposes, namespaces, schema floors, and changes that need a second principal.

use refrain::proto::v1::{pending_change::Change as Wanted, registry_service_server::*, *};
use tonic::{Code, Request};

use super::{
    model::{noon, principal},
    refusal,
    services::{Api, Reply},
};

#[tonic::async_trait]
impl RegistryService for Api {
    async fn list_purposes(&self, _: Request<ListPurposesRequest>) -> Reply<ListPurposesResponse> {
        self.answer(|model| {
            Ok(ListPurposesResponse {
                purposes: model.purposes.values().cloned().collect(),
                schema_version: 1,
                revision: model.revision(),
                schema_floor: model.floor(""),
            })
        })
        .await
    }

    async fn put_purpose(&self, request: Request<PutPurposeRequest>) -> Reply<PutPurposeResponse> {
        let asked = request.into_inner();
        self.answer(|model| {
            let purpose = asked.purpose.unwrap_or_default();
            model.purposes.insert(purpose.name.clone(), purpose.clone());
            Ok(PutPurposeResponse {
                event_id: "made-up".to_owned(),
                revision: model.revision(),
                changed: true,
                purpose: Some(purpose),
                request_id: asked.request_id,
            })
        })
        .await
    }

    async fn list_namespaces(
        &self,
        _: Request<ListNamespacesRequest>,
    ) -> Reply<ListNamespacesResponse> {
        self.answer(|model| {
            Ok(ListNamespacesResponse {
                namespaces: model.namespaces.clone(),
                revision: model.revision(),
                settings: model
                    .namespaces
                    .iter()
                    .map(|it| model.settings(it))
                    .collect(),
            })
        })
        .await
    }

    async fn add_namespace(
        &self,
        request: Request<AddNamespaceRequest>,
    ) -> Reply<AddNamespaceResponse> {
        let asked = request.into_inner();
        self.answer(|model| {
            let changed = !model.namespaces.contains(&asked.namespace);
            if changed {
                model.namespaces.push(asked.namespace);
            }
            Ok(AddNamespaceResponse {
                event_id: String::new(),
                revision: model.revision(),
                changed,
                request_id: asked.request_id,
            })
        })
        .await
    }

    async fn configure_namespace(
        &self,
        request: Request<ConfigureNamespaceRequest>,
    ) -> Reply<ConfigureNamespaceResponse> {
        let asked = request.into_inner();
        self.answer(|model| {
            if !model.namespaces.contains(&asked.namespace) {
                return Err(refusal(Code::NotFound, "NAMESPACE_UNKNOWN", "not_applied"));
            }
            let settings = asked.settings.unwrap_or_default();
            model.settings.insert(asked.namespace, settings);
            Ok(ConfigureNamespaceResponse {
                event_id: "made-up".to_owned(),
                revision: model.revision(),
                changed: true,
                request_id: asked.request_id,
            })
        })
        .await
    }

    async fn set_schema_floor(
        &self,
        request: Request<SetSchemaFloorRequest>,
    ) -> Reply<SetSchemaFloorResponse> {
        let asked = request.into_inner();
        self.answer(|model| {
            let floor = asked.floor.unwrap_or_default();
            if floor.version < model.floor(&floor.purpose) {
                return Err(refusal(
                    Code::FailedPrecondition,
                    "WIDENS_ALLOW",
                    "not_applied",
                ));
            }
            let below = |it: &&ServiceSeen| it.schema_version < floor.version;
            let refused = model.services.iter().filter(below).cloned().collect();
            let changed = !asked.dry_run && floor.version != model.floor(&floor.purpose);
            if changed {
                model.floors.insert(floor.purpose, floor.version);
            }
            Ok(SetSchemaFloorResponse {
                event_id: if changed {
                    "made-up".to_owned()
                } else {
                    String::new()
                },
                revision: model.revision(),
                changed,
                request_id: asked.request_id,
                refused,
            })
        })
        .await
    }

    async fn list_services(&self, _: Request<ListServicesRequest>) -> Reply<ListServicesResponse> {
        self.answer(|model| {
            Ok(ListServicesResponse {
                services: model.services.clone(),
                revision: model.revision(),
            })
        })
        .await
    }

    async fn propose_change(
        &self,
        request: Request<ProposeChangeRequest>,
    ) -> Reply<ProposeChangeResponse> {
        let proposed_by = principal(&request);
        let asked = request.into_inner();
        self.answer(|model| {
            let change_id = model.change_id(&asked.request_id);
            if !model.pending.iter().any(|it| it.change_id == change_id) {
                model.pending.push(Pending {
                    change_id: change_id.clone(),
                    change: asked.change,
                    proposed_by,
                    proposed_at: Some(noon()),
                    lapses_at: Some(noon()),
                });
            }
            Ok(ProposeChangeResponse {
                change_id,
                revision: model.revision(),
                request_id: asked.request_id,
            })
        })
        .await
    }

    async fn approve_change(
        &self,
        request: Request<ApproveChangeRequest>,
    ) -> Reply<ApproveChangeResponse> {
        let approved_by = principal(&request);
        let asked = request.into_inner();
        self.answer(|model| {
            let pending = model.take_pending(&asked.change_id)?;
            if pending.proposed_by == approved_by {
                model.pending.push(pending);
                let reason = "SECOND_PRINCIPAL_REQUIRED";
                return Err(refusal(Code::FailedPrecondition, reason, "not_applied"));
            }
            match pending.change.and_then(|it| it.change) {
                Some(Wanted::Purpose(purpose)) => {
                    model.purposes.insert(purpose.name.clone(), purpose);
                }
                Some(Wanted::Floor(floor)) => {
                    model.floors.insert(floor.purpose, floor.version);
                }
                Some(Wanted::Settings(change)) => {
                    let settings = change.settings.unwrap_or_default();
                    model.settings.insert(change.namespace, settings);
                }
                None => {}
            }
            Ok(ApproveChangeResponse {
                event_id: "made-up".to_owned(),
                revision: model.revision(),
                request_id: asked.request_id,
            })
        })
        .await
    }

    async fn withdraw_change(
        &self,
        request: Request<WithdrawChangeRequest>,
    ) -> Reply<WithdrawChangeResponse> {
        let asked = request.into_inner();
        self.answer(|model| {
            model.take_pending(&asked.change_id)?;
            Ok(WithdrawChangeResponse {
                event_id: "made-up".to_owned(),
                revision: model.revision(),
                request_id: asked.request_id,
            })
        })
        .await
    }

    async fn list_pending_changes(
        &self,
        _: Request<ListPendingChangesRequest>,
    ) -> Reply<ListPendingChangesResponse> {
        self.answer(|model| {
            Ok(ListPendingChangesResponse {
                changes: model.pending.clone(),
                revision: model.revision(),
            })
        })
        .await
    }
}

//! Schema floors, and the services that they are for.

use super::{
    Api, Call,
    convert::{self, answers},
    input::Input,
    status::Failure,
};
use crate::{
    admission::admit,
    authority::{ListServices, WouldRefuse},
    domain::{Body, SetSchemaFloor},
    proto::v1::{
        ListServicesRequest, ListServicesResponse, SetSchemaFloorRequest, SetSchemaFloorResponse,
    },
};

impl Api {
    /// Raises a floor, or shows who would be refused by it.
    pub(super) async fn set_schema_floor(
        &self,
        call: Call,
        request: SetSchemaFloorRequest,
    ) -> Result<SetSchemaFloorResponse, Failure> {
        let floor = convert::floor(&request.floor.ok_or(Input::FloorRequired)?)?;
        let set = SetSchemaFloor {
            request_id: self.request_id(&request.request_id)?,
            floor: floor.clone(),
        };
        let request_id = set.request_id;
        let would = admit(&call.caller, WouldRefuse { floor })?;
        let refused = self.authority().read(would, call.deadline.step()).await?;
        let response = SetSchemaFloorResponse {
            revision: refused.revision,
            request_id: request_id.to_string(),
            refused: refused.services.iter().map(answers::service_seen).collect(),
            ..SetSchemaFloorResponse::default()
        };
        if request.dry_run {
            return Ok(response);
        }
        let done = self
            .register(&call, request_id, Body::SetSchemaFloor(set))
            .await?;
        Ok(SetSchemaFloorResponse {
            event_id: answers::event_id(done.event_id),
            revision: done.revision,
            changed: done.changed,
            ..response
        })
    }

    /// Lists who asks.
    pub(super) async fn list_services(
        &self,
        call: Call,
        _: ListServicesRequest,
    ) -> Result<ListServicesResponse, Failure> {
        let admitted = admit(&call.caller, ListServices)?;
        let found = self
            .authority()
            .read(admitted, call.deadline.step())
            .await?;
        Ok(ListServicesResponse {
            services: found.services.iter().map(answers::service_seen).collect(),
            revision: found.revision,
        })
    }
}

//! Schema floors, and the services that they would refuse.

use super::{Client, call::Effect, error::Error, registry::registry};
use crate::proto::v1::{
    ListServicesRequest, ListServicesResponse, SetSchemaFloorRequest, SetSchemaFloorResponse,
};

impl Client {
    /// Raises the schema floor of the cluster or of one purpose; with `dry_run`, only tells who would be refused.
    ///
    /// # Errors
    /// A refusal, or no answer in time; see [`Error::outcome`]. A lower floor is refused with `WIDENS_ALLOW`: see
    /// [`Client::propose_change`].
    pub async fn set_schema_floor(
        &self,
        mut request: SetSchemaFloorRequest,
    ) -> Result<SetSchemaFloorResponse, Error> {
        let effect = if request.dry_run {
            Effect::Reads
        } else {
            self.name(&mut request.request_id);
            Effect::Changes
        };
        self.send(effect, request, |channel, request| async move {
            registry(channel).set_schema_floor(request).await
        })
        .await
    }

    /// Which services ask, with which schema version, how often, and when last.
    ///
    /// # Errors
    /// A refusal, or no answer in time.
    pub async fn services(&self) -> Result<ListServicesResponse, Error> {
        let request = ListServicesRequest {};
        self.send(Effect::Reads, request, |channel, request| async move {
            registry(channel).list_services(request).await
        })
        .await
    }
}

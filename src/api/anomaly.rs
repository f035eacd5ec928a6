//! What is out of the ordinary: listed, and what counts as that.

use super::{
    Api, Call, convert, convert::answers, input::Input, preference::page_size, status::Failure,
};
use crate::{
    admission::admit,
    authority::{GetAnomalySettings, ListAnomalies},
    domain::{AnomalyKind, AnomalySettings, Body, ConfigureAnomalies, Namespace},
    proto::v1::{
        self, ConfigureAnomaliesRequest, ConfigureAnomaliesResponse, GetAnomalySettingsRequest,
        GetAnomalySettingsResponse, ListAnomaliesRequest, ListAnomaliesResponse,
    },
    receipt,
};

impl Api {
    /// Lists the events of anomalies.
    pub(super) async fn list_anomalies(
        &self,
        call: Call,
        request: ListAnomaliesRequest,
    ) -> Result<ListAnomaliesResponse, Failure> {
        let namespace = match &*request.namespace {
            "" => None,
            name => Some(Namespace::parse(name)?),
        };
        let since = request.since.as_ref().map(convert::time).transpose()?;
        let list = ListAnomalies {
            namespace,
            kind: kind(request.kind)?,
            since: since.unwrap_or_default(),
            before: request.before_revision,
            limit: page_size(request.limit)?,
        };
        let admitted = admit(&call.caller, list)?;
        let deadline = call.deadline.step();
        let (revisions, more) = self.authority().read(admitted, deadline).await?;
        let next_before_revision = match revisions.last() {
            Some(oldest) if more => *oldest,
            _ => 0,
        };
        let events = self.parts().feed.events(revisions).await?;
        Ok(ListAnomaliesResponse {
            events: events.into_iter().map(answers::event).collect(),
            next_before_revision,
        })
    }

    /// Tells what counts as out of the ordinary.
    pub(super) async fn get_anomaly_settings(
        &self,
        call: Call,
        _: GetAnomalySettingsRequest,
    ) -> Result<GetAnomalySettingsResponse, Failure> {
        let admitted = admit(&call.caller, GetAnomalySettings)?;
        let deadline = call.deadline.step();
        let (settings, revision) = self.authority().read(admitted, deadline).await?;
        Ok(GetAnomalySettingsResponse {
            settings: Some(receipt::contract::anomaly_settings(settings)),
            revision,
        })
    }

    /// Sets what counts as out of the ordinary.
    pub(super) async fn configure_anomalies(
        &self,
        call: Call,
        request: ConfigureAnomaliesRequest,
    ) -> Result<ConfigureAnomaliesResponse, Failure> {
        let configure = ConfigureAnomalies {
            settings: settings(request.settings.ok_or(Input::SettingsRequired)?),
            request_id: self.request_id(&request.request_id)?,
        };
        let request_id = configure.request_id;
        let done = self
            .register(&call, request_id, Body::ConfigureAnomalies(configure))
            .await?;
        Ok(done.into())
    }
}

fn kind(number: i32) -> Result<Option<AnomalyKind>, Input> {
    let mut kinds = AnomalyKind::ALL.into_iter();
    match kinds.find(|kind| i32::from(receipt::contract::anomaly_kind(*kind)) == number) {
        Some(kind) => Ok(Some(kind)),
        None if number == 0 => Ok(None),
        None => Err(Input::AnomalyKindUnknown),
    }
}

fn settings(asked: v1::AnomalySettings) -> AnomalySettings {
    AnomalySettings {
        subject_window_s: asked.subject_window_s,
        subject_changes: asked.subject_changes,
        subject_turns: asked.subject_turns,
        caller_window_s: asked.caller_window_s,
        caller_changes: asked.caller_changes,
        repeat_window_s: asked.repeat_window_s,
        repeats: asked.repeats,
        import_factor: asked.import_factor,
        import_rows: asked.import_rows,
    }
}

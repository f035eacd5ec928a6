//! `PreferenceService`: setting and reading preferences.

use tonic::{Request, Response, Status, Streaming};

use super::{
    Api, Call,
    convert::{self, answers},
    input::Input,
    status::Failure,
};
use crate::{
    admission::admit,
    authority::{GetPreferences, Heads, ImportProgress},
    domain::{
        Body, Change, EventId, Millis, Outcome, Refusal, RequestId, Revision, SealedEvidence,
        SetPreference,
    },
    feed::Head,
    limits,
    proto::v1::{
        self, GetImportRequest, GetImportResponse, GetPreferencesRequest, GetPreferencesResponse,
        Identifier, ImportOptOutsRequest, ImportOptOutsResponse, ListEventsRequest,
        ListEventsResponse, SetOptInRequest, SetOptInResponse, SetOptOutRequest, SetOptOutResponse,
        preference_service_server::PreferenceService,
    },
};

/// The service.
pub(super) struct Preferences(pub(super) Api);

#[tonic::async_trait]
impl PreferenceService for Preferences {
    async fn set_opt_out(
        &self,
        request: Request<SetOptOutRequest>,
    ) -> Result<Response<SetOptOutResponse>, Status> {
        self.0.unary(request, Api::set_opt_out).await
    }

    async fn set_opt_in(
        &self,
        request: Request<SetOptInRequest>,
    ) -> Result<Response<SetOptInResponse>, Status> {
        self.0.unary(request, Api::set_opt_in).await
    }

    async fn import_opt_outs(
        &self,
        request: Request<Streaming<ImportOptOutsRequest>>,
    ) -> Result<Response<ImportOptOutsResponse>, Status> {
        let Self(api) = self;
        let (call, messages) = api.open(request)?;
        let report = super::import::take_in(api, &call, messages).await?;
        Ok(Response::new(report))
    }

    async fn get_import(
        &self,
        request: Request<GetImportRequest>,
    ) -> Result<Response<GetImportResponse>, Status> {
        self.0.unary(request, Api::get_import).await
    }

    async fn get_preferences(
        &self,
        request: Request<GetPreferencesRequest>,
    ) -> Result<Response<GetPreferencesResponse>, Status> {
        self.0.unary(request, Api::get_preferences).await
    }

    async fn list_events(
        &self,
        request: Request<ListEventsRequest>,
    ) -> Result<Response<ListEventsResponse>, Status> {
        self.0.unary(request, Api::list_events).await
    }

    async fn set_preferences(
        &self,
        _: Request<v1::SetPreferencesRequest>,
    ) -> Result<Response<v1::SetPreferencesResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }

    async fn report_signal(
        &self,
        _: Request<v1::ReportSignalRequest>,
    ) -> Result<Response<v1::ReportSignalResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }

    async fn get_tokens(
        &self,
        _: Request<v1::GetTokensRequest>,
    ) -> Result<Response<v1::GetTokensResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }

    async fn create_link(
        &self,
        _: Request<v1::CreateLinkRequest>,
    ) -> Result<Response<v1::CreateLinkResponse>, Status> {
        Err(Status::unimplemented("not yet"))
    }
}

/// What an opt-out and an opt-in have in common, as it came in.
struct Wish {
    request_id: String,
    namespace: String,
    identifiers: Vec<Identifier>,
    purposes: Vec<String>,
    signal: i32,
    schema_version: u32,
    min_revision: Revision,
    change: Change,
    evidence: Option<SealedEvidence>,
}

impl Api {
    /// Opts a subject out.
    pub(super) async fn set_opt_out(
        &self,
        call: Call,
        request: SetOptOutRequest,
    ) -> Result<SetOptOutResponse, Failure> {
        let set = self.set(Wish {
            request_id: request.request_id,
            namespace: request.namespace,
            identifiers: request.identifiers,
            purposes: request.purposes,
            signal: request.signal,
            schema_version: request.schema_version,
            min_revision: request.min_revision,
            change: Change::OptOut,
            evidence: None,
        })?;
        let request_id = set.request_id;
        let admitted = admit(&call.caller, Body::SetPreference(set))?;
        let outcome = self
            .authority()
            .write(admitted, call.deadline.step())
            .await?;
        let done = Done::of(&outcome)?;
        Ok(SetOptOutResponse {
            event_id: done.event_id.to_string(),
            revision: done.revision,
            changed: done.changed,
            received_at: Some(answers::timestamp(done.received_at)),
            request_id: request_id.to_string(),
        })
    }

    /// Opts a subject in.
    pub(super) async fn set_opt_in(
        &self,
        call: Call,
        request: SetOptInRequest,
    ) -> Result<SetOptInResponse, Failure> {
        let evidence = self.seal(request.evidence)?;
        let set = self.set(Wish {
            request_id: request.request_id,
            namespace: request.namespace,
            identifiers: request.identifiers,
            purposes: request.purposes,
            signal: request.signal,
            schema_version: request.schema_version,
            min_revision: request.min_revision,
            change: Change::OptIn,
            evidence: Some(evidence),
        })?;
        let request_id = set.request_id;
        let admitted = admit(&call.caller, Body::SetPreference(set))?;
        let outcome = self
            .authority()
            .write(admitted, call.deadline.step())
            .await?;
        let done = Done::of(&outcome)?;
        Ok(SetOptInResponse {
            event_id: done.event_id.to_string(),
            revision: done.revision,
            changed: done.changed,
            received_at: Some(answers::timestamp(done.received_at)),
            request_id: request_id.to_string(),
        })
    }

    /// Tells how far an import has come.
    pub(super) async fn get_import(
        &self,
        call: Call,
        request: GetImportRequest,
    ) -> Result<GetImportResponse, Failure> {
        let query = ImportProgress {
            import_id: RequestId::parse(&request.import_id)?,
            namespace: convert::namespace(&request.namespace)?,
        };
        let admitted = admit(&call.caller, query)?;
        let next_row = self
            .authority()
            .read(admitted, call.deadline.step())
            .await?;
        Ok(GetImportResponse { next_row })
    }

    /// Tells what a subject prefers.
    pub(super) async fn get_preferences(
        &self,
        call: Call,
        request: GetPreferencesRequest,
    ) -> Result<GetPreferencesResponse, Failure> {
        let query = GetPreferences {
            subject: self.subject(&request.namespace, request.identifiers)?,
            schema_version: request.schema_version,
            min_revision: request.min_revision,
        };
        let admitted = admit(&call.caller, query)?;
        let found = self
            .authority()
            .read(admitted, call.deadline.step())
            .await?;
        Ok(answers::preferences(found))
    }

    /// Tells how a subject's preferences came about.
    pub(super) async fn list_events(
        &self,
        call: Call,
        request: ListEventsRequest,
    ) -> Result<ListEventsResponse, Failure> {
        let limit = page_size(request.page_size)?;
        let query = Heads {
            subject: self.subject(&request.namespace, request.identifiers)?,
            min_revision: request.min_revision,
        };
        let admitted = admit(&call.caller, query)?;
        let deadline = call.deadline.step();
        let (heads, revision) = self.authority().read(admitted, deadline).await?;
        let heads = heads
            .into_iter()
            .map(|(token, revision)| Head { token, revision })
            .collect();
        let page = self
            .parts()
            .feed
            .history(heads, request.before_revision, limit, deadline)
            .await?;
        Ok(ListEventsResponse {
            events: page.events.into_iter().map(answers::event).collect(),
            next_before_revision: page.next_before,
            revision,
        })
    }

    fn set(&self, wish: Wish) -> Result<SetPreference, Refusal> {
        let subject = self.subject(&wish.namespace, wish.identifiers)?;
        Ok(SetPreference {
            request_id: self.request_id(&wish.request_id)?,
            namespace: subject.namespace,
            tokens: subject.tokens,
            purposes: convert::purposes(&wish.purposes)?,
            change: wish.change,
            signal: convert::signal(wish.signal)?,
            schema_version: wish.schema_version,
            min_revision: wish.min_revision,
            evidence: wish.evidence,
        })
    }
}

/// What became of a preference.
struct Done {
    event_id: EventId,
    revision: Revision,
    changed: bool,
    received_at: Millis,
}

impl Done {
    fn of(outcome: &Outcome) -> Result<Self, Failure> {
        match *outcome {
            Outcome::Preference {
                event_id,
                revision,
                changed,
                received_at,
            } => Ok(Self {
                event_id,
                revision,
                changed,
                received_at,
            }),
            Outcome::Import { .. } | Outcome::Registry { .. } | Outcome::Done { .. } => {
                Err(Failure::Panicked)
            }
        }
    }
}

fn page_size(asked: u32) -> Result<usize, Input> {
    match usize::try_from(asked) {
        Ok(0) => Ok(limits::EVENTS_PAGE_DEFAULT),
        Ok(size) if size <= limits::EVENTS_PAGE => Ok(size),
        _ => Err(Input::PageSizeInvalid),
    }
}

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
    authority::{GetPreferences, Heads, ImportProgress, KnownSubject},
    domain::{RequestId, ServiceName},
    feed::Head,
    limits,
    proto::v1::{
        self, GetImportRequest, GetImportResponse, GetPreferencesRequest, GetPreferencesResponse,
        GetTokensRequest, GetTokensResponse, ImportOptOutsRequest, ImportOptOutsResponse,
        ListEventsRequest, ListEventsResponse, ReportSignalRequest, ReportSignalResponse,
        SetOptInRequest, SetOptInResponse, SetOptOutRequest, SetOptOutResponse,
        SetPreferencesRequest, SetPreferencesResponse,
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
        request: Request<SetPreferencesRequest>,
    ) -> Result<Response<SetPreferencesResponse>, Status> {
        self.0.unary(request, Api::set_preferences).await
    }

    async fn report_signal(
        &self,
        request: Request<ReportSignalRequest>,
    ) -> Result<Response<ReportSignalResponse>, Status> {
        self.0.unary(request, Api::report_signal).await
    }

    async fn erase_evidence(
        &self,
        request: Request<v1::EraseEvidenceRequest>,
    ) -> Result<Response<v1::EraseEvidenceResponse>, Status> {
        self.0.unary(request, Api::erase_evidence).await
    }

    async fn get_tokens(
        &self,
        request: Request<GetTokensRequest>,
    ) -> Result<Response<GetTokensResponse>, Status> {
        self.0.unary(request, Api::get_tokens).await
    }

    async fn create_link(
        &self,
        request: Request<v1::CreateLinkRequest>,
    ) -> Result<Response<v1::CreateLinkResponse>, Status> {
        self.0.unary(request, Api::create_link).await
    }
}

impl Api {
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
            service: ServiceName::parse(&request.service)?,
            schema_version: request.schema_version,
            min_revision: request.min_revision,
        };
        let service = query.service.clone();
        let admitted = admit(&call.caller, query)?;
        let found = self
            .authority()
            .read(admitted, call.deadline.step())
            .await
            .inspect_err(|failed| self.count_read(&service, request.schema_version, failed))?;
        self.authority()
            .usage()
            .call(&service, request.schema_version, false);
        Ok(answers::preferences(found))
    }

    /// Tells how a subject's preferences came about.
    pub(super) async fn list_events(
        &self,
        call: Call,
        request: ListEventsRequest,
    ) -> Result<ListEventsResponse, Failure> {
        let limit = page_size(request.page_size)?;
        let service = ServiceName::parse(&request.service)?;
        let query = Heads {
            subject: self.subject(&request.namespace, request.identifiers)?,
            schema_version: request.schema_version,
            min_revision: request.min_revision,
        };
        let admitted = admit(&call.caller, query)?;
        let deadline = call.deadline.step();
        let (heads, revision) = self
            .authority()
            .read(admitted, deadline)
            .await
            .inspect_err(|failed| self.count_read(&service, request.schema_version, failed))?;
        self.authority()
            .usage()
            .call(&service, request.schema_version, false);
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

    /// Tells what is stored of identifiers.
    pub(super) async fn get_tokens(
        &self,
        call: Call,
        request: GetTokensRequest,
    ) -> Result<GetTokensResponse, Failure> {
        let subject = self.subject(&request.namespace, request.identifiers)?;
        let admitted = admit(&call.caller, KnownSubject { subject })?;
        let subject = self
            .authority()
            .read(admitted, call.deadline.step())
            .await?;
        Ok(GetTokensResponse {
            tokens: subject.tokens.iter().map(answers::identifier).collect(),
        })
    }
}

pub(super) fn page_size(asked: u32) -> Result<usize, Input> {
    match usize::try_from(asked) {
        Ok(0) => Ok(limits::EVENTS_PAGE_DEFAULT),
        Ok(size) if size <= limits::EVENTS_PAGE => Ok(size),
        _ => Err(Input::PageSizeInvalid),
    }
}

//! `AuditService`: the events that an auditor takes along.

use futures::{Stream, StreamExt as _, TryStreamExt as _, stream::BoxStream};
use tonic::{Request, Response, Status};

use super::{
    Api, Call,
    convert::{self, answers},
    input::Input,
    monitor::named,
    status::Failure,
};
use crate::{
    admission::admit,
    authority::ExportEvents,
    domain::{Namespace, Refusal},
    feed::Selection,
    proto::v1::{ExportRequest, ExportResponse, audit_service_server::AuditService},
};

/// The service.
pub(super) struct Audits(pub(super) Api);

#[tonic::async_trait]
impl AuditService for Audits {
    type ExportStream = BoxStream<'static, Result<ExportResponse, Status>>;

    async fn export(
        &self,
        request: Request<ExportRequest>,
    ) -> Result<Response<Self::ExportStream>, Status> {
        let Self(api) = self;
        let (call, request) = api.open(request)?;
        let pieces = api.export(call, request).await?;
        Ok(Response::new(pieces.err_into().boxed()))
    }
}

impl Api {
    /// Exports events.
    async fn export(
        &self,
        call: Call,
        request: ExportRequest,
    ) -> Result<impl Stream<Item = Result<ExportResponse, Failure>> + Send + use<>, Failure> {
        let namespace = match (&*request.namespace, request.identifiers.is_empty()) {
            ("", true) => None,
            ("", false) => Some(Namespace::default_namespace()),
            (name, _) => Some(Namespace::parse(name)?),
        };
        let tokens = match &namespace {
            Some(namespace) if !request.identifiers.is_empty() => {
                let subject = self.tokens(namespace, request.identifiers)?;
                subject.into_iter().map(|it| it.token).collect()
            }
            _ => Vec::new(),
        };
        let since = request.since.as_ref().map(convert::time).transpose()?;
        let until = request.until.as_ref().map(convert::time).transpose()?;
        if until.is_some_and(|until| until <= since.unwrap_or_default()) {
            return Err(Input::SpanEmpty.into());
        }
        let selection = Selection {
            namespace: namespace.clone(),
            tokens,
            service: named(&request.service)?,
            since: since.unwrap_or_default(),
            until,
        };
        let asked = ExportEvents {
            namespace,
            from: request.from_revision,
        };
        let admitted = admit(&call.caller, asked)?;
        // As for a watch: only its beginning has a deadline.
        let deadline = call.deadline.one_of_many();
        let newest = self.authority().read(admitted, deadline).await?;
        let feed = &self.parts().feed;
        let (asked, earliest) = (request.from_revision.max(1), feed.earliest());
        if asked < earliest {
            return Err(Refusal::RevisionCompacted { asked, earliest }.into());
        }
        let pieces = feed.export(asked, newest, selection);
        Ok(pieces.map(|piece| {
            let piece = piece?;
            Ok(ExportResponse {
                events: piece.events.into_iter().map(answers::event).collect(),
                next_revision: piece.next,
                complete: piece.complete,
            })
        }))
    }
}

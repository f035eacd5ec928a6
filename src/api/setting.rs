//! Setting preferences: opt-outs, opt-ins, both at once, and signals.

use super::{
    Api, Call,
    convert::{self, answers},
    journal::Whose,
    status::Failure,
};
use crate::{
    admission::admit,
    domain::{
        Body, EventId, Millis, Outcome, PurposeName, ReportSignal, RequestId, Revision,
        SealedEvidence, ServiceName, SetPreference,
    },
    proto::v1::{
        Identifier, Receipt, ReportSignalRequest, ReportSignalResponse, SetOptInRequest,
        SetOptInResponse, SetOptOutRequest, SetOptOutResponse, SetPreferencesRequest,
        SetPreferencesResponse,
    },
};

/// What the calls that set preferences have in common, as it came in.
struct Wish {
    request_id: String,
    namespace: String,
    identifiers: Vec<Identifier>,
    opt_out: Vec<String>,
    opt_in: Vec<String>,
    signal: i32,
    schema_version: u32,
    min_revision: Revision,
    if_last_revision: Option<Revision>,
    evidence: Option<SealedEvidence>,
    service: String,
    receipt: bool,
}

/// What became of a wish.
struct Done {
    request_id: RequestId,
    event_id: EventId,
    revision: Revision,
    changed: bool,
    received_at: Millis,
    receipt: Option<Receipt>,
    receipt_missing: String,
}

/// The answers of the calls that set preferences, each in the same words.
macro_rules! told_of {
    ($($answer:ident),+ $(,)?) => {
        $(impl From<Done> for $answer {
            fn from(done: Done) -> Self {
                Self {
                    event_id: done.event_id.to_string(),
                    revision: done.revision,
                    changed: done.changed,
                    received_at: Some(answers::timestamp(done.received_at)),
                    request_id: done.request_id.to_string(),
                    receipt: done.receipt,
                    receipt_missing: done.receipt_missing,
                }
            }
        })+
    };
}

told_of!(SetOptOutResponse, SetOptInResponse, SetPreferencesResponse);

impl Api {
    /// Opts a subject out.
    pub(super) async fn set_opt_out(
        &self,
        call: Call,
        request: SetOptOutRequest,
    ) -> Result<SetOptOutResponse, Failure> {
        let wish = Wish {
            request_id: request.request_id,
            namespace: request.namespace,
            identifiers: request.identifiers,
            opt_out: request.purposes,
            opt_in: Vec::new(),
            signal: request.signal,
            schema_version: request.schema_version,
            min_revision: request.min_revision,
            if_last_revision: request.if_last_revision,
            evidence: None,
            service: request.service,
            receipt: request.receipt,
        };
        let done = self.set(call, wish).await?;
        Ok(done.into())
    }

    /// Opts a subject in.
    pub(super) async fn set_opt_in(
        &self,
        call: Call,
        request: SetOptInRequest,
    ) -> Result<SetOptInResponse, Failure> {
        let evidence = self.seal(request.evidence)?;
        let wish = Wish {
            request_id: request.request_id,
            namespace: request.namespace,
            identifiers: request.identifiers,
            opt_out: Vec::new(),
            opt_in: request.purposes,
            signal: request.signal,
            schema_version: request.schema_version,
            min_revision: request.min_revision,
            if_last_revision: request.if_last_revision,
            evidence: Some(evidence),
            service: request.service,
            receipt: request.receipt,
        };
        let done = self.set(call, wish).await?;
        Ok(done.into())
    }

    /// Opts a subject out of some purposes and in to others: all of it, or nothing.
    pub(super) async fn set_preferences(
        &self,
        call: Call,
        request: SetPreferencesRequest,
    ) -> Result<SetPreferencesResponse, Failure> {
        let evidence = match request.evidence {
            // Without an opt-in, evidence is refused by the rules, and without it an opt-in is.
            None => None,
            evidence => Some(self.seal(evidence)?),
        };
        let wish = Wish {
            request_id: request.request_id,
            namespace: request.namespace,
            identifiers: request.identifiers,
            opt_out: request.opt_out,
            opt_in: request.opt_in,
            signal: request.signal,
            schema_version: request.schema_version,
            min_revision: request.min_revision,
            if_last_revision: request.if_last_revision,
            evidence,
            service: request.service,
            receipt: request.receipt,
        };
        let done = self.set(call, wish).await?;
        Ok(done.into())
    }

    async fn set(&self, call: Call, wish: Wish) -> Result<Done, Failure> {
        let subject = self.subject(&wish.namespace, wish.identifiers)?;
        let service = ServiceName::parse(&wish.service)?;
        let purposes = convert::purposes(&[wish.opt_out.as_slice(), &wish.opt_in].concat())?;
        let (opt_out, opt_in) = purposes.split_at(wish.opt_out.len());
        let set = SetPreference {
            request_id: self.request_id(&wish.request_id)?,
            namespace: subject.namespace,
            tokens: subject.tokens,
            opt_out: opt_out.to_vec(),
            opt_in: opt_in.to_vec(),
            signal: convert::signal(wish.signal)?,
            schema_version: wish.schema_version,
            min_revision: wish.min_revision,
            if_last_revision: wish.if_last_revision,
            evidence: wish.evidence,
            service: service.clone(),
        };
        let (request_id, namespace) = (set.request_id, set.namespace.clone());
        let admitted = admit(&call.caller, Body::SetPreference(set))?;
        let deadline = call.deadline.step();
        let written = self.authority().write(admitted, deadline).await;
        self.count_change(&service, wish.schema_version, &purposes, &written);
        let Outcome::Preference {
            event_id,
            revision,
            changed,
            received_at,
        } = written?
        else {
            return Err(Failure::Panicked);
        };
        // From here on the change is made, and nothing may keep its answer from the caller.
        let (receipt, receipt_missing) = if wish.receipt {
            let whose = if changed {
                Whose::Own
            } else {
                Whose::Standing(&call.caller, namespace)
            };
            self.receipt_of(revision, whose, deadline).await
        } else {
            (None, String::new())
        };
        Ok(Done {
            request_id,
            event_id,
            revision,
            changed,
            received_at,
            receipt,
            receipt_missing,
        })
    }

    /// Takes a signal that a browser sent for its user.
    pub(super) async fn report_signal(
        &self,
        call: Call,
        request: ReportSignalRequest,
    ) -> Result<ReportSignalResponse, Failure> {
        let subject = self.subject(&request.namespace, request.identifiers)?;
        let service = ServiceName::parse(&request.service)?;
        let report = ReportSignal {
            request_id: self.request_id(&request.request_id)?,
            namespace: subject.namespace,
            tokens: subject.tokens,
            signal: convert::signal(request.signal)?,
            schema_version: request.schema_version,
            service: service.clone(),
        };
        let request_id = report.request_id;
        let admitted = admit(&call.caller, Body::ReportSignal(report))?;
        let written = self.authority().write(admitted, call.deadline.step()).await;
        let signalled: &[PurposeName] = match &written {
            Ok(Outcome::Signal { purposes, .. }) => purposes,
            _ => &[],
        };
        self.count_change(&service, request.schema_version, signalled, &written);
        match written? {
            Outcome::Signal {
                event_id,
                revision,
                changed,
                received_at,
                purposes,
            } => Ok(ReportSignalResponse {
                event_id: event_id.to_string(),
                revision,
                changed,
                received_at: Some(answers::timestamp(received_at)),
                request_id: request_id.to_string(),
                purposes: purposes.iter().map(PurposeName::to_string).collect(),
            }),
            _ => Err(Failure::Panicked),
        }
    }
}

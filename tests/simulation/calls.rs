//! The calls that simulated clients make, and what their answers prove.

use std::collections::BTreeMap;
use std::time::Duration;

use refrain::proto::v1::{
    self as proto, BatchCheckRequest, CheckRequest, Decision, Evidence, GetPreferencesRequest,
    Identifier, SetOptInRequest, SetOptOutRequest, batch_check_item,
    decision_service_client::DecisionServiceClient, identifier::Form,
    preference_service_client::PreferenceServiceClient,
};
use tonic::{Request, Status, transport::Channel};
use tonic_types::StatusExt as _;

use crate::invariants::history::{Change, Entry, Key, Outcome};

/// The namespace of every simulation.
pub const NAMESPACE: &str = "default";

/// A subject's identifiers: histories name it by `s` and a number.
pub fn identifiers(subjects: &[String]) -> Vec<Identifier> {
    let one = |subject: &String| Identifier {
        r#type: "email".to_owned(),
        form: Some(Form::Value(format!("{subject}@example.com"))),
    };
    subjects.iter().map(one).collect()
}

fn timed<T>(message: T, deadline: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(deadline);
    request
}

/// What an error proves: only the product's own word that nothing was done counts.
pub fn failed(status: &Status) -> Outcome {
    let details = status.get_error_details();
    let outcome = details
        .error_info()
        .and_then(|info| info.metadata.get("outcome"));
    match outcome.map(String::as_str) {
        Some("not_applied") => Outcome::Failed,
        _ => Outcome::Unknown,
    }
}

/// Whether the node itself said this: a caller that gave up, and a connection that broke, have no reason of its.
pub fn answered(status: &Status) -> bool {
    status.get_error_details().error_info().is_some()
}

/// The stable reason of an error, where it has one.
pub fn reason(status: &Status) -> String {
    let details = status.get_error_details();
    let reason = details.error_info().map(|info| info.reason.clone());
    reason.unwrap_or_else(|| format!("{:?}", status.code()))
}

/// Opts a subject out or in.
pub async fn set(
    channel: Channel,
    deadline: Duration,
    request_id: &str,
    change: Change,
    subject: &str,
    purposes: &[String],
) -> Result<Outcome, Status> {
    let mut client = PreferenceServiceClient::new(channel);
    let identifiers = identifiers(&[subject.to_owned()]);
    let (revision, event_id, changed) = match change {
        Change::OptOut => {
            let request = SetOptOutRequest {
                request_id: request_id.to_owned(),
                identifiers,
                purposes: purposes.to_vec(),
                ..SetOptOutRequest::default()
            };
            let answer = client.set_opt_out(timed(request, deadline)).await?;
            let answer = answer.into_inner();
            (answer.revision, answer.event_id, answer.changed)
        }
        Change::OptIn => {
            let request = SetOptInRequest {
                request_id: request_id.to_owned(),
                identifiers,
                purposes: purposes.to_vec(),
                evidence: Some(Evidence {
                    statement: format!("{subject} said yes"),
                    ..Evidence::default()
                }),
                ..SetOptInRequest::default()
            };
            let answer = client.set_opt_in(timed(request, deadline)).await?;
            let answer = answer.into_inner();
            (answer.revision, answer.event_id, answer.changed)
        }
    };
    Ok(Outcome::Done {
        revision,
        event_id,
        changed,
    })
}

fn check_request(subjects: &[String], purpose: &str) -> CheckRequest {
    CheckRequest {
        identifiers: identifiers(subjects),
        purpose: purpose.to_owned(),
        ..CheckRequest::default()
    }
}

fn decided(answer: &proto::CheckResponse) -> Outcome {
    Outcome::Decided {
        allow: answer.decision() == Decision::Allow,
        revision: answer.revision,
    }
}

/// May I?
pub async fn check(
    channel: Channel,
    deadline: Duration,
    subjects: &[String],
    purpose: &str,
) -> Result<Outcome, Status> {
    let request = timed(check_request(subjects, purpose), deadline);
    let answer = DecisionServiceClient::new(channel).check(request).await?;
    Ok(decided(answer.get_ref()))
}

/// Many at once; each gets an outcome of its own.
pub async fn batch_check(
    channel: Channel,
    deadline: Duration,
    questions: &[(Vec<String>, String)],
) -> Result<Vec<Outcome>, Status> {
    let items = questions
        .iter()
        .map(|(subjects, purpose)| check_request(subjects, purpose));
    let request = BatchCheckRequest {
        items: items.collect(),
    };
    let answer = DecisionServiceClient::new(channel)
        .batch_check(timed(request, deadline))
        .await?;
    let results = answer.into_inner().results.into_iter();
    let outcomes = results.map(|item| match item.result {
        Some(batch_check_item::Result::Ok(answer)) => decided(&answer),
        Some(batch_check_item::Result::Error(_)) | None => Outcome::Unknown,
    });
    Ok(outcomes.collect())
}

/// All that stands for a subject.
pub async fn preferences(
    channel: Channel,
    deadline: Duration,
    subject: &str,
) -> Result<Outcome, Status> {
    let request = GetPreferencesRequest {
        identifiers: identifiers(&[subject.to_owned()]),
        ..GetPreferencesRequest::default()
    };
    let answer = PreferenceServiceClient::new(channel)
        .get_preferences(timed(request, deadline))
        .await?
        .into_inner();
    let records = answer.preferences.iter().map(|it| {
        let change = match it.change() {
            proto::Change::OptIn => Change::OptIn,
            proto::Change::OptOut | proto::Change::Unspecified => Change::OptOut,
        };
        (
            Key::new(NAMESPACE, subject, &it.purpose),
            (change, it.revision),
        )
    });
    Ok(Outcome::Stands {
        records: records.collect(),
        revision: answer.revision,
    })
}

/// An event of the feed as histories have it; tokens become the subjects that they stand for.
pub fn entry(event: &proto::Event, subjects: &BTreeMap<String, String>) -> Entry {
    let change = match event.kind() {
        proto::EventKind::OptOut => Some(Change::OptOut),
        proto::EventKind::OptIn => Some(Change::OptIn),
        _ => None,
    };
    let mut changes = BTreeMap::new();
    for token in &event.tokens {
        // A token that no subject has stays what it is: nobody asked for it, and the judge says so.
        let subject = subjects.get(&token.token).unwrap_or(&token.token);
        for purpose in &event.purposes {
            if let Some(change) = change {
                changes.insert(Key::new(&event.namespace, subject, purpose), change);
            }
        }
    }
    Entry {
        revision: event.revision,
        event_id: event.id.clone(),
        namespace: (!event.namespace.is_empty()).then(|| event.namespace.clone()),
        purposes: event.purposes.clone(),
        changes,
        request_id: None,
    }
}

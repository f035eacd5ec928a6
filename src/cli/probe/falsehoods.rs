//! What must never be taken: forged stamps, schemas and purposes that are not there, opt-ins without evidence, broken bodies.

use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::{Request, header};
use refrain::{
    client::{Denied, Error},
    domain::Namespace,
    proto::v1::{CheckRequest, SetOptInRequest, Signal, VerifyStampRequest},
};

use super::{
    super::http::{self, Server},
    nodes::{Node, question, subject},
    record::Step,
};

/// Bytes of an answer to a broken body.
const ANSWER_BYTES: usize = 64 << 10;

/// Tells a node everything that it must not take.
pub async fn are_refused(step: &mut Step, node: &Node, purpose: &str, patience: Duration) {
    let client = &node.client;
    let forged = forged(node, purpose).await;
    let verify = VerifyStampRequest {
        namespace: Namespace::probe().to_string(),
        stamp: forged,
        purpose: purpose.to_owned(),
        ..VerifyStampRequest::default()
    };
    let begun = Instant::now();
    let told = client.verify_stamp(verify).await;
    judge(
        step,
        node,
        "a forged stamp",
        begun,
        denied(told),
        "STAMP_INVALID",
    );

    let newer = CheckRequest {
        schema_version: u32::MAX,
        ..question(purpose)
    };
    let begun = Instant::now();
    let told = denied(client.check(newer).await);
    judge(
        step,
        node,
        "a schema that is not there",
        begun,
        told,
        "SCHEMA_UNKNOWN",
    );

    let begun = Instant::now();
    let told = denied(client.check(question("refrain.probe.nothing")).await);
    judge(
        step,
        node,
        "an unknown purpose",
        begun,
        told,
        "PURPOSE_UNKNOWN",
    );

    let nobody = CheckRequest {
        identifiers: Vec::new(),
        ..question(purpose)
    };
    let begun = Instant::now();
    let told = denied(client.check(nobody).await);
    judge(
        step,
        node,
        "a question about nobody",
        begun,
        told,
        "IDENTIFIERS_REQUIRED",
    );

    let unproven = SetOptInRequest {
        namespace: Namespace::probe().to_string(),
        identifiers: subject(),
        purposes: vec![purpose.to_owned()],
        signal: Signal::Probe.into(),
        ..SetOptInRequest::default()
    };
    let begun = Instant::now();
    let told = client.opt_in(unproven).await.map(drop);
    judge(
        step,
        node,
        "an opt-in without evidence",
        begun,
        told,
        "EVIDENCE_REQUIRED",
    );

    broken(step, node, patience).await;
}

/// A stamp that the node itself made, with one character changed; where it makes none now, one that nobody made.
async fn forged(node: &Node, purpose: &str) -> String {
    let wanted = CheckRequest {
        want_stamp: true,
        ..question(purpose)
    };
    let stamp = match node.client.check(wanted).await {
        Ok(allowed) => allowed.answer().stamp.clone(),
        Err(denied) => denied
            .answer()
            .map(|it| it.stamp.clone())
            .unwrap_or_default(),
    };
    let Some((signed, signature)) = stamp.rsplit_once('.') else {
        return "e30.e30.e30".to_owned();
    };
    let other = if signature.starts_with('A') { "B" } else { "A" };
    let rest = signature.get(1..).unwrap_or_default();
    format!("{signed}.{other}{rest}")
}

fn denied<T>(answer: Result<T, Denied>) -> Result<(), Error> {
    match answer {
        Ok(_) => Ok(()),
        // A decision is an answer: it was taken.
        Err(denied) => denied.error().cloned().map_or(Ok(()), Err),
    }
}

fn judge(
    step: &mut Step,
    node: &Node,
    what: &str,
    begun: Instant,
    told: Result<(), Error>,
    wanted: &str,
) {
    step.took(begun.elapsed());
    match told {
        Err(error) if error.reason() == wanted => {}
        Err(error) => step.fault(format!(
            "{} refused {what} with {} instead of {wanted}: {error}",
            node.address,
            error.reason()
        )),
        Ok(()) => step.fault(format!("{} took {what}", node.address)),
    }
}

/// A body that is no JSON.
async fn broken(step: &mut Step, node: &Node, patience: Duration) {
    let begun = Instant::now();
    let answer = async {
        let Server { host, prefix } = Server::at(&node.address).map_err(ToOwned::to_owned)?;
        let path = format!("{prefix}/v1/{}/check", Namespace::probe());
        let request = Request::post(path)
            .header(header::HOST, &host)
            .header(header::CONTENT_TYPE, "application/json");
        let request = match &node.bearer {
            Some(token) => {
                request.header(header::AUTHORIZATION, format!("Bearer {}", token.as_str()))
            }
            None => request,
        };
        let request = request
            .body(Full::from("{\"identifiers\": ["))
            .map_err(|error| error.to_string())?;
        http::send(&host, request, ANSWER_BYTES, patience).await
    };
    let answer = answer.await;
    step.took(begun.elapsed());
    match answer {
        Ok((status, body)) if status.as_u16() == 400 && reason(&body) == "MESSAGE_INVALID" => {}
        Ok((status, body)) => step.fault(format!(
            "{} answered a broken body with {status} {}",
            node.address,
            reason(&body)
        )),
        Err(why) => step.fault(format!(
            "{} has no answer to a broken body: {why}",
            node.address
        )),
    }
}

fn reason(body: &[u8]) -> String {
    let problem: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    problem["reason"].as_str().unwrap_or_default().to_owned()
}

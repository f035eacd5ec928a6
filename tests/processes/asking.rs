//! Calls of real nodes, as a service makes them.

use std::time::Duration;

use refrain::proto::v1::{
    BatchCheckRequest, CheckRequest, Decision, Identifier, SetOptOutRequest, batch_check_item,
    decision_service_client::DecisionServiceClient, identifier::Form,
    preference_service_client::PreferenceServiceClient,
};
use tonic::transport::{Channel, Endpoint};

use super::{Node, eventually};

/// A lazily opened connection.
pub fn channel(address: &str) -> Option<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).ok()?;
    Some(
        endpoint
            .tcp_nodelay(true)
            .connect_timeout(Duration::from_secs(1))
            .connect_lazy(),
    )
}

/// An e-mail address as an identifier.
pub fn email(address: &str) -> Identifier {
    Identifier {
        r#type: "email".to_owned(),
        form: Some(Form::Value(address.to_owned())),
    }
}

/// An opt-out of `analytics`, with a request id of its own.
pub fn opt_out(address: &str) -> SetOptOutRequest {
    SetOptOutRequest {
        request_id: uuid::Uuid::now_v7().to_string(),
        identifiers: vec![email(address)],
        purposes: vec!["analytics".to_owned()],
        ..SetOptOutRequest::default()
    }
}

/// Asks one node about `analytics`.
pub async fn check(node: &str, address: &str) -> Result<Decision, tonic::Status> {
    let channel = channel(node).ok_or_else(|| tonic::Status::internal("address"))?;
    let request = CheckRequest {
        identifiers: vec![email(address)],
        purpose: "analytics".to_owned(),
        ..CheckRequest::default()
    };
    Ok(DecisionServiceClient::new(channel)
        .check(request)
        .await?
        .into_inner()
        .decision())
}

/// Opts out through one node, again and again with the same request id until it is acknowledged.
pub async fn opt_out_through(client: &mut PreferenceServiceClient<Channel>, address: &str) -> u64 {
    let request = opt_out(address);
    eventually("an opt-out is acknowledged", || {
        let (mut client, request) = (client.clone(), request.clone());
        async move {
            client
                .set_opt_out(request)
                .await
                .ok()
                .map(|done| done.into_inner().revision)
        }
    })
    .await
}

/// Which of `addresses` a node does not deny. Asks in batches, and again while the node is not ready.
pub async fn not_denied(node: &Node, addresses: &[String]) -> Vec<String> {
    let client = DecisionServiceClient::new(channel(&node.client).unwrap());
    let mut wrong = Vec::new();
    for chunk in addresses.chunks(1_000) {
        let items = chunk
            .iter()
            .map(|address| CheckRequest {
                identifiers: vec![email(address)],
                purpose: "analytics".to_owned(),
                ..CheckRequest::default()
            })
            .collect();
        let request = BatchCheckRequest { items };
        let answer = eventually("a batch is answered", || {
            let (mut client, request) = (client.clone(), request.clone());
            async move { client.batch_check(request).await.ok() }
        })
        .await;
        let results = answer.into_inner().results;
        assert_eq!(results.len(), chunk.len());
        for (address, item) in chunk.iter().zip(results) {
            match item.result {
                Some(batch_check_item::Result::Ok(ok)) if ok.decision() == Decision::Deny => {}
                other => wrong.push(format!("{address}: {other:?}")),
            }
        }
    }
    wrong
}

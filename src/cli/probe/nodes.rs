//! The nodes of the cluster, each asked for itself: one that fails is not stood in for by another.

use std::sync::Arc;

use refrain::{
    client::Client,
    domain::Namespace,
    proto::v1::{CheckRequest, Identifier},
};

use zeroize::Zeroizing;

use super::super::{client::ClientArgs, failure::Failure, token};

/// Who is opted out and in again: one person for all passes, so that nothing grows but the journal.
const SUBJECT: (&str, &str) = ("account", "refrain-probe");

/// One node.
#[derive(Clone)]
pub struct Node {
    /// Where it listens for clients.
    pub address: String,
    /// Asks it and no other.
    pub client: Client,
    /// As whom it is asked.
    pub bearer: Option<Arc<Zeroizing<String>>>,
}

/// The person that passes are about.
pub fn subject() -> Vec<Identifier> {
    let (kind, value) = SUBJECT;
    vec![refrain::client::identifier::value(kind, value)]
}

/// The question whether that person's data may be used.
pub fn question(purpose: &str) -> CheckRequest {
    CheckRequest {
        namespace: Namespace::probe().to_string(),
        identifiers: subject(),
        purpose: purpose.to_owned(),
        ..CheckRequest::default()
    }
}

/// The nodes: those that the flags name, where they name several; else all members, as the one tells.
pub async fn find(args: &ClientArgs) -> Result<Vec<Node>, Failure> {
    let mut addresses = args.endpoint.clone();
    if let [_] = addresses[..] {
        let status = args.client()?.cluster_status().await?;
        let members = status.members.into_iter().map(|it| it.client_address);
        addresses = members.filter(|it| !it.is_empty()).collect();
        addresses.sort_unstable();
    }
    let bearer = token::find(args.token_file.as_deref())?.map(Arc::new);
    addresses
        .into_iter()
        .map(|address| {
            let only = ClientArgs {
                endpoint: vec![address.clone()],
                namespace: Some(Namespace::probe().to_string()),
                ..args.clone()
            };
            let client = only.builder()?.service("refrain-probe").build()?;
            Ok(Node {
                address,
                client,
                bearer: bearer.clone(),
            })
        })
        .collect()
}

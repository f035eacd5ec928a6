//! The stamps of a made-up node: genuine signatures by a key that is made up.

use refrain::{
    proto::v1::{stamp_service_server::*, *},
    stamp::{KeySet, PublicKey, SigningKey},
};
use tonic::{Code, Request, Status};

use super::{
    Model,
    model::noon,
    refusal,
    services::{Api, Reply},
};

/// The made-up cluster's id.
pub const CLUSTER: [u8; 16] = [0xcc; 16];

/// The key of a made-up node.
pub fn key() -> SigningKey {
    SigningKey::new(&[7; 32])
}

#[tonic::async_trait]
impl StampService for Api {
    async fn verify(&self, request: Request<VerifyStampRequest>) -> Reply<VerifyStampResponse> {
        let asked = request.into_inner();
        self.answer(|model| verify(model, &asked)).await
    }

    async fn list_keys(&self, _: Request<ListStampKeysRequest>) -> Reply<ListStampKeysResponse> {
        self.answer(|model| {
            let keys = model.stamp_keys.iter().map(|key| StampKey {
                kid: key.kid().to_owned(),
                public_key: key.as_bytes().to_vec(),
                node_id: "0000000000000001".to_owned(),
                added_at: Some(noon()),
                accepted_until: None,
            });
            Ok(ListStampKeysResponse {
                keys: keys.collect(),
                revision: model.revision(),
                cluster_id: hex::encode(CLUSTER),
            })
        })
        .await
    }
}

fn verify(model: &mut Model, asked: &VerifyStampRequest) -> Result<VerifyStampResponse, Status> {
    model.last_caller = (String::new(), asked.service.clone(), asked.schema_version);
    let keys: Vec<PublicKey> = model.stamp_keys.clone();
    let now = u64::try_from(noon().seconds).unwrap();
    let claims = KeySet::new(&CLUSTER, keys)
        .verify(&asked.stamp, now)
        .map_err(|_| refusal(Code::InvalidArgument, "STAMP_INVALID", "not_applied"))?;
    let who = claims.tokens.iter().map(|token| Identifier {
        r#type: "email".to_owned(),
        form: Some(identifier::Form::Token(token.clone())),
    });
    let denied = model.denies(&who.collect::<Vec<_>>(), &asked.purpose)?;
    let decision = if denied {
        Decision::Deny
    } else {
        Decision::Allow
    };
    Ok(VerifyStampResponse {
        decision: model.decision.unwrap_or(decision.into()),
        reason: Reason::DefaultAllow.into(),
        revision: model.revision(),
        evaluated_at: Some(noon()),
        decision_id: "made-up".to_owned(),
        stamped_decision: Decision::Allow.into(),
        stamped_revision: claims.revision,
        ..VerifyStampResponse::default()
    })
}

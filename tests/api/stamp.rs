//! Stamps: what they say, who signs them, and that none says more than it may.

use std::time::Duration;

use refrain::{
    proto::v1::{
        BatchCheckRequest, CheckRequest, CheckResponse, CheckStreamRequest, Decision,
        ListStampKeysRequest, ListStampKeysResponse, StatusRequest, VerifyStampRequest,
        VerifyStampResponse, batch_check_item, check_stream_response,
        stamp_service_client::StampServiceClient,
    },
    stamp::{Claims, KeySet, PublicKey, SigningKey, Stamped},
    storage::{log::MemoryLog, memory::MemoryFiles, secrets::STAMPS},
};
use tonic::{Code, Status, transport::Channel};

use super::{
    http::ask,
    support::{Node, assert_refused, email, question},
};

pub const ADA: &str = "ada@example.com";
pub const NEWS: &str = "marketing.email";

pub fn stamps(channel: &Channel) -> StampServiceClient<Channel> {
    StampServiceClient::new(channel.clone())
}

fn wanted(address: &str, purpose: &str) -> CheckRequest {
    CheckRequest {
        want_stamp: true,
        service: "mailer".to_owned(),
        ..question(address, purpose)
    }
}

/// A check that brings a stamp. The node's first key may take longer than the first caller waits.
pub async fn stamped(node: &Node, address: &str, purpose: &str) -> CheckResponse {
    for _ in 0..100 {
        let answer = node.decisions().check(wanted(address, purpose)).await;
        let answer = answer.expect("check").into_inner();
        if !answer.stamp.is_empty() {
            return answer;
        }
    }
    panic!("no stamp came");
}

pub async fn verify(
    node: &Node,
    stamp: &str,
    purpose: &str,
) -> Result<VerifyStampResponse, Status> {
    let request = VerifyStampRequest {
        stamp: stamp.to_owned(),
        purpose: purpose.to_owned(),
        service: "reader".to_owned(),
        ..VerifyStampRequest::default()
    };
    let answer = stamps(&node.channel).verify(request).await;
    answer.map(tonic::Response::into_inner)
}

pub async fn list(node: &Node) -> ListStampKeysResponse {
    let listed = stamps(&node.channel)
        .list_keys(ListStampKeysRequest {})
        .await;
    listed.expect("keys").into_inner()
}

fn key_set(listed: &ListStampKeysResponse) -> KeySet {
    let mut cluster_id = [0; 16];
    hex::decode_to_slice(&listed.cluster_id, &mut cluster_id).expect("an id");
    let public = |bytes: &Vec<u8>| -> PublicKey {
        let bytes = bytes.as_slice().try_into().expect("32 bytes");
        PublicKey::from_bytes(&bytes).expect("a key")
    };
    let keys = listed.keys.iter().map(|key| public(&key.public_key));
    KeySet::new(&cluster_id, keys)
}

fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("after 1970").as_secs()
}

async fn revision(node: &Node) -> u64 {
    let status = node
        .cluster()
        .status(StatusRequest {})
        .await
        .expect("status");
    status.into_inner().members[0].revision
}

#[tokio::test]
async fn a_stamp_says_what_was_answered_and_none_comes_unasked() {
    let node = Node::start().await;
    let before = revision(&node).await;
    assert_eq!(node.check(ADA, NEWS).await.stamp, "");
    assert!(list(&node).await.keys.is_empty());
    assert_eq!(
        revision(&node).await,
        before,
        "a key that nobody needs is not made"
    );

    let allowed = stamped(&node, ADA, NEWS).await;
    assert_eq!(allowed.decision(), Decision::Allow);
    let keys = list(&node).await;
    let claims = key_set(&keys)
        .verify(&allowed.stamp, now())
        .expect("genuine");
    let token = claims.subject.clone();
    assert_eq!(
        claims,
        Claims {
            cluster_id: keys.cluster_id.clone(),
            subject: token.clone(),
            tokens: vec![token],
            namespace: "default".to_owned(),
            purposes: vec![NEWS.to_owned()],
            decision: Stamped::Allow,
            revision: allowed.revision,
            service: "mailer".to_owned(),
            issued_at: claims.issued_at,
            expires_at: claims.issued_at + 900,
            decision_id: allowed.decision_id.clone(),
        }
    );
    assert!(!allowed.stamp.contains("ada"));

    node.opt_out(ADA, "marketing").await;
    let denied = stamped(&node, ADA, NEWS).await;
    assert_eq!(denied.decision(), Decision::Deny);
    let claims = key_set(&keys)
        .verify(&denied.stamp, now())
        .expect("genuine");
    assert_eq!(
        (claims.decision, claims.revision),
        (Stamped::Deny, denied.revision)
    );

    // The same keys as a JWK set, for whoever has no client of ours.
    let answer = ask(&node, "GET", "/.well-known/jwks.json", "", b"").await;
    assert_eq!(answer.code, 200);
    assert!(
        answer.has("content-type: application/jwk-set+json"),
        "{}",
        answer.head
    );
    assert!(
        answer.has("cache-control: public, max-age=60"),
        "{}",
        answer.head
    );
    assert_eq!(
        KeySet::from_json(answer.body.as_bytes()),
        Ok(key_set(&keys))
    );
    assert_eq!(
        keys.keys[0].node_id,
        format!("{:016x}", node.running.node_id)
    );
    assert_eq!(keys.keys[0].accepted_until, None);
}

#[tokio::test]
async fn batches_and_streams_bring_stamps_where_they_are_wanted() {
    let node = Node::start().await;
    stamped(&node, ADA, NEWS).await;
    let keys = key_set(&list(&node).await);
    let mut items: Vec<_> = (0..70)
        .map(|n| wanted(&format!("{n}@example.com"), NEWS))
        .collect();
    items[1].want_stamp = false;
    items[2].purpose = "nothing".to_owned();
    let batch = BatchCheckRequest {
        items: items.clone(),
    };
    let answers = node
        .decisions()
        .batch_check(batch)
        .await
        .expect("batch")
        .into_inner();
    for (number, answer) in answers.results.into_iter().enumerate() {
        match (number, answer.result.expect("a result")) {
            (2, batch_check_item::Result::Error(error)) => {
                assert_eq!(error.reason, "PURPOSE_UNKNOWN");
            }
            (1, batch_check_item::Result::Ok(answer)) => assert_eq!(answer.stamp, ""),
            (_, batch_check_item::Result::Ok(answer)) => {
                let claims = keys.verify(&answer.stamp, now()).expect("genuine");
                assert_eq!(claims.decision_id, answer.decision_id);
            }
            (_, batch_check_item::Result::Error(error)) => panic!("{error:?}"),
        }
    }
    let asked = items
        .into_iter()
        .take(3)
        .enumerate()
        .map(|(number, check)| CheckStreamRequest {
            correlation_id: number.to_string(),
            check: Some(check),
        });
    let asked: Vec<_> = asked.collect();
    let answers = node
        .decisions()
        .check_stream(tokio_stream::iter(asked))
        .await
        .expect("stream");
    let mut answers = answers.into_inner();
    let mut signed = 0;
    while let Some(answer) = answers.message().await.expect("an answer") {
        if let Some(check_stream_response::Result::Ok(ok)) = answer.result {
            assert_eq!(ok.stamp.is_empty(), answer.correlation_id == "1");
            signed += usize::from(keys.verify(&ok.stamp, now()).is_ok());
        }
    }
    assert_eq!(signed, 1);
}

#[tokio::test]
async fn a_stamp_that_is_replayed_after_an_opt_out_verifies_as_a_denial() {
    let node = Node::start().await;
    let stamp = stamped(&node, ADA, NEWS).await;
    let answer = verify(&node, &stamp.stamp, NEWS).await.expect("verified");
    assert_eq!(answer.decision(), Decision::Allow);
    assert_eq!(answer.stamped_decision(), Decision::Allow);
    assert_eq!(answer.stamped_revision, stamp.revision);

    let out = node.opt_out(ADA, "*").await;
    let answer = verify(&node, &stamp.stamp, NEWS).await.expect("verified");
    assert_eq!(answer.decision(), Decision::Deny);
    assert_eq!(answer.stamped_decision(), Decision::Allow);
    assert_eq!(answer.event_id, out.event_id);
    assert!(answer.revision >= out.revision);

    for other in ["marketing", "marketing.sms"] {
        let answer = verify(&node, &stamp.stamp, other).await;
        assert_refused(answer, Code::InvalidArgument, "STAMP_PURPOSE_DIFFERS");
    }
    let answer = verify(&node, &stamp.stamp, "").await;
    assert_refused(answer, Code::InvalidArgument, "PURPOSE_INVALID");
    let elsewhere = VerifyStampRequest {
        stamp: stamp.stamp,
        purpose: NEWS.to_owned(),
        namespace: "ours".to_owned(),
        ..VerifyStampRequest::default()
    };
    let answer = stamps(&node.channel).verify(elsewhere).await;
    assert_refused(answer, Code::InvalidArgument, "STAMP_NAMESPACE_DIFFERS");
}

#[tokio::test]
async fn what_is_forged_foreign_cut_or_out_of_time_is_refused() {
    let (log, files) = (MemoryLog::new(), MemoryFiles::new());
    let node = Node::start_on(log.clone(), files.clone(), |_| {}).await;
    let genuine = stamped(&node, ADA, NEWS).await.stamp;
    let keys = key_set(&list(&node).await);
    let claims = keys.verify(&genuine, now()).expect("genuine");
    let refused = async |stamp: &str, code, reason| {
        assert_refused(verify(&node, stamp, NEWS).await, code, reason);
    };
    let invalid = async |stamp: &str| refused(stamp, Code::InvalidArgument, "STAMP_INVALID").await;

    for at in [
        0,
        20,
        genuine.len() / 2,
        genuine.len() - 40,
        genuine.len() - 1,
    ] {
        let mut forged = genuine.clone().into_bytes();
        forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
        invalid(&String::from_utf8(forged).expect("ascii")).await;
    }
    for cut in [0, 10, genuine.len() / 2, genuine.len() - 1] {
        invalid(&genuine[..cut]).await;
    }
    invalid(&format!("{genuine}=")).await;
    invalid(&"A".repeat(8_193)).await;
    invalid(&SigningKey::new(&[5; 32]).sign(&claims).expect("signed")).await;

    // Of another cluster, and what this node's own key would have to say for it.
    let other = Node::start().await;
    invalid(&stamped(&other, ADA, NEWS).await.stamp).await;
    let secrets = STAMPS.load(&files).expect("the key's file");
    let own = SigningKey::new(&secrets[0]);
    let sign = |claims: Claims| own.sign(&claims).expect("signed");
    assert_eq!(sign(claims.clone()), genuine);
    invalid(&sign(Claims {
        cluster_id: "0".repeat(32),
        ..claims.clone()
    }))
    .await;
    let (issued_at, expires_at) = (now() + 120, now() + 600);
    invalid(&sign(Claims {
        issued_at,
        expires_at,
        ..claims.clone()
    }))
    .await;
    let (issued_at, expires_at) = (now() - 900, now() - 1);
    let expired = sign(Claims {
        issued_at,
        expires_at,
        ..claims.clone()
    });
    refused(&expired, Code::FailedPrecondition, "STAMP_EXPIRED").await;
    // From before the cluster was put back from a backup.
    let ahead = sign(Claims {
        revision: claims.revision + 1_000,
        ..claims.clone()
    });
    refused(&ahead, Code::FailedPrecondition, "REVISION_AHEAD").await;
    assert!(verify(&node, &genuine, NEWS).await.is_ok());
}

#[tokio::test]
async fn a_stamp_lives_as_long_as_the_setting_says() {
    let node = Node::start_with(|config| config.stamp_life = Duration::from_secs(60)).await;
    let stamp = stamped(&node, ADA, NEWS).await.stamp;
    let keys = key_set(&list(&node).await);
    let claims = keys.verify(&stamp, now()).expect("genuine");
    assert_eq!(claims.expires_at - claims.issued_at, 60);
}

#[tokio::test]
async fn a_subject_of_many_identifiers_is_stamped_whole() {
    let node = Node::start().await;
    stamped(&node, ADA, NEWS).await;
    let many = CheckRequest {
        identifiers: (0..16)
            .map(|n| email(&format!("{n}@example.com")))
            .collect(),
        ..wanted(ADA, NEWS)
    };
    let answer = node
        .decisions()
        .check(many)
        .await
        .expect("check")
        .into_inner();
    let stamp = answer.stamp;
    let keys = key_set(&list(&node).await);
    assert_eq!(
        keys.verify(&stamp, now()).expect("genuine").tokens.len(),
        16
    );
    assert_eq!(
        verify(&node, &stamp, NEWS)
            .await
            .expect("verified")
            .decision(),
        Decision::Allow
    );
    node.opt_out("15@example.com", NEWS).await;
    assert_eq!(
        verify(&node, &stamp, NEWS)
            .await
            .expect("verified")
            .decision(),
        Decision::Deny
    );
}

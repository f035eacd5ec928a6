//! Proof, over gRPC: what one node recorded and signed is verified with the keys that another tells.

use refrain::proof::{Checkpoint, VerifierKey, VerifierKeys};
use refrain::proto::v1::{
    GetCheckpointRequest, GetReceiptRequest, ListJournalKeysRequest, SetOptOutRequest,
    journal_service_client::JournalServiceClient,
    preference_service_client::PreferenceServiceClient,
};
use refrain::receipt;

use super::Site;
use crate::ways_in::trio::{ADA, who};

/// The keys that a node tells.
async fn keys(site: &Site, place: usize) -> VerifierKeys {
    let mut client = JournalServiceClient::new(site.trio.line(place, ADA));
    let listed = client.list_journal_keys(ListJournalKeysRequest {}).await;
    let listed = listed.unwrap().into_inner().keys;
    let key = |text: &str| -> VerifierKey { text.parse().unwrap() };
    VerifierKeys::new(listed.iter().map(|it| key(&it.verifier_key)))
}

pub async fn is_given(site: &Site) {
    let trio = &site.trio;
    let mut near = PreferenceServiceClient::new(trio.line(site.near, ADA));
    let out = SetOptOutRequest {
        identifiers: who("proven@example.com"),
        purposes: vec!["sale".to_owned()],
        receipt: true,
        ..SetOptOutRequest::default()
    };
    let done = near.set_opt_out(out).await.unwrap().into_inner();
    let given = done.receipt.expect("a receipt");
    let verified = receipt::verify(&given, &keys(site, site.far).await).unwrap();
    assert_eq!(verified.event.id.to_string(), done.event_id);

    // Each node proves it by its own signature.
    let mut signers = vec![verified.key];
    for place in [site.far, site.leader] {
        let mut client = JournalServiceClient::new(trio.line(place, ADA));
        let request = GetReceiptRequest {
            namespace: "default".to_owned(),
            revision: done.revision,
        };
        let made = client.get_receipt(request).await.unwrap().into_inner();
        let known = keys(site, site.near).await;
        let again = receipt::verify(&made.receipt.expect("a receipt"), &known).unwrap();
        assert_eq!(again.event, verified.event);
        assert!(!signers.contains(&again.key), "a key of its own");
        signers.push(again.key);
        let checkpoint = client
            .get_checkpoint(GetCheckpointRequest {})
            .await
            .unwrap();
        let signed = checkpoint.into_inner().checkpoint;
        let (checkpoint, _) = Checkpoint::verify(&signed, &known).unwrap();
        assert!(checkpoint.size >= done.revision);
        assert_eq!(checkpoint.origin, verified.checkpoint.origin);
    }
    let mut client = JournalServiceClient::new(trio.line(site.near, ADA));
    let request = GetReceiptRequest {
        revision: 1,
        ..GetReceiptRequest::default()
    };
    client.get_receipt(request).await.unwrap();
}

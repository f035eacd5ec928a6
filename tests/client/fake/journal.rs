//! The journal that a made-up node signs.

use refrain::{
    proof::{Checkpoint, JournalSigner, origin},
    proto::v1::{journal_service_server::*, *},
};
use tonic::{Code, Request, Response};

use super::{
    refusal,
    services::{Api, Reply},
};

/// What a node signs, by the revision that it knows: a size, and what its root is made of. None: it cannot sign.
pub type Signed = Box<dyn FnMut(u64) -> Option<(u64, u8)> + Send>;

fn signer() -> JournalSigner {
    JournalSigner::new(&origin([3; 16]), &[3; 32])
}

#[tonic::async_trait]
impl JournalService for Api {
    async fn get_checkpoint(
        &self,
        _: Request<GetCheckpointRequest>,
    ) -> Reply<GetCheckpointResponse> {
        let mut signed = self.0.journal.lock().unwrap();
        let revision = self.0.model.lock().unwrap().revision();
        let (size, root) = signed(revision)
            .ok_or_else(|| refusal(Code::Unavailable, "JOURNAL_KEY_MISSING", "not_applied"))?;
        let checkpoint = Checkpoint {
            origin: origin([3; 16]),
            size,
            root: [root; 32],
        };
        let checkpoint = checkpoint.sign(&signer()).unwrap();
        Ok(Response::new(GetCheckpointResponse { checkpoint }))
    }

    async fn list_journal_keys(
        &self,
        _: Request<ListJournalKeysRequest>,
    ) -> Reply<ListJournalKeysResponse> {
        let key = JournalKey {
            node_id: "1".repeat(16),
            verifier_key: signer().verifier_key().to_string(),
            added_at: 1,
            retired_at: 0,
        };
        Ok(Response::new(ListJournalKeysResponse {
            origin: origin([3; 16]),
            keys: vec![key],
        }))
    }

    async fn get_receipt(&self, _: Request<GetReceiptRequest>) -> Reply<GetReceiptResponse> {
        Err(refusal(Code::NotFound, "EVENT_UNKNOWN", "not_applied"))
    }
}

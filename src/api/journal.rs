//! `JournalService`, and what is served beside it: checkpoints, keys, tiles, receipts.

use bytes::Bytes;
use tokio::time::Instant;
use tonic::{Request, Response, Status};

use super::{Api, Call, convert, deadline::Deadline, input::Input, status::Failure};
use crate::{
    admission::{Caller, admit, admit_anybody},
    authority::{FindEvent, JournalKeys, ListJournalKeys, ReadJournal},
    domain::{Event, Namespace, NodeId, Revision},
    limits,
    proof::{Checkpoint, JournalSigner, VerifierKey, origin, path::Resource},
    proto::v1::{
        self, GetCheckpointRequest, GetCheckpointResponse, GetReceiptRequest, GetReceiptResponse,
        ListJournalKeysRequest, ListJournalKeysResponse, journal_service_server::JournalService,
    },
    receipt,
};

/// The service.
pub(super) struct Journals(pub(super) Api);

#[tonic::async_trait]
impl JournalService for Journals {
    async fn get_checkpoint(
        &self,
        request: Request<GetCheckpointRequest>,
    ) -> Result<Response<GetCheckpointResponse>, Status> {
        let Self(api) = self;
        let deadline = Deadline::of(request.metadata().as_ref(), api.parts().deadlines);
        let checkpoint = api.checkpoint(&deadline).await?;
        Ok(Response::new(GetCheckpointResponse { checkpoint }))
    }

    async fn list_journal_keys(
        &self,
        request: Request<ListJournalKeysRequest>,
    ) -> Result<Response<ListJournalKeysResponse>, Status> {
        let Self(api) = self;
        let deadline = Deadline::of(request.metadata().as_ref(), api.parts().deadlines);
        Ok(Response::new(api.journal_keys(&deadline).await?))
    }

    async fn get_receipt(
        &self,
        request: Request<GetReceiptRequest>,
    ) -> Result<Response<GetReceiptResponse>, Status> {
        self.0.unary(request, Api::get_receipt).await
    }
}

/// Whose event a receipt is of.
pub(super) enum Whose<'a> {
    /// The caller's, as it was made just now.
    Own,
    /// The one that stood in this namespace already: it may be another caller's, and name more than this one knows.
    Standing(&'a Caller, Namespace),
}

impl Whose<'_> {
    /// Gives a receipt to who sent the event, or may audit it.
    fn may_see(self, receipt: v1::Receipt) -> Result<v1::Receipt, Failure> {
        let Self::Standing(caller, namespace) = self else {
            return Ok(receipt);
        };
        let event = Event::decode(&receipt.leaf).map_err(|_| Failure::Panicked)?;
        if event.principal != *caller.principal() {
            let wanted = FindEvent {
                namespace: Some(namespace),
                revision: event.revision,
            };
            admit(caller, wanted)?;
        }
        Ok(receipt)
    }
}

impl Api {
    /// The newest checkpoint of this node; open to everybody.
    pub(super) async fn checkpoint(&self, deadline: &Deadline) -> Result<String, Failure> {
        // The key is judged after the head was read, so that no journal is signed which holds the key's retirement.
        let (size, root) = self.parts().feed.head();
        let signer = self.journal_signer(deadline.step()).await?;
        let checkpoint = Checkpoint {
            origin: signer.verifier_key().origin().to_owned(),
            size,
            root,
        };
        checkpoint.sign(&signer).map_err(|error| {
            tracing::error!(%error, "a checkpoint cannot be signed");
            Failure::Panicked
        })
    }

    /// The keys that checkpoints are verified by; open to everybody.
    pub(super) async fn journal_keys(
        &self,
        deadline: &Deadline,
    ) -> Result<ListJournalKeysResponse, Failure> {
        let admitted = admit_anybody(ListJournalKeys)?;
        let found = self.authority().read(admitted, deadline.step()).await?;
        Ok(listed(&found))
    }

    /// A tile or a bundle of the journal.
    pub(super) async fn tile(&self, call: &Call, path: &str) -> Result<(Resource, Bytes), Failure> {
        admit(&call.caller, ReadJournal)?;
        let resource = Resource::parse(path).ok_or(Input::TileUnknown)?;
        let found = self.parts().feed.resource(resource).await?;
        Ok((resource, found.ok_or(Input::TileUnknown)?))
    }

    /// The receipt of an event that was recorded before.
    pub(super) async fn get_receipt(
        &self,
        call: Call,
        request: GetReceiptRequest,
    ) -> Result<GetReceiptResponse, Failure> {
        if request.revision == 0 {
            return Err(Input::RevisionInvalid.into());
        }
        let namespace = match &*request.namespace {
            "" => None,
            name => Some(convert::namespace(name)?),
        };
        let wanted = FindEvent {
            namespace: namespace.clone(),
            revision: request.revision,
        };
        let deadline = call.deadline.step();
        let admitted = admit(&call.caller, wanted)?;
        let revision = self.authority().read(admitted, deadline).await?;
        let made = self.make_receipt(revision, deadline).await?;
        // Whose event it is, is known only now: of another namespace nothing is told, not even that it is there.
        let event = Event::decode(&made.leaf).map_err(|_| Failure::Panicked)?;
        if event.namespace != namespace {
            return Err(Input::EventUnknown.into());
        }
        Ok(GetReceiptResponse {
            receipt: Some(made),
        })
    }

    /// The receipt of a change that was acknowledged; or why there is none just now. Whatever comes of it, the change was made.
    pub(super) async fn receipt_of(
        &self,
        revision: Revision,
        whose: Whose<'_>,
        deadline: Instant,
    ) -> (Option<v1::Receipt>, String) {
        let until = deadline.min(Instant::now() + limits::RECEIPT_TIMEOUT);
        let made = self.make_receipt(revision, until).await;
        match made.and_then(|receipt| whose.may_see(receipt)) {
            Ok(receipt) => (Some(receipt), String::new()),
            Err(failure) => {
                let reason = failure.explained().reason;
                tracing::info!(
                    revision,
                    reason,
                    "a change was acknowledged without a receipt"
                );
                (None, reason.to_owned())
            }
        }
    }

    async fn make_receipt(
        &self,
        revision: Revision,
        deadline: Instant,
    ) -> Result<v1::Receipt, Failure> {
        // In this order for the reason that a checkpoint's key is judged last.
        let proven = self.parts().feed.prove(revision, deadline).await?;
        let signer = self.journal_signer(deadline).await?;
        let checkpoint = Checkpoint {
            origin: signer.verifier_key().origin().to_owned(),
            size: proven.size,
            root: proven.root,
        };
        receipt::make(&proven.leaf, &proven.proof, &checkpoint, &signer).map_err(|error| {
            tracing::error!(%error, revision, "a receipt cannot be made");
            Failure::Panicked
        })
    }

    async fn journal_signer(&self, deadline: Instant) -> Result<JournalSigner, Failure> {
        let signer = self.authority().journal_signer(deadline).await;
        signer.ok_or(Failure::JournalKeyMissing)
    }
}

fn listed(found: &JournalKeys) -> ListJournalKeysResponse {
    let origin = origin(found.cluster_id);
    let keys = found.keys.iter().filter_map(|key| {
        // One that is no key verifies nothing.
        let verifier_key = VerifierKey::of(&origin, &key.public_key)?.to_string();
        Some(v1::JournalKey {
            node_id: NodeId(key.node_id).to_string(),
            verifier_key,
            added_at: key.added_at,
            retired_at: key.retired_at.unwrap_or_default(),
        })
    });
    ListJournalKeysResponse {
        keys: keys.collect(),
        origin,
    }
}

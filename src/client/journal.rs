//! The journal: its checkpoints, the keys that they are verified by, and receipts.

use super::{Client, call::Effect, endpoints::Channel, error::Error};
use crate::proto::v1::{
    GetCheckpointRequest, GetReceiptRequest, ListJournalKeysRequest, ListJournalKeysResponse,
    Receipt, journal_service_client::JournalServiceClient,
};

impl Client {
    /// The newest checkpoint of whichever node answers: a signed note. See [`Checkpoint::verify`](crate::proof::Checkpoint::verify).
    ///
    /// # Errors
    /// No answer in time.
    pub async fn checkpoint(&self) -> Result<String, Error> {
        let request = GetCheckpointRequest {};
        let answer = self.send(Effect::Reads, request, |channel, request| async move {
            journal(channel).get_checkpoint(request).await
        });
        Ok(answer.await?.checkpoint)
    }

    /// The keys that the cluster's checkpoints are verified by, retired ones too. Whether they are the right ones, a list that comes
    /// from the cluster does not prove: keep it from a time when it was trusted.
    ///
    /// # Errors
    /// No answer in time.
    pub async fn journal_keys(&self) -> Result<ListJournalKeysResponse, Error> {
        let request = ListJournalKeysRequest {};
        self.send(Effect::Reads, request, |channel, request| async move {
            journal(channel).list_journal_keys(request).await
        })
        .await
    }

    /// The receipt of an event of the client's namespace, by its revision.
    ///
    /// # Errors
    /// A refusal, such as `EVENT_UNKNOWN` where it is another namespace's, or no answer in time.
    pub async fn receipt(&self, revision: u64) -> Result<Receipt, Error> {
        let mut namespace = String::new();
        self.tenant(&mut namespace);
        if namespace.is_empty() {
            "default".clone_into(&mut namespace);
        }
        self.get_receipt(namespace, revision).await
    }

    /// The receipt of an event that concerns the whole cluster, by its revision.
    ///
    /// # Errors
    /// As [`Client::receipt`].
    pub async fn cluster_receipt(&self, revision: u64) -> Result<Receipt, Error> {
        self.get_receipt(String::new(), revision).await
    }

    async fn get_receipt(&self, namespace: String, revision: u64) -> Result<Receipt, Error> {
        let request = GetReceiptRequest {
            namespace,
            revision,
        };
        let answer = self.send(Effect::Reads, request, |channel, request| async move {
            journal(channel).get_receipt(request).await
        });
        let receipt = answer.await?.receipt;
        receipt.ok_or_else(|| Error::setting("the answer holds no receipt"))
    }
}

fn journal(channel: Channel) -> JournalServiceClient<Channel> {
    JournalServiceClient::new(channel)
}

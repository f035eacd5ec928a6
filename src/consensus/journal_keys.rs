//! The key that this node signs the journal's checkpoints with: made when the first checkpoint is wanted, and registered in the
//! replicated state.
//!
//! It stays the node's key for as long as its file does.
//! A node signs with it only while its own state shows it as in use, and only what it has applied: what is committed.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::core::Core;
use super::room::out_of_room;
use super::stamp_keys::{fresh, register};
use crate::domain::{AddJournalKey, Body, RetireJournalKey, State};
use crate::limits::{DUTY_INTERVAL, STAMP_KEY_PAUSE, STAMP_KEY_TIMEOUT};
use crate::proof::{JournalSigner, origin};
use crate::storage::secrets::{JOURNAL, Secret};

/// The key that this node holds, where it has made one.
pub struct JournalKeys {
    held: Mutex<Option<Secret>>,
    wanted: Notify,
}

impl JournalKeys {
    /// The key of these secrets, as the disk has them: the last, should there be several.
    pub fn new(mut secrets: Vec<Secret>) -> Self {
        Self {
            held: Mutex::new(secrets.pop()),
            wanted: Notify::new(),
        }
    }

    fn held(&self) -> Option<Secret> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.clone()
    }
}

/// What to sign with, where the state shows this node's key as in use.
pub fn signer(core: &Core) -> Option<JournalSigner> {
    let secret = core.journal_keys.held()?;
    let (in_use, cluster_id) = core.replica.with_state(|state| {
        let key = state.journal_key_of(core.node_id());
        (key.map(|key| key.public_key), state.cluster_id())
    });
    let signer = JournalSigner::new(&origin(cluster_id?), &secret);
    (in_use? == signer.public()).then_some(signer)
}

/// The same, and where there is none, has one made and waits a moment for it.
pub async fn signer_by(core: &Core, deadline: Instant) -> Option<JournalSigner> {
    let mut committed = core.replica.committed();
    if let Some(signer) = signer(core) {
        return Some(signer);
    }
    core.journal_keys.wanted.notify_one();
    let registered = async {
        loop {
            committed.changed().await.ok()?;
            if let Some(signer) = signer(core) {
                return Some(signer);
            }
        }
    };
    let until = deadline.min(Instant::now() + STAMP_KEY_TIMEOUT);
    timeout_at(until, registered).await.ok().flatten()
}

/// Looks after this node's key for as long as it runs.
pub async fn tend_again_and_again(core: Arc<Core>) {
    let mut wanted = false;
    loop {
        let called = timeout(DUTY_INTERVAL, core.journal_keys.wanted.notified()).await;
        wanted |= called.is_ok();
        match tend(&core, wanted).await {
            Ok(true) => {}
            // What was refused, or could not be written, is not tried in haste.
            Ok(false) => sleep(STAMP_KEY_PAUSE).await,
            // With room, the next try is as good as this one.
            Err(error) if out_of_room(&error) => {
                tracing::warn!(%error, "no room for a new key; trying again");
                sleep(STAMP_KEY_PAUSE).await;
            }
            Err(error) => {
                tracing::error!(%error, "the disk failed: this node makes no key for the journal's checkpoints");
                return;
            }
        }
    }
}

/// Makes the key where it is missing, and has it registered. Brings whether that went well.
///
/// # Errors
/// Where the disk fails.
async fn tend(core: &Core, wanted: bool) -> std::io::Result<bool> {
    if core.believable().is_err() || signer(core).is_some() {
        return Ok(true);
    }
    let (known, in_use) = core.replica.with_state(|state| {
        let own = state.journal_key_of(core.node_id()).copied();
        let keys: Vec<_> = state
            .journal_keys()
            .iter()
            .map(|it| it.public_key)
            .collect();
        (keys, own)
    });
    // Where no checkpoint was ever wanted, no key is needed.
    if !wanted && in_use.is_none() {
        return Ok(true);
    }
    let public = |secret: &Secret| JournalSigner::new("refrain", secret).public();
    // A key that the state knows, and that is not in use, was retired behind the node's back.
    let held = core.journal_keys.held();
    let usable = held.filter(|secret| !known.contains(&public(secret)));
    let secret = if let Some(secret) = usable {
        secret
    } else {
        let secret = fresh(&*core.entropy);
        JOURNAL.save(&*core.files, std::slice::from_ref(&secret))?;
        let held = &core.journal_keys.held;
        *held.lock().unwrap_or_else(PoisonError::into_inner) = Some(secret.clone());
        secret
    };
    let add = AddJournalKey {
        node_id: core.node_id(),
        public_key: public(&secret),
    };
    Ok(register(core, Body::AddJournalKey(add), "the journal's checkpoints").await)
}

/// As the leader: the nodes that have left the cluster with a key in use.
pub fn left_behind(core: &Core) -> Vec<RetireJournalKey> {
    let members: Vec<u64> = core.members().into_iter().map(|(id, ..)| id).collect();
    let left = |state: &State| {
        let keys = state.journal_keys().iter();
        let left = keys.filter(|key| key.retired_at.is_none() && !members.contains(&key.node_id));
        let retire = left.map(|key| RetireJournalKey {
            node_id: key.node_id,
        });
        retire.collect()
    };
    core.replica.with_state(left)
}

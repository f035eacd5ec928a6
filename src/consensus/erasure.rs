//! What wraps the keys of evidence on this node, and what is to be done after evidence was erased until no old copy of its key opens
//! anything here: a snapshot, a purge of the log, and a new wrapping key.
//!
//! The wrapping key is made of the sealing key and of a secret that lies in this node's folder alone. To replace it, the node makes
//! another secret, has all that it has wrapped wrapped anew, has the state refuse what comes wrapped under the old one, and only then
//! destroys the old secret.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use tokio::time::{Instant, interval, timeout};
use zeroize::Zeroizing;

use super::core::Core;
use super::room::out_of_room;
use super::stamp_keys::fresh;
use super::writes;
use crate::clock::Entropy;
use crate::domain::{
    Body, Proposal, Revision, RewrapEvidence, RotateWrappingKey, Sealer, SealingKey, State,
    WRAPPING_RANDOM_BYTES, WrappingId,
};
use crate::limits::{DUTY_INTERVAL, ERASURE_INTERVAL, REWRAP_TIMEOUT, WRAPPING_KEYS_HELD};
use crate::proto::peer::PendingErasure;
use crate::storage::files::Files;
use crate::storage::secrets::{EVIDENCE, Secret};

/// The wrapping keys that this node holds: the one in use last, before it those that are being replaced. Never none.
pub struct WrappingKeys {
    sealing_key: SealingKey,
    node_id: u64,
    held: Mutex<Vec<Held>>,
    /// Whether the log says already that keys of this node's are wrapped under something that it does not hold.
    foreign_told: AtomicBool,
}

#[derive(Clone)]
struct Held {
    secret: Secret,
    sealer: Sealer,
    /// How many commands had left erased keys in the log when it was made; none where that was before this start.
    since: Option<u64>,
}

impl WrappingKeys {
    /// The keys of these secrets, as the disk has them; where there is none, the first is made.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn open(
        sealing_key: SealingKey,
        node_id: u64,
        mut secrets: Vec<Secret>,
        files: &dyn Files,
        entropy: &dyn Entropy,
    ) -> std::io::Result<Self> {
        if secrets.is_empty() {
            secrets.push(fresh(entropy));
            EVIDENCE.save(files, &secrets)?;
        }
        let held = secrets.into_iter().map(|secret| Held {
            sealer: sealing_key.sealer(node_id, &secret),
            secret,
            since: None,
        });
        Ok(Self {
            held: Mutex::new(held.collect()),
            foreign_told: AtomicBool::new(false),
            sealing_key,
            node_id,
        })
    }

    /// What seals evidence now.
    pub fn sealer(&self) -> Option<Sealer> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.last().map(|one| one.sealer.clone())
    }

    fn held(&self) -> Vec<Held> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.clone()
    }

    /// Holds these keys from here on, on disk first.
    fn hold(&self, files: &dyn Files, held: Vec<Held>) -> std::io::Result<()> {
        let secrets: Vec<_> = held.iter().map(|one| one.secret.clone()).collect();
        EVIDENCE.save(files, &secrets)?;
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = held;
        Ok(())
    }
}

/// What this node has still to do; none where that is nothing.
pub fn pending(core: &Core) -> Option<PendingErasure> {
    let stale = core.replica.stale_index();
    let purged = core.log.ends().purged.map_or(0, |(_, index)| index);
    let rotate = |state: &State| state.must_rotate(core.node_id());
    let pending = PendingErasure {
        snapshot: core.snapshots.position() < stale,
        purge: purged < stale,
        rotation: core.replica.with_state(rotate) || core.wrapping_keys.held().len() > 1,
    };
    (pending != PendingErasure::default()).then_some(pending)
}

/// Does it, for as long as the node runs.
pub async fn tend_again_and_again(core: Arc<Core>) {
    // At an interval: what is applied meanwhile need not wake it each time.
    let mut tick = interval(DUTY_INTERVAL);
    let (mut snapshots, mut rotations) = (Pace::default(), Pace::default());
    loop {
        tick.tick().await;
        if core.believable().is_err() {
            continue;
        }
        // Told as soon as it shows, and not only when something is erased.
        foreign(&core, &core.wrapping_keys.held());
        let pending = pending(&core).unwrap_or_default();
        let stale = core.replica.stale_index();
        if snapshots.due(pending.snapshot) {
            if core.raft.trigger().snapshot().await.is_err() {
                return;
            }
        } else if pending.purge
            && !pending.snapshot
            && core.raft.trigger().purge_log(stale).await.is_err()
        {
            return;
        }
        if rotations.due(pending.rotation)
            && let Err(error) = rotate(&core).await
        {
            tracing::error!(%error, "the disk failed: what was erased here is not out of reach yet");
            // A full disk is another matter: with room, the next try is as good as this one.
            if !out_of_room(&error) {
                return;
            }
        }
    }
}

/// How often something is done: at once, and then not before a while after it was done; until it is done, now and then.
#[derive(Default)]
struct Pace {
    tried: Option<Instant>,
    done: Option<Instant>,
}

impl Pace {
    fn due(&mut self, pending: bool) -> bool {
        if !pending {
            if self.tried.take().is_some() {
                self.done = Some(Instant::now());
            }
            return false;
        }
        let due = match (self.tried, self.done) {
            (Some(tried), _) => tried.elapsed() >= REWRAP_TIMEOUT,
            (None, Some(done)) => done.elapsed() >= ERASURE_INTERVAL,
            (None, None) => true,
        };
        if due {
            self.tried = Some(Instant::now());
        }
        due
    }
}

/// Replaces the wrapping key where it is older than the last erasure, and sees those before it off. What cannot be done now is done in the
/// next try.
///
/// # Errors
/// Where the disk fails.
async fn rotate(core: &Core) -> std::io::Result<()> {
    let keys = &core.wrapping_keys;
    let mut held = keys.held();
    if foreign(core, &held) {
        return Ok(());
    }
    let stale = core.replica.with_state(State::stale_evidence_keys);
    let young = |one: &Held| one.since.is_some_and(|since| since >= stale);
    if !held.last().is_some_and(young) && held.len() < WRAPPING_KEYS_HELD {
        let secret = fresh(&*core.entropy);
        held.push(Held {
            sealer: keys.sealing_key.sealer(keys.node_id, &secret),
            secret,
            since: Some(stale),
        });
        keys.hold(&*core.files, held.clone())?;
    }
    let Some((in_use, before)) = held.split_last() else {
        return Ok(());
    };
    let mut given_up = Vec::new();
    for old in before {
        match wrap_anew(core, &old.sealer, &in_use.sealer).await {
            Some(damaged) => given_up.extend(damaged),
            None => return Ok(()),
        }
    }
    given_up.sort_unstable();
    let retired: Vec<WrappingId> = before.iter().map(|old| old.sealer.id()).collect();
    let rotate = RotateWrappingKey {
        node_id: keys.node_id,
        since: in_use.since.unwrap_or(0),
        retired: retired.clone(),
        given_up,
    };
    if write(core, Body::RotateWrappingKey(rotate)).await && applied(core, &retired).await {
        keys.hold(&*core.files, vec![in_use.clone()])?;
    }
    Ok(())
}

/// Whether keys of this node's are wrapped under something that it does not hold: it was started with another sealing key, and nothing may
/// be destroyed that opens them once it has the right one again.
fn foreign(core: &Core, held: &[Held]) -> bool {
    let keys = &core.wrapping_keys;
    let ids: Vec<WrappingId> = held.iter().map(|one| one.sealer.id()).collect();
    let others = |state: &State| state.wrapped_by_under_others(keys.node_id, &ids);
    let foreign = core.replica.with_state(others);
    if foreign && !keys.foreign_told.swap(true, Ordering::Relaxed) {
        tracing::error!(
            "this node was started with another sealing key than before: it cannot open the evidence that it has sealed, and replaces no \
             wrapping key. Start it with the sealing key that it had; if that is lost, remove the node and add it anew."
        );
    }
    foreign
}

/// Waits a moment until this node's own state refuses all of these: a follower hears of what it asked for before it applies it.
async fn applied(core: &Core, retired: &[WrappingId]) -> bool {
    let mut progress = core.replica.progress();
    let all = |state: &State| retired.iter().all(|id| state.is_retired(*id));
    let seen = async {
        while !core.replica.with_state(all) {
            if progress.changed().await.is_err() {
                return false;
            }
        }
        true
    };
    timeout(REWRAP_TIMEOUT, seen).await.unwrap_or(false)
}

/// Has all that is wrapped under a key wrapped under another. Brings what could not be opened; none where it has to be tried again.
async fn wrap_anew(core: &Core, old: &Sealer, new: &Sealer) -> Option<Vec<Revision>> {
    let (mut damaged, mut next) = (Vec::new(), Some(0));
    while let Some(from) = next {
        let (found, rest) = core
            .replica
            .with_state(|state| state.evidence_under(old.id(), from));
        next = rest;
        let mut keys = Vec::new();
        for (revision, key) in found {
            let mut random = Zeroizing::new([0; WRAPPING_RANDOM_BYTES]);
            core.entropy.fill(&mut *random);
            match old.rewrap(&key, new, &random) {
                Ok(anew) => keys.push((revision, anew)),
                Err(error) => {
                    tracing::error!(%error, revision, "a key of evidence is damaged: it cannot be opened any more");
                    damaged.push(revision);
                }
            }
        }
        let rewrap = RewrapEvidence {
            from: old.id(),
            keys,
        };
        if !rewrap.keys.is_empty() && !write(core, Body::RewrapEvidence(rewrap)).await {
            return None;
        }
    }
    Some(damaged)
}

async fn write(core: &Core, body: Body) -> bool {
    let proposal = Proposal::by_cluster(body);
    match writes::write(core, &proposal, Instant::now() + REWRAP_TIMEOUT).await {
        Ok(_) => true,
        Err(error) => {
            tracing::warn!(%error, "keys of evidence were not wrapped anew; trying again");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_is_done_at_once_and_the_next_waits() {
        let mut pace = Pace::default();
        assert!(!pace.due(false));
        assert!(pace.due(true));
        // It goes on, and is tried again only after a while.
        assert!(!pace.due(true));
        tokio::time::advance(REWRAP_TIMEOUT).await;
        assert!(pace.due(true));
        assert!(!pace.due(false));
        assert!(!pace.due(true));
        tokio::time::advance(ERASURE_INTERVAL).await;
        assert!(pace.due(true));
    }
}

//! The key that this node signs stamps with: made when the first stamp is wanted, registered in the replicated state, and
//! changed from time to time.
//!
//! A node signs with a key only while its own state shows it as in use. So nobody holds a stamp that the state which it was
//! made from would not accept, and a key that was retired behind the node's back signs nothing more.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use zeroize::Zeroizing;

use super::core::Core;
use super::room::out_of_room;
use super::writes;
use crate::clock::Entropy;
use crate::domain::{AddStampKey, Body, Millis, Proposal, RetireStampKeys, StampKey, State};
use crate::limits::{DUTY_INTERVAL, STAMP_KEY_PAUSE, STAMP_KEY_TIMEOUT};
use crate::stamp::SigningKey;
use crate::storage::secrets::{STAMPS, Secret};

/// What a node needs to make a stamp.
#[derive(Clone)]
pub struct Signer {
    /// The cluster that the stamp is of.
    pub cluster_id: [u8; 16],
    /// The key, which the state shows as in use.
    pub key: Arc<SigningKey>,
}

/// The keys that this node holds, the one that comes next last.
pub struct StampKeys {
    held: Mutex<Vec<Held>>,
    wanted: Notify,
}

#[derive(Clone)]
struct Held {
    secret: Secret,
    key: Arc<SigningKey>,
}

impl Held {
    fn new(secret: Secret) -> Self {
        let key = Arc::new(SigningKey::new(&secret));
        Self { secret, key }
    }

    fn public(&self) -> [u8; 32] {
        *self.key.public().as_bytes()
    }
}

impl StampKeys {
    /// The keys of these secrets, as the disk has them.
    pub fn new(secrets: Vec<Secret>) -> Self {
        Self {
            held: Mutex::new(secrets.into_iter().map(Held::new).collect()),
            wanted: Notify::new(),
        }
    }

    fn held(&self) -> Vec<Held> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.clone()
    }

    /// Holds these keys from here on, on disk first.
    fn hold(&self, core: &Core, held: Vec<Held>) -> std::io::Result<()> {
        let secrets: Vec<_> = held.iter().map(|one| one.secret.clone()).collect();
        STAMPS.save(&*core.files, &secrets)?;
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = held;
        Ok(())
    }
}

/// The key to sign with, where the state shows one of this node's as in use.
pub fn signer(core: &Core) -> Option<Signer> {
    let (in_use, cluster_id) = core
        .replica
        .with_state(|state| (in_use(state, core.node_id()), state.cluster_id()));
    let public = in_use?.public_key;
    let held = core.stamp_keys.held();
    Some(Signer {
        cluster_id: cluster_id?,
        key: held.into_iter().find(|one| one.public() == public)?.key,
    })
}

/// The same, and where there is none, has one made and waits a moment for it.
pub async fn signer_by(core: &Core, deadline: Instant) -> Option<Signer> {
    let mut committed = core.replica.committed();
    if let Some(signer) = signer(core) {
        return Some(signer);
    }
    core.stamp_keys.wanted.notify_one();
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

fn in_use(state: &State, node_id: u64) -> Option<StampKey> {
    let mut keys = state.stamp_keys().iter();
    keys.find(|key| key.node_id == node_id && key.accepted_until.is_none())
        .copied()
}

/// What is to be done about the keys of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// All is well.
    Nothing,
    /// Forget all but the newest, which is in use.
    Forget,
    /// Have the newest registered.
    Register,
    /// Make another, and have it registered.
    Make,
}

/// What is to be done, for a node that holds keys with these public halves, the newest last.
fn next_step(held: &[[u8; 32]], known: &Known, lifetime_ms: u64) -> Step {
    let newest = held.last();
    let Some(in_use) = &known.in_use else {
        // Where no stamp is wanted, no key is needed.
        return match newest {
            _ if !known.wanted => Step::Nothing,
            Some(newest) if !known.retired.contains(newest) => Step::Register,
            _ => Step::Make,
        };
    };
    if newest == Some(&in_use.public_key) {
        let due = known.now.0 >= in_use.added_at.0.saturating_add(lifetime_ms);
        return match held.len() {
            _ if due => Step::Make,
            1 => Step::Nothing,
            _ => Step::Forget,
        };
    }
    // A change that began goes on; one whose secret was lost, or that was retired meanwhile, begins anew.
    match newest {
        Some(newest) if !known.retired.contains(newest) => Step::Register,
        _ => Step::Make,
    }
}

/// What the state, and those who ask, say of a node's keys.
struct Known {
    in_use: Option<StampKey>,
    retired: Vec<[u8; 32]>,
    wanted: bool,
    /// The log's time.
    now: Millis,
}

impl Known {
    fn of(state: &State, node_id: u64, wanted: bool) -> Self {
        let own = state.stamp_keys().iter();
        let own = own.filter(|key| key.node_id == node_id && key.accepted_until.is_some());
        Self {
            in_use: in_use(state, node_id),
            retired: own.map(|key| key.public_key).collect(),
            wanted,
            now: state.log_time(),
        }
    }
}

/// Looks after this node's keys for as long as it runs.
pub async fn tend_again_and_again(core: Arc<Core>) {
    let mut wanted = false;
    loop {
        let called = timeout(DUTY_INTERVAL, core.stamp_keys.wanted.notified()).await;
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
                tracing::error!(%error, "the disk failed: this node makes no more keys for stamps");
                return;
            }
        }
    }
}

/// Does what is to be done. Brings whether that went well.
///
/// # Errors
/// Where the disk fails.
async fn tend(core: &Core, wanted: bool) -> std::io::Result<bool> {
    if core.believable().is_err() {
        return Ok(true);
    }
    let known = core
        .replica
        .with_state(|state| Known::of(state, core.node_id(), wanted));
    let mut held = core.stamp_keys.held();
    let public: Vec<_> = held.iter().map(Held::public).collect();
    match next_step(&public, &known, core.timing.stamp_key_ms) {
        Step::Nothing => return Ok(true),
        Step::Forget => {
            held.drain(..held.len() - 1);
            core.stamp_keys.hold(core, held)?;
            return Ok(true);
        }
        Step::Register => {}
        Step::Make => {
            // The one in use goes on signing until the state shows the other.
            held.retain(|one| known.in_use.is_some_and(|it| it.public_key == one.public()));
            held.push(Held::new(fresh(&*core.entropy)));
            core.stamp_keys.hold(core, held.clone())?;
        }
    }
    let Some(newest) = held.last() else {
        return Ok(true);
    };
    let add = AddStampKey {
        node_id: core.node_id(),
        public_key: newest.public(),
    };
    Ok(register(core, Body::AddStampKey(add), "stamps").await)
}

/// The secret of a new key.
pub(super) fn fresh(entropy: &dyn Entropy) -> Secret {
    let mut secret = Zeroizing::new([0; 32]);
    entropy.fill(&mut *secret);
    secret
}

/// Has a key of this node's registered, for what it is for. Brings whether that went well.
pub(super) async fn register(core: &Core, add: Body, what_for: &str) -> bool {
    let proposal = Proposal::by_cluster(add);
    match writes::write(core, &proposal, Instant::now() + STAMP_KEY_PAUSE).await {
        Ok(_) => true,
        Err(error) => {
            tracing::warn!(%error, "this node's key for {what_for} was not registered; trying again");
            false
        }
    }
}

/// As the leader: the nodes that have left the cluster with a key in use.
pub fn left_behind(core: &Core) -> Vec<RetireStampKeys> {
    let members: Vec<u64> = core.members().into_iter().map(|(id, ..)| id).collect();
    core.replica.with_state(|state| {
        let keys = state.stamp_keys().iter();
        keys.filter(|key| key.accepted_until.is_none() && !members.contains(&key.node_id))
            .map(|key| RetireStampKeys {
                node_id: key.node_id,
            })
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * 60 * 60 * 1_000;

    fn known(in_use: Option<u8>, retired: &[u8], now: u64) -> Known {
        Known {
            in_use: in_use.map(|byte| StampKey {
                node_id: 1,
                public_key: [byte; 32],
                added_at: Millis(DAY),
                accepted_until: None,
            }),
            retired: retired.iter().map(|byte| [*byte; 32]).collect(),
            wanted: true,
            now: Millis(now),
        }
    }

    fn step(held: &[u8], known: &Known) -> Step {
        let held: Vec<_> = held.iter().map(|byte| [*byte; 32]).collect();
        next_step(&held, known, 30 * DAY)
    }

    #[test]
    fn a_key_is_made_when_one_is_wanted_and_not_before() {
        let idle = Known {
            wanted: false,
            ..known(None, &[], DAY)
        };
        assert_eq!(step(&[], &idle), Step::Nothing);
        assert_eq!(step(&[1], &idle), Step::Nothing);
        assert_eq!(step(&[], &known(None, &[], DAY)), Step::Make);
        // It was made, and the node ended before the cluster had it.
        assert_eq!(step(&[1], &known(None, &[], DAY)), Step::Register);
        // It was retired behind the node's back.
        assert_eq!(step(&[1], &known(None, &[1], DAY)), Step::Make);
    }

    #[test]
    fn a_key_is_changed_when_its_days_are_over() {
        assert_eq!(
            step(&[1], &known(Some(1), &[], 31 * DAY - 1)),
            Step::Nothing
        );
        assert_eq!(step(&[1], &known(Some(1), &[], 31 * DAY)), Step::Make);
        assert_eq!(
            step(&[1, 2], &known(Some(1), &[], 31 * DAY)),
            Step::Register
        );
        // Registered: the old one has signed its last.
        assert_eq!(step(&[1, 2], &known(Some(2), &[1], DAY)), Step::Forget);
        // Nobody need want a stamp for that.
        let idle = Known {
            wanted: false,
            ..known(Some(1), &[], 31 * DAY)
        };
        assert_eq!(step(&[1], &idle), Step::Make);
    }

    #[test]
    fn a_key_whose_secret_is_gone_is_replaced() {
        assert_eq!(step(&[], &known(Some(1), &[], DAY)), Step::Make);
        assert_eq!(step(&[2], &known(Some(1), &[], DAY)), Step::Register);
        assert_eq!(step(&[2], &known(Some(1), &[2], DAY)), Step::Make);
    }
}

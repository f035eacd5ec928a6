//! What a node sees to on its own: the cluster's first command, snapshots by bytes, and what is missing in the journal.

use std::sync::Arc;
use std::time::Duration;

use openraft::async_runtime::WatchReceiver as _;
use tokio::time::{Instant, interval, sleep, timeout};

use super::core::Core;
use super::members::{self, describe_at};
use super::outcome::WriteError;
use super::recorded::Unrecorded;
use super::room::Use;
use super::writes;
use super::{journal_keys, stamp_keys};
use crate::domain::{
    Body, Create, FEATURE_LEVEL, Member, NodeId, PeerAddress, Proposal, RaiseFeatureLevel, State,
};
use crate::limits::{BACKFILL_TIMEOUT, DUTY_INTERVAL, FEATURE_LEVEL_INTERVAL, HALF_DONE_FOR};
use crate::proto::peer::FetchJournalRequest;
use crate::storage::off_thread;

/// As the leader: writes the first command of a new cluster, ends changes of the membership that were left half done, raises
/// the feature level when all members are able, records what was done with members and was not recorded, and retires the keys of nodes that have left.
pub async fn lead(core: Arc<Core>) {
    let mut asked = Instant::now();
    let mut metrics = core.raft.metrics();
    let mut tries = Tries::default();
    let mut half_done = HalfDone::default();
    let mut unrecorded = Unrecorded::default();
    loop {
        let joint = members::joint(&core).filter(|_| core.leads());
        if half_done.stays(joint) {
            half_done.end(&core).await;
        }
        if let Err(why) = unrecorded.see_to(&core).await {
            tries.note(Err(why));
        }
        if core.leads() {
            if core.replica.with_state(State::revision) == 0 && tries.due() {
                tries.note(create(&core).await);
            }
            if asked.elapsed() >= FEATURE_LEVEL_INTERVAL {
                asked = Instant::now();
                tries.note(raise_feature_level(&core).await);
                for retire in stamp_keys::left_behind(&core) {
                    tries.note(propose(&core, Body::RetireStampKeys(retire)).await);
                }
                for retire in journal_keys::left_behind(&core) {
                    tries.note(propose(&core, Body::RetireJournalKey(retire)).await);
                }
            }
        }
        if let Ok(Err(_)) = timeout(DUTY_INTERVAL, metrics.changed()).await {
            return;
        }
    }
}

/// A change of the membership between its two steps: each majority has to be one of the voters before and of those after.
///
/// Whoever asked for it takes the second step as well, unless the leader dies in between, or the time is up.
#[derive(Default)]
struct HalfDone(Option<(u64, Instant)>);

impl HalfDone {
    /// Whether the step at this log index has been the last for so long that nobody can be about to take the second.
    fn stays(&mut self, joint: Option<u64>) -> bool {
        let since = |index| match self.0 {
            Some((before, since)) if before == index => since,
            _ => Instant::now(),
        };
        self.0 = joint.map(|index| (index, since(index)));
        self.0
            .is_some_and(|(_, since)| since.elapsed() >= HALF_DONE_FOR)
    }

    async fn end(&mut self, core: &Core) {
        self.0 = None;
        match timeout(HALF_DONE_FOR, members::take_second_step(core)).await {
            Ok(Ok(())) => {
                tracing::info!("ended a change of the membership that was left half done");
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "a change of the membership stays half done; trying again");
            }
            // It may still come about; if not, the next try is due in as long.
            Err(_) => tracing::warn!("a change of the membership stays half done; trying again"),
        }
    }
}

/// Tries to have a command of the cluster's own taken: at an interval, however often the metrics change, and with one
/// line in the log for each new reason why not.
#[derive(Default)]
struct Tries {
    next: Option<Instant>,
    why: Option<WriteError>,
}

impl Tries {
    fn due(&self) -> bool {
        self.next.is_none_or(|next| Instant::now() >= next)
    }

    /// Notes how a try ended. Returns whether that was news, and logged.
    fn note(&mut self, tried: Result<(), WriteError>) -> bool {
        self.next = Some(Instant::now() + DUTY_INTERVAL);
        let why = tried.err();
        let news = why != self.why && why.is_some();
        if let (true, Some(error)) = (news, &why) {
            tracing::warn!(%error, "a command of the cluster's own was not taken; trying again");
        }
        self.why = why;
        news
    }
}

async fn propose(core: &Core, body: Body) -> Result<(), WriteError> {
    match writes::propose(core, &Proposal::by_cluster(body)).await {
        // A refusal says that another leader did it before.
        Ok(_) | Err(WriteError::Refused(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

async fn create(core: &Core) -> Result<(), WriteError> {
    let Some(cluster_id) = core.peers.cluster_id() else {
        return Ok(());
    };
    // A leader with an older log has applied all of it before it knows that nothing was created: the blank entry of
    // its own term comes last.
    if super::reads::catch_up(core, Instant::now() + DUTY_INTERVAL)
        .await
        .is_err()
        && core.replica.with_state(State::revision) > 0
    {
        return Ok(());
    }
    // Nobody else leads before there is anything to catch up with.
    let mut members = core.members().into_iter();
    let founder = members.find(|(id, ..)| *id == core.node_id());
    let create = Create {
        founder: founder.map(|(node_id, peer, voter)| Member {
            node_id,
            peer_address: PeerAddress::of(&peer.peer_address),
            voter,
        }),
        ..Create::new(cluster_id, core.key_fingerprint)
    };
    propose(core, Body::Create(create)).await
}

async fn raise_feature_level(core: &Core) -> Result<(), WriteError> {
    let current = core.replica.with_state(State::feature_level);
    if current >= FEATURE_LEVEL {
        return Ok(());
    }
    let mut level = FEATURE_LEVEL;
    for (id, peer, _) in core.members() {
        if id == core.node_id() {
            continue;
        }
        match describe_at(core, &peer.peer_address).await {
            Ok(node) => level = level.min(node.feature_level),
            // Who does not answer may be old.
            Err(_) => return Ok(()),
        }
    }
    if level > current {
        return propose(core, Body::RaiseFeatureLevel(RaiseFeatureLevel { level })).await;
    }
    Ok(())
}

/// Has a snapshot made whenever the commands since the last come to `bytes`, and where one had to wait for room on the disk,
/// when there is room.
pub async fn compact(core: Arc<Core>, bytes: u64) {
    let mut progress = core.replica.progress();
    let mut last = 0;
    loop {
        if let Ok(Err(_)) = timeout(DUTY_INTERVAL, progress.changed()).await {
            return;
        }
        let applied = core.replica.applied_bytes();
        if applied - last >= bytes || core.snapshots.room().is_back(Use::Build) {
            last = applied;
            if core.raft.trigger().snapshot().await.is_err() {
                return;
            }
        }
    }
}

/// Fetches from the others what the journal lacks after a snapshot was installed, and verifies it.
pub async fn backfill(core: Arc<Core>) {
    let mut tick = interval(DUTY_INTERVAL);
    loop {
        tick.tick().await;
        while let Some(bundle) = core.replica.journal().missing_bundles(1).first().copied() {
            if fetch(&core, bundle).await {
                continue;
            }
            sleep(Duration::from_secs(1)).await;
            break;
        }
    }
}

async fn fetch(core: &Core, bundle: u64) -> bool {
    let leader = core.leader().map(|(leader, _)| leader);
    let mut members = core.members();
    // The leader first: it is up, and has the most.
    members.sort_by_key(|(id, ..)| Some(*id) != leader);
    for (id, peer, _) in members {
        if id == core.node_id() {
            continue;
        }
        let Ok(mut client) = core.peers.client(&peer.peer_address) else {
            continue;
        };
        let request = FetchJournalRequest {
            envelope: core.peers.envelope(id),
            bundle,
        };
        let Ok(Ok(reply)) = timeout(BACKFILL_TIMEOUT, client.fetch_journal(request)).await else {
            continue;
        };
        let reply = reply.into_inner();
        let journal = core.replica.journal().clone();
        let supplied =
            off_thread(move || journal.supply(bundle, reply.entries, reply.evidence)).await;
        match supplied {
            Ok(Ok(())) => return true,
            Ok(Err(error)) => {
                tracing::warn!(%error, bundle, from = %NodeId(id), "a bundle of the journal was not accepted");
            }
            Err(error) => tracing::error!(%error, "fetching the journal broke off"),
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consensus::outcome::Unavailable;

    #[tokio::test(start_paused = true)]
    async fn a_command_that_is_not_taken_is_tried_at_an_interval_and_told_once() {
        let failed = |why| Err(WriteError::NotApplied { why });
        let mut tries = Tries::default();
        assert!(tries.due());
        assert!(tries.note(failed(Unavailable::DiskNearlyFull)));
        for _ in 0..3 {
            assert!(!tries.due());
            tokio::time::advance(DUTY_INTERVAL).await;
            assert!(tries.due());
            assert!(!tries.note(failed(Unavailable::DiskNearlyFull)));
        }
        assert!(tries.note(failed(Unavailable::NoQuorum)));
        assert!(!tries.note(Ok(())));
        assert!(tries.note(failed(Unavailable::NoQuorum)));
    }
}

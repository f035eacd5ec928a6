//! What a node says of itself, and what all of them say together.

use futures::future::join_all;
use openraft::async_runtime::WatchReceiver as _;
use tokio::time::{Instant, timeout_at};
use tonic::Status;

use super::clocks;
use super::core::Core;
use super::drift::{Drift, Told, drift};
use super::erasure;
use super::members::describe_at;
use super::outcome::Unavailable;
use super::report::{ClusterStatus, Health, Member, Report, Role};
use crate::domain::{FEATURE_LEVEL, Millis, NodeId, State};
use crate::proto::peer::{DescribeReply, PendingErasure, StateHash};

/// What this node says of itself.
pub fn describe(core: &Core) -> DescribeReply {
    let metrics = core.raft.metrics();
    let (last_index, term) = {
        let metrics = metrics.borrow_watched();
        (metrics.last_log_index.unwrap_or(0), metrics.current_term)
    };
    // Taken apart from the rest: a guard that lives on would hold up whoever applies.
    let applied_index = core.replica.progress().borrow().index;
    let health = core.health.borrow().clone();
    let journal = core.replica.journal();
    // Revision, hash and root must belong together: taken under one lock.
    let (revision, hashes, journal_root) = core.replica.with_state(|state| {
        let mut hashes: Vec<_> = state.hash_points().collect();
        hashes.push((state.revision(), state.hash()));
        (state.revision(), hashes, journal.root())
    });
    let hashes = hashes
        .into_iter()
        .map(|(revision, hash)| StateHash {
            revision,
            hash: hash.to_vec().into(),
        })
        .collect();
    DescribeReply {
        node_id: core.node_id(),
        cluster_id: core
            .peers
            .cluster_id()
            .map(|id| id.to_vec())
            .unwrap_or_default()
            .into(),
        peer_address: core.own.peer_address.clone(),
        client_address: core.own.client_address.clone(),
        ready: health.ready,
        health: health.reason,
        revision,
        applied_index,
        last_index,
        log_bytes: core.log.bytes(),
        snapshot_bytes: core.snapshots.bytes(),
        journal_events: (journal.size() + 1).saturating_sub(journal.earliest()),
        hashes,
        journal_root: journal_root.to_vec().into(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        // A disk that cannot be asked has nothing to offer.
        disk_free_bytes: core.files.free_bytes().unwrap_or(0),
        key_fingerprint: core.key_fingerprint.0.to_vec().into(),
        feature_level: FEATURE_LEVEL,
        term,
        clock_ms: core.clock.now().0,
        settings: core.settings.clone(),
        pending_erasure: erasure::pending(core),
        evidence_stale: core.replica.with_state(State::stale_evidence_keys),
    }
}

/// Asks every member, and compares what they say.
pub async fn status(core: &Core, deadline: Instant) -> ClusterStatus {
    let members = core.members();
    let answers = join_all(members.iter().map(|(id, peer, _)| async {
        if *id == core.node_id() {
            Ok(describe(core))
        } else {
            let asked = timeout_at(deadline, describe_at(core, &peer.peer_address)).await;
            asked.unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer in time")))
        }
    }))
    .await;
    // Who answers at a member's address without being that member has no say.
    let own = core.peers.cluster_id().unwrap_or_default();
    let known: Vec<&DescribeReply> = members
        .iter()
        .zip(&answers)
        .filter_map(|((id, ..), answer)| {
            let node = answer.as_ref().ok()?;
            (node.node_id == *id && node.cluster_id[..] == own[..]).then_some(node)
        })
        .collect();
    let last = known.iter().map(|node| node.last_index).max().unwrap_or(0);
    let own_stale = core.replica.with_state(State::stale_evidence_keys);
    let stale = known.iter().map(|node| node.evidence_stale).max();
    let stale = stale.unwrap_or(0).max(own_stale);
    let mut alarms = Vec::new();
    let leader = core.leader().map(|(leader, _)| leader);
    if core.peers.cluster_id().is_some() && leader.is_none() {
        alarms.push(
            "no leader is known: nothing is answered until a majority of voters is up".to_owned(),
        );
    }
    if leader.is_some() {
        let voters = members.iter().filter(|(.., votes)| *votes);
        let voters: Vec<u64> = voters.map(|(id, ..)| *id).collect();
        alarms.extend(lost_quorum(&voters, &known));
    }
    differences(&known, &mut alarms);
    alarms.extend(clocks::apart(&known));
    alarms.extend(short_of_disk(&known));
    let told = known.iter().map(|node| Told {
        node: node.node_id,
        settings: &node.settings,
    });
    let told: Vec<_> = told.collect();
    alarms.extend(drift(&told).iter().map(Drift::alarm));
    let mut reports: Vec<Member> = members
        .iter()
        .zip(&answers)
        .map(|((id, peer, votes), answer)| {
            let report = match answer {
                Ok(node) if node.node_id == *id => Ok(read(node, last, stale)),
                Ok(node) => Err(format!(
                    "another node, {}, answers at its address; run `refrain cluster remove {}` if it is gone",
                    NodeId(node.node_id),
                    NodeId(*id)
                )),
                Err(status) => Err(status.message().to_owned()),
            };
            if let Err(why) = &report {
                alarms.push(format!("{} ({}) does not answer: {why}", NodeId(*id), peer.peer_address));
            }
            Member {
                node_id: *id,
                role: if *votes { Role::Voter } else { Role::Learner },
                peer_address: peer.peer_address.clone(),
                client_address: peer.client_address.clone(),
                report,
            }
        })
        .collect();
    if reports.is_empty() {
        let own = describe(core);
        reports.push(Member {
            node_id: own.node_id,
            role: Role::None,
            peer_address: own.peer_address.clone(),
            client_address: own.client_address.clone(),
            report: Ok(read(&own, own.last_index, own_stale)),
        });
    }
    ClusterStatus {
        cluster_id: core.peers.cluster_id(),
        answered_by: core.node_id(),
        leader,
        term: known.iter().map(|node| node.term).max().unwrap_or(0),
        feature_level: core.replica.with_state(State::feature_level),
        members: reports,
        alarms,
    }
}

fn read(node: &DescribeReply, last_index: u64, stale: u64) -> Report {
    Report {
        health: Health {
            ready: node.ready,
            reason: node.health.clone(),
        },
        revision: node.revision,
        applied_lag: last_index.saturating_sub(node.applied_index),
        log_bytes: node.log_bytes,
        snapshot_bytes: node.snapshot_bytes,
        journal_events: node.journal_events,
        state_hash: node
            .hashes
            .last()
            .and_then(|point| Some((point.revision, point.hash[..].try_into().ok()?))),
        journal_root: node.journal_root[..].try_into().ok(),
        version: node.version.clone(),
        disk_free_bytes: node.disk_free_bytes,
        settings: node.settings.clone(),
        key_fingerprint: node.key_fingerprint.to_vec(),
        clock: Millis(node.clock_ms),
        // Who has not applied an erasure yet does not know of it.
        pending_erasure: if node.evidence_stale < stale {
            Some(PendingErasure {
                snapshot: true,
                purge: true,
                rotation: true,
            })
        } else {
            node.pending_erasure
        },
    }
}

/// A leader that is still named when too few voters are left to follow it.
fn lost_quorum(voters: &[u64], nodes: &[&DescribeReply]) -> Option<String> {
    let up = |id: &&u64| nodes.iter().any(|node| node.node_id == **id);
    let up = voters.iter().filter(up).count();
    (up * 2 <= voters.len()).then(|| {
        format!(
            "NO QUORUM: {up} of {} voters answer: nothing is answered and nothing is taken until a majority is up",
            voters.len()
        )
    })
}

/// Who lacks room on the disk, whether it serves meanwhile or not.
fn short_of_disk(nodes: &[&DescribeReply]) -> Vec<String> {
    let full = Health::serving_without(Unavailable::DiskNearlyFull).reason;
    let full = nodes.iter().filter(|node| node.health == full);
    full.map(|node| {
        let (id, left) = (NodeId(node.node_id), node.disk_free_bytes >> 20);
        format!(
            "the disk of {id} is nearly full, {left} MiB are left: free some of it, for changes and for snapshots"
        )
    })
    .collect()
}

/// Same revision, same hash, same root: whoever differs is named.
fn differences(nodes: &[&DescribeReply], alarms: &mut Vec<String>) {
    for (i, a) in nodes.iter().enumerate() {
        for b in &nodes[i + 1..] {
            let differs = a.hashes.iter().rev().find_map(|x| {
                let y = b.hashes.iter().find(|y| y.revision == x.revision)?;
                Some((x.revision, x.hash != y.hash))
            });
            if let Some((revision, true)) = differs {
                alarms.insert(0, format!(
                    "STATE DIFFERS: {} and {} have different state hashes at revision {revision}. One of them is wrong: stop both from serving, compare with the others, and rejoin the one that differs",
                    NodeId(a.node_id), NodeId(b.node_id)
                ));
            }
            if a.revision == b.revision && a.journal_root != b.journal_root {
                alarms.insert(
                    0,
                    format!(
                        "JOURNAL DIFFERS: {} and {} have different journal roots at revision {}",
                        NodeId(a.node_id),
                        NodeId(b.node_id),
                        a.revision
                    ),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(node_id: u64, hashes: &[(u64, u8)]) -> DescribeReply {
        DescribeReply {
            node_id,
            revision: hashes.last().map_or(0, |(revision, _)| *revision),
            hashes: hashes
                .iter()
                .map(|(revision, byte)| StateHash {
                    revision: *revision,
                    hash: vec![*byte; 32].into(),
                })
                .collect(),
            ..DescribeReply::default()
        }
    }

    #[test]
    fn a_differing_hash_is_shouted_at_the_newest_common_revision() {
        let (a, b) = (
            node(1, &[(1024, 1), (2048, 2), (2050, 3)]),
            node(2, &[(1024, 1), (2048, 9)]),
        );
        let mut alarms = Vec::new();
        differences(&[&a, &b], &mut alarms);
        assert_eq!(alarms.len(), 1);
        assert!(
            alarms[0].starts_with("STATE DIFFERS") && alarms[0].contains("2048"),
            "{alarms:?}"
        );
    }

    #[test]
    fn too_few_voters_are_an_alarm_although_a_leader_is_named() {
        let (a, b) = (node(1, &[]), node(2, &[]));
        assert_eq!(lost_quorum(&[1, 2, 3], &[&a, &b]), None);
        // A learner does not count.
        for nodes in [vec![&a], vec![&a, &a], vec![]] {
            let alarm = lost_quorum(&[1, 3, 4], &nodes).unwrap();
            assert!(alarm.starts_with("NO QUORUM"), "{alarm}");
        }
        assert!(lost_quorum(&[1, 2, 3, 4], &[&a, &b]).is_some());
    }

    #[test]
    fn nodes_that_share_no_revision_are_not_compared() {
        let (a, b) = (
            node(1, &[(1024, 1), (1025, 2)]),
            node(2, &[(1024, 1), (1026, 3)]),
        );
        let mut alarms = Vec::new();
        differences(&[&a, &b], &mut alarms);
        assert!(alarms.is_empty(), "{alarms:?}");
    }

    #[test]
    fn who_has_not_heard_of_an_erasure_has_all_of_it_before_itself() {
        let behind = node(1, &[]);
        assert_eq!(read(&behind, 0, 0).pending_erasure, None);
        let pending = read(&behind, 0, 1).pending_erasure.unwrap();
        assert!(pending.snapshot && pending.purge && pending.rotation);
        let done = DescribeReply {
            evidence_stale: 1,
            ..node(2, &[])
        };
        assert_eq!(read(&done, 0, 1).pending_erasure, None);
    }
}

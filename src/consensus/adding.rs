//! Adding a node, step by step: invited, a learner that catches up, a voter.

use std::sync::Arc;

use async_stream::try_stream;
use futures::Stream;
use tokio::time::{Instant, sleep};

use super::administer::ask_leader;
use super::core::Core;
use super::members::caught_up;
use super::outcome::AdminError;
use super::report::{AddProgress, AddStage, ClusterStatus};
use super::status::status;
use crate::domain::Principal;
use crate::limits::{ADD_REPORT_INTERVAL, ADD_STEP_TIMEOUT, DESCRIBE_TIMEOUT};
use crate::proto::peer::administer_request::Act;

/// See [`Consensus::add`](super::Consensus::add).
pub fn add(
    core: Arc<Core>,
    address: String,
    learner: bool,
    principal: Principal,
) -> impl Stream<Item = Result<AddProgress, AdminError>> + Send {
    let step = || Instant::now() + ADD_STEP_TIMEOUT;
    try_stream! {
        let node_id = ask_leader(&core, Act::AddLearner(address), &principal, step()).await?;
        let tell = |stage, lag| AddProgress { node_id, stage, lag };
        yield tell(AddStage::Invited, 0);
        loop {
            let found = status(&core, Instant::now() + DESCRIBE_TIMEOUT).await;
            match lag(&found, node_id) {
                Some((_, true)) if learner => break,
                Some((lag, true)) => {
                    yield tell(AddStage::Promoting, lag);
                    // Others go on meanwhile, so that it may have fallen behind again.
                    match ask_leader(&core, Act::Promote(node_id), &principal, step()).await {
                        Err(AdminError::NotCaughtUp { .. }) => {}
                        promoted => {
                            promoted?;
                            break;
                        }
                    }
                }
                Some((lag, false)) => yield tell(AddStage::CatchingUp, lag),
                // It does not answer just now: how far it is, is not known.
                None => yield tell(AddStage::CatchingUp, u64::MAX),
            }
            sleep(ADD_REPORT_INTERVAL).await;
        }
        yield tell(AddStage::Done, 0);
    }
}

/// How many log entries a member is behind, and whether it has caught up: by the measure that the leader has too.
fn lag(found: &ClusterStatus, node_id: u64) -> Option<(u64, bool)> {
    let reports = || {
        let members = found.members.iter();
        members.filter_map(|it| Some((it.node_id, it.report.as_ref().ok()?)))
    };
    let newest = reports().map(|(_, report)| report.revision).max()?;
    let (_, report) = reports().find(|(id, _)| *id == node_id)?;
    let caught_up = caught_up(report.revision, report.journal_events, newest);
    Some((report.applied_lag, caught_up))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consensus::report::{Health, Member, Report, Role};

    fn member(node_id: u64, revision: u64, applied_lag: u64) -> Member {
        let report = Report {
            health: Health::from(Ok(())),
            revision,
            applied_lag,
            log_bytes: 0,
            snapshot_bytes: 0,
            journal_events: revision,
            state_hash: None,
            journal_root: None,
            version: String::new(),
            disk_free_bytes: 0,
            pending_erasure: None,
            settings: Vec::new(),
            key_fingerprint: Vec::new(),
            clock: crate::domain::Millis(0),
        };
        Member {
            node_id,
            role: Role::Voter,
            peer_address: String::new(),
            client_address: String::new(),
            report: Ok(report),
        }
    }

    #[test]
    fn a_few_entries_of_an_import_are_a_long_way_behind() {
        let found = |members| ClusterStatus {
            cluster_id: None,
            answered_by: 1,
            leader: Some(1),
            term: 1,
            members,
            alarms: Vec::new(),
            feature_level: 1,
        };
        let behind = found(vec![member(1, 90_000, 0), member(2, 40_000, 50)]);
        assert_eq!(lag(&behind, 2), Some((50, false)));
        let near = found(vec![member(1, 90_000, 0), member(2, 89_500, 500)]);
        assert_eq!(lag(&near, 2), Some((500, true)));
        assert_eq!(lag(&near, 3), None);
    }
}

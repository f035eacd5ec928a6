//! Adding a node, step by step: invited, a learner that catches up, a voter.

use std::sync::Arc;

use async_stream::try_stream;
use futures::Stream;
use tokio::time::{Instant, sleep};

use super::administer::ask_leader;
use super::core::Core;
use super::outcome::AdminError;
use super::report::{AddProgress, AddStage, ClusterStatus};
use super::status::status;
use crate::limits::{ADD_REPORT_INTERVAL, ADD_STEP_TIMEOUT, DESCRIBE_TIMEOUT};
use crate::proto::peer::administer_request::Act;

/// Log entries that a node may lag behind and still count as caught up, while the others go on.
const CAUGHT_UP_ENTRIES: u64 = 100;

/// See [`Consensus::add`](super::Consensus::add).
pub fn add(
    core: Arc<Core>,
    address: String,
    learner: bool,
) -> impl Stream<Item = Result<AddProgress, AdminError>> + Send {
    let step = || Instant::now() + ADD_STEP_TIMEOUT;
    try_stream! {
        let node_id = ask_leader(&core, Act::AddLearner(address), step()).await?;
        let tell = |stage, lag| AddProgress { node_id, stage, lag };
        yield tell(AddStage::Invited, 0);
        loop {
            let found = status(&core, Instant::now() + DESCRIBE_TIMEOUT).await;
            match lag(&found, node_id) {
                Some((lag, true)) if lag <= CAUGHT_UP_ENTRIES => break,
                Some((lag, _)) => yield tell(AddStage::CatchingUp, lag),
                // It does not answer just now: how far it is, is not known.
                None => yield tell(AddStage::CatchingUp, u64::MAX),
            }
            sleep(ADD_REPORT_INTERVAL).await;
        }
        if !learner {
            yield tell(AddStage::Promoting, 0);
            ask_leader(&core, Act::Promote(node_id), step()).await?;
        }
        yield tell(AddStage::Done, 0);
    }
}

/// How far a member is behind, and whether its journal is complete.
fn lag(found: &ClusterStatus, node_id: u64) -> Option<(u64, bool)> {
    let member = found
        .members
        .iter()
        .find(|member| member.node_id == node_id)?;
    let report = member.report.as_ref().ok()?;
    let complete = report.revision > 0 && report.journal_events >= report.revision;
    Some((report.applied_lag, complete))
}

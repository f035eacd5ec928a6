//! A leader that no majority answers keeps quiet, so that the others may elect one that hears them (Raft dissertation, section 6.2).
//!
//! openraft's leader cannot step down, and goes on with its heartbeats whether they are answered or not. Where it is heard and
//! hears nobody, the others would follow it for as long as that lasts: nothing would be acknowledged, and no check answered.

use std::sync::Arc;
use std::time::Duration;

use openraft::Instant as _;
use openraft::async_runtime::WatchReceiver as _;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::core::Core;

/// Looks, as often as a heartbeat is sent, for how long no majority has answered this node as the leader.
pub async fn watch(core: Arc<Core>) {
    let mut tick = interval(Duration::from_millis(core.timing.heartbeat_ms));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Twice the longest that another waits for a leader, so that each has stood for election by then.
    let turn = Duration::from_millis(core.timing.election_timeout_ms.1) * 2;
    let mut office: Option<Office> = None;
    let mut told = false;
    loop {
        tick.tick().await;
        office = Office::of(&core, office);
        let unanswered = office.as_ref().map_or(Duration::ZERO, |it| it.unanswered);
        core.peers.keep_quiet(is_quiet(unanswered, turn));
        if unanswered >= turn && !told {
            tracing::warn!(
                "no majority answers this leader: it keeps quiet by turns, so that the others may elect another"
            );
        }
        told = unanswered >= turn;
    }
}

/// This node's time as the leader in one term, where it is not the only voter.
struct Office {
    term: u64,
    began: Instant,
    /// For how long no message has been sent that a majority answered.
    unanswered: Duration,
}

impl Office {
    fn of(core: &Core, before: Option<Self>) -> Option<Self> {
        let metrics = core.raft.metrics();
        let metrics = metrics.borrow_watched();
        let own = core.node_id();
        let mut voters = metrics.membership_config.membership().voter_ids();
        if metrics.current_leader != Some(own) || !voters.any(|id| id != own) {
            return None;
        }
        let term = metrics.current_term;
        let before = before.filter(|before| before.term == term);
        let began = before.map_or_else(Instant::now, |before| before.began);
        let answered = metrics.last_quorum_acked.map(|sent| sent.elapsed());
        Some(Self {
            term,
            began,
            unanswered: answered.map_or(began.elapsed(), |answered| answered.min(began.elapsed())),
        })
    }
}

/// Whether a leader that nobody has answered for so long keeps quiet. It does so for every other turn, because it may be the
/// only one that can win: the others elect another while it is quiet, or hear of it again when it is not.
fn is_quiet(unanswered: Duration, turn: Duration) -> bool {
    (unanswered.as_millis() / turn.as_millis().max(1)) % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leader_without_answers_is_quiet_every_other_turn() {
        let turn = Duration::from_secs(2);
        let quiet = |seconds| is_quiet(Duration::from_secs_f32(seconds), turn);
        assert!(!quiet(0.0) && !quiet(1.9));
        assert!(quiet(2.0) && quiet(3.9));
        assert!(!quiet(4.0) && quiet(6.0));
    }
}

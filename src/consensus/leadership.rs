//! A leader that is not fit to take changes hands over to a voter that is: its disk, clock or token key may be at fault.
//!
//! A node stands for election all the same, whatever is wrong with it: nobody tells a follower that its leader is gone until
//! somebody stands, and checks need a leader too. One that should not have won hands over at once.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::time::{Instant, MissedTickBehavior, interval};

use super::clocks;
use super::core::Core;
use super::members;
use super::outcome::{AdminError, Unavailable};
use crate::domain::{NodeId, State};
use crate::limits::{CLOCK_AHEAD_MS, CLOCK_BEHIND_MS, CLOCKS_INTERVAL, DUTY_INTERVAL};
use crate::proto::peer::DescribeReply;
use crate::storage::space::ACCEPT_FROM;

/// Asks the members at an interval how they are, and at once when this node comes to lead without being able to.
pub async fn watch(core: Arc<Core>) {
    let mut tick = interval(DUTY_INTERVAL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut asked: Option<Instant> = None;
    let mut before = None;
    let (mut said, mut failed) = (None, None);
    loop {
        tick.tick().await;
        let fault = fault(&core);
        tell(fault, &mut said);
        let stuck = fault.filter(|_| core.leads());
        let waits = asked.is_some_and(|asked| asked.elapsed() < CLOCKS_INTERVAL);
        if waits && (stuck.is_none() || stuck == before) {
            before = stuck;
            continue;
        }
        let others = clocks::measure(&core).await;
        asked = Some(Instant::now());
        // The median is known anew.
        before = self::fault(&core).filter(|_| core.leads());
        let handed = match before {
            Some(_) => hand_over(&core, &others).await.err(),
            None => None,
        };
        if let Some(why) = handed.as_ref().filter(|_| handed != failed) {
            tracing::warn!("the leadership could not be handed over, and is tried again: {why}");
        }
        failed = handed;
    }
}

/// Why another node should lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// This one can take no changes.
    Unable(Unavailable),
    /// It can, and its clock has changes refused that come from good clocks.
    ClockBehind,
}

fn fault(core: &Core) -> Option<Fault> {
    match core.able() {
        Err(why) => Some(Fault::Unable(why)),
        Ok(()) => core
            .clocks
            .behind(core.clock.now())
            .then_some(Fault::ClockBehind),
    }
}

/// Logs what is wrong with this node when that changes.
fn tell(fault: Option<Fault>, said: &mut Option<Fault>) {
    if *said == fault {
        return;
    }
    *said = fault;
    match fault {
        None => tracing::info!("this node can lead again"),
        Some(Fault::Unable(Unavailable::ClockAhead)) => tracing::error!(
            "this node's clock is more than {CLOCK_AHEAD_MS} ms ahead of the members' median: it proposes nothing until its clock is mended"
        ),
        Some(Fault::Unable(why)) => {
            tracing::error!("this node takes no changes as a leader: {why}");
        }
        Some(Fault::ClockBehind) => tracing::error!(
            "this node's clock is more than {CLOCK_BEHIND_MS} ms behind the members' median: it leads only where no other can, until its clock is mended"
        ),
    }
}

async fn hand_over(core: &Core, others: &[DescribeReply]) -> Result<(), AdminError> {
    let cluster = core.replica.with_state(State::key_fingerprint);
    let fit = |node: &&DescribeReply| {
        let key = cluster.is_none_or(|key| node.key_fingerprint[..] == key.0[..]);
        node.ready && key && node.disk_free_bytes >= ACCEPT_FROM
    };
    let fit: BTreeSet<u64> = others.iter().filter(fit).map(|it| it.node_id).collect();
    let to = members::most_caught_up(core, |id| fit.contains(&id));
    let to = to.ok_or(AdminError::NoOtherVoter)?;
    let leader = members::transfer(core, Some(to)).await?;
    tracing::warn!(
        to = %NodeId(leader),
        "handed the leadership to a node that is fit for it"
    );
    Ok(())
}

//! The read index: one quorum round for all the reads that wait (Raft dissertation, section 6.4).

use std::sync::Arc;

use openraft::raft::linearizable_read::LinearizerOption;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{Instrument as _, Span};

use super::clocks;
use super::core::Core;
use super::outcome::Unavailable;
use super::peers::traced;
use crate::domain::Millis;
use crate::limits::{READ_ROUND_TIMEOUT, READS_WAITING, RETRY_PAUSE};
use crate::proto::peer::ReadIndexRequest;
use crate::traces;

/// What a round found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadPoint {
    /// The log index that the local state must have reached.
    pub index: u64,
    /// The time that the leader judges by, read within the round.
    pub leader_clock: Millis,
}

type Answer = Result<ReadPoint, Unavailable>;

/// A read that waits for a round.
struct Reader {
    answer: oneshot::Sender<Answer>,
    /// What traces it, if anything does.
    span: Span,
}

/// Where reads queue up for the next round.
pub struct ReadQueue(mpsc::Sender<Reader>);

/// The other end of the queue, for [`serve`].
pub struct Waiting(mpsc::Receiver<Reader>);

/// A queue and its other end.
pub fn queue() -> (ReadQueue, Waiting) {
    let (sender, receiver) = mpsc::channel(READS_WAITING);
    (ReadQueue(sender), Waiting(receiver))
}

impl ReadQueue {
    /// Waits for the next round, and returns what it found out.
    async fn point(&self) -> Answer {
        let (sender, answer) = oneshot::channel();
        let reader = Reader {
            answer: sender,
            span: traces::current(),
        };
        self.0.try_send(reader).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Unavailable::Overloaded,
            mpsc::error::TrySendError::Closed(_) => Unavailable::Draining,
        })?;
        answer.await.unwrap_or(Err(Unavailable::Draining))
    }
}

/// Makes rounds while anybody waits. Who comes during a round waits for the next: a round that began before a read did
/// would say nothing about what was acknowledged in between.
pub async fn serve(core: Arc<Core>, mut waiting: Waiting) {
    let mut batch = Vec::new();
    while waiting.0.recv_many(&mut batch, READS_WAITING).await > 0 {
        let begun = Instant::now();
        let round = round(&core).instrument(span_of(&batch));
        let answer = match timeout(READ_ROUND_TIMEOUT, round).await {
            Ok(answer) => {
                core.meters.read_round.note(begun.elapsed());
                answer
            }
            Err(_) => Err(Unavailable::NoQuorum),
        };
        for reader in batch.drain(..) {
            // A reader whose deadline passed has gone.
            let _ = reader.answer.send(answer);
        }
    }
}

/// The span of a round: one round serves many reads, so it lies below the first of them that is traced, and the others link to it.
fn span_of(readers: &[Reader]) -> Span {
    let mut traced = readers.iter().filter(|reader| !reader.span.is_none());
    let Some(first) = traced.next() else {
        return Span::none();
    };
    let round = traces::step_below(&first.span, "consensus.read_round");
    for other in traced {
        other.span.follows_from(&round);
    }
    round
}

async fn round(core: &Core) -> Answer {
    let Some((leader, peer)) = core.leader() else {
        return Err(Unavailable::NoQuorum);
    };
    if leader == core.node_id() {
        return confirm(core).await;
    }
    let envelope = core.peers.envelope(leader);
    let mut client = core
        .peers
        .client(&peer.peer_address)
        .map_err(|_| Unavailable::NoQuorum)?;
    let (request, span) = traced(ReadIndexRequest { envelope }, "ReadIndex");
    match client.read_index(request).instrument(span.clone()).await {
        Ok(reply) => {
            let reply = reply.into_inner();
            Ok(ReadPoint {
                index: reply.index,
                leader_clock: Millis(reply.leader_clock_ms).min(Millis::MAX),
            })
        }
        Err(status) => {
            traces::fail(&span);
            Err(Unavailable::from_reason(status.message()).unwrap_or(Unavailable::NoQuorum))
        }
    }
}

/// On the leader: has a majority confirm that it still leads, and returns its read index and the time it judges by.
pub async fn confirm(core: &Core) -> Answer {
    // An age of zero asks for an acknowledgement of a message that was sent after this call: a true read index, never
    // a lease.
    let fresh = LinearizerOption::new(Some(std::time::Duration::ZERO), true)
        .with_wait_timeout(READ_ROUND_TIMEOUT);
    match core.raft.get_read_linearizer(fresh).await {
        Ok(linearizer) => {
            // A leader that has just started has nothing to hold its own clock against yet.
            if !core.clocks.asked() {
                clocks::measure(core).await;
            }
            Ok(ReadPoint {
                index: linearizer.read_log_id().index(),
                leader_clock: core.clocks.judge(core.clock.now()),
            })
        }
        Err(openraft::errors::RaftError::APIError(_)) => Err(Unavailable::NoQuorum),
        Err(openraft::errors::RaftError::Fatal(_)) => Err(Unavailable::StorageFailed),
    }
}

/// Returns when the local state reflects every change that was acknowledged before this call, with the time to judge by:
/// the latest of what the leader judges by, this node's clock, the members' median and what was judged by before, so that no
/// clock which is behind or set back makes anything last longer.
///
/// # Errors
/// Why that was not so before the deadline.
pub async fn catch_up(core: &Core, deadline: Instant) -> Result<Millis, Unavailable> {
    let mut why = Unavailable::Deadline;
    loop {
        core.open()?;
        match timeout_at(deadline, core.reads.point()).await {
            Ok(Ok(point)) => {
                applied(core, point.index, deadline).await?;
                return Ok(core.clocks.judge(point.leader_clock.max(core.clock.now())));
            }
            // A leader may be found, or found again, before the deadline.
            Ok(Err(Unavailable::NoQuorum)) => why = Unavailable::NoQuorum,
            Ok(Err(other)) => return Err(other),
            Err(_) => return Err(why),
        }
        if timeout_at(deadline, tokio::time::sleep(RETRY_PAUSE))
            .await
            .is_err()
        {
            return Err(why);
        }
    }
}

async fn applied(core: &Core, index: u64, deadline: Instant) -> Result<(), Unavailable> {
    let mut progress = core.replica.progress();
    let reached = progress.wait_for(|progress| progress.index >= index);
    // What `wait_for` returns holds the channel's lock, which `apply` takes within the state's: to look at the state
    // with it in hand would have the two wait for each other for ever.
    let reached = timeout_at(deadline, reached)
        .await
        .map(|reached| reached.map(drop));
    match reached {
        Ok(Ok(())) => core.believable(),
        Ok(Err(_)) => Err(Unavailable::Draining),
        Err(_) => Err(Unavailable::Replaying),
    }
}

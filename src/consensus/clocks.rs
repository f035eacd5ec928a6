//! The members' clocks: a leader that is far ahead of their median proposes nothing, and one that is far off hands over; what
//! has expired is judged by the latest time that any of them makes likely.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use tokio::time::Instant;

use super::core::Core;
use super::members::describe_at;
use crate::domain::{Millis, NodeId};
use crate::limits::{CLOCK_AHEAD_MS, CLOCK_BEHIND_MS, CLOCK_NEAR_MS};
use crate::proto::peer::DescribeReply;

/// What this node knows of the members' clocks. Every node keeps it, so that a new leader knows from its first moment.
#[derive(Default)]
pub struct Clocks(Mutex<Known>);

#[derive(Default)]
struct Known {
    median: Option<Median>,
    /// The latest time that anything was judged by in this life of the process.
    judged: Option<Reading>,
}

/// What the members' median said. Of an even number of clocks there are two in the middle.
#[derive(Clone, Copy)]
struct Median {
    /// The earlier: who is ahead is told by it.
    early: Reading,
    /// The later: what has expired is told by it.
    late: Reading,
}

/// A time, and when it was that time. It goes on with the monotonic clock, which nobody sets.
#[derive(Clone, Copy)]
struct Reading {
    time: Millis,
    at: Instant,
}

impl Reading {
    fn by(self, now: Instant) -> Millis {
        later(self.time, now.saturating_duration_since(self.at))
    }
}

impl Clocks {
    /// Whether a clock that says `now` is too far ahead of the median. The median goes on with the monotonic clock, so
    /// that a wall clock which leaps is noticed at once, and not only when the members are asked again.
    pub fn ahead(&self, now: Millis) -> bool {
        self.early().is_some_and(|median| too_far(now, median))
    }

    /// Whether a clock that says `now` is so far behind the median that another member should lead.
    pub fn behind(&self, now: Millis) -> bool {
        self.early().is_some_and(|median| too_late(now, median))
    }

    /// What a clock that says `now` would say if it were near the median.
    pub fn near(&self, now: Millis) -> Millis {
        let Some(Millis(median)) = self.early() else {
            return now;
        };
        let earliest = median.saturating_sub(CLOCK_NEAR_MS);
        let latest = median.saturating_add(CLOCK_NEAR_MS);
        Millis(now.0.clamp(earliest, latest))
    }

    /// How far a clock that says `now` is ahead of the median, in milliseconds; behind it, less than none.
    pub fn ahead_by(&self, now: Millis) -> Option<i64> {
        let Millis(median) = self.early()?;
        let apart = i64::try_from(now.0.abs_diff(median)).unwrap_or(i64::MAX);
        Some(if now.0 < median { -apart } else { apart })
    }

    fn early(&self) -> Option<Millis> {
        let median = self.known().median;
        median.map(|median| median.early.by(Instant::now()))
    }

    /// The time to judge by what has expired, given what a clock says: that, or the members' median, or a time that was
    /// judged by before and has gone on since, whichever is the latest. So a clock that is slow or is set back makes
    /// nothing last longer. One that leapt ahead and was mended makes things end early, until the process starts anew.
    pub fn judge(&self, clock: Millis) -> Millis {
        let mut known = self.known();
        let now = Instant::now();
        let median = known.median.map(|median| median.late.by(now));
        let judged = known.judged.map(|judged| judged.by(now));
        let time = clock.min(Millis::MAX).max(median.unwrap_or_default());
        match judged {
            // Not noted anew: the parts of a millisecond that every note leaves out would add up.
            Some(judged) if judged >= time => judged.min(Millis::MAX),
            _ => {
                known.judged = Some(Reading { time, at: now });
                time
            }
        }
    }

    /// Whether the members were asked, and answered.
    pub fn asked(&self) -> bool {
        self.known().median.is_some()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a clock says after some time has passed.
fn later(clock: Millis, passed: Duration) -> Millis {
    let passed = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
    Millis(clock.0.saturating_add(passed))
}

fn too_far(clock: Millis, median: Millis) -> bool {
    clock.0.saturating_sub(median.0) > CLOCK_AHEAD_MS
}

fn too_late(clock: Millis, median: Millis) -> bool {
    median.0.saturating_sub(clock.0) > CLOCK_BEHIND_MS
}

/// The middle one of some clocks, twice; of an even number the two in the middle, the earlier first.
fn median(mut clocks: Vec<Millis>) -> Option<(Millis, Millis)> {
    clocks.sort_unstable();
    let early = clocks.get(clocks.len().checked_sub(1)? / 2)?;
    Some((*early, *clocks.get(clocks.len() / 2)?))
}

/// Asks the members for their clocks, and notes the median. Returns what those of the others said whose clocks are not far
/// from it.
pub async fn measure(core: &Core) -> Vec<DescribeReply> {
    let mut others = core.members();
    others.retain(|(id, ..)| *id != core.node_id());
    let cluster = core.peers.cluster_id().unwrap_or_default();
    let asked = others.iter().map(|(id, peer, _)| async {
        let sent = Instant::now();
        let node = describe_at(core, &peer.peer_address).await.ok()?;
        // The clock was read somewhere on the way: in the middle, for all that is known here.
        let read = sent + sent.elapsed() / 2;
        // Somebody else may answer at a member's address.
        (node.node_id == *id && node.cluster_id[..] == cluster[..]).then_some((node, read))
    });
    let answers = join_all(asked).await;
    let answered = answers.iter().map(|it| it.as_ref().map(|(node, _)| node));
    core.neighbours
        .note(others.iter().map(|(id, ..)| *id).zip(answered));
    // An older version does not tell its clock.
    let answers = answers.into_iter().flatten();
    let answers: Vec<_> = answers.filter(|(node, _)| node.clock_ms > 0).collect();
    let (asked, now) = (Instant::now(), core.clock.now());
    let clocks: Vec<(DescribeReply, Millis)> = answers
        .into_iter()
        .map(|(node, read)| {
            let clock = later(Millis(node.clock_ms), asked - read);
            (node, clock)
        })
        .collect();
    let all = clocks.iter().map(|(_, clock)| *clock).chain([now]);
    let (early, late) = median(all.collect()).unwrap_or((now, now));
    // Where nobody else answers there is nothing to be ahead of.
    core.clocks.known().median = (!clocks.is_empty()).then_some(Median {
        early: Reading {
            time: early,
            at: asked,
        },
        late: Reading {
            time: late,
            at: asked,
        },
    });
    let in_time = clocks
        .into_iter()
        .filter(|(_, clock)| !too_far(*clock, early) && !too_late(*clock, early));
    in_time.map(|(node, _)| node).collect()
}

/// Says of which members the clocks are far from the median, for the cluster's alarms.
pub fn apart(nodes: &[&DescribeReply]) -> Vec<String> {
    let told = || nodes.iter().filter(|node| node.clock_ms > 0);
    let Some((median, _)) = median(told().map(|node| Millis(node.clock_ms)).collect()) else {
        return Vec::new();
    };
    told()
        .filter(|node| node.clock_ms.abs_diff(median.0) > CLOCK_AHEAD_MS)
        .map(|node| {
            let seconds = node.clock_ms.abs_diff(median.0) / 1_000;
            let (side, then) = if node.clock_ms > median.0 {
                (
                    "ahead of",
                    ", and while it is, that node proposes nothing as a leader",
                )
            } else {
                ("behind", "")
            };
            format!(
                "the clock of {} is {seconds} s {side} the members' median: mend it{then}",
                NodeId(node.node_id)
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clocks(times: &[u64]) -> Vec<Millis> {
        times.iter().copied().map(Millis).collect()
    }

    #[test]
    fn the_median_is_the_middle_or_the_two_there() {
        let both = |early, late| Some((Millis(early), Millis(late)));
        assert_eq!(median(clocks(&[])), None);
        assert_eq!(median(clocks(&[7])), both(7, 7));
        assert_eq!(median(clocks(&[9, 1])), both(1, 9));
        assert_eq!(median(clocks(&[9, 1, 5])), both(5, 5));
        assert_eq!(median(clocks(&[9, 1, 5, 3])), both(3, 5));
    }

    #[test]
    fn ten_seconds_are_not_too_far_and_a_moment_more_is() {
        let median = Millis(100_000);
        assert!(!too_far(Millis(110_000), median));
        assert!(too_far(Millis(110_001), median));
        assert!(!too_far(Millis(0), median));
    }

    fn said(early: u64, late: u64) -> Median {
        let at = Instant::now();
        let reading = |time| Reading {
            time: Millis(time),
            at,
        };
        Median {
            early: reading(early),
            late: reading(late),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_judged_by_never_goes_back() {
        let clocks = Clocks::default();
        assert_eq!(clocks.judge(Millis(1_000)), Millis(1_000));
        // The clock stands still, or is set back.
        for _ in 0..4 {
            tokio::time::advance(Duration::from_micros(500)).await;
            clocks.judge(Millis(1_000));
        }
        assert_eq!(clocks.judge(Millis(0)), Millis(1_002));
        // The members know better than this node's clock, and are not asked again.
        clocks.known().median = Some(said(900, 5_000));
        assert_eq!(clocks.judge(Millis(2_000)), Millis(5_000));
        tokio::time::advance(Duration::from_secs(1)).await;
        clocks.known().median = None;
        assert_eq!(clocks.judge(Millis(2_000)), Millis(6_000));
        assert_eq!(clocks.judge(Millis(7_000)), Millis(7_000));
        assert_eq!(clocks.judge(Millis(u64::MAX)), Millis::MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn the_median_goes_on_while_nobody_is_asked() {
        let clocks = Clocks::default();
        assert!(!clocks.ahead(Millis(u64::MAX)), "nothing is known");
        clocks.known().median = Some(said(50_000, 50_000));
        assert!(clocks.ahead(Millis(60_001)));
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        assert!(!clocks.ahead(Millis(61_000)));
        assert!(clocks.ahead(Millis(61_001)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_made_here_is_dated_near_the_median() {
        let clocks = Clocks::default();
        assert_eq!(clocks.near(Millis(7)), Millis(7));
        assert!(!clocks.behind(Millis(0)), "nothing is known");
        clocks.known().median = Some(said(50_000, 50_000));
        assert_eq!(clocks.near(Millis(50_900)), Millis(50_900));
        assert_eq!(clocks.near(Millis(90_000)), Millis(51_000));
        assert_eq!(clocks.near(Millis(3)), Millis(49_000));
        assert!(!clocks.behind(Millis(45_000)));
        assert!(clocks.behind(Millis(44_999)));
    }

    #[test]
    fn a_clock_that_is_far_off_raises_an_alarm() {
        let node = |node_id, clock_ms| DescribeReply {
            node_id,
            clock_ms,
            ..DescribeReply::default()
        };
        let nodes = [
            node(1, 1_000_000),
            node(2, 1_010_001),
            node(3, 980_000),
            node(4, 1_000_001),
            node(5, 0),
        ];
        let alarms = apart(&nodes.each_ref());
        assert_eq!(alarms.len(), 2, "{alarms:?}");
        assert!(
            alarms[0].contains("0000000000000002 is 10 s ahead"),
            "{alarms:?}"
        );
        assert!(
            alarms[1].contains("0000000000000003 is 20 s behind"),
            "{alarms:?}"
        );
        assert!(apart(&[&node(5, 0)]).is_empty());
    }
}

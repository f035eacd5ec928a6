//! The members' clocks: a leader that is far ahead of their median proposes nothing, and one that is far off hands over.

use std::sync::{Mutex, PoisonError};
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
pub struct Clocks(Mutex<Option<Median>>);

/// What the members' median said, and when it was asked.
#[derive(Clone, Copy)]
struct Median {
    time: Millis,
    asked: Instant,
}

impl Clocks {
    /// Whether a clock that says `now` is too far ahead of the median. The median goes on with the monotonic clock, so
    /// that a wall clock which leaps is noticed at once, and not only when the members are asked again.
    pub fn ahead(&self, now: Millis) -> bool {
        self.median().is_some_and(|median| too_far(now, median))
    }

    /// Whether a clock that says `now` is so far behind the median that another member should lead.
    pub fn behind(&self, now: Millis) -> bool {
        self.median().is_some_and(|median| too_late(now, median))
    }

    /// What a clock that says `now` would say if it were near the median.
    pub fn near(&self, now: Millis) -> Millis {
        let Some(Millis(median)) = self.median() else {
            return now;
        };
        let earliest = median.saturating_sub(CLOCK_NEAR_MS);
        let latest = median.saturating_add(CLOCK_NEAR_MS);
        Millis(now.0.clamp(earliest, latest))
    }

    fn median(&self) -> Option<Millis> {
        let known = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.map(|median| later(median.time, median.asked.elapsed()))
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

/// The middle one of some clocks; of an even number the earlier of the two in the middle.
fn median(mut clocks: Vec<Millis>) -> Option<Millis> {
    clocks.sort_unstable();
    clocks.get(clocks.len().checked_sub(1)? / 2).copied()
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
        // Somebody else may answer at a member's address, and an older version does not tell its clock.
        let tells = node.node_id == *id && node.cluster_id[..] == cluster[..] && node.clock_ms > 0;
        // The clock was read somewhere on the way: in the middle, for all that is known here.
        let read = sent + sent.elapsed() / 2;
        tells.then_some((node, read))
    });
    let answers: Vec<_> = join_all(asked).await.into_iter().flatten().collect();
    let (asked, now) = (Instant::now(), core.clock.now());
    let clocks: Vec<(DescribeReply, Millis)> = answers
        .into_iter()
        .map(|(node, read)| {
            let clock = later(Millis(node.clock_ms), asked - read);
            (node, clock)
        })
        .collect();
    let all = clocks.iter().map(|(_, clock)| *clock).chain([now]);
    let time = median(all.collect()).unwrap_or(now);
    // Where nobody else answers there is nothing to be ahead of.
    let known = (!clocks.is_empty()).then_some(Median { time, asked });
    *core.clocks.0.lock().unwrap_or_else(PoisonError::into_inner) = known;
    let in_time = clocks
        .into_iter()
        .filter(|(_, clock)| !too_far(*clock, time) && !too_late(*clock, time));
    in_time.map(|(node, _)| node).collect()
}

/// Says of which members the clocks are far from the median, for the cluster's alarms.
pub fn apart(nodes: &[&DescribeReply]) -> Vec<String> {
    let told = || nodes.iter().filter(|node| node.clock_ms > 0);
    let Some(median) = median(told().map(|node| Millis(node.clock_ms)).collect()) else {
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
    fn the_median_is_the_middle_or_the_earlier_of_two() {
        assert_eq!(median(clocks(&[])), None);
        assert_eq!(median(clocks(&[7])), Some(Millis(7)));
        assert_eq!(median(clocks(&[9, 1])), Some(Millis(1)));
        assert_eq!(median(clocks(&[9, 1, 5])), Some(Millis(5)));
        assert_eq!(median(clocks(&[9, 1, 5, 3])), Some(Millis(3)));
    }

    #[test]
    fn ten_seconds_are_not_too_far_and_a_moment_more_is() {
        let median = Millis(100_000);
        assert!(!too_far(Millis(110_000), median));
        assert!(too_far(Millis(110_001), median));
        assert!(!too_far(Millis(0), median));
    }

    #[tokio::test(start_paused = true)]
    async fn the_median_goes_on_while_nobody_is_asked() {
        let clocks = Clocks::default();
        assert!(!clocks.ahead(Millis(u64::MAX)), "nothing is known");
        *clocks.0.lock().unwrap() = Some(Median {
            time: Millis(50_000),
            asked: Instant::now(),
        });
        assert!(clocks.ahead(Millis(60_001)));
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        assert!(!clocks.ahead(Millis(61_000)));
        assert!(clocks.ahead(Millis(61_001)));
    }

    #[test]
    fn what_is_made_here_is_dated_near_the_median() {
        let clocks = Clocks::default();
        assert_eq!(clocks.near(Millis(7)), Millis(7));
        assert!(!clocks.behind(Millis(0)), "nothing is known");
        *clocks.0.lock().unwrap() = Some(Median {
            time: Millis(50_000),
            asked: Instant::now() + Duration::from_secs(60),
        });
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

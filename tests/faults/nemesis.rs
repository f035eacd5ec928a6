//! Whoever does the faults to the cluster: each begins, lasts, is undone, and then every member has to serve again.

use std::fmt;
use std::time::{Duration, Instant};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use rustix::process::Signal;
use tokio::time::sleep;

use crate::invariants::history::Node;
use crate::links::Way;
use crate::stage::Stage;
use crate::support::PATIENCE;

/// The least time without a leader before an election, as nodes have it where nobody says otherwise.
const ELECTION: Duration = Duration::from_millis(500);
/// Answers that a fault has to see before it is over, so that it has shown something.
pub const ANSWERS: usize = 5;
/// Calls that a node which cannot know has to get meanwhile.
const ASKED: usize = 3;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The leader, or another node, is killed.
    Kill,
    /// All nodes are killed at once.
    KillAll,
    /// The leader, or another node, stands still, and goes on as if nothing had been.
    Pause,
    /// A node is cut off: nothing gets through either way.
    Isolated,
    /// A node does not hear the others.
    Deaf,
    /// The others do not hear a node.
    Mute,
    /// Two nodes' connections break, and none comes about.
    Broken,
    /// One node does not hear one other.
    OneWay,
    /// All that nodes say to each other takes longer, and one of them is killed meanwhile.
    SlowLinks,
    /// A node has less room than it wants for changes.
    NearlyFull,
    /// A node has no room at all.
    Full,
    /// A sync fails once; the next would succeed.
    FailedSync,
    /// Nobody reads what a node prints.
    BlockedLog,
    /// All nodes are stopped and started again, one after the other.
    RollingRestart,
    /// Two nodes come and two go, while another is cut off.
    Membership,
    /// Snapshots are made while changes come as fast as they can.
    Snapshots,
    /// A node is away until the others' logs do not reach back to what it has.
    PurgedLog,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::Kill,
        Self::KillAll,
        Self::Pause,
        Self::Isolated,
        Self::Deaf,
        Self::Mute,
        Self::Broken,
        Self::OneWay,
        Self::SlowLinks,
        Self::NearlyFull,
        Self::Full,
        Self::FailedSync,
        Self::BlockedLog,
        Self::RollingRestart,
        Self::Membership,
        Self::Snapshots,
        Self::PurgedLog,
    ];

    /// Its name in the history.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::KillAll => "kill_all",
            Self::Pause => "pause",
            Self::Isolated => "isolated",
            Self::Deaf => "deaf",
            Self::Mute => "mute",
            Self::Broken => "broken",
            Self::OneWay => "one_way",
            Self::SlowLinks => "slow_links",
            Self::NearlyFull => "nearly_full",
            Self::Full => "full",
            Self::FailedSync => "failed_sync",
            Self::BlockedLog => "blocked_log",
            Self::RollingRestart => "rolling_restart",
            Self::Membership => "membership",
            Self::Snapshots => "snapshots",
            Self::PurgedLog => "purged_log",
        }
    }

    /// Whether it can be done here.
    pub fn possible(self, stage: &Stage) -> bool {
        match self {
            Self::NearlyFull | Self::Full => stage.disk.is_some(),
            Self::FailedSync => stage.shim.is_some(),
            _ => true,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Does faults, as a seed has it.
pub struct Nemesis {
    /// What they happen to.
    pub stage: Stage,
    /// Every choice.
    pub random: StdRng,
    /// The longest that a node stands still, in election timeouts.
    pub longest_pause: f64,
}

impl Nemesis {
    /// Of a seed.
    pub fn new(stage: Stage, seed: u64, longest_pause: f64) -> Self {
        Self {
            stage,
            random: StdRng::seed_from_u64(seed),
            longest_pause,
        }
    }

    /// Does one fault, from its beginning until every member serves again. Returns what it was in particular.
    pub async fn act(&mut self, kind: Kind) -> String {
        let recorded = self.stage.record.lock().history.fault(kind.name());
        let since = self.stage.record.lock().history.ticks;
        let told = match kind {
            Kind::Kill => self.kill(since).await,
            Kind::KillAll => self.kill_all(since).await,
            Kind::Pause => self.pause(since).await,
            Kind::Isolated => self.cut_off([Way::Silent, Way::Silent]).await,
            Kind::Deaf => self.cut_off([Way::Silent, Way::Open]).await,
            Kind::Mute => self.cut_off([Way::Open, Way::Silent]).await,
            Kind::Broken => self.between([Way::Broken, Way::Broken], since).await,
            Kind::OneWay => self.between([Way::Silent, Way::Open], since).await,
            Kind::SlowLinks => self.slow_links(since).await,
            Kind::NearlyFull => self.nearly_full(since).await,
            Kind::Full => self.full(since).await,
            Kind::FailedSync => self.failed_sync(since).await,
            Kind::BlockedLog => self.blocked_log(since).await,
            Kind::RollingRestart => self.rolling_restart().await,
            Kind::Membership => self.membership(since).await,
            Kind::Snapshots => self.snapshots().await,
            Kind::PurgedLog => self.purged_log().await,
        };
        self.stage.record.lock().history.mended(recorded);
        self.stage.serve().await;
        for member in self.stage.members() {
            assert!(self.stage.runs(member), "node {member} ended by itself");
        }
        told
    }

    /// Waits for so long, and until the fault has shown something.
    pub(crate) async fn last(&self, least: Duration, since: u64) {
        let began = Instant::now();
        while began.elapsed() < least || self.stage.record.lock().answered(since) < ANSWERS {
            // What is not answered in that time shows in the coverage.
            if began.elapsed() > PATIENCE {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// A time to last, in milliseconds.
    pub(crate) fn time(&mut self, millis: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(self.random.random_range(millis))
    }

    /// The leader, mostly, or any member.
    pub(crate) async fn victim(&mut self) -> Node {
        if self.random.random_bool(0.6) {
            return self.stage.leader().await;
        }
        self.member()
    }

    pub(crate) fn member(&mut self) -> Node {
        *self.stage.members().choose(&mut self.random).unwrap()
    }

    async fn kill(&mut self, since: u64) -> String {
        let node = self.victim().await;
        let away = self.time(0..2_000);
        self.stage.kill(node);
        self.last(away, since).await;
        self.stage.restart(node).await;
        format!("node {node} for {away:?}")
    }

    async fn kill_all(&mut self, since: u64) -> String {
        // In the middle of changes, of which some are acknowledged.
        let busy = self.time(100..800);
        self.last(busy, since).await;
        for node in self.stage.members() {
            self.stage.kill(node);
        }
        for node in self.stage.members() {
            self.stage.restart(node).await;
        }
        "all members".to_owned()
    }

    async fn pause(&mut self, since: u64) -> String {
        let node = self.victim().await;
        let most = self.longest_pause;
        let still = ELECTION.mul_f64(self.random.random_range(0.5..most));
        self.stage.signal(node, Signal::STOP);
        sleep(still).await;
        self.stage.signal(node, Signal::CONT);
        // It comes back in the middle of what it was doing: that is the moment.
        self.last(Duration::ZERO, since).await;
        format!("node {node} for {still:?}")
    }

    /// Cuts a node off from all others, by what it hears and what is heard of it.
    async fn cut_off(&mut self, [inward, outward]: [Way; 2]) -> String {
        let node = self.victim().await;
        let lasts = self.time(1_500..4_000);
        let ways = self.ways(node, inward, outward);
        self.stage.links.set(ways);
        // Nothing passes from here on, so that what begins now cannot be confirmed by a majority.
        let (closure, since) = {
            let mut record = self.stage.record.lock();
            (record.closes(node), record.history.ticks)
        };
        self.last(lasts, since).await;
        let began = Instant::now();
        while self.stage.record.lock().asked(node, since) < ASKED && began.elapsed() < PATIENCE {
            sleep(Duration::from_millis(20)).await;
        }
        self.stage.record.lock().opens(node, closure);
        self.stage.links.open();
        format!("node {node} for {lasts:?}")
    }

    /// The ways between a node and all others.
    pub(crate) fn ways(&self, node: Node, inward: Way, outward: Way) -> Vec<(Node, Node, Way)> {
        let others = (0..self.stage.places()).filter(|it| *it != node);
        others
            .flat_map(|it| [(it, node, inward), (node, it, outward)])
            .collect()
    }

    /// Does something to what two members say to each other.
    async fn between(&mut self, [one, other]: [Way; 2], since: u64) -> String {
        let node = self.victim().await;
        let mut others = self.stage.members();
        others.retain(|it| *it != node);
        let far = *others.choose(&mut self.random).unwrap();
        let lasts = self.time(1_000..3_000);
        // The leader hears, or is heard, at random.
        let (from, to) = if self.random.random_bool(0.5) {
            (node, far)
        } else {
            (far, node)
        };
        self.stage.links.set([(from, to, one), (to, from, other)]);
        self.last(lasts, since).await;
        self.stage.links.open();
        format!("from node {from} to node {to} for {lasts:?}")
    }

    async fn slow_links(&mut self, since: u64) -> String {
        let by = self.time(5..120);
        let places = self.stage.places();
        let all = (0..places).flat_map(|from| (0..places).map(move |to| (from, to)));
        self.stage
            .links
            .set(all.map(|(from, to)| (from, to, Way::Slow(by))));
        let lasts = self.time(500..1_500);
        self.last(lasts, since).await;
        let told = self.kill(since).await;
        self.last(lasts, since).await;
        self.stage.links.open();
        format!("each piece by {by:?}; killed: {told}")
    }

    async fn rolling_restart(&mut self) -> String {
        for node in self.stage.members() {
            self.stage.stop(node).await;
            self.stage.restart(node).await;
            self.stage.serve().await;
        }
        "all members".to_owned()
    }
}

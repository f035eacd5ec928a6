//! One run: a cluster of real processes, its clients and its nemesis; then everything is judged.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use rand::seq::SliceRandom as _;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::clients::{Client, Role};
use crate::feed;
use crate::invariants::coverage::{Needs, shortfalls};
use crate::invariants::history::History;
use crate::invariants::judge;
use crate::invariants::tally::Tally;
use crate::nemesis::{ANSWERS, Kind, Nemesis};
use crate::record::{Phase, Shared};
use crate::stage::Stage;
use crate::support::PATIENCE;
use crate::watchers::watch;

/// Clients that ask at random, the whole time.
const CLIENTS: usize = 10;
/// Clients that write as fast as they can, while that is wanted.
const RUSHING: usize = 12;
/// After so long clients speak of other subjects.
const AGE: Duration = Duration::from_secs(8);
/// Changes that have to be acknowledged for each fault.
const ACKNOWLEDGED: usize = 5;
/// What the machine is granted: everything runs on a few cores, and the clients with it.
const GRACE: Duration = Duration::from_secs(3);

/// How a run is set up.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Of all choices.
    pub seed: u64,
    /// How many nodes form the cluster, of five that there can be.
    pub members: usize,
    /// What is done to it, where it can be done here: each once, in random order.
    pub kinds: Vec<Kind>,
    /// And again and again, for so long.
    pub lasts: Duration,
    /// The longest that a node stands still, in election timeouts.
    pub longest_pause: f64,
}

/// What a run came to.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    tally: Tally,
    events: u64,
    installed: usize,
    unjudged: usize,
    longest_pause: Duration,
    served_after: Duration,
    reasons: BTreeMap<String, usize>,
}

/// Runs it.
///
/// # Panics
/// With what is wrong, the seed, and where everything lies.
pub async fn run(setting: Setting) -> Summary {
    let folder = tempfile::Builder::new()
        .prefix("faults-")
        .tempdir()
        .unwrap();
    eprintln!("faults: seed {}, {} members", setting.seed, setting.members);
    let record = Shared::new(5);
    let run = perform(&setting, folder.path(), &record);
    match AssertUnwindSafe(run).catch_unwind().await {
        Ok(summary) => summary,
        Err(why) => {
            let kept = folder.keep();
            let _ = std::fs::write(kept.join("history.txt"), told(&record.lock().history));
            eprintln!(
                "seed {} failed, with {} members; the data folders, the logs and the history lie in {}",
                setting.seed,
                setting.members,
                kept.display()
            );
            std::panic::resume_unwind(why)
        }
    }
}

async fn perform(setting: &Setting, folder: &Path, record: &Shared) -> Summary {
    let seed = setting.seed;
    let stage = Stage::set(folder.to_owned(), 5, setting.members, record.clone()).await;
    record.lock().history.grace = GRACE;
    let roles = [Role::Random; CLIENTS].into_iter();
    let roles = roles.chain([Role::Probe]).chain([Role::Rush; RUSHING]);
    let clients = roles.enumerate().map(|(id, role)| {
        let client = Client::new(id, role, record.clone(), seed);
        tokio::spawn(client.run())
    });
    let clients: Vec<_> = clients.collect();
    let watchers = feed::filters().into_iter().zip(1..);
    let watchers =
        watchers.map(|(filter, at)| tokio::spawn(watch(filter, record.clone(), seed + at)));
    let watchers: Vec<_> = watchers.collect();

    let mut nemesis = Nemesis::new(stage, seed, setting.longest_pause);
    let done = act(&mut nemesis, setting).await;
    record.lock().phase = Phase::Healing;
    all(clients, "a client").await;
    nemesis.stage.collect().await;
    all(watchers, "a watcher").await;

    let record = record.lock();
    let report = judge(&record.history);
    report.assert_holds();
    let needs = Needs {
        faults: done
            .iter()
            .map(|(kind, times)| (kind.name(), *times, ANSWERS))
            .collect(),
        acknowledged: ACKNOWLEDGED * done.values().sum::<usize>(),
        compared: 1,
        gave_up: record.subjects.len() / 20,
    };
    let short = shortfalls(&record.history, &report, &needs);
    assert!(short.is_empty(), "the run has shown too little: {short:#?}");
    Summary {
        tally: Tally::of(&record.history),
        events: record.goal,
        installed: nemesis.stage.installed(),
        unjudged: report.gave_up(),
        longest_pause: record.longest_pause,
        served_after: nemesis.stage.served_after,
        reasons: record.reasons().clone(),
    }
}

/// Does what is planned. Returns how often each was done.
async fn act(nemesis: &mut Nemesis, setting: &Setting) -> BTreeMap<Kind, usize> {
    let began = Instant::now();
    let lasts = setting.lasts;
    let mut done = BTreeMap::new();
    let (mut age, mut aged) = (0, began);
    loop {
        let mut round = setting.kinds.clone();
        round.shuffle(&mut nemesis.random);
        for kind in round {
            let first = !done.contains_key(&kind);
            if !kind.possible(&nemesis.stage) || (!first && began.elapsed() > lasts) {
                continue;
            }
            let since = Instant::now();
            let told = nemesis.act(kind).await;
            *done.entry(kind).or_default() += 1;
            let (operations, acknowledged) = {
                let record = nemesis.stage.record.lock();
                (record.history.operations.len(), record.acknowledged())
            };
            eprintln!(
                "{:>6.1} s {kind} took {:.1} s: {told}; {} operations so far, {} changes acknowledged",
                began.elapsed().as_secs_f64(),
                since.elapsed().as_secs_f64(),
                operations,
                acknowledged,
            );
            if aged.elapsed() > AGE {
                (age, aged) = (age + 1, Instant::now());
                nemesis.stage.age(age).await;
            }
        }
        if began.elapsed() > lasts {
            return done;
        }
    }
}

/// Waits for all of them to end.
async fn all(tasks: Vec<JoinHandle<()>>, what: &str) {
    for task in tasks {
        let ended = timeout(PATIENCE, task).await;
        ended.unwrap_or_else(|_| panic!("{what} hangs")).unwrap();
    }
}

/// All that was recorded, for who looks for the reason.
fn told(history: &History) -> String {
    let mut text = String::new();
    for fault in &history.faults {
        let _ = writeln!(text, "{fault:?}");
    }
    for closure in &history.closures {
        let _ = writeln!(text, "{closure:?}");
    }
    for operation in &history.operations {
        let _ = writeln!(text, "{operation}");
    }
    for journal in &history.journals {
        let _ = writeln!(text, "journal of node {}", journal.node);
        for entry in &journal.entries {
            let _ = writeln!(text, "{entry}");
        }
    }
    text
}

impl Summary {
    /// Adds another run's.
    pub fn add(&mut self, other: Self) {
        self.tally.add(&other.tally);
        self.events += other.events;
        self.installed += other.installed;
        self.unjudged += other.unjudged;
        self.longest_pause = self.longest_pause.max(other.longest_pause);
        self.served_after = self.served_after.max(other.served_after);
        for (reason, times) in other.reasons {
            *self.reasons.entry(reason).or_default() += times;
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} operations: {} changes acknowledged, {} reads answered, {} unknown, {} failed for certain; {} events, {} snapshots \
             installed, {} parts left unjudged; no change acknowledged for {:.1} s at most, every member served {:.1} s after a fault at \
             most",
            self.tally.operations,
            self.tally.acknowledged,
            self.tally.answered,
            self.tally.unknown,
            self.tally.failed,
            self.events,
            self.installed,
            self.unjudged,
            self.longest_pause.as_secs_f64(),
            self.served_after.as_secs_f64(),
        )?;
        for (kind, (times, answers)) in &self.tally.faults {
            writeln!(f, "  {kind}: {times} times, {answers} answers meanwhile")?;
        }
        for (reason, times) in &self.reasons {
            writeln!(f, "  {times} calls ended with {reason}")?;
        }
        Ok(())
    }
}

//! One run: a cluster, its clients and its nemesis, all from a seed; then everything is judged.

use std::time::Duration;

use rand::Rng as _;
use serde::{Deserialize, Serialize};

use crate::clients::Client;
use crate::faults::{KINDS, wanted};
use crate::feed;
use crate::hosts::Host;
use crate::invariants::{
    self,
    coverage::{Needs, shortfalls},
    tally::Tally,
};
use crate::nemesis::Nemesis;
use crate::operator::Operator;
use crate::random::stream;
use crate::record::{Phase, Record};
use crate::told::Told;
use crate::watchers::watch;
use crate::world::network;

/// Clients of a run.
const CLIENTS: usize = 5;
/// Seconds of faults for each change that has to be acknowledged at the least; fewer, and the run has shown nothing. A seed
/// may be a hard one: what many seeds acknowledge on average is held beside it.
const SECONDS_EACH: u64 = 4;

/// What a run came to.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Summary {
    /// The hash over all that was observed.
    pub trace: String,
    /// Outcomes and faults.
    pub tally: Tally,
    /// The last term: about how many elections there were.
    pub terms: u64,
    /// Snapshots that were installed.
    pub installed: usize,
    /// Events in the end.
    pub events: u64,
    /// Milliseconds until every member served again.
    pub served_after_ms: u64,
}

/// Runs a seed, with faults for so long. `told` prints every observation.
///
/// # Panics
/// With what is wrong: a promise that was broken, or a run that has shown too little.
pub fn run(seed: u64, faults: Duration, told: bool) -> Summary {
    let counting = Told::listen();
    let mut random = stream(seed, "world");
    // Three members and a spare, or five and none.
    let (nodes, members) = if random.random_bool(0.8) {
        (4, 3)
    } else {
        (5, 5)
    };
    let compaction = (random.random_range(512..4_096), random.random_range(0..20));
    let mut sim = network(seed, faults + Duration::from_secs(300));
    let record = Record::new(told);
    record.borrow_mut().note(format_args!(
        "seed {seed}: {members} members of {nodes} hosts, compaction {compaction:?}"
    ));
    let hosts = (0..nodes).map(|node| Host::start(&mut sim, seed, node, Some(compaction), |_| {}));
    let hosts = hosts.collect();
    for id in 0..=CLIENTS {
        let random = stream(seed, &format!("client {id}"));
        let client = Client::new(id, nodes, record.clone(), random);
        let probes = id == CLIENTS;
        record.borrow_mut().asking += 1;
        let ended = record.clone();
        sim.client(format!("client-{id}"), async move {
            if probes {
                client.probe().await;
            } else {
                client.run().await;
            }
            ended.borrow_mut().asking -= 1;
            Ok(())
        });
    }
    for (id, filter) in feed::filters().into_iter().enumerate() {
        let random = stream(seed, &format!("watcher {id}"));
        let watching = watch(nodes, filter, record.clone(), random);
        sim.client(format!("watcher-{id}"), async move {
            watching.await;
            Ok(())
        });
    }
    let operator = Operator::new(nodes, members, record.clone());
    sim.client("operator", async move {
        operator.run().await;
        Ok(())
    });

    let mut nemesis = Nemesis::new(hosts, members, record.clone(), stream(seed, "nemesis"));
    let mut over_at = None;
    loop {
        let done = sim
            .step()
            .unwrap_or_else(|error| panic!("the simulation broke off: {error}"));
        let now = sim.elapsed();
        record.borrow_mut().set_now(now);
        nemesis.tend(&mut sim);
        let phase = record.borrow().phase;
        if phase == Phase::Faults {
            let over = *over_at.get_or_insert(now + faults);
            if now < over {
                nemesis.act(&mut sim, over);
            } else {
                nemesis.heal(&mut sim);
                let mut record = record.borrow_mut();
                record.phase = Phase::Healing;
                record.note("nothing is wrong any more");
            }
        } else if phase == Phase::Healing {
            nemesis.learn(&mut sim);
        }
        if done {
            break;
        }
    }
    drop(sim);
    // Timers are as fine as a millisecond.
    record.borrow_mut().history.grace = Duration::from_millis(2);
    let record = record.borrow();
    let report = invariants::judge(&record.history);
    report.assert_holds();
    assert_eq!(record.differs, None, "no invariant is violated, and still");
    let summary = Summary {
        trace: record.trace(),
        tally: Tally::of(&record.history),
        terms: record.term,
        installed: counting.count("installed a snapshot"),
        events: record.goal,
        served_after_ms: record
            .served_after
            .map_or(0, |it| u64::try_from(it.as_millis()).unwrap()),
    };
    let acknowledged = usize::try_from(faults.as_secs() / SECONDS_EACH).unwrap();
    let needs = Needs {
        faults: Vec::new(),
        // Where only the worst goes wrong, all the time, next to nothing may be left.
        acknowledged: if wanted().len() < KINDS.len() {
            0
        } else {
            acknowledged
        },
        compared: 1,
        gave_up: 0,
    };
    let short = shortfalls(&record.history, &report, &needs);
    assert!(short.is_empty(), "the run has shown too little: {short:#?}");
    summary
}

//! Faults done to real nodes on loopback, and everything that is promised judged over what clients saw meanwhile.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![cfg(target_os = "linux")]

mod alerts;
#[path = "../simulation/calls.rs"]
mod calls;
mod clients;
mod disk;
#[path = "../simulation/feed.rs"]
mod feed;
#[path = "../invariants/mod.rs"]
mod invariants;
mod links;
mod nemesis;
mod paused_leader;
mod reading;
mod record;
mod run;
#[path = "../processes/skip.rs"]
mod skip;
mod stage;
#[allow(dead_code, reason = "another test uses the rest")]
#[path = "../processes/support.rs"]
mod support;
mod synced;
mod trouble;
mod unread;
mod watchers;

use std::time::{Duration, Instant};

use links::Links;
use nemesis::Kind;
use run::{Setting, Summary, run};
use skip::skip;
use tokio::sync::Mutex;

/// One run at a time: each has five nodes, and looks at how long things take.
static ONE: Mutex<()> = Mutex::const_new(());

/// How many nodes there can be in a cluster.
const PLACES: usize = 5;

/// How often a fault is the leader's.
const LEADERS: f64 = 0.6;

/// How long one cluster is troubled, since each history is judged as a whole.
const AT_ONCE: Duration = Duration::from_secs(180);

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

/// The seed that `NEMESIS_SEED` names, or one that nobody has seen.
fn seed() -> u64 {
    number("NEMESIS_SEED").unwrap_or_else(|| u64::from(rand::random::<u32>()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_keep_every_promise_through_faults() {
    let _one = ONE.lock().await;
    let kinds = vec![
        Kind::Kill,
        Kind::StartsAlone,
        Kind::Pause,
        Kind::Isolated,
        Kind::Deaf,
        Kind::Mute,
        Kind::OneWay,
        Kind::FailedSync,
        Kind::BlockedLog,
        Kind::NearlyFull,
        Kind::Snapshots,
    ];
    let setting = Setting {
        seed: seed(),
        members: 3,
        kinds,
        lasts: Duration::ZERO,
        longest_pause: 4.0,
        leaders: LEADERS,
    };
    let summary = run(setting, Links::by_proxies(PLACES)).await;
    eprintln!("{summary}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_nodes_keep_every_promise_through_faults() {
    let _one = ONE.lock().await;
    let setting = Setting {
        seed: seed(),
        members: 5,
        kinds: vec![Kind::KillAll, Kind::Broken, Kind::Membership],
        lasts: Duration::ZERO,
        longest_pause: 4.0,
        leaders: LEADERS,
    };
    let summary = run(setting, Links::by_proxies(PLACES)).await;
    eprintln!("{summary}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_keep_every_promise_when_the_kernel_cuts_them_off() {
    let _one = ONE.lock().await;
    let links = match Links::by_kernel(3) {
        Ok(links) => links,
        Err(why) => {
            return skip(
                "namespaces",
                &format!("no node has a network of its own: {why}"),
            );
        }
    };
    let setting = Setting {
        seed: seed(),
        members: 3,
        kinds: vec![
            Kind::Isolated,
            Kind::Deaf,
            Kind::Mute,
            Kind::OneWay,
            Kind::SlowLinks,
        ],
        lasts: Duration::ZERO,
        longest_pause: 4.0,
        leaders: 1.0,
    };
    let summary = run(setting, links).await;
    eprintln!("{summary}");
}

/// The faults that a run is about, such as `NEMESIS_KINDS=full,pause`; all of them where it does not say.
fn kinds() -> Vec<Kind> {
    let Ok(names) = std::env::var("NEMESIS_KINDS") else {
        return Kind::ALL.to_vec();
    };
    let kind = |name: &str| {
        let found = Kind::ALL.into_iter().find(|kind| kind.name() == name);
        found.unwrap_or_else(|| panic!("there is no fault {name}"))
    };
    names.split(',').map(kind).collect()
}

/// The links that `NEMESIS_LINKS` names: by the kernel, or by proxies where it does not say.
fn links() -> Links {
    match std::env::var("NEMESIS_LINKS").as_deref() {
        Ok("namespaces") => Links::by_kernel(PLACES).unwrap(),
        Ok("proxies") | Err(_) => Links::by_proxies(PLACES),
        Ok(other) => panic!("there are no links {other}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes as many seconds as NEMESIS_SECONDS says, 1200 where it does not"]
async fn nemesis() {
    let _one = ONE.lock().await;
    let lasts = Duration::from_secs(number("NEMESIS_SECONDS").unwrap_or(1_200));
    let began = Instant::now();
    let mut total = Summary::default();
    let mut runs = 0;
    for (seed, members) in (seed()..).zip([3, 5].into_iter().cycle()) {
        let left = lasts.saturating_sub(began.elapsed());
        if left.is_zero() {
            break;
        }
        let setting = Setting {
            seed,
            members,
            kinds: kinds(),
            lasts: left.min(AT_ONCE),
            longest_pause: 10.0,
            leaders: LEADERS,
        };
        let summary = run(setting, links()).await;
        runs += 1;
        eprintln!("seed {seed}, {members} members: {summary}");
        total.add(summary);
    }
    eprintln!(
        "{runs} clusters in {} s kept every promise: {total}",
        began.elapsed().as_secs()
    );
}

//! One fault, one alert: a real Prometheus scrapes a cluster with the rules that are shipped, while one thing at a time is wrong.

mod prometheus;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use self::prometheus::{Prometheus, RATE, shipped};
use crate::ONE;
use crate::invariants::history::Node;
use crate::links::{Links, Way};
use crate::record::Shared;
use crate::skip::skip;
use crate::stage::{ON_DISK, Stage};
use crate::support::{PATIENCE, channel, check, eventually, expect, opt_out};
use refrain::proto::v1::preference_service_client::PreferenceServiceClient;

/// Who has trouble, unless it takes a disk of its own. Never the leader.
const VICTIM: Node = 2;
/// Who leads when the trouble begins.
const LEADER: Node = 0;
/// How long an alert has to stay alone once it fires: longer than any other is held back.
const ALONE: Duration = Duration::from_secs(10);
/// Within which an alert comes and goes: a bound on a hang.
const COMES: Duration = Duration::from_secs(90);

/// What services do all the while: they opt out and ask, at nodes that have no trouble.
struct Busy {
    at: Arc<Mutex<Vec<String>>>,
    work: JoinHandle<()>,
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.work.abort();
    }
}

impl Busy {
    fn start() -> Self {
        let at = Arc::new(Mutex::new(Vec::<String>::new()));
        let places = Arc::clone(&at);
        let work = tokio::spawn(async move {
            for person in 0_u64.. {
                let nodes = places.lock().await.clone();
                for node in nodes {
                    let address = format!("person{person}@example.com");
                    let mut client = PreferenceServiceClient::new(channel(&node).unwrap());
                    // What comes of it is for the metrics to tell.
                    let _ = timeout(COMES, client.set_opt_out(opt_out(&address))).await;
                    let _ = timeout(COMES, check(&node, &address)).await;
                }
                sleep(Duration::from_millis(20)).await;
            }
        });
        Self { at, work }
    }
}

/// A cluster under the eyes of Prometheus.
struct Watched {
    stage: Stage,
    prometheus: Prometheus,
    busy: Busy,
}

impl Watched {
    async fn start(folder: &std::path::Path) -> Self {
        let links = Links::by_proxies(3);
        let stage = Stage::set(folder.join("nodes"), links, 3, Shared::new(3)).await;
        let watched = Self {
            stage,
            prometheus: Prometheus::start(&folder.join("prometheus")).await,
            busy: Busy::start(),
        };
        watched.all_at_work().await;
        eventually("every node is scraped", || async {
            let up = watched.prometheus.query("sum(up)").await;
            (up == ["3"]).then_some(())
        })
        .await;
        watched
    }

    /// Has Prometheus and the services look where the nodes are now.
    async fn all_at_work(&self) {
        let addresses = (0..3).map(|place| self.stage.node(place).client.clone());
        let addresses: Vec<String> = addresses.collect();
        let named = addresses
            .iter()
            .enumerate()
            .map(|(place, address)| (format!("node{place}"), address.clone()));
        self.prometheus.scrape(&named.collect::<Vec<_>>());
        *self.busy.at.lock().await = addresses;
    }

    /// Nobody asks this node for a while, and another leads.
    async fn spare(&self, victim: Node) {
        let leader = self.stage.node(LEADER);
        eventually("the leader that is wanted leads", || async {
            if self.stage.leader().await == LEADER {
                return Some(());
            }
            let hand_over = ["cluster", "transfer-leader", &leader.id];
            let _ = self.stage.run(LEADER, &hand_over);
            None
        })
        .await;
        let away = self.stage.node(victim).client.clone();
        self.busy.at.lock().await.retain(|it| *it != away);
    }

    /// Holds that an alert comes, and that it is the only one.
    async fn alone(&self, alert: &str) {
        let wanted = BTreeSet::from([alert.to_owned()]);
        let began = Instant::now();
        let mut since = None;
        loop {
            let firing = self.prometheus.firing().await;
            assert!(
                firing.is_subset(&wanted),
                "{alert} was to come alone, and there is {firing:?}"
            );
            if firing == wanted {
                let (since, came) = *since.get_or_insert_with(|| (Instant::now(), began.elapsed()));
                if since.elapsed() >= ALONE {
                    eprintln!("{alert} came alone after {} s", came.as_secs());
                    return;
                }
            } else {
                assert!(since.is_none(), "{alert} went again");
                assert!(began.elapsed() < COMES, "{alert} never came");
            }
            sleep(Duration::from_millis(300)).await;
        }
    }

    /// Waits until nothing fires any more; nothing new may.
    async fn quiet(&mut self, after: &str) {
        self.stage.serve().await;
        self.all_at_work().await;
        let began = Instant::now();
        loop {
            let firing = self.prometheus.firing().await;
            if firing.is_empty() {
                return;
            }
            assert!(
                firing.iter().all(|one| one == after),
                "after {after} was mended there is {firing:?}"
            );
            assert!(began.elapsed() < COMES, "{after} never went");
            sleep(Duration::from_millis(300)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_raises_its_alert_and_no_other() {
    if !Prometheus::is_here() {
        return skip(
            "prometheus",
            "no alert is raised: there is no prometheus and promtool; Debian's package `prometheus` has both",
        );
    }
    let _one = ONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("nodes")).unwrap();
    let mut watched = Watched::start(folder.path()).await;
    panels_have_data(&watched.prometheus).await;

    watched.spare(VICTIM).await;
    watched.stage.kill(VICTIM);
    watched.alone("RefrainNodeDown").await;
    watched.stage.restart(VICTIM).await;
    watched.quiet("RefrainNodeDown").await;

    watched.spare(VICTIM).await;
    let others = (0..3).filter(|it| *it != VICTIM);
    let ways = others.flat_map(|it| [(it, VICTIM, Way::Silent), (VICTIM, it, Way::Silent)]);
    watched.stage.links.set(ways.collect::<Vec<_>>());
    watched.alone("RefrainPartition").await;
    watched.stage.links.open();
    watched.quiet("RefrainPartition").await;

    if watched.stage.shim.is_some() {
        watched.spare(VICTIM).await;
        let slow = watched.stage.syncs_are_slow(VICTIM);
        fs::write(&slow, "").unwrap();
        watched.alone("RefrainDiskSlow").await;
        fs::remove_file(slow).unwrap();
        watched.quiet("RefrainDiskSlow").await;
    }

    watched.spare(VICTIM).await;
    let other = ("REFRAIN_MAX_CALLS".to_owned(), "64".to_owned());
    watched.stage.node_mut(VICTIM).env.push(other);
    watched.stage.stop(VICTIM).await;
    watched.stage.restart(VICTIM).await;
    watched.all_at_work().await;
    watched.alone("RefrainConfigDrift").await;
    watched.spare(VICTIM).await;
    watched.stage.node_mut(VICTIM).env.pop();
    watched.stage.stop(VICTIM).await;
    watched.stage.restart(VICTIM).await;
    watched.quiet("RefrainConfigDrift").await;

    // Nearly full, and then so full that the node ends: one fault all the while.
    if watched.stage.disk.is_some() {
        watched.spare(ON_DISK).await;
        let disk = |it: &Watched, left| it.stage.disk.as_ref().unwrap().leave(left);
        disk(&watched, 48 << 20);
        watched.alone("RefrainDiskFull").await;
        disk(&watched, 0);
        let began = Instant::now();
        while watched.stage.runs(ON_DISK) {
            assert!(
                began.elapsed() < PATIENCE,
                "a full disk does not end the node"
            );
            sleep(Duration::from_millis(100)).await;
        }
        watched.alone("RefrainDiskFull").await;
        watched.stage.disk.as_ref().unwrap().free();
        watched.stage.down(ON_DISK);
        watched.stage.restart(ON_DISK).await;
        watched.quiet("RefrainDiskFull").await;
    }
}

/// Every panel of the dashboard that is shipped shows something of a cluster at work.
async fn panels_have_data(prometheus: &Prometheus) {
    let dashboard = fs::read_to_string(shipped("grafana/refrain.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let mut queries = 0;
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        let targets = panel["targets"].as_array();
        assert!(targets.is_some() || panel["type"] == "row", "{title}");
        for target in targets.into_iter().flatten() {
            let expression = target["expr"].as_str().unwrap();
            let asked = expression
                .replace("$__rate_interval", RATE)
                .replace("$job", "refrain");
            assert!(!asked.contains('$'), "{title}: {asked}");
            eventually(&format!("{title} shows {asked}"), || async {
                let values = prometheus.query(&asked).await;
                values.iter().any(|it| it != "NaN").then_some(())
            })
            .await;
            queries += 1;
        }
    }
    assert!(queries > 20, "only {queries} queries");
    eprintln!("all {queries} queries of the dashboard have data");
}

#[test]
fn the_rules_hold_against_made_up_series() {
    if !Prometheus::is_here() {
        return skip(
            "prometheus",
            "no rule is checked: there is no promtool; Debian's package `prometheus` has it",
        );
    }
    for args in [
        ["check", "rules", "refrain.rules.yaml"],
        ["test", "rules", "refrain.rules.test.yaml"],
    ] {
        let mut promtool = Command::new("promtool");
        let promtool = promtool.args(args).current_dir(shipped("prometheus"));
        expect(&promtool.output().unwrap(), 0);
    }
    // The example of a configuration, but for the token that is not there.
    let example = fs::read_to_string(shipped("prometheus/prometheus.yaml")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("refrain.token");
    fs::write(&token, "token").unwrap();
    let here = example
        .replace("/etc/prometheus/refrain.token", token.to_str().unwrap())
        .replace(
            "refrain.rules.yaml",
            shipped("prometheus/refrain.rules.yaml").to_str().unwrap(),
        );
    assert_ne!(here, example);
    let config = folder.path().join("prometheus.yaml");
    fs::write(&config, here).unwrap();
    let output = Command::new("promtool")
        .args(["check", "config"])
        .arg(config)
        .output();
    expect(&output.unwrap(), 0);
}

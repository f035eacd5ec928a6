//! The previous release beside today's program in one cluster of three: up one node at a time, and down again.
//!
//! `TEST_PREVIOUS_BIN` names the previous program. Without it today's is in both places, so that what is done here is tried.

mod clients;

use std::path::{Path, PathBuf};
use std::time::Instant;

use clients::Clients;
use futures::future::join_all;
use refrain::domain::FEATURE_LEVEL;
use refrain::limits::FEATURE_LEVEL_INTERVAL;
use refrain::proto::v1::{
    Member, StatusResponse, preference_service_client::PreferenceServiceClient,
};

use crate::skip::skip;
use crate::support::{Cluster, PATIENCE, REFRAIN, channel, eventually, expect, opt_out};

/// How many changes have to be acknowledged, and questions answered, in each state that the cluster passes through.
const MORE: usize = 30;

/// So small that a few hundred writes make a snapshot, and some more purge the log behind it.
const SMALL: [&str; 2] = ["--snapshot-log-bytes", "65536"];

/// The previous program, or today's where none is named.
fn previous() -> PathBuf {
    let named = std::env::var_os("TEST_PREVIOUS_BIN").map(PathBuf::from);
    named.unwrap_or_else(|| {
        skip(
            "previous",
            "TEST_PREVIOUS_BIN names no previous release to be mixed in: today's program is upgraded to itself",
        );
        REFRAIN.into()
    })
}

/// The cluster, and the clients that write and ask all the while.
struct Upgrade {
    cluster: Cluster,
    clients: Clients,
    previous: PathBuf,
    /// The feature level of the previous release.
    level: u32,
}

impl Upgrade {
    async fn start() -> Self {
        let previous = previous();
        let cluster = Cluster::start_as(&previous, 3, &SMALL).await;
        purge(&cluster).await;
        let status = cluster.nodes[0].status().await.unwrap();
        Self {
            clients: Clients::start(&cluster),
            cluster,
            previous,
            level: status.feature_level,
        }
    }

    /// Stops a node as an operator does, and starts it with this program. Whether it serves: it may refuse to start.
    async fn change(&mut self, place: usize, program: &Path) -> bool {
        let node = &mut self.cluster.nodes[place];
        assert!(node.terminate().await.success(), "{}", node.log());
        program.clone_into(&mut node.program);
        if node.try_restart().await.is_err() {
            return false;
        }
        node.until_ready().await;
        true
    }

    async fn upgrade(&mut self, place: usize) {
        let serves = self.change(place, Path::new(REFRAIN)).await;
        let said = self.cluster.nodes[place].log();
        assert!(serves, "today's program refuses the data folder:\n{said}");
        self.all_is_well().await;
    }

    /// Puts the previous program back, which the feature level does not forbid yet: it serves, or it refuses the data folder
    /// and leaves it to today's as it was. Whether it serves.
    async fn downgrade(&mut self, place: usize) -> bool {
        assert_eq!(self.status().await.feature_level, self.level);
        let previous = self.previous.clone();
        let serves = self.change(place, &previous).await;
        if !serves {
            assert_ne!(previous, Path::new(REFRAIN), "today's refuses its own");
            let node = &mut self.cluster.nodes[place];
            eprintln!("the previous release refuses:\n{}", node.log());
            node.program = REFRAIN.into();
            node.restart().await;
            node.until_ready().await;
        }
        self.all_is_well().await;
        serves
    }

    /// Has a node lead, and changes be made while it does.
    async fn lead(&self, place: usize) {
        let node = &self.cluster.nodes[place];
        eventually("the leadership is handed over", || async {
            let asked = node.run(&["cluster", "transfer-leader", &node.id]);
            let led = node.status().await?.leader_id == node.id;
            (asked.status.success() && led).then_some(())
        })
        .await;
        self.all_is_well().await;
        assert_eq!(self.cluster.leader().await, place, "another one led");
    }

    /// Adds a node that runs this program and takes a snapshot from whoever leads, and takes it out again.
    async fn is_joined_by(&mut self, program: &Path) {
        program.clone_into(&mut self.cluster.program);
        let place = self.cluster.spawn().await;
        let mut joined = self.cluster.nodes.remove(place);
        let first = &self.cluster.nodes[0];
        expect(&first.run(&["cluster", "add", &joined.peer]), 0);
        joined.until_ready().await;
        let said = joined.log();
        assert!(said.contains("installed a snapshot"), "{said}");
        self.all_is_well().await;
        self.clients.all_stands_on(&joined).await;
        let first = &self.cluster.nodes[0];
        expect(&first.run(&["cluster", "remove", &joined.id]), 0);
        joined.kill();
        // Another may come to its place.
        std::fs::remove_dir_all(&joined.data).unwrap();
        std::fs::remove_file(joined.data.with_extension("log")).unwrap();
    }

    async fn status(&self) -> StatusResponse {
        eventually("a status", || self.cluster.nodes[0].status()).await
    }

    /// Waits until clients have written and asked some more, and holds that no two nodes differ.
    async fn all_is_well(&self) {
        self.clients.go_on(MORE).await;
        for node in &self.cluster.nodes {
            let alarms = eventually("a status", || node.status()).await.alarms;
            let differ = alarms.iter().any(|alarm| alarm.contains("DIFFERS"));
            assert!(!differ, "{alarms:?}");
        }
    }

    /// Once the clients are still: what was acknowledged stands everywhere, and the same state with the same journal.
    async fn is_the_same_everywhere(&self) {
        for node in &self.cluster.nodes {
            self.clients.all_stands_on(node).await;
        }
        let whole = eventually("all have come to one revision", || async {
            let status = self.cluster.nodes[0].status().await?;
            let told = status.members.into_iter().map(|member| {
                assert_eq!(member.revision, member.hash_revision);
                let Member {
                    revision,
                    journal_events,
                    ..
                } = member;
                let all = member.reachable && journal_events == revision;
                all.then_some((revision, member.state_hash, member.journal_root))
            });
            let told: Vec<_> = told.collect::<Option<_>>()?;
            told.iter().all(|one| one.0 == told[0].0).then_some(told)
        })
        .await;
        assert_eq!(whole.len(), 3);
        assert!(whole.iter().all(|one| *one == whole[0]), "{whole:?}");
    }
}

/// Writes what changes nothing until every log was purged: who joins from here on needs a snapshot.
async fn purge(cluster: &Cluster) {
    let client = PreferenceServiceClient::new(channel(&cluster.nodes[0].client).unwrap());
    let (mut longest, mut purged) = ([0; 3], [false; 3]);
    let began = Instant::now();
    while purged != [true; 3] {
        assert!(began.elapsed() < PATIENCE, "never purged: {longest:?}");
        let many = (0..100).map(|_| {
            let mut client = client.clone();
            async move { client.set_opt_out(opt_out("again@example.com")).await }
        });
        join_all(many).await;
        let status = eventually("a status", || cluster.nodes[0].status()).await;
        for (place, member) in status.members.iter().enumerate() {
            // Of who does not answer nothing is known.
            if !member.reachable {
                continue;
            }
            purged[place] |= member.log_bytes < longest[place];
            longest[place] = longest[place].max(member.log_bytes);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_goes_up_one_node_at_a_time_and_may_go_back() {
    let mut up = Upgrade::start().await;
    let today = Path::new(REFRAIN);
    let (previous, level) = (up.previous.clone(), up.level);

    // The previous release leads, and today's follows: as one of the three, and as one that takes a snapshot of it.
    up.lead(0).await;
    up.upgrade(1).await;
    up.lead(0).await;
    up.is_joined_by(today).await;

    // Today's leads, and the previous release follows, and takes a snapshot of it.
    up.lead(1).await;
    up.is_joined_by(&previous).await;

    // Somebody thinks better of it: the leader of today goes back. And then on after all.
    if up.downgrade(1).await {
        up.upgrade(1).await;
    }
    up.upgrade(2).await;

    // One of the previous release is left. However long today's lead, nothing is switched on that it does not know.
    up.lead(1).await;
    let led = Instant::now();
    while level < FEATURE_LEVEL && led.elapsed() < FEATURE_LEVEL_INTERVAL * 2 {
        up.all_is_well().await;
    }
    assert_eq!(up.status().await.feature_level, level);
    up.lead(0).await;
    up.upgrade(0).await;
    let raised = eventually("what is new is switched on", || async {
        let now = up.status().await.feature_level;
        (now == FEATURE_LEVEL).then_some(now > level)
    })
    .await;

    // Where nothing was switched on, all of them may go back.
    if !raised {
        for place in [2, 1, 0] {
            up.downgrade(place).await;
        }
        up.lead(2).await;
    }
    let (done, denied) = up.clients.counts();
    up.clients.end().await;
    up.is_the_same_everywhere().await;
    eprintln!(
        "{done} changes were acknowledged and {denied} questions denied; the feature level was {level}"
    );
}

//! The cluster that faults happen to: real processes, the links between them, their disks; and what it has to show in the end.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use refrain::proto::v1::StatusResponse;
use rustix::process::{Pid, Signal, kill_process};
use tokio::task::block_in_place;
use tokio::time::timeout;

use crate::disk::{Disk, Shim};
use crate::invariants::history::Node;
use crate::links::Links;
use crate::record::Shared;
use crate::skip::skip;
use crate::support::{self, eventually, expect, token_key};

/// Within which every member has to serve when the faults are over (I10).
pub const SERVES_WITHIN: Duration = Duration::from_secs(10);
/// How long one question of the test may take: a node may be stopped, or cut off.
const MOMENT: Duration = Duration::from_secs(3);
/// The node that lies on a disk of its own, where there can be one.
pub const ON_DISK: Node = 1;
/// Bytes of log after which a snapshot is made: so few that there are snapshots all the time.
const SNAPSHOT_LOG_BYTES: &str = "65536";

/// A cluster, with places for nodes that are not there yet.
pub struct Stage {
    /// Between the nodes.
    pub links: Links,
    /// The disk of [`ON_DISK`], where there can be one.
    pub disk: Option<Disk>,
    /// Whether syncs can be made to fail.
    pub shim: Option<Shim>,
    /// What is observed.
    pub record: Shared,
    /// The longest time until every member served again.
    pub served_after: Duration,
    /// How many snapshots wiped nodes had installed.
    installed_before: usize,
    nodes: Vec<Option<support::Node>>,
    pub(crate) peers: Vec<String>,
    folder: PathBuf,
}

impl Stage {
    /// A cluster of the first `members` places that the links have, which serves.
    pub async fn set(folder: PathBuf, links: Links, members: usize, record: Shared) -> Self {
        token_key(&folder);
        let places = links.nodes();
        let mut peers = Vec::new();
        for place in 0..places {
            peers.push(links.before(place).await.to_string());
        }
        let disk = Disk::mount(&folder.join(format!("node{ON_DISK}")));
        let disk = disk
            .inspect_err(|why| skip("disk", &format!("no disk can be filled: {why}")))
            .ok();
        let shim = Shim::compile(&folder);
        let shim = shim
            .inspect_err(|why| skip("cc", &format!("no sync can fail: {why}")))
            .ok();
        let mut stage = Self {
            links,
            disk,
            shim,
            record,
            served_after: Duration::ZERO,
            installed_before: 0,
            nodes: (0..places).map(|_| None).collect(),
            peers,
            folder,
        };
        for place in 0..members {
            stage.spawn(place).await;
        }
        expect(&stage.run(0, &["cluster", "init"]), 0);
        for place in 1..members {
            expect(&stage.run(0, &["cluster", "add", &stage.peers[place]]), 0);
        }
        stage.record.lock().members = (0..members).collect();
        for place in 0..members {
            stage.node(place).until_ready().await;
        }
        stage.learn().await;
        stage
    }

    /// A node that is there.
    pub fn node(&self, place: Node) -> &support::Node {
        self.nodes[place].as_ref().expect("the node is there")
    }

    /// A node that is there, to do something to it.
    pub fn node_mut(&mut self, place: Node) -> &mut support::Node {
        self.nodes[place].as_mut().expect("the node is there")
    }

    /// The file whose presence makes a node's next sync fail.
    pub fn sync_fails(&self, place: Node) -> PathBuf {
        self.folder.join(format!("node{place}.fail"))
    }

    /// The file whose presence makes a node's syncs take long.
    pub fn syncs_are_slow(&self, place: Node) -> PathBuf {
        self.folder.join(format!("node{place}.slow"))
    }

    /// How many nodes there can be.
    pub fn places(&self) -> usize {
        self.nodes.len()
    }

    /// The members' places.
    pub fn members(&self) -> Vec<Node> {
        self.record.lock().members.clone()
    }

    /// Starts a new node, which belongs to no cluster yet.
    pub async fn spawn(&mut self, place: Node) {
        let data = self.folder.join(format!("node{place}"));
        let shim = self.shim.as_ref();
        let env = shim.map_or_else(Vec::new, |shim| {
            shim.environment(&self.sync_fails(place), &self.syncs_are_slow(place))
        });
        let key = self.folder.join("token.key");
        let mut extra = vec![
            "--join",
            "--snapshot-log-bytes",
            SNAPSHOT_LOG_BYTES,
            "--peer-advertise",
            &self.peers[place],
        ];
        if let Links::Namespaces(_) = self.links {
            extra.push("--insecure");
        }
        let home = self.links.home(place);
        let node = support::Node::start_at(home, &data, &key, &extra, env).await;
        self.nodes[place] = Some(node);
        self.up(place);
    }

    /// Ends a node's process at once.
    pub fn kill(&mut self, place: Node) {
        self.down(place);
        self.node_mut(place).kill();
    }

    /// Asks a node's process to stop, and waits until it has.
    pub async fn stop(&mut self, place: Node) {
        let status = self.node_mut(place).terminate().await;
        self.down(place);
        assert!(status.success(), "node {place} stopped with {status}");
    }

    /// Starts a node's process again, on other ports: somebody else may have got the ones it had.
    pub async fn restart(&mut self, place: Node) {
        let home = self.links.home(place);
        let node = self.node_mut(place);
        (node.client, node.peer) = (home.client, home.peer);
        node.restart().await;
        self.up(place);
    }

    /// Sends a signal to a node's process.
    pub fn signal(&self, place: Node, signal: Signal) {
        kill_process(self.pid(place), signal).unwrap();
    }

    /// Whether a node's process runs.
    pub fn runs(&mut self, place: Node) -> bool {
        self.node_mut(place).runs()
    }

    /// Notes that a node's process has ended by itself.
    pub fn down(&mut self, place: Node) {
        self.record.lock().addresses[place] = None;
        self.links.gone(place);
    }

    fn pid(&self, place: Node) -> Pid {
        self.node(place).pid().expect("the process runs")
    }

    fn up(&mut self, place: Node) {
        let node = self.node(place);
        let (client, peer) = (node.client.clone(), node.peer.parse().unwrap());
        let pid = self.pid(place).as_raw_nonzero().get().cast_unsigned();
        self.links.place(place, peer, pid);
        self.record.lock().addresses[place] = Some(client);
    }

    /// Runs the program against a node.
    pub fn run(&self, place: Node, args: &[&str]) -> std::process::Output {
        block_in_place(|| self.node(place).run(args))
    }

    /// Makes a node a member, through another.
    pub async fn add(&mut self, through: Node, place: Node) {
        if self.nodes[place].is_none() {
            self.spawn(place).await;
        }
        let args = ["cluster", "add", &self.peers[place]];
        self.carry_out(through, &args);
        self.record.lock().members.push(place);
    }

    /// Takes a member out, through another; what it was is wiped.
    pub fn remove(&mut self, through: Node, place: Node) {
        let id = self.node(place).id.clone();
        self.carry_out(through, &["cluster", "remove", &id]);
        self.record.lock().members.retain(|it| *it != place);
        self.kill(place);
        self.installed_before += installed(self.node(place));
        let node = self.nodes[place].take().unwrap();
        for entry in std::fs::read_dir(&node.data).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                std::fs::remove_dir_all(path).unwrap();
            } else {
                std::fs::remove_file(path).unwrap();
            }
        }
        std::fs::rename(
            node.data.with_extension("log"),
            node.data.with_extension(format!("log-{id}")),
        )
        .unwrap();
    }

    /// Runs an operator's command until it succeeds: in between nobody may lead.
    fn carry_out(&self, through: Node, args: &[&str]) {
        let began = Instant::now();
        loop {
            let output = self.run(through, args);
            if output.status.success() {
                return;
            }
            assert!(
                began.elapsed() < support::PATIENCE,
                "{args:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }

    /// What a node says of the cluster; none where it says nothing soon.
    pub async fn status(&self, place: Node) -> Option<StatusResponse> {
        let status = timeout(MOMENT, self.node(place).status()).await.ok()??;
        self.understand(&status);
        Some(status)
    }

    /// The member that leads, as most members say.
    pub async fn leader(&self) -> Node {
        let members = self.members();
        eventually("a leader", || async {
            let mut votes = vec![0; self.nodes.len()];
            for member in &members {
                let Some(status) = self.status(*member).await else {
                    continue;
                };
                let leads = |it: &&Node| self.node(**it).id == status.leader_id;
                if let Some(place) = members.iter().find(leads) {
                    votes[*place] += 1;
                }
            }
            votes.iter().position(|count| count * 2 > members.len())
        })
        .await
    }

    /// Waits until every member serves: nothing is wrong any more (I10).
    pub async fn serve(&mut self) {
        let healed = Instant::now();
        for member in self.members() {
            let address = self.node(member).client.clone();
            loop {
                let asked = timeout(MOMENT, support::check(&address, "nobody@example.com")).await;
                if matches!(asked, Ok(Ok(_))) {
                    break;
                }
                assert!(
                    healed.elapsed() < SERVES_WITHIN,
                    "I10 is violated: node {member} does not serve within {SERVES_WITHIN:?}: {asked:?}"
                );
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        self.served_after = self.served_after.max(healed.elapsed());
    }

    /// How many snapshots from others were installed.
    pub fn installed(&self) -> usize {
        let now = self.nodes.iter().flatten().map(installed);
        self.installed_before + now.sum::<usize>()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for node in self.nodes.iter_mut().flatten() {
            // A process that was stopped by a signal is killed all the same.
            node.kill();
        }
    }
}

fn installed(node: &support::Node) -> usize {
    node.log().matches("installed a snapshot").count()
}

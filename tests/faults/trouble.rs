//! Faults of what a node stands on: its disk, its syncs, its log; and of what the cluster makes of its own log and members.

use std::fs::File;
use std::time::{Duration, Instant};

use refrain::proto::v1::Member;
use tokio::time::sleep;

use crate::invariants::history::{Closed, Node};
use crate::links::Way;
use crate::nemesis::Nemesis;
use crate::stage::ON_DISK;
use crate::support::{PATIENCE, eventually};
use crate::unread::Pipe;

/// Room in which a node still works, but wants to take no more changes.
const NEARLY: u64 = 48 << 20;
/// How long a node may take to notice that its sync has failed, on a machine that has no time for it.
const NOTICED: Duration = Duration::from_millis(200);
/// How long a node without any room may go on, because it has yet to want some.
const MAY_GO_ON: Duration = Duration::from_secs(10);

impl Nemesis {
    pub(crate) async fn nearly_full(&mut self, since: u64) -> String {
        let disk = self.stage.disk.as_ref().expect("there is a disk");
        disk.leave(NEARLY);
        let lasts = self.time(1_500..3_000);
        self.last(lasts, since).await;
        self.stage.disk.as_ref().expect("there is a disk").free();
        format!("{NEARLY} bytes left to node {ON_DISK} for {lasts:?}")
    }

    pub(crate) async fn full(&mut self, since: u64) -> String {
        let disk = self.stage.disk.as_ref().expect("there is a disk");
        disk.leave(0);
        self.stage.record.lock().rush = true;
        let began = Instant::now();
        while self.stage.runs(ON_DISK) && began.elapsed() < MAY_GO_ON {
            sleep(Duration::from_millis(20)).await;
        }
        self.last(Duration::ZERO, since).await;
        self.stage.record.lock().rush = false;
        self.stage.disk.as_ref().expect("there is a disk").free();
        if self.stage.runs(ON_DISK) {
            return format!("node {ON_DISK} went on");
        }
        self.stage.down(ON_DISK);
        self.stage.restart(ON_DISK).await;
        format!("node {ON_DISK} ended")
    }

    pub(crate) async fn failed_sync(&mut self, since: u64) -> String {
        let node = self.victim().await;
        let asked = self.stage.sync_fails(node);
        File::create(&asked).unwrap();
        // Changes go on, so that it has something to sync.
        let began = Instant::now();
        while asked.exists() {
            assert!(began.elapsed() < PATIENCE, "node {node} syncs nothing");
            sleep(Duration::from_millis(5)).await;
        }
        sleep(NOTICED).await;
        let (closure, from) = {
            let mut record = self.stage.record.lock();
            let closure = record.closes(node, Closed::BrokenDisk);
            (closure, record.history.ticks)
        };
        while self.stage.runs(node) {
            assert!(
                began.elapsed() < PATIENCE,
                "node {node} goes on: its sync has failed, and what it wrote may be lost"
            );
            sleep(Duration::from_millis(20)).await;
        }
        // It, or what is left of it.
        self.asked(node, from).await;
        self.stage.record.lock().opens(node, closure);
        self.stage.down(node);
        self.last(Duration::ZERO, since).await;
        self.stage.restart(node).await;
        format!("node {node}")
    }

    pub(crate) async fn blocked_log(&mut self, since: u64) -> String {
        let node = self.victim().await;
        self.stage.stop(node).await;
        let log = self.stage.node(node).data.with_extension("log");
        let kept = log.with_extension("log-before");
        std::fs::rename(&log, &kept).unwrap();
        let pipe = Pipe::make(&log);
        let chatty = ("REFRAIN_LOG".to_owned(), "debug".to_owned());
        self.stage.node_mut(node).env.push(chatty);
        self.stage.restart(node).await;
        eventually("the pipe is full", || async {
            pipe.full().await.then_some(())
        })
        .await;
        // It serves although nobody reads; and goes on to.
        self.stage.serve().await;
        let lasts = self.time(500..1_500);
        self.last(lasts, since).await;
        self.stage.serve().await;
        self.stage.stop(node).await;
        self.stage.node_mut(node).env.pop();
        drop(pipe);
        std::fs::rename(&kept, &log).unwrap();
        self.stage.restart(node).await;
        format!("node {node} for {lasts:?}")
    }

    pub(crate) async fn membership(&mut self, since: u64) -> String {
        let members = self.stage.members();
        let leader = self.stage.leader().await;
        let cut = *members.iter().find(|it| **it != leader).unwrap();
        let ways = self.ways(cut, Way::Silent, Way::Silent);
        self.stage.links.set(ways);
        let places = self.stage.places();
        let fresh = (0..places).filter(|it| !members.contains(it));
        let fresh: Vec<Node> = fresh.collect();
        for node in &fresh {
            self.stage.add(leader, *node).await;
        }
        self.last(Duration::from_millis(300), since).await;
        // Two go, the leader first where it can; the one with a disk of its own stays, for it cannot be had elsewhere.
        let mut going = self.stage.members();
        going.retain(|it| ![cut, ON_DISK].contains(it));
        going.sort_by_key(|it| *it != leader);
        going.truncate(2);
        let through = self.stage.members();
        let stays = |it: &&Node| **it != cut && !going.contains(it);
        let through = *through.iter().find(stays).unwrap();
        for node in &going {
            self.stage.remove(through, *node);
        }
        self.last(Duration::from_millis(300), since).await;
        self.stage.links.open();
        if fresh.is_empty() {
            for node in &going {
                self.stage.add(through, *node).await;
            }
        }
        format!("node {cut} cut off, nodes {fresh:?} came, nodes {going:?} went")
    }

    /// Has changes come as fast as they can, until something has come of it.
    async fn rush(&mut self, what: &str, over: impl Fn(&Member) -> bool, least: usize) {
        let before = self.stage.record.lock().acknowledged();
        self.stage.record.lock().rush = true;
        let began = Instant::now();
        loop {
            let leader = self.stage.leader().await;
            let status = self.stage.status(leader).await;
            let id = &self.stage.node(leader).id;
            let members = status.map_or_else(Vec::new, |it| it.members);
            let own = members.iter().find(|it| it.node_id == *id);
            let written = self.stage.record.lock().acknowledged() - before;
            if written >= least && own.is_some_and(&over) {
                break;
            }
            assert!(
                began.elapsed() < PATIENCE,
                "never happened: {what}: {own:?}"
            );
        }
        self.stage.record.lock().rush = false;
    }

    pub(crate) async fn snapshots(&mut self) -> String {
        for _ in 0..2 {
            let leader = self.stage.leader().await;
            let status = self.stage.status(leader).await;
            let id = self.stage.node(leader).id.clone();
            let own = status.and_then(|it| it.members.into_iter().find(|it| it.node_id == id));
            let before = own.map_or(0, |it| it.snapshot_bytes);
            let newer = |member: &Member| member.snapshot_bytes != before;
            self.rush("a newer snapshot", newer, 0).await;
        }
        "two".to_owned()
    }

    pub(crate) async fn purged_log(&mut self) -> String {
        let leader = self.stage.leader().await;
        let mut away = self.member();
        while away == leader {
            away = self.member();
        }
        let installed = self.stage.installed();
        self.stage.kill(away);
        // More than stays behind a snapshot; and once the log has shrunk from there, all that is older is gone.
        self.rush("as much as is kept", |_| true, 700).await;
        let longest = std::cell::Cell::new(0);
        let shrank = |member: &Member| {
            let before = longest.replace(member.log_bytes);
            member.log_bytes < before
        };
        self.rush("the log is cut off", shrank, 0).await;
        self.stage.restart(away).await;
        self.stage.serve().await;
        let by_snapshot = self.stage.installed() - installed;
        format!("node {away}; {by_snapshot} snapshots installed")
    }
}

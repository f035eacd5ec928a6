//! I9: an fdatasync comes before every acknowledgement of a log append and before every vote, as seen from outside the node.
//!
//! Raft, section 5: "persistent state on all servers, updated on stable storage before responding to RPCs" (Ongaro and Ousterhout, "In
//! Search of an Understandable Consensus Algorithm", USENIX ATC 2014, figure 2). The system calls are what Pillai et al. judge crash
//! consistency by ("All File Systems Are Not Created Equal", OSDI 2014).

mod calls;
mod frames;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use refrain::proto::v1::preference_service_client::PreferenceServiceClient;
use rustix::process::{Pid, Signal, kill_process};

use self::calls::{Call, read};
use self::frames::{Answer, answers};
use crate::skip::skip;
use crate::support::{Node, PATIENCE, channel, eventually, expect, opt_out, token_key};

/// Changes that are followed through the system calls.
const CHANGES: usize = 20;

/// A trace of a process's system calls, as long as it runs.
struct Trace {
    strace: Child,
    to: std::path::PathBuf,
}

impl Trace {
    /// Traces a node from here on; none, with a notice, where that cannot be done.
    async fn of(node: &Node, to: &Path) -> Option<Self> {
        let pid = node.pid().unwrap();
        let strace = Command::new("strace")
            .args(["-f", "-xx", "-s", "1048576", "-o"])
            .arg(to)
            .args([
                "-e",
                "trace=fsync,fdatasync,close,/recv,/send,read,readv,write,writev",
            ])
            .args(["-p", &pid.as_raw_nonzero().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(to.with_extension("notes")).unwrap())
            .spawn();
        let mut strace = match strace {
            Ok(strace) => strace,
            Err(why) => {
                skip("strace", &format!("no system call can be seen: {why}"));
                return None;
            }
        };
        // Every thread is traced once the node's own have something to show; a refusal ends it.
        let began = Instant::now();
        while std::fs::metadata(to).map_or(0, |file| file.len()) == 0 {
            if strace.try_wait().unwrap().is_some() {
                let notes = std::fs::read_to_string(to.with_extension("notes")).unwrap();
                skip("strace", &format!("no system call can be seen: {notes}"));
                return None;
            }
            assert!(began.elapsed() < PATIENCE, "strace sees nothing");
            // The node has something to do.
            let _ = node.status().await;
        }
        let to = to.to_owned();
        Some(Self { strace, to })
    }

    /// What there was.
    fn end(mut self) -> Vec<Call> {
        kill_process(Pid::from_child(&self.strace), Signal::INT).unwrap();
        self.strace.wait().unwrap();
        read(&std::fs::read_to_string(&self.to).unwrap())
    }
}

/// Panics unless a sync began after a question had arrived, and ended before it was answered. A change that arrives again may have been
/// synced the first time.
fn assert_synced(calls: &[Call], answers: &[Answer], what: &str) {
    let Some(asked) = answers.iter().map(|it| it.asked).min() else {
        return;
    };
    for answer in answers {
        let synced = calls[asked..answer.sent].iter().any(|call| match call {
            Call::Synced { began } => *began > asked,
            _ => false,
        });
        assert!(
            synced,
            "I9 is violated: {what} was answered (call {} of the trace) without a sync since it was asked (call {asked})",
            answer.sent
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_alone_syncs_before_it_acknowledges() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start_single(&folder).await;
    let Some(trace) = Trace::of(&node, &folder.path().join("trace")).await else {
        return;
    };
    let mut client = PreferenceServiceClient::new(channel(&node.client).unwrap());
    let mut answered = Vec::new();
    for at in 0..CHANGES {
        let request = opt_out(&format!("s{at}@example.com"));
        let id = request.request_id.clone().into_bytes();
        client.set_opt_out(request).await.unwrap();
        answered.push(id);
    }
    let calls = trace.end();
    for id in answered {
        let found = answers(&calls, |message| contains(message, &id));
        assert_eq!(found.len(), 1, "a change is asked and answered once");
        assert_synced(&calls, &found, "a change");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_syncs_before_it_acknowledges_and_before_it_votes() {
    let folder = tempfile::tempdir().unwrap();
    let key = token_key(folder.path());
    let mut nodes = Vec::new();
    for place in 0..3 {
        let data = folder.path().join(format!("node{place}"));
        nodes.push(Node::start(&data, &key, &["--join"]).await);
    }
    // Before it is a member, so that every connection of a peer is seen from its beginning.
    let Some(trace) = Trace::of(&nodes[1], &folder.path().join("trace")).await else {
        return;
    };
    expect(&nodes[0].run(&["cluster", "init"]), 0);
    for node in &nodes[1..] {
        expect(&nodes[0].run(&["cluster", "add", &node.peer]), 0);
    }
    for node in &nodes {
        node.until_ready().await;
    }
    let mut client = PreferenceServiceClient::new(channel(&nodes[0].client).unwrap());
    let mut acknowledged = Vec::new();
    for at in 0..CHANGES {
        let request = opt_out(&format!("s{at}@example.com"));
        let id: uuid::Uuid = request.request_id.parse().unwrap();
        client.set_opt_out(request).await.unwrap();
        acknowledged.push(id);
    }
    // The other two hand the leadership to each other, for which they ask this one's vote.
    for to in [2, 0, 2, 0] {
        let id = nodes[to].id.clone();
        expect(&nodes[1].run(&["cluster", "transfer-leader", &id]), 0);
        eventually("the node knows of its new leader", || async {
            let status = nodes[1].status().await?;
            (status.leader_id == id).then_some(())
        })
        .await;
    }
    let calls = trace.end();

    let mut found = 0;
    for id in acknowledged {
        let of_change = answers(&calls, |message| {
            frames::is(message, frames::APPEND) && contains(message, id.as_bytes())
        });
        // A change may be sent more than once.
        found += of_change.len();
        assert_synced(&calls, &of_change, "an append");
    }
    assert!(found >= CHANGES, "{found} appends were seen");
    let votes = answers(&calls, |message| frames::is(message, frames::VOTE));
    let granted: Vec<Answer> = votes.into_iter().filter(Answer::grants).collect();
    assert!(!granted.is_empty(), "no vote was seen");
    for vote in granted {
        assert_synced(&calls, &[vote], "a vote");
    }
}

#[test]
#[should_panic(expected = "I9 is violated")]
fn a_sync_that_began_before_the_question_is_not_enough() {
    let received = |stream| Call::Received {
        descriptor: 9,
        bytes: vec![0, 0, 1, 0, 0, 0, 0, 0, stream, 7],
    };
    let headers = Call::Sends {
        descriptor: 9,
        bytes: vec![0, 0, 0, 1, 0, 0, 0, 0, 1],
    };
    let calls = [Call::Syncs, received(1), Call::Synced { began: 0 }, headers];
    let found = answers(&calls, |message| message == [7]);
    assert_eq!(found.len(), 1);
    assert_synced(&calls, &found, "a change");
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

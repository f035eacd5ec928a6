//! A leader that stood still is asked over streams that were open before: it must not allow what was opted out meanwhile.
//!
//! What was asked while it stood still lies in its socket buffers, and may be the first that it sees when it goes on, before any message of
//! those who elected another: every other time their messages arrive a moment later, so that it surely is.

use std::time::{Duration, Instant};

use refrain::proto::v1::{
    CheckRequest, CheckStreamRequest, CheckStreamResponse, Decision, WatchRequest, WatchResponse,
    check_stream_response::Result as Checked, decision_service_client::DecisionServiceClient,
    preference_service_client::PreferenceServiceClient, watch_response::Item,
    watch_service_client::WatchServiceClient,
};
use rustix::process::Signal;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Streaming, transport::Channel};

use crate::ONE;
use crate::links::{Links, Way};
use crate::nemesis::ELECTION;
use crate::record::Shared;
use crate::stage::Stage;
use crate::support::{Node, PATIENCE, channel, check, email, eventually, opt_out};

/// How long the leader stands still each time, in election timeouts.
const PAUSES: [f64; 8] = [0.5, 1.0, 2.0, 3.0, 3.5, 4.0, 5.0, 10.0];
/// From so many on it stands still until another has taken the change, however long that takes.
const SURELY: f64 = 4.0;
/// How much later than the questions the others' messages arrive, every other time.
const LATER: Duration = Duration::from_millis(100);
/// Questions that lie in the socket's buffer at once.
const AT_ONCE: usize = 64;
/// Calls beside the stream, on the same connection.
const BESIDE: usize = 8;
/// How long one attempt at a change may take: the leader that it is handed to may stand still.
const ATTEMPT: Duration = Duration::from_millis(300);

/// What is open to a leader before it stands still.
struct Open {
    client: DecisionServiceClient<Channel>,
    ask: mpsc::Sender<CheckStreamRequest>,
    answers: Streaming<CheckStreamResponse>,
    feed: Streaming<WatchResponse>,
}

fn question(about: &str) -> CheckRequest {
    CheckRequest {
        identifiers: vec![email(about)],
        purpose: "analytics".to_owned(),
        ..CheckRequest::default()
    }
}

impl Open {
    /// Opens both streams; the one for questions has answered, and has allowed.
    async fn to(node: &Node, about: &str) -> Self {
        let channel = channel(&node.client).unwrap();
        let (ask, asked) = mpsc::channel(AT_ONCE * 4);
        let mut client = DecisionServiceClient::new(channel.clone());
        let opened = client.check_stream(ReceiverStream::new(asked));
        let watch = WatchRequest {
            heartbeat_interval_ms: 100,
            ..WatchRequest::default()
        };
        let feed = WatchServiceClient::new(channel).watch(watch).await;
        let mut open = Self {
            answers: opened.await.unwrap().into_inner(),
            feed: feed.unwrap().into_inner(),
            client,
            ask,
        };
        open.ask(about, "first", 1).await;
        let first = open.answers.message().await.unwrap().unwrap();
        assert!(allows(first.result.as_ref()), "it allows before: {first:?}");
        open
    }

    async fn ask(&self, about: &str, when: &str, times: usize) {
        for _ in 0..times {
            let question = CheckStreamRequest {
                correlation_id: when.to_owned(),
                check: Some(question(about)),
            };
            self.ask.send(question).await.unwrap();
        }
    }

    /// Reads the answers to all that was asked after the change, of which none may allow. Returns how many there were.
    async fn denies(&mut self, still: Duration) -> usize {
        let mut late = 0;
        while late < AT_ONCE {
            let answer = timeout(PATIENCE, self.answers.message()).await;
            let answer = answer.expect("the stream answers or ends");
            let Ok(Some(answer)) = answer else { break };
            if answer.correlation_id != "late" {
                continue;
            }
            late += 1;
            assert!(
                !allows(answer.result.as_ref()),
                "allowed after an acknowledged opt-out, by a leader that stood still for {still:?}: {answer:?}"
            );
        }
        late
    }

    /// Reads the watch until the change is there; nothing before it may claim that there was nothing.
    async fn tells(&mut self, revision: u64) {
        loop {
            let item = timeout(PATIENCE, self.feed.message()).await;
            let item = item.expect("the watch goes on").unwrap().unwrap();
            match item.item {
                Some(Item::Event(event)) if event.revision == revision => return,
                Some(Item::Event(event)) => assert!(event.revision < revision, "{event:?}"),
                Some(Item::Heartbeat(beat)) => assert!(
                    beat.revision < revision,
                    "the watch claims to be at {} without the change at {revision}",
                    beat.revision
                ),
                other => panic!("{other:?}"),
            }
        }
    }
}

fn allows(result: Option<&Checked>) -> bool {
    matches!(result, Some(Checked::Ok(answer)) if answer.decision() == Decision::Allow)
}

/// Opts out through whoever takes it. Returns the revision.
async fn opts_out(addresses: Vec<String>, about: String) -> u64 {
    let change = opt_out(&about);
    let began = Instant::now();
    for address in addresses.iter().cycle() {
        let mut client = PreferenceServiceClient::new(channel(address).unwrap());
        if let Ok(Ok(done)) = timeout(ATTEMPT, client.set_opt_out(change.clone())).await {
            return done.into_inner().revision;
        }
        assert!(began.elapsed() < PATIENCE, "nobody takes the change");
        sleep(Duration::from_millis(20)).await;
    }
    unreachable!("there are nodes")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_stood_still_does_not_allow_over_an_open_stream() {
    let _one = ONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let links = Links::by_proxies(3);
    let stage = Stage::set(folder.path().to_owned(), links, 3, Shared::new(3)).await;
    let (mut overtaken, mut late) = (0, 0);
    for (round, pause) in PAUSES.iter().enumerate() {
        let about = format!("round{round}@example.com");
        let leader = stage.leader().await;
        let node = stage.node(leader);
        let mut others = stage.members();
        others.retain(|it| *it != leader);
        let addresses = others.iter().map(|it| stage.node(*it).client.clone());
        let addresses = addresses.collect();
        let mut open = Open::to(node, &about).await;

        let still = ELECTION.mul_f64(*pause);
        if round % 2 == 1 {
            let inward = others.iter().map(|it| (*it, leader, Way::Silent));
            stage.links.set(inward);
        }
        stage.signal(leader, Signal::STOP);
        let stopped = Instant::now();
        // Whether these are allowed depends on when they are read.
        open.ask(&about, "early", AT_ONCE).await;
        let change = opts_out(addresses, about.clone());
        tokio::pin!(change);
        let waits = if *pause < SURELY { still } else { PATIENCE };
        let mut revision = timeout(waits, &mut change).await.ok();
        let mut beside = JoinSet::new();
        let overtook = revision.is_some();
        if overtook {
            overtaken += 1;
            open.ask(&about, "late", AT_ONCE).await;
            for _ in 0..BESIDE {
                let mut client = open.client.clone();
                let question = question(&about);
                beside.spawn(async move { client.check(question).await });
            }
            sleep(still.saturating_sub(stopped.elapsed())).await;
        }
        stage.signal(leader, Signal::CONT);
        sleep(LATER).await;
        stage.links.open();
        if revision.is_none() {
            revision = Some(change.await);
            open.ask(&about, "late", AT_ONCE).await;
        }
        let answered = open.denies(still).await;
        late += if overtook { answered } else { 0 };
        while let Some(answer) = beside.join_next().await {
            if let Ok(answer) = answer.unwrap() {
                let decision = answer.get_ref().decision();
                assert_eq!(decision, Decision::Deny, "{answer:?}");
            }
        }
        open.tells(revision.unwrap()).await;
        let now = eventually("it serves again", || async {
            check(&node.client, &about).await.ok()
        });
        assert_eq!(now.await, Decision::Deny);
    }
    let sure = PAUSES.iter().filter(|pause| **pause >= SURELY).count();
    assert!(
        overtaken >= sure,
        "another led {overtaken} times before it went on"
    );
    assert!(
        late >= AT_ONCE * sure,
        "{late} answers over the old streams of those that were overtaken"
    );
    eprintln!("another led {overtaken} times, {late} answers over the old streams");
}

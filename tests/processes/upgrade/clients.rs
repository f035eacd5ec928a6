//! Clients that write and ask while the cluster under them changes, and what they may never see.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use refrain::proto::v1::{
    BatchCheckRequest, CheckRequest, Decision, batch_check_item,
    decision_service_client::DecisionServiceClient,
    preference_service_client::PreferenceServiceClient,
};
use tokio::task::JoinSet;
use tonic::transport::Channel;

use crate::support::{Cluster, Node, PATIENCE, channel, email, eventually, opt_out};

/// How many write, and how many ask.
const OF_EACH: usize = 2;

/// Between two attempts of a client.
const PAUSE: Duration = Duration::from_millis(20);

/// An opt-out that was acknowledged: whose, and the id of its event.
type Done = (String, String);

/// The clients.
pub struct Clients {
    seen: Arc<Seen>,
    tasks: JoinSet<()>,
}

struct Seen {
    nodes: Vec<Channel>,
    done: Mutex<Vec<Done>>,
    denied: AtomicUsize,
    wrong: Mutex<Vec<String>>,
    stop: AtomicBool,
}

impl Clients {
    /// Starts them against the nodes that there are.
    pub fn start(cluster: &Cluster) -> Self {
        let nodes = cluster.nodes.iter();
        let seen = Arc::new(Seen {
            nodes: nodes.map(|node| channel(&node.client).unwrap()).collect(),
            done: Mutex::default(),
            denied: AtomicUsize::new(0),
            wrong: Mutex::default(),
            stop: AtomicBool::new(false),
        });
        let mut tasks = JoinSet::new();
        for number in 0..OF_EACH {
            tasks.spawn(write(Arc::clone(&seen), number));
            tasks.spawn(ask(Arc::clone(&seen)));
        }
        Self { seen, tasks }
    }

    /// Waits until so many more changes were acknowledged, and so many more questions denied.
    pub async fn go_on(&self, count: usize) {
        let (done, denied) = self.counts();
        eventually("changes are acknowledged, and questions answered", || {
            let now = self.counts();
            async move { (now.0 >= done + count && now.1 >= denied + count).then_some(()) }
        })
        .await;
    }

    /// How many changes were acknowledged, and how many questions denied; and nothing was ever wrong.
    pub fn counts(&self) -> (usize, usize) {
        let wrong = self.seen.wrong.lock().unwrap();
        assert!(wrong.is_empty(), "{wrong:?}");
        let done = self.seen.done.lock().unwrap().len();
        (done, self.seen.denied.load(Ordering::Relaxed))
    }

    /// Holds that a node denies for each acknowledged opt-out, and by the very event that was acknowledged.
    pub async fn all_stands_on(&self, node: &Node) {
        let done = self.seen.done.lock().unwrap().clone();
        let client = DecisionServiceClient::new(channel(&node.client).unwrap());
        for some in done.chunks(1_000) {
            let items = some.iter().map(|(whose, _)| question(whose)).collect();
            let request = BatchCheckRequest { items };
            let answer = eventually("a batch is answered", || {
                let (mut client, request) = (client.clone(), request.clone());
                async move { client.batch_check(request).await.ok() }
            });
            let results = answer.await.into_inner().results;
            assert_eq!(results.len(), some.len());
            for ((whose, event_id), item) in some.iter().zip(results) {
                let Some(batch_check_item::Result::Ok(told)) = &item.result else {
                    panic!("{whose}: {item:?}");
                };
                let stands = told.decision() == Decision::Deny && told.event_id == *event_id;
                assert!(stands, "{whose}, acknowledged as {event_id}: {told:?}");
            }
        }
    }

    /// Ends them, and waits until they have.
    pub async fn end(&mut self) {
        self.seen.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
        self.counts();
    }
}

impl Seen {
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn is_wrong(&self, what: String) {
        self.wrong.lock().unwrap().push(what);
    }
}

fn question(whose: &str) -> CheckRequest {
    CheckRequest {
        identifiers: vec![email(whose)],
        purpose: "analytics".to_owned(),
        ..CheckRequest::default()
    }
}

/// Opts out one person after the other: each by one request, through whichever node takes it.
async fn write(seen: Arc<Seen>, number: usize) {
    let mut through = seen.nodes.iter().cycle();
    for count in 0.. {
        if seen.stopped() {
            return;
        }
        let whose = format!("u{number}-{count}@example.com");
        let request = opt_out(&whose);
        let began = Instant::now();
        for node in through.by_ref() {
            let mut client = PreferenceServiceClient::new(node.clone());
            match client.set_opt_out(request.clone()).await {
                Ok(done) => {
                    let done = (whose, done.into_inner().event_id);
                    seen.done.lock().unwrap().push(done);
                    break;
                }
                Err(error) if began.elapsed() > PATIENCE => {
                    return seen.is_wrong(format!("{whose} was never acknowledged: {error:?}"));
                }
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }
}

/// Asks about those whose opt-out was acknowledged: an error is nothing, an ALLOW is the end.
async fn ask(seen: Arc<Seen>) {
    while !seen.stopped() {
        let about = {
            let done = seen.done.lock().unwrap();
            // The latest, every other time.
            let any =
                rand::random_range(0..=done.len().max(1) * 2).min(done.len().saturating_sub(1));
            done.get(any).cloned()
        };
        let Some((whose, event_id)) = about else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let node = rand::random_range(0..seen.nodes.len());
        let mut client = DecisionServiceClient::new(seen.nodes[node].clone());
        match client.check(question(&whose)).await {
            Ok(told) if told.get_ref().decision() == Decision::Deny => {
                seen.denied.fetch_add(1, Ordering::Relaxed);
            }
            Ok(told) => seen.is_wrong(format!("node {node}, {whose}, {event_id}: {told:?}")),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

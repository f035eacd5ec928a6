//! Clients that write until the power goes, and what they were told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use refrain::proto::v1::{
    BatchCheckRequest, CheckRequest, Decision, Evidence, SetOptInRequest, WatchRequest,
    batch_check_item, decision_service_client::DecisionServiceClient,
    preference_service_client::PreferenceServiceClient, watch_response::Item,
    watch_service_client::WatchServiceClient,
};
use tokio::task::JoinSet;
use tonic::transport::Channel;

use crate::support::{Node, PATIENCE, channel, email, opt_out};

/// How many clients write at once.
const CLIENTS: usize = 8;
/// One opt-out in so many is followed by an opt-in, with evidence.
const OPT_INS: usize = 5;

/// A change that a client was told of.
#[derive(Debug, Clone)]
struct Told {
    address: String,
    decision: Decision,
    revision: u64,
    event_id: String,
}

/// What one client knows in the end.
#[derive(Default)]
pub struct Client {
    told: Vec<Told>,
    /// What it had asked for when the power went, and the decision that would come of it.
    in_doubt: Option<(String, Decision)>,
}

/// What was acknowledged on one disk, over all its cuts.
#[derive(Default, Clone)]
pub struct Acknowledged {
    lives: usize,
    /// By address: the decision that stands.
    standing: BTreeMap<String, Decision>,
    /// By revision: the event's id.
    events: BTreeMap<u64, String>,
    /// By address: the decision that the change in doubt would make.
    in_doubt: BTreeMap<String, Decision>,
    unsettled: usize,
}

impl Acknowledged {
    /// How many nodes have lived on the disk; each gets subjects of its own.
    pub fn lives(&self) -> usize {
        self.lives
    }

    /// Adds what clients were told.
    pub fn take(&mut self, clients: Vec<Client>) {
        self.lives += 1;
        for client in clients {
            self.unsettled += client.told.len();
            for told in client.told {
                self.standing.insert(told.address, told.decision);
                let other = self.events.insert(told.revision, told.event_id);
                assert_eq!(other, None, "one revision was given to two changes");
            }
            self.in_doubt.extend(client.in_doubt);
        }
    }

    /// How many acknowledgements were held since the last time.
    pub fn settle(&mut self) -> usize {
        std::mem::take(&mut self.unsettled)
    }
}

/// Clients at work.
pub struct Traffic {
    clients: JoinSet<Client>,
    count: Arc<AtomicUsize>,
}

impl Traffic {
    /// Lets clients write to `node` until it answers no more.
    pub fn start(node: &Node, life: usize) -> Self {
        let count = Arc::new(AtomicUsize::new(0));
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            let channel = channel(&node.client).unwrap();
            let name = format!("{life}-{client}");
            clients.spawn(write(channel, name, Arc::clone(&count)));
        }
        Self { clients, count }
    }

    /// How many changes have been acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// Waits until every client has met its error.
    pub async fn end(self) -> Vec<Client> {
        tokio::time::timeout(PATIENCE, self.clients.join_all())
            .await
            .expect("every client hears that the node is gone")
    }
}

async fn write(channel: Channel, name: String, count: Arc<AtomicUsize>) -> Client {
    let mut preferences = PreferenceServiceClient::new(channel);
    let mut client = Client::default();
    for number in 0.. {
        let address = format!("{name}-{number}@example.com");
        let done = preferences.set_opt_out(opt_out(&address)).await;
        let Ok(done) = done.map(tonic::Response::into_inner) else {
            client.in_doubt = Some((address, Decision::Deny));
            break;
        };
        count.fetch_add(1, Ordering::SeqCst);
        client.told.push(Told {
            address: address.clone(),
            decision: Decision::Deny,
            revision: done.revision,
            event_id: done.event_id,
        });
        if number % OPT_INS != 0 {
            continue;
        }
        let done = preferences.set_opt_in(opt_in(&address)).await;
        let Ok(done) = done.map(tonic::Response::into_inner) else {
            client.in_doubt = Some((address, Decision::Allow));
            break;
        };
        count.fetch_add(1, Ordering::SeqCst);
        client.told.push(Told {
            address,
            decision: Decision::Allow,
            revision: done.revision,
            event_id: done.event_id,
        });
    }
    client
}

fn opt_in(address: &str) -> SetOptInRequest {
    SetOptInRequest {
        request_id: uuid::Uuid::now_v7().to_string(),
        identifiers: vec![email(address)],
        purposes: vec!["analytics".to_owned()],
        evidence: Some(Evidence {
            statement: "ticked the box".to_owned(),
            ..Evidence::default()
        }),
        ..SetOptInRequest::default()
    }
}

/// What became of the changes in doubt.
pub struct There {
    pub in_doubt: usize,
    pub in_doubt_and_there: usize,
}

/// Holds a node against what was acknowledged: every decision, and every event in its place. What was in doubt is known
/// from here on, one way or the other. The error says what is lost.
pub async fn all_is_there(node: &Node, known: &mut Acknowledged) -> Result<There, String> {
    let addresses: Vec<String> = known.standing.keys().cloned().collect();
    let answers = decisions(node, &addresses).await?;
    for (address, answer) in addresses.iter().zip(answers) {
        let told = known.standing[address];
        if answer != told && known.in_doubt.get(address) != Some(&answer) {
            return Err(format!(
                "{address}: {told:?} was acknowledged, and the node answers {answer:?}"
            ));
        }
    }
    let events = events(node, known.events.keys().last().copied()).await?;
    for (revision, id) in &known.events {
        if events.get(revision) != Some(id) {
            return Err(format!(
                "revision {revision}: event {id} was acknowledged, and the journal has {:?}",
                events.get(revision)
            ));
        }
    }
    let doubted = std::mem::take(&mut known.in_doubt);
    let addresses: Vec<String> = doubted.keys().cloned().collect();
    let answers = decisions(node, &addresses).await?;
    let mut there = 0;
    for (address, answer) in addresses.into_iter().zip(answers) {
        there += usize::from(doubted[&address] == answer);
        known.standing.insert(address, answer);
    }
    Ok(There {
        in_doubt: doubted.len(),
        in_doubt_and_there: there,
    })
}

/// What the node decides on each address.
async fn decisions(node: &Node, addresses: &[String]) -> Result<Vec<Decision>, String> {
    let mut client = DecisionServiceClient::new(channel(&node.client).unwrap());
    let mut decisions = Vec::new();
    for chunk in addresses.chunks(1_000) {
        let item = |address: &String| CheckRequest {
            identifiers: vec![email(address)],
            purpose: "analytics".to_owned(),
            ..CheckRequest::default()
        };
        let items = chunk.iter().map(item).collect();
        let answer = client.batch_check(BatchCheckRequest { items }).await;
        let answer = answer.map_err(|status| status.to_string())?.into_inner();
        for item in answer.results {
            match item.result {
                Some(batch_check_item::Result::Ok(ok)) => decisions.push(ok.decision()),
                other => return Err(format!("a check failed: {other:?}")),
            }
        }
    }
    Ok(decisions)
}

/// The ids of the events from the first to revision `upto`, each of which must come once and in its turn.
async fn events(node: &Node, upto: Option<u64>) -> Result<BTreeMap<u64, String>, String> {
    let mut events = BTreeMap::new();
    let Some(upto) = upto else {
        return Ok(events);
    };
    let request = WatchRequest {
        from_revision: 1,
        ..WatchRequest::default()
    };
    let mut watch = WatchServiceClient::new(channel(&node.client).unwrap());
    let said = |status: tonic::Status| format!("the watch ended: {status}");
    let mut items = watch.watch(request).await.map_err(said)?.into_inner();
    while (events.len() as u64) < upto {
        let next = tokio::time::timeout(PATIENCE, items.message()).await;
        let next = next.map_err(|_| format!("no event after {} of {upto}", events.len()))?;
        let item = next.map_err(said)?.ok_or("the watch ended")?.item;
        let Some(Item::Event(event)) = item else {
            continue;
        };
        if event.revision != events.len() as u64 + 1 {
            return Err(format!(
                "revision {} comes after {}",
                event.revision,
                events.len()
            ));
        }
        events.insert(event.revision, event.id);
    }
    Ok(events)
}

//! What was true of a data folder when it was kept: questions over REST, with their answers, and hashes of the whole.

use std::process::{Command, Stdio};

use refrain::proto::v1::{
    Event, WatchRequest, watch_response::Item, watch_service_client::WatchServiceClient,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;

use super::story::ADA;
use crate::support::{Node, PATIENCE, REFRAIN, channel, expect};
use crate::ways_in::http::{Answer, Calls};

/// Members of answers that tell when and by whom they were given.
const OF_THE_MOMENT: [&str; 2] = ["decision_id", "evaluated_at"];

/// What does not change with the place where the node runs, of the cluster.
const OF_THE_CLUSTER: [&str; 2] = ["cluster_id", "feature_level"];

/// The same, of its only member.
const OF_THE_MEMBER: [&str; 6] = [
    "node_id",
    "revision",
    "state_hash",
    "hash_revision",
    "journal_events",
    "journal_root",
];

/// A question and its answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Asked {
    method: String,
    path: String,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    headers: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    body: Value,
    status: u16,
    /// Where it went well, what must be in the answer at least: a later version may say more. Of a refusal, the reason.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    answer: Value,
}

impl Asked {
    /// Asks, and takes down what comes.
    pub async fn of(
        node: &Node,
        (method, path): (&str, &str),
        headers: &[(&str, &str)],
        body: Value,
    ) -> Self {
        let headers = headers.iter();
        let headers = headers.map(|(name, value)| ((*name).to_owned(), json!(value)));
        let mut asked = Self {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: headers.collect(),
            body,
            status: 0,
            answer: Value::Null,
        };
        (asked.status, asked.answer) = asked.again(node).await;
        asked
    }

    /// The answer.
    pub fn answer(&self) -> &Value {
        &self.answer
    }

    async fn again(&self, node: &Node) -> (u16, Value) {
        let headers = self.headers.iter();
        let headers: Vec<_> = headers
            .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
            .collect();
        let body = match &self.body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        let route = (self.method.as_str(), self.path.as_str());
        let answer = call(node, ADA, route, &headers, &body).await;
        // A page for people may look otherwise in each version.
        let mut told = serde_json::from_str(&answer.text).unwrap_or_default();
        if answer.status == 200 {
            forget_the_moment(&mut told);
        } else {
            told = json!({ "reason": told["reason"] });
        }
        (answer.status, told)
    }

    async fn differs(&self, node: &Node) -> Option<String> {
        let (status, answer) = self.again(node).await;
        let same = status == self.status && is_within(&self.answer, &answer);
        (!same).then(|| {
            let (method, path, body) = (&self.method, &self.path, &self.body);
            let wanted = (self.status, &self.answer);
            format!(
                "{method} {path} {body}:\n  {status} {answer}\n  and not {} {}",
                wanted.0, wanted.1
            )
        })
    }
}

/// All that must be so.
#[derive(Debug, Serialize, Deserialize)]
pub struct Expected {
    /// What the node says of itself, as `refrain cluster status` prints it.
    status: Value,
    /// SHA-256 over a line for each event from the first on: revision, kind, id.
    events_sha256: String,
    /// Questions, none of which changes anything.
    asked: Vec<Asked>,
    /// A change that was made then and is sent again: its answer tells of its first effect.
    sent_again: Asked,
}

impl Expected {
    /// What is so now: of the whole, of what `asked` asked, and of a change that was made.
    pub async fn now(node: &Node, asked: Vec<Asked>, sent_again: Asked) -> Self {
        let status = status(node);
        let last = status["revision"].as_u64().unwrap();
        Self {
            events_sha256: events_sha256(node, last).await,
            status,
            asked,
            sent_again,
        }
    }

    /// In what a node differs.
    pub async fn against(&self, node: &Node) -> Vec<String> {
        let mut differs = Vec::new();
        // First, since it says the most; and last what is written, after which the node may have something to catch up on.
        let status = status(node);
        if !is_within(&self.status, &status) {
            differs.push(format!("status:\n  {status}\n  and not {}", self.status));
            return differs;
        }
        let last = self.status["revision"].as_u64().unwrap();
        if events_sha256(node, last).await != self.events_sha256 {
            differs.push("the events are others".to_owned());
        }
        for asked in self.asked.iter().chain([&self.sent_again]) {
            differs.extend(asked.differs(node).await);
        }
        differs
    }
}

/// Calls a route as somebody, with JSON.
pub async fn call(
    node: &Node,
    who: &str,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let token = format!("Bearer {who}");
    let mut with = vec![("authorization", token.as_str())];
    if !body.is_empty() {
        with.push(("content-type", "application/json"));
    }
    with.extend(headers);
    let calls = Calls::default();
    calls.call(&node.client, method, path, &with, body).await
}

/// Whether all that `wanted` says is said in `told`.
fn is_within(wanted: &Value, told: &Value) -> bool {
    match (wanted, told) {
        (Value::Object(wanted), Value::Object(told)) => wanted
            .iter()
            .all(|(name, wanted)| told.get(name).is_some_and(|told| is_within(wanted, told))),
        (Value::Array(wanted), Value::Array(told)) => {
            wanted.len() == told.len()
                && wanted.iter().zip(told).all(|(one, it)| is_within(one, it))
        }
        _ => wanted == told,
    }
}

fn forget_the_moment(told: &mut Value) {
    match told {
        Value::Object(members) => {
            members.retain(|name, _| !OF_THE_MOMENT.contains(&name.as_str()));
            if let Some(Value::String(stamp)) = members.get_mut("stamp") {
                // Its head names the key that signed it.
                stamp.truncate(stamp.find('.').unwrap_or_default());
            }
            members.values_mut().for_each(forget_the_moment);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_the_moment),
        _ => {}
    }
}

/// What the node says of the cluster, and of itself, its only member.
pub fn cluster(node: &Node) -> (Value, Value) {
    let output = Command::new(REFRAIN)
        .args(["cluster", "status", "--output", "json"])
        .env("REFRAIN_ENDPOINT", format!("http://{}", node.client))
        .env("REFRAIN_TOKEN", ADA)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    expect(&output, 0);
    let mut all: Value = serde_json::from_slice(&output.stdout).unwrap();
    let member = all["members"][0].take();
    (all, member)
}

fn status(node: &Node) -> Value {
    let (all, member) = cluster(node);
    let both = [(&all, &OF_THE_CLUSTER[..]), (&member, &OF_THE_MEMBER)];
    let both = both.into_iter().flat_map(|(of, names)| {
        let told = |name: &&str| ((*name).to_owned(), of[*name].clone());
        names.iter().map(told)
    });
    both.collect::<Map<_, _>>().into()
}

async fn events_sha256(node: &Node, last: u64) -> String {
    let mut lines = Sha256::new();
    let from_the_first = WatchRequest {
        from_revision: 1,
        ..WatchRequest::default()
    };
    let mut request = tonic::Request::new(from_the_first);
    let token = format!("Bearer {ADA}").parse().unwrap();
    request.metadata_mut().insert("authorization", token);
    let mut client = WatchServiceClient::new(channel(&node.client).unwrap());
    let mut events = client.watch(request).await.unwrap().into_inner();
    loop {
        let sent = timeout(PATIENCE, events.message()).await.expect("an event");
        let Some(Item::Event(event)) = sent.unwrap().unwrap().item else {
            continue;
        };
        let Event {
            revision, id, kind, ..
        } = event;
        lines.update(format!("{revision} {kind} {id}\n"));
        if revision >= last {
            return hex::encode(lines.finalize());
        }
    }
}

//! Three nodes that know their callers, and how to call each of them as somebody.

use std::collections::BTreeSet;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use refrain::admission::{Permission, TokenHash};
use refrain::proto::v1::{
    AddRequest, CheckRequest, CheckResponse, Identifier, Reason, SetOptOutRequest,
    SetOptOutResponse, StatusRequest, cluster_service_client::ClusterServiceClient,
    decision_service_client::DecisionServiceClient,
    preference_service_client::PreferenceServiceClient,
};
use tempfile::TempDir;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Code, GrpcMethod, Request, Status};

use crate::support::{Node, REFRAIN, channel, email, eventually, expect, token_key};

/// May do everything.
pub const ADA: &str = "ada";
/// May do everything too: what takes two, these two can do.
pub const BOB: &str = "bob";
/// May ask and opt out, for marketing alone.
pub const MAILER: &str = "mailer";
/// Is known, and was granted nothing.
pub const STRANGER: &str = "stranger";

/// Arguments of a cluster that keeps its leader, however slow the machine is, and tells at once who asked.
pub const STEADY: [&str; 6] = [
    "--election-timeout-min-ms",
    "8000",
    "--election-timeout-max-ms",
    "12000",
    "--usage-report-ms",
    "100",
];

/// Settings with these principals; each has its name for a token.
fn principals() -> String {
    let all = Permission::ALL.map(|one| format!("\"{one}\"")).join(", ");
    let one = |name: &str, grant: &str| {
        let hash = TokenHash::of(name.as_bytes()).to_hex();
        format!("[[principal]]\nname = \"{name}\"\ntoken_sha256 = \"{hash}\"\n{grant}")
    };
    let every = format!("[[principal.grant]]\npermissions = [{all}]\n");
    let few =
        "[[principal.grant]]\npermissions = [\"check\", \"opt_out\"]\npurposes = [\"marketing\"]\n";
    [
        one(ADA, &every),
        one(BOB, &every),
        one(MAILER, few),
        one(STRANGER, ""),
    ]
    .concat()
}

/// The methods that were called, as `refrain.v1.Service/Method`, each with the address of the node that was asked.
pub type Called = Arc<Mutex<BTreeSet<(String, String)>>>;

/// Puts a caller's token into each call, and takes down that it was made.
#[derive(Clone)]
pub struct Caller {
    who: &'static str,
    node: String,
    called: Called,
}

impl Interceptor for Caller {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(to) = request.extensions().get::<GrpcMethod<'_>>() {
            let method = format!("{}/{}", to.service(), to.method());
            let mut called = self.called.lock().unwrap();
            called.insert((self.node.clone(), method));
        }
        let value = format!("Bearer {}", self.who).parse().unwrap();
        request.metadata_mut().insert("authorization", value);
        request.set_timeout(Duration::from_secs(30));
        Ok(request)
    }
}

/// A connection to one node, as somebody.
pub type Line = InterceptedService<Channel, Caller>;

/// Three nodes of one cluster.
pub struct Trio {
    /// The nodes.
    pub nodes: Vec<Node>,
    /// What was called so far.
    pub called: Called,
    folder: TempDir,
    extra: Vec<String>,
}

impl Trio {
    /// Starts three nodes and makes them one cluster; `extra` are further arguments of `serve`.
    pub async fn start(extra: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        token_key(folder.path());
        std::fs::write(folder.path().join("refrain.toml"), principals()).unwrap();
        let mut trio = Self {
            nodes: Vec::new(),
            called: Called::default(),
            folder,
            extra: extra.iter().map(|arg| (*arg).to_owned()).collect(),
        };
        for _ in 0..3 {
            let node = trio.spare().await;
            trio.nodes.push(node);
        }
        expect(&trio.output(0, ADA, &["cluster", "init"]), 0);
        for node in &trio.nodes[1..] {
            expect(&trio.output(0, ADA, &["cluster", "add", &node.peer]), 0);
        }
        for place in 0..3 {
            trio.until_ready(place).await;
        }
        trio
    }

    /// Starts a node that belongs to no cluster yet, and is none of the three.
    pub async fn spare(&self) -> Node {
        let folder = self.folder.path();
        let place = (0..100).find(|n| !folder.join(format!("node{n}.log")).exists());
        let data = folder.join(format!("node{}", place.unwrap()));
        let settings = folder.join("refrain.toml").display().to_string();
        let mut args = vec!["--join", "--config", &settings];
        args.extend(self.extra.iter().map(String::as_str));
        Node::start(&data, &folder.join("token.key"), &args).await
    }

    /// A connection to a node, as somebody.
    pub fn line(&self, place: usize, who: &'static str) -> Line {
        self.line_to(&self.nodes[place], who)
    }

    /// A connection to any node, as somebody.
    pub fn line_to(&self, node: &Node, who: &'static str) -> Line {
        let caller = Caller {
            who,
            node: node.client.clone(),
            called: Arc::clone(&self.called),
        };
        InterceptedService::new(channel(&node.client).unwrap(), caller)
    }

    /// Waits until a node answers.
    pub async fn until_ready(&self, place: usize) {
        eventually("the node is ready", || async {
            self.check(place, ADA, question("nobody@example.com", "sale"))
                .await
                .ok()
        })
        .await;
    }

    /// Asks a node, as somebody.
    pub async fn check(
        &self,
        place: usize,
        who: &'static str,
        question: CheckRequest,
    ) -> Result<CheckResponse, Status> {
        let mut client = DecisionServiceClient::new(self.line(place, who));
        Ok(client.check(question).await?.into_inner())
    }

    /// Holds that each of these nodes answers a question for this reason.
    pub async fn all_say(&self, places: &[usize], question: &CheckRequest, reason: Reason) {
        for place in places {
            let answer = eventually("a check is answered", || async {
                unless_away(self.check(*place, ADA, question.clone()).await)
            })
            .await;
            assert_eq!(answer.reason(), reason, "node {place}: {answer:?}");
        }
    }

    /// Opts somebody out through a node: one request, however often it takes.
    pub async fn opt_out(&self, place: usize, address: &str, purpose: &str) -> SetOptOutResponse {
        let out = SetOptOutRequest {
            request_id: request_id(),
            identifiers: who(address),
            purposes: vec![purpose.to_owned()],
            ..SetOptOutRequest::default()
        };
        let done = eventually("an opt-out is acknowledged", || async {
            let mut client = PreferenceServiceClient::new(self.line(place, ADA));
            unless_away(client.set_opt_out(out.clone()).await)
        });
        done.await.into_inner()
    }

    /// The places of the nodes: first the one that leads, then the others.
    pub async fn places(&self) -> [usize; 3] {
        let leader = eventually("a leader", || async {
            let mut client = ClusterServiceClient::new(self.line(0, ADA));
            let status = client.status(StatusRequest {}).await.ok()?.into_inner();
            self.nodes.iter().position(|it| it.id == status.leader_id)
        })
        .await;
        [leader, (leader + 1) % 3, (leader + 2) % 3]
    }

    /// Runs the program against a node, as somebody, and returns what it prints as JSON.
    pub fn run(&self, place: usize, who: &str, args: &[&str]) -> serde_json::Value {
        let output = self.output(place, who, args);
        expect(&output, 0);
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The same, however it ends.
    pub fn output(&self, place: usize, who: &str, args: &[&str]) -> Output {
        Command::new(REFRAIN)
            .args(args)
            .env(
                "REFRAIN_ENDPOINT",
                format!("http://{}", self.nodes[place].client),
            )
            .env("REFRAIN_TOKEN", who)
            .env("REFRAIN_OUTPUT", "json")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }
}

/// Makes a node a voter, and returns the stages that it went through.
pub async fn add(through: &ClusterServiceClient<Line>, node: &Node) -> Vec<String> {
    let request = AddRequest {
        peer_address: node.peer.clone(),
        learner: false,
    };
    let mut progress = through.clone().add(request).await.unwrap().into_inner();
    let mut stages = Vec::new();
    while let Some(step) = progress.message().await.unwrap() {
        assert_eq!(step.done, step.stage == "done", "{step:?}");
        stages.push(step.stage);
    }
    assert_eq!(stages.last().map(String::as_str), Some("done"));
    stages
}

/// An answer; none where the cluster has no leader just now. Any other refusal fails the test.
#[track_caller]
pub fn unless_away<T>(answer: Result<T, Status>) -> Option<T> {
    match answer {
        Ok(answer) => Some(answer),
        Err(away) if [Code::Unavailable, Code::DeadlineExceeded].contains(&away.code()) => None,
        Err(refused) => panic!("{refused:?}"),
    }
}

/// A question about an e-mail address.
pub fn question(address: &str, purpose: &str) -> CheckRequest {
    CheckRequest {
        identifiers: vec![email(address)],
        purpose: purpose.to_owned(),
        ..CheckRequest::default()
    }
}

/// The same, asked by a service.
pub fn question_of(service: &str, address: &str, purpose: &str) -> CheckRequest {
    CheckRequest {
        service: service.to_owned(),
        ..question(address, purpose)
    }
}

/// An e-mail address, as one of many.
pub fn who(address: &str) -> Vec<Identifier> {
    vec![email(address)]
}

/// A fresh request id.
pub fn request_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

//! The operator of a simulated cluster: forms it, carries out what the nemesis orders, and reads it off in the end.

use std::time::Duration;

use refrain::proto::v1::{
    AddRequest, GetTokensRequest, InitRequest, ListPurposesRequest, Member, RemoveRequest,
    StatusRequest, StatusResponse, TransferLeaderRequest,
    cluster_service_client::ClusterServiceClient, identifier::Form,
    preference_service_client::PreferenceServiceClient,
    registry_service_client::RegistryServiceClient,
};
use tokio::time::{Instant, sleep, timeout};
use tonic::{Request, Status, transport::Channel};

use crate::calls::{self, identifiers};
use crate::clients::SUBJECTS;
use crate::invariants::history::{Node, Rule, State};
use crate::record::{Order, Phase, Shared};
use crate::watchers::{journal, told_members};
use crate::world::{PEERS, channel, name};

/// Within which every member has to serve when the faults are over (I10).
const SERVES_WITHIN: Duration = Duration::from_secs(10);
/// How long an order may take.
const ORDER: Duration = Duration::from_secs(4);

/// The operator.
pub struct Operator {
    nodes: usize,
    /// How many of them form the cluster.
    members: usize,
    record: Shared,
}

/// Tries until it succeeds, in simulated time.
pub async fn until<T, F: Future<Output = Option<T>>>(
    what: &str,
    within: Duration,
    mut attempt: impl FnMut() -> F,
) -> T {
    let give_up = Instant::now() + within;
    loop {
        if let Some(done) = attempt().await {
            return done;
        }
        assert!(Instant::now() < give_up, "not within {within:?}: {what}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// A host by the address of its peer listener.
pub fn host(address: &str) -> Option<Node> {
    address
        .split(':')
        .next()?
        .strip_prefix("node-")?
        .parse()
        .ok()
}

/// The id of the member on a host.
pub fn member_on(status: &StatusResponse, node: Node) -> Option<String> {
    let there = |it: &&Member| host(&it.peer_address) == Some(node);
    Some(status.members.iter().find(there)?.node_id.clone())
}

/// The host of the member that leads.
pub fn leading(status: &StatusResponse) -> Option<Node> {
    let leads = |it: &&Member| it.node_id == status.leader_id;
    host(&status.members.iter().find(leads)?.peer_address)
}

/// What a node says of the cluster.
pub async fn status(channel: Channel, patience: Duration) -> Result<StatusResponse, Status> {
    let mut request = Request::new(StatusRequest {});
    request.set_timeout(patience);
    let status = ClusterServiceClient::new(channel).status(request).await?;
    Ok(status.into_inner())
}

/// Forms a cluster of nodes `0..members`, and waits until each serves.
pub async fn form(members: usize) {
    let minute = Duration::from_secs(60);
    until("a cluster is formed", minute, || async {
        let mut cluster = ClusterServiceClient::new(channel(0));
        cluster.init(InitRequest {}).await.ok()
    })
    .await;
    for node in 1..members {
        until("a node is added", minute, || add(0, node)).await;
    }
    for node in 0..members {
        until("a node serves", minute, || serves(node)).await;
    }
}

/// Adds a node through another, and waits until it is a voter.
pub async fn add(through: Node, node: Node) -> Option<()> {
    let request = AddRequest {
        peer_address: format!("{}:{PEERS}", name(node)),
        learner: false,
    };
    let mut cluster = ClusterServiceClient::new(channel(through));
    let mut progress = cluster.add(request).await.ok()?.into_inner();
    let mut done = false;
    while let Some(step) = progress.message().await.ok()? {
        done = step.done;
    }
    done.then_some(())
}

/// Removes a member by its id, through a node.
pub async fn remove(through: Node, node_id: &str, force: bool) -> Option<()> {
    let request = RemoveRequest {
        node_id: node_id.to_owned(),
        force,
    };
    let mut cluster = ClusterServiceClient::new(channel(through));
    cluster.remove(request).await.ok().map(drop)
}

async fn serves(node: Node) -> Option<()> {
    let second = Duration::from_secs(1);
    let subject = ["s0".to_owned()];
    let checked = calls::check(channel(node), second, &subject, "analytics").await;
    checked.ok().map(drop)
}

impl Operator {
    /// An operator of hosts `0..nodes`, of which `0..members` form the cluster.
    pub fn new(nodes: usize, members: usize, record: Shared) -> Self {
        Self {
            nodes,
            members,
            record,
        }
    }

    /// The whole run, from the forming to the reading.
    pub async fn run(self) {
        form(self.members).await;
        self.learn().await;
        self.record.borrow_mut().phase = Phase::Faults;
        let mut looked = Instant::now();
        while self.record.borrow().phase == Phase::Faults {
            let order = self.record.borrow_mut().orders.pop_front();
            if let Some(order) = order {
                let done = timeout(ORDER, self.carry_out(&order)).await == Ok(Some(()));
                let mut record = self.record.borrow_mut();
                record.note(format_args!("the operator: {order:?}, certain: {done}"));
                record.carried_out.push((order, done));
            } else if looked.elapsed() > Duration::from_secs(1) {
                looked = Instant::now();
                self.look().await;
            }
            sleep(Duration::from_millis(20)).await;
        }
        let healed = Instant::now();
        let members = until(
            "I10 is violated: the healed cluster names its members",
            SERVES_WITHIN,
            || async {
                for node in 0..self.nodes {
                    // The leader's word: one that was removed may not have heard of it.
                    let Ok(status) = status(channel(node), Duration::from_secs(1)).await else {
                        continue;
                    };
                    let members = self.understand(&status);
                    if status.answered_by == status.leader_id && members.is_some() {
                        return members;
                    }
                }
                None
            },
        )
        .await;
        for node in &members {
            let left = SERVES_WITHIN.saturating_sub(healed.elapsed());
            let what = format!("I10 is violated: node {node} serves again");
            until(&what, left, || serves(*node)).await;
        }
        {
            let mut record = self.record.borrow_mut();
            record.served_after = Some(healed.elapsed());
            record.note(format_args!("members {members:?} serve"));
            record.members = members;
        }
        until("every client has ended", SERVES_WITHIN, || async {
            (self.record.borrow().asking == 0).then_some(())
        })
        .await;
        self.collect().await;
        self.record.borrow_mut().phase = Phase::Done;
    }

    /// Which purposes there are, and which subject a token stands for.
    async fn learn(&self) {
        let purposes = RegistryServiceClient::new(channel(0))
            .list_purposes(ListPurposesRequest {})
            .await
            .unwrap();
        let request = GetTokensRequest {
            identifiers: identifiers(&subjects()),
            ..GetTokensRequest::default()
        };
        let tokens = PreferenceServiceClient::new(channel(0))
            .get_tokens(request)
            .await
            .unwrap();
        let mut record = self.record.borrow_mut();
        for purpose in purposes.into_inner().purposes {
            let rule = match (purpose.essential, purpose.default_deny) {
                (true, _) => Rule::Essential,
                (_, Some(true)) => Rule::DefaultDeny,
                _ => Rule::DefaultAllow,
            };
            record.history.rules.insert(purpose.name, rule);
        }
        for (subject, token) in subjects().into_iter().zip(tokens.into_inner().tokens) {
            let Some(Form::Token(token)) = token.form else {
                panic!("no token for {subject}");
            };
            record.subjects.insert(token, subject);
        }
    }

    async fn carry_out(&self, order: &Order) -> Option<()> {
        // Through whoever answers: every node forwards to the leader.
        for node in 0..self.nodes {
            let second = Duration::from_secs(1);
            let Ok(status) = status(channel(node), second).await else {
                continue;
            };
            if status.leader_id.is_empty() {
                continue;
            }
            match order {
                Order::Transfer => {
                    let mut cluster = ClusterServiceClient::new(channel(node));
                    let request = TransferLeaderRequest::default();
                    cluster.transfer_leader(request).await.ok()?;
                }
                Order::Add(host) => add(node, *host).await?,
                Order::Remove(gone) => {
                    remove(node, &member_on(&status, *gone)?, false).await?;
                }
            }
            return Some(());
        }
        None
    }

    async fn look(&self) {
        let some = self.record.borrow().history.operations.len() % self.nodes;
        if let Ok(status) = status(channel(some), Duration::from_millis(500)).await {
            self.understand(&status);
        }
    }

    /// Notes what a status says; the members, where it comes from one that has a leader.
    fn understand(&self, status: &StatusResponse) -> Option<Vec<Node>> {
        let mut record = self.record.borrow_mut();
        record.term = record.term.max(status.term);
        let differs = status.alarms.iter().find(|it| it.contains("DIFFERS"));
        record.differs = record.differs.take().or(differs.cloned());
        let mut members = Vec::new();
        for member in &status.members {
            let node = host(&member.peer_address)?;
            members.push(node);
            if member.reachable {
                record.reach(Some(member.revision));
                let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
                record.history.states.push(State {
                    node,
                    revision: member.hash_revision,
                    hash: known(&member.state_hash),
                    root: None,
                });
                record.history.states.push(State {
                    node,
                    revision: member.revision,
                    hash: None,
                    root: known(&member.journal_root),
                });
            }
        }
        members.sort_unstable();
        (!status.leader_id.is_empty()).then_some(members)
    }

    /// Reads the members' journals and states, when all have come as far as any.
    async fn collect(&self) {
        let members = self.record.borrow().members.clone();
        let minute = Duration::from_secs(60);
        // Whoever carried an act out may have died before it was recorded; then the cluster does it by and by.
        until("the journal tells of the members", minute, || async {
            let status = status(channel(members[0]), Duration::from_secs(2)).await;
            let status = status.ok()?;
            self.understand(&status)?;
            let newest = status.members.iter().map(|it| it.revision).max()?;
            let told = told_members(members[0], newest).await.ok()?;
            let votes = |it: &Member| (it.node_id.clone(), it.role == "voter");
            (told == status.members.iter().map(votes).collect()).then_some(())
        })
        .await;
        until("all members stand at one revision", minute, || async {
            let status = status(channel(members[0]), Duration::from_secs(2)).await;
            let status = status.ok()?;
            self.understand(&status);
            let goal = self.record.borrow().goal;
            let equal =
                |it: &Member| it.reachable && it.revision == goal && it.journal_events == goal;
            let all = status.members.iter().all(equal);
            // At once: who sees more from here on sees what is not judged.
            all.then(|| self.record.borrow_mut().phase = Phase::Collecting)
        })
        .await;
        let goal = self.record.borrow().goal;
        for node in members {
            let journal = until("a journal is read", minute, || async {
                journal(node, goal, &self.record).await.ok()
            })
            .await;
            let mut record = self.record.borrow_mut();
            record.note(format_args!(
                "node {node} has {} events, and {goal} are known",
                journal.entries.len()
            ));
            record.history.journals.push(journal);
        }
    }
}

fn subjects() -> Vec<String> {
    (0..SUBJECTS).map(|subject| format!("s{subject}")).collect()
}

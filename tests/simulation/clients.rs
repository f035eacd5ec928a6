//! Clients that ask at random, try again under the same request id, and write down what they get.

use std::time::Duration;

use rand::{Rng as _, rngs::StdRng};
use tokio::time::{Instant, sleep, timeout};
use tonic::{Status, transport::Channel};

use crate::calls::{self, NAMESPACE};
use crate::invariants::history::{Call, Change, Key, Node, Outcome, Waited};
use crate::record::{Phase, Shared};
use crate::world::{channel, request_id};

/// Subjects that all clients share.
pub const SUBJECTS: usize = 8;
/// Purposes that all clients share: a tree, and its root.
pub const PURPOSES: [&str; 4] = ["analytics", "marketing", "marketing.email", "*"];
/// How often a request without a certain answer is tried.
const TRIES: usize = 4;

/// One client.
pub struct Client {
    id: usize,
    nodes: usize,
    record: Shared,
    random: StdRng,
    channels: Vec<Option<Channel>>,
    /// Requests made before: some are sent again long after.
    before: Vec<(String, Change, String, Vec<String>)>,
}

impl Client {
    /// A client of nodes `0..nodes`.
    pub fn new(id: usize, nodes: usize, record: Shared, random: StdRng) -> Self {
        Self {
            id,
            nodes,
            record,
            random,
            channels: vec![None; nodes],
            before: Vec::new(),
        }
    }

    /// Asks until the faults are over.
    pub async fn run(mut self) {
        loop {
            sleep(Duration::from_millis(self.random.random_range(0..80))).await;
            let phase = self.record.borrow().phase;
            match phase {
                Phase::Forming => {}
                Phase::Faults => self.once().await,
                Phase::Healing | Phase::Collecting | Phase::Done => return,
            }
        }
    }

    /// Asks nodes that cannot know, and others when there is none.
    pub async fn probe(mut self) {
        loop {
            sleep(Duration::from_millis(self.random.random_range(20..120))).await;
            let (phase, closed) = {
                let record = self.record.borrow();
                (record.phase, record.closed.clone())
            };
            if phase > Phase::Faults {
                return;
            }
            if phase == Phase::Faults {
                let node = if closed.is_empty() {
                    self.random.random_range(0..self.nodes)
                } else {
                    closed[self.random.random_range(0..closed.len())]
                };
                let deadline = Duration::from_millis(self.random.random_range(100..400));
                if self.random.random_bool(0.7) {
                    self.check(node, deadline).await;
                } else {
                    let (change, subject, purposes) = self.wish();
                    let id = self.fresh_id();
                    self.set(node, deadline, &id, change, &subject, &purposes)
                        .await;
                }
            }
        }
    }

    async fn once(&mut self) {
        let node = self.random.random_range(0..self.nodes);
        let deadline = Duration::from_millis(self.random.random_range(200..1_500));
        match self.random.random_range(0..100) {
            0..40 => self.change().await,
            40..44 => self.again().await,
            44..80 => self.check(node, deadline).await,
            80..92 => self.batch(node, deadline).await,
            _ => self.preferences(node, deadline).await,
        }
    }

    fn subject(&mut self) -> String {
        format!("s{}", self.random.random_range(0..SUBJECTS))
    }

    fn purpose(&mut self) -> String {
        PURPOSES[self.random.random_range(0..PURPOSES.len())].to_owned()
    }

    /// A purpose that can be asked about.
    fn asked(&mut self) -> String {
        PURPOSES[self.random.random_range(0..3)].to_owned()
    }

    fn asked_subjects(&mut self) -> Vec<String> {
        // Two subjects are asked about together, so that the others' histories can be judged apart.
        if self.random.random_bool(0.1) {
            return vec!["s0".to_owned(), "s1".to_owned()];
        }
        vec![self.subject()]
    }

    fn wish(&mut self) -> (Change, String, Vec<String>) {
        let change = if self.random.random_bool(0.55) {
            Change::OptOut
        } else {
            Change::OptIn
        };
        let mut purposes = vec![self.purpose()];
        let other = self.purpose();
        if self.random.random_bool(0.2) && other != purposes[0] {
            purposes.push(other);
        }
        (change, self.subject(), purposes)
    }

    fn fresh_id(&mut self) -> String {
        request_id(&mut self.random, turmoil::sim_elapsed().unwrap_or_default())
    }

    async fn change(&mut self) {
        let (change, subject, purposes) = self.wish();
        let id = self.fresh_id();
        self.before
            .push((id.clone(), change, subject.clone(), purposes.clone()));
        self.persist(&id, change, &subject, &purposes).await;
    }

    /// Sends an old request again: it must have no second effect, whatever came after it.
    async fn again(&mut self) {
        if self.before.is_empty() {
            return;
        }
        let which = self.random.random_range(0..self.before.len());
        let (id, change, subject, purposes) = self.before[which].clone();
        self.persist(&id, change, &subject, &purposes).await;
    }

    /// Tries until the outcome is certain, or a few times: through any node, under the same id.
    async fn persist(&mut self, id: &str, change: Change, subject: &str, purposes: &[String]) {
        for _ in 0..TRIES {
            let node = self.random.random_range(0..self.nodes);
            let deadline = Duration::from_millis(self.random.random_range(200..1_500));
            let outcome = self
                .set(node, deadline, id, change, subject, purposes)
                .await;
            if outcome.revision().is_some() || self.random.random_bool(0.2) {
                return;
            }
            sleep(Duration::from_millis(self.random.random_range(0..300))).await;
        }
    }

    async fn set(
        &mut self,
        node: Node,
        deadline: Duration,
        id: &str,
        change: Change,
        subject: &str,
        purposes: &[String],
    ) -> Outcome {
        let keys = purposes
            .iter()
            .map(|purpose| Key::new(NAMESPACE, subject, purpose));
        let call = Call::set(id, change, keys);
        let asking = calls::set(self.channel(node), deadline, id, change, subject, purposes);
        let mut outcomes = Box::pin(self.ask(node, deadline, vec![call], async {
            asking.await.map(|outcome| vec![outcome])
        }))
        .await;
        outcomes.pop().unwrap()
    }

    async fn check(&mut self, node: Node, deadline: Duration) {
        let (subjects, purpose) = (self.asked_subjects(), self.asked());
        let call = question(&subjects, &purpose);
        let channel = self.channel(node);
        let asking = calls::check(channel, deadline, &subjects, &purpose);
        self.ask(node, deadline, vec![call], async {
            asking.await.map(|outcome| vec![outcome])
        })
        .await;
    }

    async fn batch(&mut self, node: Node, deadline: Duration) {
        let questions: Vec<_> = (0..self.random.random_range(2..5))
            .map(|_| (self.asked_subjects(), self.asked()))
            .collect();
        let asked = questions.iter();
        let asked = asked.map(|(subjects, purpose)| question(subjects, purpose));
        let asked = asked.collect();
        let asking = calls::batch_check(self.channel(node), deadline, &questions);
        self.ask(node, deadline, asked, asking).await;
    }

    async fn preferences(&mut self, node: Node, deadline: Duration) {
        let subject = self.subject();
        let call = Call::Preferences {
            namespace: NAMESPACE.to_owned(),
            tokens: vec![subject.clone()],
        };
        let asking = calls::preferences(self.channel(node), deadline, &subject);
        self.ask(node, deadline, vec![call], async {
            asking.await.map(|outcome| vec![outcome])
        })
        .await;
    }

    /// Makes one call, which may hold several questions, and records each.
    async fn ask(
        &mut self,
        node: Node,
        deadline: Duration,
        asked: Vec<Call>,
        asking: impl Future<Output = Result<Vec<Outcome>, Status>>,
    ) -> Vec<Outcome> {
        let client = self.id;
        let begun: Vec<_> = asked
            .into_iter()
            .map(|call| self.record.borrow_mut().begin(client, node, call))
            .collect();
        let start = Instant::now();
        // Connecting is the caller's own time: what has not come by then does not count any more.
        let answered = timeout(deadline, asking).await;
        let answered =
            answered.unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer in time")));
        let waited = Waited {
            for_: start.elapsed(),
            deadline,
            // An answer may be lost on its way here.
            by_node: true,
        };
        let mut record = self.record.borrow_mut();
        let outcomes = match answered {
            Ok(outcomes) => {
                assert_eq!(outcomes.len(), begun.len(), "an answer for each question");
                outcomes
            }
            Err(status) => {
                record.note(format_args!("client {client}: {}", calls::reason(&status)));
                // What was lost may have taken the connection with it.
                self.channels[node] = None;
                vec![calls::failed(&status); begun.len()]
            }
        };
        for (begun, outcome) in begun.into_iter().zip(&outcomes) {
            record.end(client, begun, outcome.clone(), waited);
        }
        outcomes
    }

    fn channel(&mut self, node: Node) -> Channel {
        self.channels[node]
            .get_or_insert_with(|| channel(node))
            .clone()
    }
}

fn question(subjects: &[String], purpose: &str) -> Call {
    Call::Check {
        namespace: NAMESPACE.to_owned(),
        tokens: subjects.to_vec(),
        purpose: purpose.to_owned(),
    }
}

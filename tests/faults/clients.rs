//! Clients that ask at random, try again under the same request id, and write down what they get.

use std::time::Duration;

use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use tokio::time::{Instant, sleep, timeout};
use tonic::{Status, transport::Channel};

use crate::calls::{self, NAMESPACE};
use crate::invariants::history::{Call, Change, Key, Node, Outcome, Waited};
use crate::record::{Phase, Shared};
use crate::support;

/// Subjects that all clients share at a time.
pub const SUBJECTS: usize = 8;
/// Subjects of those who write as fast as they can.
pub const RUSH_SUBJECTS: usize = 256;
/// Purposes that all clients share: a tree, and its root.
const PURPOSES: [&str; 4] = ["analytics", "marketing", "marketing.email", "*"];
/// How often a request without a certain answer is tried.
const TRIES: usize = 5;

/// What a client is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It asks and changes at random.
    Random,
    /// It asks nodes that cannot know, in short time, and others when there is none.
    Probe,
    /// It changes as fast as it can, while that is wanted.
    Rush,
}

/// One client.
pub struct Client {
    id: usize,
    role: Role,
    record: Shared,
    random: StdRng,
    channels: Vec<Option<(String, Channel)>>,
    /// Requests made before: some are sent again long after.
    before: Vec<Wish>,
}

/// A change, under its id.
#[derive(Clone)]
struct Wish {
    id: String,
    change: Change,
    subject: String,
    purposes: Vec<String>,
}

/// The name of a subject.
pub fn subject(age: usize, number: usize) -> String {
    format!("s{age}-{number}")
}

/// The name of a subject of those who write as fast as they can.
pub fn rush_subject(number: usize) -> String {
    format!("r{number}")
}

impl Client {
    /// A client, with randomness of its own.
    pub fn new(id: usize, role: Role, record: Shared, seed: u64) -> Self {
        let nodes = record.lock().addresses.len();
        Self {
            id,
            role,
            record,
            random: StdRng::seed_from_u64(seed ^ ((id as u64 + 1) << 32)),
            channels: vec![None; nodes],
            before: Vec::new(),
        }
    }

    /// Asks until the faults are over.
    pub async fn run(mut self) {
        loop {
            let (phase, rush, closed) = {
                let record = self.record.lock();
                (record.phase, record.rush, record.closed.clone())
            };
            if phase > Phase::Faults {
                return;
            }
            match self.role {
                Role::Random => {
                    self.once().await;
                    self.rest(0..60).await;
                }
                Role::Probe => {
                    let node = match closed.choose(&mut self.random) {
                        Some(node) => *node,
                        None => self.node(),
                    };
                    self.probe(node).await;
                    self.rest(20..120).await;
                }
                Role::Rush if rush => {
                    let wish = self.wish();
                    self.persist(&wish).await;
                }
                Role::Rush => self.rest(20..60).await,
            }
        }
    }

    async fn rest(&mut self, millis: std::ops::Range<u64>) {
        sleep(Duration::from_millis(self.random.random_range(millis))).await;
    }

    fn node(&mut self) -> Node {
        self.random.random_range(0..self.channels.len())
    }

    fn deadline(&mut self) -> Duration {
        Duration::from_millis(self.random.random_range(300..2_000))
    }

    async fn once(&mut self) {
        let (node, deadline) = (self.node(), self.deadline());
        match self.random.random_range(0..100) {
            0..40 => {
                let wish = self.wish();
                self.before.push(wish.clone());
                self.persist(&wish).await;
            }
            40..45 => {
                // An old request: it must have no second effect, whatever came after it.
                if let Some(wish) = self.before.choose(&mut self.random).cloned() {
                    self.persist(&wish).await;
                }
            }
            45..80 => self.check(node, deadline).await,
            80..92 => self.batch(node, deadline).await,
            _ => self.preferences(node, deadline).await,
        }
    }

    async fn probe(&mut self, node: Node) {
        let deadline = Duration::from_millis(self.random.random_range(300..800));
        if self.random.random_bool(0.7) {
            self.check(node, deadline).await;
        } else {
            let wish = self.wish();
            self.set(node, deadline, &wish).await;
        }
    }

    fn subject(&mut self) -> String {
        let age = self.record.lock().age;
        subject(age, self.random.random_range(0..SUBJECTS))
    }

    fn purpose(&mut self) -> String {
        PURPOSES[self.random.random_range(0..PURPOSES.len())].to_owned()
    }

    /// Subjects and a purpose that can be asked about.
    fn question(&mut self) -> (Vec<String>, String) {
        // Two subjects are asked about together, so that the others' histories can be judged apart.
        let subjects = if self.random.random_bool(0.1) {
            let age = self.record.lock().age;
            vec![subject(age, 0), subject(age, 1)]
        } else {
            vec![self.subject()]
        };
        (
            subjects,
            PURPOSES[self.random.random_range(0..3)].to_owned(),
        )
    }

    fn wish(&mut self) -> Wish {
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
        let subject = match self.role {
            Role::Rush => rush_subject(self.random.random_range(0..RUSH_SUBJECTS)),
            Role::Random | Role::Probe => self.subject(),
        };
        Wish {
            id: uuid::Uuid::now_v7().to_string(),
            change,
            subject,
            purposes,
        }
    }

    /// Tries until the outcome is certain, or a few times: through any node, under the same id.
    async fn persist(&mut self, wish: &Wish) {
        for _ in 0..TRIES {
            let (node, deadline) = (self.node(), self.deadline());
            let done = self.set(node, deadline, wish).await;
            if done || self.random.random_bool(0.1) {
                return;
            }
            self.rest(0..200).await;
        }
    }

    async fn set(&mut self, node: Node, deadline: Duration, wish: &Wish) -> bool {
        let keys = wish.purposes.iter();
        let keys = keys.map(|purpose| Key::new(NAMESPACE, &wish.subject, purpose));
        let call = Call::set(&wish.id, wish.change, keys);
        let Some(channel) = self.channel(node).await else {
            return false;
        };
        let Wish {
            id,
            change,
            subject,
            purposes,
        } = wish;
        let asking = calls::set(channel, deadline, id, *change, subject, purposes);
        let outcomes = self.ask(node, deadline, vec![call], async {
            asking.await.map(|outcome| vec![outcome])
        });
        outcomes.await[0].revision().is_some()
    }

    async fn check(&mut self, node: Node, deadline: Duration) {
        let (subjects, purpose) = self.question();
        let Some(channel) = self.channel(node).await else {
            return;
        };
        let asking = calls::check(channel, deadline, &subjects, &purpose);
        let asked = vec![asked(&subjects, &purpose)];
        self.ask(node, deadline, asked, async {
            asking.await.map(|outcome| vec![outcome])
        })
        .await;
    }

    async fn batch(&mut self, node: Node, deadline: Duration) {
        let count = self.random.random_range(2..5);
        let questions: Vec<_> = (0..count).map(|_| self.question()).collect();
        let calls = questions.iter();
        let calls = calls.map(|(subjects, purpose)| asked(subjects, purpose));
        let calls = calls.collect();
        let Some(channel) = self.channel(node).await else {
            return;
        };
        let asking = calls::batch_check(channel, deadline, &questions);
        self.ask(node, deadline, calls, asking).await;
    }

    async fn preferences(&mut self, node: Node, deadline: Duration) {
        let subject = self.subject();
        let call = Call::Preferences {
            namespace: NAMESPACE.to_owned(),
            tokens: vec![subject.clone()],
        };
        let Some(channel) = self.channel(node).await else {
            return;
        };
        let asking = calls::preferences(channel, deadline, &subject);
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
        calls: Vec<Call>,
        asking: impl Future<Output = Result<Vec<Outcome>, Status>>,
    ) -> Vec<Outcome> {
        let begun: Vec<_> = {
            let mut record = self.record.lock();
            let begin = |call| record.begin(self.id, node, call);
            calls.into_iter().map(begin).collect()
        };
        let start = Instant::now();
        // Connecting is the caller's own time: what has not come by then does not count any more.
        let answered = timeout(deadline, asking).await;
        let answered =
            answered.unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer in time")));
        let waited = Waited {
            for_: start.elapsed(),
            deadline,
            by_node: answered.as_ref().err().is_none_or(calls::answered),
        };
        let mut record = self.record.lock();
        let outcomes = match answered {
            Ok(outcomes) => {
                assert_eq!(outcomes.len(), begun.len(), "an answer for each question");
                outcomes
            }
            Err(status) => {
                record.refused(calls::reason(&status));
                vec![calls::failed(&status); begun.len()]
            }
        };
        for (begun, outcome) in begun.into_iter().zip(&outcomes) {
            record.end(begun, outcome.clone(), waited);
        }
        outcomes
    }

    /// The way to a node, which stays open; none, after a moment, while the node is down.
    async fn channel(&mut self, node: Node) -> Option<Channel> {
        let address = self.record.lock().addresses[node].clone();
        let Some(address) = address else {
            self.rest(5..20).await;
            return None;
        };
        if self.channels[node]
            .as_ref()
            .is_none_or(|it| it.0 != address)
        {
            let channel = support::channel(&address)?;
            self.channels[node] = Some((address, channel));
        }
        self.channels[node].as_ref().map(|it| it.1.clone())
    }
}

fn asked(subjects: &[String], purpose: &str) -> Call {
    Call::Check {
        namespace: NAMESPACE.to_owned(),
        tokens: subjects.to_vec(),
        purpose: purpose.to_owned(),
    }
}

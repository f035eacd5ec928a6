//! What a run observes, and what its parts tell each other while it lasts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::invariants::history::{
    Call, Closed, Filter, History, Node, Outcome, Revision, Seen, Waited, Watch,
};
use crate::invariants::record::Begun;

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Clients ask, and faults happen.
    Faults,
    /// Nothing is wrong any more, and nobody asks any more.
    Healing,
    /// Every member has everything: watchers come to their end.
    Collecting,
}

/// Everything that the parts of a run share.
pub struct Record {
    /// What is judged.
    pub history: History,
    /// How far the run is.
    pub phase: Phase,
    /// Where each node listens for clients; none while it is down.
    pub addresses: Vec<Option<String>>,
    /// The nodes that are members.
    pub members: Vec<Node>,
    /// Nodes that cannot know at the moment.
    pub closed: Vec<Node>,
    /// Whether all are to write as fast as they can.
    pub rush: bool,
    /// Subjects by token.
    pub subjects: BTreeMap<String, String>,
    /// Of which subjects is spoken: they change, so that each one's history stays short enough to search.
    pub age: usize,
    /// The revision that all have to come to.
    pub goal: Revision,
    /// The longest time without an acknowledged change.
    pub longest_pause: Duration,
    acknowledged_at: Instant,
    told: BTreeMap<String, usize>,
}

/// A record that the parts of a run share.
#[derive(Clone)]
pub struct Shared(Arc<Mutex<Record>>);

impl Shared {
    /// Nothing yet, of so many nodes.
    pub fn new(nodes: usize) -> Self {
        Self(Arc::new(Mutex::new(Record {
            history: History::default(),
            phase: Phase::Faults,
            addresses: vec![None; nodes],
            members: Vec::new(),
            closed: Vec::new(),
            rush: false,
            subjects: BTreeMap::new(),
            age: 0,
            goal: 0,
            longest_pause: Duration::ZERO,
            acknowledged_at: Instant::now(),
            told: BTreeMap::new(),
        })))
    }

    /// The record, for a moment: no lock is held while anything is waited for. Where a part has failed, the others have to end.
    pub fn lock(&self) -> MutexGuard<'_, Record> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
    /// A call begins.
    pub fn begin(&mut self, client: usize, node: Node, call: Call) -> Begun {
        self.history.begin(client, node, call)
    }

    /// A call ends.
    pub fn end(&mut self, begun: Begun, outcome: Outcome, waited: Waited) {
        if matches!(outcome, Outcome::Done { .. }) {
            self.longest_pause = self.longest_pause.max(self.acknowledged_at.elapsed());
            self.acknowledged_at = Instant::now();
        }
        self.reach(outcome.revision());
        self.history.end(begun, outcome, Some(waited));
    }

    /// Counts the reason of an error.
    pub fn refused(&mut self, reason: String) {
        *self.told.entry(reason).or_default() += 1;
    }

    /// How often calls ended with which error.
    pub fn reasons(&self) -> &BTreeMap<String, usize> {
        &self.told
    }

    /// A revision was seen: all have to come to it.
    pub fn reach(&mut self, revision: Option<Revision>) {
        if self.phase < Phase::Collecting {
            self.goal = self.goal.max(revision.unwrap_or(0));
        }
    }

    /// The last revision that is judged, once it is known: a change of which its client knows nothing may still be taken while the
    /// journals are read.
    pub fn judged_to(&self) -> Option<Revision> {
        (self.phase >= Phase::Collecting).then_some(self.goal)
    }

    /// A node cannot know from here on.
    pub fn closes(&mut self, node: Node, why: Closed) -> usize {
        self.closed.push(node);
        self.history.closes(node, why)
    }

    /// A node may know again.
    pub fn opens(&mut self, node: Node, closure: usize) {
        self.closed.retain(|it| *it != node);
        self.history.opens(closure);
    }

    /// How many calls to a node began and ended since a moment.
    pub fn asked(&self, node: Node, since: u64) -> usize {
        let of_node = |it: &&crate::invariants::history::Operation| {
            it.node == node && it.begun > since && it.ended.is_some()
        };
        self.history.operations.iter().rev().filter(of_node).count()
    }

    /// How many calls were answered since a moment.
    pub fn answered(&self, since: u64) -> usize {
        let answered = self.history.operations.iter();
        answered
            .filter(|it| it.outcome.revision().is_some() && it.ended >= Some(since))
            .count()
    }

    /// How many changes were acknowledged.
    pub fn acknowledged(&self) -> usize {
        let done = |outcome: &Outcome| matches!(outcome, Outcome::Done { .. });
        let operations = self.history.operations.iter();
        operations.filter(|it| done(&it.outcome)).count()
    }

    /// A watcher begins.
    pub fn watch(&mut self, filter: Filter) -> usize {
        self.history.watches.push(Watch {
            filter,
            seen: Vec::new(),
            reaches: 0,
        });
        self.history.watches.len() - 1
    }

    /// A watcher met something.
    pub fn seen(&mut self, watch: usize, seen: Seen) {
        self.reach(match &seen {
            Seen::Event(entry) => Some(entry.revision),
            Seen::Heartbeat(revision) => Some(*revision),
            Seen::Asked { .. } | Seen::EarliestLeft(_) => None,
        });
        self.history.watches[watch].seen.push(seen);
    }
}

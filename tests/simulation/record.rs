//! What a run observes, in order: the history that is judged, and a hash over everything, by which two runs are compared.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Display;
use std::rc::Rc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::invariants::history::{
    Call, Closed, Entry, History, Node, Outcome, Revision, Seen, Waited, Watch,
};
use crate::invariants::record::Begun;

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// The cluster is being formed.
    Forming,
    /// Clients ask, and faults happen.
    Faults,
    /// The faults are over: every member has to serve again.
    Healing,
    /// Every member serves: watchers may come to their end.
    Collecting,
    /// All is recorded.
    Done,
}

/// What the nemesis has the operator do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Hands the leadership to whoever fits.
    Transfer,
    /// Adds a host that waits.
    Add(Node),
    /// Removes a member.
    Remove(Node),
}

/// Everything that the parts of a run share.
pub struct Record {
    /// What is judged.
    pub history: History,
    /// How far the run is.
    pub phase: Phase,
    /// What the operator has to do.
    pub orders: VecDeque<Order>,
    /// What the operator did: each order, and whether that is certain.
    pub carried_out: Vec<(Order, bool)>,
    /// How many clients still ask.
    pub asking: usize,
    /// Nodes that cannot know at the moment.
    pub closed: Vec<Node>,
    /// Subjects by token.
    pub subjects: BTreeMap<String, String>,
    /// Hosts that were members when it was last asked.
    pub members: Vec<Node>,
    /// The revision that all have to come to.
    pub goal: Revision,
    /// The highest term that was seen.
    pub term: u64,
    /// The first alarm by which nodes differ. It says less than the judge of I8, who is asked first.
    pub differs: Option<String>,
    /// How long the members took to serve again.
    pub served_after: Option<Duration>,
    trace: Sha256,
    told: bool,
    now: Duration,
}

/// A record that the parts of a run share: they all run on one thread.
pub type Shared = Rc<RefCell<Record>>;

impl Record {
    /// Nothing yet. `told`: whether every observation is printed as well.
    pub fn new(told: bool) -> Shared {
        Rc::new(RefCell::new(Self {
            history: History::default(),
            phase: Phase::Forming,
            orders: VecDeque::new(),
            carried_out: Vec::new(),
            asking: 0,
            closed: Vec::new(),
            subjects: BTreeMap::new(),
            members: Vec::new(),
            goal: 0,
            term: 0,
            differs: None,
            served_after: None,
            trace: Sha256::new(),
            told,
            now: Duration::ZERO,
        }))
    }

    /// Notes something that was observed.
    pub fn note(&mut self, what: impl Display) {
        let now = turmoil::sim_elapsed().unwrap_or(self.now);
        let line = format!("{:>10.3} {what}\n", now.as_secs_f64());
        if self.told {
            eprint!("{line}");
        }
        self.trace.update(line);
    }

    /// The time, for what is noted between two steps of the simulation.
    pub fn set_now(&mut self, now: Duration) {
        self.now = now;
    }

    /// The hash over all that was observed.
    pub fn trace(&self) -> String {
        hex::encode(self.trace.clone().finalize())
    }

    /// A call begins.
    pub fn begin(&mut self, client: usize, node: Node, call: Call) -> Begun {
        self.note(format_args!("client {client} asks node {node}: {call}"));
        self.history.begin(client, node, call)
    }

    /// A call ends.
    pub fn end(&mut self, client: usize, begun: Begun, outcome: Outcome, waited: Waited) {
        self.note(format_args!("client {client} has {outcome}"));
        self.reach(outcome.revision());
        self.history.end(begun, outcome, Some(waited));
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

    /// A fault begins.
    pub fn fault(&mut self, kind: &'static str, detail: impl Display) -> usize {
        self.note(format_args!("fault {kind}: {detail}"));
        self.history.fault(kind)
    }

    /// A fault ends.
    pub fn mended(&mut self, kind: &'static str, fault: usize) {
        self.note(format_args!("{kind} is over"));
        self.history.mended(fault);
    }

    /// A node cannot know any more.
    pub fn closes(&mut self, node: Node) -> usize {
        self.note(format_args!("node {node} is certain to reach no majority"));
        self.closed.push(node);
        self.history.closes(node, Closed::NoQuorum)
    }

    /// A node may know again.
    pub fn opens(&mut self, node: Node, closure: usize) {
        self.note(format_args!("node {node} may reach a majority"));
        self.closed.retain(|it| *it != node);
        self.history.opens(closure);
    }

    /// A watcher of everything, or of one purpose, begins.
    pub fn watch(&mut self, filter: crate::invariants::history::Filter) -> usize {
        self.history.watches.push(Watch {
            filter,
            seen: Vec::new(),
            reaches: 0,
        });
        self.history.watches.len() - 1
    }

    /// A watcher met something.
    pub fn seen(&mut self, watch: usize, seen: Seen) {
        self.note(format_args!("watch {watch}: {}", Shown(&seen)));
        self.reach(match &seen {
            Seen::Event(entry) => Some(entry.revision),
            Seen::Heartbeat(revision) => Some(*revision),
            Seen::Asked { .. } | Seen::EarliestLeft(_) => None,
        });
        self.history.watches[watch].seen.push(seen);
    }
}

/// What a watcher met, in short.
struct Shown<'a>(&'a Seen);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Seen::Event(Entry {
                revision, event_id, ..
            }) => write!(f, "event {event_id} at {revision}"),
            other => write!(f, "{other:?}"),
        }
    }
}

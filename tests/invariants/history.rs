//! What a run did and what was seen of it, as plain data: the invariants are judged over this and nothing else.
//!
//! A test records while it runs (`record.rs`) and adds at the end what it reads off the nodes: journals, states, watches. Not modelled:
//! signals of browsers, overrides, and `snapshot` watches.

use std::collections::BTreeMap;
use std::time::Duration;

/// A count of events, as the nodes give it.
pub type Revision = u64;
/// A moment of the run: one counter for all clients, which never stands still between two records.
pub type Tick = u64;
/// A node, by its place in the cluster.
pub type Node = usize;

/// What a preference stands at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The tenant.
    pub namespace: String,
    /// The token, or whatever else the run names a subject by, as long as it is the same everywhere in a history.
    pub token: String,
    /// The purpose, `*` for all.
    pub purpose: String,
}

/// What a change does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    /// The person said stop.
    OptOut,
    /// The person said go on.
    OptIn,
}

/// What each key gets.
pub type Changes = BTreeMap<Key, Change>;

/// What was asked of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// Opts out, in, or both at once. A row of an import is one too, with an id of its own.
    Set {
        /// Names the request: attempts with the same id are retries of each other.
        request_id: String,
        /// What it sets.
        changes: Changes,
    },
    /// May I?
    Check {
        /// The tenant.
        namespace: String,
        /// By what the person is known; the least permissive answer wins.
        tokens: Vec<String>,
        /// What for.
        purpose: String,
    },
    /// All that stands for a person.
    Preferences {
        /// The tenant.
        namespace: String,
        /// By what the person is known.
        tokens: Vec<String>,
    },
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A change was acknowledged.
    Done {
        /// Its event's revision.
        revision: Revision,
        /// Its event.
        event_id: String,
        /// False where nothing changed, and the event is the one that stood already.
        changed: bool,
    },
    /// A check was answered.
    Decided {
        /// ALLOW, and not DENY.
        allow: bool,
        /// The revision at which that holds.
        revision: Revision,
    },
    /// Preferences were answered.
    Stands {
        /// What stands, each with the revision that set it.
        records: BTreeMap<Key, (Change, Revision)>,
        /// The revision at which that holds.
        revision: Revision,
    },
    /// An error that proves that nothing was done. No other error may be recorded as this.
    Failed,
    /// Everything else: it may have taken effect, or take effect at any later time.
    Unknown,
}

/// One call, by one client, to one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Who asked.
    pub client: usize,
    /// Who was asked.
    pub node: Node,
    /// When the call was sent, or before that.
    pub begun: Tick,
    /// When the answer was there, or after that; none where none came.
    pub ended: Option<Tick>,
    /// What was asked.
    pub call: Call,
    /// What came of it.
    pub outcome: Outcome,
    /// How long the caller waited, and the deadline that it had set, where the run measures time.
    pub waited: Option<Waited>,
}

/// How long a call took, against what it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waited {
    /// From the call to its answer or error.
    pub for_: Duration,
    /// The deadline that the caller set.
    pub deadline: Duration,
    /// Whether the node answered, in whatever way; else the caller gave up, or the connection did.
    pub by_node: bool,
}

/// One event of a journal, or of the feed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entry {
    /// Its place.
    pub revision: Revision,
    /// Its id.
    pub event_id: String,
    /// The namespace; none for what concerns the whole cluster.
    pub namespace: Option<String>,
    /// All purposes that it touches, an administrative event's too.
    pub purposes: Vec<String>,
    /// What it sets; empty for an administrative event.
    pub changes: Changes,
    /// The request that made it, where the run can tell.
    pub request_id: Option<String>,
}

/// A node's journal at the end of the run, when every change that was acknowledged has had time to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journal {
    /// Whose.
    pub node: Node,
    /// Its events, as read.
    pub entries: Vec<Entry>,
}

/// Which events a watcher wants; an empty list wants all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only these namespaces.
    pub namespaces: Vec<String>,
    /// Only what touches these purposes, or what lies beneath or above them.
    pub purposes: Vec<String>,
    /// Only these tokens.
    pub tokens: Vec<String>,
}

/// What a watcher met, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// It asked a node for all from a revision (1 or later) on; again, where it goes on after a broken stream.
    Asked {
        /// The node.
        node: Node,
        /// The first revision wanted.
        from: Revision,
    },
    /// An event.
    Event(Entry),
    /// Nothing more up to this revision.
    Heartbeat(Revision),
    /// Refused: this is the earliest revision that the node has left.
    EarliestLeft(Revision),
}

/// One watcher's whole story, over all its resumptions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// What it wanted.
    pub filter: Filter,
    /// What it met.
    pub seen: Vec<Seen>,
    /// The revision up to which the run waited for it to have everything; 0 where it did not wait.
    pub reaches: Revision,
}

/// A node's state, as it told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Whose.
    pub node: Node,
    /// At which revision.
    pub revision: Revision,
    /// The state hash there, in hex.
    pub hash: Option<String>,
    /// The journal's root there, in hex.
    pub root: Option<String>,
}

/// How a purpose is decided for who said nothing about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// ALLOW.
    DefaultAllow,
    /// DENY.
    DefaultDeny,
    /// ALLOW, whatever was said.
    Essential,
}

/// Something that the run did to the nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Its kind, such as `partition`.
    pub kind: &'static str,
    /// From when.
    pub from: Tick,
    /// Until when; none where it was never undone.
    pub until: Option<Tick>,
}

/// Why a node cannot know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// It reaches no majority.
    NoQuorum,
    /// It has not caught up since it was started.
    Starting,
    /// Its disk fails.
    BrokenDisk,
}

/// A time in which a node cannot know, and must not allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closure {
    /// Which node.
    pub node: Node,
    /// Why.
    pub why: Closed,
    /// From when it is certain.
    pub from: Tick,
    /// Until when it is certain.
    pub until: Option<Tick>,
}

/// A run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// The registered purposes, which do not change during the run.
    pub rules: BTreeMap<String, Rule>,
    /// Every call.
    pub operations: Vec<Operation>,
    /// The journals of all nodes that are members at the end.
    pub journals: Vec<Journal>,
    /// Every watcher.
    pub watches: Vec<Watch>,
    /// What nodes told of their state, at any time.
    pub states: Vec<State>,
    /// What was done to the nodes.
    pub faults: Vec<Fault>,
    /// When which node could not know.
    pub closures: Vec<Closure>,
    /// How much later than its deadline a caller may get an answer: what the machine is granted, not the node.
    pub grace: Duration,
    /// The last moment that was given out.
    pub ticks: Tick,
}

impl History {
    /// The longest journal, by which answers are judged. That the others agree with it is an invariant of its own.
    pub fn journal(&self) -> &[Entry] {
        let longest = self.journals.iter().max_by_key(|it| it.entries.len());
        longest.map_or(&[], |journal| &journal.entries)
    }
}

impl Key {
    /// The key of a token and a purpose.
    pub fn new(namespace: &str, token: &str, purpose: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            token: token.to_owned(),
            purpose: purpose.to_owned(),
        }
    }

    /// Whose it is.
    pub fn subject(&self) -> (&str, &str) {
        (&self.namespace, &self.token)
    }
}

impl Call {
    /// Sets every key to the same.
    pub fn set(
        request_id: impl Into<String>,
        change: Change,
        keys: impl IntoIterator<Item = Key>,
    ) -> Self {
        Self::Set {
            request_id: request_id.into(),
            changes: keys.into_iter().map(|key| (key, change)).collect(),
        }
    }

    /// Asks about one token.
    pub fn check(key: &Key) -> Self {
        Self::Check {
            namespace: key.namespace.clone(),
            tokens: vec![key.token.clone()],
            purpose: key.purpose.clone(),
        }
    }
}

impl Outcome {
    /// The revision that was answered.
    pub fn revision(&self) -> Option<Revision> {
        match self {
            Self::Done { revision, .. }
            | Self::Decided { revision, .. }
            | Self::Stands { revision, .. } => Some(*revision),
            Self::Failed | Self::Unknown => None,
        }
    }
}

impl Operation {
    /// Whether it was over before a moment.
    pub fn over_before(&self, moment: Tick) -> bool {
        self.ended.is_some_and(|ended| ended < moment)
    }
}

impl Entry {
    /// Whether two nodes tell the same of it. Who asked for it is known to some only.
    pub fn agrees(&self, other: &Self) -> bool {
        (self.revision, &self.event_id, &self.changes)
            == (other.revision, &other.event_id, &other.changes)
    }
}

//! A node's life on a recorded disk: entries, votes, cuts, snapshots, purges, keys and restarts, drawn from a seed.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tempfile::TempDir;
use zeroize::Zeroizing;

use super::node::{Node, Stand, entry, waiter};
use super::trace::{Recorder, Step, Trace};
use crate::storage::data_folder::DataFolder;
use crate::storage::files::Files;
use crate::storage::identity::Identity;
use crate::storage::log::{Done, Log as _};
use crate::storage::secrets::STAMPS;

/// How many operations a life has, once it has begun.
const OPERATIONS: usize = 60;

/// What was recorded.
pub struct Workload {
    pub steps: Vec<Step>,
    pub history: History,
}

/// The operations in their order. So many of them as were acknowledged must be there; those after them may be.
#[derive(Default)]
pub struct History {
    ops: Vec<Op>,
}

#[derive(Clone, Debug)]
enum Op {
    Identity(Identity),
    Vote(Bytes),
    Secrets(Vec<u8>),
    /// The terms of the entries.
    Append(Vec<u64>),
    /// How many entries are left.
    Cut(usize),
}

impl Op {
    fn apply(&self, stand: &mut Stand) {
        match self {
            Self::Identity(identity) => stand.identity = Some(*identity),
            Self::Vote(vote) => stand.vote = Some(vote.clone()),
            Self::Secrets(secrets) => stand.secrets.clone_from(secrets),
            Self::Append(terms) => stand.terms.extend(terms),
            Self::Cut(left) => stand.terms.truncate(*left),
        }
    }

    /// Whether `found` lies on the way from `before` to after this.
    fn leads_to(&self, before: &Stand, found: &Stand) -> bool {
        let mut after = before.clone();
        self.apply(&mut after);
        let lengths =
            before.terms.len().min(after.terms.len())..=before.terms.len().max(after.terms.len());
        let longer = if after.terms.len() > before.terms.len() {
            after.terms.clone()
        } else {
            before.terms.clone()
        };
        let same = |stand: &Stand| {
            let there = (&found.identity, &found.vote, &found.secrets);
            there == (&stand.identity, &stand.vote, &stand.secrets)
        };
        same(&after) && lengths.contains(&found.terms.len()) && longer.starts_with(&found.terms)
    }
}

impl History {
    /// Whether `found` may be what is left when `told` operations had been acknowledged; if not, why.
    pub fn allows(&self, told: usize, found: &Stand) -> Result<(), String> {
        let mut stand = Stand::default();
        for op in &self.ops[..told] {
            op.apply(&mut stand);
        }
        let acknowledged = stand.clone();
        if stand == *found {
            return Ok(());
        }
        for op in &self.ops[told..] {
            if op.leads_to(&stand, found) {
                return Ok(());
            }
            op.apply(&mut stand);
        }
        Err(format!(
            "{told} operations were acknowledged, with {} entries, {:?}; there are {} entries, {:?}",
            acknowledged.terms.len(),
            (
                acknowledged.identity,
                acknowledged.vote,
                acknowledged.secrets
            ),
            found.terms.len(),
            (&found.identity, &found.vote, &found.secrets),
        ))
    }
}

/// A folder in memory where there is one: nothing here depends on what is under it, and thousands of states are opened.
pub fn new_folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let in_memory = memory.is_dir().then(|| tempfile::tempdir_in(memory).ok());
    in_memory
        .flatten()
        .unwrap_or_else(|| tempfile::tempdir().unwrap())
}

/// Lives a life.
pub fn run(seed: u64) -> Workload {
    let folder = new_folder();
    let trace = Trace::new(folder.path());
    let mut life = Life::begin(folder.path(), trace.clone(), StdRng::seed_from_u64(seed));
    for _ in 0..OPERATIONS {
        life.operate();
    }
    life.wait();
    let history = life.history;
    drop(life.node);
    Workload {
        steps: trace.take(),
        history,
    }
}

struct Life<'a> {
    root: &'a Path,
    trace: Trace,
    dice: StdRng,
    history: History,
    node: Option<Node>,
    waits: Vec<Box<dyn FnOnce()>>,
    /// How many entries are applied: they are committed, and never cut.
    applied: u64,
    /// How many entries the log was rid of.
    purged: u64,
    term: u64,
}

impl<'a> Life<'a> {
    fn begin(root: &'a Path, trace: Trace, dice: StdRng) -> Self {
        let mut life = Self {
            root,
            trace,
            dice,
            history: History::default(),
            node: None,
            waits: Vec::new(),
            applied: 0,
            purged: 0,
            term: 1,
        };
        life.open();
        let mut identity = Identity {
            node_id: 42,
            cluster_id: None,
            format: 1,
        };
        life.identity(identity);
        life.vote();
        life.append();
        identity.cluster_id = Some([9; 16]);
        life.identity(identity);
        life
    }

    fn node(&mut self) -> &mut Node {
        self.node.as_mut().unwrap()
    }

    /// Starts the process: what the one before left in the cache is still there.
    fn open(&mut self) {
        drop(self.node.take());
        let folder = DataFolder::open(self.root).unwrap();
        let files: Arc<dyn Files> = Arc::new(Recorder::new(folder, self.trace.clone()));
        let node = Node::open(files, self.root, Some(&self.trace)).unwrap();
        node.replay(self.applied).unwrap();
        let mut stand = Stand::default();
        self.history.ops.iter().for_each(|op| op.apply(&mut stand));
        assert!(node.stand == stand, "a restart alone loses nothing");
        self.node = Some(node);
    }

    fn operate(&mut self) {
        match self.dice.random_range(0..20) {
            0 => {
                self.wait();
                self.open();
            }
            1..3 => self.cut(),
            3 => self.vote(),
            4 => self.secrets(),
            5..8 => self.snapshot(),
            8..10 => self.wait(),
            _ => self.append(),
        }
    }

    /// Begins an operation, and gives the callback that acknowledges it.
    fn begin_op(&mut self, op: Op) -> Done {
        op.apply(&mut self.node().stand);
        self.history.ops.push(op);
        let (tell, wait) = waiter();
        let trace = self.trace.clone();
        self.waits.push(Box::new(wait));
        Box::new(move |result| {
            trace.told();
            tell(result);
        })
    }

    /// Waits for all that was begun, and applies some of what is then durable.
    fn wait(&mut self) {
        self.waits.drain(..).for_each(|wait| wait());
        let end = self.node().stand.terms.len() as u64;
        let uncommitted = self.dice.random_range(0..20);
        self.applied = self.applied.max(end.saturating_sub(uncommitted));
        let applied = self.applied;
        self.node().replay(applied).unwrap();
    }

    fn identity(&mut self, identity: Identity) {
        self.wait();
        let done = self.begin_op(Op::Identity(identity));
        identity.save(&*self.node().files).unwrap();
        done(Ok(()));
    }

    fn secrets(&mut self) {
        self.wait();
        let secrets: Vec<u8> = (0..self.dice.random_range(1..3))
            .map(|_| self.dice.random())
            .collect();
        let done = self.begin_op(Op::Secrets(secrets.clone()));
        let secrets: Vec<_> = secrets
            .iter()
            .map(|byte| Zeroizing::new([*byte; 32]))
            .collect();
        STAMPS.save(&*self.node().files, &secrets).unwrap();
        done(Ok(()));
    }

    fn vote(&mut self) {
        self.term += 1;
        let vote = Bytes::from(format!("vote of term {}", self.term));
        let done = self.begin_op(Op::Vote(vote.clone()));
        self.node().log.save_vote(vote, done);
    }

    fn append(&mut self) {
        for _ in 0..self.dice.random_range(1..4) {
            let count = self.dice.random_range(1..30);
            let term = self.term;
            let next = self.node().stand.terms.len() as u64;
            let done = self.begin_op(Op::Append(vec![term; count]));
            let entries = (next..next + count as u64)
                .map(|index| entry(term, index))
                .collect();
            self.node().log.append(entries, done).unwrap();
        }
    }

    fn cut(&mut self) {
        self.append();
        if self.dice.random() {
            // After a start the mark says where the log ends, and has to go back with it.
            self.wait();
            self.open();
        }
        let (applied, end) = (self.applied, self.node().stand.terms.len() as u64);
        if applied == 0 || applied == end {
            return;
        }
        let left = self.dice.random_range(applied..end);
        let done = self.begin_op(Op::Cut(usize::try_from(left).unwrap()));
        self.node().log.truncate_after(Some(left - 1), done);
        // Another leader goes on.
        self.vote();
    }

    /// Publishes a snapshot while entries are on their way, and purges the log behind it.
    fn snapshot(&mut self) {
        if self.applied == self.purged {
            return;
        }
        self.append();
        let (applied, purged) = (self.applied, self.purged);
        let upto = self.dice.random_range(purged..applied);
        self.node().snapshot(applied);
        self.wait();
        self.node().purge(upto);
        self.purged = upto;
    }
}

//! The second checker of I1: looks for any order at all that explains what a subject's callers saw, and pays no regard to revisions.
//!
//! Wing and Gong, "Testing and Verifying Concurrent Objects" (JPDC 1993): of the calls that no other call has to come before, try each as the
//! next. Lowe, "Testing for Linearizability" (CCPE 2017): a set of calls done with the same state reached was tried already. The rule
//! of who decides is written here once more, by scanning, so that an error in the other checker's is not shared.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::super::history::{Call, Change, History, Key, Operation, Outcome, Rule, Tick};
use super::super::verdict::Findings;

/// How many steps a search may take before it gives up.
pub const STEPS: usize = 20_000;
/// The most calls in one search.
const CALLS: usize = 1_024;

/// A call that did something, or may have, or that was answered.
struct Act<'a> {
    begun: Tick,
    /// None where it may take effect at any later time, or never.
    ended: Option<Tick>,
    operation: &'a Operation,
}

/// What stands: changes in layers, one for each call that made them, the newest last.
type State<'a> = Vec<Vec<(&'a Key, Change)>>;

/// Which calls are done, a bit each.
type Done = Vec<u64>;

/// Judges a history, each search within so many steps.
pub fn check(history: &History, steps: usize) -> Findings {
    let mut findings = Findings::default();
    for acts in apart(acts(history)) {
        let shown = format!("{} calls, such as {}", acts.len(), acts[0].operation);
        if acts.len() > CALLS {
            findings.gave_up.push(shown);
            continue;
        }
        let mut search = Search {
            history,
            acts: &acts,
            tried: HashSet::new(),
            left: steps,
            best: vec![0; acts.len().div_ceil(64)],
        };
        let none = search.best.clone();
        match search.explains(none, &State::new()) {
            Some(true) => {}
            Some(false) => {
                let stuck = search.stuck();
                findings.violation(
                    "by search: no order of these calls explains the answers",
                    stuck,
                );
            }
            None => findings.gave_up.push(shown),
        }
    }
    findings
}

/// What counts as one act: a call, and of a change all its attempts.
fn acts(history: &History) -> Vec<Act<'_>> {
    let mut acts: Vec<Act<'_>> = Vec::new();
    let mut first: HashMap<&str, usize> = HashMap::new();
    for operation in &history.operations {
        let act = Act {
            begun: operation.begun,
            ended: operation
                .ended
                .filter(|_| operation.outcome.revision().is_some()),
            operation,
        };
        match &operation.call {
            _ if operation.outcome == Outcome::Failed => {}
            Call::Set { request_id, .. } => match first.get(request_id.as_str()) {
                Some(at) if acts[*at].operation.call == operation.call => {
                    let request = &mut acts[*at];
                    request.begun = request.begun.min(act.begun);
                    let ends = [request.ended, act.ended].into_iter().flatten();
                    request.ended = ends.min();
                }
                _ => {
                    first.insert(request_id, acts.len());
                    acts.push(act);
                }
            },
            Call::Check { .. } | Call::Preferences { .. } => {
                if act.ended.is_some() {
                    acts.push(act);
                }
            }
        }
    }
    acts.sort_by_key(|act| act.begun);
    acts
}

fn subjects(call: &Call) -> Vec<(&str, &str)> {
    match call {
        Call::Set { changes, .. } => changes.keys().map(Key::subject).collect(),
        Call::Check {
            namespace, tokens, ..
        }
        | Call::Preferences { namespace, tokens } => tokens
            .iter()
            .map(|token| (namespace.as_str(), token.as_str()))
            .collect(),
    }
}

/// Acts that have no subject in common, not even through others.
fn apart(acts: Vec<Act<'_>>) -> Vec<Vec<Act<'_>>> {
    let mut rooms: BTreeMap<usize, Vec<Act<'_>>> = BTreeMap::new();
    let mut room_of: HashMap<(&str, &str), usize> = HashMap::new();
    for (own, act) in acts.into_iter().enumerate() {
        let mut together = vec![act];
        for subject in subjects(&together[0].operation.call) {
            if let Some(room) = room_of.insert(subject, own).filter(|room| *room != own) {
                let moved = rooms.remove(&room).unwrap_or_default();
                for act in &moved {
                    for subject in subjects(&act.operation.call) {
                        room_of.insert(subject, own);
                    }
                }
                together.extend(moved);
            }
        }
        rooms.insert(own, together);
    }
    let mut rooms: Vec<Vec<Act<'_>>> = rooms.into_values().collect();
    for acts in &mut rooms {
        acts.sort_by_key(|act| act.begun);
    }
    rooms
}

struct Search<'a> {
    history: &'a History,
    acts: &'a [Act<'a>],
    tried: HashSet<(Done, State<'a>)>,
    left: usize,
    best: Done,
}

fn has(done: &Done, at: usize) -> bool {
    done[at / 64] & (1 << (at % 64)) != 0
}

fn with(mut done: Done, at: usize) -> Done {
    done[at / 64] |= 1 << (at % 64);
    done
}

fn size(done: &Done) -> u32 {
    done.iter().map(|bits| bits.count_ones()).sum()
}

impl<'a> Search<'a> {
    /// Whether the acts that are left can follow; none where that takes too long to tell.
    fn explains(&mut self, mut done: Done, state: &State<'a>) -> Option<bool> {
        // An answer that is right comes next at no cost, since it changes nothing.
        while let Some(at) = self.right(&done, state) {
            done = with(done, at);
        }
        if size(&done) > size(&self.best) {
            self.best.clone_from(&done);
        }
        if self.first_end(&done).is_none() {
            return Some(true);
        }
        if !self.tried.insert((done.clone(), state.clone())) {
            return Some(false);
        }
        self.left = self.left.checked_sub(1)?;
        for at in self.next(&done) {
            if let Call::Set { changes, .. } = &self.acts[at].operation.call {
                let mut then = state.clone();
                for layer in &mut then {
                    layer.retain(|(key, _)| !changes.contains_key(*key));
                }
                then.retain(|layer| !layer.is_empty());
                then.push(changes.iter().map(|(key, change)| (key, *change)).collect());
                if self.explains(with(done.clone(), at), &then)? {
                    return Some(true);
                }
            }
        }
        Some(false)
    }

    /// When the first of the acts that must be done was over.
    fn first_end(&self, done: &Done) -> Option<Tick> {
        let left = self.acts.iter().enumerate();
        let left = left.filter(|(at, _)| !has(done, *at));
        left.filter_map(|(_, act)| act.ended).min()
    }

    /// The acts that no other has to come before.
    fn next(&self, done: &Done) -> Vec<usize> {
        let first_end = self.first_end(done).unwrap_or(Tick::MAX);
        let begun = self.acts.partition_point(|act| act.begun <= first_end);
        (0..begun).filter(|at| !has(done, *at)).collect()
    }

    /// An answer that is right as things stand, and may come next.
    fn right(&self, done: &Done, state: &State<'_>) -> Option<usize> {
        let mut next = self.next(done).into_iter();
        next.find(|at| self.is_right(*at, state))
    }

    fn is_right(&self, at: usize, state: &State<'_>) -> bool {
        let operation = self.acts[at].operation;
        match (&operation.call, &operation.outcome) {
            (
                Call::Check {
                    namespace,
                    tokens,
                    purpose,
                },
                Outcome::Decided { allow, .. },
            ) => {
                let said: Vec<Option<Change>> = tokens
                    .iter()
                    .map(|token| said(state, namespace, token, purpose))
                    .collect();
                let right = match self.history.rules.get(purpose) {
                    None => return false,
                    Some(Rule::Essential) => true,
                    Some(_) if said.contains(&Some(Change::OptOut)) => false,
                    Some(Rule::DefaultDeny) => !said.contains(&None),
                    Some(Rule::DefaultAllow) => true,
                };
                right == *allow
            }
            (Call::Preferences { namespace, tokens }, Outcome::Stands { records, .. }) => {
                let wanted = |key: &Key| key.namespace == *namespace && tokens.contains(&key.token);
                let stands = state.iter().flatten().filter(|(key, _)| wanted(key));
                let stands: BTreeMap<&Key, Change> = stands.copied().collect();
                stands.len() == records.len()
                    && records
                        .iter()
                        .all(|(key, (change, _))| stands.get(key) == Some(change))
            }
            _ => false,
        }
    }

    /// The acts between which no next one was found, where the search came farthest.
    fn stuck(&self) -> Vec<String> {
        let next = self.next(&self.best).into_iter();
        next.map(|at| self.acts[at].operation.to_string()).collect()
    }
}

/// What a token's records come to: an opt-out that no later opt-in lifts, or else an opt-in.
fn said(state: &State<'_>, namespace: &str, token: &str, purpose: &str) -> Option<Change> {
    let concerns = |key: &Key| {
        let beneath = purpose.strip_prefix(&key.purpose);
        let covers = beneath.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        key.namespace == namespace && key.token == token && (covers || key.purpose == "*")
    };
    let words = |key: &Key| {
        if key.purpose == "*" {
            0
        } else {
            key.purpose.len()
        }
    };
    let records = state.iter().enumerate();
    let records = records.flat_map(|(layer, changes)| changes.iter().map(move |it| (layer, it)));
    let records: Vec<_> = records.filter(|(_, (key, _))| concerns(key)).collect();
    let lifted = |out: usize, key: &Key| {
        records.iter().any(|(layer, (other, change))| {
            *change == Change::OptIn && *layer > out && words(other) >= words(key)
        })
    };
    let denies = records
        .iter()
        .any(|(layer, (key, change))| *change == Change::OptOut && !lifted(*layer, key));
    match records.first() {
        None => None,
        Some(_) if denies => Some(Change::OptOut),
        Some(_) => Some(Change::OptIn),
    }
}

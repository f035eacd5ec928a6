//! The second checker of I1: looks for any order at all that explains what a subject's callers saw, and pays no regard to revisions.
//!
//! Wing and Gong, "Testing and Verifying Concurrent Objects" (JPDC 1993): of the calls that no other call has to come before, try each as the
//! next. Lowe, "Testing for Linearizability" (CCPE 2017): a set of calls done with the same state reached was tried already. Two more cuts keep
//! changes of which nobody heard from multiplying the search: of equal ones the first comes first, and what fails fails with more of
//! them spent too.

use std::collections::{BTreeMap, HashMap};

use super::super::history::{Call, Change, History, Key, Operation, Outcome, Rule, Tick};
use super::super::verdict::Findings;
use super::standing::{Meaning, Standing};

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
            tried: HashMap::new(),
            left: steps,
            best: none(&acts),
        };
        match search.explains(none(&acts), &Standing::default()) {
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
    for (new, act) in acts.into_iter().enumerate() {
        let subjects = subjects(&act.operation.call);
        let known = subjects.iter().filter_map(|subject| room_of.get(subject));
        let mut known: Vec<usize> = known.copied().collect();
        known.sort_unstable();
        known.dedup();
        // The fullest takes the others in.
        known.sort_by_key(|room| rooms.get(room).map_or(0, Vec::len));
        let own = known.pop().unwrap_or(new);
        let moved = known.iter().filter_map(|room| rooms.remove(room));
        let moved: Vec<Act<'_>> = moved.flatten().chain([act]).collect();
        for act in &moved {
            for subject in self::subjects(&act.operation.call) {
                room_of.insert(subject, own);
            }
        }
        rooms.entry(own).or_default().extend(moved);
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
    /// By the answered acts done and what stands then, which others were spent: all in vain.
    tried: HashMap<(Done, Meaning<'a>), Vec<Done>>,
    left: usize,
    best: Done,
}

fn none(acts: &[Act<'_>]) -> Done {
    vec![0; acts.len().div_ceil(64)]
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

fn is_within(done: &Done, other: &Done) -> bool {
    done.iter().zip(other).all(|(own, other)| own & !other == 0)
}

impl<'a> Search<'a> {
    /// Whether the acts that are left can follow; none where that takes too long to tell.
    fn explains(&mut self, mut done: Done, standing: &Standing<'a>) -> Option<bool> {
        // An answer that is right comes next at no cost, since it changes nothing.
        while let Some(at) = self.right(&done, standing) {
            done = with(done, at);
        }
        let (mut answered, mut spent) = (none(self.acts), none(self.acts));
        for (at, act) in self
            .acts
            .iter()
            .enumerate()
            .filter(|(at, _)| has(&done, *at))
        {
            let part = match act.ended {
                Some(_) => &mut answered,
                None => &mut spent,
            };
            *part = with(std::mem::take(part), at);
        }
        if size(&answered) > size(&self.best) {
            self.best.clone_from(&answered);
        }
        if self.first_end(&done).is_none() {
            return Some(true);
        }
        let before = self
            .tried
            .entry((answered, standing.meaning()))
            .or_default();
        if before.iter().any(|before| is_within(before, &spent)) {
            return Some(false);
        }
        before.push(spent);
        self.left = self.left.checked_sub(1)?;
        for at in self.changes(&done) {
            if let Call::Set { changes, .. } = &self.acts[at].operation.call
                && self.explains(with(done.clone(), at), &standing.with(changes))?
            {
                return Some(true);
            }
        }
        Some(false)
    }

    /// The changes that may come next, those that were answered first.
    fn changes(&self, done: &Done) -> Vec<usize> {
        let mut found: Vec<usize> = Vec::new();
        for at in self.next(done) {
            let act = &self.acts[at];
            let Call::Set { changes, .. } = &act.operation.call else {
                continue;
            };
            let same = |other: &usize| {
                let other = &self.acts[*other];
                other.ended.is_none()
                    && matches!(&other.operation.call, Call::Set { changes: others, .. } if others == changes)
            };
            // One of which nobody heard is as good as another that began before it.
            if act.ended.is_some() || !found.iter().any(same) {
                found.push(at);
            }
        }
        found.sort_by_key(|at| self.acts[*at].ended.is_none());
        found
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
    fn right(&self, done: &Done, standing: &Standing<'_>) -> Option<usize> {
        let mut next = self.next(done).into_iter();
        next.find(|at| self.is_right(*at, standing))
    }

    fn is_right(&self, at: usize, standing: &Standing<'_>) -> bool {
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
                    .map(|token| standing.said(namespace, token, purpose))
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
                let stands = standing.of(namespace, tokens);
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

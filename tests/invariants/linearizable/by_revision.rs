//! The first checker of I1: puts a subject's calls in the order of the revisions that were answered, and asks whether each can have taken
//! effect at a moment between its beginning and its end; in O(n log n).
//!
//! An order that respects real time and in which each answer is right is what Herlihy and Wing ask for, and the revisions name it: as etcd's
//! robustness tests (`tests/robustness/validate`) take it from the revisions of etcd. Every call is placed as early as the ones before it
//! let it be; where that is after its end, no moments exist.

use std::collections::{BTreeMap, BTreeSet};

use super::super::earlier::Earlier;
use super::super::fold::Fold;
use super::super::history::{Call, History, Key, Operation, Outcome, Revision, Tick};
use super::super::requests::{Request, origins};
use super::super::verdict::Findings;

/// One call, or one request with its retries.
struct Step<'a> {
    begun: Tick,
    ended: Tick,
    kind: Kind<'a>,
}

enum Kind<'a> {
    /// Sets something, at its revision.
    Write(&'a Request<'a>),
    /// Found that all stood already, since that revision.
    Repeat(&'a Request<'a>, Revision),
    /// Asks, and was answered at its revision.
    Read(&'a Operation),
}

/// What one group of subjects went through: by revision, and what has none of its own.
#[derive(Default)]
struct Group<'a> {
    writes: Vec<(Revision, Step<'a>)>,
    reads: Vec<(Revision, Step<'a>)>,
    repeats: Vec<Step<'a>>,
}

/// What is placed at one revision, at the earliest.
#[derive(Default)]
struct Stop<'a> {
    writes: Vec<Step<'a>>,
    reads: Vec<Step<'a>>,
    repeats: Vec<Step<'a>>,
}

/// Judges a history.
pub fn check(history: &History) -> Findings {
    let origins = origins(history);
    let mut groups = Groups::default();
    let mut found: Vec<(usize, Option<Revision>, Step<'_>)> = Vec::new();
    let made = origins.made.iter().map(|(revision, at)| (*at, *revision));
    let made: BTreeMap<usize, Revision> = made.collect();
    for (at, request) in origins.requests.iter().enumerate() {
        let subjects = request.changes.keys().map(Key::subject);
        let group = groups.join(subjects);
        let revision = request.own().or_else(|| made.get(&at).copied());
        let kind = match (revision, request.done) {
            (Some(_), _) => Kind::Write(request),
            (None, Some((since, ..))) => Kind::Repeat(request, since),
            // It took no effect.
            (None, None) => continue,
        };
        let ended = request.ended.unwrap_or(Tick::MAX);
        let begun = request.begun;
        found.push((group, revision, Step { begun, ended, kind }));
    }
    for operation in &history.operations {
        let (Call::Check {
            namespace, tokens, ..
        }
        | Call::Preferences { namespace, tokens }) = &operation.call
        else {
            continue;
        };
        let group = groups.join(
            tokens
                .iter()
                .map(|token| (namespace.as_str(), token.as_str())),
        );
        let (Some(revision), Some(ended)) = (operation.outcome.revision(), operation.ended) else {
            continue;
        };
        let (begun, kind) = (operation.begun, Kind::Read(operation));
        found.push((group, Some(revision), Step { begun, ended, kind }));
    }

    let mut by_group: BTreeMap<usize, Group<'_>> = BTreeMap::new();
    for (group, revision, step) in found {
        let group = by_group.entry(groups.root(group)).or_default();
        match (revision, &step.kind) {
            (Some(revision), Kind::Write(_)) => group.writes.push((revision, step)),
            (Some(revision), _) => group.reads.push((revision, step)),
            (None, _) => group.repeats.push(step),
        }
    }
    let mut findings = Findings::default();
    for group in by_group.into_values() {
        if let Err((what, excerpt)) = order(history, group) {
            findings.violation(format!("by revision: {what}"), excerpt);
        }
    }
    findings
}

/// What is wrong, and what shows it.
type Wrong = (String, Vec<String>);

/// The walk through a group in the order of revisions.
#[derive(Default)]
struct Walk {
    fold: Fold,
    /// The moment that has come, and what made it so late.
    now: Tick,
    late: Vec<String>,
}

/// Walks a group in the order of revisions, up to the first thing that is wrong.
fn order(history: &History, group: Group<'_>) -> Result<(), Wrong> {
    let placed = group.writes.iter().chain(&group.reads);
    let known = Earlier::new(placed.map(|(revision, step)| (step.ended, *revision, ())));
    let mut stops: BTreeMap<Revision, Stop<'_>> = BTreeMap::new();
    for (revision, step) in group.writes {
        stops.entry(revision).or_default().writes.push(step);
    }
    for (revision, step) in group.reads {
        stops.entry(revision).or_default().reads.push(step);
    }
    // A repeat makes no revision of its own. It comes after all that was known when it began, and then wherever it is right.
    let mut repeats = group.repeats;
    repeats.sort_by_key(|step| step.begun);
    let mut over = 0;
    let mut ahead: BTreeSet<(Tick, Revision)> = BTreeSet::new();
    for step in repeats {
        let Kind::Repeat(_, since) = step.kind else {
            continue;
        };
        while let Some((ended, at)) = ahead.first().copied()
            && ended < step.begun
        {
            ahead.pop_first();
            over = over.max(at);
        }
        let known = known.before(step.begun).map_or(0, |(at, ())| at);
        let earliest = since.max(known).max(over);
        ahead.insert((step.ended, earliest));
        stops.entry(earliest).or_default().repeats.push(step);
    }

    let mut walk = Walk::default();
    let mut waiting: Vec<Step<'_>> = Vec::new();
    for (revision, stop) in stops {
        for step in &stop.writes {
            walk.place(history, revision, step)?;
        }
        waiting.extend(stop.repeats);
        let mut here = stop.reads;
        waiting.sort_by_key(|step| step.begun);
        let mut earliest_end = Tick::MAX;
        for step in std::mem::take(&mut waiting) {
            // Not before another that was over when this one began.
            if step.begun <= earliest_end && walk.stands(&step) {
                here.push(step);
            } else {
                earliest_end = earliest_end.min(step.ended);
                waiting.push(step);
            }
        }
        here.sort_by_key(|step| step.begun);
        for step in &here {
            walk.place(history, revision, step)?;
        }
    }
    match waiting.first() {
        Some(step) => Err((
            "what is said to have stood already never did".to_owned(),
            step.lines(),
        )),
        None => Ok(()),
    }
}

impl Walk {
    /// Puts a step as early as it can be, and asks whether it is right there.
    fn place(
        &mut self,
        history: &History,
        revision: Revision,
        step: &Step<'_>,
    ) -> Result<(), Wrong> {
        if step.begun > self.now {
            self.now = step.begun;
            self.late = step.lines();
        }
        if self.now > step.ended {
            let what = format!("at revision {revision}, after what began only when it was over");
            return Err((what, [self.late.clone(), step.lines()].concat()));
        }
        let right = match step.kind {
            Kind::Write(request) => {
                self.fold.set(request.changes, revision);
                true
            }
            Kind::Repeat(..) => true,
            Kind::Read(operation) => self.answers(history, operation),
        };
        if right {
            return Ok(());
        }
        let what = format!("not what was written up to revision {revision}");
        Err((what, step.lines()))
    }

    fn answers(&self, history: &History, operation: &Operation) -> bool {
        match (&operation.call, &operation.outcome) {
            (
                Call::Check {
                    namespace,
                    tokens,
                    purpose,
                },
                Outcome::Decided { allow, .. },
            ) => {
                let rule = history.rules.get(purpose);
                rule.is_some_and(|rule| {
                    self.fold.allows(namespace, tokens, purpose, *rule) == *allow
                })
            }
            (Call::Preferences { namespace, tokens }, Outcome::Stands { records, .. }) => {
                self.fold.of(namespace, tokens) == *records
            }
            _ => false,
        }
    }

    fn stands(&self, step: &Step<'_>) -> bool {
        let Kind::Repeat(request, since) = step.kind else {
            return false;
        };
        let stand = request
            .changes
            .iter()
            .all(|(key, change)| self.fold.stands(key, *change));
        let set = request.changes.keys().filter_map(|key| self.fold.at(key));
        stand && set.map(|(_, revision)| revision).max() == Some(since)
    }
}

impl Step<'_> {
    fn lines(&self) -> Vec<String> {
        match self.kind {
            Kind::Write(request) | Kind::Repeat(request, _) => {
                request.attempts.iter().map(ToString::to_string).collect()
            }
            Kind::Read(operation) => vec![operation.to_string()],
        }
    }
}

/// Subjects that calls named together, as a union-find.
#[derive(Default)]
struct Groups<'a> {
    of: BTreeMap<(&'a str, &'a str), usize>,
    parents: Vec<usize>,
}

impl<'a> Groups<'a> {
    /// Puts subjects together, and names their group.
    fn join(&mut self, subjects: impl Iterator<Item = (&'a str, &'a str)>) -> usize {
        let mut group = self.parents.len();
        self.parents.push(group);
        for subject in subjects {
            let own = *self.of.entry(subject).or_insert(group);
            let root = self.root(own);
            self.parents[group] = root;
            group = root;
        }
        group
    }

    fn root(&mut self, mut group: usize) -> usize {
        while self.parents[group] != group {
            self.parents[group] = self.parents[self.parents[group]];
            group = self.parents[group];
        }
        group
    }
}

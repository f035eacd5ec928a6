//! Changes by request: the attempts that share an id are one change, whose event is known from an acknowledgement, from the journal, or by
//! being the only one that can have made it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::history::{Call, Changes, Entry, History, Operation, Outcome, Revision, Tick};

/// One change, with all its attempts that did not surely fail.
#[derive(Debug)]
pub struct Request<'a> {
    /// Its id.
    pub id: &'a str,
    /// What it sets.
    pub changes: &'a Changes,
    /// The attempts.
    pub attempts: Vec<&'a Operation>,
    /// When the first began.
    pub begun: Tick,
    /// When the first acknowledgement was there.
    pub ended: Option<Tick>,
    /// The event's revision and id, and whether it is the request's own; none where nothing was acknowledged.
    pub done: Option<(Revision, &'a str, bool)>,
}

/// Which request made which event.
#[derive(Debug)]
pub struct Origins<'a> {
    /// All requests, by when they began.
    pub requests: Vec<Request<'a>>,
    /// By revision, the request, as its place among all, that made it.
    pub made: BTreeMap<Revision, usize>,
    /// Events that nobody can have asked for.
    pub orphans: Vec<&'a Entry>,
}

impl Request<'_> {
    /// The revision of its own event, where one was acknowledged.
    pub fn own(&self) -> Option<Revision> {
        let (revision, _, changed) = self.done?;
        changed.then_some(revision)
    }
}

/// All requests that may have done anything, by when they began.
pub fn requests(history: &History) -> Vec<Request<'_>> {
    let mut by_id: BTreeMap<(&str, &Changes), Request<'_>> = BTreeMap::new();
    for operation in &history.operations {
        let Call::Set {
            request_id,
            changes,
        } = &operation.call
        else {
            continue;
        };
        if operation.outcome == Outcome::Failed {
            continue;
        }
        // An id used again for something else is another request.
        let request = by_id
            .entry((request_id, changes))
            .or_insert_with(|| Request {
                id: request_id,
                changes,
                attempts: Vec::new(),
                begun: operation.begun,
                ended: None,
                done: None,
            });
        request.attempts.push(operation);
        request.begun = request.begun.min(operation.begun);
        if let Outcome::Done {
            revision,
            event_id,
            changed,
        } = &operation.outcome
            && request
                .ended
                .is_none_or(|ended| operation.ended < Some(ended))
        {
            request.ended = operation.ended;
            request.done = Some((*revision, event_id, *changed));
        }
    }
    let mut requests: Vec<Request<'_>> = by_id.into_values().collect();
    requests.sort_by_key(|request| request.begun);
    requests
}

/// Finds for every event of the journal that sets anything the request that made it.
pub fn origins(history: &History) -> Origins<'_> {
    let requests = requests(history);
    let journal = history.journal();
    let seen_by = seen_by(history);
    let mut made = BTreeMap::new();
    let mut orphans = Vec::new();

    let mut by_event: BTreeMap<&str, usize> = BTreeMap::new();
    let mut by_request: BTreeMap<(&str, &Changes), usize> = BTreeMap::new();
    let mut open: BTreeMap<&Changes, VecDeque<usize>> = BTreeMap::new();
    for (at, request) in requests.iter().enumerate() {
        by_request.insert((request.id, request.changes), at);
        match request.done {
            Some((_, event_id, true)) => {
                by_event.insert(event_id, at);
            }
            Some((.., false)) => {}
            None => open.entry(request.changes).or_default().push_back(at),
        }
    }
    // First what is known, so that it is not taken for the work of another.
    let mut taken = BTreeSet::new();
    for entry in journal {
        let named = entry.request_id.as_deref();
        let named = named.and_then(|id| by_request.get(&(id, &entry.changes)));
        let known = named.or_else(|| by_event.get(entry.event_id.as_str()));
        if let Some(at) = known.filter(|at| !taken.contains(*at)) {
            made.insert(entry.revision, *at);
            taken.insert(*at);
        }
    }
    // The rest in order: of those with the same changes, the one that began first may have made the first.
    for entry in journal {
        if entry.changes.is_empty() || made.contains_key(&entry.revision) {
            continue;
        }
        let deadline = seen_by(entry.revision);
        let mut made_it = None;
        if entry.request_id.is_none()
            && let Some(waiting) = open.get_mut(&entry.changes)
        {
            while waiting.front().is_some_and(|at| taken.contains(at)) {
                waiting.pop_front();
            }
            let first = waiting.front().copied();
            made_it = first.filter(|at| requests[*at].begun < deadline);
        }
        match made_it {
            Some(at) => {
                made.insert(entry.revision, at);
                taken.insert(at);
            }
            None => orphans.push(entry),
        }
    }
    Origins {
        requests,
        made,
        orphans,
    }
}

/// By revision, when somebody had seen it or a later one: whoever made it had begun before that.
fn seen_by(history: &History) -> impl Fn(Revision) -> Tick + use<> {
    let mut seen: BTreeMap<Revision, Tick> = BTreeMap::new();
    for operation in &history.operations {
        if let (Some(revision), Some(ended)) = (operation.outcome.revision(), operation.ended) {
            let first = seen.entry(revision).or_insert(ended);
            *first = ended.min(*first);
        }
    }
    // What saw a later one saw the earlier too.
    let mut first = Tick::MAX;
    for at in seen.values_mut().rev() {
        first = first.min(*at);
        *at = first;
    }
    move |revision| {
        let later = seen.range(revision..).next();
        later.map_or(Tick::MAX, |(_, tick)| *tick)
    }
}

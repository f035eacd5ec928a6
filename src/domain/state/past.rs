//! The records of a few subjects as they were: folded from their events, aside from the state and without its hash.

use super::State;
use super::namespaces::NamespaceId;
use super::record::{Key, Mark, Record};
use super::shards::Records;
use crate::domain::event::Event;
use crate::domain::refusal::Refusal;

/// What stood for some keys at a time.
pub(super) struct Past {
    /// Each key's records, by place.
    subjects: Vec<(Key, Vec<Record>)>,
}

impl Past {
    /// Before anything was said.
    pub(super) fn new(keys: &[Key]) -> Self {
        Self {
            subjects: keys.iter().map(|key| (*key, Vec::new())).collect(),
        }
    }

    /// The records of each key, in the order in which they were named.
    pub(super) fn each(&self) -> impl Iterator<Item = Records<'_>> {
        self.subjects
            .iter()
            .map(|(_, records)| Records::of(records))
    }
}

impl State {
    /// Takes the subjects' next events in, as [`State::fold`] would: those of this namespace.
    pub(super) fn go_on(
        &self,
        past: &mut Past,
        namespace: NamespaceId,
        events: &[Event],
    ) -> Result<(), Refusal> {
        for event in events {
            let same = event.namespace.as_ref();
            let same = same.and_then(|name| self.namespaces.id(name).ok());
            if same != Some(namespace) {
                continue;
            }
            let changes = event.changes().into_iter().map(|(purpose, change)| {
                let mark = Mark::of(change, event.signal);
                self.purpose_id(purpose).map(|id| (id, mark))
            });
            let marks = changes.collect::<Result<Vec<_>, Refusal>>()?;
            for token in &event.tokens {
                let key = Key::new(namespace, token.subject.token);
                let Some((_, records)) = past.subjects.iter_mut().find(|(it, _)| *it == key) else {
                    continue;
                };
                for (purpose, mark) in &marks {
                    let signalled = *mark == Mark::Signalled;
                    if signalled && self.outweighed(Records::of(records), *purpose) {
                        continue;
                    }
                    let record =
                        Record::new(*purpose, *mark, event.id, event.revision, event.received_at);
                    match records.binary_search_by_key(&record.place(), Record::place) {
                        Ok(place) => records[place] = record,
                        Err(place) => records.insert(place, record),
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fixtures::*;
    use crate::domain::{Body, Change, Namespace};

    #[test]
    fn what_is_folded_aside_is_what_stood_then() {
        let mut driven = Driven::new();
        let namespace = driven.state.namespaces.id(&Namespace::default_namespace());
        let namespace = namespace.unwrap();
        let keys = [1, 2].map(|n| Key::new(namespace, subject(n).token));
        let stands = |state: &State| {
            keys.map(|key| {
                let mut records: Vec<Record> = state.shards.get(&key).iter().copied().collect();
                records.sort_unstable_by_key(Record::place);
                records
            })
        };
        let elsewhere = |driven: &mut Driven| {
            driven.add_namespace("elsewhere").unwrap();
            let mut set = driven.preference(Change::OptOut, &[1], &["*"]);
            set.namespace = Namespace::parse("elsewhere").unwrap();
            driven.send(Body::SetPreference(set)).unwrap();
        };
        let steps: [&dyn Fn(&mut Driven); 8] = [
            &|it| drop(it.opt_out(&[1, 2], &["sale"]).unwrap()),
            &|it| drop(it.gpc(&[1]).unwrap()),
            &|it| drop(it.opt_in(&[1], &["sale"]).unwrap()),
            &elsewhere,
            &|it| drop(it.gpc(&[1]).unwrap()),
            &|it| drop(it.both(&[2], &["*"], &["sale"]).unwrap()),
            &|it| drop(it.opt_out(&[3], &["*"]).unwrap()),
            &|it| drop(it.opt_out(&[1], &["*"]).unwrap()),
        ];
        let mut past = Past::new(&keys);
        let mut taken = driven.events.len();
        for (number, step) in steps.iter().enumerate() {
            driven.now += 1_000;
            step(&mut driven);
            let next = driven.events[taken..].to_vec();
            taken = driven.events.len();
            driven.state.go_on(&mut past, namespace, &next).unwrap();
            let folded = past.subjects.iter().map(|(_, records)| records.clone());
            let folded: Vec<Vec<Record>> = folded.collect();
            assert_eq!(folded, stands(&driven.state), "{number}");
        }
    }
}

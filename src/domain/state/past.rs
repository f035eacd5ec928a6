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

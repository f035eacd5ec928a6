//! The imports that are remembered, so that each can go on where it stopped: a bounded table.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::requests::check_new;
use crate::domain::ids::{Millis, RequestId};
use crate::domain::names::{Namespace, Principal};
use crate::domain::refusal::Refusal;
use crate::limits;

/// An import that has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Import {
    pub(super) namespace: Namespace,
    pub(super) principal: Principal,
    /// The row to go on with.
    pub(super) next_row: u64,
}

/// The table. When it is full, the smallest id is forgotten.
#[derive(Debug, Clone)]
pub(super) struct Imports {
    by_id: Arc<BTreeMap<RequestId, Import>>,
    capacity: usize,
    /// The largest id that was forgotten.
    floor: Option<RequestId>,
}

impl Default for Imports {
    fn default() -> Self {
        Self {
            by_id: Arc::default(),
            capacity: limits::IMPORTS,
            floor: None,
        }
    }
}

impl Imports {
    /// The row that an import goes on with; 0 for a new one.
    ///
    /// # Errors
    /// `REQUEST_ID_REUSED` where it is another caller's or namespace's, `REQUEST_ID_EXPIRED`, `REQUEST_ID_INVALID`,
    /// `TOO_MANY_REQUESTS`.
    pub(super) fn find(
        &self,
        id: RequestId,
        namespace: &Namespace,
        principal: &Principal,
        now: Millis,
    ) -> Result<u64, Refusal> {
        match self.by_id.get(&id) {
            Some(import) if import.namespace == *namespace && import.principal == *principal => {
                Ok(import.next_row)
            }
            Some(_) => Err(Refusal::RequestIdReused),
            None if Some(id) <= self.floor => Err(Refusal::RequestIdExpired),
            None => {
                let first = self.by_id.first_key_value();
                let full = first.filter(|_| self.by_id.len() >= self.capacity);
                let smallest = full.map(|(first, _)| *first);
                check_new(id, now, smallest, limits::IMPORT_WINDOW_MS).map(|()| 0)
            }
        }
    }

    /// The row that an import goes on with; 0 where the id is not known in this namespace.
    pub(super) fn next_row(&self, namespace: &Namespace, id: RequestId) -> u64 {
        self.by_id
            .get(&id)
            .filter(|import| import.namespace == *namespace)
            .map_or(0, |import| import.next_row)
    }

    /// Remembers how far an import has come, and forgets the one with the smallest id if it must.
    pub(super) fn insert(&mut self, id: RequestId, import: Import) {
        let imports = Arc::make_mut(&mut self.by_id);
        imports.insert(id, import);
        while imports.len() > self.capacity
            && let Some((forgotten, _)) = imports.pop_first()
        {
            self.floor = self.floor.max(Some(forgotten));
        }
    }

    /// The largest id that was forgotten.
    pub(super) fn floor(&self) -> Option<RequestId> {
        self.floor
    }

    /// How many are remembered.
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// All, by id.
    pub(super) fn into_entries(self) -> impl Iterator<Item = (RequestId, Import)> {
        Arc::unwrap_or_clone(self.by_id).into_iter()
    }

    /// Sets the floor as a snapshot recorded it.
    pub(super) fn restore_floor(&mut self, floor: Option<RequestId>) {
        self.floor = floor;
    }

    /// Appends an entry of a snapshot; false where it does not come after the last.
    pub(super) fn restore(&mut self, id: RequestId, import: Import) -> bool {
        let last = self.by_id.last_key_value().map(|(last, _)| *last);
        if last.max(self.floor) >= Some(id) {
            return false;
        }
        self.insert(id, import);
        true
    }

    #[cfg(test)]
    pub(super) fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity;
    }
}

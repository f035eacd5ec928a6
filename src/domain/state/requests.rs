//! The requests that are remembered, so that a retry has one effect: a bounded table, sorted by id, in shared pieces.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::domain::ids::{EventId, Millis, RequestId, Revision};
use crate::domain::outcome::Outcome;
use crate::domain::refusal::Refusal;
use crate::limits;

/// Entries of one piece: what is copied at most when a piece is written to that a clone shares.
const PIECE: usize = 256;

/// An accepted request.
#[derive(Debug, Clone)]
pub(super) struct Remembered {
    pub(super) id: RequestId,
    /// Who asked, and for what.
    pub(super) digest: [u8; 16],
    kept: Kept,
}

/// An outcome: the common one in little room, the others boxed.
#[derive(Debug, Clone)]
enum Kept {
    Preference {
        event_id: EventId,
        revision: Revision,
        received_at: Millis,
        changed: bool,
    },
    Other(Box<Outcome>),
}

type Piece = VecDeque<Remembered>;

/// The table. Ids of requests grow with time, so that nearly all are appended at the end; when it is full, the smallest
/// id is forgotten.
#[derive(Debug, Clone)]
pub(super) struct Requests {
    /// None is empty.
    pieces: VecDeque<Arc<Piece>>,
    len: usize,
    capacity: usize,
    /// The largest id that was forgotten.
    floor: Option<RequestId>,
}

impl Default for Requests {
    fn default() -> Self {
        Self {
            pieces: VecDeque::new(),
            len: 0,
            capacity: limits::REQUESTS,
            floor: None,
        }
    }
}

impl Remembered {
    pub(super) fn new(id: RequestId, digest: [u8; 16], outcome: &Outcome) -> Self {
        let kept = match outcome {
            Outcome::Preference {
                event_id,
                revision,
                changed,
                received_at,
            } => Kept::Preference {
                event_id: *event_id,
                revision: *revision,
                received_at: *received_at,
                changed: *changed,
            },
            other => Kept::Other(Box::new(other.clone())),
        };
        Self { id, digest, kept }
    }

    pub(super) fn outcome(&self) -> Outcome {
        match &self.kept {
            Kept::Preference {
                event_id,
                revision,
                received_at,
                changed,
            } => Outcome::Preference {
                event_id: *event_id,
                revision: *revision,
                changed: *changed,
                received_at: *received_at,
            },
            Kept::Other(outcome) => (**outcome).clone(),
        }
    }
}

/// Judges the id of a new request, by the log's time: whether it is of now, and whether it can be remembered. `smallest` is
/// what a full table would forget for it.
///
/// An id that is younger than `window` is never told that it is forgotten, and never forgotten: rather than that, what
/// is new waits.
///
/// # Errors
/// `REQUEST_ID_INVALID`, `REQUEST_ID_EXPIRED`, `TOO_MANY_REQUESTS`.
pub(super) fn check_new(
    id: RequestId,
    now: Millis,
    smallest: Option<RequestId>,
    window: u64,
) -> Result<(), Refusal> {
    if id.timestamp().0 > now.0.saturating_add(limits::REQUEST_ID_AHEAD_MS) {
        return Err(Refusal::RequestIdInvalid {
            why: "it lies more than 10 seconds ahead of the cluster's time, so set the clock of the machine that made it \
                  (or those of the cluster), or leave the id out",
        });
    }
    let Some(smallest) = smallest else {
        return Ok(());
    };
    // Smaller than all that is there, it would itself be forgotten at once.
    let forgotten = smallest.min(id);
    if forgotten.timestamp().0.saturating_add(window) > now.0 {
        return Err(Refusal::TooManyRequests);
    }
    if id == forgotten {
        return Err(Refusal::RequestIdExpired);
    }
    Ok(())
}

impl Requests {
    /// What a request brought when it was first taken; none for a new one.
    ///
    /// # Errors
    /// `REQUEST_ID_REUSED`, `REQUEST_ID_EXPIRED`, `REQUEST_ID_INVALID`, `TOO_MANY_REQUESTS`.
    pub(super) fn find(
        &self,
        id: RequestId,
        digest: &[u8; 16],
        now: Millis,
    ) -> Result<Option<Outcome>, Refusal> {
        let (piece, at) = self.place(id);
        let entry = self.pieces.get(piece).and_then(|piece| piece.get(at));
        match entry.filter(|entry| entry.id == id) {
            Some(entry) if entry.digest == *digest => Ok(Some(entry.outcome())),
            Some(_) => Err(Refusal::RequestIdReused),
            None if Some(id) <= self.floor => Err(Refusal::RequestIdExpired),
            None => check_new(id, now, self.smallest_of_full(), limits::REQUEST_WINDOW_MS)
                .map(|()| None),
        }
    }

    /// Remembers a request that [`Requests::find`] did not know, and forgets the one with the smallest id if it must.
    pub(super) fn insert(&mut self, entry: Remembered) {
        let (piece, at) = self.place(entry.id);
        match self.pieces.get_mut(piece) {
            None => {
                // Past all that is there: a full last piece stays full, and a new one begins.
                self.pieces.push_back(Arc::new(Piece::from([entry])));
            }
            Some(shared) => {
                let entries = Arc::make_mut(shared);
                entries.insert(at, entry);
                if entries.len() > PIECE {
                    let upper = entries.split_off(PIECE / 2);
                    self.pieces.insert(piece + 1, Arc::new(upper));
                }
            }
        }
        self.len += 1;
        while self.len > self.capacity {
            self.forget_first();
        }
    }

    /// The largest id that was forgotten.
    pub(super) fn floor(&self) -> Option<RequestId> {
        self.floor
    }

    /// How many are remembered.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// All, by id.
    pub(super) fn into_entries(self) -> impl Iterator<Item = Remembered> {
        self.pieces
            .into_iter()
            .flat_map(|piece| Arc::unwrap_or_clone(piece).into_iter())
    }

    /// Sets the floor as a snapshot recorded it.
    pub(super) fn restore_floor(&mut self, floor: Option<RequestId>) {
        self.floor = floor;
    }

    /// Appends an entry of a snapshot; false where it does not come after the last.
    pub(super) fn restore(&mut self, entry: Remembered) -> bool {
        let last = self.pieces.back().and_then(|piece| piece.back());
        if last.map(|last| last.id).max(self.floor) >= Some(entry.id) {
            return false;
        }
        self.insert(entry);
        true
    }

    #[cfg(test)]
    pub(super) fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity;
    }

    /// The smallest id of a full table.
    fn smallest_of_full(&self) -> Option<RequestId> {
        let first = self.pieces.front().and_then(|piece| piece.front());
        first
            .filter(|_| self.len >= self.capacity)
            .map(|first| first.id)
    }

    /// Where an id stands, or would: the piece, and the place in it. Past the end of a full last piece, the piece is
    /// one that is not there yet.
    fn place(&self, id: RequestId) -> (usize, usize) {
        let begins_after = |piece: &Arc<Piece>| piece.front().is_some_and(|first| first.id > id);
        // Nearly every new id is past all others: look there first.
        let piece = match self.pieces.back() {
            None => return (0, 0),
            Some(last) if !begins_after(last) => self.pieces.len() - 1,
            Some(_) => self
                .pieces
                .partition_point(|piece| !begins_after(piece))
                .saturating_sub(1),
        };
        let Some(entries) = self.pieces.get(piece) else {
            return (piece, 0);
        };
        let at = match entries.back() {
            Some(last) if last.id < id => entries.len(),
            _ => entries.partition_point(|entry| entry.id < id),
        };
        let past_the_end = at == entries.len() && piece + 1 == self.pieces.len();
        if past_the_end && entries.len() >= PIECE {
            (piece + 1, 0)
        } else {
            (piece, at)
        }
    }

    /// Whether an id is remembered.
    pub(super) fn knows(&self, id: RequestId) -> bool {
        let (piece, at) = self.place(id);
        let entry = self.pieces.get(piece).and_then(|entries| entries.get(at));
        entry.is_some_and(|entry| entry.id == id)
    }

    fn forget_first(&mut self) {
        let Some(first) = self.pieces.front_mut() else {
            self.len = 0;
            return;
        };
        let entries = Arc::make_mut(first);
        if let Some(entry) = entries.pop_front() {
            self.floor = self.floor.max(Some(entry.id));
            self.len -= 1;
        }
        if entries.is_empty() {
            self.pieces.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn id(n: u16) -> RequestId {
        RequestId::new(Millis(u64::from(n)), [0; 10])
    }

    fn entry(n: u16) -> Remembered {
        let outcome = Outcome::Done {
            revision: u64::from(n),
        };
        Remembered::new(id(n), [1; 16], &outcome)
    }

    #[test]
    fn entries_are_small() {
        assert!(size_of::<Remembered>() <= 72, "{}", size_of::<Remembered>());
    }

    proptest! {
        #[test]
        fn behaves_like_a_sorted_map(
            steps in proptest::collection::vec((0u16..30_000, 0u64..300), 0..1_500),
            capacity in 1usize..900,
        ) {
            let mut table = Requests::default();
            table.set_capacity(capacity);
            let mut map = BTreeMap::new();
            let mut floor = None;
            let mut now = 20_000;
            for (n, passed) in steps {
                now += passed;
                let first = map.first_key_value().map(|(first, _)| *first);
                let forgets = first.map(|first: u16| first.min(n)).filter(|_| map.len() == capacity);
                let young = |n: u16| u64::from(n) + limits::REQUEST_WINDOW_MS > now;
                match table.find(id(n), &[1; 16], Millis(now)) {
                    Ok(Some(outcome)) => prop_assert_eq!(map.get(&n), Some(&outcome)),
                    Ok(None) => {
                        prop_assert!(!map.contains_key(&n));
                        prop_assert!(Some(n) > floor);
                        prop_assert!(forgets.is_none_or(|forgets| !young(forgets) && forgets != n));
                        table.insert(entry(n));
                        map.insert(n, entry(n).outcome());
                        if forgets.is_some() {
                            floor = map.pop_first().map(|(n, _)| n);
                        }
                    }
                    Err(Refusal::TooManyRequests) => prop_assert!(forgets.is_some_and(young)),
                    Err(Refusal::RequestIdExpired) => {
                        prop_assert!(!young(n));
                        prop_assert!(Some(n) <= floor || forgets == Some(n));
                    }
                    Err(refusal) => {
                        prop_assert_eq!(refusal.reason(), "REQUEST_ID_INVALID");
                        prop_assert!(u64::from(n) > now + limits::REQUEST_ID_AHEAD_MS);
                    }
                }
                prop_assert!(floor.is_none_or(|floor| !young(floor)));
                prop_assert_eq!(table.len(), map.len());
                prop_assert_eq!(table.floor(), floor.map(id));
            }
            let kept: Vec<_> = table.into_entries().map(|entry| entry.id).collect();
            let expected: Vec<_> = map.keys().map(|n| id(*n)).collect();
            prop_assert_eq!(kept, expected);
        }
    }

    #[test]
    fn a_clone_keeps_what_it_had() {
        let mut table = Requests::default();
        (0..1_000).for_each(|n| table.insert(entry(n * 2)));
        let before = table.clone();
        (0..1_000).for_each(|n| table.insert(entry(n * 2 + 1)));
        assert_eq!(before.len(), 1_000);
        assert_eq!(before.into_entries().count(), 1_000);
        assert_eq!(table.into_entries().count(), 2_000);
    }

    #[test]
    fn other_content_and_far_times_are_refused() {
        let mut table = Requests::default();
        table.insert(entry(5));
        let reused = table.find(id(5), &[2; 16], Millis(0));
        assert_eq!(reused, Err(Refusal::RequestIdReused));
        let far = RequestId::new(Millis(limits::REQUEST_ID_AHEAD_MS + 8), [0; 10]);
        let too_far = table.find(far, &[1; 16], Millis(7)).unwrap_err();
        assert_eq!(too_far.reason(), "REQUEST_ID_INVALID");
        assert_eq!(table.find(far, &[1; 16], Millis(8)), Ok(None));
    }
}

//! The table of the keys of evidence: by revision, found by token, counted by what they are wrapped under.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::namespaces::NamespaceId;
use crate::domain::evidence::{WrappedKey, WrappingId};
use crate::domain::ids::Revision;
use crate::domain::token::{SubjectToken, Token};
use crate::limits;

/// Revisions of one piece: what is copied at most when a piece is written to that a clone shares.
const PIECE: u64 = 1_024;

/// Parts of the index by token, for the same reason.
const PARTS: usize = 256;

/// Which events of a subject have evidence that can be opened.
type OfSubject = BTreeMap<(NamespaceId, Token), Vec<Revision>>;

/// The key of one event's evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) revision: Revision,
    pub(super) namespace: NamespaceId,
    pub(super) tokens: Box<[Token]>,
    pub(super) key: WrappedKey,
}

/// The table. Soft: keys are wrapped anew without an event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct EvidenceKeys {
    /// By revision, in shared pieces. None is empty.
    pieces: Arc<BTreeMap<u64, Arc<Vec<Kept>>>>,
    pub(super) len: u64,
    /// The revisions by token, in shared parts; empty until there are any.
    by_token: Vec<Arc<OfSubject>>,
    /// How many are wrapped under what; none counts 0.
    pub(super) under: Arc<BTreeMap<WrappingId, u64>>,
    /// By node, how many of the `stale` commands its wrapping key is younger than. Where there were more, the node has to replace it, so that
    /// no old copy of a key that was erased can be opened.
    pub(super) rotated: Arc<BTreeMap<u64, u64>>,
    /// Wrapping keys that are no more: what comes late, wrapped under one of them, is refused. The newest last.
    pub(super) retired: Arc<VecDeque<WrappingId>>,
    /// The revision of the last erasure; 0 for none.
    pub(super) erased_at: Revision,
    /// How many commands there were after which the log held what opens erased evidence.
    pub(super) stale: u64,
    /// Whether the log may hold evidence that was sent and not kept, since it came with a repeat or was refused: whose is not known any
    /// more, so that the next erasure counts as one of it too.
    pub(super) stray: bool,
}

impl EvidenceKeys {
    /// Keeps the key of the newest event. Brings whether it was newer than all.
    pub(super) fn keep(&mut self, kept: Kept) -> bool {
        let last = self.iter_from(0).next_back();
        if last.is_some_and(|last| last.revision >= kept.revision) {
            return false;
        }
        for token in &kept.tokens {
            let of = self.part(*token).entry((kept.namespace, *token));
            of.or_default().push(kept.revision);
        }
        self.recount(kept.key.under, 1);
        let pieces = Arc::make_mut(&mut self.pieces);
        let piece = pieces.entry(kept.revision / PIECE).or_default();
        Arc::make_mut(piece).push(kept);
        self.len += 1;
        true
    }

    /// The part of the index that a token stands in, to be written to.
    fn part(&mut self, token: Token) -> &mut OfSubject {
        if self.by_token.is_empty() {
            self.by_token = (0..PARTS).map(|_| Arc::default()).collect();
        }
        Arc::make_mut(&mut self.by_token[usize::from(token.bytes[0])])
    }

    /// The revisions of a subject's events whose evidence can be opened, ascending.
    pub(super) fn of_subject(
        &self,
        namespace: NamespaceId,
        tokens: &[SubjectToken],
    ) -> BTreeSet<Revision> {
        let of = |subject: &SubjectToken| {
            let part = self.by_token.get(usize::from(subject.token.bytes[0]))?;
            part.get(&(namespace, subject.token))
        };
        tokens.iter().filter_map(of).flatten().copied().collect()
    }

    /// Counts one more, or one less, as wrapped under this.
    fn recount(&mut self, id: WrappingId, by: i64) {
        let under = Arc::make_mut(&mut self.under);
        let count = under.entry(id).or_default();
        *count = count.saturating_add_signed(by);
        if *count == 0 {
            under.remove(&id);
        }
    }

    pub(super) fn count_under(&self, id: WrappingId) -> u64 {
        self.under.get(&id).copied().unwrap_or(0)
    }

    /// The keys from a revision on.
    pub(super) fn iter_from(&self, from: Revision) -> impl DoubleEndedIterator<Item = &Kept> {
        let pieces = self.pieces.range(from / PIECE..);
        pieces
            .flat_map(|(_, piece)| piece.iter())
            .filter(move |kept| kept.revision >= from)
    }

    /// All of them, by revision.
    pub(super) fn into_kept(self) -> impl Iterator<Item = Kept> + Send + use<> {
        let pieces: Vec<_> = self.pieces.values().cloned().collect();
        let items = |piece: Arc<Vec<Kept>>| (0..piece.len()).map(move |at| piece[at].clone());
        pieces.into_iter().flat_map(items)
    }

    pub(super) fn get(&self, revision: Revision) -> Option<&Kept> {
        let piece = self.pieces.get(&(revision / PIECE))?;
        let at = piece.binary_search_by_key(&revision, |kept| kept.revision);
        piece.get(at.ok()?)
    }

    pub(super) fn remove(&mut self, revision: Revision) {
        let place = revision / PIECE;
        let pieces = Arc::make_mut(&mut self.pieces);
        let Some(piece) = pieces.get_mut(&place) else {
            return;
        };
        let Ok(at) = piece.binary_search_by_key(&revision, |kept| kept.revision) else {
            return;
        };
        let kept = Arc::make_mut(piece).remove(at);
        if piece.is_empty() {
            pieces.remove(&place);
        }
        self.len -= 1;
        self.recount(kept.key.under, -1);
        for token in &kept.tokens {
            let part = self.part(*token);
            if let Some(of) = part.get_mut(&(kept.namespace, *token)) {
                of.retain(|at| *at != revision);
                if of.is_empty() {
                    part.remove(&(kept.namespace, *token));
                }
            }
        }
    }

    pub(super) fn replace(&mut self, revision: Revision, from: WrappingId, key: WrappedKey) {
        // Looked at before anything is copied.
        if self.get(revision).is_none_or(|kept| kept.key.under != from) {
            return;
        }
        let pieces = Arc::make_mut(&mut self.pieces);
        if let Some(piece) = pieces.get_mut(&(revision / PIECE)) {
            let kept = Arc::make_mut(piece).iter_mut();
            for kept in kept.filter(|kept| kept.revision == revision) {
                kept.key = key;
            }
        }
        self.recount(from, -1);
        self.recount(key.under, 1);
    }

    pub(super) fn rotate(&mut self, node_id: u64, since: u64) {
        let rotated = Arc::make_mut(&mut self.rotated);
        let last = rotated.entry(node_id).or_default();
        *last = since.max(*last);
        while rotated.len() > limits::ROTATIONS {
            // A node that is still there rotates again, which costs little.
            let oldest = rotated.iter().min_by_key(|(id, at)| (**at, **id));
            if let Some(oldest) = oldest.map(|(id, _)| *id) {
                rotated.remove(&oldest);
            }
        }
    }

    pub(super) fn retire(&mut self, id: WrappingId) {
        if self.retired.contains(&id) {
            return;
        }
        let retired = Arc::make_mut(&mut self.retired);
        while retired.len() >= limits::RETIRED_WRAPPING_KEYS {
            retired.pop_front();
        }
        retired.push_back(id);
    }

    pub(super) fn rotated(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.rotated
            .iter()
            .map(|(node_id, since)| (*node_id, *since))
    }

    pub(super) fn retired(&self) -> impl Iterator<Item = WrappingId> + '_ {
        self.retired.iter().copied()
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// How much there is of everything: what a snapshot's end tells.
    pub(super) fn count(&self) -> u64 {
        let beside = self.rotated.len() + self.retired.len();
        self.len.saturating_add(beside as u64)
    }

    /// The revision of the last erasure, how many commands left in the log what opens erased evidence, and whether stray evidence is there.
    pub(super) fn erasures(&self) -> (Revision, u64, bool) {
        (self.erased_at, self.stale, self.stray)
    }

    /// Takes back what a snapshot holds beside the keys. Brings whether it fits.
    pub(super) fn restore_rotated(&mut self, node_id: u64, since: u64) -> bool {
        let last = self.rotated.last_key_value();
        let fits =
            last.is_none_or(|(last, _)| *last < node_id) && self.rotated.len() < limits::ROTATIONS;
        self.rotate(node_id, since);
        fits
    }

    pub(super) fn restore_retired(&mut self, id: WrappingId) -> bool {
        let fits =
            !self.retired.contains(&id) && self.retired.len() < limits::RETIRED_WRAPPING_KEYS;
        self.retire(id);
        fits
    }

    pub(super) fn restore_erasures(&mut self, erased_at: Revision, stale: u64, stray: bool) {
        self.erased_at = self.erased_at.max(erased_at);
        self.stale = self.stale.max(stale);
        self.stray |= stray;
    }
}

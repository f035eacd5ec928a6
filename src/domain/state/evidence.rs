//! The keys of evidence: kept apart from it, so that they can be destroyed while the journal stays as it is.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::State;
use super::apply::Events;
use super::digest;
use super::namespaces::NamespaceId;
use crate::domain::command::Command;
use crate::domain::erasure::{EraseEvidence, ErasedEvidence, RewrapEvidence, RotateWrappingKey};
use crate::domain::event::{Detail, Event, EventKind};
use crate::domain::evidence::{WrappedKey, WrappingId};
use crate::domain::ids::Revision;
use crate::domain::outcome::{Outcome, Reply};
use crate::domain::refusal::Refusal;
use crate::domain::token::{SubjectToken, Token};
use crate::limits;

/// Revisions of one piece: what is copied at most when a piece is written to that a clone shares.
const PIECE: u64 = 1_024;

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
    len: u64,
    /// By node, which erasures its wrapping key is younger than: up to this revision. Where the last erasure is later, the node has to
    /// replace it, so that no old copy of a key that was erased can be opened.
    rotated: Arc<BTreeMap<u64, Revision>>,
    /// Wrapping keys that are no more: what comes late, wrapped under one of them, is refused. The newest last.
    retired: Arc<VecDeque<WrappingId>>,
    /// The revision of the last erasure; 0 for none.
    erased_at: Revision,
    /// How many commands there were after which the log held erased keys.
    stale: u64,
}

impl EvidenceKeys {
    /// Keeps the key of the newest event. Brings whether it was newer than all.
    pub(super) fn keep(&mut self, kept: Kept) -> bool {
        let last = self.iter_from(0).next_back();
        if last.is_some_and(|last| last.revision >= kept.revision) {
            return false;
        }
        let pieces = Arc::make_mut(&mut self.pieces);
        let piece = pieces.entry(kept.revision / PIECE).or_default();
        Arc::make_mut(piece).push(kept);
        self.len += 1;
        true
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

    fn get(&self, revision: Revision) -> Option<&Kept> {
        let piece = self.pieces.get(&(revision / PIECE))?;
        let at = piece.binary_search_by_key(&revision, |kept| kept.revision);
        piece.get(at.ok()?)
    }

    fn remove(&mut self, revision: Revision) {
        let pieces = Arc::make_mut(&mut self.pieces);
        let place = revision / PIECE;
        let Some(piece) = pieces.get_mut(&place) else {
            return;
        };
        let piece = Arc::make_mut(piece);
        let before = piece.len();
        piece.retain(|kept| kept.revision != revision);
        self.len -= (before - piece.len()) as u64;
        if piece.is_empty() {
            pieces.remove(&place);
        }
    }

    fn replace(&mut self, revision: Revision, from: WrappingId, key: WrappedKey) {
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
    }

    fn rotate(&mut self, node_id: u64, since: Revision) {
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

    fn retire(&mut self, id: WrappingId) {
        if self.retired.contains(&id) {
            return;
        }
        let retired = Arc::make_mut(&mut self.retired);
        while retired.len() >= limits::RETIRED_WRAPPING_KEYS {
            retired.pop_front();
        }
        retired.push_back(id);
    }

    pub(super) fn rotated(&self) -> impl Iterator<Item = (u64, Revision)> + '_ {
        self.rotated.iter().map(|(node_id, at)| (*node_id, *at))
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

    /// The revision of the last erasure, and how many commands left erased keys in the log.
    pub(super) fn erasures(&self) -> (Revision, u64) {
        (self.erased_at, self.stale)
    }

    /// Takes back what a snapshot holds beside the keys. Brings whether it fits.
    pub(super) fn restore_rotated(&mut self, node_id: u64, at: Revision) -> bool {
        let last = self.rotated.last_key_value();
        let fits =
            last.is_none_or(|(last, _)| *last < node_id) && self.rotated.len() < limits::ROTATIONS;
        self.rotate(node_id, at);
        fits
    }

    pub(super) fn restore_retired(&mut self, id: WrappingId) -> bool {
        let fits =
            !self.retired.contains(&id) && self.retired.len() < limits::RETIRED_WRAPPING_KEYS;
        self.retire(id);
        fits
    }

    pub(super) fn restore_erasures(&mut self, erased_at: Revision, stale: u64) {
        self.erased_at = self.erased_at.max(erased_at);
        self.stale = self.stale.max(stale);
    }
}

impl State {
    /// The revision of the last event that erased evidence; 0 for none.
    pub fn evidence_erased_at(&self) -> Revision {
        self.evidence.erased_at
    }

    /// Goes up with each command after which the log holds keys that were erased: until then it has to be purged.
    pub fn stale_evidence_keys(&self) -> u64 {
        self.evidence.stale
    }

    /// Whether a node has to replace its wrapping key, since evidence was erased after it came into use.
    pub fn must_rotate(&self, node_id: u64) -> bool {
        self.evidence.rotated.get(&node_id).copied().unwrap_or(0) < self.evidence.erased_at
    }

    /// How many pieces of evidence have their key still.
    pub fn evidence_kept(&self) -> u64 {
        self.evidence.len
    }

    /// The key of an event's evidence; none where there is no evidence, or it was erased.
    pub fn evidence_key(&self, revision: Revision) -> Option<WrappedKey> {
        self.evidence.get(revision).map(|kept| kept.key)
    }

    /// The next keys that are wrapped under this, from a revision on.
    pub fn evidence_under(
        &self,
        id: WrappingId,
        from: Revision,
        at_most: usize,
    ) -> Vec<(Revision, WrappedKey)> {
        let kept = self.evidence.iter_from(from);
        kept.filter(|kept| kept.key.under == id)
            .take(at_most)
            .map(|kept| (kept.revision, kept.key))
            .collect()
    }

    /// Whether a wrapping key is no more.
    pub fn is_retired(&self, id: WrappingId) -> bool {
        self.evidence.retired.contains(&id)
    }

    /// Refuses evidence whose key was wrapped under something that is no more: it was under way for too long.
    pub(super) fn check_wrapping(&self, key: Option<&WrappedKey>) -> Result<(), Refusal> {
        match key {
            Some(key) if self.is_retired(key.under) => Err(Refusal::EvidenceOutdated),
            _ => Ok(()),
        }
    }

    /// Keeps the key of an event's evidence.
    pub(super) fn keep_evidence_key(
        &mut self,
        event: &Event,
        namespace: NamespaceId,
        key: WrappedKey,
    ) {
        let tokens = event.tokens.iter().map(|token| token.subject.token);
        self.evidence.keep(Kept {
            revision: event.revision,
            namespace,
            tokens: tokens.collect(),
            key,
        });
    }

    pub(super) fn erase_evidence(
        &mut self,
        command: &Command,
        erase: &EraseEvidence,
        events: &mut Events,
    ) -> Reply {
        let digest = digest::erase_evidence(&command.principal, erase);
        self.once(erase.request_id, digest, |state| {
            let namespace = state.namespaces.id(&erase.namespace)?;
            let (revisions, remaining) = state.evidence_of(namespace, &erase.tokens);
            if revisions.is_empty() {
                return Ok(Outcome::Erased {
                    event_id: None,
                    revision: state.revision,
                    erased: 0,
                    remaining: 0,
                });
            }
            let detail = Detail::ErasedEvidence(Box::new(ErasedEvidence {
                tokens: erase.tokens.clone(),
                revisions: revisions.clone(),
            }));
            let mut event = state.event(command, EventKind::EvidenceErased, detail);
            event.namespace = Some(erase.namespace.clone());
            let event_id = state.record(event, events)?;
            for revision in &revisions {
                state.evidence.remove(*revision);
            }
            state.evidence.erased_at = state.revision;
            state.evidence.stale += 1;
            Ok(Outcome::Erased {
                event_id: Some(event_id),
                revision: state.revision,
                erased: revisions.len() as u64,
                remaining,
            })
        })
    }

    /// The first events of a subject whose evidence has its key, and how many more there are.
    fn evidence_of(&self, namespace: NamespaceId, tokens: &[SubjectToken]) -> (Vec<Revision>, u64) {
        let named = |kept: &&Kept| {
            kept.namespace == namespace
                && tokens
                    .iter()
                    .any(|subject| kept.tokens.contains(&subject.token))
        };
        let mut found = self.evidence.iter_from(0).filter(named);
        let first = found.by_ref().take(limits::ERASED_AT_ONCE);
        let first = first.map(|kept| kept.revision).collect();
        (first, found.count() as u64)
    }

    pub(super) fn rewrap_evidence(&mut self, rewrap: &RewrapEvidence) -> Outcome {
        let mut erased = false;
        for (revision, key) in &rewrap.keys {
            erased |= self.evidence.get(*revision).is_none();
            self.evidence.replace(*revision, rewrap.from, *key);
        }
        // It was under way when the erasure came, and now lies behind it in the log.
        self.evidence.stale += u64::from(erased);
        Outcome::Done {
            revision: self.revision,
        }
    }

    pub(super) fn rotate_wrapping_key(&mut self, rotate: &RotateWrappingKey) -> Outcome {
        let mut retired = rotate.retired.iter();
        if rotate.lost || retired.all(|id| self.evidence_under(*id, 0, 1).is_empty()) {
            for id in &rotate.retired {
                self.evidence.retire(*id);
            }
            self.evidence.rotate(rotate.node_id, rotate.since);
        }
        Outcome::Done {
            revision: self.revision,
        }
    }
}

//! The keys of evidence: kept apart from it, so that they can be destroyed while the journal stays as it is.

use super::State;
use super::apply::Events;
use super::digest;
use super::evidence_keys::Kept;
use super::namespaces::NamespaceId;
use crate::domain::command::Command;
use crate::domain::erasure::{EraseEvidence, ErasedEvidence, RewrapEvidence, RotateWrappingKey};
use crate::domain::event::{Detail, Event, EventKind};
use crate::domain::evidence::{WrappedKey, WrappingId};
use crate::domain::ids::Revision;
use crate::domain::outcome::{Outcome, Reply};
use crate::domain::refusal::Refusal;
use crate::limits;

impl State {
    /// The revision of the last event that erased evidence; 0 for none.
    pub fn evidence_erased_at(&self) -> Revision {
        self.evidence.erased_at
    }

    /// Goes up with each command after which the log holds what opens erased evidence: up to there it has to be purged.
    pub fn stale_evidence_keys(&self) -> u64 {
        self.evidence.stale
    }

    /// Whether a node has to replace its wrapping key, since evidence was erased after it came into use.
    pub fn must_rotate(&self, node_id: u64) -> bool {
        self.evidence.rotated.get(&node_id).copied().unwrap_or(0) < self.evidence.stale
    }

    /// Whether there are keys that a node wrapped, and under none of these.
    pub fn wrapped_by_under_others(&self, node_id: u64, ids: &[WrappingId]) -> bool {
        let mut under = self.evidence.under.keys();
        under.any(|id| id.node_id() == node_id && !ids.contains(id))
    }

    /// How many pieces of evidence have their key still.
    pub fn evidence_kept(&self) -> u64 {
        self.evidence.len
    }

    /// The key of an event's evidence; none where there is no evidence, or it was erased.
    pub fn evidence_key(&self, revision: Revision) -> Option<WrappedKey> {
        self.evidence.get(revision).map(|kept| kept.key)
    }

    /// Some of the keys that are wrapped under this, from a revision on, and where to go on; none where that was the end.
    pub fn evidence_under(
        &self,
        id: WrappingId,
        from: Revision,
    ) -> (Vec<(Revision, WrappedKey)>, Option<Revision>) {
        let mut found = Vec::new();
        if self.evidence.count_under(id) == 0 {
            return (found, None);
        }
        let looked = self.evidence.iter_from(from).zip(1..);
        for (kept, count) in looked {
            if kept.key.under == id {
                found.push((kept.revision, kept.key));
            }
            if found.len() == limits::REWRAPPED_KEYS || count == limits::KEYS_LOOKED_AT {
                return (found, Some(kept.revision + 1));
            }
        }
        (found, None)
    }

    /// Whether a wrapping key is no more.
    pub fn is_retired(&self, id: WrappingId) -> bool {
        self.evidence.retired.contains(&id)
    }

    /// Refuses evidence for which there is no room, and some whose key was wrapped under something that is no more: it was under way for too
    /// long.
    pub(super) fn check_evidence(&self, key: Option<&WrappedKey>) -> Result<(), Refusal> {
        match key {
            Some(key) if self.is_retired(key.under) => Err(Refusal::EvidenceOutdated),
            Some(_) if self.evidence.len >= limits::EVIDENCE_KEPT => Err(Refusal::EvidenceFull {
                limit: limits::EVIDENCE_KEPT,
            }),
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
            let mut revisions = state.evidence.of_subject(namespace, &erase.tokens);
            let all = revisions.len();
            if let Some(rest) = revisions.iter().nth(limits::ERASED_AT_ONCE).copied() {
                revisions.split_off(&rest);
            }
            let remaining = (all - revisions.len()) as u64;
            let revisions: Vec<Revision> = revisions.into_iter().collect();
            // What strayed may be this subject's.
            if std::mem::take(&mut state.evidence.stray) || !revisions.is_empty() {
                state.evidence.stale += 1;
            }
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
            Ok(Outcome::Erased {
                event_id: Some(event_id),
                revision: state.revision,
                erased: revisions.len() as u64,
                remaining,
            })
        })
    }

    /// Notes that evidence came and was not kept: with a repeat, or with what was refused. Its key lies in the log all the same.
    pub(super) fn note_stray_evidence(&mut self, reply: &Reply) {
        let erased = match reply {
            // What stands there had evidence, too.
            Ok(Outcome::Preference { revision, .. }) => self.evidence.get(*revision).is_none(),
            _ => false,
        };
        if erased {
            self.evidence.stale += 1;
        } else {
            self.evidence.stray = true;
        }
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
        let left = rotate
            .retired
            .iter()
            .map(|id| self.evidence.count_under(*id));
        let left: u64 = left.sum();
        let given_up = rotate.given_up.iter().filter(|at| {
            let kept = self.evidence.get(**at);
            kept.is_some_and(|kept| rotate.retired.contains(&kept.key.under))
        });
        if given_up.count() as u64 == left {
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

//! Rule 1: which record decides, and rule 8: what an override lifts.

use super::State;
use super::namespaces::NamespaceId;
use super::record::{Key, Record};
use super::shards::Records;
use crate::domain::command::Change;
use crate::domain::ids::{EventId, Millis, Revision};
use crate::domain::names::{Namespace, PurposeName, ServiceName};
use crate::domain::purpose::Purpose;
use crate::domain::refusal::Refusal;
use crate::domain::registry::{PurposeId, Registry};
use crate::domain::token::SubjectToken;
use crate::domain::validate::check_tokens;
use crate::limits;

/// May the caller process? Everything that is not `Allow` is a denial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Do not process.
    Deny,
    /// Processing is permitted.
    Allow,
}

/// Why a decision is what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// DENY: an opt-out covers the purpose.
    OptedOut,
    /// DENY: no record decides, and the default is to deny.
    DefaultDeny,
    /// ALLOW: an opt-in covers the purpose, and no opt-out does.
    OptedIn,
    /// ALLOW: no record decides, and the default is to allow.
    DefaultAllow,
    /// ALLOW: the purpose is essential.
    Essential,
    /// ALLOW: an opt-out covers the purpose, and an override lifts it.
    Overridden,
}

/// The answer to a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// ALLOW or DENY.
    pub decision: Decision,
    /// Why.
    pub reason: Reason,
    /// The event that decided; none where a default or the purpose's essential nature did.
    pub event_id: Option<EventId>,
    /// The revision at which this holds.
    pub revision: Revision,
    /// The time at which it was decided. A verdict is a function of the revision and this.
    pub evaluated_at: Millis,
    /// The override that made it an ALLOW.
    pub override_id: Option<EventId>,
}

/// A purpose and what lies above it, up to `*`; worked out once for all tokens of a check.
pub(super) struct Path {
    steps: [PurposeId; limits::PURPOSE_WORDS + 1],
    len: usize,
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The tenant.
    pub namespace: &'a Namespace,
    /// The subject: 1 to 16 tokens, no two alike.
    pub tokens: &'a [SubjectToken],
    /// What for.
    pub purpose: &'a PurposeName,
    /// Who asks.
    pub service: &'a ServiceName,
    /// The schema version that the caller was built for, or 0.
    pub schema_version: u32,
    /// The revision that must have been reached, or 0.
    pub min_revision: Revision,
    /// The latest time that the leader or the node that answers makes likely. Where it is clearly behind the log's time, a
    /// clock is wrong that what ends must not depend on: then no override lifts anything.
    pub at: Millis,
}

/// Who asks about whom, once it was let in.
#[derive(Clone, Copy)]
pub(super) struct Asking<'a> {
    pub(super) namespace: &'a Namespace,
    pub(super) namespace_id: NamespaceId,
    pub(super) tokens: &'a [SubjectToken],
    /// For whom overrides lift; none where nothing is to be lifted.
    pub(super) lifted_for: Option<&'a ServiceName>,
    pub(super) at: Millis,
    /// Whether overrides may lift anything.
    pub(super) lifts: bool,
}

impl State {
    /// Decides whether the subject's data may be used for a purpose. Over all tokens, the least permissive wins.
    ///
    /// # Errors
    /// Deny on each: `IDENTIFIERS_REQUIRED`, `TOO_MANY_IDENTIFIERS`, `DUPLICATE_IDENTIFIER`,
    /// `CLUSTER_NOT_INITIALISED`, `NAMESPACE_UNKNOWN`, `SCHEMA_UNKNOWN`, `SCHEMA_TOO_OLD`, `REVISION_AHEAD`,
    /// `PURPOSE_UNKNOWN`, and `PURPOSE_INVALID` for `*`.
    pub fn decide(&self, question: &Question<'_>) -> Result<Verdict, Refusal> {
        let namespace_id = self.admit(
            question.namespace,
            question.tokens,
            question.schema_version,
            question.min_revision,
        )?;
        let purpose = question.purpose;
        if purpose.is_root() {
            return Err(Refusal::PurposeInvalid {
                why: "`*` is no purpose that data is used for: name the one that you ask for",
            });
        }
        let found = self.registry.id(purpose).and_then(|id| {
            let purpose = self.registry.purpose(id)?;
            Some((id, purpose))
        });
        let Some((id, purpose)) = found else {
            return Err(Refusal::PurposeUnknown {
                purpose: purpose.to_string(),
            });
        };
        self.floors
            .check(&self.registry, id, question.schema_version)?;
        let asking = Asking {
            namespace: question.namespace,
            namespace_id,
            tokens: question.tokens,
            lifted_for: Some(question.service),
            at: self.judged_at(question.at),
            lifts: self.clock_holds(question.at),
        };
        let path = Path::of(&self.registry, id);
        Ok(self.verdict(&asking, purpose, &path))
    }

    /// The checks that all questions about a subject share; brings the namespace's id.
    pub(super) fn admit(
        &self,
        namespace: &Namespace,
        tokens: &[SubjectToken],
        schema_version: u32,
        min_revision: Revision,
    ) -> Result<NamespaceId, Refusal> {
        check_tokens(tokens)?;
        self.check_created()?;
        let namespace = self.namespaces.id(namespace)?;
        self.registry.check_schema(schema_version)?;
        self.floors
            .check(&self.registry, PurposeId::ROOT, schema_version)?;
        self.check_reached(min_revision)?;
        Ok(namespace)
    }

    /// The time by which it is judged what has expired: the log's time, where that is the latest.
    pub fn judged_at(&self, at: Millis) -> Millis {
        self.log_time.max(at)
    }

    /// Whether a clock may be right: one that is clearly behind the log's time cannot tell what has ended since.
    pub(super) fn clock_holds(&self, at: Millis) -> bool {
        self.log_time.0.saturating_sub(at.0) <= limits::CLOCK_AHEAD_MS
    }

    /// Decides over all tokens.
    pub(super) fn verdict(&self, asking: &Asking<'_>, purpose: &Purpose, path: &Path) -> Verdict {
        let verdict = |decision, reason, decider: Option<&Record>| Verdict {
            decision,
            reason,
            event_id: decider.map(Record::event_id),
            revision: self.revision,
            evaluated_at: asking.at,
            override_id: None,
        };
        if purpose.essential {
            return verdict(Decision::Allow, Reason::Essential, None);
        }
        let mut opted_out = None;
        let mut opted_in = None;
        let mut undecided = false;
        let mut lifted_by = None;
        for token in asking.tokens {
            let records = self.shards.get(&Key::new(asking.namespace_id, token.token));
            match decider(records, path) {
                None => undecided = true,
                Some(record) if record.change() == Change::OptIn => {
                    opted_in = Some(newer(opted_in, record));
                }
                Some(record) => match self.lifting(asking, token, purpose) {
                    // As if nothing stood there: what the default says without the opt-out still holds.
                    Some(id) => {
                        undecided = true;
                        lifted_by = lifted_by.or(Some(id));
                    }
                    None => opted_out = Some(newer(opted_out, record)),
                },
            }
        }
        if opted_out.is_some() {
            verdict(Decision::Deny, Reason::OptedOut, opted_out)
        } else if undecided && purpose.default_deny {
            verdict(Decision::Deny, Reason::DefaultDeny, None)
        } else if lifted_by.is_some() {
            Verdict {
                override_id: lifted_by,
                ..verdict(Decision::Allow, Reason::Overridden, None)
            }
        } else if opted_in.is_some() {
            verdict(Decision::Allow, Reason::OptedIn, opted_in)
        } else if purpose.default_deny {
            // Not reached, because each token is opted out, opted in or undecided; if it were, it denies.
            verdict(Decision::Deny, Reason::DefaultDeny, None)
        } else {
            verdict(Decision::Allow, Reason::DefaultAllow, None)
        }
    }

    fn lifting(
        &self,
        asking: &Asking<'_>,
        token: &SubjectToken,
        purpose: &Purpose,
    ) -> Option<EventId> {
        if !asking.lifts {
            return None;
        }
        self.changes.lifting(
            asking.namespace,
            token,
            &purpose.name,
            asking.lifted_for?,
            asking.at,
        )
    }
}

impl Path {
    pub(super) fn of(registry: &Registry, id: PurposeId) -> Self {
        let mut path = Self {
            steps: [PurposeId::ROOT; limits::PURPOSE_WORDS + 1],
            len: 0,
        };
        // A name has at most so many words as there are places, less the one for `*`.
        for (place, step) in path.steps.iter_mut().zip(registry.path(id)) {
            *place = step;
            path.len += 1;
        }
        path
    }

    fn steps(&self) -> &[PurposeId] {
        self.steps.get(..self.len).unwrap_or(&self.steps)
    }
}

/// The record of one subject that decides: the newest opt-out that no newer opt-in lifts from between it and the
/// purpose; without one, the newest opt-in; without one, none.
pub(super) fn decider<'a>(records: Records<'a>, path: &Path) -> Option<&'a Record> {
    let mut opted_out = None;
    let mut opted_in: Option<&Record> = None;
    // From the purpose up, the person's own word first: the opt-ins met so far lie no farther from it than the record in
    // hand. So a signal denies unless the person consented after it.
    let on_path = path.steps().iter().flat_map(|step| {
        let own = records.at(*step);
        own.into_iter().chain(records.signalled_at(*step))
    });
    for record in on_path {
        match record.change() {
            Change::OptIn => opted_in = Some(newer(opted_in, record)),
            Change::OptOut => {
                let lifted = opted_in.is_some_and(|lift| lift.revision() > record.revision());
                if !lifted {
                    opted_out = Some(newer(opted_out, record));
                }
            }
        }
    }
    opted_out.or(opted_in)
}

/// The newer of what was found so far and a record.
fn newer<'a>(found: Option<&'a Record>, record: &'a Record) -> &'a Record {
    found
        .filter(|found| found.revision() >= record.revision())
        .unwrap_or(record)
}

//! The questions that can be asked of the state.

use crate::{
    admission::{Admissible, Need, Needs, Permission, Touches},
    domain::{
        Millis, Namespace, Preferences, Purpose, PurposeName, Question, Refusal, RequestId,
        Revision, ServiceName, State, SubjectToken, Token, Verdict,
    },
};

/// A question, answered from one state.
pub trait Query: Admissible + Send {
    /// What the answer is.
    type Answer: Send;

    /// Answers it, with `at` as the time that decides what has lapsed. Short: it runs while the state is locked.
    ///
    /// # Errors
    /// A refusal where the question cannot be answered.
    fn answer(self, state: &State, at: Millis) -> Result<Self::Answer, Refusal>;
}

/// A subject within a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The namespace.
    pub namespace: Namespace,
    /// Its tokens: 1 to 16, no two alike.
    pub tokens: Vec<SubjectToken>,
}

/// May I?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// About whom.
    pub subject: Subject,
    /// For what.
    pub purpose: PurposeName,
    /// The service that asks.
    pub service: ServiceName,
    /// The schema version that the caller was built for, or 0.
    pub schema_version: u32,
    /// The revision that must have been reached, or 0.
    pub min_revision: Revision,
}

impl Check {
    fn need(&self) -> Need<'_> {
        let namespace = &self.subject.namespace;
        Need::within(Permission::Check, namespace, Touches::One(&self.purpose))
    }

    pub(super) fn decide(&self, state: &State, at: Millis) -> Result<Verdict, Refusal> {
        state.decide(&Question {
            namespace: &self.subject.namespace,
            tokens: &self.subject.tokens,
            purpose: &self.purpose,
            service: &self.service,
            schema_version: self.schema_version,
            min_revision: self.min_revision,
            at,
        })
    }
}

impl Admissible for Check {
    fn needs(&self) -> Needs<'_> {
        Needs::one(self.need())
    }

    fn schema_version(&self) -> u32 {
        self.schema_version
    }

    fn min_revision(&self) -> Revision {
        self.min_revision
    }
}

impl Query for Check {
    /// The check too, for those who name the answer.
    type Answer = (Self, Verdict);

    fn answer(self, state: &State, at: Millis) -> Result<Self::Answer, Refusal> {
        let verdict = self.decide(state, at)?;
        Ok((self, verdict))
    }
}

/// Many checks at one revision. Each has its own demands and its own refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checks(pub Vec<Check>);

/// What became of many checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// The checks and their verdicts, in the order of the questions.
    pub verdicts: Vec<(Check, Result<Verdict, Refusal>)>,
    /// The one revision.
    pub revision: Revision,
}

impl Admissible for Checks {
    fn needs(&self) -> Needs<'_> {
        let each = self.0.iter().map(Check::need);
        Needs::one(Need::anywhere(Permission::Check)).and(each)
    }
}

impl Query for Checks {
    type Answer = Decided;

    fn answer(self, state: &State, at: Millis) -> Result<Decided, Refusal> {
        let judge = |check: Check| {
            let verdict = check.decide(state, at);
            (check, verdict)
        };
        Ok(Decided {
            verdicts: self.0.into_iter().map(judge).collect(),
            revision: state.revision(),
        })
    }
}

/// What does a subject prefer?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetPreferences {
    /// Who.
    pub subject: Subject,
    /// The service that asks.
    pub service: ServiceName,
    /// The schema version that the caller was built for, or 0.
    pub schema_version: u32,
    /// The revision that must have been reached, or 0.
    pub min_revision: Revision,
}

impl Admissible for GetPreferences {
    fn needs(&self) -> Needs<'_> {
        // The answer tells of every purpose.
        let namespace = &self.subject.namespace;
        Needs::one(Need::within(Permission::Check, namespace, Touches::All))
    }

    fn schema_version(&self) -> u32 {
        self.schema_version
    }

    fn min_revision(&self) -> Revision {
        self.min_revision
    }
}

impl Query for GetPreferences {
    type Answer = Preferences;

    fn answer(self, state: &State, at: Millis) -> Result<Preferences, Refusal> {
        state.preferences(&Question {
            namespace: &self.subject.namespace,
            tokens: &self.subject.tokens,
            purpose: &PurposeName::root(),
            service: &self.service,
            schema_version: self.schema_version,
            min_revision: self.min_revision,
            at,
        })
    }
}

/// Where do the histories of a subject's tokens end?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heads {
    /// Who.
    pub subject: Subject,
    /// The schema version that the caller was built for, or 0.
    pub schema_version: u32,
    /// The revision that must have been reached, or 0.
    pub min_revision: Revision,
}

impl Admissible for Heads {
    fn needs(&self) -> Needs<'_> {
        let namespace = &self.subject.namespace;
        Needs::one(Need::within(Permission::Audit, namespace, Touches::All))
    }

    fn schema_version(&self) -> u32 {
        self.schema_version
    }

    fn min_revision(&self) -> Revision {
        self.min_revision
    }
}

impl Query for Heads {
    /// Each token with the revision of its last event, and the revision at which this holds.
    type Answer = (Vec<(Token, Revision)>, Revision);

    fn answer(self, state: &State, _at: Millis) -> Result<Self::Answer, Refusal> {
        let Subject { namespace, tokens } = self.subject;
        known(state, &namespace)?;
        state.check_schema(self.schema_version, &[])?;
        let heads = tokens
            .iter()
            .map(|subject| {
                (
                    subject.token,
                    state.last_revision(&namespace, &subject.token),
                )
            })
            .collect();
        Ok((heads, state.revision()))
    }
}

/// Is this a subject of a namespace that is known?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownSubject {
    /// Who.
    pub subject: Subject,
}

impl Admissible for KnownSubject {
    fn needs(&self) -> Needs<'_> {
        let namespace = &self.subject.namespace;
        Needs::one(Need::within(Permission::Check, namespace, Touches::Any))
    }
}

impl Query for KnownSubject {
    type Answer = Subject;

    fn answer(self, state: &State, _at: Millis) -> Result<Subject, Refusal> {
        known(state, &self.subject.namespace)?;
        Ok(self.subject)
    }
}

/// How far has an import come?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportProgress {
    /// Which.
    pub import_id: RequestId,
    /// In which namespace.
    pub namespace: Namespace,
}

impl Admissible for ImportProgress {
    fn needs(&self) -> Needs<'_> {
        Needs::one(Need::within(
            Permission::Import,
            &self.namespace,
            Touches::Any,
        ))
    }
}

impl Query for ImportProgress {
    /// The row to go on with.
    type Answer = u64;

    fn answer(self, state: &State, _at: Millis) -> Result<u64, Refusal> {
        known(state, &self.namespace)?;
        Ok(state.import_next_row(&self.namespace, &self.import_id))
    }
}

/// Which purposes are there?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListPurposes;

/// The purposes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purposes {
    /// By name, each with the schema floor that stands at it.
    pub purposes: Vec<(Purpose, u32)>,
    /// The registry's schema version.
    pub schema_version: u32,
    /// The schema floor of the whole cluster.
    pub schema_floor: u32,
    /// The revision at which this holds.
    pub revision: Revision,
}

impl Admissible for ListPurposes {
    fn needs(&self) -> Needs<'_> {
        Needs::one(Need::anywhere(Permission::Check))
    }
}

impl Query for ListPurposes {
    type Answer = Purposes;

    fn answer(self, state: &State, _at: Millis) -> Result<Purposes, Refusal> {
        Ok(Purposes {
            purposes: state
                .registry()
                .purposes()
                .map(|it| (it.clone(), state.schema_floor(Some(&it.name))))
                .collect(),
            schema_version: state.registry().schema_version(),
            schema_floor: state.schema_floor(None),
            revision: state.revision(),
        })
    }
}

/// Which namespaces are there?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListNamespaces;

/// The namespaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespaces {
    /// Sorted, each with what Global Privacy Control opts out of in it.
    pub namespaces: Vec<(Namespace, Vec<PurposeName>)>,
    /// The revision at which this holds.
    pub revision: Revision,
}

impl Admissible for ListNamespaces {
    fn needs(&self) -> Needs<'_> {
        // It tells of every tenant.
        Needs::one(Need {
            namespace: Touches::All,
            ..Need::anywhere(Permission::Check)
        })
    }
}

impl Query for ListNamespaces {
    type Answer = Namespaces;

    fn answer(self, state: &State, _at: Millis) -> Result<Namespaces, Refusal> {
        let of = |name: &Namespace| Ok((name.clone(), state.gpc_purposes(name)?));
        Ok(Namespaces {
            namespaces: state.namespaces().map(of).collect::<Result<_, Refusal>>()?,
            revision: state.revision(),
        })
    }
}

pub(super) fn known(state: &State, namespace: &Namespace) -> Result<(), Refusal> {
    if state.namespaces().any(|known| known == namespace) {
        return Ok(());
    }
    let namespace = namespace.to_string();
    Err(Refusal::NamespaceUnknown { namespace })
}

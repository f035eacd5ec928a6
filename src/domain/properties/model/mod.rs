//! A naive model of the rules, written without a look at the state: it keeps every event, and answers by scanning.

mod anomalies;
mod evidence;
mod imports;
mod members;
mod purposes;
mod rules;
mod writes;

use crate::domain::*;

/// One change of one subject at one purpose.
struct Past {
    revision: Revision,
    namespace: Namespace,
    token: Token,
    purpose: String,
    change: Change,
    /// Whether a signal said it.
    signalled: bool,
    event_id: EventId,
    received_at: u64,
}

/// What the model remembers.
pub(super) struct Model {
    revision: Revision,
    changes: Vec<Past>,
    purposes: Vec<Purpose>,
    schema_version: u32,
    namespaces: Vec<Namespace>,
    log_time: u64,
    /// Every request that was ever taken, with what counts of it, and the answer; by id, as far as remembered.
    requests: Vec<(RequestId, (Principal, Body), Outcome)>,
    request_floor: Option<RequestId>,
    imports: Vec<(RequestId, u64)>,
    import_floor: Option<RequestId>,
    floors: Vec<(String, u32)>,
    gpc: Option<Vec<PurposeName>>,
    pending: Vec<Waiting>,
    overrides: Vec<Lifting>,
    watch: anomalies::Watch,
    proven: Vec<evidence::Proven>,
    /// What was said of each node: its address and whether it votes, or nothing once it was taken out.
    members: Vec<(u64, Option<(PeerAddress, bool)>)>,
}

/// A change that was proposed.
#[derive(Clone)]
struct Waiting {
    id: EventId,
    propose: Propose,
    by: Principal,
    since: u64,
    /// What stood where it is to be made, in words.
    stood: String,
}

/// An override that was approved.
struct Lifting {
    id: EventId,
    terms: OverrideTerms,
    revoked_at: Option<u64>,
}

type Answer = Result<Outcome, &'static str>;

/// What is decided: the decision, the reason, the event, and the override.
pub(super) type Decided = (Decision, Reason, Option<EventId>, Option<EventId>);

/// What is told of a subject: how each purpose is decided, and what stands, by token, purpose and whether a signal said it.
pub(super) type Told = (
    Vec<(String, Decision, Reason, Option<EventId>)>,
    Vec<(Token, String, bool, Change, EventId)>,
);

/// Whether `purpose` is `above` or lies beneath it.
fn covered(purpose: &str, above: &str) -> bool {
    above == "*" || purpose == above || purpose.starts_with(&format!("{above}."))
}

fn depth(purpose: &str) -> usize {
    if purpose == "*" {
        0
    } else {
        purpose.split('.').count()
    }
}

impl Model {
    /// A cluster with what ships.
    pub(super) fn new() -> Self {
        let mut purposes = default_purposes();
        for purpose in &mut purposes {
            purpose.schema_version = 1;
        }
        Self {
            revision: 1,
            changes: Vec::new(),
            purposes,
            schema_version: 1,
            namespaces: vec![Namespace::default_namespace()],
            log_time: fixtures::START,
            requests: Vec::new(),
            request_floor: None,
            imports: Vec::new(),
            import_floor: None,
            floors: Vec::new(),
            gpc: None,
            pending: Vec::new(),
            overrides: Vec::new(),
            watch: anomalies::Watch::default(),
            proven: Vec::new(),
            members: Vec::new(),
        }
    }

    fn purpose(&self, name: &str) -> Option<&Purpose> {
        self.purposes
            .iter()
            .find(|purpose| purpose.name.as_str() == name)
    }

    fn of<'a>(
        &'a self,
        namespace: &Namespace,
        token: Token,
    ) -> impl DoubleEndedIterator<Item = &'a Past> {
        let namespace = namespace.clone();
        self.changes
            .iter()
            .filter(move |c| c.namespace == namespace && c.token == token)
    }

    /// An opt-out at q covers its subtree, unless an opt-in came later at q or between q and the purpose.
    fn denying(&self, namespace: &Namespace, token: Token, purpose: &str) -> Option<&Past> {
        let on_path = |c: &&Past| covered(purpose, &c.purpose);
        let outs = self
            .of(namespace, token)
            .filter(on_path)
            .filter(|c| c.change == Change::OptOut);
        outs.filter(|out| {
            !self.of(namespace, token).filter(on_path).any(|c| {
                c.change == Change::OptIn
                    && c.revision > out.revision
                    && depth(&c.purpose) >= depth(&out.purpose)
            })
        })
        .max_by_key(|out| out.revision)
    }

    /// The checks that all questions about a subject share.
    fn admit(&self, asked: &Question<'_>) -> Result<(), &'static str> {
        if !self.namespaces.contains(asked.namespace) {
            return Err("NAMESPACE_UNKNOWN");
        }
        if asked.schema_version > self.schema_version {
            return Err("SCHEMA_UNKNOWN");
        }
        if asked.schema_version < self.floor("*") {
            return Err("SCHEMA_TOO_OLD");
        }
        Ok(())
    }

    /// What [`State::preferences`] should say: how every purpose is decided that the caller may know of, and what was said
    /// last, by token and purpose, the person's word and the signal's apart.
    pub(super) fn preferences(&self, asked: &Question<'_>) -> Result<Told, &'static str> {
        self.admit(asked)?;
        let mut names: Vec<&PurposeName> = self.purposes.iter().map(|p| &p.name).collect();
        names.sort_unstable();
        let decided = names.into_iter().filter_map(|purpose| {
            // What the person chose: no override lifts anything of that.
            let (decision, reason, event_id, _) =
                self.decided(&Question { purpose, ..*asked }, false).ok()?;
            Some((purpose.to_string(), decision, reason, event_id))
        });
        let mut records = Vec::new();
        for token in asked.tokens.iter().map(|t| t.token) {
            let said = || self.of(asked.namespace, token);
            let last = |c: &&Past| {
                let later = |other: &Past| {
                    other.purpose == c.purpose
                        && other.signalled == c.signalled
                        && other.revision > c.revision
                };
                !said().any(later)
            };
            let mut of_token: Vec<_> = said()
                .filter(last)
                .map(|c| (token, c.purpose.clone(), c.signalled, c.change, c.event_id))
                .collect();
            of_token.sort_unstable_by(|a, b| (&a.1, a.2).cmp(&(&b.1, b.2)));
            records.extend(of_token);
        }
        Ok((decided.collect(), records))
    }

    /// What [`State::decide`] should say.
    pub(super) fn decide(&self, asked: &Question<'_>) -> Result<Decided, &'static str> {
        self.decided(asked, true)
    }

    fn decided(&self, asked: &Question<'_>, lifts: bool) -> Result<Decided, &'static str> {
        let Question {
            namespace,
            tokens,
            schema_version,
            ..
        } = *asked;
        let purpose = asked.purpose.as_str();
        self.admit(asked)?;
        let registered = self.purpose(purpose).ok_or("PURPOSE_UNKNOWN")?;
        let needed = self.floors.iter().filter(|(at, _)| covered(purpose, at));
        if needed.map(|(_, version)| *version).max() > Some(schema_version) {
            return Err("SCHEMA_TOO_OLD");
        }
        if registered.essential {
            return Ok((Decision::Allow, Reason::Essential, None, None));
        }
        // A subject whose opt-out is lifted counts as one who said nothing.
        let (lifted, others): (Vec<&SubjectToken>, Vec<&SubjectToken>) =
            tokens.iter().partition(|t| {
                lifts
                    && self.denying(namespace, t.token, purpose).is_some()
                    && self.lifting(asked, t.token, purpose).is_some()
            });
        let denying = others
            .iter()
            .filter_map(|t| self.denying(namespace, t.token, purpose));
        if let Some(out) = denying.max_by_key(|out| out.revision) {
            return Ok((Decision::Deny, Reason::OptedOut, Some(out.event_id), None));
        }
        // Nothing denies: each opt-in on the path stands.
        let opt_in = |token: Token| {
            let on_path = self
                .of(namespace, token)
                .filter(|c| covered(purpose, &c.purpose));
            on_path
                .filter(|c| c.change == Change::OptIn)
                .max_by_key(|c| c.revision)
        };
        let opt_ins: Vec<_> = others.iter().map(|t| opt_in(t.token)).collect();
        let said_nothing = !lifted.is_empty() || opt_ins.iter().any(Option::is_none);
        if registered.default_deny && said_nothing {
            return Ok((Decision::Deny, Reason::DefaultDeny, None, None));
        }
        if let Some(first) = lifted.first() {
            let by = self.lifting(asked, first.token, purpose);
            return Ok((Decision::Allow, Reason::Overridden, None, by));
        }
        match opt_ins.into_iter().flatten().max_by_key(|c| c.revision) {
            Some(lifted) => Ok((
                Decision::Allow,
                Reason::OptedIn,
                Some(lifted.event_id),
                None,
            )),
            None => Ok((Decision::Allow, Reason::DefaultAllow, None, None)),
        }
    }

    /// How many events there have been.
    pub(super) fn revision(&self) -> Revision {
        self.revision
    }
}

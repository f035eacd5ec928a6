//! What the tests of the domain share: names made from numbers, and a cluster that is driven one command at a time.

use super::*;

/// The time at which every cluster of the tests begins.
pub(super) const START: u64 = 1_700_000_000_000;

/// A day, in milliseconds.
pub(super) const DAY: u64 = 86_400_000;

pub(super) fn subject(n: u8) -> SubjectToken {
    SubjectToken {
        identifier_type: IdentifierType::parse("email").unwrap(),
        token: Token {
            generation: 1,
            bytes: [n; 16],
        },
    }
}

pub(super) fn subjects(numbers: &[u8]) -> Vec<SubjectToken> {
    numbers.iter().map(|n| subject(*n)).collect()
}

pub(super) fn name(text: &str) -> PurposeName {
    PurposeName::parse(text).unwrap()
}

pub(super) fn names(texts: &[&str]) -> Vec<PurposeName> {
    texts.iter().map(|text| name(text)).collect()
}

pub(super) fn purpose(text: &str) -> Purpose {
    Purpose {
        name: name(text),
        description: String::new(),
        default_deny: false,
        essential: false,
        schema_version: 0,
    }
}

pub(super) fn principal() -> Principal {
    Principal::parse("tester").unwrap()
}

pub(super) fn evidence(statement: &str) -> SealedEvidence {
    let evidence = Evidence {
        statement: statement.to_owned(),
        ..Evidence::default()
    };
    let key = SealingKey::new(&[1; 32]);
    key.seal(&evidence, &[2; SEALING_RANDOM_BYTES]).unwrap()
}

pub(super) fn request_id(at: u64, n: u64) -> RequestId {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&n.to_be_bytes());
    RequestId::new(Millis(at), random)
}

pub(super) fn creation() -> Body {
    Body::Create(Create::new([7; 16], KeyFingerprint([8; 16])))
}

/// A cluster: its state, its clock, and every event that it made.
#[derive(Clone)]
pub(super) struct Driven {
    pub(super) state: State,
    pub(super) now: u64,
    pub(super) events: Vec<Event>,
    commands: u64,
}

impl Driven {
    /// Before the first command.
    pub(super) fn empty() -> Self {
        Self {
            state: State::default(),
            now: START,
            events: Vec::new(),
            commands: 0,
        }
    }

    /// Just created.
    pub(super) fn new() -> Self {
        let mut driven = Self::empty();
        driven.send(creation()).unwrap();
        driven
    }

    pub(super) fn next_request_id(&mut self) -> RequestId {
        self.commands += 1;
        request_id(self.now, self.commands)
    }

    pub(super) fn command(&mut self, body: Body) -> Command {
        self.commands += 1;
        let mut random = [0; 10];
        random[2..].copy_from_slice(&self.commands.to_be_bytes());
        Proposal {
            principal: principal(),
            body,
        }
        .into_command(Millis(self.now), EventId::new(Millis(self.now), random))
    }

    pub(super) fn apply(&mut self, command: &Command) -> Reply {
        let applied = self.state.apply(command);
        self.events
            .extend(applied.events.into_iter().map(|(event, _)| event));
        applied.reply
    }

    pub(super) fn send(&mut self, body: Body) -> Reply {
        let command = self.command(body);
        self.apply(&command)
    }

    pub(super) fn preference(
        &mut self,
        change: Change,
        numbers: &[u8],
        purposes: &[&str],
    ) -> SetPreference {
        SetPreference {
            request_id: self.next_request_id(),
            namespace: Namespace::default_namespace(),
            tokens: subjects(numbers),
            purposes: names(purposes),
            change,
            signal: Signal::User,
            schema_version: 0,
            min_revision: 0,
            evidence: (change == Change::OptIn).then(|| evidence("ticked the box")),
        }
    }

    pub(super) fn set(&mut self, change: Change, numbers: &[u8], purposes: &[&str]) -> Reply {
        let set = self.preference(change, numbers, purposes);
        self.send(Body::SetPreference(set))
    }

    pub(super) fn opt_out(&mut self, numbers: &[u8], purposes: &[&str]) -> Reply {
        self.set(Change::OptOut, numbers, purposes)
    }

    pub(super) fn opt_in(&mut self, numbers: &[u8], purposes: &[&str]) -> Reply {
        self.set(Change::OptIn, numbers, purposes)
    }

    pub(super) fn put(&mut self, purpose: Purpose) -> Reply {
        let request_id = self.next_request_id();
        self.send(Body::PutPurpose(PutPurpose {
            request_id,
            purpose,
        }))
    }

    pub(super) fn add_namespace(&mut self, text: &str) -> Reply {
        let request_id = self.next_request_id();
        self.send(Body::AddNamespace(AddNamespace {
            request_id,
            namespace: Namespace::parse(text).unwrap(),
        }))
    }

    pub(super) fn verdict(&self, numbers: &[u8], purpose: &str) -> Verdict {
        let tokens = subjects(numbers);
        self.state
            .decide(
                &Namespace::default_namespace(),
                &tokens,
                &name(purpose),
                0,
                0,
            )
            .unwrap()
    }

    pub(super) fn reason(&self, numbers: &[u8], purpose: &str) -> Reason {
        self.verdict(numbers, purpose).reason
    }
}

/// The event id, revision and `changed` of a preference's outcome.
pub(super) fn told(reply: &Reply) -> (EventId, Revision, bool) {
    match reply {
        Ok(Outcome::Preference {
            event_id,
            revision,
            changed,
            ..
        }) => (*event_id, *revision, *changed),
        other => panic!("no preference: {other:?}"),
    }
}

/// The stable reason of a refusal.
pub(super) fn refused(reply: &Reply) -> &'static str {
    match reply {
        Err(refusal) => refusal.reason(),
        Ok(outcome) => panic!("not refused: {outcome:?}"),
    }
}

//! What the tests of the domain share: names made from numbers, and a cluster that is driven one command at a time.

use super::*;

/// The time at which every cluster of the tests begins.
pub(crate) const START: u64 = 1_700_000_000_000;

/// A day, in milliseconds.
pub(crate) const DAY: u64 = 86_400_000;

pub(crate) fn subject(n: u8) -> SubjectToken {
    SubjectToken {
        identifier_type: IdentifierType::parse("email").unwrap(),
        token: Token {
            generation: 1,
            bytes: [n; 16],
        },
    }
}

pub(crate) fn subjects(numbers: &[u8]) -> Vec<SubjectToken> {
    numbers.iter().map(|n| subject(*n)).collect()
}

pub(crate) fn name(text: &str) -> PurposeName {
    PurposeName::parse(text).unwrap()
}

pub(crate) fn names(texts: &[&str]) -> Vec<PurposeName> {
    texts.iter().map(|text| name(text)).collect()
}

pub(crate) fn purpose(text: &str) -> Purpose {
    Purpose {
        name: name(text),
        description: String::new(),
        default_deny: false,
        essential: false,
        schema_version: 0,
    }
}

pub(crate) fn principal() -> Principal {
    Principal::parse("tester").unwrap()
}

pub(crate) fn evidence(statement: &str) -> SealedEvidence {
    let evidence = Evidence {
        statement: statement.to_owned(),
        ..Evidence::default()
    };
    sealer()
        .seal(&evidence, &[2; SEALING_RANDOM_BYTES])
        .unwrap()
}

/// What [`evidence`] is sealed by.
pub(crate) fn sealer() -> Sealer {
    SealingKey::new(&[1; 32]).sealer(0xFEED, &[3; 32])
}

pub(crate) fn request_id(at: u64, n: u64) -> RequestId {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&n.to_be_bytes());
    RequestId::new(Millis(at), random)
}

pub(crate) fn creation() -> Body {
    Body::Create(Create::new([7; 16], KeyFingerprint([8; 16])))
}

/// What became of a node.
pub(crate) fn membership(node_id: u64, became: Became) -> RecordMembership {
    RecordMembership {
        node_id,
        peer_address: PeerAddress::of(&format!("node-{node_id}:7401")),
        became,
    }
}

/// A cluster: its state, its clock, and every event that it made.
#[derive(Clone)]
pub(crate) struct Driven {
    pub(crate) state: State,
    pub(crate) now: u64,
    pub(crate) events: Vec<Event>,
    pub(crate) commands: u64,
}

impl Driven {
    /// Before the first command.
    pub(crate) fn empty() -> Self {
        Self {
            state: State::default(),
            now: START,
            events: Vec::new(),
            commands: 0,
        }
    }

    /// Just created.
    pub(crate) fn new() -> Self {
        let mut driven = Self::empty();
        driven.send(creation()).unwrap();
        driven
    }

    /// How many ids were made so far.
    pub(crate) fn commands(&self) -> u64 {
        self.commands
    }

    pub(crate) fn next_request_id(&mut self) -> RequestId {
        self.commands += 1;
        request_id(self.now, self.commands)
    }

    pub(crate) fn command(&mut self, body: Body) -> Command {
        self.commands += 1;
        let mut random = [0; 10];
        random[2..].copy_from_slice(&self.commands.to_be_bytes());
        Proposal {
            principal: principal(),
            body,
        }
        .into_command(Millis(self.now), EventId::new(Millis(self.now), random))
    }

    pub(crate) fn apply(&mut self, command: &Command) -> Reply {
        let applied = self.state.apply(command);
        self.events
            .extend(applied.events.into_iter().map(|(event, _)| event));
        applied.reply
    }

    pub(crate) fn send(&mut self, body: Body) -> Reply {
        let command = self.command(body);
        self.apply(&command)
    }

    pub(crate) fn preference(
        &mut self,
        change: Change,
        numbers: &[u8],
        purposes: &[&str],
    ) -> SetPreference {
        let (opt_out, opt_in) = match change {
            Change::OptOut => (names(purposes), Vec::new()),
            Change::OptIn => (Vec::new(), names(purposes)),
        };
        SetPreference {
            request_id: self.next_request_id(),
            namespace: Namespace::default_namespace(),
            tokens: subjects(numbers),
            opt_out,
            opt_in,
            signal: Signal::User,
            schema_version: 0,
            min_revision: 0,
            if_last_revision: None,
            evidence: (change == Change::OptIn).then(|| evidence("ticked the box")),
            service: ServiceName::none(),
        }
    }

    pub(crate) fn set(&mut self, change: Change, numbers: &[u8], purposes: &[&str]) -> Reply {
        let set = self.preference(change, numbers, purposes);
        self.send(Body::SetPreference(set))
    }

    pub(crate) fn opt_out(&mut self, numbers: &[u8], purposes: &[&str]) -> Reply {
        self.set(Change::OptOut, numbers, purposes)
    }

    pub(crate) fn opt_in(&mut self, numbers: &[u8], purposes: &[&str]) -> Reply {
        self.set(Change::OptIn, numbers, purposes)
    }

    pub(crate) fn put(&mut self, purpose: Purpose) -> Reply {
        let request_id = self.next_request_id();
        self.send(Body::PutPurpose(PutPurpose {
            request_id,
            purpose,
        }))
    }

    pub(crate) fn add_namespace(&mut self, text: &str) -> Reply {
        let request_id = self.next_request_id();
        self.send(Body::AddNamespace(AddNamespace {
            request_id,
            namespace: Namespace::parse(text).unwrap(),
        }))
    }

    /// Opts out of some purposes and in to others at once.
    pub(crate) fn both(&mut self, numbers: &[u8], out: &[&str], into: &[&str]) -> Reply {
        let mut set = self.preference(Change::OptIn, numbers, into);
        set.opt_out = names(out);
        self.send(Body::SetPreference(set))
    }

    /// Global Privacy Control arrives.
    pub(crate) fn gpc(&mut self, numbers: &[u8]) -> Reply {
        let request_id = self.next_request_id();
        self.send(Body::ReportSignal(ReportSignal {
            request_id,
            namespace: Namespace::default_namespace(),
            tokens: subjects(numbers),
            signal: Signal::Gpc,
            schema_version: 0,
            service: ServiceName::none(),
        }))
    }

    /// As another principal than usual.
    pub(crate) fn send_as(&mut self, who: &str, body: Body) -> Reply {
        let mut command = self.command(body);
        command.principal = Principal::parse(who).unwrap();
        self.apply(&command)
    }

    pub(crate) fn propose(&mut self, who: &str, change: ProposedChange) -> Reply {
        let request_id = self.next_request_id();
        let body = Body::Propose(Propose {
            request_id,
            change,
            max_minutes: 60,
            credential: None,
        });
        self.send_as(who, body)
    }

    pub(crate) fn approve(&mut self, who: &str, change_id: EventId, kind: ChangeKind) -> Reply {
        let request_id = self.next_request_id();
        let body = Body::Approve(Approve {
            request_id,
            change_id,
            kind,
            max_minutes: None,
            credential: None,
        });
        self.send_as(who, body)
    }

    pub(crate) fn withdraw(&mut self, who: &str, change_id: EventId, kind: ChangeKind) -> Reply {
        let request_id = self.next_request_id();
        let body = Body::Withdraw(Withdraw {
            request_id,
            change_id,
            kind,
        });
        self.send_as(who, body)
    }

    /// What the shop asks, at the log's time.
    pub(crate) fn decide(&self, numbers: &[u8], purpose: &str) -> Result<Verdict, Refusal> {
        decide(&self.state, "default", &subjects(numbers), purpose)
    }

    pub(crate) fn verdict(&self, numbers: &[u8], purpose: &str) -> Verdict {
        self.decide(numbers, purpose).unwrap()
    }

    pub(crate) fn reason(&self, numbers: &[u8], purpose: &str) -> Reason {
        self.verdict(numbers, purpose).reason
    }
}

/// Sets what a request changes, whichever way it does.
pub(crate) fn set_purposes(set: &mut SetPreference, purposes: Vec<PurposeName>) {
    if set.opt_in.is_empty() {
        set.opt_out = purposes;
    } else {
        set.opt_in = purposes;
    }
}

/// What a state says to the service `shop`, at the log's time.
pub(crate) fn decide(
    state: &State,
    namespace: &str,
    tokens: &[SubjectToken],
    purpose: &str,
) -> Result<Verdict, Refusal> {
    state.decide(&Question {
        namespace: &Namespace::parse(namespace).unwrap(),
        tokens,
        purpose: &name(purpose),
        service: &service("shop"),
        schema_version: 0,
        min_revision: 0,
        at: state.log_time(),
    })
}

pub(crate) fn service(text: &str) -> ServiceName {
    ServiceName::parse(text).unwrap()
}

/// The terms of an override for `shop`, which ends after `minutes`.
pub(crate) fn terms(now: u64, minutes: u64, purposes: &[&str]) -> OverrideTerms {
    OverrideTerms {
        namespace: Namespace::default_namespace(),
        purposes: names(purposes),
        services: vec![service("shop")],
        subject: None,
        reason: "A recall.".to_owned(),
        expires_at: Millis(now + minutes * 60_000),
    }
}

/// The event of an outcome that concerns the registry or an override.
pub(crate) fn made(reply: &Reply) -> EventId {
    match reply {
        Ok(Outcome::Registry {
            event_id: Some(id), ..
        }) => *id,
        other => panic!("no change: {other:?}"),
    }
}

/// The event id, revision and `changed` of a preference's outcome.
pub(crate) fn told(reply: &Reply) -> (EventId, Revision, bool) {
    match reply {
        Ok(
            Outcome::Preference {
                event_id,
                revision,
                changed,
                ..
            }
            | Outcome::Signal {
                event_id,
                revision,
                changed,
                ..
            },
        ) => (*event_id, *revision, *changed),
        other => panic!("no preference: {other:?}"),
    }
}

/// The stable reason of a refusal.
pub(crate) fn refused(reply: &Reply) -> &'static str {
    match reply {
        Err(refusal) => refusal.reason(),
        Ok(outcome) => panic!("not refused: {outcome:?}"),
    }
}

/// What counts as out of the ordinary, where little is enough: so many of each.
pub(crate) fn thresholds(enough: u32) -> AnomalySettings {
    AnomalySettings {
        subject_changes: enough,
        subject_turns: enough,
        caller_changes: enough,
        repeats: enough,
        import_factor: enough,
        import_rows: 2,
        ..AnomalySettings::default()
    }
}

/// A report of one violation, after an opt-out.
pub(crate) fn violation_report(node_id: u64, number: u64) -> ReportViolations {
    ReportViolations {
        node_id,
        start: 7,
        number,
        judged: vec![(ServiceName::parse("mailer").unwrap(), 10)],
        found: vec![Violations {
            namespace: Namespace::default_namespace(),
            service: ServiceName::parse("mailer").unwrap(),
            purpose: name("sale"),
            kind: ViolationKind::AfterOptOut,
            count: 3,
            first_at: Millis(START + 10),
            last_at: Millis(START + 20),
            samples: vec![Sample {
                token: subject(1),
                at: Millis(START + 10),
                opt_out: Some(EventId::new(Millis(START), [3; 10])),
            }],
            reported_by: Principal::parse("reporter").unwrap(),
        }],
    }
}

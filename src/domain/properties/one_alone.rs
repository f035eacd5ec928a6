//! No command of one principal alone makes an ALLOW of a DENY, but an opt-in with evidence; whatever the command is.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::player::Player;
use super::script::{NAMESPACES, PURPOSES, SUBJECTS, scripts};
use crate::domain::fixtures::*;
use crate::domain::*;
use crate::limits;

/// What a command of one principal may open.
enum Opens<'a> {
    Nothing,
    /// What it opts in to, for its subject.
    OptIn(&'a SetPreference),
    /// What another principal proposed.
    OfTwo,
}

/// Every kind of command stands here: a new one does not compile until it is said what it may open.
fn opens<'a>(command: &'a Command, before: &State) -> Opens<'a> {
    match &command.body {
        Body::SetPreference(set) if !set.opt_in.is_empty() && set.evidence.is_some() => {
            Opens::OptIn(set)
        }
        Body::Approve(approve) => {
            let mut pending = before.pending_changes(Millis(0));
            let proposed = pending.find(|it| it.id == approve.change_id);
            let another = proposed.is_some_and(|it| {
                let first = it.basis.as_ref().map(|basis| basis.credential);
                let same = first.is_some() && first == approve.credential;
                it.proposed_by != command.principal && !same
            });
            if another {
                Opens::OfTwo
            } else {
                Opens::Nothing
            }
        }
        Body::SetPreference(_)
        | Body::Create(_)
        | Body::ReportSignal(_)
        | Body::ImportChunk(_)
        | Body::PutPurpose(_)
        | Body::AddNamespace(_)
        | Body::ConfigureNamespace(_)
        | Body::SetSchemaFloor(_)
        | Body::Propose(_)
        | Body::Withdraw(_)
        | Body::AddStampKey(_)
        | Body::RetireStampKeys(_)
        | Body::AddJournalKey(_)
        | Body::RetireJournalKey(_)
        | Body::RecordMembership(_)
        | Body::ReportViolations(_)
        | Body::ConfigureAnomalies(_)
        | Body::EraseEvidence(_)
        | Body::RewrapEvidence(_)
        | Body::RotateWrappingKey(_)
        | Body::ReportUsage(_)
        | Body::RaiseFeatureLevel(_) => Opens::Nothing,
    }
}

/// Who is asked about, for what, by whom.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Asked {
    namespace: Namespace,
    /// By number; [`SIGNALLED`] is somebody whose browser has just sent Global Privacy Control.
    subjects: Vec<u8>,
    purpose: &'static str,
    service: &'static str,
    schema_version: u32,
}

/// Somebody who has said nothing but by Global Privacy Control.
const SIGNALLED: u8 = 200;

/// Whether each is allowed. A namespace that is not there counts as one in which nobody has said anything, since that is what
/// adding it makes of it; a purpose that is not there counts as what lies above it.
fn allowed(state: &State, versions: [u32; 2], at: Millis) -> BTreeMap<Asked, bool> {
    let mut driven = Driven {
        state: state.clone(),
        now: at.0,
        ..Driven::empty()
    };
    // What is asked besides must not be turned away for want of room.
    driven.state.size_tables(limits::REQUESTS, limits::IMPORTS);
    let namespaces = NAMESPACES.map(|text| Namespace::parse(text).unwrap());
    for (number, namespace) in (0_u8..).zip(&namespaces) {
        let command = |driven: &mut Driven, body| Command {
            event_id: EventId::new(at, [0xFF, number, 0, 0, 0, 0, 0, 0, 0, 0]),
            ..driven.command(body)
        };
        let add = Body::AddNamespace(AddNamespace {
            request_id: request_id(at.0, u64::MAX - 2 * u64::from(number)),
            namespace: namespace.clone(),
        });
        let add = command(&mut driven, add);
        driven.apply(&add).unwrap();
        let signal = Body::ReportSignal(ReportSignal {
            request_id: request_id(at.0, u64::MAX - 2 * u64::from(number) - 1),
            namespace: namespace.clone(),
            tokens: subjects(&[SIGNALLED]),
            signal: Signal::Gpc,
            schema_version: 0,
            service: ServiceName::none(),
        });
        let signal = command(&mut driven, signal);
        // Where all that it opted out of has become essential, it is refused.
        let _ = driven.apply(&signal);
    }
    let mut all = BTreeMap::new();
    let whom = (0..SUBJECTS).map(|n| vec![n]);
    let whom: Vec<_> = whom.chain([vec![0, 1], vec![SIGNALLED]]).collect();
    for namespace in namespaces {
        for subjects in &whom {
            for purpose in PURPOSES.into_iter().filter(|purpose| *purpose != "*") {
                for (service, schema_version) in [
                    ("shop", versions[0]),
                    ("shop", versions[1]),
                    ("", versions[1]),
                ] {
                    let asked = Asked {
                        namespace: namespace.clone(),
                        subjects: subjects.clone(),
                        purpose,
                        service,
                        schema_version,
                    };
                    let allowed = allows(&driven.state, &asked, at);
                    all.insert(asked, allowed);
                }
            }
        }
    }
    all
}

fn allows(state: &State, asked: &Asked, at: Millis) -> bool {
    let tokens = subjects(&asked.subjects);
    let mut purpose = asked.purpose;
    let question = Question {
        namespace: &asked.namespace,
        tokens: &tokens,
        purpose: &PurposeName::root(),
        service: &service(asked.service),
        schema_version: asked.schema_version,
        min_revision: 0,
        at,
    };
    while state.registry().get(&name(purpose)).is_none() {
        let Some((above, _)) = purpose.rsplit_once('.') else {
            return !out_of_everything(state, &question);
        };
        purpose = above;
    }
    let question = Question {
        purpose: &name(purpose),
        ..question
    };
    state
        .decide(&question)
        .is_ok_and(|it| it.decision == Decision::Allow)
}

/// Whether somebody is denied whatever may yet be registered: opted out at `*`, and not in again since; or not told anything.
fn out_of_everything(state: &State, question: &Question<'_>) -> bool {
    let Ok(found) = state.preferences(question) else {
        return true;
    };
    let at_root = |change, of: &SubjectToken| {
        let records = found.records.iter().filter(move |it| it.purpose.is_root());
        let of_it = records.filter(|it| it.change == change && it.subject == *of);
        of_it.map(|it| it.revision).max()
    };
    let mut tokens = question.tokens.iter();
    tokens.any(|of| at_root(Change::OptOut, of) > at_root(Change::OptIn, of))
}

/// A state, and whether each was allowed in it, at a time.
struct Before<'a>(&'a State, BTreeMap<Asked, bool>, Millis);

/// Who was built for a registry that is not there yet is told to wait for it, and not that somebody opted out.
fn versions(before: &State) -> [u32; 2] {
    [0, before.registry().schema_version()]
}

impl<'a> Before<'a> {
    fn new(state: &'a State, at: Millis) -> Self {
        Self(state, allowed(state, versions(state), at), at)
    }
}

/// Holds that nothing which was denied before a command is allowed after it, but what the command may open.
fn hold(
    Before(before, was, at): &Before<'_>,
    after: &State,
    command: &Command,
) -> Result<(), TestCaseError> {
    let is = allowed(after, versions(before), *at);
    let opened = is.iter().filter(|(asked, now)| **now && !was[*asked]);
    match opens(command, before) {
        Opens::OfTwo => {}
        Opens::Nothing => {
            let opened: Vec<_> = opened.map(|(asked, _)| asked).collect();
            prop_assert!(opened.is_empty(), "{:?} opened {:?}", command, opened);
        }
        Opens::OptIn(set) => {
            for (asked, _) in opened {
                let tokens = subjects(&asked.subjects);
                let theirs = tokens.iter().any(|it| set.tokens.contains(it));
                let covers = |it: &PurposeName| name(asked.purpose).is_within(it);
                let named = set.opt_in.iter().any(covers);
                prop_assert!(
                    theirs && named && set.namespace == asked.namespace,
                    "{:?} opened {:?}",
                    command,
                    asked
                );
            }
        }
    }
    Ok(())
}

/// What one principal can ask for besides, and the cluster by itself: all of it, in a small world.
fn others(driven: &mut Driven) -> Vec<Body> {
    let mut id = || driven.next_request_id();
    let mut bodies = vec![
        creation(),
        Body::AddStampKey(AddStampKey {
            node_id: 1,
            public_key: [1; 32],
        }),
        Body::RetireStampKeys(RetireStampKeys { node_id: 1 }),
        Body::AddJournalKey(AddJournalKey {
            node_id: 1,
            public_key: [1; 32],
        }),
        Body::RetireJournalKey(RetireJournalKey { node_id: 1 }),
        Body::RecordMembership(membership(2, Became::Voter)),
        Body::RecordMembership(membership(2, Became::Removed { forced: true })),
        Body::ReportViolations(violation_report(1, 1)),
        Body::ConfigureAnomalies(ConfigureAnomalies {
            request_id: id(),
            settings: thresholds(2),
        }),
        Body::EraseEvidence(EraseEvidence {
            request_id: id(),
            namespace: Namespace::default_namespace(),
            tokens: vec![subject(0), subject(SIGNALLED)],
        }),
        Body::RotateWrappingKey(RotateWrappingKey {
            node_id: 1,
            since: 1,
            retired: vec![sealer().id()],
            given_up: vec![1, 2],
        }),
        Body::RaiseFeatureLevel(RaiseFeatureLevel {
            level: FEATURE_LEVEL,
        }),
        Body::SetSchemaFloor(SetSchemaFloor {
            request_id: id(),
            floor: SchemaFloor {
                purpose: None,
                version: 0,
            },
        }),
    ];
    for text in PURPOSES {
        for (default_deny, essential) in
            [(true, true), (true, false), (false, true), (false, false)]
        {
            bodies.push(Body::PutPurpose(PutPurpose {
                request_id: id(),
                purpose: Purpose {
                    default_deny,
                    essential,
                    ..purpose(text)
                },
            }));
        }
        for version in 0..3 {
            bodies.push(Body::SetSchemaFloor(SetSchemaFloor {
                request_id: id(),
                floor: SchemaFloor {
                    purpose: Some(name(text)),
                    version,
                },
            }));
        }
        for namespace in NAMESPACES {
            bodies.push(Body::ConfigureNamespace(ConfigureNamespace {
                request_id: id(),
                namespace: Namespace::parse(namespace).unwrap(),
                gpc_purposes: vec![name(text)],
            }));
        }
    }
    bodies
}

proptest! {
    // Each step asks some hundred questions twice.
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 16))]

    #[test]
    fn no_command_of_one_principal_opens_what_was_denied(script in scripts()) {
        let mut player = Player::new();
        for step in &script {
            let Some(command) = player.command(step) else { continue };
            let before = player.driven.state.clone();
            let _ = player.driven.apply(&command);
            let after = &player.driven.state;
            // Refused, or a repeat of what stands: only time has passed, and that lifts nothing.
            if after.hash() != before.hash() {
                hold(&Before::new(&before, after.log_time()), after, &command)?;
            }
        }
        let end = player.driven;
        let before = Before::new(&end.state, end.state.judged_at(Millis(end.now)));
        for body in others(&mut end.clone()) {
            let mut driven = end.clone();
            let command = driven.command(body);
            let _ = driven.apply(&command);
            if driven.state.hash() != end.state.hash() {
                hold(&before, &driven.state, &command)?;
            }
        }
    }
}

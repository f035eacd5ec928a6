//! Who are the two principals that a change takes, and how far what they make may reach.

use crate::domain::fixtures::*;
use crate::domain::*;

const MINUTE: u64 = 60_000;

fn lifting(now: u64, minutes: u64) -> ProposedChange {
    ProposedChange::Override(terms(now, minutes, &["marketing"]))
}

#[test]
fn who_has_not_proven_who_it_is_is_neither_of_the_two() {
    let mut driven = Driven::new();
    for unproven in ["local", "anonymous", "link", "cluster"] {
        for (first, second) in [(unproven, "bob"), ("ann", unproven)] {
            let open = ProposedChange::Purpose(purpose("ai_training"));
            for change in [lifting(driven.now, 30), open] {
                let kind = change.kind();
                let id = made(&driven.propose(first, change));
                let reply = driven.approve(second, id, kind);
                assert_eq!(
                    refused(&reply),
                    "SECOND_PRINCIPAL_REQUIRED",
                    "{first}, {second}"
                );
                made(&driven.withdraw("ann", id, kind));
            }
        }
    }
}

/// Proposes a change, and has it approved, each under a name and with a credential, if it is known.
fn two(
    driven: &mut Driven,
    change: ProposedChange,
    first: (&str, Option<u8>),
    second: (&str, Option<u8>),
) -> Reply {
    let kind = change.kind();
    let credential = |of: Option<u8>| of.map(|byte| Credential([byte; 16]));
    let request_id = driven.next_request_id();
    let propose = Body::Propose(Propose {
        request_id,
        change,
        max_minutes: 60,
        credential: credential(first.1),
    });
    let change_id = made(&driven.send_as(first.0, propose));
    let request_id = driven.next_request_id();
    let approve = Body::Approve(Approve {
        request_id,
        change_id,
        kind,
        max_minutes: Some(90),
        credential: credential(second.1),
    });
    driven.send_as(second.0, approve)
}

#[test]
fn one_person_by_two_names_is_not_two() {
    for change in [
        lifting(fixtures::START, 30),
        ProposedChange::Purpose(purpose("ai_training")),
    ] {
        let alike = two(
            &mut Driven::new(),
            change.clone(),
            ("ann", Some(1)),
            ("bob", Some(1)),
        );
        assert_eq!(refused(&alike), "SECOND_PRINCIPAL_REQUIRED");
        // A second token makes nobody another one either.
        let alike = two(
            &mut Driven::new(),
            change.clone(),
            ("ann", Some(1)),
            ("ann", Some(2)),
        );
        assert_eq!(refused(&alike), "SECOND_PRINCIPAL_REQUIRED");
        for (first, second) in [(Some(1), Some(2)), (None, Some(1)), (Some(1), None)] {
            let reply = two(
                &mut Driven::new(),
                change.clone(),
                ("ann", first),
                ("bob", second),
            );
            made(&reply);
        }
    }
}

#[test]
fn the_maximum_of_the_proposal_holds_when_it_is_approved() {
    // The clock was ahead when it was proposed; the approver's node is set to more.
    let mut driven = Driven::new();
    driven.now += 30 * MINUTE;
    let change = lifting(driven.now, 60);
    let request_id = driven.next_request_id();
    let propose = Body::Propose(Propose {
        request_id,
        change,
        max_minutes: 60,
        credential: Some(Credential([1; 16])),
    });
    let id = made(&driven.send_as("ann", propose));
    driven.now -= 30 * MINUTE;
    let body = approval(&mut driven, id, 90);
    let reply = driven.send_as("bob", body);
    assert_eq!(refused(&reply), "OVERRIDE_EXPIRY_INVALID");
    // It comes through a snapshot.
    driven.state = State::from_chunks(driven.state.chunks().map(Ok::<_, ()>)).unwrap();
    let body = approval(&mut driven, id, 90);
    let reply = driven.send_as("bob", body);
    assert_eq!(refused(&reply), "OVERRIDE_EXPIRY_INVALID");
}

#[test]
fn an_expiry_is_required_and_bounded() {
    let mut driven = Driven::new();
    for minutes in [0, 61] {
        let reply = driven.propose("ann", lifting(driven.now, minutes));
        assert_eq!(refused(&reply), "OVERRIDE_EXPIRY_INVALID", "{minutes}");
    }
    // Whatever a node is set to, no more than 30 days.
    let request_id = driven.next_request_id();
    let propose = Body::Propose(Propose {
        request_id,
        change: lifting(driven.now, 31 * 24 * 60),
        max_minutes: u32::MAX,
        credential: None,
    });
    assert_eq!(refused(&driven.send(propose)), "OVERRIDE_EXPIRY_INVALID");
    // Over before it was approved.
    let id = made(&driven.propose("ann", lifting(driven.now, 1)));
    driven.now += MINUTE;
    let late = driven.approve("bob", id, ChangeKind::Override);
    assert_eq!(refused(&late), "OVERRIDE_EXPIRY_INVALID");
}

/// An approval through a node that is set to a maximum.
fn approval(driven: &mut Driven, change_id: EventId, max_minutes: u32) -> Body {
    Body::Approve(Approve {
        request_id: driven.next_request_id(),
        change_id,
        kind: ChangeKind::Override,
        max_minutes: Some(max_minutes),
        credential: None,
    })
}

#[test]
fn a_clock_that_leapt_ahead_stretches_no_maximum() {
    // A leader's clock leaps half an hour ahead, something is written, and the clock is mended: the log's time stands still.
    let leapt = || {
        let mut driven = Driven::new();
        driven.now += 30 * MINUTE;
        driven.opt_out(&[1], &["sale"]).unwrap();
        driven.now -= 30 * MINUTE;
        driven
    };
    let mut driven = leapt();
    let too_long = driven.propose("ann", lifting(driven.now, 61));
    assert_eq!(refused(&too_long), "OVERRIDE_EXPIRY_INVALID");
    made(&driven.propose("ann", lifting(driven.now, 60)));

    // It was proposed while the clock was ahead, and is approved when it is mended.
    let mut driven = Driven::new();
    driven.now += 30 * MINUTE;
    let id = made(&driven.propose("ann", lifting(driven.now, 60)));
    driven.now -= 30 * MINUTE;
    let body = approval(&mut driven, id, 60);
    let reply = driven.send_as("bob", body);
    assert_eq!(refused(&reply), "OVERRIDE_EXPIRY_INVALID");
    driven.now += 30 * MINUTE;
    let body = approval(&mut driven, id, 60);
    made(&driven.send_as("bob", body));
}

#[test]
fn the_approvers_node_bounds_an_override_too() {
    let mut driven = Driven::new();
    let id = made(&driven.propose("ann", lifting(driven.now, 60)));
    let body = approval(&mut driven, id, 59);
    let reply = driven.send_as("bob", body);
    assert_eq!(refused(&reply), "OVERRIDE_EXPIRY_INVALID");
    let body = approval(&mut driven, id, 60);
    made(&driven.send_as("bob", body));
}

#[test]
fn widening_the_registry_takes_two() {
    let mut driven = Driven::new();
    let open = purpose("ai_training");
    assert_eq!(refused(&driven.put(open.clone())), "WIDENS_ALLOW");
    let essential = Purpose {
        essential: true,
        ..purpose("newsletter")
    };
    assert_eq!(refused(&driven.put(essential)), "WIDENS_ALLOW");
    let narrow = Purpose {
        default_deny: true,
        ..purpose("sale")
    };
    let nothing = driven.propose("ann", ProposedChange::Purpose(narrow));
    assert_eq!(refused(&nothing), "CHANGE_WIDENS_NOTHING");

    assert_eq!(driven.reason(&[1], "ai_training"), Reason::DefaultDeny);
    let id = made(&driven.propose("ann", ProposedChange::Purpose(open)));
    let other = driven.approve("bob", id, ChangeKind::Override);
    assert_eq!(refused(&other), "CHANGE_UNKNOWN");
    made(&driven.approve("bob", id, ChangeKind::Registry));
    assert_eq!(driven.reason(&[1], "ai_training"), Reason::DefaultAllow);
    let event = driven.events.last().unwrap();
    assert_eq!(
        (event.kind, event.change_id),
        (EventKind::Purpose, Some(id))
    );
}

/// What happens between a proposal and its approval.
type Meanwhile<'a> = &'a dyn Fn(&mut Driven);

#[test]
fn what_has_changed_since_it_was_proposed_is_proposed_anew() {
    let floor = |version| SchemaFloor {
        purpose: Some(name("sale")),
        version,
    };
    let raise = |driven: &mut Driven, version| {
        let request_id = driven.next_request_id();
        made(&driven.send(Body::SetSchemaFloor(SetSchemaFloor {
            request_id,
            floor: floor(version),
        })));
    };
    let reworded = |driven: &mut Driven| {
        let description = "Reworded.".to_owned();
        let purpose = Purpose {
            description,
            default_deny: true,
            ..purpose("ai_training")
        };
        made(&driven.put(purpose));
    };
    let more = |driven: &mut Driven| {
        let request_id = driven.next_request_id();
        made(&driven.send(Body::ConfigureNamespace(ConfigureNamespace {
            request_id,
            namespace: Namespace::default_namespace(),
            gpc_purposes: names(&["sale", "sharing", "advertising"]),
        })));
    };
    let less = NamespaceSettings {
        namespace: Namespace::default_namespace(),
        gpc_purposes: names(&["sale"]),
    };
    let raised = |driven: &mut Driven| raise(driven, 2);
    let cases: [(ProposedChange, Meanwhile); 3] = [
        (ProposedChange::SchemaFloor(floor(0)), &raised),
        (ProposedChange::Purpose(purpose("ai_training")), &reworded),
        (ProposedChange::Settings(less), &more),
    ];
    for (change, meanwhile) in cases {
        let mut driven = Driven::new();
        driven.put(purpose("games")).unwrap();
        raise(&mut driven, 1);
        let propose = |driven: &mut Driven, credential: Option<u8>| {
            let request_id = driven.next_request_id();
            let propose = Body::Propose(Propose {
                request_id,
                change: change.clone(),
                max_minutes: 0,
                credential: credential.map(|byte| Credential([byte; 16])),
            });
            made(&driven.send_as("ann", propose))
        };
        let (old, new) = (propose(&mut driven, None), propose(&mut driven, Some(1)));
        meanwhile(&mut driven);
        let reply = driven.approve("bob", new, ChangeKind::Registry);
        assert_eq!(refused(&reply), "CHANGE_OUTDATED");
        // What was stored before these were kept goes on as it did.
        let mut before = driven.clone();
        made(&before.approve("bob", old, ChangeKind::Registry));
        let anew = propose(&mut driven, Some(1));
        made(&driven.approve("bob", anew, ChangeKind::Registry));
    }
}

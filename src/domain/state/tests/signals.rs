//! Signals are kept apart from the person's word: a signal wins unless the person consented again.

use crate::domain::fixtures::*;
use crate::domain::*;

#[test]
fn a_signal_opts_out_of_what_the_namespace_says() {
    let mut driven = Driven::new();
    let reply = driven.gpc(&[1]);
    let Ok(Outcome::Signal {
        purposes, changed, ..
    }) = &reply
    else {
        panic!("{reply:?}")
    };
    assert!(changed);
    assert_eq!(
        *purposes,
        names(&["sale", "sharing", "advertising.targeted"])
    );
    for purpose in ["sale", "sharing", "advertising.targeted"] {
        assert_eq!(driven.reason(&[1], purpose), Reason::OptedOut);
    }
    assert_eq!(driven.reason(&[1], "advertising"), Reason::DefaultAllow);

    let configure = |driven: &mut Driven, purposes: &[&str]| {
        let body = Body::ConfigureNamespace(ConfigureNamespace {
            request_id: driven.next_request_id(),
            namespace: Namespace::default_namespace(),
            gpc_purposes: names(purposes),
        });
        driven.send(body)
    };
    // More, and what covers it: one principal is enough.
    let more = ["sale", "sharing", "advertising", "analytics"];
    made(&configure(&mut driven, &more));
    let again = configure(&mut driven, &more).unwrap();
    assert!(matches!(again, Outcome::Registry { changed: false, .. }));
    driven.gpc(&[2]).unwrap();
    for purpose in ["analytics", "sale", "advertising.targeted"] {
        assert_eq!(driven.reason(&[2], purpose), Reason::OptedOut);
    }
    made(&configure(&mut driven, &["*"]));
    driven.gpc(&[3]).unwrap();
    assert_eq!(driven.reason(&[3], "marketing"), Reason::OptedOut);
    assert_eq!(
        refused(&configure(&mut driven, &["service"])),
        "PURPOSE_ESSENTIAL"
    );
    assert_eq!(refused(&configure(&mut driven, &[])), "PURPOSES_REQUIRED");
}

#[test]
fn a_signal_wins_over_an_older_opt_in_and_loses_to_a_newer_one() {
    let mut driven = Driven::new();
    driven.opt_in(&[1], &["sale"]).unwrap();
    let (signal, ..) = told(&driven.gpc(&[1]));
    assert_eq!(driven.reason(&[1], "sale"), Reason::OptedOut);

    driven.opt_in(&[1], &["sale"]).unwrap();
    assert_eq!(driven.reason(&[1], "sale"), Reason::OptedIn);
    // The browser goes on sending it. A day later too it takes no consent away, though it is news for the others.
    for later in [1, DAY] {
        driven.now += later;
        driven.gpc(&[1]).unwrap();
        assert_eq!(driven.reason(&[1], "sale"), Reason::OptedIn);
        assert_eq!(driven.reason(&[1], "sharing"), Reason::OptedOut);
    }
    let event = driven.events.last().unwrap();
    assert_eq!(event.purposes, names(&["sharing", "advertising.targeted"]));

    // Consent to all of it: then a signal makes no event at all, and names the one that stands.
    driven
        .opt_in(&[1], &["sharing", "advertising.targeted"])
        .unwrap();
    driven.now += 2 * DAY;
    let events = driven.events.len();
    let (_, _, changed) = told(&driven.gpc(&[1]));
    assert!(!changed);
    assert_eq!(driven.events.len(), events);
    // Kept apart: both stand.
    let question = Question {
        namespace: &Namespace::default_namespace(),
        tokens: &subjects(&[1]),
        purpose: &PurposeName::root(),
        service: &ServiceName::none(),
        schema_version: 0,
        min_revision: 0,
        at: Millis(0),
    };
    let records = driven.state.preferences(&question).unwrap().records;
    let sale: Vec<_> = records
        .iter()
        .filter(|record| record.purpose.as_str() == "sale")
        .map(|record| (record.change, record.signalled))
        .collect();
    assert_eq!(sale, [(Change::OptIn, false), (Change::OptOut, true)]);
    assert!(records.iter().any(|record| record.event_id == signal));

    // The person's own opt-out is the person's last word.
    driven.opt_out(&[1], &["sale"]).unwrap();
    assert_eq!(driven.reason(&[1], "sale"), Reason::OptedOut);
}

#[test]
fn a_signal_is_reported_and_not_set() {
    let mut driven = Driven::new();
    let mut set = driven.preference(Change::OptOut, &[1], &["sale"]);
    set.signal = Signal::Gpc;
    assert_eq!(
        refused(&driven.send(Body::SetPreference(set))),
        "SIGNAL_INVALID"
    );
    let report = Body::ReportSignal(ReportSignal {
        request_id: driven.next_request_id(),
        namespace: Namespace::default_namespace(),
        tokens: subjects(&[1]),
        signal: Signal::User,
        schema_version: 0,
        service: ServiceName::none(),
    });
    assert_eq!(refused(&driven.send(report)), "SIGNAL_INVALID");
}

#[test]
fn what_became_essential_is_left_out() {
    let mut driven = Driven::new();
    let essential = Purpose {
        essential: true,
        ..purpose("sale")
    };
    let id = made(&driven.propose("ann", ProposedChange::Purpose(essential)));
    made(&driven.approve("bob", id, ChangeKind::Registry));
    driven.gpc(&[1]).unwrap();
    assert_eq!(driven.reason(&[1], "sharing"), Reason::OptedOut);
    assert_eq!(driven.reason(&[1], "sale"), Reason::Essential);
}

#[test]
fn that_a_signal_means_less_takes_two() {
    let mut driven = Driven::new();
    driven.add_namespace("other").unwrap();
    for namespace in ["default", "other"].map(|text| Namespace::parse(text).unwrap()) {
        let settings = |purposes: &[&str]| NamespaceSettings {
            namespace: namespace.clone(),
            gpc_purposes: names(purposes),
        };
        let configure = |driven: &mut Driven, purposes: &[&str]| {
            let NamespaceSettings {
                namespace,
                gpc_purposes,
            } = settings(purposes);
            let request_id = driven.next_request_id();
            driven.send(Body::ConfigureNamespace(ConfigureNamespace {
                request_id,
                namespace,
                gpc_purposes,
            }))
        };
        let less = ["sale", "sharing"];
        assert_eq!(refused(&configure(&mut driven, &less)), "WIDENS_ALLOW");
        let beneath = ["sale", "sharing", "marketing"];
        assert_eq!(refused(&configure(&mut driven, &beneath)), "WIDENS_ALLOW");
        let more = ["sale", "sharing", "advertising"];
        let propose = |purposes: &[&str]| ProposedChange::Settings(settings(purposes));
        let reply = driven.propose("ann", propose(&more));
        assert_eq!(refused(&reply), "CHANGE_WIDENS_NOTHING");
        made(&configure(&mut driven, &more));
        // What lies beneath is less.
        let targeted = ["sale", "sharing", "advertising.targeted"];
        assert_eq!(refused(&configure(&mut driven, &targeted)), "WIDENS_ALLOW");

        let id = made(&driven.propose("ann", propose(&less)));
        assert_eq!(driven.state.gpc_purposes(&namespace), Ok(names(&more)));
        let alone = driven.approve("ann", id, ChangeKind::Registry);
        assert_eq!(refused(&alone), "SECOND_PRINCIPAL_REQUIRED");
        made(&driven.approve("bob", id, ChangeKind::Registry));
        assert_eq!(driven.state.gpc_purposes(&namespace), Ok(names(&less)));
        let made = driven.events.last().unwrap();
        assert_eq!(made.kind, EventKind::NamespaceSettings);
        assert_eq!(made.proposed_by, Principal::parse("ann").ok());
        assert_eq!(driven.state.pending_changes(Millis(0)).count(), 0);
    }
}

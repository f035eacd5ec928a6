//! Golden files of what is kept of the two principals of a change, of a namespace's settings as a change, of keys for
//! checkpoints, of members, of violations, of anomalies, and of evidence that is erased.

use super::fixtures::*;
use super::golden::{hold, hold_both};
use super::*;

#[test]
fn what_a_change_rests_on() {
    let mut driven = Driven::new();
    let less = ProposedChange::Settings(NamespaceSettings {
        namespace: Namespace::default_namespace(),
        gpc_purposes: names(&["sale"]),
    });
    let request_id = driven.next_request_id();
    let propose = Body::Propose(Propose {
        request_id,
        change: less,
        max_minutes: 60,
        credential: Some(Credential([1; 16])),
    });
    let command = driven.command(propose.clone());
    let file = "command-propose-credential";
    hold_both(file, &command, &command.encode(), Command::decode);
    let change_id = made(&driven.send_as("ann", propose));
    let event = driven.events.last().unwrap();
    let file = "leaf-change-proposed-basis";
    hold_both(file, event, &event.encode(), Event::decode);
    let request_id = driven.next_request_id();
    let approve = Body::Approve(Approve {
        request_id,
        change_id,
        kind: ChangeKind::Registry,
        max_minutes: Some(60),
        credential: Some(Credential([2; 16])),
    });
    let command = driven.command(approve);
    let file = "command-approve-credential";
    hold_both(file, &command, &command.encode(), Command::decode);
    let restored = State::from_chunks(driven.state.chunks().map(Ok::<_, ()>)).unwrap();
    assert_eq!(restored.hash(), driven.state.hash());
    assert!(
        restored
            .pending_changes(Millis(0))
            .eq(driven.state.pending_changes(Millis(0)))
    );
}

#[test]
fn keys_for_checkpoints() {
    let mut driven = Driven::new();
    let add = Body::AddJournalKey(AddJournalKey {
        node_id: 0xFEED,
        public_key: [7; 32],
    });
    let retire = Body::RetireJournalKey(RetireJournalKey { node_id: 0xFEED });
    for (name, body) in [("add", add), ("retire", retire)] {
        let command = driven.command(body.clone());
        let file = format!("command-{name}-journal-key");
        hold_both(&file, &command, &command.encode(), Command::decode);
        driven.send(body).unwrap();
        let event = driven.events.last().unwrap();
        let file = format!("leaf-{name}-journal-key");
        hold_both(&file, event, &event.encode(), Event::decode);
    }
}

#[test]
fn members() {
    let mut driven = Driven::empty();
    let founder = membership(0xF00D, Became::Voter).member();
    let mut create = Create::new([7; 16], KeyFingerprint([8; 16]));
    create.founder = founder;
    let create = Body::Create(create);
    let mut made = vec![("create-founder", create)];
    for (name, became) in [
        ("add-learner", Became::Learner),
        ("make-voter", Became::Voter),
        ("remove", Became::Removed { forced: false }),
    ] {
        made.push((name, Body::RecordMembership(membership(0xFEED, became))));
    }
    let forced = membership(0xF00D, Became::Removed { forced: true });
    made.push(("remove-by-force", Body::RecordMembership(forced)));
    for (name, body) in made {
        let command = driven.command(body.clone());
        let file = format!("command-{name}");
        hold_both(&file, &command, &command.encode(), Command::decode);
        driven.send(body).unwrap();
        let event = driven.events.last().unwrap();
        let file = format!("leaf-{name}");
        hold_both(&file, event, &event.encode(), Event::decode);
    }
    for (node_id, became) in [(0xCAFE, Became::Voter), (0xBEEF, Became::Learner)] {
        let body = Body::RecordMembership(membership(node_id, became));
        driven.send(body).unwrap();
    }
    // Behind header, purposes and namespaces.
    let rules = driven.state.chunks().nth(3).unwrap();
    hold("snapshot-members", &rules);
    hold("state-hash-members", &driven.state.hash());
}

#[test]
fn violations() {
    let mut driven = Driven::new();
    let body = Body::ReportViolations(violation_report(0xFEED, 1));
    let command = driven.command(body.clone());
    let file = "command-report-violations";
    hold_both(file, &command, &command.encode(), Command::decode);
    driven.send(body).unwrap();
    let event = driven.events.last().unwrap();
    hold_both("leaf-violation", event, &event.encode(), Event::decode);
}

#[test]
fn anomalies() {
    let mut driven = Driven::new();
    let body = Body::ConfigureAnomalies(ConfigureAnomalies {
        request_id: driven.next_request_id(),
        settings: thresholds(2),
    });
    let command = driven.command(body.clone());
    let file = "command-configure-anomalies";
    hold_both(file, &command, &command.encode(), Command::decode);
    driven.send(body).unwrap();
    let event = driven.events.last().unwrap();
    let file = "leaf-anomaly-settings";
    hold_both(file, event, &event.encode(), Event::decode);
    for purpose in ["sale", "analytics"] {
        driven.set(Change::OptOut, &[1], &[purpose]).unwrap();
    }
    let mut found = driven.events.iter();
    let event = found.find(|it| it.kind == EventKind::Anomaly).unwrap();
    hold_both("leaf-anomaly", event, &event.encode(), Event::decode);
}

#[test]
fn a_change_of_a_service_that_names_itself() {
    let mut driven = Driven::new();
    let set = SetPreference {
        service: ServiceName::parse("shop").unwrap(),
        ..driven.preference(Change::OptOut, &[1], &["sale"])
    };
    let body = Body::SetPreference(set);
    let command = driven.command(body.clone());
    let file = "command-opt-out-service";
    hold_both(file, &command, &command.encode(), Command::decode);
    driven.send(body).unwrap();
    let event = driven.events.last().unwrap();
    hold_both(
        "leaf-opt-out-service",
        event,
        &event.encode(),
        Event::decode,
    );
}

#[test]
fn erased_evidence() {
    let mut driven = Driven::new();
    driven.set(Change::OptIn, &[1], &["sale"]).unwrap();
    let key = driven.state.evidence_key(driven.state.revision()).unwrap();
    let under = key.under;
    let bodies = [
        (
            "rewrap-evidence",
            Body::RewrapEvidence(RewrapEvidence {
                from: under,
                keys: vec![(2, key)],
            }),
        ),
        (
            "rotate-wrapping-key",
            Body::RotateWrappingKey(RotateWrappingKey {
                node_id: 0xFEED,
                since: 1,
                retired: vec![WrappingId([9; 16])],
                given_up: vec![3],
            }),
        ),
        (
            "erase-evidence",
            Body::EraseEvidence(EraseEvidence {
                request_id: driven.next_request_id(),
                namespace: Namespace::default_namespace(),
                tokens: vec![subject(1)],
            }),
        ),
    ];
    for (name, body) in bodies {
        let command = driven.command(body.clone());
        let file = format!("command-{name}");
        hold_both(&file, &command, &command.encode(), Command::decode);
        driven.send(body).unwrap();
    }
    let event = driven.events.last().unwrap();
    let file = "leaf-evidence-erased";
    hold_both(file, event, &event.encode(), Event::decode);
}

//! What nodes find is counted once, is an event with the service's name, and makes the score.

use crate::domain::fixtures::*;
use crate::domain::*;
use crate::limits;

const HOUR: u64 = 60 * 60 * 1_000;

fn found(driven: &Driven) -> Vec<&Event> {
    let events = driven.events.iter();
    events
        .filter(|event| event.kind == EventKind::Violation)
        .collect()
}

fn score(driven: &Driven, hours: u64) -> Option<(u64, Option<u64>)> {
    let scores = driven.state.scores(hours, Millis(driven.now));
    let score = scores
        .into_iter()
        .find(|it| it.service.as_str() == "mailer")?;
    Some((score.tally.score()?, score.before.score()))
}

#[test]
fn a_report_counts_once_and_each_kind_of_violation_is_an_event() {
    let mut driven = Driven::new();
    driven
        .send(Body::ReportViolations(violation_report(1, 1)))
        .unwrap();
    driven
        .send(Body::ReportViolations(violation_report(1, 1)))
        .unwrap();
    let [event] = found(&driven)[..] else {
        panic!("not one event")
    };
    let Detail::Violation(told) = &event.detail else {
        panic!("{event:?}")
    };
    assert_eq!(**told, violation_report(1, 1).found[0]);
    assert_eq!(event.namespace, Some(Namespace::default_namespace()));
    assert!(event.tokens.is_empty(), "no part of a subject's history");
    assert_eq!(event.principal.as_str(), "reporter", "who accuses");
    let revision = event.revision;
    assert_eq!(score(&driven, 24), Some((7_000, None)));
    assert_eq!(driven.state.violation_counts(), [3, 0, 0, 0, 0, 0]);
    let listed: Vec<Revision> = driven.state.violations().map(|it| it.revision).collect();
    assert_eq!(listed, [revision]);

    // Another node, and another life of the same one.
    driven
        .send(Body::ReportViolations(violation_report(2, 1)))
        .unwrap();
    let mut anew = violation_report(1, 1);
    anew.start = 8;
    driven.send(Body::ReportViolations(anew)).unwrap();
    assert_eq!(found(&driven).len(), 3);
    let ids: std::collections::BTreeSet<_> = driven.events.iter().map(|it| it.id).collect();
    assert_eq!(ids.len(), driven.events.len());

    let restored = State::from_chunks(driven.state.chunks().map(Ok::<_, ()>)).unwrap();
    assert_eq!(restored.hash(), driven.state.hash());
    assert_eq!(restored.violations().count(), 3);
    assert_eq!(restored.violation_counts(), driven.state.violation_counts());
    let mut again = Driven {
        state: restored,
        ..driven.clone()
    };
    again
        .send(Body::ReportViolations(violation_report(2, 1)))
        .unwrap();
    assert_eq!(found(&again).len(), 3, "counted again after a snapshot");
}

#[test]
fn a_score_has_its_span_and_the_one_before() {
    let mut driven = Driven::new();
    driven
        .send(Body::ReportViolations(violation_report(1, 1)))
        .unwrap();
    driven.now += 24 * HOUR;
    let mut good = violation_report(1, 2);
    good.found.clear();
    driven.send(Body::ReportViolations(good)).unwrap();
    assert_eq!(score(&driven, 24), Some((10_000, Some(7_000))));
    assert_eq!(score(&driven, 48), Some((8_500, None)));
    // What is older than is kept goes.
    driven.now += (limits::MONITOR_HOURS + 1) * HOUR;
    driven
        .send(Body::ReportViolations(violation_report(1, 3)))
        .unwrap();
    assert_eq!(driven.state.violation_counts(), [3, 0, 0, 0, 0, 0]);
}

#[test]
fn many_services_take_bounded_room_and_none_is_lost() {
    let mut driven = Driven::new();
    for number in 1..=3 {
        let mut report = violation_report(1, number);
        report.found.clear();
        report.judged = (0..limits::MONITOR_SERVICES as u64)
            .map(|n| (ServiceName::parse(&format!("s{number}-{n}")).unwrap(), 1))
            .collect();
        driven.send(Body::ReportViolations(report)).unwrap();
    }
    let scores = driven.state.scores(24, Millis(driven.now));
    assert_eq!(scores.len(), limits::MONITOR_SERVICES + 1);
    let judged: u64 = scores.iter().map(|it| it.tally.judged).sum();
    assert_eq!(judged, 3 * limits::MONITOR_SERVICES as u64);
    assert!(scores.iter().any(|it| it.service.is_none()));
}

#[test]
fn names_that_are_made_up_take_no_room_from_one_that_is_counted() {
    let mut driven = Driven::new();
    driven
        .send(Body::ReportViolations(violation_report(1, 1)))
        .unwrap();
    let many = |number, judged| {
        let mut report = violation_report(1, number);
        report.found.clear();
        report.judged = (0..limits::MONITOR_SERVICES)
            .map(|n| (ServiceName::parse(&format!("s{n}")).unwrap(), judged))
            .collect();
        Body::ReportViolations(report)
    };
    // Of which nothing could be judged: no names are kept.
    driven.send(many(2, 0)).unwrap();
    assert_eq!(driven.state.scores(24, Millis(driven.now)).len(), 1);
    driven.send(many(3, 1)).unwrap();
    driven.state = State::from_chunks(driven.state.chunks().map(Ok::<_, ()>)).unwrap();
    driven.now += 2 * HOUR;
    driven
        .send(Body::ReportViolations(violation_report(1, 4)))
        .unwrap();
    assert_eq!(score(&driven, 1), Some((7_000, None)));
    // When their hours are gone, so are they.
    driven.now += (limits::MONITOR_HOURS + 1) * HOUR;
    let mut new = violation_report(1, 5);
    new.judged[0].0 = ServiceName::parse("new").unwrap();
    driven.send(Body::ReportViolations(new)).unwrap();
    let scores = driven.state.scores(24, Millis(driven.now));
    let names: Vec<_> = scores.iter().map(|it| it.service.to_string()).collect();
    assert_eq!(names, ["mailer", "new"]);
}

#[test]
fn what_is_too_old_counts_no_more_when_nothing_is_reported_either() {
    let mut driven = Driven::new();
    driven
        .send(Body::ReportViolations(violation_report(1, 1)))
        .unwrap();
    driven.now += (limits::MONITOR_HOURS + 1) * HOUR;
    driven.opt_out(&[9], &["sale"]).unwrap();
    assert_eq!(driven.state.violation_counts(), [0; 6]);
}

#[test]
fn the_largest_report_fits_a_command_and_a_leaf() {
    let mut report = violation_report(u64::MAX, u64::MAX);
    let mut one = report.found[0].clone();
    one.service = ServiceName::parse(&"s".repeat(limits::SERVICE_BYTES)).unwrap();
    one.samples = vec![one.samples[0].clone(); limits::VIOLATION_SAMPLES];
    one.count = u64::MAX;
    report.found = vec![one; limits::VIOLATIONS_PER_REPORT];
    let named = (
        ServiceName::parse(&"s".repeat(limits::SERVICE_BYTES)).unwrap(),
        1,
    );
    report.judged = vec![named; limits::MONITOR_SERVICES];
    let proposal = Proposal {
        principal: Principal::cluster(),
        body: Body::ReportViolations(report.clone()),
    };
    assert_eq!(proposal.validate(), Ok(()));
    let mut driven = Driven::new();
    driven.send(proposal.body).unwrap();
    assert!(driven.events.last().unwrap().encode().len() <= limits::LEAF_BYTES);
    report.found.push(report.found[0].clone());
    assert!(driven.send(Body::ReportViolations(report)).is_err());
}

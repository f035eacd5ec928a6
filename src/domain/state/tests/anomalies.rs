//! What is out of the ordinary: each kind, once, and no more of it than there is.

use crate::domain::fixtures::*;
use crate::domain::*;
use crate::limits;

fn found(driven: &Driven) -> Vec<Anomaly> {
    let details = driven.events.iter().map(|event| &event.detail);
    details
        .filter_map(|detail| match detail {
            Detail::Anomaly(found) => Some((**found).clone()),
            _ => None,
        })
        .collect()
}

fn kinds(driven: &Driven) -> Vec<AnomalyKind> {
    found(driven).iter().map(|it| it.kind).collect()
}

fn turn(driven: &mut Driven, n: u8, times: usize) {
    for at in 0..times {
        let change = [Change::OptOut, Change::OptIn][at % 2];
        driven.now += 1_000;
        driven.set(change, &[n], &["sale"]).unwrap();
    }
}

fn configure(driven: &mut Driven, settings: AnomalySettings) -> Reply {
    let request_id = driven.next_request_id();
    driven.send(Body::ConfigureAnomalies(ConfigureAnomalies {
        request_id,
        settings,
    }))
}

fn import(driven: &mut Driven, n: u64, first_row: u64, rows: u64) -> Reply {
    let rows = (first_row..first_row + rows).map(|_| ImportRow::Refused);
    driven.send(Body::ImportChunk(ImportChunk {
        import_id: request_id(driven.now - driven.now % DAY, n),
        namespace: Namespace::default_namespace(),
        schema_version: 0,
        first_row,
        rows: rows.collect(),
    }))
}

#[test]
fn who_goes_back_and_forth_is_told_once_while_it_lasts() {
    let mut driven = Driven::new();
    // The first is no turn.
    turn(&mut driven, 1, 6);
    assert_eq!(kinds(&driven), []);
    driven.set(Change::OptIn, &[1], &["sale"]).unwrap();
    assert_eq!(kinds(&driven), [], "the same again is no turn either");
    driven.set(Change::OptOut, &[1], &["sale"]).unwrap();
    assert_eq!(kinds(&driven), [AnomalyKind::Flapping]);
    let event = driven.events.last().unwrap();
    assert_eq!(event.namespace, Some(Namespace::default_namespace()));
    assert_eq!(event.principal, principal());
    assert_eq!(event.subjects().collect::<Vec<_>>(), [&subject(1)]);
    let [only] = &found(&driven)[..] else {
        panic!("one is found");
    };
    assert_eq!((only.count, only.expected, only.window_s), (6, 6, 600));

    turn(&mut driven, 1, 8);
    assert_eq!(kinds(&driven), [AnomalyKind::Flapping], "told already");
    driven.now += 600_000;
    turn(&mut driven, 1, 8);
    assert_eq!(
        kinds(&driven)[1..],
        [AnomalyKind::Flapping],
        "it goes on, and is told again"
    );
    let counts = driven.state.anomaly_counts();
    assert_eq!(counts, [2, 0, 0, 0, 0]);
    let listed = driven.state.anomalies().map(|it| it.revision);
    let made = driven.events.iter().rev();
    let made = made.filter(|it| it.kind == EventKind::Anomaly);
    assert!(listed.eq(made.map(|it| it.revision)));
}

#[test]
fn turns_that_are_far_apart_are_ordinary() {
    let mut driven = Driven::new();
    for _ in 0..20 {
        turn(&mut driven, 1, 2);
        driven.now += 300_000;
    }
    assert_eq!(kinds(&driven), []);
}

#[test]
fn many_changes_a_burst_and_repeats_are_found() {
    let mut driven = Driven::new();
    configure(&mut driven, thresholds(3)).unwrap();
    let purposes = ["sale", "marketing.email", "analytics"];
    for purpose in purposes {
        driven.set(Change::OptOut, &[1, 2], &[purpose]).unwrap();
    }
    let expected = [AnomalyKind::ManyChanges, AnomalyKind::Burst];
    assert_eq!(kinds(&driven), expected, "one for both tokens");
    let burst = &driven.events.last().unwrap();
    assert_eq!((&burst.namespace, &burst.principal), (&None, &principal()));

    // The same wish again, under other ids and the same.
    driven.now += 700_000;
    let again = driven.preference(Change::OptOut, &[1, 2], &["sale"]);
    driven.send(Body::SetPreference(again.clone())).unwrap();
    driven.send(Body::SetPreference(again)).unwrap();
    assert_eq!(kinds(&driven).len(), 2);
    driven.set(Change::OptOut, &[1, 2], &["sale"]).unwrap();
    assert_eq!(kinds(&driven)[2..], [AnomalyKind::Repeated]);
}

#[test]
fn a_rehearsal_is_nothing_out_of_the_ordinary() {
    let mut driven = Driven::new();
    let namespace = Namespace::parse("refrain-probe").unwrap();
    let add = Body::AddNamespace(AddNamespace {
        request_id: driven.next_request_id(),
        namespace: namespace.clone(),
    });
    driven.send(add).unwrap();
    configure(&mut driven, thresholds(2)).unwrap();
    for _ in 0..9 {
        for change in [Change::OptOut, Change::OptIn, Change::OptIn] {
            let mut set = driven.preference(change, &[1], &["sale"]);
            set.namespace = namespace.clone();
            driven.send(Body::SetPreference(set)).unwrap();
        }
    }
    assert_eq!(kinds(&driven), []);
}

#[test]
fn an_import_is_compared_with_the_last() {
    let mut driven = Driven::new();
    import(&mut driven, 1, 0, 500).unwrap();
    import(&mut driven, 1, 500, 500).unwrap();
    driven.now += limits::IMPORT_OVER_MS;
    import(&mut driven, 2, 0, 99).unwrap();
    assert_eq!(kinds(&driven), [], "it goes on");
    driven.now += limits::IMPORT_OVER_MS;
    // Any command does: it is over by its time.
    driven.set(Change::OptOut, &[1], &["sale"]).unwrap();
    assert_eq!(kinds(&driven), [AnomalyKind::ImportSize]);
    let short = found(&driven).remove(0);
    assert_eq!(
        (short.count, short.expected, short.window_s),
        (99, 1_000, 0)
    );

    import(&mut driven, 3, 0, 989).unwrap();
    assert_eq!(kinds(&driven).len(), 1, "too few rows to count");
    import(&mut driven, 3, 989, 11).unwrap();
    assert_eq!(kinds(&driven).len(), 2, "far longer, and told at once");
    import(&mut driven, 3, 1_000, 400).unwrap();
    driven.now += limits::IMPORT_OVER_MS;
    import(&mut driven, 3, 1_400, 10).unwrap();
    driven.now += limits::IMPORT_OVER_MS;
    driven.set(Change::OptOut, &[2], &["sale"]).unwrap();
    let long = AnomalyKind::ImportSize;
    assert_eq!(kinds(&driven), [long; 3], "what goes on after all is new");
}

#[test]
fn counts_go_on_in_whoever_takes_a_snapshot() {
    let mut driven = Driven::new();
    configure(&mut driven, thresholds(3)).unwrap();
    turn(&mut driven, 1, 2);
    import(&mut driven, 1, 0, 9).unwrap();
    driven.now += limits::IMPORT_OVER_MS;
    import(&mut driven, 2, 0, 1).unwrap();
    turn(&mut driven, 1, 1);
    let chunks = driven.state.chunks().map(Ok::<_, std::convert::Infallible>);
    let mut copy = Driven {
        state: State::from_chunks(chunks).unwrap(),
        ..driven.clone()
    };
    assert_eq!(copy.state.anomaly_settings(), thresholds(3));
    for one in [&mut driven, &mut copy] {
        turn(one, 1, 4);
        one.now += limits::IMPORT_OVER_MS;
        one.set(Change::OptOut, &[9], &["sale"]).unwrap();
    }
    assert!(kinds(&driven).len() > 2, "{:?}", kinds(&driven));
    assert_eq!(driven.events, copy.events);
    assert_eq!(driven.state.anomaly_counts(), copy.state.anomaly_counts());
    assert_eq!(driven.state.hash(), copy.state.hash());
    assert!(driven.state.chunks().eq(copy.state.chunks()));
}

#[test]
fn settings_out_of_bounds_are_refused_and_the_same_again_is_no_event() {
    let mut driven = Driven::new();
    let hash = driven.state.hash();
    let wrong = [
        AnomalySettings {
            repeats: 1,
            ..AnomalySettings::default()
        },
        AnomalySettings {
            caller_window_s: 0,
            ..AnomalySettings::default()
        },
        AnomalySettings {
            subject_window_s: 3_601,
            ..AnomalySettings::default()
        },
        AnomalySettings {
            import_rows: 0,
            ..AnomalySettings::default()
        },
        AnomalySettings {
            caller_changes: 1_000_001,
            ..AnomalySettings::default()
        },
    ];
    for settings in wrong {
        let refusal = configure(&mut driven, settings).unwrap_err();
        assert_eq!(refusal.reason(), "THRESHOLD_INVALID", "{settings:?}");
    }
    configure(&mut driven, AnomalySettings::default()).unwrap();
    assert_eq!(driven.state.hash(), hash);
    configure(&mut driven, thresholds(4)).unwrap();
    assert_ne!(driven.state.hash(), hash);
    let event = driven.events.last().unwrap();
    assert_eq!(event.detail, Detail::AnomalySettings(thresholds(4)));
}

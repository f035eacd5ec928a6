//! Creation, purposes, namespaces and the feature level, as commands.

use crate::domain::fixtures::*;
use crate::domain::*;
use crate::limits;

#[test]
fn the_first_command_creates_the_cluster_once() {
    let mut driven = Driven::empty();
    assert_eq!(
        refused(&driven.opt_out(&[1], &["sale"])),
        "CLUSTER_NOT_INITIALISED"
    );
    assert_eq!(
        refused(&driven.add_namespace("x")),
        "CLUSTER_NOT_INITIALISED"
    );
    assert_eq!(driven.send(creation()), Ok(Outcome::Done { revision: 1 }));
    assert_eq!(
        refused(&driven.send(creation())),
        "CLUSTER_ALREADY_INITIALISED"
    );
    assert_eq!(driven.state.cluster_id(), Some([7; 16]));
    assert_eq!(
        driven.state.key_fingerprint(),
        Some(KeyFingerprint([8; 16]))
    );
    assert_eq!(driven.state.feature_level(), FEATURE_LEVEL);
    assert_eq!(driven.state.registry().schema_version(), 1);
    assert!(
        driven
            .state
            .registry()
            .purposes()
            .all(|p| p.schema_version == 1)
    );
    assert_eq!(driven.events[0].kind, EventKind::Created);
}

#[test]
fn a_bad_creation_creates_nothing() {
    let bad = |change: &dyn Fn(&mut Create)| {
        let mut create = Create::new([7; 16], KeyFingerprint([8; 16]));
        change(&mut create);
        let mut driven = Driven::empty();
        let reason = refused(&driven.send(Body::Create(create)));
        assert_eq!(driven.state.revision(), 0);
        assert_eq!(driven.state.cluster_id(), None);
        assert_eq!(driven.state.hash(), State::default().hash());
        reason
    };
    assert_eq!(bad(&|c| c.purposes.push(purpose("a.b"))), "PARENT_UNKNOWN");
    assert_eq!(
        bad(&|c| c.purposes.push(purpose("sale"))),
        "DUPLICATE_PURPOSE"
    );
    assert_eq!(
        bad(&|c| c.namespaces.push(Namespace::default_namespace())),
        "STATE_INCONSISTENT"
    );
    assert_eq!(
        bad(&|c| c.purposes[0].schema_version = 1),
        "PURPOSE_INVALID"
    );
    assert_eq!(bad(&|c| c.feature_level = 0), "FEATURE_LEVEL_UNKNOWN");
    assert_eq!(
        bad(&|c| c.feature_level = FEATURE_LEVEL + 1),
        "FEATURE_LEVEL_UNKNOWN"
    );
    let many = || (0..=limits::PURPOSES_AT_CREATION).map(|n| purpose(&format!("p{n}")));
    assert_eq!(bad(&|c| c.purposes = many().collect()), "REGISTRY_FULL");
}

#[test]
fn purposes_are_put() {
    let mut driven = Driven::new();
    let reply = driven.put(purpose("games"));
    let Ok(Outcome::Registry {
        event_id,
        revision: 2,
        changed: true,
        purpose: Some(put),
    }) = reply
    else {
        panic!("{reply:?}");
    };
    assert_eq!(event_id, Some(driven.events[1].id));
    assert_eq!(put.schema_version, 2);
    let again = driven.put(purpose("games"));
    assert!(matches!(
        again,
        Ok(Outcome::Registry {
            event_id: None,
            revision: 2,
            changed: false,
            purpose: Some(_)
        })
    ));
    driven.opt_out(&[1], &["games"]).unwrap();
    assert_eq!(driven.reason(&[1], "games"), Reason::OptedOut);
    assert_eq!(refused(&driven.put(purpose("ai_training"))), "WIDENS_ALLOW");
}

#[test]
fn an_essential_purpose_can_become_an_ordinary_one() {
    let mut driven = Driven::new();
    driven.opt_out(&[1], &["*"]).unwrap();
    driven.put(purpose("service.legal")).unwrap();
    assert_eq!(driven.reason(&[1], "service.legal"), Reason::OptedOut);
}

#[test]
fn namespaces_are_apart() {
    let mut driven = Driven::new();
    assert!(matches!(
        driven.add_namespace("other"),
        Ok(Outcome::Registry {
            event_id: Some(_),
            revision: 2,
            changed: true,
            purpose: None
        })
    ));
    assert!(matches!(
        driven.add_namespace("other"),
        Ok(Outcome::Registry {
            event_id: None,
            revision: 2,
            changed: false,
            purpose: None
        })
    ));
    let names: Vec<_> = driven.state.namespaces().map(Namespace::as_str).collect();
    assert_eq!(names, ["default", "other"]);
    let mut set = driven.preference(Change::OptOut, &[1], &["sale"]);
    set.namespace = Namespace::parse("other").unwrap();
    driven.send(Body::SetPreference(set)).unwrap();
    assert_eq!(driven.reason(&[1], "sale"), Reason::DefaultAllow);
}

#[test]
fn the_registry_is_bounded() {
    let mut driven = Driven::new();
    for n in 0..limits::PURPOSES - default_purposes().len() {
        driven.put(purpose(&format!("p{n}"))).unwrap();
    }
    assert_eq!(
        refused(&driven.put(purpose("one_too_many"))),
        "REGISTRY_FULL"
    );
    driven.opt_out(&[1], &["p4000"]).unwrap();
    assert_eq!(driven.reason(&[1], "p4000"), Reason::OptedOut);
    for n in 0..limits::NAMESPACES - 1 {
        driven.add_namespace(&format!("n{n}")).unwrap();
    }
    assert_eq!(
        refused(&driven.add_namespace("one_too_many")),
        "REGISTRY_FULL"
    );
    let restored = State::from_chunks(driven.state.chunks().map(Ok::<_, ()>)).unwrap();
    assert_eq!(restored.hash(), driven.state.hash());
}

#[test]
fn the_feature_level_only_rises_to_what_is_known() {
    // A cluster of a level before the first stands for one that an older program created.
    let mut driven = Driven::new();
    let mut created = driven.events[0].clone();
    if let Detail::Created(create) = &mut created.detail {
        create.feature_level = 0;
    }
    driven.state = State::default();
    driven.state.fold(&created).unwrap();
    let raise = |level| Body::RaiseFeatureLevel(RaiseFeatureLevel { level });
    assert_eq!(
        refused(&driven.send(raise(FEATURE_LEVEL + 1))),
        "FEATURE_LEVEL_UNKNOWN"
    );
    assert_eq!(driven.send(raise(1)), Ok(Outcome::Done { revision: 2 }));
    assert_eq!(driven.state.feature_level(), 1);
    assert_eq!(driven.send(raise(1)), Ok(Outcome::Done { revision: 2 }));
    assert_eq!(
        driven.events.last().unwrap().detail,
        Detail::FeatureLevel(1)
    );
}

#[test]
fn an_event_that_does_not_fit_changes_nothing() {
    let mut driven = Driven::new();
    driven.opt_out(&[1], &["sale"]).unwrap();
    let event = driven.events[1].clone();
    let mut state = State::default();
    assert_eq!(
        state.fold(&event).unwrap_err().reason(),
        "STATE_INCONSISTENT"
    );
    state.fold(&driven.events[0]).unwrap();
    let before = state.hash();
    let changed = |change: &dyn Fn(&mut Event)| {
        let mut other = event.clone();
        change(&mut other);
        other
    };
    for bad in [
        changed(&|event| event.revision = 3),
        changed(&|event| event.namespace = None),
        changed(&|event| event.namespace = Some(Namespace::parse("x").unwrap())),
        changed(&|event| event.purposes.push(name("nothing"))),
        changed(&|event| event.detail = Detail::FeatureLevel(1)),
        changed(&|event| event.kind = EventKind::FeatureLevel),
    ] {
        assert!(state.fold(&bad).is_err(), "{bad:?}");
        assert_eq!(state.hash(), before);
    }
    state.fold(&event).unwrap();
    assert_eq!(state.hash(), driven.state.hash());
}

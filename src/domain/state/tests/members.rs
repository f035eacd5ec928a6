//! The members that are recorded: what was done with one is an event once, whoever tells it and however often.

use crate::domain::fixtures::*;
use crate::domain::*;
use crate::limits;

/// Whether it made an event.
fn tell(driven: &mut Driven, by: &str, record: RecordMembership) -> Result<bool, Refusal> {
    let before = (driven.state.revision(), driven.state.hash());
    driven.send_as(by, Body::RecordMembership(record))?;
    let made = driven.state.revision() - before.0;
    assert_eq!(driven.state.hash() != before.1, made == 1);
    Ok(made == 1)
}

fn members(state: &State) -> Vec<(u64, &str, bool)> {
    let members = state.members();
    members
        .map(|it| (it.node_id, it.peer_address.as_str(), it.voter))
        .collect()
}

const REMOVED: Became = Became::Removed { forced: false };

#[test]
fn what_was_done_with_a_member_is_an_event_once() {
    let mut driven = Driven::new();
    let begun = driven.state.revision();
    for (node_id, became) in [
        (2, Became::Learner),
        (2, Became::Voter),
        (1, Became::Voter),
        (2, Became::Learner),
        (2, Became::Removed { forced: true }),
    ] {
        let record = || membership(node_id, became);
        assert_eq!(tell(&mut driven, "olga", record()), Ok(true));
        let event = driven.events.last().unwrap();
        assert_eq!(event.kind, EventKind::Membership);
        assert_eq!(event.principal.as_str(), "olga");
        assert_eq!(event.detail, Detail::Membership(record()));
        assert!(event.namespace.is_none() && event.subjects().next().is_none());
        // The cluster finds it recorded, and so does whoever tries again.
        for again in ["cluster", "olga"] {
            assert_eq!(tell(&mut driven, again, record()), Ok(false));
        }
    }
    assert_eq!(members(&driven.state), [(1, "node-1:7401", true)]);
    assert_eq!(driven.state.revision(), begun + 5);
    // Whoever is gone, or never came, cannot go.
    for nobody in [2, 3] {
        let gone = tell(&mut driven, "olga", membership(nobody, REMOVED));
        assert_eq!(gone, Ok(false));
    }
    let gone = tell(&mut driven, "olga", membership(1, REMOVED));
    assert_eq!(gone, Ok(true));
    assert!(members(&driven.state).is_empty());
    // An event of somebody's end who is nobody is no event of this state.
    let mut event = driven.events.last().unwrap().clone();
    event.revision += 1;
    let wrong = driven.state.clone().fold(&event).unwrap_err();
    assert_eq!(wrong.reason(), "STATE_INCONSISTENT");
}

#[test]
fn the_founder_is_known_from_the_first_event_on() {
    let mut driven = Driven::empty();
    let mut create = Create::new([7; 16], KeyFingerprint([8; 16]));
    create.founder = membership(1, Became::Voter).member();
    driven.send(Body::Create(create)).unwrap();
    assert_ne!(driven.state.hash(), Driven::new().state.hash());
    assert_eq!(members(&driven.state), [(1, "node-1:7401", true)]);
    let known = tell(&mut driven, "cluster", membership(1, Became::Voter));
    assert_eq!(known, Ok(false));
    let new = tell(&mut driven, "olga", membership(2, Became::Learner));
    assert_eq!(new, Ok(true));
    let mut folded = State::default();
    for event in &driven.events {
        folded
            .fold(&Event::decode(&event.encode()).unwrap())
            .unwrap();
    }
    let restored = State::from_chunks(driven.state.chunks().map(Ok::<_, ()>)).unwrap();
    for state in [folded, restored] {
        assert_eq!(members(&state), members(&driven.state));
        assert_eq!(state.hash(), driven.state.hash());
    }
}

#[test]
fn a_member_that_moved_is_told_of() {
    let mut driven = Driven::new();
    let came = tell(&mut driven, "olga", membership(2, Became::Voter));
    assert_eq!(came, Ok(true));
    let moved = RecordMembership {
        peer_address: PeerAddress::of("elsewhere:7401"),
        ..membership(2, Became::Voter)
    };
    assert_eq!(tell(&mut driven, "olga", moved), Ok(true));
    assert_eq!(members(&driven.state), [(2, "elsewhere:7401", true)]);
}

#[test]
fn there_is_an_end_to_the_members() {
    let mut driven = Driven::new();
    let mut told = |node_id, became| tell(&mut driven, "olga", membership(node_id, became));
    let more = limits::MEMBERS as u64;
    for node_id in 0..more {
        assert_eq!(told(node_id, Became::Learner), Ok(true));
    }
    let full = told(more, Became::Learner).unwrap_err();
    assert_eq!(full.reason(), "REGISTRY_FULL");
    // Those that are there may still change, and go.
    for (node_id, became) in [(0, Became::Voter), (1, REMOVED), (more, Became::Learner)] {
        assert_eq!(told(node_id, became), Ok(true));
    }
}

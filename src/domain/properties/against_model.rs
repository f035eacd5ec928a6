//! The state answers as the naive model does, and is nothing but the fold of its events.

use proptest::prelude::*;

use super::model::Model;
use super::player::Player;
use super::script::{NAMESPACES, PURPOSES, SUBJECTS, scripts};
use crate::domain::fixtures::*;
use crate::domain::*;

/// An outcome without its refusals, and those by row; or the reason of a refusal.
type Said = Result<(Outcome, Vec<(u64, &'static str)>), &'static str>;

/// What an answer says, with refusals by their reasons.
fn said(reply: Result<Outcome, &'static str>) -> Said {
    let mut outcome = reply?;
    let mut reasons = Vec::new();
    if let Outcome::Import { refusals, .. } = &mut outcome {
        reasons = refusals
            .drain(..)
            .map(|(row, refusal)| (row, refusal.reason()))
            .collect();
    }
    Ok((outcome, reasons))
}

fn same_decisions(state: &State, model: &Model) -> Result<(), TestCaseError> {
    let subjects = (0..SUBJECTS).flat_map(|a| (a..SUBJECTS).map(move |b| (a, b)));
    for (a, b) in subjects {
        let tokens: Vec<_> = if a == b {
            vec![subject(a)]
        } else {
            vec![subject(b), subject(a)]
        };
        for namespace in NAMESPACES.map(|text| Namespace::parse(text).unwrap()) {
            for purpose in PURPOSES.into_iter().filter(|purpose| *purpose != "*") {
                for schema_version in [0, 2] {
                    let ours = state
                        .decide(&Question {
                            namespace: &namespace,
                            tokens: &tokens,
                            purpose: &name(purpose),
                            service: &service("shop"),
                            schema_version,
                            min_revision: 0,
                            at: state.log_time(),
                        })
                        .map(|it| (it.decision, it.reason, it.event_id, it.override_id))
                        .map_err(|refusal| refusal.reason());
                    let expected = model.decide(&namespace, &tokens, purpose, schema_version);
                    prop_assert_eq!(
                        ours,
                        expected,
                        "{} for {} and {} in {}",
                        purpose,
                        a,
                        b,
                        namespace
                    );
                }
            }
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn answers_and_decides_like_the_model(script in scripts()) {
        let mut player = Player::new();
        let mut model = Model::new();
        for step in &script {
            let Some(command) = player.command(step) else { continue };
            let before = player.driven.state.hash();
            let events = player.driven.events.len();
            let reply = player.driven.apply(&command);
            let refused = reply.is_err();
            let ours = said(reply.map_err(|refusal| refusal.reason()));
            prop_assert_eq!(ours, said(model.apply(&command)), "{:?}", command);
            let state = &player.driven.state;
            prop_assert_eq!(state.revision(), model.revision());
            prop_assert_eq!(state.revision(), player.driven.events.len() as u64);
            let ended = |event: &Event| event.kind == EventKind::OverrideEnded;
            if refused {
                prop_assert!(player.driven.events[events..].iter().all(ended), "a refusal made an event");
            }
            if player.driven.events.len() == events {
                prop_assert_eq!(state.hash(), before, "no event, and yet another hash");
            }
        }
        same_decisions(&player.driven.state, &model)?;
    }

    #[test]
    fn the_state_is_the_fold_of_its_events(script in scripts()) {
        let mut player = Player::new();
        let mut hashes = Vec::new();
        for step in &script {
            if let Some(command) = player.command(step) {
                let _ = player.driven.apply(&command);
                hashes.push((player.driven.state.revision(), player.driven.state.hash()));
            }
        }
        let state = &player.driven.state;
        let mut folded = State::default();
        let mut ids = Vec::new();
        for (at, event) in player.driven.events.iter().enumerate() {
            let event = Event::decode(&event.encode()).unwrap();
            prop_assert_eq!(event.revision, at as u64 + 1, "revisions are dense");
            for token in &event.tokens {
                let namespace = event.namespace.clone().unwrap();
                let last = folded.last_revision(&namespace, &token.subject.token);
                prop_assert_eq!(token.previous, last, "the way back");
            }
            folded.fold(&event).unwrap();
            ids.push(event.id);
            for (revision, hash) in &hashes {
                if *revision == folded.revision() {
                    prop_assert_eq!(*hash, folded.hash());
                }
            }
        }
        prop_assert_eq!(folded.hash(), state.hash());
        prop_assert!(folded.standing().eq(state.standing()));
        prop_assert!(folded.registry().purposes().eq(state.registry().purposes()));
        prop_assert!(folded.namespaces().eq(state.namespaces()));
        ids.sort_unstable();
        prop_assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "ids are unique");
    }
}

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

/// Who asks, built for which version, and at which time: the leader's clock may be wrong, and so may the reader's.
fn askers(log_time: u64) -> [(ServiceName, u32, Millis); 7] {
    [
        ("shop", 0, log_time),
        ("shop", 2, log_time),
        ("other", 0, log_time),
        ("", 0, log_time),
        ("shop", 0, 0),
        ("shop", 0, log_time - 10_000),
        ("shop", 0, log_time + 120_000),
    ]
    .map(|(text, schema_version, at)| (service(text), schema_version, Millis(at)))
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
            for (service, schema_version, at) in askers(state.log_time().0) {
                let root = PurposeName::root();
                let question = Question {
                    namespace: &namespace,
                    tokens: &tokens,
                    purpose: &root,
                    service: &service,
                    schema_version,
                    min_revision: 0,
                    at,
                };
                same_preferences(state, model, &question)?;
                for purpose in PURPOSES.into_iter().filter(|purpose| *purpose != "*") {
                    let question = Question {
                        purpose: &name(purpose),
                        ..question
                    };
                    let ours = state
                        .decide(&question)
                        .map(|it| (it.decision, it.reason, it.event_id, it.override_id))
                        .map_err(|refusal| refusal.reason());
                    prop_assert_eq!(ours, model.decide(&question), "{:?}", question);
                }
            }
        }
    }
    Ok(())
}

fn same_preferences(
    state: &State,
    model: &Model,
    question: &Question<'_>,
) -> Result<(), TestCaseError> {
    let ours = state.preferences(question).map_err(|it| it.reason());
    let ours = ours.map(|found| {
        let decided = found.decisions.into_iter();
        let decided = decided
            .map(|it| (it.purpose.to_string(), it.decision, it.reason, it.event_id))
            .collect();
        let stands = found.records.into_iter().map(|it| {
            let purpose = it.purpose.to_string();
            (
                it.subject.token,
                purpose,
                it.signalled,
                it.change,
                it.event_id,
            )
        });
        (decided, stands.collect())
    });
    prop_assert_eq!(ours, model.preferences(question), "{:?}", question);
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
            // What is over by the command's time is over, whatever becomes of the command.
            let over = |it: &Anomaly| it.kind == AnomalyKind::ImportSize;
            let ended = |event: &Event| match &event.detail {
                Detail::Anomaly(found) => over(found),
                _ => event.kind == EventKind::OverrideEnded,
            };
            if refused {
                prop_assert!(player.driven.events[events..].iter().all(ended), "a refusal made an event");
            }
            let mut revisions = 1..=state.revision();
            let proven: Vec<_> = revisions.by_ref().filter(|at| state.evidence_key(*at).is_some()).collect();
            prop_assert_eq!(proven, model.proven());
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

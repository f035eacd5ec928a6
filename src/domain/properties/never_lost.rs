//! An opt-out is never lost: after it, nothing allows until a newer opt-in stands on the path; and a retry has one effect.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::script::{PURPOSES, Player, scripts};
use crate::domain::fixtures::*;
use crate::domain::*;

/// What must be denied: a namespace, a token, a purpose.
type Denied = BTreeSet<(Namespace, Token, &'static str)>;

fn on_path(purpose: &str, place: &PurposeName) -> bool {
    name(purpose).is_within(place)
}

/// Marks what a wish covers, or takes the marks away.
fn mark(
    denied: &mut Denied,
    namespace: &Namespace,
    tokens: &[Token],
    places: &[PurposeName],
    change: Change,
) {
    for token in tokens {
        for purpose in PURPOSES.into_iter().filter(|purpose| *purpose != "*") {
            if places.iter().any(|place| on_path(purpose, place)) {
                let item = (namespace.clone(), *token, purpose);
                match change {
                    Change::OptOut => denied.insert(item),
                    Change::OptIn => denied.remove(&item),
                };
            }
        }
    }
}

proptest! {
    #[test]
    fn an_opt_out_is_never_lost(script in scripts()) {
        let mut player = Player::new();
        let mut denied = Denied::new();
        for step in &script {
            let Some(command) = player.command(step) else { continue };
            let applied = player.driven.state.apply(&command);
            for (event, _) in &applied.events {
                if let (Some(change), Some(namespace)) = (event.change(), &event.namespace) {
                    let tokens: Vec<_> = event.tokens.iter().map(|t| t.subject.token).collect();
                    mark(&mut denied, namespace, &tokens, &event.purposes, change);
                }
            }
            // An OK without an event promises as much, unless it is the answer to a retry.
            if let (Body::SetPreference(set), Ok(Outcome::Preference { revision, .. })) = (&command.body, &applied.reply) {
                let fresh = applied.events.is_empty() && !matches!(step, super::script::Step::Again { .. });
                if fresh && set.change == Change::OptOut {
                    prop_assert!(*revision <= player.driven.state.revision());
                    let tokens: Vec<_> = set.tokens.iter().map(|t| t.token).collect();
                    mark(&mut denied, &set.namespace, &tokens, &set.purposes, Change::OptOut);
                }
            }
            let state = &player.driven.state;
            for (namespace, token, purpose) in &denied {
                let tokens = [SubjectToken { token: *token, ..subject(0) }];
                let essential = state.registry().get(&name(purpose)).is_some_and(|p| p.essential);
                let verdict = state.decide(namespace, &tokens, &name(purpose), 0, 0);
                let allowed = verdict.is_ok_and(|verdict| verdict.decision == Decision::Allow);
                prop_assert!(!allowed || essential, "{} is allowed in {}", purpose, namespace);
            }
        }
    }

    #[test]
    fn an_accepted_request_has_one_effect(script in scripts()) {
        let mut player = Player::new();
        for step in &script {
            let Some(command) = player.command(step) else { continue };
            let reply = player.driven.apply(&command);
            if reply.is_err() {
                continue;
            }
            // At once, by another leader with another clock; on a restored node; and on one that folded other events.
            let mut again = command.clone();
            again.event_id = again.event_id.derive(1);
            again.received_at.0 += 2 * DAY;
            let mut restored = State::from_chunks(player.driven.state.chunks().map(Ok::<_, ()>)).unwrap();
            for state in [&mut player.driven.state.clone(), &mut restored] {
                let (revision, hash) = (state.revision(), state.hash());
                let retried = state.apply(&again);
                prop_assert!(retried.events.is_empty());
                prop_assert_eq!((state.revision(), state.hash()), (revision, hash));
                match (&reply, &retried.reply) {
                    (Ok(Outcome::Import { next_row, .. }), Ok(Outcome::Import { changed: 0, next_row: again, .. })) => {
                        prop_assert_eq!(next_row, again);
                    }
                    (first, again) => prop_assert_eq!(first, again),
                }
            }
        }
    }
}

//! An opt-out is never lost: after it, nothing allows until a newer opt-in stands on the path; and a retry has one effect.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::player::Player;
use super::script::{PURPOSES, SUBJECTS, scripts};
use crate::domain::fixtures::*;
use crate::domain::*;

/// What must be denied: a namespace, a token, a purpose.
type Denied = BTreeSet<(Namespace, Token, &'static str)>;

fn on_path(purpose: &str, place: &PurposeName) -> bool {
    name(purpose).is_within(place)
}

/// Marks what a place covers, or takes the marks away.
fn mark(
    denied: &mut Denied,
    namespace: &Namespace,
    tokens: &[Token],
    place: &PurposeName,
    change: Change,
) {
    for token in tokens {
        for purpose in PURPOSES.into_iter().filter(|purpose| *purpose != "*") {
            if on_path(purpose, place) {
                let item = (namespace.clone(), *token, purpose);
                match change {
                    Change::OptOut => denied.insert(item),
                    Change::OptIn => denied.remove(&item),
                };
            }
        }
    }
}

/// Whether a state allows the service `shop` to go on, with what would do so: a registered essential purpose, or an
/// override.
fn allows(state: &State, namespace: &Namespace, token: Token, purpose: &str) -> Option<Verdict> {
    let tokens = [SubjectToken {
        token,
        ..subject(0)
    }];
    let verdict = state.decide(&Question {
        namespace,
        tokens: &tokens,
        purpose: &name(purpose),
        service: &service("shop"),
        schema_version: state.registry().schema_version(),
        min_revision: 0,
        at: state.log_time(),
    });
    verdict
        .ok()
        .filter(|verdict| verdict.decision == Decision::Allow)
}

proptest! {
    #[test]
    fn an_opt_out_is_never_lost(script in scripts()) {
        let mut player = Player::new();
        let mut denied = Denied::new();
        let mut signalled = BTreeSet::new();
        for step in &script {
            let Some(command) = player.command(step) else { continue };
            let from = player.driven.events.len();
            let reply = player.driven.apply(&command);
            for event in &player.driven.events[from..] {
                let Some(namespace) = &event.namespace else { continue };
                let tokens: Vec<_> = event.tokens.iter().map(|t| t.subject.token).collect();
                for (place, change) in event.changes() {
                    if event.signal == Signal::Gpc {
                        // A signal that comes again takes no consent away that was given after it first came.
                        let first = |t: &Token| signalled.insert((namespace.clone(), *t, place.clone()));
                        let new: Vec<_> = tokens.iter().copied().filter(first).collect();
                        mark(&mut denied, namespace, &new, place, change);
                    } else {
                        mark(&mut denied, namespace, &tokens, place, change);
                    }
                }
            }
            // An OK without an event promises as much, unless it is the answer to a retry.
            if let (Body::SetPreference(set), Ok(Outcome::Preference { revision, changed: false, .. })) = (&command.body, &reply)
                && !matches!(step, super::script::Step::Again { .. })
            {
                prop_assert!(*revision <= player.driven.state.revision());
                let tokens: Vec<_> = set.tokens.iter().map(|t| t.token).collect();
                for place in &set.opt_out {
                    mark(&mut denied, &set.namespace, &tokens, place, Change::OptOut);
                }
            }
            let state = &player.driven.state;
            for (namespace, token, purpose) in &denied {
                let essential = state.registry().get(&name(purpose)).is_some_and(|p| p.essential);
                let allowed = allows(state, namespace, *token, purpose);
                let by_override = |verdict: &Verdict| verdict.override_id.is_some();
                prop_assert!(allowed.as_ref().is_none_or(by_override) || essential, "{} is allowed in {}", purpose, namespace);
            }
        }
    }

    /// Every ALLOW that an override makes names one that two principals made, which has neither ended nor been revoked; and
    /// no registered purpose became essential, and no default was opened, by one principal alone.
    #[test]
    fn nothing_widens_allow_but_by_two_principals(script in scripts()) {
        let mut player = Player::new();
        for step in &script {
            let Some(command) = player.command(step) else { continue };
            let before = player.driven.state.clone();
            let from = player.driven.events.len();
            let _ = player.driven.apply(&command);
            let state = &player.driven.state;
            for event in &player.driven.events[from..] {
                let widened = before.registry().purposes().any(|old| {
                    state.registry().get(&old.name).is_some_and(|new| {
                        !old.essential && (new.essential || (old.default_deny && !new.default_deny))
                    })
                });
                let essential = |state: &State| state.registry().purposes().filter(|it| it.essential).count();
                let lowered = PURPOSES.iter().any(|at| {
                    let at = name(at);
                    state.schema_needed(&at) < before.schema_needed(&at)
                });
                if widened || lowered || essential(state) > essential(&before) {
                    prop_assert!(event.proposed_by.is_some());
                }
                if let Some(proposer) = &event.proposed_by {
                    prop_assert!(*proposer != event.principal, "one principal did both");
                }
            }
            for token in (0..SUBJECTS).map(|n| subject(n).token) {
                for purpose in PURPOSES.into_iter().filter(|purpose| *purpose != "*") {
                    let verdict = allows(state, &Namespace::default_namespace(), token, purpose);
                    let Some(id) = verdict.and_then(|verdict| verdict.override_id) else { continue };
                    let of = |kind| {
                        let mut events = player.driven.events.iter();
                        events.find(|event| event.kind == kind && event.change_id == Some(id))
                    };
                    let (proposed, began) = (of(EventKind::ChangeProposed).unwrap(), of(EventKind::OverrideBegan).unwrap());
                    prop_assert!(proposed.principal != began.principal);
                    prop_assert!(of(EventKind::OverrideRevoked).is_none() && of(EventKind::OverrideEnded).is_none());
                    let Detail::Proposed(change, _) = &proposed.detail else { panic!("no terms") };
                    let ProposedChange::Override(terms) = &**change else { panic!("no override") };
                    prop_assert!(state.log_time() < terms.expires_at);
                    // Whichever clock says so ends it.
                    let late = state.decide(&Question {
                        namespace: &Namespace::default_namespace(),
                        tokens: &[SubjectToken { token, ..subject(0) }],
                        purpose: &name(purpose),
                        service: &service("shop"),
                        schema_version: state.registry().schema_version(),
                        min_revision: 0,
                        at: terms.expires_at,
                    });
                    prop_assert!(late.is_ok_and(|verdict| verdict.override_id != Some(id)));
                }
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
                // What expires meanwhile, expires whatever comes.
                let idle = Command {
                    body: Body::ReportUsage(ReportUsage {
                        node_id: 9,
                        start: 9,
                        number: 1,
                        services: Vec::new(),
                        lifted: Vec::new(),
                    }),
                    ..again.clone()
                };
                state.apply(&idle);
                let (revision, hash) = (state.revision(), state.hash());
                let retried = state.apply(&again);
                prop_assert!(retried.events.is_empty());
                prop_assert_eq!((state.revision(), state.hash()), (revision, hash));
                match (&reply, &retried.reply) {
                    (Ok(Outcome::Import { next_row, .. }), Ok(Outcome::Import { changed: 0, next_row: again, .. })) => {
                        prop_assert_eq!(next_row, again);
                    }
                    // A report has no id of a request: that it counts once, its table's tests hold.
                    (Ok(Outcome::Done { .. }), Ok(Outcome::Done { .. })) => {}
                    (first, again) => prop_assert_eq!(first, again),
                }
            }
        }
    }
}

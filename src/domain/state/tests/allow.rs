//! Every way to an ALLOW: each reason that there is, whether it allows, and what it takes to come to it.

use crate::domain::fixtures::*;
use crate::domain::*;

/// All reasons, each at its place.
const REASONS: [Reason; 6] = [
    Reason::OptedOut,
    Reason::DefaultDeny,
    Reason::OptedIn,
    Reason::DefaultAllow,
    Reason::Essential,
    Reason::Overridden,
];

/// A new reason does not compile until it stands here, and among all.
fn place(reason: Reason) -> usize {
    match reason {
        Reason::OptedOut => 0,
        Reason::DefaultDeny => 1,
        Reason::OptedIn => 2,
        Reason::DefaultAllow => 3,
        Reason::Essential => 4,
        Reason::Overridden => 5,
    }
}

/// Whether it allows; and a purpose that is decided so for subject 1, after what that takes. A new reason does not compile
/// until it is shown.
fn shown(reason: Reason, driven: &mut Driven) -> (Decision, &'static str) {
    match reason {
        Reason::OptedOut => {
            driven.opt_out(&[1], &["sale"]).unwrap();
            (Decision::Deny, "sale")
        }
        Reason::DefaultDeny => (Decision::Deny, "ai_training"),
        // Evidence is required: see the tests of requests.
        Reason::OptedIn => {
            driven.opt_in(&[1], &["ai_training"]).unwrap();
            (Decision::Allow, "ai_training")
        }
        Reason::DefaultAllow => (Decision::Allow, "sale"),
        Reason::Essential => {
            driven.opt_out(&[1], &["*"]).unwrap();
            (Decision::Allow, "service.legal")
        }
        Reason::Overridden => {
            driven.opt_out(&[1], &["sale"]).unwrap();
            let lift = ProposedChange::Override(terms(driven.now, 30, &["sale"]));
            let id = made(&driven.propose("ann", lift));
            made(&driven.approve("bob", id, ChangeKind::Override));
            (Decision::Allow, "sale")
        }
    }
}

#[test]
fn every_reason_is_shown_and_four_of_them_allow() {
    for (at, reason) in REASONS.into_iter().enumerate() {
        assert_eq!(place(reason), at);
        let mut driven = Driven::new();
        let (decision, purpose) = shown(reason, &mut driven);
        let verdict = driven.verdict(&[1], purpose);
        assert_eq!((verdict.decision, verdict.reason), (decision, reason));
        let overridden = reason == Reason::Overridden;
        assert_eq!(verdict.override_id.is_some(), overridden);
        // Every other caller is told the same, but for an override, which names its services.
        let question = Question {
            namespace: &Namespace::default_namespace(),
            tokens: &subjects(&[1]),
            purpose: &name(purpose),
            service: &service("other"),
            schema_version: 0,
            min_revision: 0,
            at: driven.state.log_time(),
        };
        let other = driven.state.decide(&question).unwrap();
        let expected = if overridden { Reason::OptedOut } else { reason };
        assert_eq!(other.reason, expected);
    }
}

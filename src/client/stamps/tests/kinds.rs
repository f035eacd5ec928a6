//! What each kind of event does to stamps of before.

use super::{Time, event, judge, live};
use crate::{client::stamps::NoGoAhead, proto::v1::EventKind};

#[test]
fn every_kind_of_event_denies_unless_it_is_known_not_to() {
    let time = Time::new();
    let harmless = [
        EventKind::Namespace,
        EventKind::ChangeProposed,
        EventKind::ChangeWithdrawn,
        EventKind::OverrideBegan,
        EventKind::OverrideRevoked,
        EventKind::OverrideEnded,
        EventKind::StampKey,
        EventKind::JournalKey,
        EventKind::Membership,
        EventKind::Violation,
        EventKind::Anomaly,
        EventKind::AnomalySettings,
        EventKind::EvidenceErased,
    ];
    // All that there are, and some that there are not.
    for kind in (0..=40).chain([77, i32::MAX, -1]) {
        let harmless = harmless.iter().any(|it| i32::from(*it) == kind);
        let mut ledger = live(time);
        ledger.observe(&event(11, kind, &[]), time.at(1)).unwrap();
        let judged = judge(&ledger, 10, 1, time.at(1));
        let denied = NoGoAhead::RulesChanged {
            revision: 10,
            changed: 11,
        };
        if harmless {
            assert!(judged.is_ok(), "{kind}");
        } else {
            assert_eq!(judged, Err(denied), "{kind}");
        }
        // Whoever is named is, whatever the kind; others only where the kind says so.
        let mut ledger = live(time);
        ledger.observe(&event(11, kind, &[1]), time.at(1)).unwrap();
        assert!(judge(&ledger, 10, 1, time.at(1)).is_err(), "{kind}");
        let of_a_subject = (2..=3).contains(&kind) || kind == 7;
        let other = judge(&ledger, 10, 2, time.at(1));
        assert_eq!(other.is_ok(), harmless || of_a_subject, "{kind}");
        // What was decided with it in view is let be.
        assert!(judge(&ledger, 11, 1, time.at(1)).is_ok(), "{kind}");
    }
}

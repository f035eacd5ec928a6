//! Each reason for which a stamp is no go-ahead, and that it is one where there is none.

use std::time::Duration;

use super::{
    BOUND, Ledger, Moment, NOON, REMEMBERED, Time, broken, heartbeat, ledger, opt_out, token,
};
use crate::{
    client::{Seen, stamps::NoGoAhead},
    clock::Millis,
    limits,
    proto::v1::{Event, EventKind, EventToken, Heartbeat},
};

/// A watch that began at revision 10 and is live at 0 ms.
pub(super) fn live(time: Time) -> Ledger {
    let mut ledger = ledger(true);
    ledger.begin(10);
    ledger.observe(&heartbeat(10), time.at(0)).unwrap();
    ledger.confirm(time.at(0), 10).unwrap();
    ledger
}

pub(super) fn judge(
    ledger: &Ledger,
    revision: u64,
    number: u8,
    now: Moment,
) -> Result<Duration, NoGoAhead> {
    ledger.judge(revision, &[token(number)], now)
}

#[test]
fn nothing_goes_ahead_before_the_watch_is_live() {
    let time = Time::new();
    let mut ledger = ledger(true);
    let not_following = |ledger: &Ledger| {
        let judged = judge(ledger, 10, 1, time.at(0));
        matches!(judged, Err(NoGoAhead::NotFollowing(_)))
    };
    assert!(not_following(&ledger));
    ledger.begin(10);
    assert!(not_following(&ledger));
    // One sign of life is not enough, whichever it is.
    ledger.observe(&heartbeat(10), time.at(0)).unwrap();
    assert!(not_following(&ledger));
    ledger.begin(10);
    ledger.confirm(time.at(0), 10).unwrap();
    assert!(not_following(&ledger));
    ledger.observe(&heartbeat(10), time.at(0)).unwrap();
    assert!(judge(&ledger, 10, 1, time.at(0)).is_ok());

    ledger.lose("made up".to_owned());
    assert_eq!(
        judge(&ledger, 10, 1, time.at(0)),
        Err(NoGoAhead::NotFollowing("made up".to_owned()))
    );
}

#[test]
fn a_change_of_one_of_the_tokens_denies_what_is_older() {
    let time = Time::new();
    let mut ledger = live(time);
    ledger.observe(&opt_out(11, 1), time.at(1)).unwrap();
    ledger.observe(&opt_out(12, 2), time.at(1)).unwrap();
    let now = time.at(2);
    for (revision, number, changed) in [(10, 1, 11), (10, 2, 12), (11, 2, 12)] {
        let denied = NoGoAhead::SubjectChanged { revision, changed };
        assert_eq!(judge(&ledger, revision, number, now), Err(denied));
    }
    for (revision, number) in [(11, 1), (12, 2), (12, 1), (10, 3)] {
        assert!(judge(&ledger, revision, number, now).is_ok());
    }
    // Any of several is enough.
    let several = [token(3), token(4), token(2)];
    assert!(ledger.judge(11, &several, now).is_err());
    assert!(ledger.judge(12, &several, now).is_ok());
    assert!(ledger.judge(12, &["nonsense".to_owned()], now).is_err());
}

#[test]
fn a_token_that_cannot_be_read_may_be_anybodys() {
    let time = Time::new();
    for unreadable in [
        "",
        "1:",
        "1:0f",
        "x:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f",
        "0f0f",
    ] {
        let mut ledger = live(time);
        let event = Seen::Event(Event {
            revision: 11,
            kind: EventKind::OptOut.into(),
            tokens: vec![EventToken {
                token: unreadable.to_owned(),
                ..EventToken::default()
            }],
            ..Event::default()
        });
        ledger.observe(&event, time.at(1)).unwrap();
        assert!(judge(&ledger, 10, 1, time.at(1)).is_err(), "{unreadable}");
    }
}

#[test]
fn without_a_recent_word_of_both_nothing_goes_ahead() {
    let time = Time::new();
    let mut ledger = live(time);
    assert_eq!(judge(&ledger, 10, 1, time.at(3_000)), Ok(BOUND));
    let silent = |age| {
        Err(NoGoAhead::Silent {
            age: Duration::from_millis(age),
            bound: BOUND,
        })
    };
    assert_eq!(judge(&ledger, 10, 1, time.at(3_001)), silent(3_001));
    // The watch alone, as a node that is cut off goes on with it.
    ledger.observe(&heartbeat(10), time.at(3_000)).unwrap();
    assert_eq!(judge(&ledger, 10, 1, time.at(3_001)), silent(3_001));
    // The cluster alone.
    ledger.confirm(time.at(4_000), 10).unwrap();
    assert!(judge(&ledger, 10, 1, time.at(6_000)).is_ok());
    assert_eq!(judge(&ledger, 10, 1, time.at(6_001)), silent(3_001));
}

#[test]
fn an_answer_counts_from_the_question_on() {
    let time = Time::new();
    let mut ledger = live(time);
    ledger.observe(&heartbeat(10), time.at(5_000)).unwrap();
    // It came after 2 seconds.
    ledger.confirm(time.at(3_000), 10).unwrap();
    assert_eq!(
        judge(&ledger, 10, 1, time.at(5_000)),
        Ok(Duration::from_secs(2))
    );
    assert!(judge(&ledger, 10, 1, time.at(6_001)).is_err());
}

#[test]
fn a_watch_that_lags_behind_the_cluster_confirms_nothing() {
    let time = Time::new();
    let mut ledger = live(time);
    // Somebody opted out, and the node of the watch does not know it: it is cut off.
    for second in 1..=4 {
        ledger.confirm(time.at(second * 1_000), 11).unwrap();
        ledger
            .observe(&heartbeat(10), time.at(second * 1_000))
            .unwrap();
    }
    assert!(judge(&ledger, 10, 1, time.at(4_000)).is_err());
    assert!(ledger.is_behind(time.at(4_001)) && !ledger.is_behind(time.at(4_000)));
    // The event comes: the one it names is denied, everybody else is allowed as of the last question.
    ledger.observe(&opt_out(11, 1), time.at(4_500)).unwrap();
    assert!(judge(&ledger, 10, 1, time.at(4_500)).is_err());
    assert_eq!(
        judge(&ledger, 10, 2, time.at(4_500)),
        Ok(Duration::from_millis(500))
    );
    assert!(!ledger.is_behind(time.at(60_000)));
}

#[test]
fn what_waits_for_the_watch_is_bounded() {
    let time = Time::new();
    let mut ledger = live(time);
    for millis in 0..1_000 {
        ledger.confirm(time.at(millis), 11 + millis).unwrap();
    }
    assert!(judge(&ledger, 10, 1, time.at(3_001)).is_err());
    for revision in 11..=1_010 {
        ledger
            .observe(&opt_out(revision, 9), time.at(1_000))
            .unwrap();
    }
    // The last question was about the last event.
    let age = Duration::from_millis(2_002);
    assert_eq!(judge(&ledger, 1_010, 1, time.at(3_001)), Ok(age));
}

#[test]
fn after_an_interruption_it_must_be_live_again_and_has_missed_nothing() {
    let time = Time::new();
    let mut ledger = live(time);
    ledger.observe(&broken(), time.at(100)).unwrap();
    let denied =
        |ledger: &Ledger, now| matches!(judge(ledger, 10, 2, now), Err(NoGoAhead::NotFollowing(_)));
    assert!(denied(&ledger, time.at(100)));
    ledger.observe(&opt_out(11, 1), time.at(200)).unwrap();
    assert!(denied(&ledger, time.at(200)));
    ledger.confirm(time.at(200), 11).unwrap();
    assert!(judge(&ledger, 10, 2, time.at(200)).is_ok());
    assert!(judge(&ledger, 10, 1, time.at(200)).is_err());
}

#[test]
fn what_happened_before_the_watch_or_after_it_is_not_known() {
    let time = Time::new();
    let mut ledger = live(time);
    let before = NoGoAhead::BeforeTheWatch {
        revision: 9,
        began: 10,
    };
    assert_eq!(judge(&ledger, 9, 1, time.at(0)), Err(before));
    let after = NoGoAhead::NotReached {
        revision: 11,
        seen: 10,
    };
    assert_eq!(judge(&ledger, 11, 1, time.at(0)), Err(after));
    ledger.observe(&opt_out(11, 2), time.at(1)).unwrap();
    assert!(judge(&ledger, 11, 1, time.at(1)).is_ok());
    // Begun anew, further on.
    ledger.begin(12);
    ledger.observe(&heartbeat(12), time.at(2)).unwrap();
    ledger.confirm(time.at(2), 12).unwrap();
    assert!(judge(&ledger, 11, 1, time.at(2)).is_err());
    assert!(judge(&ledger, 12, 1, time.at(2)).is_ok());
}

#[test]
fn a_gap_a_repeat_and_a_cluster_that_went_back_are_noticed() {
    let time = Time::new();
    for wrong in [
        opt_out(12, 1),
        opt_out(10, 1),
        opt_out(1, 1),
        heartbeat(9),
        heartbeat(11),
        Seen::Synced(10),
    ] {
        assert!(live(time).observe(&wrong, time.at(1)).is_err(), "{wrong:?}");
    }
    let mut ledger = live(time);
    ledger.confirm(time.at(1), 12).unwrap();
    assert!(ledger.confirm(time.at(2), 11).is_err());
}

#[test]
fn with_a_filter_revisions_have_gaps_and_heartbeats_fill_them() {
    let time = Time::new();
    let mut ledger = ledger(false);
    ledger.begin(10);
    ledger.observe(&opt_out(15, 1), time.at(0)).unwrap();
    ledger.confirm(time.at(0), 20).unwrap();
    assert!(judge(&ledger, 15, 2, time.at(0)).is_err());
    ledger.observe(&heartbeat(20), time.at(1)).unwrap();
    assert!(judge(&ledger, 10, 2, time.at(1)).is_ok());
    assert!(judge(&ledger, 14, 1, time.at(1)).is_err());
    assert!(judge(&ledger, 20, 1, time.at(1)).is_ok());
    for wrong in [opt_out(20, 1), heartbeat(19)] {
        assert!(ledger.observe(&wrong, time.at(2)).is_err());
    }
}

#[test]
fn what_is_forgotten_is_denied() {
    let time = Time::new();
    let mut ledger = live(time);
    let many = 10 + REMEMBERED as u64;
    for revision in 11..=many {
        let number = u8::try_from(revision).unwrap();
        ledger
            .observe(&opt_out(revision, number), time.at(1))
            .unwrap();
    }
    ledger.confirm(time.at(1), many).unwrap();
    assert!(judge(&ledger, 10, 1, time.at(1)).is_ok());
    // One more, and the first is forgotten: who was in it cannot be told any more.
    ledger.observe(&opt_out(many + 1, 200), time.at(1)).unwrap();
    let denied = NoGoAhead::Forgotten {
        revision: 10,
        forgotten: 11,
    };
    assert_eq!(judge(&ledger, 10, 1, time.at(1)), Err(denied));
    assert!(judge(&ledger, 11, 11, time.at(1)).is_ok());
    assert!(judge(&ledger, 11, 12, time.at(1)).is_err());

    // Time does the same, whichever clock says that it has passed.
    let later = u64::try_from(limits::STAMP_MEMORY.as_millis()).unwrap() + 2;
    let asleep = Moment {
        at: time.at(1).at,
        ..time.at(later)
    };
    for moment in [time.at(later), asleep] {
        let mut ledger = live(time);
        ledger.observe(&opt_out(11, 1), time.at(1)).unwrap();
        ledger.observe(&opt_out(12, 2), moment).unwrap();
        ledger.confirm(moment, 12).unwrap();
        assert!(matches!(
            judge(&ledger, 10, 3, moment),
            Err(NoGoAhead::Forgotten { .. })
        ));
        assert!(judge(&ledger, 11, 1, moment).is_ok());
        assert!(judge(&ledger, 11, 2, moment).is_err());
    }
}

#[test]
fn a_later_change_of_the_same_token_outlives_the_earlier_one() {
    let time = Time::new();
    let mut ledger = live(time);
    ledger.observe(&opt_out(11, 1), time.at(1)).unwrap();
    let last = 10 + REMEMBERED as u64;
    for revision in 12..=last {
        ledger.observe(&opt_out(revision, 2), time.at(1)).unwrap();
    }
    ledger.observe(&opt_out(last + 1, 1), time.at(1)).unwrap();
    ledger.confirm(time.at(1), last + 1).unwrap();
    // The first is forgotten, and what token 1 did last is not.
    let denied = NoGoAhead::SubjectChanged {
        revision: last,
        changed: last + 1,
    };
    assert_eq!(judge(&ledger, last, 1, time.at(1)), Err(denied));
}

#[test]
fn clocks_that_stand_still_or_jump_deny() {
    let time = Time::new();
    let ledger = live(time);
    // The machine slept: only the wall clock knows.
    let asleep = Moment {
        at: time.at(10).at,
        ..time.at(60_000)
    };
    assert!(judge(&ledger, 10, 1, asleep).is_err());
    // The wall clock was set back while time went by.
    let back = Moment {
        wall: Millis(NOON - 3_600_000),
        ..time.at(3_001)
    };
    assert!(judge(&ledger, 10, 1, back).is_err());
    let back = Moment {
        wall: Millis(NOON - 3_600_000),
        ..time.at(10)
    };
    assert!(judge(&ledger, 10, 1, back).is_ok());
}

#[test]
fn a_stamps_life_is_judged_by_the_later_clock() {
    let time = Time::new();
    let mut ledger = live(time);
    assert_eq!(ledger.time(time.at(7)), Millis(NOON + 7));
    let beat = |seconds: u64| {
        Seen::Heartbeat(Heartbeat {
            revision: 10,
            sent_at: Some(prost_types::Timestamp {
                seconds: i64::try_from(seconds).unwrap(),
                nanos: 5_000_000,
            }),
        })
    };
    // The node's is ten minutes ahead of ours.
    let ahead = NOON / 1_000 + 600;
    ledger.observe(&beat(ahead), time.at(100)).unwrap();
    assert_eq!(ledger.time(time.at(350)), Millis(ahead * 1_000 + 255));
    // And now behind it.
    ledger.observe(&beat(5), time.at(400)).unwrap();
    assert_eq!(ledger.time(time.at(400)), Millis(NOON + 400));
}

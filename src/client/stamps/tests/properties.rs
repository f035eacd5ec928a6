//! Whatever the order in which things happen and are heard of, nothing goes ahead that had been forbidden long enough ago.

use std::time::Duration;

use proptest::prelude::*;

use super::{Time, broken, event, heartbeat, ledger, token};
use crate::client::stamps::ledger::{Ledger, Terms};

/// What happens, in the cluster or on the way from it.
#[derive(Debug, Clone)]
enum Step {
    /// The cluster takes a change: its kind and whom it names.
    Commit(i32, Vec<u8>),
    /// The watch brings the next event, if there is one.
    Deliver,
    /// The watch's node, which may know nothing of the rest, says that it lives.
    Beat,
    /// A question leaves, unless one is under way.
    Ask,
    /// Its answer arrives: as of when the question left, or as of now.
    Answer(bool),
    /// The connection breaks.
    Break,
    /// The watch begins anew, as of now.
    Begin,
    /// Time goes by, in milliseconds.
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let commit = (
        prop_oneof![8 => 2..=3_i32, 2 => 0..=24_i32],
        proptest::collection::vec(0..4_u8, 0..3),
    );
    let step = prop_oneof![
        4 => commit.prop_map(|(kind, tokens)| Step::Commit(kind, tokens)),
        6 => Just(Step::Deliver),
        3 => Just(Step::Beat),
        4 => Just(Step::Ask),
        4 => any::<bool>().prop_map(Step::Answer),
        1 => Just(Step::Break),
        1 => Just(Step::Begin),
        4 => (0..1_500_u64).prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 1..120)
}

/// What the cluster has taken: when, which kind, whom it names.
struct Taken {
    at: u64,
    kind: i32,
    tokens: Vec<u8>,
}

impl Taken {
    /// Whether it may change what is decided about this one, by the words of the contract alone.
    fn touches(&self, number: u8) -> bool {
        let for_all = match self.kind {
            2 | 3 | 7 => self.tokens.is_empty(),
            5 | 10..=21 => false,
            _ => true,
        };
        for_all || self.tokens.contains(&number)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_stamp_outlives_what_was_acknowledged_before_the_last_word(
        steps in steps(),
        remembered in 1..8_usize,
    ) {
        let time = Time::new();
        let mut ledger = Ledger::new(Terms { remembered, ..terms() });
        let mut taken: Vec<Taken> = Vec::new();
        let (mut now, mut delivered, mut question) = (0, 0_usize, None);
        for step in &steps {
            match step {
                Step::Commit(kind, tokens) => taken.push(Taken {
                    at: now,
                    kind: *kind,
                    tokens: tokens.clone(),
                }),
                Step::Deliver => if let Some(next) = taken.get(delivered) {
                    delivered += 1;
                    let next = event(delivered as u64, next.kind, &next.tokens);
                    prop_assert!(ledger.observe(&next, time.at(now)).is_ok());
                },
                Step::Beat => {
                    let beat = heartbeat(delivered as u64);
                    prop_assert!(ledger.observe(&beat, time.at(now)).is_ok());
                }
                Step::Ask => question = question.or(Some((now, taken.len()))),
                Step::Answer(as_of_now) => if let Some((asked, then)) = question.take() {
                    let revision = if *as_of_now { taken.len() } else { then };
                    prop_assert!(ledger.confirm(time.at(asked), revision as u64).is_ok());
                },
                Step::Break => {
                    prop_assert!(ledger.observe(&broken(), time.at(now)).is_ok());
                }
                Step::Begin => {
                    question = None;
                    delivered = taken.len();
                    ledger.begin(delivered as u64);
                }
                Step::Wait(millis) => now += millis,
            }
            for number in 0..4 {
                for revision in 0..=taken.len() as u64 {
                    let judged = ledger.judge(revision, &[token(number)], time.at(now));
                    let Ok(age) = judged else { continue };
                    prop_assert!(age <= terms().bound);
                    let known_until = now - u64::try_from(age.as_millis()).unwrap();
                    let since = taken.iter().zip(1..).filter(|(_, at)| *at > revision);
                    for (change, at) in since {
                        let late: bool = change.at >= known_until && at > delivered as u64;
                        prop_assert!(
                            late || !change.touches(number),
                            "a stamp of {revision} about {number} went ahead at {now}, after {at}"
                        );
                    }
                }
            }
        }
    }
}

fn terms() -> Terms {
    Terms {
        bound: Duration::from_secs(3),
        remembered: 0,
        dense: true,
    }
}

/// In the order in which a quiet day goes, everything goes ahead that nobody has forbidden.
#[test]
fn on_a_quiet_day_stamps_go_ahead() {
    let time = Time::new();
    let mut ledger = ledger(true);
    ledger.begin(0);
    for second in 1..100_u64 {
        let now = time.at(second * 1_000);
        ledger.observe(&event(second, 2, &[9]), now).unwrap();
        ledger.confirm(now, second).unwrap();
        for revision in 0..=second {
            let judged = ledger.judge(revision, &[token(1)], now);
            assert!(judged.is_ok(), "{revision} at {second}: {judged:?}");
        }
    }
}

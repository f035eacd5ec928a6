//! Whatever a single copy does, nothing is violated, and nothing is left unjudged.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::single_copy::{Step, run};
use crate::invariants::history::{Call, Outcome};
use crate::invariants::judge;

/// A script of any kind.
pub fn script(steps: usize) -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec(proptest::array::uniform4(0..240_usize), 0..steps)
}

/// So many cases. What fails is shown as a script; it is not kept.
pub fn cases(count: u32) -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        max_shrink_iters: 4_000,
        ..ProptestConfig::with_cases(count)
    }
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn a_single_copy_violates_nothing(script in script(150)) {
        let report = judge(&run(&script));
        prop_assert!(report.violated().is_empty(), "{report}");
        prop_assert_eq!(report.gave_up(), 0, "{}", report);
    }
}

/// Enough of everything is in such histories, so that the property means something.
#[test]
fn the_single_copy_does_all_kinds_of_things() {
    let mut random = TestRunner::deterministic();
    let mut counts = [0; 9];
    for _ in 0..100 {
        let script = script(150).new_tree(&mut random).unwrap().current();
        let history = run(&script);
        for operation in &history.operations {
            let kind = match (&operation.call, &operation.outcome) {
                (_, Outcome::Failed) => 0,
                (Call::Set { .. }, Outcome::Unknown) => 1,
                (_, Outcome::Unknown) => 2,
                (_, Outcome::Done { changed: true, .. }) => 3,
                (_, Outcome::Done { changed: false, .. }) => 4,
                (_, Outcome::Decided { allow: true, .. }) => 5,
                (_, Outcome::Decided { allow: false, .. }) => 6,
                (_, Outcome::Stands { .. }) => 7,
            };
            counts[kind] += 1;
            let retries = history
                .operations
                .iter()
                .filter(|it| it.call == operation.call);
            let is_set = matches!(operation.call, Call::Set { .. });
            counts[8] += usize::from(is_set && retries.count() > 1);
        }
    }
    println!("{counts:?}");
    assert!(counts.iter().all(|count| *count > 50), "{counts:?}");
}

//! One lie in a correct history is caught by the invariant that is there for it, wherever it is told.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::correct::{cases, script};
use super::lies::LIES;
use super::single_copy::run;
use crate::invariants::judge;

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn a_lie_is_caught(script in script(150), pick in any::<usize>()) {
        let history = run(&script);
        for lie in &LIES {
            let mut told = history.clone();
            if (lie.tell)(&mut told, pick) {
                let report = judge(&told);
                let caught = report.violated().contains(&lie.caught_by);
                prop_assert!(caught, "{}: not by {}: {report}", lie.name, lie.caught_by);
            }
        }
    }
}

/// Every lie can be told, so that each is shown to be caught, and each invariant has one.
#[test]
fn every_lie_is_told() {
    let mut random = TestRunner::deterministic();
    let mut told = [0; LIES.len()];
    for pick in 0..60 {
        let script = script(150).new_tree(&mut random).unwrap().current();
        let history = run(&script);
        for (lie, told) in LIES.iter().zip(&mut told) {
            *told += usize::from((lie.tell)(&mut history.clone(), pick));
        }
    }
    println!("{told:?}");
    for (lie, told) in LIES.iter().zip(told) {
        assert!(told > 5, "{}: {told} times", lie.name);
    }
    for invariant in crate::invariants::INVARIANTS {
        let mut lies = LIES.iter();
        assert!(
            lies.any(|lie| lie.caught_by == invariant.number),
            "{}",
            invariant.number
        );
    }
}

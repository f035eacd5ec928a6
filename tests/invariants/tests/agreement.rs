//! The two checkers of I1 agree: on short histories of any kind, right or wrong, the search finds an order if and only if some revisions would
//! have satisfied the other.

use proptest::prelude::*;

use super::correct::cases;
use super::tale::{blank, done, event, key};
use crate::invariants::history::{Call, Change, History, Outcome, Revision};
use crate::invariants::linearizable::{by_revision, wing_gong_lowe};
use crate::invariants::record::Begun;

/// What each client does, and the order in which clients begin and end.
type Script = (Vec<u8>, Vec<usize>);

fn script() -> impl Strategy<Value = Script> {
    let whats = proptest::collection::vec(0..9_u8, 1..6);
    (whats, proptest::collection::vec(0..5_usize, 0..24))
}

/// One call for each client, on one subject.
fn call(client: usize, what: u8) -> (Call, Outcome) {
    let set = |change, at| Call::set(format!("r{client}"), change, [key(at)]);
    let decided = |allow| Outcome::Decided { allow, revision: 0 };
    match what {
        0 => (set(Change::OptOut, "ada/p"), done(0)),
        1 => (set(Change::OptOut, "ada/p"), Outcome::Unknown),
        2 => (set(Change::OptIn, "ada/p.q"), done(0)),
        3 => (set(Change::OptIn, "ada/p.q"), Outcome::Unknown),
        4 => (set(Change::OptIn, "ada/p"), done(0)),
        5 => (Call::check(&key("ada/p")), decided(true)),
        6 => (Call::check(&key("ada/p")), decided(false)),
        7 => (Call::check(&key("ada/p.q")), decided(true)),
        _ => (Call::check(&key("ada/p.q")), decided(false)),
    }
}

/// Each client begins when it comes first, and ends when it comes again or when all are through.
fn told((whats, turns): &Script) -> History {
    let mut history = blank();
    let clients = whats.len();
    let mut begun: Vec<Option<Begun>> = vec![None; clients];
    let mut ended = vec![false; clients];
    let turns = turns.iter().map(|turn| turn % clients);
    for client in turns.chain(0..clients).chain(0..clients) {
        let (call, outcome) = call(client, whats[client]);
        match begun[client] {
            None => begun[client] = Some(history.begin(client, 0, call)),
            Some(begun) if !ended[client] => {
                ended[client] = true;
                history.end(begun, outcome, None);
            }
            Some(_) => {}
        }
    }
    history
}

/// Whether any revisions would do: every order of the calls is tried, with and without those of which nobody heard.
fn some_revisions_do(history: &History, order: &mut Vec<usize>) -> bool {
    let left: Vec<usize> = (0..history.operations.len())
        .filter(|at| !order.contains(at))
        .collect();
    let answered = |at: &usize| history.operations[*at].outcome.revision().is_some();
    if !left.iter().any(answered) && does(history, order) {
        return true;
    }
    left.into_iter().any(|at| {
        order.push(at);
        let found = some_revisions_do(history, order);
        order.pop();
        found
    })
}

/// Gives the calls their revisions by this order, and asks the checker.
fn does(history: &History, order: &[usize]) -> bool {
    let mut history = history.clone();
    let mut last: Revision = 0;
    for at in order {
        let operation = &mut history.operations[*at];
        match &mut operation.outcome {
            Outcome::Decided { revision, .. } => *revision = last,
            outcome => {
                last += 1;
                if *outcome != Outcome::Unknown {
                    *outcome = done(last);
                }
                let mut event = event(last, &operation.call);
                if let Call::Set { request_id, .. } = &operation.call {
                    event.request_id = Some(request_id.clone());
                }
                history.journals[0].entries.push(event);
            }
        }
    }
    by_revision::check(&history).violations.is_empty()
}

fn searched(history: &History) -> bool {
    let searched = wing_gong_lowe::check(history, wing_gong_lowe::STEPS);
    assert!(searched.gave_up.is_empty());
    searched.violations.is_empty()
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn the_two_checkers_agree(script in script()) {
        let history = told(&script);
        prop_assert_eq!(
            searched(&history),
            some_revisions_do(&history, &mut Vec::new()),
            "{:#?}", history.operations.iter().map(ToString::to_string).collect::<Vec<_>>()
        );
    }
}

/// Both answers are common, so that to agree means something.
#[test]
fn short_histories_of_both_kinds_are_tried() {
    use proptest::strategy::ValueTree as _;
    let mut random = proptest::test_runner::TestRunner::deterministic();
    let tried = (0..200).map(|_| script().new_tree(&mut random).unwrap().current());
    let right = tried.filter(|script| searched(&told(script))).count();
    assert!(
        (40..160).contains(&right),
        "{right} of 200 are linearizable"
    );
}

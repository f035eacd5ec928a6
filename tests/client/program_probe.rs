//! The probe against nodes that lie: it must notice.

use std::sync::{Arc, Mutex};

use refrain::proto::v1::{Member, Purpose};
use serde_json::Value;

use super::fake::{Fake, Fault, Model};
use super::program::{json, program};

/// A pass over these nodes, whatever became of it.
fn pass(nodes: &[&Fake]) -> Value {
    for node in nodes {
        let sale = Purpose {
            name: "sale".to_owned(),
            ..Purpose::default()
        };
        let mut model = node.model();
        model.purposes.insert(sale.name.clone(), sale);
        if model.members.is_empty() {
            model.members = vec![member(1, 7), member(2, 7)];
        }
    }
    let mut command = program(nodes[0]);
    let endpoints: Vec<String> = nodes.iter().map(|node| node.uri()).collect();
    command.env("REFRAIN_ENDPOINT", endpoints.join(","));
    let output = command
        .args(["--output", "json", "--timeout", "2s", "probe"])
        .output()
        .unwrap();
    // Something is always found: they take what they must not.
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    json(&output.stdout)
}

/// A member that tells the hash of its state at this revision.
fn member(number: u64, hash_revision: u64) -> Member {
    Member {
        node_id: format!("{number:016x}"),
        role: "voter".to_owned(),
        reachable: true,
        state_hash: "ab".repeat(32),
        hash_revision,
        ..Member::default()
    }
}

fn faults(pass: &Value, name: &str) -> String {
    let steps = pass["steps"].as_array().unwrap();
    let step = steps.iter().find(|it| it["step"] == name);
    step.unwrap_or_else(|| panic!("no {name} in {pass}"))["faults"].to_string()
}

#[test]
fn honest_nodes_are_believed() {
    let (one, other) = Fake::pair();
    let pass = pass(&[&one, &other]);
    for step in ["opt out", "read", "opt in", "watch", "states", "journals"] {
        assert_eq!(faults(&pass, step), "[]", "{pass}");
    }
}

#[test]
fn journals_that_were_not_compared_did_not_hold() {
    // One that cannot sign.
    let (one, other) = Fake::pair();
    other.signs(|_| None);
    let found = faults(&pass(&[&one, &other]), "journals");
    assert!(
        found.contains(&format!("{} signs no checkpoint", other.uri())),
        "{found}"
    );
    assert!(found.contains("JOURNAL_KEY_MISSING"), "{found}");
    assert!(!found.contains(&one.uri()), "{found}");

    // One that stays behind what was acknowledged.
    let (one, other) = Fake::pair();
    other.signs(|_| Some((1, 7)));
    let found = faults(&pass(&[&one, &other]), "journals");
    assert!(
        found.contains(&format!("{} signs a journal of 1 events", other.uri())),
        "{found}"
    );

    // Two that are never of one size.
    let (one, other) = Fake::pair();
    other.signs(|revision| Some((revision + 1, 7)));
    let found = faults(&pass(&[&one, &other]), "journals");
    assert!(found.contains("not compared"), "{found}");
}

#[test]
fn journals_that_grow_all_the_while_are_compared_all_the_same() {
    // At no moment are both of one size; but what the one signs, the other has signed before, or will.
    let growing = |at: u64, step: u64, root: u8| {
        let mut size = at;
        move |revision: u64| {
            size += step;
            Some((revision + size, root))
        }
    };
    let (one, other) = Fake::pair();
    one.signs(growing(0, 2, 7));
    other.signs(growing(100, 1, 7));
    let all = pass(&[&one, &other]);
    assert_eq!(faults(&all, "journals"), "[]", "{all}");

    let (one, other) = Fake::pair();
    one.signs(growing(0, 2, 7));
    other.signs(growing(100, 1, 8));
    let found = faults(&pass(&[&one, &other]), "journals");
    assert!(found.contains("JOURNAL DIFFERS"), "{found}");
}

#[test]
fn states_that_were_not_compared_did_not_hold() {
    let nodes = || {
        let (one, other) = Fake::pair();
        one.model().members = vec![member(1, 7), member(2, 7), member(3, 6)];
        (one, other)
    };
    let (one, other) = nodes();
    let found = faults(&pass(&[&one, &other]), "states");
    assert!(found.contains(&member(3, 6).node_id), "{found}");
    assert!(!found.contains(&member(2, 7).node_id), "{found}");

    let (one, other) = nodes();
    one.model().members[2].state_hash.clear();
    let found = faults(&pass(&[&one, &other]), "states");
    assert!(found.contains("tells no hash"), "{found}");

    let (one, other) = nodes();
    one.model().members[2] = Member {
        state_hash: "cd".repeat(32),
        ..member(3, 7)
    };
    let found = faults(&pass(&[&one, &other]), "states");
    assert!(found.contains("STATE DIFFERS"), "{found}");

    // Who is down, or waits to be added, has nothing to tell.
    let (one, other) = nodes();
    one.model().members[2].reachable = false;
    let waiting = Member {
        role: "none".to_owned(),
        ..member(4, 1)
    };
    one.model().members.push(waiting);
    let all = pass(&[&one, &other]);
    assert_eq!(faults(&all, "states"), "[]", "{all}");
}

#[test]
fn a_node_that_does_not_know_what_another_acknowledged_is_noticed() {
    let honest = Fake::start();
    let stale = Fake::of(&Arc::<Mutex<Model>>::default());
    let pass = pass(&[&honest, &stale]);
    for step in ["opt out", "read"] {
        let found = faults(&pass, step);
        assert!(found.contains("DECISION_ALLOW"), "{step}: {found}");
        assert!(
            found.contains(&stale.address.to_string()),
            "{step}: {found}"
        );
        assert!(
            !found.contains(&honest.address.to_string()),
            "{step}: {found}"
        );
    }
    // Two nodes that count for themselves cannot have one order.
    assert_ne!(faults(&pass, "watch"), "[]");
}

#[test]
fn a_watch_that_leaves_out_or_never_comes_is_noticed() {
    let (one, other) = Fake::pair();
    other.fail_feeds((0..50).map(|_| Fault::EndFeedAfter(0)));
    let pass = pass(&[&one, &other]);
    let found = faults(&pass, "watch");
    assert!(found.contains(&other.address.to_string()), "{found}");
    assert!(!found.contains(&one.address.to_string()), "{found}");
}

#[test]
fn a_node_that_takes_what_it_must_not_is_noticed() {
    // The made-up node takes every schema version and every stamp it can read.
    let (one, other) = Fake::pair();
    let pass = pass(&[&one, &other]);
    let found = faults(&pass, "falsehoods");
    for node in [&one, &other] {
        let took = format!("{} took a schema that is not there", node.uri());
        assert!(found.contains(&took), "{found}");
    }
}

#[test]
fn where_nobody_answers_its_status_says_so() {
    let (one, other) = Fake::pair();
    one.kill();
    other.kill();
    for endpoints in [one.uri(), format!("{},{}", one.uri(), other.uri())] {
        let mut command = program(&one);
        command.env("REFRAIN_ENDPOINT", &endpoints);
        let output = command.args(["--timeout", "1s", "probe"]).output().unwrap();
        assert_eq!(output.status.code(), Some(69), "{endpoints}: {output:?}");
    }
}

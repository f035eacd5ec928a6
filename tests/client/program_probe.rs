//! The probe against nodes that lie: it must notice.

use std::sync::{Arc, Mutex};

use refrain::proto::v1::Purpose;
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
        node.model().purposes.insert(sale.name.clone(), sale);
    }
    let mut command = program(nodes[0]);
    let endpoints: Vec<String> = nodes.iter().map(|node| node.uri()).collect();
    command.env("REFRAIN_ENDPOINT", endpoints.join(","));
    let output = command
        .args(["--output", "json", "--timeout", "2s", "probe"])
        .output()
        .unwrap();
    // These nodes sign no journal, so that something is always found.
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    json(&output.stdout)
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
    for step in ["opt out", "read", "opt in", "watch"] {
        assert_eq!(faults(&pass, step), "[]", "{pass}");
    }
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
    assert!(found.contains("took a schema that is not there"), "{found}");
    let found = faults(&pass, "journals");
    assert_ne!(found, "[]", "a node without checkpoints");
}

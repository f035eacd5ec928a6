//! Same revision, same state, same journal: what the nodes say of themselves and of each other.
//!
//! Others may write all the while, so that two nodes are seldom at one revision when they are asked. They are asked again, and what one told is
//! held against all that the others told, before and after. What never met is a fault: not compared is not alike.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures::future::join_all;
use refrain::{
    client::Error,
    proof::{Checkpoint, KnownKey, VerifierKeys},
};
use tokio::time::sleep;

use super::{compared::Compared, nodes::Node, record::Step};

/// How often nodes are asked at most, within the patience of a pass.
const TRIES: usize = 200;

/// How long between two tries.
const PAUSE: Duration = Duration::from_millis(5);

/// Same revision, same state, as each node says of itself and of the others.
pub async fn states(up: &[Node], patience: Duration) -> Step {
    let mut step = Step::new("states");
    let until = Instant::now() + patience;
    let mut told = Compared::default();
    let mut failing = BTreeMap::new();
    let mut members = BTreeMap::new();
    for _ in 0..TRIES {
        failing.clear();
        members.clear();
        let asked = join_all(up.iter().map(|node| async {
            let begun = Instant::now();
            (node.client.cluster_status().await, begun.elapsed())
        }));
        for (node, (status, took)) in up.iter().zip(asked.await) {
            step.took(took);
            let listed = match status {
                Ok(status) => status.members,
                Err(error) => {
                    failing.insert(&node.address, error);
                    continue;
                }
            };
            let serving = listed.into_iter().filter(|it| it.reachable);
            for member in serving.filter(|it| it.role != "none") {
                if !member.state_hash.is_empty() {
                    told.note(&member.node_id, member.hash_revision, member.state_hash);
                }
                members.insert(member.node_id, member.client_address);
            }
        }
        if let Some((revision, nodes)) = told.difference() {
            let nodes = nodes.join(" and ");
            step.fault(format!("STATE DIFFERS at revision {revision}: {nodes}"));
            return step;
        }
        let all: Vec<_> = members.keys().map(String::as_str).collect();
        if failing.is_empty() && !all.is_empty() && told.apart(&all).is_empty() {
            return step;
        }
        if Instant::now() >= until {
            break;
        }
        sleep(PAUSE).await;
    }
    for (address, error) in failing {
        step.fault(format!("{address} does not answer: {error}"));
    }
    if members.is_empty() && step.holds() {
        step.fault("no node tells of a member");
    }
    let (told_some, silent): (Vec<&str>, Vec<&str>) = members
        .keys()
        .map(String::as_str)
        .partition(|node| told.reached(node).is_some());
    for node in silent {
        step.fault(format!("{node} tells no hash of its state"));
    }
    for node in told.apart(&told_some) {
        step.fault(format!(
            "the state of {node} ({}) was never told at a revision at which another's was: it was not compared",
            members.get(node).map_or("", String::as_str)
        ));
    }
    step
}

/// The nodes sign one journal, with the change of this revision in it: checkpoints of one size have one root.
pub async fn journals(up: &[Node], written: u64, patience: Duration) -> Step {
    let mut step = Step::new("journals");
    let until = Instant::now() + patience;
    let mut told = Compared::default();
    let mut errors = BTreeMap::new();
    let all: Vec<&str> = up.iter().map(|node| &*node.address).collect();
    let reached = |told: &Compared, node: &str| told.reached(node).unwrap_or_default();
    for _ in 0..TRIES {
        let asked = join_all(up.iter().map(|node| async move {
            let begun = Instant::now();
            (checkpoint(node).await, begun.elapsed())
        }));
        for (node, (checkpoint, took)) in up.iter().zip(asked.await) {
            match checkpoint {
                Ok(checkpoint) => {
                    step.took(took);
                    let root = hex::encode(checkpoint.root);
                    told.note(&node.address, checkpoint.size, root);
                }
                Err((true, why)) => {
                    errors.insert(&*node.address, why);
                }
                Err((false, why)) => {
                    step.fault(format!("{}: {why}", node.address));
                    return step;
                }
            }
        }
        if let Some((size, nodes)) = told.difference() {
            let nodes = nodes.join(" and ");
            step.fault(format!(
                "JOURNAL DIFFERS: {nodes} signed different roots over {size} events"
            ));
            return step;
        }
        let written = |node: &&str| reached(&told, node) >= written.max(1);
        if all.iter().all(written) && told.apart(&all).is_empty() {
            return step;
        }
        if Instant::now() >= until {
            break;
        }
        sleep(PAUSE).await;
    }
    let mut whole = Vec::new();
    for node in all {
        match told.reached(node) {
            None => {
                let why = errors.get(node).map_or("", String::as_str);
                step.fault(format!("{node} signs no checkpoint: {why}"));
            }
            Some(size) if size < written => step.fault(format!(
                "{node} signs a journal of {size} events: the change at revision {written} was acknowledged"
            )),
            Some(_) => whole.push(node),
        }
    }
    for node in told.apart(&whole) {
        step.fault(format!(
            "{node} signed no checkpoint of a size that another signed: its journal, of {} events at last, was not compared",
            reached(&told, node)
        ));
    }
    step
}

/// A node's checkpoint, verified by the keys that the same node tells. True with an error that may go by itself: a node makes its key when
/// it first signs.
async fn checkpoint(node: &Node) -> Result<Checkpoint, (bool, String)> {
    let told = |error: Error| (error.is_temporary(), error.to_string());
    let signed = node.client.checkpoint().await.map_err(told)?;
    let listed = node.client.journal_keys().await.map_err(told)?;
    let keys = listed.keys.iter().filter_map(|listed| {
        let retired_at = Some(listed.retired_at).filter(|at| *at != 0);
        let key = listed.verifier_key.parse().ok()?;
        Some(KnownKey { key, retired_at })
    });
    let verified = Checkpoint::verify(&signed, &VerifierKeys::new(keys));
    let (checkpoint, _) = verified.map_err(|error| (false, format!("its checkpoint: {error}")))?;
    Ok(checkpoint)
}

//! One pass: an opt-out and an opt-in of one made-up person, through the nodes in turn, and what all of them make of it.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures::{StreamExt as _, future::join_all};
use refrain::{
    client::{Error, Seen},
    domain::Namespace,
    proof::{Checkpoint, VerifierKey, VerifierKeys},
    proto::v1::{Decision, Evidence, SetOptInRequest, SetOptOutRequest, Signal, WatchRequest},
};
use tokio::time::{sleep, timeout};

use super::{
    falsehoods, in_flight,
    nodes::{Node, subject},
    record::{Pass, Step},
};

/// How often checkpoints are taken until all are of one size: others may write meanwhile.
const TRIES: usize = 10;

/// What an event is known by: its id and its revision.
type Made = (String, u64);

/// Makes a pass; the `number`-th, so that each node has its turn at being written to.
pub async fn make(nodes: &[Node], number: usize, patience: Duration) -> Pass {
    let begun = Instant::now();
    let mut events = 0;
    let (up, members) = members(nodes).await;
    let mut steps = vec![members];
    let purpose = match purpose(&up).await {
        Ok(purpose) if !up.is_empty() => purpose,
        Ok(_) => return ended(nodes, steps, events, begun),
        Err(why) => {
            let mut step = Step::new("purpose");
            step.fault(why);
            steps.push(step);
            return ended(nodes, steps, events, begun);
        }
    };
    let at = |turn: usize| &up[(number + turn) % up.len()];

    let mut step = Step::new("opt out");
    let out = opt_out(at(0), &purpose);
    let out = in_flight::through(&mut step, &up, &purpose, Decision::Deny, out).await;
    let out = note(&mut step, out, &mut events);
    steps.push(step);
    if out.is_none() {
        // All that follows rests on it.
        return ended(nodes, steps, events, begun);
    }
    steps.push(read(&up, &purpose, out.as_ref()).await);

    let mut step = Step::new("falsehoods");
    falsehoods::are_refused(&mut step, at(2), &purpose, patience).await;
    steps.push(step);

    let mut step = Step::new("opt in");
    let back = opt_in(at(1), &purpose);
    let back = in_flight::through(&mut step, &up, &purpose, Decision::Allow, back).await;
    let back = note(&mut step, back, &mut events);
    steps.push(step);

    steps.push(watch(&up, out, back, patience).await);
    steps.push(states(&up).await);
    steps.push(journals(&up).await);
    ended(nodes, steps, events, begun)
}

fn ended(nodes: &[Node], steps: Vec<Step>, events: u64, begun: Instant) -> Pass {
    Pass {
        nodes: nodes.len(),
        steps,
        events,
        took: begun.elapsed(),
    }
}

/// The nodes that answer, and what they say of the cluster.
async fn members(nodes: &[Node]) -> (Vec<Node>, Step) {
    let mut step = Step::new("members");
    let asked = join_all(nodes.iter().map(|node| async {
        let begun = Instant::now();
        (node.client.cluster_status().await, begun.elapsed())
    }))
    .await;
    let mut up = Vec::new();
    let mut alarms = BTreeMap::new();
    for (node, (status, took)) in nodes.iter().zip(asked) {
        step.took(took);
        match status {
            Ok(status) => {
                up.push(node.clone());
                for alarm in status.alarms {
                    alarms.entry(alarm).or_insert_with(|| node.address.clone());
                }
            }
            Err(error) => step.fault(format!("{} does not answer: {error}", node.address)),
        }
    }
    for (alarm, address) in alarms {
        step.fault(format!("{address} raises an alarm: {alarm}"));
    }
    (up, step)
}

/// A purpose that people without a record may be processed for: the first one, by name.
async fn purpose(up: &[Node]) -> Result<String, String> {
    let Some(node) = up.first() else {
        return Ok(String::new());
    };
    let listed = node.client.purposes().await.map_err(|it| it.to_string())?;
    let mut fits = listed.purposes.into_iter().filter(|it| !it.essential);
    let fits = fits.find(|it| it.default_deny != Some(true));
    fits.map(|it| it.name)
        .ok_or_else(|| "no purpose is allowed to people without a record".to_owned())
}

fn note(step: &mut Step, made: Result<(Made, bool), String>, events: &mut u64) -> Option<Made> {
    match made {
        Ok((made, changed)) => {
            *events += u64::from(changed);
            Some(made)
        }
        Err(why) => {
            step.fault(why);
            None
        }
    }
}

async fn opt_out(node: &Node, purpose: &str) -> Result<((Made, bool), u64), String> {
    let request = SetOptOutRequest {
        namespace: Namespace::probe().to_string(),
        identifiers: subject(),
        purposes: vec![purpose.to_owned()],
        signal: Signal::Probe.into(),
        ..SetOptOutRequest::default()
    };
    let done = node.client.opt_out(request).await;
    let done = done.map_err(|error| unmade(node, "opt-out", &error))?;
    let revision = done.revision;
    Ok((((done.event_id, revision), done.changed), revision))
}

async fn opt_in(node: &Node, purpose: &str) -> Result<((Made, bool), u64), String> {
    let request = SetOptInRequest {
        namespace: Namespace::probe().to_string(),
        identifiers: subject(),
        purposes: vec![purpose.to_owned()],
        signal: Signal::Probe.into(),
        evidence: Some(Evidence {
            statement: "nobody: a probe".to_owned(),
            ..Evidence::default()
        }),
        ..SetOptInRequest::default()
    };
    let done = node.client.opt_in(request).await;
    let done = done.map_err(|error| unmade(node, "opt-in", &error))?;
    let revision = done.revision;
    Ok((((done.event_id, revision), done.changed), revision))
}

fn unmade(node: &Node, what: &str, error: &Error) -> String {
    let advice = if error.reason() == "NAMESPACE_UNKNOWN" {
        "; run `refrain probe --prepare` once"
    } else {
        ""
    };
    format!("{} took no {what}: {error}{advice}", node.address)
}

/// Written here, read there at once.
async fn read(up: &[Node], purpose: &str, out: Option<&Made>) -> Step {
    let mut step = Step::new("read");
    let Some((_, revision)) = out else {
        step.fault("nothing was written that could be read");
        return step;
    };
    let asked = join_all(up.iter().map(|node| async move {
        let begun = Instant::now();
        (in_flight::decision(node, purpose).await, begun.elapsed())
    }));
    for (node, (answer, took)) in up.iter().zip(asked.await) {
        step.took(took);
        match answer {
            Ok((Decision::Deny, reached)) if reached >= *revision => {}
            Ok((decision, reached)) => step.fault(format!(
                "{} says {} as of revision {reached}: the opt-out is at {revision}",
                node.address,
                decision.as_str_name()
            )),
            Err(why) => step.fault(format!("{} has no answer: {why}", node.address)),
        }
    }
    step
}

/// What was written comes by the watch of each node, once and in order.
async fn watch(up: &[Node], out: Option<Made>, back: Option<Made>, patience: Duration) -> Step {
    let mut step = Step::new("watch");
    let (Some(out), Some(back)) = (out, back) else {
        step.fault("nothing was written that could be watched");
        return step;
    };
    if out.1 >= back.1 {
        let (first, second) = (out.1, back.1);
        step.fault(format!(
            "the opt-out is at revision {first}, and the opt-in that followed at {second}"
        ));
        return step;
    }
    let wanted = [&out, &back].map(|made| made.0.clone());
    let watched = join_all(up.iter().map(|node| async {
        let begun = Instant::now();
        let seen = timeout(patience, follow(node, out.1, back.1)).await;
        (seen, begun.elapsed())
    }));
    for (node, (seen, took)) in up.iter().zip(watched.await) {
        step.took(took);
        let address = &node.address;
        match seen {
            Err(_) => step.fault(format!(
                "the watch of {address} did not bring what was written in time"
            )),
            Ok(Err(error)) => step.fault(format!("the watch of {address} ended: {error}")),
            Ok(Ok(seen)) => {
                let ours = seen.into_iter().filter(|id| wanted.contains(id));
                if !ours.eq(wanted.iter().cloned()) {
                    step.fault(format!(
                        "the watch of {address} did not bring both changes once and in order"
                    ));
                }
            }
        }
    }
    step
}

/// The events of the namespace between two revisions, as a node's watch brings them.
async fn follow(node: &Node, from: u64, to: u64) -> Result<Vec<String>, Error> {
    let request = WatchRequest {
        from_revision: from,
        namespaces: vec![Namespace::probe().to_string()],
        heartbeat_interval_ms: 1_000,
        ..WatchRequest::default()
    };
    let mut feed = node.client.watch(request);
    let mut ids = Vec::new();
    while let Some(seen) = feed.next().await {
        match seen? {
            Seen::Event(event) => {
                let last = event.revision >= to;
                ids.push(event.id);
                if last {
                    break;
                }
            }
            Seen::Heartbeat(beat) if beat.revision >= to => break,
            _ => {}
        }
    }
    Ok(ids)
}

/// Same revision, same state, as each node says of itself and of the others.
async fn states(up: &[Node]) -> Step {
    let mut step = Step::new("states");
    let mut hashes: BTreeMap<u64, BTreeMap<String, String>> = BTreeMap::new();
    for node in up {
        let begun = Instant::now();
        let status = node.client.cluster_status().await;
        step.took(begun.elapsed());
        let members = match status {
            Ok(status) => status.members,
            Err(error) => {
                step.fault(format!("{} does not answer: {error}", node.address));
                continue;
            }
        };
        for member in members.into_iter().filter(|it| it.reachable) {
            let said = hashes.entry(member.hash_revision).or_default();
            said.insert(member.state_hash, member.node_id);
        }
    }
    for (revision, said) in hashes {
        if said.len() > 1 {
            let nodes: Vec<_> = said.into_values().collect();
            let nodes = nodes.join(" and ");
            step.fault(format!("STATE DIFFERS at revision {revision}: {nodes}"));
        }
    }
    step
}

/// The nodes sign one journal: checkpoints of one size have one root.
async fn journals(up: &[Node]) -> Step {
    let mut step = Step::new("journals");
    for _ in 0..TRIES {
        let mut again = false;
        let mut roots: BTreeMap<u64, BTreeMap<[u8; 32], &str>> = BTreeMap::new();
        let asked = join_all(up.iter().map(|node| async move {
            let begun = Instant::now();
            (checkpoint(node).await, begun.elapsed())
        }));
        for (node, (checkpoint, took)) in up.iter().zip(asked.await) {
            match checkpoint {
                Ok(checkpoint) => {
                    step.took(took);
                    let said = roots.entry(checkpoint.size).or_default();
                    said.insert(checkpoint.root, &node.address);
                }
                Err((true, _)) => again = true,
                Err((false, why)) => {
                    step.fault(format!("{}: {why}", node.address));
                    return step;
                }
            }
        }
        for (size, said) in &roots {
            if said.len() > 1 {
                let nodes: Vec<_> = said.values().copied().collect();
                let nodes = nodes.join(" and ");
                step.fault(format!(
                    "JOURNAL DIFFERS: {nodes} signed different roots over {size} events"
                ));
                return step;
            }
        }
        if roots.len() == 1 && !again {
            return step;
        }
        sleep(Duration::from_millis(100)).await;
    }
    // Others write all the while: what was of one size had one root.
    step
}

/// A node's checkpoint, verified by the keys that the same node tells. True with an error that may go by itself: a node makes its key when
/// it first signs.
async fn checkpoint(node: &Node) -> Result<Checkpoint, (bool, String)> {
    let told = |error: Error| (error.is_temporary(), error.to_string());
    let signed = node.client.checkpoint().await.map_err(told)?;
    let listed = node.client.journal_keys().await.map_err(told)?;
    let keys = listed.keys.iter();
    let keys = keys.filter_map(|it| it.verifier_key.parse::<VerifierKey>().ok());
    let keys = VerifierKeys::new(keys);
    let verified = Checkpoint::verify(&signed, &keys);
    let (checkpoint, _) = verified.map_err(|error| (false, format!("its checkpoint: {error}")))?;
    Ok(checkpoint)
}

//! One pass: an opt-out and an opt-in of one made-up person, through the nodes in turn, and what all of them make of it.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures::{StreamExt as _, future::join_all};
use refrain::{
    client::{Error, Seen},
    domain::Namespace,
    proto::v1::{Decision, Evidence, SetOptInRequest, SetOptOutRequest, Signal, WatchRequest},
};
use tokio::time::timeout;

use super::{
    alike, falsehoods, in_flight,
    nodes::{Node, subject},
    record::{Pass, Step},
};

/// What an event is known by: its id and its revision.
type Made = (String, u64);

/// Makes a pass; the `number`-th, so that each node has its turn at being written to.
pub async fn make(nodes: &[Node], number: usize, patience: Duration) -> Pass {
    let begun = Instant::now();
    let mut events = 0;
    let Members {
        up,
        step,
        unanswered,
    } = members(nodes).await;
    let mut steps = vec![step];
    let purpose = match purpose(&up).await {
        Ok(purpose) if !up.is_empty() => purpose,
        Ok(_) => {
            return Pass {
                unanswered,
                ..ended(nodes, steps, events, begun)
            };
        }
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
    for node in &up {
        falsehoods::are_refused(&mut step, node, &purpose, patience).await;
    }
    steps.push(step);

    let mut step = Step::new("opt in");
    let back = opt_in(at(1), &purpose);
    let back = in_flight::through(&mut step, &up, &purpose, Decision::Allow, back).await;
    let back = note(&mut step, back, &mut events);
    steps.push(step);

    let written = out.iter().chain(&back).map(|made| made.1).max();
    steps.push(watch(&up, out, back, patience).await);
    steps.push(alike::states(&up, patience).await);
    steps.push(alike::journals(&up, written.unwrap_or_default(), patience).await);
    ended(nodes, steps, events, begun)
}

fn ended(nodes: &[Node], steps: Vec<Step>, events: u64, begun: Instant) -> Pass {
    Pass {
        nodes: nodes.len(),
        steps,
        events,
        took: begun.elapsed(),
        unanswered: false,
    }
}

/// Who is there.
struct Members {
    /// The nodes that tell of the cluster.
    up: Vec<Node>,
    /// What they say of it.
    step: Step,
    /// Whether nobody answers, not even to refuse.
    unanswered: bool,
}

async fn members(nodes: &[Node]) -> Members {
    let mut unanswered = true;
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
                unanswered = false;
                up.push(node.clone());
                for alarm in status.alarms {
                    alarms.entry(alarm).or_insert_with(|| node.address.clone());
                }
            }
            Err(error) => {
                unanswered &= error.is_unreachable() || error.is_temporary();
                step.fault(format!("{} does not answer: {error}", node.address));
            }
        }
    }
    for (alarm, address) in alarms {
        step.fault(format!("{address} raises an alarm: {alarm}"));
    }
    Members {
        up,
        step,
        unanswered,
    }
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

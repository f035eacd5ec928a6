//! The acts of the demonstration, in order; each fails as soon as something is not as promised.

use std::{
    cell::RefCell,
    io::Cursor,
    time::{Duration, Instant},
};

use futures::StreamExt as _;
use refrain::{
    client::{Cause, Client, identifier},
    proto::v1::{AddRequest, Evidence, ImportHeader, SetOptInRequest},
};

use super::{
    PATIENCE, client_of,
    load::{self, Load, PURPOSE, question, stop_mailing},
    node::Node,
    story::Story,
};
use crate::cli::{
    failure::Failure,
    import::{report::Report, rows, table::Table},
    paint::{grouped, span},
};

/// The list that ships with the program.
const LIST: &[u8] = include_bytes!("../../../examples/suppression-list.csv");

/// Somebody who is on the list.
const LISTED: &str = "grace@example.com";

/// Somebody who is not.
const VISITOR: &str = "ada@example.com";

/// How long the load runs before the leader is killed.
const BEFORE_THE_KILL: Duration = Duration::from_secs(1);

/// How long it runs after writes have come back.
const AFTER_THE_GAP: Duration = Duration::from_secs(1);

/// What was seen.
pub struct Summary {
    /// Rows of the list that were taken.
    pub imported: u64,
    /// The longest time between two acknowledged opt-outs while the leader was killed.
    pub gap: Duration,
    /// Opt-outs acknowledged while that went on.
    pub acknowledged: usize,
    /// Checks that said DENY.
    pub denied: u64,
    /// Checks without an answer.
    pub unanswered: u64,
    /// Checks that said ALLOW.
    pub allowed: u64,
}

/// Plays all acts.
pub async fn play(nodes: &mut [Node], story: &Story<'_>) -> Result<Summary, Failure> {
    story.chapter("A cluster")?;
    start(nodes, story).await?;
    form(nodes, story).await?;

    story.chapter("Opting out")?;
    let imported = import(nodes, story).await?;
    preferences(nodes, story).await?;

    story.chapter("The leader dies")?;
    let summary = fail_over(nodes, story).await?;
    Ok(Summary {
        imported,
        ..summary
    })
}

async fn start(nodes: &mut [Node], story: &Story<'_>) -> Result<(), Failure> {
    let step = story.step("starting three nodes");
    for node in nodes.iter_mut() {
        node.start()?;
    }
    for node in nodes.iter_mut() {
        node.listening().await?;
    }
    let addresses: Vec<&str> = nodes.iter().map(|it| it.client.as_str()).collect();
    step.done("three nodes started", addresses.join("  "))
}

async fn form(nodes: &[Node], story: &Story<'_>) -> Result<(), Failure> {
    let step = story.step("forming a cluster");
    let client = client_of(&nodes[..1]).build()?;
    let ends = Instant::now() + PATIENCE;
    loop {
        match client.cluster_init().await {
            Ok(_) => break,
            // An attempt whose answer was lost.
            Err(error) if error.reason() == "CLUSTER_ALREADY_INITIALISED" => break,
            Err(error) if error.is_temporary() && Instant::now() < ends => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    for node in &nodes[1..] {
        let mut progress = client.cluster_add(AddRequest {
            peer_address: node.peer.clone(),
            learner: false,
        });
        while let Some(news) = progress.next().await {
            let stage = news?.stage;
            step.now(format!("forming a cluster: node {} {stage}", node.number));
        }
    }
    let status = client.cluster_status().await?;
    step.done("cluster formed", format!("id {}", status.cluster_id))
}

async fn import(nodes: &[Node], story: &Story<'_>) -> Result<u64, Failure> {
    let step = story.step("importing hashed e-mail addresses");
    let client = client_of(nodes).build()?;
    let bytes = step.bar().wrap_read(Cursor::new(LIST));
    let table = Table::open(std::io::BufReader::new(bytes), Vec::new())
        .map_err(|error| Failure::other(format!("the list that ships is broken: {error}")))?;
    let report = RefCell::new(Report::begin(None)?);
    let header = ImportHeader::default();
    let taken = rows::take(&client, header, table, &report, None, |done, _| {
        step.now(format!("importing: {} rows", grouped(done.next_row)));
    })
    .await;
    let import = taken.import?;
    let refused = report.into_inner().count();
    if refused > 0 {
        return Err(Failure::other(format!(
            "{refused} rows of the list were refused"
        )));
    }
    let words = format!("{} hashed addresses imported", grouped(import.rows));
    let mut detail = format!(
        "{} new, {} opted out already",
        grouped(import.changed),
        grouped(import.unchanged)
    );
    if import.skipped > 0 {
        let skipped = grouped(import.skipped);
        detail = format!("{detail}, {skipped} in steps whose first answer was lost");
    }
    step.done(&words, detail)?;
    expect(nodes, LISTED, false).await?;
    let step = story.step("");
    step.done(
        &format!("{LISTED} is on the list"),
        "DENY on all three nodes",
    )?;
    Ok(import.rows)
}

async fn preferences(nodes: &[Node], story: &Story<'_>) -> Result<(), Failure> {
    let client = client_of(nodes).build()?;
    let who = vec![identifier::email(VISITOR)];

    let step = story.step("asking for somebody unknown");
    expect(nodes, VISITOR, true).await?;
    step.done(
        &format!("{VISITOR} has said nothing yet"),
        "ALLOW on all three nodes",
    )?;

    let step = story.step("opting out");
    client.opt_out(stop_mailing(VISITOR)).await?;
    expect(nodes, VISITOR, false).await?;
    step.done(&format!("{VISITOR} opts out"), "DENY on all three nodes")?;

    let step = story.step("opting in");
    client
        .opt_in(SetOptInRequest {
            identifiers: who,
            purposes: vec![PURPOSE.to_owned()],
            evidence: Some(Evidence {
                statement: "Ticked \"send me the newsletter\" in the demonstration.".to_owned(),
                ..Default::default()
            }),
            ..Default::default()
        })
        .await?;
    expect(nodes, VISITOR, true).await?;
    step.done(
        &format!("{VISITOR} opts in, with evidence"),
        "ALLOW on all three nodes",
    )?;

    let step = story.step("opting out again");
    client.opt_out(stop_mailing(VISITOR)).await?;
    expect(nodes, VISITOR, false).await?;
    step.done(
        &format!("{VISITOR} opts out again"),
        "DENY on all three nodes",
    )
}

async fn fail_over(nodes: &mut [Node], story: &Story<'_>) -> Result<Summary, Failure> {
    let leader = leader(nodes).await?;
    let survivors = || {
        nodes
            .iter()
            .enumerate()
            .filter(|it| it.0 != leader)
            .map(|it| it.1)
    };
    let names: Vec<String> = survivors().map(|it| it.number.to_string()).collect();
    let names = names.join(" and ");

    let step = story.step("people opt out one after the other");
    // The short attempt: a caller that waits for a dead node for long would measure itself.
    let writing = client_of(nodes.iter())
        .attempt_timeout(Duration::from_secs(1))
        .build()?;
    let asking = |node: &Node| {
        client_of([node])
            .deadline(Duration::from_millis(500))
            .build()
    };
    let checking: Vec<Client> = survivors().map(asking).collect::<Result<_, _>>()?;
    let load = Load::start(&writing, checking, VISITOR);
    tokio::time::sleep(BEFORE_THE_KILL).await;
    let before = load.acknowledged();
    if before == 0 {
        return Err(Failure::other(
            "no opt-out was acknowledged within a second",
        ));
    }
    step.done(
        &format!(
            "{} opt-outs in a second, one by one",
            grouped(before as u64)
        ),
        format!("{VISITOR} asked for all the while"),
    )?;

    let number = nodes[leader].number;
    let step = story.step(format!("killing node {number}"));
    nodes[leader].kill().await?;
    let killed = Instant::now();
    // What was on its way at the kill may still be acknowledged; the sign that writes are back is many.
    let enough = load.acknowledged() + 50;
    while load.acknowledged() < enough {
        if killed.elapsed() > PATIENCE {
            return Err(Failure::other(
                "no write was acknowledged after the leader was killed",
            ));
        }
        step.now(format!(
            "node {number}, the leader, is dead: {}",
            span(killed.elapsed())
        ));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(AFTER_THE_GAP).await;
    let shown = load.stop().await;
    if let Some(error) = shown.failed {
        return Err(error.into());
    }
    let gap = shown.gap();
    step.done(
        &format!("node {number}, the leader, killed (SIGKILL)"),
        format!("writes stood still for {}", span(gap)),
    )?;

    let step = story.step("asking for everybody");
    if shown.allowed > 0 {
        return Err(Failure::other(format!(
            "{} checks let {VISITOR} through, who had opted out",
            shown.allowed
        )));
    }
    let total = grouped(shown.denied + shown.unanswered);
    step.done(
        &format!("{VISITOR} asked for {total} times meanwhile"),
        format!("never ALLOW on nodes {names}"),
    )?;

    let step = story.step("asking for everybody who opted out meanwhile");
    let people: Vec<u64> = shown.acknowledged.iter().map(|it| it.1).collect();
    let survivors = nodes.iter().enumerate().filter(|it| it.0 != leader);
    for (_, node) in survivors {
        all_denied(node, &people).await?;
    }
    step.done(
        &format!(
            "all {} acknowledged opt-outs are there",
            grouped(people.len() as u64)
        ),
        format!("DENY on nodes {names}"),
    )?;

    let step = story.step(format!("starting node {number} again"));
    nodes[leader].start()?;
    nodes[leader].listening().await?;
    all_denied(&nodes[leader], &people).await?;
    expect(nodes, VISITOR, false).await?;
    step.done(
        &format!("node {number} started again and caught up"),
        "DENY on all three nodes",
    )?;
    Ok(Summary {
        imported: 0,
        gap,
        acknowledged: people.len(),
        denied: shown.denied,
        unanswered: shown.unanswered,
        allowed: shown.allowed,
    })
}

/// Which of the nodes leads.
async fn leader(nodes: &[Node]) -> Result<usize, Failure> {
    let client = client_of(nodes).build()?;
    let ends = Instant::now() + PATIENCE;
    loop {
        let status = client.cluster_status().await?;
        let leads = status
            .members
            .iter()
            .find(|it| it.node_id == status.leader_id);
        let at = leads.and_then(|it| {
            nodes
                .iter()
                .position(|node| node.client == it.client_address)
        });
        match at {
            Some(at) => return Ok(at),
            None if Instant::now() < ends => tokio::time::sleep(Duration::from_millis(50)).await,
            None => return Err(Failure::other("the cluster names no leader")),
        }
    }
}

/// Asks each node for one person.
async fn expect(nodes: &[Node], who: &str, allow: bool) -> Result<(), Failure> {
    for node in nodes {
        let client = client_of([node]).build()?;
        let allowed = match client.check(question(who)).await {
            Ok(_) => true,
            Err(denied) => match denied.cause {
                Cause::Decided(_) => false,
                Cause::Unanswered(error) => return Err(error.into()),
            },
        };
        if allowed != allow {
            let wrong = if allowed { "ALLOW" } else { "DENY" };
            let message = format!("node {} says {wrong} for {who}", node.number);
            return Err(Failure::other(message));
        }
    }
    Ok(())
}

/// Asks a node for everybody who opted out under load.
async fn all_denied(node: &Node, people: &[u64]) -> Result<(), Failure> {
    let client = client_of([node]).build()?;
    for some in people.chunks(1_000) {
        let questions = some.iter().map(|&number| question(&load::address(number)));
        for answer in client.batch_check(questions.collect()).await {
            let Err(denied) = answer else {
                let message = format!("node {} lost an acknowledged opt-out", node.number);
                return Err(Failure::other(message));
            };
            if let Cause::Unanswered(error) = denied.cause {
                return Err(error.into());
            }
        }
    }
    Ok(())
}

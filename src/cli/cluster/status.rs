//! `refrain cluster status`: every member, and alarms that cannot be missed.

use refrain::{
    client::Client,
    proto::v1::{Member, StatusResponse},
};
use serde_json::{Value, json};

use crate::cli::{
    exit,
    failure::Failure,
    output::Output,
    paint::{Paint, Tone, cell, grouped, size},
};

/// How much of a hash is shown to people.
const HASH_SHOWN: usize = 12;

/// Prints the status; an alarm decides the exit status.
pub async fn run(client: &Client, output: &Output) -> Result<u8, Failure> {
    let status = client.cluster_status().await?;
    output.result(|| as_text(&status, output.paint), &as_json(&status))?;
    Ok(if status.alarms.is_empty() {
        exit::OK
    } else {
        exit::ALARM
    })
}

fn as_text(status: &StatusResponse, paint: Paint) -> String {
    let alarms = status.alarms.iter();
    let mut parts: Vec<String> = alarms
        .map(|alarm| paint.text(Tone::Bad, format!("ALARM  {alarm}")))
        .collect();
    if !parts.is_empty() {
        parts.push(String::new());
    }
    if status.cluster_id.is_empty() {
        parts.push(
            "This node belongs to no cluster yet: run `refrain cluster init` against it, or `refrain cluster add` \
             against a member."
                .to_owned(),
        );
    } else {
        let leader = if status.leader_id.is_empty() {
            paint.text(Tone::Bad, "no leader")
        } else {
            format!("leader {}", status.leader_id)
        };
        let revision = status.members.iter().map(|it| it.revision).max();
        parts.push(format!(
            "cluster {}   {leader}   term {}   revision {}   feature level {}",
            status.cluster_id,
            status.term,
            grouped(revision.unwrap_or_default()),
            status.feature_level,
        ));
    }
    let mut table = paint.table([
        "NODE",
        "ROLE",
        "HEALTH",
        "REVISION",
        "LAG",
        "LOG",
        "SNAPSHOT",
        "JOURNAL",
        "STATE HASH",
        "DISK FREE",
        "CLIENTS",
        "PEERS",
        "VERSION",
    ]);
    for member in &status.members {
        table.add_row(row(member, &status.leader_id));
    }
    let answered = format!("answered by {}", status.answered_by);
    let answered = paint.text(Tone::Dim, answered);
    parts.extend([String::new(), table.trim_fmt(), String::new()]);
    parts.extend(status.members.iter().filter_map(pending));
    parts.push(answered);
    parts.join("\n")
}

/// What a node has still to do after evidence was erased.
fn pending(member: &Member) -> Option<String> {
    if !member.reachable {
        let id = &member.node_id;
        return Some(format!(
            "not known of {id}: whether it has still to erase evidence"
        ));
    }
    let pending = member.pending_erasure.as_ref()?;
    let waits = [
        (pending.snapshot, "a new snapshot"),
        (pending.purge, "the purge of its log"),
        (pending.rotation, "a new wrapping key"),
    ];
    let waits: Vec<_> = waits
        .iter()
        .filter(|(is, _)| *is)
        .map(|(_, it)| *it)
        .collect();
    Some(format!(
        "pending on {}: evidence was erased; old copies of its key are out of reach after {}",
        member.node_id,
        waits.join(", ")
    ))
}

fn row(member: &Member, leader: &str) -> Vec<comfy_table::Cell> {
    let leads = !leader.is_empty() && member.node_id == leader;
    let role = if leads { "leader" } else { &member.role };
    let mut row = vec![
        cell(Tone::Bold, &member.node_id),
        cell(if leads { Tone::Bold } else { Tone::Plain }, role),
    ];
    if member.reachable {
        let (tone, health) = match &member.health {
            Some(health) if health.ready => (Tone::Good, health.reason.as_str()),
            Some(health) => (Tone::Bad, health.reason.as_str()),
            None => (Tone::Bad, "unknown"),
        };
        let hash = match member.state_hash.get(..HASH_SHOWN) {
            Some(start) => format!("{start} @{}", member.hash_revision),
            None => "-".to_owned(),
        };
        let snapshot = match member.snapshot_bytes {
            0 => "-".to_owned(),
            bytes => size(bytes),
        };
        row.extend([
            cell(tone, health),
            cell(Tone::Plain, grouped(member.revision)),
            cell(Tone::Plain, grouped(member.applied_lag)),
            cell(Tone::Plain, size(member.log_bytes)),
            cell(Tone::Plain, snapshot),
            cell(Tone::Plain, grouped(member.journal_events)),
            cell(Tone::Plain, hash),
            cell(Tone::Plain, size(member.disk_free_bytes)),
        ]);
    } else {
        row.push(cell(Tone::Bad, format!("unreachable: {}", member.error)));
        row.extend((0..7).map(|_| cell(Tone::Plain, "-")));
    }
    row.extend([
        cell(Tone::Plain, &member.client_address),
        cell(Tone::Plain, &member.peer_address),
        cell(Tone::Plain, &member.version),
    ]);
    row
}

fn as_json(status: &StatusResponse) -> Value {
    json!({
        "cluster_id": status.cluster_id,
        "answered_by": status.answered_by,
        "leader_id": status.leader_id,
        "term": status.term,
        "feature_level": status.feature_level,
        "alarms": status.alarms,
        "members": status.members.iter().map(member_json).collect::<Vec<Value>>(),
    })
}

fn member_json(member: &Member) -> Value {
    let health = member.health.clone().unwrap_or_default();
    json!({
        "node_id": member.node_id,
        "role": member.role,
        "peer_address": member.peer_address,
        "client_address": member.client_address,
        "reachable": member.reachable,
        "health": { "ready": health.ready, "reason": health.reason },
        "revision": member.revision,
        "applied_lag": member.applied_lag,
        "log_bytes": member.log_bytes,
        "snapshot_bytes": member.snapshot_bytes,
        "journal_events": member.journal_events,
        "state_hash": member.state_hash,
        "hash_revision": member.hash_revision,
        "journal_root": member.journal_root,
        "version": member.version,
        "error": member.error,
        "disk_free_bytes": member.disk_free_bytes,
        "pending_erasure": member.pending_erasure.as_ref().map(|it| json!({
            "snapshot": it.snapshot,
            "purge": it.purge,
            "rotation": it.rotation,
        })),
    })
}

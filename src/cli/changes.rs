//! `refrain changes`: changes that can widen ALLOW, which one principal proposes and another approves.

use clap::{Args, Subcommand};
use refrain::{
    client::{Client, Error},
    proto::v1::{
        ApproveChangeRequest, NamespaceChange, Pending, PendingChange, ProposeChangeRequest,
        WithdrawChangeRequest, pending_change::Change,
    },
};
use serde_json::{Value, json};

use super::{
    client::ClientArgs,
    exit,
    failure::Failure,
    output::Output,
    paint::{Tone, cell, grouped, moment},
    registry,
    request::{RequestArgs, failed},
};

/// What `changes` can do.
#[derive(Debug, Subcommand)]
pub enum ChangesCommand {
    /// Lists the changes that wait for a second principal; unapproved, each lapses after a day
    List,
    /// Approves, and so makes, a change that another principal proposed
    Approve(ChangeArgs),
    /// Withdraws a change that was proposed
    Withdraw(ChangeArgs),
}

/// Which change.
#[derive(Debug, Args)]
pub struct ChangeArgs {
    /// The change's id, as `refrain changes list` shows it
    #[arg(value_name = "CHANGE")]
    id: String,

    #[command(flatten)]
    request: RequestArgs,
}

/// Runs `changes`.
pub async fn run(
    command: &ChangesCommand,
    client: &ClientArgs,
    output: &Output,
) -> Result<u8, Failure> {
    let client = client.client()?;
    match command {
        ChangesCommand::List => list(&client, output).await,
        ChangesCommand::Approve(args) => {
            let request_id = args.request.id(&client);
            let request = ApproveChangeRequest {
                request_id: request_id.clone(),
                change_id: args.id.clone(),
            };
            let done = client.approve_change(request).await;
            let done = done.map_err(failed(&request_id))?;
            let json = json!({
                "event_id": done.event_id,
                "revision": done.revision,
                "request_id": done.request_id,
            });
            let text = || format!("approved and made, revision {}", grouped(done.revision));
            output.result(text, &json)?;
            Ok(exit::OK)
        }
        ChangesCommand::Withdraw(args) => {
            let request_id = args.request.id(&client);
            let request = WithdrawChangeRequest {
                request_id: request_id.clone(),
                change_id: args.id.clone(),
            };
            let done = client.withdraw_change(request).await;
            let done = done.map_err(failed(&request_id))?;
            let json = json!({
                "event_id": done.event_id,
                "revision": done.revision,
                "request_id": done.request_id,
            });
            output.result(
                || format!("withdrawn, revision {}", grouped(done.revision)),
                &json,
            )?;
            Ok(exit::OK)
        }
    }
}

/// Proposes a change, and says how it goes on.
pub async fn propose(
    change: PendingChange,
    request: &RequestArgs,
    client: &Client,
    output: &Output,
) -> Result<u8, Failure> {
    let request_id = request.id(client);
    let request = ProposeChangeRequest {
        request_id: request_id.clone(),
        change: Some(change),
    };
    let done = client.propose_change(request).await;
    let done = done.map_err(failed(&request_id))?;
    let json = json!({
        "change_id": done.change_id,
        "revision": done.revision,
        "request_id": done.request_id,
    });
    let text = || {
        format!(
            "proposed, and nothing changes until another principal approves it:\n  refrain changes approve {}",
            done.change_id
        )
    };
    output.result(text, &json)?;
    Ok(exit::OK)
}

/// The failure of a change that may have needed two principals.
pub fn advised(error: Error, request_id: &str) -> Failure {
    let widens = error.reason() == "WIDENS_ALLOW";
    let failure = failed(request_id)(error);
    if widens {
        failure.advise("propose it with --propose; then another principal approves it")
    } else {
        failure
    }
}

async fn list(client: &Client, output: &Output) -> Result<u8, Failure> {
    let all = client.pending_changes().await?;
    let json = json!({
        "changes": all.changes.iter().map(as_json).collect::<Vec<Value>>(),
        "revision": all.revision,
    });
    let text = || {
        if all.changes.is_empty() {
            return "No change waits for a second principal.".to_owned();
        }
        let header = ["CHANGE", "WHAT", "PROPOSED BY", "PROPOSED", "LAPSES"];
        let mut table = output.paint.table(header);
        for it in &all.changes {
            table.add_row([
                cell(Tone::Bold, &it.change_id),
                cell(Tone::Plain, in_words(it)),
                cell(Tone::Plain, &it.proposed_by),
                cell(Tone::Plain, moment(it.proposed_at.as_ref())),
                cell(Tone::Plain, moment(it.lapses_at.as_ref())),
            ]);
        }
        table.trim_fmt()
    };
    output.result(text, &json)?;
    Ok(exit::OK)
}

fn in_words(pending: &Pending) -> String {
    match pending.change.as_ref().and_then(|it| it.change.as_ref()) {
        Some(Change::Purpose(it)) => format!("purpose {}: {}", it.name, registry::rule(it)),
        Some(Change::Floor(it)) if it.purpose.is_empty() => {
            format!("schema floor of the cluster: {}", it.version)
        }
        Some(Change::Floor(it)) => format!("schema floor of {}: {}", it.purpose, it.version),
        Some(Change::Settings(it)) => format!(
            "Global Privacy Control in {}: opts out of {} and nothing else",
            it.namespace,
            purposes(it).join(", ")
        ),
        None => "a change that this program does not know; do not approve it".to_owned(),
    }
}

fn as_json(pending: &Pending) -> Value {
    let mut json = json!({
        "change_id": pending.change_id,
        "proposed_by": pending.proposed_by,
        "proposed_at": moment(pending.proposed_at.as_ref()),
        "lapses_at": moment(pending.lapses_at.as_ref()),
    });
    match pending.change.as_ref().and_then(|it| it.change.as_ref()) {
        Some(Change::Purpose(it)) => json["purpose"] = registry::as_json(it),
        Some(Change::Floor(it)) => {
            json["schema_floor"] = json!({ "purpose": it.purpose, "version": it.version });
        }
        Some(Change::Settings(it)) => {
            json["settings"] = json!({ "namespace": it.namespace, "gpc_purposes": purposes(it) });
        }
        None => {}
    }
    json
}

fn purposes(change: &NamespaceChange) -> &[String] {
    let settings = change.settings.as_ref();
    settings.map_or(&[], |it| &it.gpc_purposes)
}

//! `refrain purpose` and `refrain namespace`: the registry.

use clap::{Args, Subcommand};
use refrain::proto::v1::{Purpose, PutPurposeRequest};
use serde_json::{Value, json};

use super::{
    client::ClientArgs,
    exit,
    failure::Failure,
    output::Output,
    paint::{Tone, cell, grouped},
};

/// What `purpose` can do.
#[derive(Debug, Subcommand)]
pub enum PurposeCommand {
    /// Lists all purposes
    List,
    /// Adds a purpose or changes one; what would turn a DENY into an ALLOW is refused
    Put(PutArgs),
}

/// The flags of `purpose put`.
#[derive(Debug, Args)]
pub struct PutArgs {
    /// The dotted name, such as marketing.push; what stands before the last dot must be there
    name: String,

    /// What it means, for people [default: what stands]
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,

    /// Deny people without a record [default: what stands]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    default_deny: Option<bool>,

    /// It cannot be opted out of [default: what stands]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    essential: Option<bool>,

    /// A UUID of version 7 that names this change [default: a new one]
    #[arg(long, value_name = "UUID")]
    request_id: Option<String>,
}

/// What `namespace` can do.
#[derive(Debug, Subcommand)]
pub enum NamespaceCommand {
    /// Lists all namespaces
    List,
    /// Adds a namespace
    Add {
        /// Its name
        name: String,
    },
}

/// Runs `purpose`.
pub async fn purpose(
    command: &PurposeCommand,
    client: &ClientArgs,
    output: &Output,
) -> Result<u8, Failure> {
    let client = client.client()?;
    match command {
        PurposeCommand::List => {
            let all = client.purposes().await?;
            let json = json!({
                "purposes": all.purposes.iter().map(as_json).collect::<Vec<Value>>(),
                "schema_version": all.schema_version,
                "revision": all.revision,
            });
            let text = || {
                let header = ["PURPOSE", "WITHOUT A RECORD", "SCHEMA", "DESCRIPTION"];
                let mut table = output.paint.table(header);
                for it in &all.purposes {
                    table.add_row([
                        cell(Tone::Bold, &it.name),
                        cell(Tone::Plain, rule(it)),
                        cell(Tone::Plain, it.schema_version),
                        cell(Tone::Plain, &it.description),
                    ]);
                }
                let version = format!("\n\nschema version {}", all.schema_version);
                table.trim_fmt() + &output.paint.text(Tone::Dim, version)
            };
            output.result(text, &json)?;
        }
        PurposeCommand::Put(args) => {
            let request_id = args
                .request_id
                .clone()
                .unwrap_or_else(|| client.new_request_id());
            // A put replaces all of a purpose: what no flag names must not be lost with it.
            let all = client.purposes().await?.purposes;
            let stands = all.into_iter().find(|it| it.name == args.name);
            let stands = stands.unwrap_or_default();
            let request = PutPurposeRequest {
                request_id: request_id.clone(),
                purpose: Some(Purpose {
                    name: args.name.clone(),
                    description: args.description.clone().unwrap_or(stands.description),
                    default_deny: args.default_deny.unwrap_or(stands.default_deny),
                    essential: args.essential.unwrap_or(stands.essential),
                    ..Purpose::default()
                }),
            };
            let done = client.put_purpose(request).await;
            let done =
                done.map_err(|error| Failure::from(error).retry_with("--request-id", &request_id))?;
            let purpose = done.purpose.unwrap_or_default();
            let json = json!({
                "event_id": done.event_id,
                "revision": done.revision,
                "changed": done.changed,
                "purpose": as_json(&purpose),
                "request_id": done.request_id,
            });
            let text = || {
                let how = if done.changed {
                    "stands"
                } else {
                    "stood already"
                };
                let revision = grouped(done.revision);
                format!(
                    "{} {how}: {}, revision {revision}",
                    purpose.name,
                    rule(&purpose)
                )
            };
            output.result(text, &json)?;
        }
    }
    Ok(exit::OK)
}

/// Runs `namespace`.
pub async fn namespace(
    command: &NamespaceCommand,
    client: &ClientArgs,
    output: &Output,
) -> Result<u8, Failure> {
    let client = client.client()?;
    match command {
        NamespaceCommand::List => {
            let all = client.namespaces().await?;
            let json = json!({ "namespaces": all.namespaces, "revision": all.revision });
            output.result(|| all.namespaces.join("\n"), &json)?;
        }
        NamespaceCommand::Add { name } => {
            let done = client.add_namespace(name).await?;
            let json = json!({
                "event_id": done.event_id,
                "revision": done.revision,
                "changed": done.changed,
                "request_id": done.request_id,
            });
            let text = || {
                let how = if done.changed {
                    "added"
                } else {
                    "was there already"
                };
                format!("{name} {how}, revision {}", grouped(done.revision))
            };
            output.result(text, &json)?;
        }
    }
    Ok(exit::OK)
}

fn rule(purpose: &Purpose) -> &'static str {
    match (purpose.essential, purpose.default_deny) {
        (true, _) => "always allowed (essential)",
        (false, true) => "denied",
        (false, false) => "allowed",
    }
}

fn as_json(purpose: &Purpose) -> Value {
    json!({
        "name": purpose.name,
        "description": purpose.description,
        "default_deny": purpose.default_deny,
        "essential": purpose.essential,
        "schema_version": purpose.schema_version,
    })
}

//! `refrain purpose` and `refrain namespace`: the registry.

use clap::{Args, Subcommand};
use refrain::{
    client::Client,
    proto::v1::{
        ConfigureNamespaceRequest, ListNamespacesResponse, NamespaceChange, NamespaceSettings,
        PendingChange, Purpose, PutPurposeRequest, pending_change::Change,
    },
};
use serde_json::{Value, json};

use super::{
    changes::{self, propose},
    client::ClientArgs,
    exit,
    failure::Failure,
    output::Output,
    paint::{Paint, Tone, cell, foreign, grouped},
    request::RequestArgs,
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

    /// Deny people without a record, or with =false allow them [default: what stands; of a new purpose it must be said]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    default_deny: Option<bool>,

    /// It cannot be opted out of [default: what stands]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    essential: Option<bool>,

    /// Propose it, for another principal to approve: what can turn a DENY into an ALLOW needs that
    #[arg(long)]
    propose: bool,

    #[command(flatten)]
    request: RequestArgs,
}

/// What `namespace` can do.
#[derive(Debug, Subcommand)]
pub enum NamespaceCommand {
    /// Lists all namespaces, and what Global Privacy Control opts out of in each
    List,
    /// Adds a namespace
    Add {
        /// Its name
        name: String,
    },
    /// Sets what the signals of browsers mean in a namespace; what is named replaces what stood
    Configure(ConfigureArgs),
}

/// The flags of `namespace configure`.
#[derive(Debug, Args)]
pub struct ConfigureArgs {
    /// Its name
    name: String,

    /// A purpose that Global Privacy Control opts out of; 1 to 16
    #[arg(long, value_name = "PURPOSE", required = true)]
    gpc_purpose: Vec<String>,

    /// Propose it, for another principal to approve: that the signal opts out of less than it does needs that
    #[arg(long)]
    propose: bool,

    #[command(flatten)]
    request: RequestArgs,
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
                "schema_floor": all.schema_floor,
                "revision": all.revision,
            });
            let text = || {
                let header = [
                    "PURPOSE",
                    "WITHOUT A RECORD",
                    "SCHEMA",
                    "FLOOR",
                    "DESCRIPTION",
                ];
                let mut table = output.paint.table(header);
                for it in &all.purposes {
                    table.add_row([
                        cell(Tone::Bold, &it.name),
                        cell(Tone::Plain, rule(it)),
                        cell(Tone::Plain, it.schema_version),
                        cell(Tone::Plain, floor(it.schema_floor)),
                        cell(Tone::Plain, foreign(&it.description)),
                    ]);
                }
                let version = format!(
                    "\n\nschema version {}, floor {}",
                    all.schema_version,
                    floor(all.schema_floor)
                );
                table.trim_fmt() + &output.paint.text(Tone::Dim, version)
            };
            output.result(text, &json)?;
        }
        PurposeCommand::Put(args) => return put(args, &client, output).await,
    }
    Ok(exit::OK)
}

async fn put(args: &PutArgs, client: &Client, output: &Output) -> Result<u8, Failure> {
    // A put replaces all of a purpose: what no flag names must not be lost with it.
    let all = client.purposes().await?.purposes;
    let stands = all.into_iter().find(|it| it.name == args.name);
    let stands = stands.unwrap_or_default();
    let purpose = Purpose {
        name: args.name.clone(),
        description: args.description.clone().unwrap_or(stands.description),
        // Of one that is not there, or was essential until now, nothing is known: the node asks for it.
        default_deny: args
            .default_deny
            .or(stands.default_deny.filter(|_| !stands.essential)),
        essential: args.essential.unwrap_or(stands.essential),
        ..Purpose::default()
    };
    if args.propose {
        let change = PendingChange {
            change: Some(Change::Purpose(purpose)),
        };
        return propose(change, &args.request, client, output).await;
    }
    let request_id = args.request.id(client);
    let request = PutPurposeRequest {
        request_id: request_id.clone(),
        purpose: Some(purpose),
    };
    let done = client.put_purpose(request).await;
    let done = done.map_err(|error| changes::advised(error, &request_id))?;
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
            let settings =
                all.settings.iter().zip(&all.namespaces).map(
                    |(it, name)| json!({ "namespace": name, "gpc_purposes": it.gpc_purposes }),
                );
            let json = json!({
                "namespaces": all.namespaces,
                "settings": settings.collect::<Vec<Value>>(),
                "revision": all.revision,
            });
            output.result(|| listed(&all, output.paint), &json)?;
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
        NamespaceCommand::Configure(args) => return configure(args, &client, output).await,
    }
    Ok(exit::OK)
}

async fn configure(args: &ConfigureArgs, client: &Client, output: &Output) -> Result<u8, Failure> {
    let namespace = args.name.clone();
    let settings = Some(NamespaceSettings {
        gpc_purposes: args.gpc_purpose.clone(),
    });
    if args.propose {
        let settings = NamespaceChange {
            namespace,
            settings,
        };
        let change = PendingChange {
            change: Some(Change::Settings(settings)),
        };
        return propose(change, &args.request, client, output).await;
    }
    let request_id = args.request.id(client);
    let request = ConfigureNamespaceRequest {
        request_id: request_id.clone(),
        namespace,
        settings,
    };
    let done = client.configure_namespace(request).await;
    let done = done.map_err(|error| changes::advised(error, &request_id))?;
    let json = json!({
        "event_id": done.event_id,
        "revision": done.revision,
        "changed": done.changed,
        "request_id": done.request_id,
    });
    let text = || {
        let how = if done.changed {
            "opts out of"
        } else {
            "opted out already of"
        };
        format!(
            "Global Privacy Control in {} {how} {}, revision {}",
            args.name,
            args.gpc_purpose.join(", "),
            grouped(done.revision)
        )
    };
    output.result(text, &json)?;
    Ok(exit::OK)
}

fn listed(all: &ListNamespacesResponse, paint: Paint) -> String {
    let mut table = paint.table(["NAMESPACE", "GLOBAL PRIVACY CONTROL OPTS OUT OF"]);
    for (at, name) in all.namespaces.iter().enumerate() {
        let settings = all.settings.get(at);
        let purposes = settings.map_or(String::new(), |it| it.gpc_purposes.join(" "));
        table.add_row([cell(Tone::Bold, name), cell(Tone::Plain, purposes)]);
    }
    table.trim_fmt()
}

fn floor(version: u32) -> String {
    match version {
        0 => "none".to_owned(),
        version => version.to_string(),
    }
}

/// How a purpose is decided for people without a record.
pub fn rule(purpose: &Purpose) -> &'static str {
    match (purpose.essential, purpose.default_deny()) {
        (true, _) => "always allowed (essential)",
        (false, true) => "denied",
        (false, false) => "allowed",
    }
}

/// A purpose for programs.
pub fn as_json(purpose: &Purpose) -> Value {
    json!({
        "name": purpose.name,
        "description": purpose.description,
        "default_deny": purpose.default_deny(),
        "essential": purpose.essential,
        "schema_version": purpose.schema_version,
        "schema_floor": purpose.schema_floor,
    })
}

//! `refrain schema floor` and `refrain services`: which callers are too old, and who asks.

use clap::{Args, Subcommand};
use refrain::proto::v1::{
    PendingChange, SchemaFloor, ServiceSeen, SetSchemaFloorRequest, SetSchemaFloorResponse,
    pending_change::Change,
};
use serde_json::{Value, json};

use super::{
    changes::{self, propose},
    client::ClientArgs,
    exit,
    failure::Failure,
    output::Output,
    paint::{Paint, Tone, cell, grouped, moment},
    request::RequestArgs,
};

/// What `schema` can do.
#[derive(Debug, Subcommand)]
pub enum SchemaCommand {
    /// Refuses callers that were built for an older version of the registry; try it with --dry-run first
    Floor(FloorArgs),
}

/// The flags of `schema floor`.
#[derive(Debug, Args)]
pub struct FloorArgs {
    /// The schema version that a caller must be built for; see `refrain purpose list`
    #[arg(value_name = "VERSION")]
    version: u32,

    /// Only for this purpose and what lies under it [default: the whole cluster]
    #[arg(
        long,
        value_name = "PURPOSE",
        default_value = "",
        hide_default_value = true
    )]
    purpose: String,

    /// Change nothing; list the services, seen in the last day, that would be refused
    #[arg(long, conflicts_with_all = ["propose", "request_id"])]
    dry_run: bool,

    /// Propose it, for another principal to approve: what a lower floor needs
    #[arg(long)]
    propose: bool,

    #[command(flatten)]
    request: RequestArgs,
}

/// Runs `schema`.
pub async fn run(
    command: &SchemaCommand,
    client: &ClientArgs,
    output: &Output,
) -> Result<u8, Failure> {
    let SchemaCommand::Floor(args) = command;
    let client = client.client()?;
    let floor = SchemaFloor {
        purpose: args.purpose.clone(),
        version: args.version,
    };
    if args.propose {
        let change = PendingChange {
            change: Some(Change::Floor(floor)),
        };
        return propose(change, &args.request, &client, output).await;
    }
    let request_id = if args.dry_run {
        String::new()
    } else {
        args.request.id(&client)
    };
    let request = SetSchemaFloorRequest {
        request_id: request_id.clone(),
        floor: Some(floor),
        dry_run: args.dry_run,
    };
    let done = client.set_schema_floor(request).await;
    let done = done.map_err(|error| changes::advised(error, &request_id))?;
    let json = json!({
        "event_id": done.event_id,
        "revision": done.revision,
        "changed": done.changed,
        "request_id": done.request_id,
        "purpose": args.purpose,
        "version": args.version,
        "dry_run": args.dry_run,
        "refused": done.refused.iter().map(as_json).collect::<Vec<Value>>(),
    });
    output.result(|| as_text(args, &done, output.paint), &json)?;
    Ok(exit::OK)
}

fn as_text(args: &FloorArgs, done: &SetSchemaFloorResponse, paint: Paint) -> String {
    let of = match args.purpose.as_str() {
        "" => "of the cluster".to_owned(),
        purpose => format!("of {purpose}"),
    };
    let version = args.version;
    let revision = grouped(done.revision);
    let happened = if args.dry_run {
        format!("nothing was changed; a schema floor {of} at {version}")
    } else if done.changed {
        format!("the schema floor {of} stands at {version}, revision {revision}; it")
    } else {
        format!("the schema floor {of} stood at {version} already; it")
    };
    let would = if args.dry_run {
        "would refuse"
    } else {
        "refuses"
    };
    let asking = match args.purpose.as_str() {
        "" => "",
        _ => " where they ask about it",
    };
    if done.refused.is_empty() {
        return format!("{happened} {would} nobody of those seen in the last day");
    }
    let table = table(&done.refused, paint);
    format!("{happened} {would}{asking}, of those seen in the last day:\n\n{table}")
}

/// Prints who asks.
pub async fn services(client: &ClientArgs, output: &Output) -> Result<u8, Failure> {
    let all = client.client()?.services().await?;
    let json = json!({
        "services": all.services.iter().map(as_json).collect::<Vec<Value>>(),
        "revision": all.revision,
    });
    let text = || {
        if all.services.is_empty() {
            return "No service has been seen; each node reports once a minute.".to_owned();
        }
        table(&all.services, output.paint)
    };
    output.result(text, &json)?;
    Ok(exit::OK)
}

fn table(services: &[ServiceSeen], paint: Paint) -> String {
    let header = [
        "SERVICE",
        "SCHEMA",
        "CALLS",
        "BELOW FLOOR",
        "FIRST SEEN",
        "LAST SEEN",
    ];
    let mut table = paint.table(header);
    for it in services {
        let tone = if it.below_floor > 0 {
            Tone::Bad
        } else {
            Tone::Plain
        };
        table.add_row([
            cell(Tone::Bold, name(&it.service)),
            cell(Tone::Plain, it.schema_version),
            cell(Tone::Plain, grouped(it.calls)),
            cell(tone, grouped(it.below_floor)),
            cell(Tone::Plain, moment(it.first_seen.as_ref())),
            cell(Tone::Plain, moment(it.last_seen.as_ref())),
        ]);
    }
    table.trim_fmt()
}

/// A service's name for people.
pub fn name(service: &str) -> &str {
    if service.is_empty() {
        "(none named)"
    } else {
        service
    }
}

fn as_json(service: &ServiceSeen) -> Value {
    json!({
        "service": service.service,
        "schema_version": service.schema_version,
        "calls": service.calls,
        "below_floor": service.below_floor,
        "first_seen": moment(service.first_seen.as_ref()),
        "last_seen": moment(service.last_seen.as_ref()),
    })
}

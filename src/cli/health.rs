//! `refrain health`: asks one node whether it serves, by `grpc.health.v1`; made for container health checks.

use clap::Args;
use refrain::client::Client;
use serde_json::json;

use super::{client::ClientArgs, exit, failure::Failure, output::Output, paint::Tone};

/// The flags of `health`.
#[derive(Debug, Args)]
pub struct HealthArgs {
    /// `live` for liveness, a service's full name, or nothing for readiness
    #[arg(long, value_name = "NAME", default_value = "")]
    service: String,
}

/// Asks the first endpoint. Whatever is wrong, the exit status is 1: that is what health checks understand.
pub async fn run(args: &HealthArgs, client: &ClientArgs, output: &Output) -> Result<u8, Failure> {
    let client = client.client()?;
    let serving = client.health(&args.service).await;
    let serving = serving.map_err(|error| {
        let mut failure = Failure::from(error);
        failure.status = exit::FAILED;
        failure
    })?;
    let reason = if serving {
        String::new()
    } else {
        reason(&client).await.unwrap_or_default()
    };
    let text = || match (serving, reason.as_str()) {
        (true, _) => output.paint.text(Tone::Good, "serving"),
        (false, "") => output.paint.text(Tone::Bad, "not serving"),
        (false, why) => output.paint.text(Tone::Bad, format!("not serving: {why}")),
    };
    let json = json!({ "service": args.service, "serving": serving, "reason": reason });
    output.result(text, &json)?;
    Ok(if serving { exit::OK } else { exit::FAILED })
}

/// Why the node does not serve: what it says of itself in the cluster's status, which it answers whatever its health.
async fn reason(client: &Client) -> Option<String> {
    let status = client.cluster_status().await.ok()?;
    let mut members = status.members.into_iter();
    let own = members.find(|it| it.node_id == status.answered_by)?;
    own.health.filter(|it| !it.ready).map(|it| it.reason)
}

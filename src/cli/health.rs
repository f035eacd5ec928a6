//! `refrain health`: asks one node whether it serves, by `grpc.health.v1`; made for container health checks.

use clap::Args;
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
    let serving = client.client()?.health(&args.service).await;
    let serving = serving.map_err(|error| {
        let mut failure = Failure::from(error);
        failure.status = exit::FAILED;
        failure
    })?;
    let text = || {
        if serving {
            output.paint.text(Tone::Good, "serving")
        } else {
            output.paint.text(Tone::Bad, "not serving")
        }
    };
    let json = json!({ "service": args.service, "serving": serving });
    output.result(text, &json)?;
    Ok(if serving { exit::OK } else { exit::FAILED })
}

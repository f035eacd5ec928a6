//! `refrain probe`: makes sure, from outside and on every node, that the cluster keeps its promises.

mod alike;
mod compared;
mod export;
mod falsehoods;
mod in_flight;
mod nodes;
mod pass;
mod record;

use std::{net::SocketAddr, time::Duration};

use clap::Args;
use refrain::domain::Namespace;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{MissedTickBehavior, interval},
};

use self::{export::Export, record::Pass};
use super::{
    client::{ClientArgs, parse_duration},
    exit,
    failure::Failure,
    output::Output,
};

/// Makes synthetic changes through every node and holds what all of them answer against the promises
///
/// A pass opts one made-up person of the namespace `refrain-probe` out and in again, asks every node all the while, sends each what must be
/// refused, follows the watches, and compares states and journals: what could not be compared did not hold. It makes two events at most. Exit status 0: all held.
/// 1: something did not; it says what. 69: no node answers.
#[derive(Debug, Args)]
pub struct ProbeArgs {
    /// Go on, a pass every so often, until it is stopped
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    every: Option<Duration>,

    /// Serve the metrics of the passes at this address, under /metrics
    #[arg(long, value_name = "HOST:PORT", requires = "every")]
    metrics_listen: Option<SocketAddr>,

    /// Add the namespace that passes use; needs the permission `registry`, once in a cluster's life
    #[arg(long)]
    prepare: bool,
}

/// Runs `probe`.
pub async fn run(args: &ProbeArgs, client: &ClientArgs, output: &Output) -> Result<u8, Failure> {
    if args.prepare {
        let name = Namespace::probe().to_string();
        client.client()?.add_namespace(&name).await?;
        output.note(format_args!("the namespace `{name}` is there"));
    }
    let nodes = nodes::find(client).await?;
    let Some(every) = args.every else {
        let pass = pass::make(&nodes, 0, client.timeout).await;
        output.result(|| pass.text(output.paint), &pass.json())?;
        return Ok(status(&pass));
    };
    let export = Export::start(args.metrics_listen).await?;
    if let Some(address) = export.address() {
        output.note(format_args!("metrics at http://{address}/metrics"));
    }
    let mut tick = interval(every);
    // A pass that takes longer delays the next one: two never overlap.
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let unable =
        |error: std::io::Error| Failure::other(format!("cannot wait for signals: {error}"));
    let mut interrupted = signal(SignalKind::interrupt()).map_err(unable)?;
    let mut terminated = signal(SignalKind::terminate()).map_err(unable)?;
    let mut worst = exit::OK;
    for number in 0.. {
        let next = async {
            tick.tick().await;
            // The members may have changed since.
            let nodes = nodes::find(client).await.unwrap_or_else(|_| nodes.clone());
            pass::make(&nodes, number, client.timeout).await
        };
        let pass = tokio::select! {
            pass = next => pass,
            _ = interrupted.recv() => break,
            _ = terminated.recv() => break,
        };
        output.result(|| pass.text(output.paint), &pass.json())?;
        worst = worst.max(status(&pass));
        export.note(pass);
        if output.closed() {
            break;
        }
    }
    Ok(worst)
}

fn status(pass: &Pass) -> u8 {
    if pass.holds() {
        exit::OK
    } else if pass.unanswered {
        exit::UNAVAILABLE
    } else {
        exit::FAILED
    }
}

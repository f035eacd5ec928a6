//! `refrain demo`: three real nodes on this machine, a suppression list, a dead leader, and not one ALLOW too many.

mod act;
mod folder;
mod load;
mod node;
mod story;

use std::{io, time::Duration};

use clap::Args;
use refrain::client::{Client, ClientBuilder};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use self::{act::Summary, folder::Folder, node::Node, story::Story};
use super::{
    exit,
    failure::Failure,
    output::Output,
    paint::{Paint, Tone},
};

/// How long anything may take before the demonstration gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// What `demo --help` says.
const ABOUT: &str = "\
Starts three nodes on this machine (real processes, free ports on loopback, data in a temporary folder), forms a \
cluster, imports a list of 12,000 hashed e-mail opt-outs, sets and lifts opt-outs, kills the leader, and shows that \
nobody who opted out is let through. Stays up until Ctrl-C, so that you can try it; with --once it ends by itself, \
with exit status 0 if all it promises held, else 1.";

/// The flags of `demo`.
#[derive(Debug, Args)]
#[command(about = "Shows a three-node cluster at work on this machine", long_about = ABOUT)]
pub struct DemoArgs {
    /// End when all has been shown
    #[arg(long)]
    once: bool,

    /// Leave the folder with the nodes' data and logs behind
    #[arg(long)]
    keep: bool,
}

/// Runs the demonstration. Whatever ends it, the nodes end with it.
pub async fn run(args: &DemoArgs, output: &Output) -> Result<u8, Failure> {
    let mut interrupts = [
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
        signal(SignalKind::hangup())?,
    ];
    let [interrupt, terminate, hangup] = &mut interrupts;
    let interrupted = async {
        tokio::select! {
            _ = interrupt.recv() => (),
            _ = terminate.recv() => (),
            _ = hangup.recv() => (),
        }
    };
    let mut done = false;
    tokio::select! {
        result = show(args, output, &mut done) => result.map_err(failed)?,
        () = interrupted => {
            let _ = output.line("\nending the nodes");
        }
    }
    Ok(if done { exit::OK } else { exit::FAILED })
}

/// The whole of it; `done` once everything that is promised has been seen to hold.
async fn show(args: &DemoArgs, output: &Output, done: &mut bool) -> Result<(), Failure> {
    let story = Story::new(output);
    let folder = Folder::make(args.keep)?;
    story.say(format_args!(
        "Refrain on this machine: three nodes, real processes, all data under {}",
        folder.path().display()
    ))?;
    let token_key = folder.write_token_key()?;
    // Before the folder in the order of dropping: the nodes end before their data goes.
    let mut nodes: Vec<Node> = (1..=3)
        .map(|number| Node::new(number, folder.path(), &token_key))
        .collect();

    let summary = act::play(&mut nodes, &story).await?;
    *done = true;
    story.say(held(&summary, output.paint))?;
    if !args.once {
        story.say(invitation(&nodes, output.paint))?;
    }
    if output.format == super::output::Format::Json {
        output.line(as_json(&nodes, &summary))?;
    }
    if !args.once {
        let data = if args.keep { "leaves" } else { "removes" };
        let end = format!("\nCtrl-C ends the nodes and {data} their data.");
        story.say(output.paint.text(Tone::Dim, end))?;
        std::future::pending::<()>().await;
    }
    Ok(())
}

/// A failure of the demonstration always has the same exit status.
fn failed(mut failure: Failure) -> Failure {
    failure.status = exit::FAILED;
    failure
}

/// A client of some of the nodes, with patience for a machine that has much else to do.
fn client_of<'a>(nodes: impl IntoIterator<Item = &'a Node>) -> ClientBuilder {
    Client::builder()
        .endpoints(nodes.into_iter().map(Node::uri))
        .deadline(PATIENCE)
        .attempt_timeout(Duration::from_secs(5))
}

/// What was promised, and held.
fn held(summary: &Summary, paint: Paint) -> String {
    format!(
        "\n{}\n  {} of {} checks during the fail-over said DENY, {} had no answer (which denies too), {} said ALLOW.\n  \
         {} opt-outs were acknowledged meanwhile, and every one is denied on every node.",
        paint.text(Tone::Bold, "What held"),
        summary.denied,
        summary.denied + summary.unanswered + summary.allowed,
        summary.unanswered,
        summary.allowed,
        summary.acknowledged,
    )
}

/// Where the nodes are, and what to try on them.
fn invitation(nodes: &[Node], paint: Paint) -> String {
    let program = program().unwrap_or_else(|_| "refrain".to_owned());
    let one = &nodes[0].client;
    let head = |text: &str| paint.text(Tone::Bold, text);
    let addresses: Vec<String> = nodes
        .iter()
        .map(|it| {
            format!(
                "  node {}   clients {}   peers {}",
                it.number, it.client, it.peer
            )
        })
        .collect();
    format!(
        "\n{}\n{}\n\n{}\n  \
         curl http://{one}/readyz\n  \
         grpcurl -plaintext -d '{{\"identifiers\":[{{\"type\":\"email\",\"value\":\"grace@example.com\"}}],\"purpose\":\
         \"marketing.email\"}}' {one} refrain.v1.DecisionService/Check\n  \
         {program} --endpoint {one} check --email grace@example.com --purpose marketing.email",
        head("Where"),
        addresses.join("\n"),
        head("Try"),
    )
}

/// How this program can be called from where the user is.
fn program() -> io::Result<String> {
    let program = std::env::current_exe()?;
    let here = std::env::current_dir()?;
    let shown = match program.strip_prefix(&here) {
        Ok(relative) => std::path::Path::new(".").join(relative),
        Err(_) => program,
    };
    Ok(shown.display().to_string())
}

fn as_json(nodes: &[Node], summary: &Summary) -> serde_json::Value {
    json!({
        "imported": summary.imported,
        "gap_in_writes_ms": u64::try_from(summary.gap.as_millis()).unwrap_or(u64::MAX),
        "acknowledged": summary.acknowledged,
        "checks": {
            "denied": summary.denied,
            "unanswered": summary.unanswered,
            "allowed": summary.allowed,
        },
        "nodes": nodes.iter().map(|it| json!({
            "client": it.client,
            "peer": it.peer,
        })).collect::<Vec<_>>(),
    })
}

//! `refrain cluster`: forming a cluster, changing its members, looking at it.

mod status;

use std::time::Duration;

use clap::{Args, Subcommand};
use futures::StreamExt as _;
use indicatif::{ProgressBar, ProgressStyle};
use refrain::{
    client::Client,
    proto::v1::{AddRequest, RemoveRequest},
};
use serde_json::json;

use super::{
    client::ClientArgs,
    exit,
    failure::Failure,
    output::Output,
    paint::{Tone, grouped},
};

/// What `cluster` can do.
#[derive(Debug, Subcommand)]
pub enum ClusterCommand {
    /// Creates a cluster with the first endpoint as its one voter, and adds others
    Init(InitArgs),
    /// Adds nodes that wait with `serve --join`: each first catches up, then votes
    Add(AddArgs),
    /// Takes a node out
    Remove(RemoveArgs),
    /// Shows the members; exit status 2 where the cluster raises an alarm
    Status,
    /// Hands the leadership to a voter
    TransferLeader {
        /// The node's id or the beginning of it [default: the one that is most caught up]
        #[arg(value_name = "NODE_ID", default_value = "")]
        node: String,
    },
}

/// The flags of `cluster init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Where further nodes listen for peers; each is added after the other
    #[arg(long, value_name = "HOST:PORT", num_args = 1.., value_delimiter = ',')]
    with: Vec<String>,

    /// Do nothing about what has been done already, so that it can be run again
    #[arg(long)]
    if_needed: bool,
}

/// The flags of `cluster add`.
#[derive(Debug, Args)]
pub struct AddArgs {
    /// Where the new nodes listen for peers
    #[arg(value_name = "HOST:PORT", required = true)]
    peers: Vec<String>,

    /// Let them stay learners, which hold everything and have no vote
    #[arg(long)]
    learner: bool,
}

/// The flags of `cluster remove`.
#[derive(Debug, Args)]
pub struct RemoveArgs {
    /// The node's id, or the beginning of it
    #[arg(value_name = "NODE_ID")]
    node: String,

    /// Do it even where too few of those that stay hold the whole journal
    #[arg(long)]
    force: bool,
}

/// Runs `cluster`.
pub async fn run(
    command: &ClusterCommand,
    client: &ClientArgs,
    output: &Output,
) -> Result<u8, Failure> {
    let client = client.client()?;
    match command {
        ClusterCommand::Init(args) => init(args, &client, output).await,
        ClusterCommand::Add(args) => {
            for peer in &args.peers {
                add(&client, peer, args.learner, output).await?;
            }
            Ok(exit::OK)
        }
        ClusterCommand::Remove(args) => {
            let request = RemoveRequest {
                node_id: args.node.clone(),
                force: args.force,
            };
            let done = client.cluster_remove(request).await?;
            let text = || format!("removed {}", done.node_id);
            output.result(text, &json!({ "node_id": done.node_id }))?;
            Ok(exit::OK)
        }
        ClusterCommand::Status => status::run(&client, output).await,
        ClusterCommand::TransferLeader { node } => {
            let done = client.transfer_leader(node).await?;
            let text = || format!("{} leads", done.leader_id);
            output.result(text, &json!({ "leader_id": done.leader_id }))?;
            Ok(exit::OK)
        }
    }
}

async fn init(args: &InitArgs, client: &Client, output: &Output) -> Result<u8, Failure> {
    match client.cluster_init().await {
        Ok(made) => {
            let text = || {
                let made_it = output.paint.text(Tone::Good, "created");
                format!(
                    "{made_it} cluster {} with node {}",
                    made.cluster_id, made.node_id
                )
            };
            let json = json!({ "cluster_id": made.cluster_id, "node_id": made.node_id });
            output.result(text, &json)?;
        }
        Err(error) if args.if_needed && error.reason() == "CLUSTER_ALREADY_INITIALISED" => {
            output.note("the cluster is there already");
        }
        Err(error) => return Err(error.into()),
    }
    let mut voters = Vec::new();
    if args.if_needed && !args.with.is_empty() {
        let status = client.cluster_status().await?;
        let voting = status.members.into_iter().filter(|it| it.role == "voter");
        voters.extend(voting.map(|it| it.peer_address));
    }
    for peer in &args.with {
        if voters.contains(peer) {
            output.note(format_args!("{peer} is a member already"));
        } else {
            add(client, peer, false, output).await?;
        }
    }
    Ok(exit::OK)
}

/// Adds one node, and tells how far it is.
async fn add(client: &Client, peer: &str, learner: bool, output: &Output) -> Result<(), Failure> {
    let spinner = spinner();
    spinner.set_message(format!("adding {peer}"));
    let mut progress = client.cluster_add(AddRequest {
        peer_address: peer.to_owned(),
        learner,
    });
    while let Some(news) = progress.next().await {
        let news = news.inspect_err(|_| spinner.finish_and_clear())?;
        if news.done {
            spinner.finish_and_clear();
            let role = if learner { "learner" } else { "voter" };
            let text = || {
                let added = output.paint.text(Tone::Good, "added");
                format!("{added} {peer} as {role} {}", news.node_id)
            };
            let json = json!({ "node_id": news.node_id, "peer_address": peer, "role": role });
            return output.result(text, &json);
        }
        let lag = grouped(news.lag);
        spinner.set_message(format!(
            "adding {peer}: {}, {lag} entries behind",
            news.stage
        ));
    }
    spinner.finish_and_clear();
    Err(Failure::other(format!(
        "adding {peer} ended without a result"
    )))
}

/// Something that turns while one waits; on a terminal only.
pub fn spinner() -> ProgressBar {
    let spinner = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
        spinner.set_style(style);
    }
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}

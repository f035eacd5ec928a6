//! Puts a node together from its parts, runs it, and stops it with grace.

pub mod disk;
mod first_start;
mod keys;
mod log_sink;
mod logging;
mod ready;
mod run;
mod traces;

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context as _;
use rustix::process::{Resource, getrlimit};
use tokio::{task::JoinHandle, time::Instant};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

pub use self::{
    logging::{Logging, install as install_logging, say_last},
    run::run,
};

use self::{disk::Disk, keys::Keys};
use crate::{
    api::{Edge, Parts},
    authority::Authority,
    clock::{Clock, Entropy},
    config::Config,
    consensus::{self, Consensus, Peer, StartError},
    domain::NodeId,
    feed::Feed,
    limits,
    metrics::Meters,
    net::{Connector, Listener},
};

/// What a node does not reach for by itself.
pub struct Injected {
    /// Where clients come in.
    pub client_listener: Listener,
    /// Where the other nodes come in.
    pub peer_listener: Listener,
    /// How the other nodes are reached.
    pub connector: Connector,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// What the node keeps, and who it is.
    pub disk: Disk,
}

/// A node that runs. Dropping it stops it without grace.
pub struct Running {
    /// Where it listens for clients; the port is the real one.
    pub client_address: SocketAddr,
    /// Where it listens for the other nodes.
    pub peer_address: SocketAddr,
    /// Its id.
    pub node_id: u64,
    drain: CancellationToken,
    node: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    /// Begins a graceful stop: not ready first, then the leadership goes to another node, then what is in flight is
    /// answered. [`Running::wait`] tells when it is done.
    pub fn shutdown(&self) {
        self.drain.cancel();
    }

    /// Waits until the node has stopped.
    ///
    /// # Errors
    /// Why it stopped, where it had to: above all a disk that failed.
    pub async fn wait(mut self) -> anyhow::Result<()> {
        match (&mut self.node).await {
            Ok(ended) => ended,
            Err(error) => Err(error).context("the node came to a sudden end"),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.node.abort();
    }
}

/// Starts a node. When this returns, it listens; whether it serves, its health tells.
///
/// # Errors
/// A key that cannot be had (a [`ConfigError`](crate::config::ConfigError)), or a data folder that cannot be used.
pub async fn start(config: Config, injected: Injected) -> anyhow::Result<Running> {
    let keys = Keys::get(&config, &*injected.entropy, injected.disk.new)?;
    injected.disk.settle()?;
    let (client_address, peer_address) = (
        injected.client_listener.address,
        injected.peer_listener.address,
    );
    let told =
        |said: &Option<String>, real: SocketAddr| said.clone().unwrap_or_else(|| real.to_string());
    let Disk {
        log,
        files,
        space,
        log_sync,
        identity,
        ..
    } = injected.disk;
    let meters = Meters::with(log_sync, traces::spans());
    let own_id = identity.node_id;
    let consensus = Consensus::start(consensus::Parts {
        log,
        files,
        space,
        connector: injected.connector,
        clock: Arc::clone(&injected.clock),
        entropy: Arc::clone(&injected.entropy),
        identity,
        own: Peer {
            peer_address: told(&config.peer_advertise, peer_address),
            client_address: told(&config.advertise, client_address),
        },
        key_fingerprint: keys.token.fingerprint(),
        sealing_key: keys.sealing,
        timing: consensus::Timing {
            heartbeat_ms: milliseconds(config.timing.heartbeat),
            election_timeout_ms: (
                milliseconds(config.timing.election_min),
                milliseconds(config.timing.election_max),
            ),
            snapshot_log_bytes: config.snapshot_log_bytes,
            log_entries_kept: config.log_entries_kept,
            usage_report_ms: milliseconds(config.usage_report),
            stamp_key_ms: milliseconds(config.stamp_key_life),
        },
        meters: meters.clone(),
        settings: settings(&config),
    })
    .await
    .map_err(|error| match error {
        StartError::Refused(refused) => {
            StartError::Refused(refused.in_folder(&config.data).of_node(own_id))
        }
        other => other,
    })?;
    let drain = CancellationToken::new();
    let parts = Parts {
        authority: Authority::new(consensus.clone()),
        feed: Feed::new(consensus.journal(), consensus.committed(), drain.clone()),
        token_key: keys.token,
        decision_key: keys.decision,
        link_key: keys.link,
        clock: injected.clock,
        entropy: injected.entropy,
        deadlines: config.deadlines,
        override_max_minutes: config.override_max_minutes,
        principals: Arc::new(config.principals),
        stamp_life: config.stamp_life,
        insecure: config.insecure,
        meters,
        drain: drain.clone(),
    };
    let edge = Edge::new(parts, config.max_calls, config.reflection)?;
    let node_id = consensus.node_id();
    let node = Node {
        consensus,
        edge,
        listener: injected.client_listener,
        peer_listener: injected.peer_listener,
        form: !config.join,
        drain: drain.clone(),
        drain_timeout: config.drain_timeout,
    };
    Ok(Running {
        client_address,
        peer_address,
        node_id,
        drain,
        node: tokio::spawn(node.run()),
    })
}

/// What is in force on this node, as the other nodes are told of it: the settings, and a limit that the system sets.
fn settings(config: &Config) -> Vec<consensus::Setting> {
    let told = config.effective().into_iter();
    let told = told.map(|setting| consensus::Setting {
        name: setting.name.to_owned(),
        value: setting.value,
        own: setting.own,
    });
    let files = getrlimit(Resource::Nofile).current;
    let limit = consensus::Setting {
        name: "limit of open files".to_owned(),
        value: files.map_or("none".to_owned(), |files| files.to_string()),
        own: false,
    };
    told.chain([limit]).collect()
}

fn milliseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What runs.
struct Node {
    consensus: Consensus,
    edge: Edge,
    listener: Listener,
    peer_listener: Listener,
    /// Whether to form a cluster of this one node, where it belongs to none.
    form: bool,
    drain: CancellationToken,
    drain_timeout: std::time::Duration,
}

impl Node {
    async fn run(self) -> anyhow::Result<()> {
        let stop_serving = CancellationToken::new();
        let serve = self
            .edge
            .serve(self.listener, stop_serving.clone().cancelled_owned());
        tokio::pin!(serve);
        let stop_peers = CancellationToken::new();
        let peers = AbortOnDropHandle::new(tokio::spawn(
            tonic::transport::Server::builder()
                .add_service(self.consensus.peer_service())
                .serve_with_incoming_shutdown(
                    self.peer_listener.incoming(),
                    stop_peers.clone().cancelled_owned(),
                ),
        ));
        if self.form && self.consensus.cluster_id().is_none() {
            let deadline = Instant::now() + limits::FORM_TIMEOUT;
            let (cluster_id, _) = tokio::select! {
                formed = self.consensus.init(deadline) => formed?,
                served = &mut serve => return ended(served),
                () = self.drain.cancelled() => return Ok(()),
            };
            tracing::warn!(
                cluster_id = hex::encode(cluster_id),
                "formed a new, EMPTY cluster of this one node: it knows of no opt-out; if this node belongs to a cluster, \
                 stop it, empty its data folder and start it with --join"
            );
        }
        let fatal = self.consensus.failed();
        tokio::pin!(fatal);
        tokio::select! {
            served = &mut serve => return ended(served),
            why = &mut fatal => return Err(died(&why)),
            // From here on the health says `draining`, and what is long-lived ends.
            () = self.drain.cancelled() => {}
        }

        tracing::info!(timeout_ms = self.drain_timeout.as_millis(), "draining");
        let until = Instant::now() + self.drain_timeout;
        let finish = async {
            // Half of the time at most: what is in flight needs some too. A cluster of one has nobody to hand over to.
            let half = Instant::now() + self.drain_timeout / 2;
            if self.consensus.leads() {
                match self.consensus.transfer_leader(None, half).await {
                    Ok(leader) => tracing::info!(
                        leader = %NodeId(leader),
                        "handed the leadership over"
                    ),
                    Err(error) => tracing::info!(%error, "kept the leadership"),
                }
            }
            stop_serving.cancel();
        };
        // The node goes on serving while the leadership moves.
        let drained = tokio::time::timeout_at(until, async {
            let ((), served) = tokio::join!(finish, &mut serve);
            served
        });
        let drained = tokio::select! {
            drained = drained => drained,
            why = &mut fatal => return Err(died(&why)),
        };
        let drained_in_time = drained.is_ok();
        if let Ok(served) = drained {
            served.context("the listener for clients ended")?;
        } else {
            tracing::warn!("stopped with calls in flight: they took longer than drain_timeout_ms");
        }
        if drained_in_time {
            self.consensus.report_usage().await;
        }
        self.consensus.shutdown().await;
        stop_peers.cancel();
        // Streams of peers that do not end are cut off with the process.
        let _ = tokio::time::timeout_at(until, peers).await;
        tracing::info!("stopped");
        Ok(())
    }
}

/// The error of a node whose listener ended by itself.
fn ended(served: Result<(), impl std::error::Error + Send + Sync + 'static>) -> anyhow::Result<()> {
    served.context("the listener for clients ended")?;
    anyhow::bail!("the listener for clients ended")
}

/// The error of a node that must not go on.
fn died(why: &str) -> anyhow::Error {
    anyhow::anyhow!("this node cannot go on: {why}")
}

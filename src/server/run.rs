//! Runs a node as a process: real sockets, real disk, signals.

use std::{io, net::SocketAddr, sync::Arc};

use anyhow::Context as _;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Injected, disk::Disk, ready, start, traces::Traces};
use crate::{
    clock::{SystemClock, SystemEntropy},
    config::Config,
    domain::NodeId,
    limits,
    net::{Connector, Listener},
};

/// Open files that a node asks for: its connections, and some for its disk.
const OPEN_FILES: u64 = limits::CONNECTIONS as u64 + 1_024;

/// Runs a node until SIGTERM or SIGINT, and then stops it with grace; a second signal stops it at once.
///
/// # Errors
/// Whatever keeps the node from starting or from going on, with what to do. A
/// [`ConfigError`](crate::config::ConfigError) within is for the exit status 64.
pub async fn run(config: Config) -> anyhow::Result<()> {
    // Before anything else, so that a signal is never lost to the default action half-way through the start.
    let mut stop = Stop::new().context("cannot listen for signals")?;
    raise_file_limit();
    let client_listener = listen("clients", "--listen", config.listen).await?;
    let peer_listener = listen("peers", "--peer-listen", config.peer_listen).await?;
    let disk = Disk::open(&config.data, config.join, &SystemEntropy)?;
    let traces = Traces::begin(&config.traces, disk.identity.node_id)?;
    let ready_file = config.ready_file.clone();
    let injected = Injected {
        client_listener,
        peer_listener,
        connector: Connector::tcp(),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        disk,
    };
    let running = start(config, injected).await?;
    tracing::info!(
        client = %running.client_address,
        peer = %running.peer_address,
        node_id = %NodeId(running.node_id),
        version = env!("CARGO_PKG_VERSION"),
        "listening"
    );
    if let Some(path) = ready_file {
        ready::write(&path, &running).with_context(|| {
            format!(
                "cannot write the ready file {}: name one in a folder that can be written to",
                path.display()
            )
        })?;
    }
    let drain = running.drain.clone();
    let end = async {
        running.wait().await?;
        // A node that must not go on ends at once.
        traces.end().await;
        Ok(())
    };
    tokio::pin!(end);
    tokio::select! {
        ended = &mut end => return ended,
        () = stop.asked() => drain.cancel(),
    }
    tokio::select! {
        ended = end => ended,
        () = stop.asked() => anyhow::bail!("stopped at once by a second signal"),
    }
}

/// Asks for as many open files as the connections need, where the system lets a process have more than it gives at first
/// (1,024 on many). A wish, not a need.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.unwrap_or(OPEN_FILES).min(OPEN_FILES);
    if limit.current.is_none_or(|current| current >= wanted) {
        return;
    }
    let raised = Rlimit {
        current: Some(wanted),
        ..limit
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, wanted, "cannot raise the limit of open files");
    }
}

/// The signals that ask a process to stop.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

async fn listen(whom: &str, flag: &str, address: SocketAddr) -> anyhow::Result<Listener> {
    Listener::tcp(address).await.map_err(|error| {
        let what_to_do = match error.kind() {
            io::ErrorKind::AddrInUse => format!(
                "another program, perhaps another refrain, holds that port (`ss -ltnp 'sport = :{}'` shows which): stop it, \
                 or choose another with {flag}",
                address.port()
            ),
            io::ErrorKind::AddrNotAvailable => {
                format!("this machine does not have that address: choose one that it has with {flag}")
            }
            io::ErrorKind::PermissionDenied => {
                format!("ports below 1024 need a privilege: choose a higher one with {flag}")
            }
            _ => format!("choose another with {flag}"),
        };
        anyhow::anyhow!("cannot listen for {whom} on {address}: {error}; {what_to_do}")
    })
}

//! Nodes for the simulation, and how to talk to them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures::stream;
use refrain::clock::{Clock, SystemEntropy};
use refrain::config::{Config, Secret, SecretSource};
use refrain::domain::Millis;
use refrain::net::{Connection, Connector, Listener};
use refrain::server::{self, Injected, disk::Disk};
use refrain::storage::log::MemoryLog;
use refrain::storage::memory::MemoryFiles;
use tonic::transport::{Channel, Endpoint};

/// Where a node listens for clients.
pub const CLIENTS: u16 = 7400;
/// Where a node listens for the other nodes.
pub const PEERS: u16 = 7401;

/// The simulation's clock, which starts on 2026-01-01.
pub struct SimulatedClock;

impl Clock for SimulatedClock {
    fn now(&self) -> Millis {
        let elapsed = turmoil::sim_elapsed().unwrap_or_default();
        Millis(1_767_225_600_000 + u64::try_from(elapsed.as_millis()).unwrap())
    }
}

/// What outlives a node's crash.
#[derive(Clone, Default)]
pub struct Platter {
    log: MemoryLog,
    files: MemoryFiles,
}

async fn connect(address: String) -> io::Result<Connection> {
    let (host, port) = address
        .rsplit_once(':')
        .ok_or(io::ErrorKind::InvalidInput)?;
    let port = port.parse::<u16>().map_err(io::Error::other)?;
    let stream = turmoil::net::TcpStream::connect((host, port)).await?;
    Ok(Connection::new(stream, None))
}

async fn listen(port: u16) -> io::Result<Listener> {
    let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port);
    let listener = turmoil::net::TcpListener::bind(address).await?;
    let incoming = stream::unfold(listener, |listener| async move {
        let accepted = listener.accept().await;
        Some((
            accepted.map(|(stream, _)| Connection::new(stream, None)),
            listener,
        ))
    });
    // To a node, whoever calls it in here is on its own machine.
    Ok(Listener::new(
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port),
        incoming,
    ))
}

/// Runs a node, with other settings, until the simulation ends it.
pub async fn node(
    name: &str,
    platter: Platter,
    change: impl FnOnce(&mut Config),
) -> turmoil::Result {
    let mut config = Config::in_folder(std::path::Path::new("nowhere"));
    config.join = true;
    config.insecure = true;
    config.token_key = SecretSource::Given(Secret::new([7; 32]));
    config.sealing_key = SecretSource::Given(Secret::new([8; 32]));
    config.advertise = Some(format!("{name}:{CLIENTS}"));
    config.peer_advertise = Some(format!("{name}:{PEERS}"));
    change(&mut config);
    let injected = Injected {
        client_listener: listen(CLIENTS).await?,
        peer_listener: listen(PEERS).await?,
        connector: Connector::new(|address| Box::pin(connect(address))),
        clock: Arc::new(SimulatedClock),
        entropy: Arc::new(SystemEntropy),
        disk: Disk::in_memory(platter.log, platter.files, &SystemEntropy)?,
    };
    server::start(config, injected).await?.wait().await?;
    Ok(())
}

/// A connection to a node's client listener, opened when it is first used.
pub fn channel(name: &str) -> Channel {
    let target = format!("{name}:{CLIENTS}");
    Endpoint::from_shared(format!("http://{target}"))
        .unwrap()
        .timeout(Duration::from_secs(2))
        .connect_with_connector_lazy(tower::service_fn(move |_| {
            let target = target.clone();
            async move { connect(target).await.map(hyper_util::rt::TokioIo::new) }
        }))
}

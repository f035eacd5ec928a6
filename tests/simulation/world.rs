//! Nodes for the simulation, and how to talk to them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures::stream;
use refrain::config::{Config, Secret, SecretSource};
use refrain::net::{Connection, Connector, Listener};
use refrain::server::{self, Injected, disk::Disk};
use tonic::transport::{Channel, Endpoint};

use crate::clock::SimulatedClock;
use crate::disk::SimulatedDisk;
use crate::random::{Seeded, stream};

/// Where a node listens for clients.
pub const CLIENTS: u16 = 7400;
/// Where a node listens for the other nodes.
pub const PEERS: u16 = 7401;

/// What the network does when nothing is wrong with it.
pub const LATENCY: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(8));

/// A node's name in the network.
pub fn name(node: usize) -> String {
    format!("node-{node}")
}

/// What outlives a node's crash, and what it is told at its start.
#[derive(Clone)]
pub struct Machine {
    /// Its place.
    pub node: usize,
    /// Its disk.
    pub disk: SimulatedDisk,
    /// Its clock.
    pub clock: SimulatedClock,
    /// Bytes of log after which it makes a snapshot, and log entries that it keeps behind one; none for the defaults.
    pub compaction: Option<(u64, u64)>,
    /// What else is set otherwise.
    pub configure: fn(&mut Config),
    seed: u64,
}

impl Machine {
    /// A machine with an empty disk.
    pub fn new(seed: u64, node: usize) -> Self {
        Self {
            node,
            disk: SimulatedDisk::new(stream(seed, &format!("disk {node}"))),
            clock: SimulatedClock::default(),
            compaction: None,
            configure: |_| {},
            seed,
        }
    }

    /// Runs a node until it fails, or the simulation ends it. `life` tells its lives apart.
    ///
    /// # Errors
    /// Why the node could not start, or could not go on.
    pub async fn run(self, life: u64) -> anyhow::Result<()> {
        let entropy = Seeded::new(self.seed, self.node, life);
        let mut config = Config::in_folder(std::path::Path::new("nowhere"));
        config.join = true;
        config.insecure = true;
        config.token_key = SecretSource::Given(Secret::new([7; 32]));
        config.sealing_key = SecretSource::Given(Secret::new([8; 32]));
        config.advertise = Some(format!("{}:{CLIENTS}", name(self.node)));
        config.peer_advertise = Some(format!("{}:{PEERS}", name(self.node)));
        if let Some((bytes, entries)) = self.compaction {
            config.snapshot_log_bytes = bytes;
            config.log_entries_kept = entries;
        }
        (self.configure)(&mut config);
        let injected = Injected {
            client_listener: listen(CLIENTS).await?,
            peer_listener: listen(PEERS).await?,
            connector: Connector::new(|address| Box::pin(connect(address))),
            clock: Arc::new(self.clock),
            disk: Disk::in_memory(self.disk.log, self.disk.files, &entropy)?,
            entropy: Arc::new(entropy),
        };
        server::start(config, injected).await?.wait().await
    }
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

/// A connection to a node's client listener, opened when it is first used.
pub fn channel(node: usize) -> Channel {
    let target = format!("{}:{CLIENTS}", name(node));
    Endpoint::from_shared(format!("http://{target}"))
        .unwrap()
        .timeout(Duration::from_secs(10))
        .connect_timeout(Duration::from_millis(500))
        // The simulated network sends nothing again: a connection that lost something is dead, and only silence tells.
        .http2_keep_alive_interval(Duration::from_millis(500))
        .keep_alive_timeout(Duration::from_millis(500))
        .keep_alive_while_idle(true)
        .connect_with_connector_lazy(tower::service_fn(move |_| {
            let target = target.clone();
            async move { connect(target).await.map(hyper_util::rt::TokioIo::new) }
        }))
}

/// A network of the kind that every simulation runs in.
pub fn network(seed: u64, longest: Duration) -> turmoil::Sim<'static> {
    turmoil::Builder::new()
        .simulation_duration(longest)
        .tick_duration(Duration::from_millis(2))
        .min_message_latency(LATENCY.0)
        .max_message_latency(LATENCY.1)
        .tcp_capacity(4_096)
        .epoch(std::time::UNIX_EPOCH + Duration::from_millis(crate::clock::BEGINNING_MS))
        .rng_seed(seed)
        .build()
}

/// Sixteen random bytes that make a request's id at a moment, as a caller would.
pub fn request_id(random: &mut impl rand::Rng, now: Duration) -> String {
    let mut rest = [0; 10];
    random.fill_bytes(&mut rest);
    let at = crate::clock::BEGINNING_MS + u64::try_from(now.as_millis()).unwrap();
    uuid::Builder::from_unix_timestamp_millis(at, &rest)
        .into_uuid()
        .to_string()
}

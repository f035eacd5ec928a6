//! Accepts connections, and tells the handlers where a call came from.

use std::{io, net::SocketAddr, time::Duration};

use futures::{Stream, StreamExt as _, stream::BoxStream};
use tokio::net::TcpListener;
use tonic::transport::server::Connected;

use super::Connection;

/// How long nothing is accepted after accepting a connection failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Where a call came from, as the handlers see it.
#[derive(Debug, Clone, Copy)]
pub struct Remote(pub Option<SocketAddr>);

impl Connected for Connection {
    type ConnectInfo = Remote;

    fn connect_info(&self) -> Remote {
        Remote(self.remote())
    }
}

/// Accepts connections, and knows the address that it got.
pub struct Listener {
    /// The address that it listens on; the port is the real one, also where 0 was asked for.
    pub address: SocketAddr,
    incoming: BoxStream<'static, io::Result<Connection>>,
}

impl Listener {
    /// Wraps a source of connections.
    pub fn new(
        address: SocketAddr,
        incoming: impl Stream<Item = io::Result<Connection>> + Send + 'static,
    ) -> Self {
        Self {
            address,
            incoming: incoming.boxed(),
        }
    }

    /// Listens on a TCP address.
    ///
    /// # Errors
    /// Whatever `bind` says, such as a port in use.
    pub async fn tcp(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let incoming = futures::stream::unfold(listener, |listener| async move {
            let accepted = listener.accept().await;
            if let Err(error) = &accepted
                && error.kind() != io::ErrorKind::ConnectionAborted
            {
                // What keeps a connection from being accepted, such as too many open files, does not pass by asking again
                // at once.
                tracing::warn!(%error, "cannot accept connections");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            let accepted = accepted.and_then(|(stream, remote)| {
                // tonic ignores its own setting when it is handed the connections.
                stream.set_nodelay(true)?;
                Ok(Connection::new(stream, Some(remote)))
            });
            Some((accepted, listener))
        });
        Ok(Self::new(address, incoming))
    }

    /// The connections.
    pub fn incoming(self) -> BoxStream<'static, io::Result<Connection>> {
        self.incoming
    }
}

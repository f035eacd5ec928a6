//! Listeners and connectors, injected so that the same server runs over TCP, on port 0 in a test, and in a simulation.

use std::{io, net::SocketAddr, pin::Pin, sync::Arc, task, time::Duration};

use futures::{Stream, StreamExt as _, future::BoxFuture, stream::BoxStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tonic::transport::server::Connected;

/// How long nothing is accepted after accepting a connection failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a connection must be able to do.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// One connection, of whatever kind.
pub struct Connection {
    io: Box<dyn Duplex>,
    /// The other end, where it is known.
    remote: Option<SocketAddr>,
    /// What is given back when the connection ends.
    _held: Option<Box<dyn Send>>,
}

/// Where a call came from, as the handlers see it.
#[derive(Debug, Clone, Copy)]
pub struct Remote(pub Option<SocketAddr>);

impl Connection {
    /// Wraps a connection.
    pub fn new(io: impl Duplex + 'static, remote: Option<SocketAddr>) -> Self {
        Self {
            io: Box::new(io),
            remote,
            _held: None,
        }
    }

    /// The same connection, which drops `place` when it ends.
    #[must_use]
    pub fn holding(self, place: impl Send + 'static) -> Self {
        Self {
            _held: Some(Box::new(place)),
            ..self
        }
    }
}

impl Connected for Connection {
    type ConnectInfo = Remote;

    fn connect_info(&self) -> Remote {
        Remote(self.remote)
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> task::Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
        buf: &[u8],
    ) -> task::Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
    ) -> task::Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
    ) -> task::Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> task::Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
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

/// Opens connections to `host:port`.
#[derive(Clone)]
pub struct Connector(
    Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Connection>> + Send + Sync>,
);

impl Connector {
    /// Wraps a way to connect.
    pub fn new(
        connect: impl Fn(String) -> BoxFuture<'static, io::Result<Connection>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(connect))
    }

    /// Connects by TCP, without Nagle's delay.
    pub fn tcp() -> Self {
        Self::new(|address| {
            Box::pin(async move {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Ok(Connection::new(stream, None))
            })
        })
    }

    /// Connects to `host:port`.
    ///
    /// # Errors
    /// Whatever the transport says.
    pub async fn connect(&self, address: String) -> io::Result<Connection> {
        (self.0)(address).await
    }
}

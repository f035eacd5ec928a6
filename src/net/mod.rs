//! Listeners and connectors, injected so that the same server runs over TCP, on port 0 in a test, and in a simulation.

#[cfg(feature = "server")]
mod listener;

use std::{io, net::SocketAddr, pin::Pin, sync::Arc, task};

use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

#[cfg(feature = "server")]
pub use listener::{Listener, Remote};

/// What a connection must be able to do.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// One connection, of whatever kind.
pub struct Connection {
    io: Box<dyn Duplex>,
    remote: Option<SocketAddr>,
    /// What is given back when the connection ends.
    _held: Option<Box<dyn Send>>,
}

impl Connection {
    /// Wraps a connection.
    pub fn new(io: impl Duplex + 'static, remote: Option<SocketAddr>) -> Self {
        Self {
            io: Box::new(io),
            remote,
            _held: None,
        }
    }

    /// The other end's address, where it is known.
    pub fn remote(&self) -> Option<SocketAddr> {
        self.remote
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

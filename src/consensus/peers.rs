//! Calls to the other nodes: one lazily opened connection an address, and the envelope that every call carries.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tonic::Request;
use tonic::transport::{Channel, Endpoint};
use tracing::Span;

use crate::limits::{PEER_CONNECT_TIMEOUT, PEER_MESSAGE_BYTES};
use crate::net::Connector;
use crate::proto::peer::{Envelope, peer_client::PeerClient};
use crate::traces;

/// A client of another node's peer service.
pub type Client = PeerClient<Channel>;

/// A call of another node's `method` that takes the trace along which is current here, and the span of the call.
pub fn traced<T>(message: T, method: &'static str) -> (Request<T>, Span) {
    let mut request = Request::new(message);
    let span = traces::to_peer(request.metadata_mut().as_mut(), method);
    (request, span)
}

/// Opens and keeps the connections.
#[derive(Clone)]
pub struct Peers(Arc<Inner>);

struct Inner {
    connector: Connector,
    node_id: u64,
    cluster_id: OnceLock<[u8; 16]>,
    channels: Mutex<HashMap<String, Channel>>,
}

impl Peers {
    /// Connects as the node `node_id`, by way of `connector`.
    pub fn new(connector: Connector, node_id: u64, cluster_id: Option<[u8; 16]>) -> Self {
        let known = OnceLock::new();
        if let Some(id) = cluster_id {
            let _ = known.set(id);
        }
        Self(Arc::new(Inner {
            connector,
            node_id,
            cluster_id: known,
            channels: Mutex::default(),
        }))
    }

    /// This node's id.
    pub fn node_id(&self) -> u64 {
        self.0.node_id
    }

    /// The cluster that this node belongs to.
    pub fn cluster_id(&self) -> Option<[u8; 16]> {
        self.0.cluster_id.get().copied()
    }

    /// Notes the cluster that this node has come to belong to. A node never changes its cluster: a second call has no
    /// effect.
    pub fn belong_to(&self, cluster_id: [u8; 16]) {
        let _ = self.0.cluster_id.set(cluster_id);
    }

    /// The envelope of a call to `to`.
    pub fn envelope(&self, to: u64) -> Option<Envelope> {
        Some(Envelope {
            cluster_id: self.cluster_id()?.to_vec().into(),
            to,
            from: self.0.node_id,
        })
    }

    /// A client for the peer listener at `address` (`host:port`). Connects when it is first used, and again whenever the
    /// connection breaks.
    ///
    /// # Errors
    /// When `address` is not `host:port`.
    pub fn client(&self, address: &str) -> io::Result<Client> {
        let mut channels = self
            .0
            .channels
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let channel = if let Some(channel) = channels.get(address) {
            channel.clone()
        } else {
            let channel = self.open(address)?;
            channels.insert(address.to_owned(), channel.clone());
            channel
        };
        Ok(PeerClient::new(channel)
            .max_decoding_message_size(PEER_MESSAGE_BYTES)
            .max_encoding_message_size(PEER_MESSAGE_BYTES))
    }

    fn open(&self, address: &str) -> io::Result<Channel> {
        let invalid = |e: &dyn std::fmt::Display| {
            let what = format!("`{address}` is not a peer address (`host:port` is): {e}");
            io::Error::new(io::ErrorKind::InvalidInput, what)
        };
        let endpoint = Endpoint::from_shared(format!("http://{address}"))
            .map_err(|e| invalid(&e))?
            .connect_timeout(PEER_CONNECT_TIMEOUT)
            .http2_keep_alive_interval(Duration::from_secs(2))
            .keep_alive_timeout(Duration::from_secs(2))
            .keep_alive_while_idle(true);
        let (connector, target) = (self.0.connector.clone(), address.to_owned());
        Ok(
            endpoint.connect_with_connector_lazy(tower::service_fn(move |_uri| {
                let (connector, target) = (connector.clone(), target.clone());
                async move { connector.connect(target).await.map(TokioIo::new) }
            })),
        )
    }
}

//! The endpoints of a client: one lazy channel each, and which of them is asked first.

use std::{
    io,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use hyper_util::rt::TokioIo;
use tonic::{
    service::interceptor::InterceptedService,
    transport::{self, Endpoint as Transport, Uri},
};

use super::bearer::Bearer;
use super::error::{ConnectFailed, Error};
use crate::net::Connector;

/// A connection on which every call carries the client's token.
pub(super) type Channel = InterceptedService<transport::Channel, Bearer>;

/// A node, or what stands before it.
pub(super) struct Endpoint {
    /// As `http://host:port`.
    pub(super) uri: String,
    /// `host:port`, as leader hints name it.
    authority: String,
    pub(super) channel: Channel,
}

/// All of them. The preferred one is shared by all calls, so that one failure moves every later call on.
pub(super) struct Endpoints {
    all: Vec<Endpoint>,
    preferred: AtomicUsize,
}

/// How connections are made and kept.
#[derive(Clone)]
pub(super) struct Transporting {
    pub(super) connector: Connector,
    pub(super) connect_timeout: Duration,
    pub(super) keep_alive: Duration,
    pub(super) keep_alive_timeout: Duration,
}

impl Endpoints {
    /// Prepares a channel for each address; no connection is made yet.
    pub(super) fn new(
        addresses: &[String],
        how: &Transporting,
        bearer: &Bearer,
    ) -> Result<Self, Error> {
        let mut all: Vec<Endpoint> = Vec::with_capacity(addresses.len());
        for address in addresses {
            let endpoint = Endpoint::new(address, how, bearer)?;
            if !all.iter().any(|known| known.uri == endpoint.uri) {
                all.push(endpoint);
            }
        }
        if all.is_empty() {
            return Err(Error::setting(
                "no endpoint: name at least one, such as http://127.0.0.1:7400",
            ));
        }
        Ok(Self {
            all,
            preferred: AtomicUsize::new(0),
        })
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The one that was named first.
    pub(super) fn first(&self) -> &Endpoint {
        &self.all[0]
    }

    /// The one to ask now, with its number.
    pub(super) fn preferred(&self) -> (usize, &Endpoint) {
        let at = self.preferred.load(Ordering::Relaxed) % self.all.len();
        (at, &self.all[at])
    }

    /// Turns away from number `at`: to the hinted address where it is one of ours, else to the next. Does nothing where
    /// another call has moved on already.
    pub(super) fn leave(&self, at: usize, hint: Option<&str>) {
        // Only endpoints that the user named are ever connected to: an address that a node believes in may mean
        // something else here.
        let hinted = hint.and_then(|hint| {
            let named = self.all.iter().position(|it| it.authority == hint);
            named.filter(|&to| to != at)
        });
        let to = hinted.unwrap_or((at + 1) % self.all.len());
        let _ = self
            .preferred
            .compare_exchange(at, to, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Turns away from the preferred one, to the next.
    pub(super) fn leave_preferred(&self) {
        let (at, _) = self.preferred();
        self.leave(at, None);
    }

    /// The addresses, in the order in which they were named.
    pub(super) fn addresses(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|endpoint| endpoint.uri.as_str())
    }
}

impl Endpoint {
    fn new(address: &str, how: &Transporting, bearer: &Bearer) -> Result<Self, Error> {
        let address = address.trim().trim_end_matches('/');
        let text = if address.contains("://") {
            address.to_owned()
        } else {
            format!("http://{address}")
        };
        let wrong = |why: &str| {
            Error::setting(format!(
                "the endpoint `{address}` cannot be used: {why}; give it as http://HOST:PORT, such as \
                 http://127.0.0.1:7400"
            ))
        };
        let uri: Uri = text.parse().map_err(|_| wrong("it is no address"))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => return Err(wrong("this version speaks no TLS")),
            _ => return Err(wrong("its scheme is not http")),
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(wrong("it has a path"));
        }
        let host = uri.host().ok_or_else(|| wrong("it has no host"))?;
        let Some(port) = uri.port_u16().filter(|port| *port > 0) else {
            // A port that is no port number is not even told apart from none.
            let authority = uri.authority().map_or("", |it| it.as_str());
            return Err(wrong(match authority.strip_prefix(host) {
                Some(rest) if rest.len() > 1 => "its port is not one of 1 to 65535",
                _ => "it has no port",
            }));
        };
        let authority = format!("{host}:{port}");
        let channel = connect(Transport::from(uri), authority.clone(), how.clone());
        Ok(Self {
            uri: text,
            authority,
            channel: InterceptedService::new(channel, bearer.clone()),
        })
    }
}

/// A channel that connects when it is first used, and again whenever its connection broke.
fn connect(transport: Transport, address: String, how: Transporting) -> transport::Channel {
    let connect_timeout = how.connect_timeout;
    let connector = how.connector;
    transport
        .http2_keep_alive_interval(how.keep_alive)
        .keep_alive_timeout(how.keep_alive_timeout)
        .keep_alive_while_idle(true)
        .connect_with_connector_lazy(tower::service_fn(move |_: Uri| {
            let (connector, address) = (connector.clone(), address.clone());
            async move {
                let connecting = connector.connect(address);
                // Within the connector, so that a slow connect too is known as one where nothing was sent.
                match tokio::time::timeout(connect_timeout, connecting).await {
                    Ok(Ok(connection)) => Ok(TokioIo::new(connection)),
                    Ok(Err(error)) => Err(ConnectFailed(error)),
                    Err(_) => Err(ConnectFailed(io::Error::new(
                        io::ErrorKind::TimedOut,
                        format!("no connection within {} ms", connect_timeout.as_millis()),
                    ))),
                }
            }
        }))
}

//! One request over plain HTTP, bounded in size and time: for what is no call of the contract.

use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Request, StatusCode, Uri, body::Bytes};
use hyper_util::rt::TokioIo;
use refrain::net::Connector;
use tokio::time::timeout;

/// Where a server listens, and what its paths begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// `host:port`.
    pub host: String,
    /// What every path begins with, without a slash at its end.
    pub prefix: String,
}

impl Server {
    /// A server at an address of the form `[http://]HOST:PORT[/PATH]`.
    ///
    /// # Errors
    /// What is wrong with the address.
    pub fn at(url: &str) -> Result<Self, &'static str> {
        let text = if url.contains("://") {
            url.to_owned()
        } else {
            format!("http://{url}")
        };
        let uri: Uri = text.parse().map_err(|_| "it is no address")?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => return Err("this version speaks no TLS"),
            _ => return Err("its scheme is not http"),
        }
        if uri.query().is_some() {
            return Err("it has a query");
        }
        let host = uri.host().ok_or("it has no host")?;
        let port = uri.port_u16().unwrap_or(80);
        Ok(Self {
            host: format!("{}:{port}", host.to_ascii_lowercase()),
            prefix: uri.path().trim_end_matches('/').to_owned(),
        })
    }
}

/// Sends a request on a connection of its own, and reads at most so many bytes of the answer.
///
/// # Errors
/// Why there is no answer, or none that small, in time.
pub async fn send(
    host: &str,
    request: Request<Full<Bytes>>,
    most: usize,
    patience: Duration,
) -> Result<(StatusCode, Bytes), String> {
    let asked = async {
        let connection = Connector::tcp().connect(host.to_owned()).await;
        let connection = connection.map_err(|error| error.to_string())?;
        let made = hyper::client::conn::http1::handshake(TokioIo::new(connection)).await;
        let (mut sender, driving) = made.map_err(|error| error.to_string())?;
        let driving = tokio::spawn(driving);
        let answer = sender.send_request(request).await;
        let (head, body) = answer.map_err(|error| error.to_string())?.into_parts();
        let body = Limited::new(body, most).collect().await;
        driving.abort();
        let body = body.map_err(|error| error.to_string())?.to_bytes();
        Ok((head.status, body))
    };
    match timeout(patience, asked).await {
        Ok(answer) => answer,
        Err(_) => Err(format!("no answer within {} ms", patience.as_millis())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_no_more_than_a_prefix() {
        let at = |url| Server::at(url).map(|it| (it.host, it.prefix));
        let of = |host: &str, prefix: &str| Ok((host.to_owned(), prefix.to_owned()));
        assert_eq!(at("127.0.0.1:7400"), of("127.0.0.1:7400", ""));
        assert_eq!(
            at("http://logs.example/refrain/"),
            of("logs.example:80", "/refrain")
        );
        assert_eq!(at("HTTP://Node.Example"), of("node.example:80", ""));
        for bad in [
            "https://a:1",
            "ftp://a:1",
            "http://",
            "http://a:1/?x=1",
            "http://a b",
        ] {
            assert!(Server::at(bad).is_err(), "{bad}");
        }
    }
}

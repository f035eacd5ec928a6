//! Gets the resources of a tile log over HTTP, each bounded in size and time.

use std::time::Duration;

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{Request, StatusCode, Uri, body::Bytes, header};
use hyper_util::rt::TokioIo;
use refrain::net::Connector;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::cli::failure::Failure;

/// Where a log is served, and as whom it is asked.
pub struct Log {
    prefix: String,
    host: String,
    token: Option<Zeroizing<String>>,
    patience: Duration,
}

impl Log {
    /// A log at an address of the form `http://HOST:PORT[/PATH]`.
    ///
    /// # Errors
    /// An address that cannot be used.
    pub fn at(
        url: &str,
        token: Option<Zeroizing<String>>,
        patience: Duration,
    ) -> Result<Self, Failure> {
        let text = if url.contains("://") {
            url.to_owned()
        } else {
            format!("http://{url}")
        };
        let wrong = |why: &str| {
            Failure::usage(format!(
                "the log `{url}` cannot be used: {why}; give it as http://HOST:PORT"
            ))
        };
        let uri: Uri = text.parse().map_err(|_| wrong("it is no address"))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => return Err(wrong("this version speaks no TLS")),
            _ => return Err(wrong("its scheme is not http")),
        }
        if uri.query().is_some() {
            return Err(wrong("it has a query"));
        }
        let host = uri.host().ok_or_else(|| wrong("it has no host"))?;
        let port = uri.port_u16().unwrap_or(80);
        Ok(Self {
            prefix: uri.path().trim_end_matches('/').to_owned(),
            host: format!("{host}:{port}"),
            token,
            patience,
        })
    }

    /// A resource below the log's prefix, of at most so many bytes.
    ///
    /// # Errors
    /// Where it is not there, is larger, or does not come in time.
    pub async fn get(&self, path: &str, most: usize) -> Result<Bytes, Failure> {
        let what = |why: &str| format!("cannot get {path} of {}: {why}", self.host);
        let failed = |why: String| Failure::unavailable(what(&why));
        let asked = async {
            let connection = Connector::tcp().connect(self.host.clone()).await;
            let connection = connection.map_err(|error| failed(error.to_string()))?;
            let made = hyper::client::conn::http1::handshake(TokioIo::new(connection)).await;
            let (mut sender, driving) = made.map_err(|error| failed(error.to_string()))?;
            let driving = tokio::spawn(driving);
            let mut request =
                Request::get(format!("{}/{path}", self.prefix)).header(header::HOST, &self.host);
            if let Some(token) = &self.token {
                request =
                    request.header(header::AUTHORIZATION, format!("Bearer {}", token.as_str()));
            }
            let request = request
                .body(Empty::<Bytes>::new())
                .map_err(|error| failed(error.to_string()))?;
            let answer = sender.send_request(request).await;
            let (head, body) = answer
                .map_err(|error| failed(error.to_string()))?
                .into_parts();
            let body = Limited::new(body, most).collect().await;
            driving.abort();
            let body = body.map_err(|error| failed(error.to_string()))?.to_bytes();
            match head.status {
                StatusCode::OK => Ok(body),
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Failure::refused(what(
                    "the caller may not",
                ))
                .advise("tiles hold tokens: call as a principal with the permission `audit` everywhere, by --token-file FILE or REFRAIN_TOKEN")),
                status => Err(failed(format!("the answer is {status}"))),
            }
        };
        match timeout(self.patience, asked).await {
            Ok(answer) => answer,
            Err(_) => Err(failed(format!(
                "no answer within {} ms",
                self.patience.as_millis()
            ))),
        }
    }
}

//! Gets the resources of a tile log over HTTP, each bounded in size and time.

use std::time::Duration;

use http_body_util::Full;
use hyper::{Request, StatusCode, body::Bytes, header};
use zeroize::Zeroizing;

use crate::cli::{
    failure::Failure,
    http::{self, Server},
};

/// Where a log is served, and as whom it is asked.
pub struct Log {
    server: Server,
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
        let server = Server::at(url).map_err(|why| {
            Failure::usage(format!(
                "the log `{url}` cannot be used: {why}; give it as http://HOST:PORT"
            ))
        })?;
        Ok(Self {
            server,
            token,
            patience,
        })
    }

    /// A resource below the log's prefix, of at most so many bytes.
    ///
    /// # Errors
    /// Where it is not there, is larger, or does not come in time.
    pub async fn get(&self, path: &str, most: usize) -> Result<Bytes, Failure> {
        let Server { host, prefix } = &self.server;
        let what = |why: &str| format!("cannot get {path} of {host}: {why}");
        let failed = |why: String| Failure::unavailable(what(&why));
        let mut request = Request::get(format!("{prefix}/{path}")).header(header::HOST, host);
        if let Some(token) = &self.token {
            let value = format!("Bearer {}", token.as_str());
            request = request.header(header::AUTHORIZATION, value);
        }
        let request = request
            .body(Full::default())
            .map_err(|error| failed(error.to_string()))?;
        let answer = http::send(host, request, most, self.patience).await;
        let (status, body) = answer.map_err(failed)?;
        match status {
            StatusCode::OK => Ok(body),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(Failure::refused(what("the caller may not")).advise(
                    "tiles hold tokens: call as a principal with the permission `audit` everywhere, by --token-file FILE or REFRAIN_TOKEN",
                ))
            }
            status => Err(failed(format!("the answer is {status}"))),
        }
    }
}

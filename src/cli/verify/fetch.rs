//! Gets the resources of a tile log over HTTP, each bounded in size and time.

use std::time::Duration;

use http_body_util::Full;
use hyper::{Request, StatusCode, body::Bytes, header};
use refrain::limits;
use zeroize::Zeroizing;

use crate::cli::{
    client::ClientArgs,
    failure::Failure,
    http::{self, Server},
    token,
};

/// Where a log is served, and as whom it is asked.
pub struct Log {
    server: Server,
    bearer: Bearer,
    patience: Duration,
}

/// What a log is told of who asks. Whoever has a token that may read tiles may read the whole journal anywhere, so no host gets one
/// that was not meant for it.
enum Bearer {
    /// This token.
    Token(Zeroizing<String>),
    /// Nothing: the token in the environment is for the nodes of `--endpoint`, and this is none of them.
    Kept,
    /// Nothing: there is no token.
    None,
}

impl Bearer {
    /// The token for a server: that of a file, which was named beside the log, or that of the environment for a node that was named.
    fn of(server: &Server, client: &ClientArgs) -> Result<Self, Failure> {
        let Some(token) = token::find(client.token_file.as_deref())? else {
            return Ok(Self::None);
        };
        let endpoints = client.endpoints();
        let mut nodes = endpoints.iter().filter_map(|it| Server::at(it).ok());
        if client.token_file.is_some() || nodes.any(|node| node.host == server.host) {
            return Ok(Self::Token(token));
        }
        Ok(Self::Kept)
    }

    /// What to do about a server that wants to know who asks.
    fn advice(&self, host: &str) -> String {
        match self {
            Self::Kept => format!(
                "REFRAIN_TOKEN was not sent: it is for the nodes of --endpoint, and {host} is none of them. Where it is a node, or a copy that may \
                 have the token, say so with --endpoint {host}, or give the token by --token-file FILE"
            ),
            Self::Token(_) | Self::None => "tiles hold tokens: call as a principal with the permission `audit` everywhere, by --token-file FILE, or by \
                REFRAIN_TOKEN where the log is one of --endpoint".to_owned(),
        }
    }
}

impl Log {
    /// A log at an address of the form `http://HOST:PORT[/PATH]`.
    ///
    /// # Errors
    /// An address that cannot be used.
    pub fn at(url: &str, client: &ClientArgs) -> Result<Self, Failure> {
        let server = Server::at(url).map_err(|why| {
            Failure::usage(format!(
                "the log `{url}` cannot be used: {why}; give it as http://HOST:PORT"
            ))
        })?;
        Ok(Self {
            bearer: Bearer::of(&server, client)?,
            patience: client.timeout,
            server,
        })
    }

    /// Its newest checkpoint. It is open to everybody, so nobody is told who asks.
    ///
    /// # Errors
    /// As [`Log::get`].
    pub async fn checkpoint(&self) -> Result<Bytes, Failure> {
        self.ask("checkpoint", limits::CHECKPOINT_BYTES, &Bearer::None)
            .await
    }

    /// A resource below the log's prefix, of at most so many bytes.
    ///
    /// # Errors
    /// Where it is not there, is larger, or does not come in time.
    pub async fn get(&self, path: &str, most: usize) -> Result<Bytes, Failure> {
        self.ask(path, most, &self.bearer).await
    }

    async fn ask(&self, path: &str, most: usize, bearer: &Bearer) -> Result<Bytes, Failure> {
        let Server { host, prefix } = &self.server;
        let what = |why: &str| format!("cannot get {path} of {host}: {why}");
        let failed = |why: String| Failure::unavailable(what(&why));
        let mut request = Request::get(format!("{prefix}/{path}")).header(header::HOST, host);
        if let Bearer::Token(token) = bearer {
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
                Err(Failure::refused(what("the caller may not")).advise(bearer.advice(host)))
            }
            status => Err(failed(format!("the answer is {status}"))),
        }
    }
}

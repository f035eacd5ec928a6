//! A small HTTP client, and what every problem must look like.

use std::collections::VecDeque;

use http_body_util::{BodyExt as _, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::HeaderMap,
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use super::super::support::Node;

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().expect("text"))
    }

    /// Holds that it went well, and returns what came.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{self:?}");
        assert_eq!(self.header("content-type"), "application/json");
        assert_eq!(self.header("cache-control"), "no-store");
        self.json()
    }

    /// Holds that it is a problem with this status and reason, whole, and that nothing was done.
    #[track_caller]
    pub fn refused(&self, status: u16, reason: &str) -> Value {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], status, "{problem}");
        assert_eq!(problem["reason"], reason, "{problem}");
        assert_eq!(problem["type"], format!("urn:refrain:{reason}"));
        assert_eq!(problem["outcome"], "not_applied", "{problem}");
        for member in ["title", "detail", "what_to_do"] {
            let text = problem[member].as_str().expect(member);
            assert!(!text.is_empty(), "{problem}");
        }
        problem
    }
}

/// Sends a request on a connection of its own.
pub async fn raw(node: &Node, request: Request<Full<Bytes>>) -> Response<Incoming> {
    let stream = TcpStream::connect(node.running.client_address)
        .await
        .expect("connect");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .expect("handshake");
    tokio::spawn(connection);
    sender.send_request(request).await.expect("answer")
}

/// A request.
pub fn request(
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Request<Full<Bytes>> {
    let method = Method::from_bytes(method.as_bytes()).expect("method");
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "node");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::new(body.into())).expect("request")
}

/// Sends a request and reads its answer.
pub async fn send(
    node: &Node,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Answer {
    let request = request(method, path, headers, body);
    let response = raw(node, request).await;
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("body").to_bytes();
    Answer {
        status: parts.status,
        headers: parts.headers,
        // A tile is no text, and nobody reads it here.
        text: String::from_utf8_lossy(&body).into_owned(),
    }
}

/// The header of every JSON body.
pub const JSON: (&str, &str) = ("content-type", "application/json");

/// Sends JSON.
pub async fn json(node: &Node, method: &str, path: &str, body: &Value) -> Answer {
    send(node, method, path, &[JSON], body.to_string()).await
}

/// Asks without a body.
pub async fn get(node: &Node, path: &str) -> Answer {
    send(node, "GET", path, &[], "").await
}

/// The token of an e-mail address in the namespace `default`.
pub async fn token(node: &Node, address: &str) -> String {
    let wanted = serde_json::json!({ "identifiers": [email(address)] });
    let told = json(node, "POST", "/v1/default/tokens", &wanted).await.ok();
    told["tokens"][0]["token"]
        .as_str()
        .expect("token")
        .to_owned()
}

pub fn email(address: &str) -> Value {
    serde_json::json!({ "type": "email", "value": address })
}

/// The revision that the cluster is at.
pub async fn revision(node: &Node) -> u64 {
    let purposes = get(node, "/admin/v1/purposes").await.ok();
    purposes["revision"].as_u64().expect("revision")
}

/// One event of a stream of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    pub kind: String,
    pub id: String,
    pub data: Value,
}

/// A stream of server-sent events.
pub struct Events {
    body: Incoming,
    text: String,
    ready: VecDeque<Sent>,
}

impl Events {
    /// Begins to follow.
    pub async fn follow(node: &Node, path: &str, headers: &[(&str, &str)]) -> Self {
        let mut request = Request::get(path).header("host", "node");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::default()).expect("request");
        let response = raw(node, request).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            body: response.into_body(),
            text: String::new(),
            ready: VecDeque::new(),
        }
    }

    /// The next event; none at the end.
    pub async fn next(&mut self) -> Option<Sent> {
        loop {
            if let Some(sent) = self.ready.pop_front() {
                return Some(sent);
            }
            let frame = self.body.frame().await?.expect("frame");
            let data = frame.into_data().expect("data");
            self.text
                .push_str(std::str::from_utf8(&data).expect("text"));
            while let Some(end) = self.text.find("\n\n") {
                let block: String = self.text.drain(..end + 2).collect();
                let field = |name: &str| {
                    let line = block.lines().find_map(|line| line.strip_prefix(name));
                    line.unwrap_or_default().trim().to_owned()
                };
                let data = field("data:");
                self.ready.push_back(Sent {
                    kind: field("event:"),
                    id: field("id:"),
                    data: serde_json::from_str(&data).expect("json"),
                });
            }
        }
    }

    /// The next change, past heartbeats.
    pub async fn change(&mut self) -> Sent {
        loop {
            let sent = self.next().await.expect("an event");
            if sent.kind != "heartbeat" {
                return sent;
            }
        }
    }
}

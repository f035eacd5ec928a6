//! Plain HTTP, as `curl` speaks it: one connection a call, and a list of what was called.

use std::sync::Mutex;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderMap;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::PATIENCE;

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub text: String,
}

impl Answer {
    /// A header; empty where it is not there.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Holds that it went well, and returns what came.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        assert_eq!(self.header("content-type"), "application/json");
        self.json()
    }

    /// Holds that it was refused with this status and reason, that nothing was done, and that it says what to do.
    #[track_caller]
    pub fn refused(&self, status: u16, reason: &str) -> Value {
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        let said = (self.status, &problem["reason"], &problem["outcome"]);
        let wanted = (status, &reason.into(), &"not_applied".into());
        assert_eq!(said, wanted, "{problem}");
        assert!(problem["what_to_do"].is_string(), "{problem}");
        problem
    }
}

/// A call that was answered.
struct Made {
    method: String,
    path: String,
    status: u16,
}

/// Calls nodes, and takes down which routes were called and how they answered.
#[derive(Default)]
pub struct Calls(Mutex<Vec<Made>>);

impl Calls {
    /// Sends a request to a node, and waits for the head of its answer.
    async fn send(&self, node: &str, request: Request<Full<Bytes>>) -> Response<Incoming> {
        let method = request.method().to_string();
        let path = request.uri().path().to_owned();
        let answered = async {
            let stream = TcpStream::connect(node).await.unwrap();
            let made = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
            let (mut sender, connection) = made.unwrap();
            tokio::spawn(connection);
            sender.send_request(request).await.unwrap()
        };
        let response = timeout(PATIENCE, answered).await.expect("an answer");
        self.0.lock().unwrap().push(Made {
            method,
            path,
            status: response.status().as_u16(),
        });
        response
    }

    /// Calls a route, and reads the answer to its end.
    pub async fn call(
        &self,
        node: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", node);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.to_owned().into())).unwrap();
        let (head, body) = self.send(node, request).await.into_parts();
        let body = timeout(PATIENCE, body.collect()).await.expect("a body");
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            // A tile is no text, and nobody reads it here.
            text: String::from_utf8_lossy(&body.unwrap().to_bytes()).into_owned(),
        }
    }

    /// Follows a stream of server-sent events.
    pub async fn follow(&self, node: &str, path: &str, headers: &[(&str, &str)]) -> Events {
        let mut request = Request::get(path).header("host", node);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::default()).unwrap();
        let response = self.send(node, request).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Events {
            body: response.into_body(),
            text: String::new(),
        }
    }

    /// The operations of a document that were never answered with a status that `wanted` takes.
    pub fn missing(&self, document: &Value, wanted: impl Fn(&Value, u16) -> bool) -> Vec<String> {
        let made = self.0.lock().unwrap();
        let mut missing = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let called = made.iter().any(|it| {
                    it.method.eq_ignore_ascii_case(method)
                        && fits(path, &it.path)
                        && wanted(operation, it.status)
                });
                if !called {
                    missing.push(format!("{} {path}", method.to_uppercase()));
                }
            }
        }
        missing
    }
}

/// Whether a path is one of those that a template such as `/v1/{namespace}/check` stands for.
fn fits(template: &str, path: &str) -> bool {
    // A tile's path has slashes in it.
    if let Some(before) = template.strip_suffix("{path}") {
        return path.starts_with(before);
    }
    let (wanted, given) = (template.split('/'), path.split('/'));
    wanted.clone().count() == given.clone().count()
        && wanted
            .zip(given)
            .all(|(wanted, given)| wanted.starts_with('{') || wanted == given)
}

/// One server-sent event: its kind, its id, its data.
pub type Sent = (String, String, Value);

/// A stream of server-sent events.
pub struct Events {
    body: Incoming,
    text: String,
}

impl Events {
    /// The next change, past heartbeats.
    pub async fn change(&mut self) -> Sent {
        loop {
            let sent = timeout(PATIENCE, self.next()).await.expect("an event");
            if sent.0 != "heartbeat" {
                return sent;
            }
        }
    }

    async fn next(&mut self) -> Sent {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let block: String = self.text.drain(..end + 2).collect();
                let field = |name: &str| {
                    let line = block.lines().find_map(|line| line.strip_prefix(name));
                    line.unwrap_or_default().trim().to_owned()
                };
                let data = serde_json::from_str(&field("data:")).unwrap();
                return (field("event:"), field("id:"), data);
            }
            let frame = self.body.frame().await.expect("the stream goes on");
            let data = frame.unwrap().into_data().unwrap();
            self.text.push_str(std::str::from_utf8(&data).unwrap());
        }
    }
}

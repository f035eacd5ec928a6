//! Calls over HTTP without a client's help, so that anything can be sent.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::support::Node;

/// An answer over HTTP.
pub struct Answer {
    pub code: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    /// Whether it carries just this header.
    pub fn has(&self, header: &str) -> bool {
        self.head
            .lines()
            .any(|line| line.eq_ignore_ascii_case(header))
    }
}

/// Sends a request on a connection of its own.
pub async fn ask(node: &Node, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(node.running.client_address)
        .await
        .expect("connect");
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: refrain\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n"
    );
    stream
        .write_all(&[head.as_bytes(), body].concat())
        .await
        .expect("write");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("read");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Answer {
        code: code.expect("a status"),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

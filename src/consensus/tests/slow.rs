//! Nodes that are far apart: what is behind catches up over a slow link.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::cluster::{Node, PATIENCE, operator, soon};
use super::proposals::{proposal, request_id};
use crate::domain::{
    Body, Decision, IdentifierType, ImportChunk, ImportRow, Namespace, PurposeName, SubjectToken,
    Token,
};
use crate::net::{Connection, Connector};
use crate::storage::log::MemoryLog;
use crate::storage::memory::MemoryFiles;

/// What a slow link takes at a time.
const PIECE: usize = 16 << 10;

/// A connection that takes some bytes a second.
struct Slow<T> {
    io: T,
    bytes_per_second: u32,
    busy: Option<Pin<Box<Sleep>>>,
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Slow<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(busy) = &mut self.busy {
            ready!(busy.poll_unpin(cx));
            self.busy = None;
        }
        let piece = &bytes[..bytes.len().min(PIECE)];
        let written = ready!(Pin::new(&mut self.io).poll_write(cx, piece))?;
        let takes = Duration::from_secs(written as u64) / self.bytes_per_second;
        self.busy = Some(Box::pin(sleep(takes)));
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Slow<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

fn slow(bytes_per_second: u32) -> Connector {
    Connector::new(move |address| {
        Box::pin(async move {
            let io = Connector::tcp().connect(address).await?;
            let slow = Slow {
                io,
                bytes_per_second,
                busy: None,
            };
            Ok(Connection::new(slow, None))
        })
    })
}

/// Rows of an import that fill a command of about 90 KiB.
fn rows(chunk: u64) -> Vec<ImportRow> {
    let row = |n: u64| ImportRow::OptOut {
        tokens: vec![SubjectToken {
            identifier_type: IdentifierType::parse("email").unwrap(),
            token: Token {
                generation: 1,
                bytes: u128::from(chunk << 32 | n << 1 | 1).to_be_bytes(),
            },
        }],
        purposes: ["analytics", "marketing", "sharing", "profiling"]
            .map(|name| PurposeName::parse(name).unwrap())
            .to_vec(),
    };
    (0..1_000).map(row).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_that_is_megabytes_behind_catches_up_over_a_slow_link() {
    // What one message carries does not fit between two heartbeats.
    let connector = slow(2 << 20);
    let leader = Node::start_by(
        "127.0.0.1:0",
        MemoryLog::new(),
        MemoryFiles::new(),
        7,
        64 << 20,
        connector,
    )
    .await;
    leader.consensus.init(soon()).await.unwrap();
    leader.ready().await;
    let import_id = request_id();
    for chunk in 0..40 {
        let chunk = ImportChunk {
            import_id,
            namespace: Namespace::default_namespace(),
            schema_version: 0,
            first_row: chunk * 1_000,
            rows: rows(chunk),
        };
        let imported = proposal(Body::ImportChunk(chunk));
        leader.consensus.write(imported, soon()).await.unwrap();
    }
    let log = leader.consensus.status(soon()).await.members[0]
        .report
        .as_ref()
        .unwrap()
        .log_bytes;
    assert!(log > 2 << 20, "{log} bytes fit one message");
    let follower = Node::start(7).await;
    let catch_up = async {
        let mut adding = leader
            .consensus
            .add(follower.peer.clone(), true, operator());
        while let Some(step) = adding.next().await {
            step.unwrap();
        }
        let behind = *leader.consensus.committed().borrow();
        let mut committed = follower.consensus.committed();
        committed
            .wait_for(|revision| *revision >= behind)
            .await
            .unwrap();
    };
    tokio::time::timeout(PATIENCE, catch_up)
        .await
        .expect("never catches up");
    leader.write(1).await.unwrap();
    assert_eq!(follower.decide(1).await, Ok(Decision::Deny));
}

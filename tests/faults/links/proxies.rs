//! A proxy before each node, which knows who speaks and can silence, slow down or cut each direction of each pair.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::io::AsyncWriteExt as _;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::{Way, origin};
use crate::invariants::history::Node;

/// A node's process, as the proxies see it.
#[derive(Debug, Clone, Copy)]
struct Place {
    peer: SocketAddr,
    pid: u32,
}

struct State {
    ways: Vec<Vec<Way>>,
    places: Vec<Option<Place>>,
}

/// All of them.
#[derive(Clone)]
pub struct Proxies {
    state: Arc<Mutex<State>>,
    changed: watch::Sender<u64>,
}

impl Proxies {
    /// Open links between so many nodes.
    pub fn new(nodes: usize) -> Self {
        let state = State {
            ways: vec![vec![Way::Open; nodes]; nodes],
            places: vec![None; nodes],
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            changed: watch::Sender::new(0),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// How many nodes there can be.
    pub fn nodes(&self) -> usize {
        self.state().places.len()
    }

    /// Starts the proxy before a node. Returns where it listens.
    pub async fn before(&self, node: Node) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = listener.local_addr().unwrap();
        let proxies = self.clone();
        tokio::spawn(async move {
            while let Ok((accepted, far)) = listener.accept().await {
                // Whoever has hung up already has no process.
                if let Some(from) = proxies.who(far, near) {
                    tokio::spawn(proxies.clone().carry(accepted, from, node));
                }
            }
        });
        near
    }

    /// Says where a node listens for peers, and which process it is.
    pub fn place(&self, node: Node, peer: SocketAddr, pid: u32) {
        self.state().places[node] = Some(Place { peer, pid });
    }

    /// Says that a node's process is gone.
    pub fn gone(&self, node: Node) {
        self.state().places[node] = None;
    }

    /// Sets ways at once: when this returns, nothing goes on under the old ones.
    pub fn set(&self, ways: impl IntoIterator<Item = (Node, Node, Way)>) {
        let mut state = self.state();
        for (from, to, way) in ways {
            state.ways[from][to] = way;
        }
        drop(state);
        self.changed.send_modify(|count| *count += 1);
    }

    fn who(&self, far: SocketAddr, near: SocketAddr) -> Option<Node> {
        let places = self.state().places.clone();
        let pids: Vec<u32> = places.iter().flatten().map(|place| place.pid).collect();
        let pid = origin::process(&pids, far, near)?;
        places
            .iter()
            .position(|place| place.is_some_and(|it| it.pid == pid))
    }

    async fn carry(self, accepted: TcpStream, from: Node, to: Node) {
        // The handshake takes both directions; so the first pieces wait, where one is silent.
        let peer = {
            let state = self.state();
            let broken = [state.ways[from][to], state.ways[to][from]].contains(&Way::Broken);
            state.places[to].filter(|_| !broken).map(|it| it.peer)
        };
        let Some(peer) = peer else { return };
        let Ok(upstream) = TcpStream::connect(peer).await else {
            return;
        };
        for stream in [&accepted, &upstream] {
            if stream.set_nodelay(true).is_err() {
                return;
            }
        }
        let (asks, answered) = accepted.into_split();
        let (answers, asked) = upstream.into_split();
        let there = self.clone().pump(asks, asked, from, to);
        let back = self.pump(answers, answered, to, from);
        // What breaks one direction breaks the connection.
        tokio::select! {
            () = there => {}
            () = back => {}
        }
    }

    async fn pump(self, read: OwnedReadHalf, mut write: OwnedWriteHalf, from: Node, to: Node) {
        let mut changed = self.changed.subscribe();
        let mut piece = vec![0; 16 << 10];
        loop {
            let length = tokio::select! {
                readable = read.readable() => match readable.and_then(|()| read.try_read(&mut piece)) {
                    Ok(0) => break,
                    Ok(length) => length,
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
                    Err(_) => return,
                },
                _ = changed.changed() => {
                    if self.way(from, to) == Way::Broken {
                        return;
                    }
                    continue;
                }
            };
            if let Way::Slow(by) = self.way(from, to) {
                tokio::time::sleep(by).await;
            }
            let mut left = &piece[..length];
            while !left.is_empty() {
                changed.borrow_and_update();
                match self.pass(from, to, &write, left) {
                    Passed::Bytes(count) => left = &left[count..],
                    Passed::Full => {
                        if write.writable().await.is_err() {
                            return;
                        }
                    }
                    Passed::Nothing => {
                        if changed.changed().await.is_err() {
                            return;
                        }
                    }
                    Passed::Broken => return,
                }
            }
        }
        // That the other has nothing more to say is a message too.
        while self.way(from, to) == Way::Silent {
            if changed.changed().await.is_err() {
                return;
            }
        }
        let _ = write.shutdown().await;
    }

    fn way(&self, from: Node, to: Node) -> Way {
        self.state().ways[from][to]
    }

    /// Writes what it can, under the lock: so that no byte passes once a way is closed.
    fn pass(&self, from: Node, to: Node, write: &OwnedWriteHalf, bytes: &[u8]) -> Passed {
        let state = self.state();
        match state.ways[from][to] {
            Way::Silent => Passed::Nothing,
            Way::Broken => Passed::Broken,
            Way::Open | Way::Slow(_) => match write.try_write(bytes) {
                Ok(count) => Passed::Bytes(count),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Passed::Full,
                Err(_) => Passed::Broken,
            },
        }
    }
}

/// What became of a piece.
enum Passed {
    Bytes(usize),
    Full,
    Nothing,
    Broken,
}

//! The network between the nodes, which can silence, slow down or cut each direction of each pair: by a proxy before each node, or by the
//! kernel.

mod namespaces;
mod origin;
mod proxies;

use std::net::SocketAddr;
use std::time::Duration;

use self::namespaces::Namespaces;
use self::proxies::Proxies;
use crate::invariants::history::Node;
use crate::support::Home;

/// What becomes of what one node says to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It arrives.
    Open,
    /// Each piece takes so much longer. Where the kernel does it, it takes up to so much longer, and some are lost and sent anew.
    Slow(Duration),
    /// It waits until the way is open again, as packets do that are sent anew.
    Silent,
    /// Connections break, and no new one comes about.
    Broken,
}

/// All links.
pub enum Links {
    /// By proxies, on loopback.
    Proxies(Proxies),
    /// By the kernel, between namespaces.
    Namespaces(Namespaces),
}

impl Links {
    /// Open links between so many nodes, by proxies.
    pub fn by_proxies(nodes: usize) -> Self {
        Self::Proxies(Proxies::new(nodes))
    }

    /// Open links between so many nodes, by the kernel.
    ///
    /// # Errors
    /// With what hinders it.
    pub fn by_kernel(nodes: usize) -> Result<Self, String> {
        Namespaces::new(nodes).map(Self::Namespaces)
    }

    /// How many nodes there can be.
    pub fn nodes(&self) -> usize {
        match self {
            Self::Proxies(proxies) => proxies.nodes(),
            Self::Namespaces(namespaces) => namespaces.nodes(),
        }
    }

    /// Where the others reach a node.
    pub async fn before(&self, node: Node) -> SocketAddr {
        match self {
            Self::Proxies(proxies) => proxies.before(node).await,
            Self::Namespaces(namespaces) => namespaces.peer(node),
        }
    }

    /// Where a node lives.
    pub fn home(&self, node: Node) -> Home {
        match self {
            Self::Proxies(_) => Home::default(),
            Self::Namespaces(namespaces) => namespaces.home(node),
        }
    }

    /// Says where a node listens for peers, and which process it is.
    pub fn place(&self, node: Node, peer: SocketAddr, pid: u32) {
        if let Self::Proxies(proxies) = self {
            proxies.place(node, peer, pid);
        }
    }

    /// Says that a node's process is gone.
    pub fn gone(&self, node: Node) {
        if let Self::Proxies(proxies) = self {
            proxies.gone(node);
        }
    }

    /// Sets ways at once: when this returns, nothing goes on under the old ones.
    pub fn set(&self, ways: impl IntoIterator<Item = (Node, Node, Way)>) {
        match self {
            Self::Proxies(proxies) => proxies.set(ways),
            Self::Namespaces(namespaces) => namespaces.set(ways),
        }
    }

    /// Opens all ways.
    pub fn open(&self) {
        let nodes = self.nodes();
        self.set((0..nodes).flat_map(|from| (0..nodes).map(move |to| (from, to, Way::Open))));
    }
}

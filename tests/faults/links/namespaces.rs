//! A network namespace for each node, and one with a switch between them, whose kernel drops and delays what one says to another.
//!
//! What is dropped is not known to be: TCP sends it anew, later each time, and one that hears no acknowledgement soon says nothing new.
//! So a way that is silent here silences the other in time, which no proxy shows.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::Way;
use crate::invariants::history::Node;
use crate::support::Home;

/// Where every node listens for peers, each in a namespace of its own.
const PEER_PORT: u16 = 7401;
/// Addresses for tests between networks (RFC 2544), of which each cluster takes eight.
const ADDRESSES: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 0);
/// How many clusters there is room for in them.
const CLUSTERS: u32 = 1 << 14;
/// Of a hundred packets on a way that is slow, so many are lost.
const LOST: u32 = 10;

/// How many clusters this process has had.
static MADE: AtomicU32 = AtomicU32::new(0);

/// All of them. Gone when dropped.
pub struct Namespaces {
    /// What the names begin with, which no other cluster has.
    name: String,
    /// The first address.
    network: u32,
    ways: Mutex<Vec<Vec<Way>>>,
}

impl Namespaces {
    /// Makes them.
    ///
    /// # Errors
    /// With what hinders it: this takes root, `ip`, `tc` and `nft`.
    pub fn new(nodes: usize) -> Result<Self, String> {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let cluster = std::process::id().wrapping_add(number) % CLUSTERS;
        let namespaces = Self {
            name: format!("refrain-{}-{number}", std::process::id()),
            network: u32::from(ADDRESSES) + cluster * 8,
            ways: Mutex::new(vec![vec![Way::Open; nodes]; nodes]),
        };
        // What is made before something fails is gone with it.
        namespaces.make()?;
        Ok(namespaces)
    }

    fn make(&self) -> Result<(), String> {
        let switch = self.switch();
        ip(&format!("netns add {switch}"))?;
        ip(&format!("-n {switch} link add name hub type bridge"))?;
        ip(&format!("-n {switch} link set hub up"))?;
        // The test itself is on the switch too, so that it reaches nodes that do not reach each other.
        let host = self.host();
        ip(&format!(
            "link add {host} type veth peer name host netns {switch}"
        ))?;
        ip(&format!("-n {switch} link set host master hub up"))?;
        ip(&format!("address add {}/29 dev {host}", self.address(0)))?;
        ip(&format!("link set {host} up"))?;
        for node in 0..self.nodes() {
            let (own, address) = (self.own(node), self.address(node + 1));
            ip(&format!("netns add {own}"))?;
            ip(&format!(
                "-n {switch} link add node{node} type veth peer name switch netns {own}"
            ))?;
            ip(&format!("-n {switch} link set node{node} master hub up"))?;
            ip(&format!("-n {own} address add {address}/29 dev switch"))?;
            ip(&format!("-n {own} link set lo up"))?;
            ip(&format!("-n {own} link set switch up"))?;
        }
        // All that it is ever told is tried: what this machine lacks is to show before anything depends on it.
        for way in [Way::Slow(Duration::from_millis(1)), Way::Open] {
            self.ways.lock().unwrap()[0][1] = way;
            self.apply()?;
        }
        Ok(())
    }

    /// How many nodes there can be.
    pub fn nodes(&self) -> usize {
        self.ways.lock().unwrap().len()
    }

    /// Where a node listens for peers.
    pub fn peer(&self, node: Node) -> SocketAddr {
        (self.address(node + 1), PEER_PORT).into()
    }

    /// Where a node lives.
    pub fn home(&self, node: Node) -> Home {
        Home {
            client: format!("{}:0", self.address(node + 1)),
            peer: self.peer(node).to_string(),
            within: ["ip", "netns", "exec", &self.own(node)]
                .map(str::to_owned)
                .to_vec(),
            ..Home::default()
        }
    }

    /// Sets ways at once.
    pub fn set(&self, ways: impl IntoIterator<Item = (Node, Node, Way)>) {
        {
            let mut set = self.ways.lock().unwrap();
            for (from, to, way) in ways {
                set[from][to] = way;
            }
        }
        self.apply().unwrap();
    }

    /// Tells the switch, which takes it as one.
    fn apply(&self) -> Result<(), String> {
        let ways = self.ways.lock().unwrap().clone();
        let mut rules = String::new();
        let mut queues = vec![None; ways.len()];
        for (from, ways) in ways.iter().enumerate() {
            for (to, way) in ways.iter().enumerate() {
                let some = match way {
                    Way::Open => continue,
                    Way::Silent => String::new(),
                    Way::Slow(by) => {
                        queues[to] = Some(*by);
                        format!("numgen random mod 100 < {LOST} ")
                    }
                    Way::Broken => unreachable!("a switch drops, and breaks nothing"),
                };
                // Who is where on the switch (ARP) stays known.
                let _ = writeln!(
                    rules,
                    "iifname node{from} oifname node{to} ether type ip {some}drop"
                );
            }
        }
        let table = format!(
            "table bridge cut\ndelete table bridge cut\ntable bridge cut {{\nchain forward {{\n\
             type filter hook forward priority 0\n{rules}}}\n}}\n"
        );
        let switch = self.switch();
        within(&switch, "nft -f -", &table)?;
        for (node, queue) in queues.into_iter().enumerate() {
            let tc = |what: &str| within(&switch, &format!("tc qdisc {what}"), "");
            let device = format!("dev node{node} root");
            match queue {
                // A kernel without `netem` delays by a queue, the longer the more is said.
                Some(by) => tc(&format!(
                    "replace {device} netem delay {}us",
                    by.as_micros()
                ))
                .or_else(|_| {
                    let latency = by.as_micros();
                    tc(&format!(
                        "replace {device} tbf rate 2mbit burst 8kb latency {latency}us"
                    ))
                })?,
                None => drop(tc(&format!("delete {device}"))),
            }
        }
        Ok(())
    }

    fn address(&self, at: usize) -> Ipv4Addr {
        let at = u32::try_from(at).unwrap();
        Ipv4Addr::from(self.network + 1 + at)
    }

    fn switch(&self) -> String {
        format!("{}-switch", self.name)
    }

    fn host(&self) -> String {
        format!("rf{:x}", self.network)
    }

    fn own(&self, node: Node) -> String {
        format!("{}-node{node}", self.name)
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        let _ = ip(&format!("link delete {}", self.host()));
        // All other devices go with the namespaces that they are in.
        let nodes = (0..self.nodes()).map(|node| self.own(node));
        for name in nodes.chain([self.switch()]) {
            let _ = ip(&format!("netns delete {name}"));
        }
    }
}

fn ip(words: &str) -> Result<(), String> {
    run(&format!("ip {words}"), "")
}

fn within(namespace: &str, words: &str, input: &str) -> Result<(), String> {
    run(&format!("ip netns exec {namespace} {words}"), input)
}

fn run(words: &str, input: &str) -> Result<(), String> {
    let mut split = words.split(' ');
    let mut child = Command::new(split.next().unwrap())
        .args(split)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{words}: {error}"))?;
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{words}: {}", said.trim()))
}

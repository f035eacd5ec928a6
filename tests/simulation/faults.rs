//! The faults that a simulation knows, and how each begins and ends.

use std::fmt;
use std::time::Duration;

use turmoil::Sim;

use crate::world::{LATENCY, Machine, name};

/// All that goes wrong, by the names in summaries: faults, and what the operator is told to do.
#[rustfmt::skip]
pub const KINDS: [&str; 17] = [
    "isolated", "deaf", "mute", "split", "one_way", "held", "slow_link", "crash", "power_cut", "slow_sync", "log_error", "file_error",
    "disk_full", "clock", "transfer", "add", "remove",
];

/// What a run is about, such as `KINDS=crash,power_cut`; everything where it does not say.
pub fn wanted() -> Vec<&'static str> {
    let Ok(names) = std::env::var("KINDS") else {
        return KINDS.to_vec();
    };
    let kind = |name: &str| {
        let found = KINDS.into_iter().find(|kind| *kind == name);
        found.unwrap_or_else(|| panic!("there is no fault {name}"))
    };
    names.split(',').map(kind).collect()
}

/// What becomes of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// A node neither hears the others nor is heard.
    Isolated,
    /// A node does not hear the others.
    Deaf,
    /// A node is not heard by the others.
    Mute,
    /// Two nodes do not hear each other.
    Split,
    /// One node does not hear one other.
    HalfDeaf,
    /// What two nodes say to each other waits, and comes all at once.
    Held,
    /// All messages between nodes take up to so long, and overtake each other.
    Slow(Duration),
}

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Of the network: a node, and another for what concerns two.
    Link(Way, usize, usize),
    /// A node ends without a word, and loses what it had not synced.
    Crash(usize),
    /// All nodes do, after a time in which syncs are slow.
    PowerCut,
    /// A node's syncs take so long.
    SlowSync(usize, Duration),
    /// A node's log fails.
    LogError(usize),
    /// The next write or sync of a node's files fails.
    FileError(usize),
    /// A node's disk has so many bytes left.
    Full(usize, u64),
    /// A node's clock is off by so many milliseconds, and goes so far in a thousand.
    Clock(usize, i64, i64),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Fault {
    /// Its name in summaries.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Link(Way::Isolated, ..) => "isolated",
            Self::Link(Way::Deaf, ..) => "deaf",
            Self::Link(Way::Mute, ..) => "mute",
            Self::Link(Way::Split, ..) => "split",
            Self::Link(Way::HalfDeaf, ..) => "one_way",
            Self::Link(Way::Held, ..) => "held",
            Self::Link(Way::Slow(_), ..) => "slow_link",
            Self::Crash(_) => "crash",
            Self::PowerCut => "power_cut",
            Self::SlowSync(..) => "slow_sync",
            Self::LogError(_) => "log_error",
            Self::FileError(_) => "file_error",
            Self::Full(..) => "disk_full",
            Self::Clock(..) => "clock",
        }
    }

    /// The node that reaches no majority because of it.
    pub fn cut_off(&self) -> Option<usize> {
        match self {
            Self::Link(Way::Isolated | Way::Deaf | Way::Mute, node, _) => Some(*node),
            _ => None,
        }
    }

    /// The one host that it happens to, where it is not the network.
    pub fn host(&self) -> Option<usize> {
        match self {
            Self::Link(..) | Self::PowerCut => None,
            Self::Crash(node)
            | Self::SlowSync(node, _)
            | Self::LogError(node)
            | Self::FileError(node)
            | Self::Full(node, _)
            | Self::Clock(node, ..) => Some(*node),
        }
    }

    /// Begins, on a machine among so many. Crashes begin with the host.
    pub fn begin(&self, sim: &Sim<'static>, machine: &Machine, nodes: usize) {
        match *self {
            Self::Link(way, node, other) => {
                let others = (0..nodes).filter(|it| *it != node);
                match way {
                    Way::Isolated => others.for_each(|it| sim.partition(name(node), name(it))),
                    Way::Deaf => others.for_each(|it| sim.partition_oneway(name(it), name(node))),
                    Way::Mute => others.for_each(|it| sim.partition_oneway(name(node), name(it))),
                    Way::Split => sim.partition(name(node), name(other)),
                    Way::HalfDeaf => sim.partition_oneway(name(node), name(other)),
                    Way::Held => sim.hold(name(node), name(other)),
                    Way::Slow(most) => latency(sim, nodes, most),
                }
            }
            Self::Crash(_) | Self::PowerCut => {}
            Self::SlowSync(_, takes) => machine.disk.slow((takes / 4, takes)),
            Self::LogError(_) => machine.disk.fail_log(),
            Self::FileError(_) => machine.disk.fail_files_once(),
            Self::Full(_, left) => machine.disk.fill(left),
            Self::Clock(_, off, rate) => machine.clock.set(sim.elapsed(), off, rate),
        }
    }

    /// Ends.
    pub fn end(&self, sim: &Sim<'static>, machine: &Machine, nodes: usize) {
        match *self {
            Self::Link(way, node, other) => {
                let others = (0..nodes).filter(|it| *it != node);
                match way {
                    Way::Isolated => others.for_each(|it| sim.repair(name(node), name(it))),
                    Way::Deaf => others.for_each(|it| sim.repair_oneway(name(it), name(node))),
                    Way::Mute => others.for_each(|it| sim.repair_oneway(name(node), name(it))),
                    Way::Split => sim.repair(name(node), name(other)),
                    Way::HalfDeaf => sim.repair_oneway(name(node), name(other)),
                    Way::Held => sim.release(name(node), name(other)),
                    Way::Slow(_) => latency(sim, nodes, LATENCY.1),
                }
            }
            Self::Crash(_) | Self::PowerCut => {}
            // What the log has met stays broken until the node has died of it.
            Self::SlowSync(..) | Self::LogError(_) | Self::FileError(_) | Self::Full(..) => {
                machine.disk.heal();
            }
            Self::Clock(..) => machine.clock.set(sim.elapsed(), 0, 1_000),
        }
    }
}

/// Has messages between nodes take at most so long.
fn latency(sim: &Sim<'static>, nodes: usize, most: Duration) {
    for node in 0..nodes {
        for other in node + 1..nodes {
            sim.set_link_max_message_latency(name(node), name(other), most);
        }
    }
}

//! What goes wrong, drawn from the seed: each fault has a beginning, an end, and a line in the record.

use std::time::Duration;

use rand::{Rng as _, rngs::StdRng, seq::IndexedRandom as _};
use turmoil::Sim;

use crate::faults::{Fault, Way, wanted};
use crate::hosts::Host;
use crate::record::{Order, Shared};

/// The most faults at a time.
const AT_ONCE: usize = 3;
/// After a node was cut off, nothing that was said before is on its way any more.
const CERTAIN: Duration = Duration::from_millis(20);

/// The time that a fault needs to show anything.
const SHORTEST: Duration = Duration::from_millis(1_500);

/// Where a host stands, as far as the nemesis can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Membership {
    In,
    Out,
    Uncertain,
}

/// A fault that is going on.
struct Active {
    fault: Fault,
    until: Duration,
    recorded: usize,
    closes_at: Option<Duration>,
    closure: Option<usize>,
}

/// The nemesis.
pub struct Nemesis {
    random: StdRng,
    record: Shared,
    /// All hosts.
    pub hosts: Vec<Host>,
    membership: Vec<Membership>,
    active: Vec<Active>,
    next: Duration,
    /// The order that the operator has, with its fault's number.
    ordered: Option<(Order, &'static str, usize)>,
    taken: usize,
    wanted: Vec<&'static str>,
}

impl Nemesis {
    /// A nemesis for hosts, of which the first `members` form the cluster.
    pub fn new(hosts: Vec<Host>, members: usize, record: Shared, random: StdRng) -> Self {
        let membership = (0..hosts.len()).map(|node| {
            if node < members {
                Membership::In
            } else {
                Membership::Out
            }
        });
        Self {
            random,
            record,
            membership: membership.collect(),
            hosts,
            active: Vec::new(),
            next: Duration::ZERO,
            ordered: None,
            taken: 0,
            wanted: wanted(),
        }
    }

    /// Disks go on, hosts that are due come back, and the dead are buried.
    pub fn tend(&mut self, sim: &mut Sim<'static>) {
        let now = sim.elapsed();
        for host in &mut self.hosts {
            let node = host.node;
            if let Some(why) = host.died() {
                assert!(host.doomed, "node {node} came to an end by itself: {why}");
                let back = now + Duration::from_millis(self.random.random_range(200..2_000));
                self.record
                    .borrow_mut()
                    .note(format_args!("node {node} died of its disk: {why}"));
                host.crash(sim, back, false);
            }
            if host.up {
                host.machine().disk.advance(now);
            } else if host.back_at.is_some_and(|back| back <= now) {
                self.record
                    .borrow_mut()
                    .note(format_args!("node {node} comes back"));
                host.restart(sim);
            }
        }
    }

    /// Begins and ends faults.
    pub fn act(&mut self, sim: &mut Sim<'static>, over: Duration) {
        let now = sim.elapsed();
        self.learn(sim);
        for active in &mut self.active {
            if active.closes_at.is_some_and(|at| at <= now)
                && let Some(node) = active.fault.cut_off()
            {
                active.closes_at = None;
                active.closure = Some(self.record.borrow_mut().closes(node));
            }
        }
        while let Some(over) = self.active.iter().position(|it| it.until <= now) {
            let active = self.active.swap_remove(over);
            self.end(sim, &active);
        }
        if now >= self.next {
            self.next = now + Duration::from_millis(self.random.random_range(150..1_000));
            // What is cut short shows nothing.
            if self.active.len() < AT_ONCE && now + SHORTEST < over {
                self.begin(sim);
            }
        }
    }

    /// Ends everything: from here on nothing is wrong.
    pub fn heal(&mut self, sim: &mut Sim<'static>) {
        self.learn(sim);
        for active in std::mem::take(&mut self.active) {
            self.end(sim, &active);
        }
        for host in &mut self.hosts {
            host.machine().disk.heal();
            host.machine().clock.set(sim.elapsed(), 0, 1_000);
            // A log that has failed stays so until its node has died of it.
            if host.up && host.doomed {
                host.crash(sim, Duration::ZERO, false);
            }
            if !host.up {
                host.back_at = Some(sim.elapsed());
            }
        }
    }

    /// What became of the last order.
    pub fn learn(&mut self, sim: &mut Sim<'static>) {
        let done = self.record.borrow().carried_out.get(self.taken).cloned();
        let Some((order, certain)) = done else { return };
        self.taken += 1;
        if let Some((_, kind, recorded)) = self.ordered.take() {
            self.record.borrow_mut().mended(kind, recorded);
        }
        match order {
            Order::Transfer => {}
            Order::Add(node) if certain => self.membership[node] = Membership::In,
            Order::Remove(node) if certain => {
                // It comes back as a new node, with nothing of what it was.
                self.membership[node] = Membership::Out;
                let now = sim.elapsed();
                if self.hosts[node].up {
                    self.hosts[node].crash(sim, now + Duration::from_millis(300), false);
                }
                self.hosts[node].wipe();
            }
            Order::Add(node) | Order::Remove(node) => {
                self.membership[node] = Membership::Uncertain;
            }
        }
    }

    fn begin(&mut self, sim: &mut Sim<'static>) {
        if self.ordered.is_none() && self.random.random_bool(0.2) {
            return self.order();
        }
        let Some(fault) = self.draw() else { return };
        let now = sim.elapsed();
        let lasts = match &fault {
            Fault::Link(..) => self.random.random_range(1_200..3_000),
            Fault::PowerCut => self.random.random_range(200..1_200),
            _ => self.random.random_range(300..2_500),
        };
        let recorded = self.record.borrow_mut().fault(fault.kind(), fault);
        let until = now + Duration::from_millis(lasts);
        let random = &mut self.random;
        match fault {
            // Syncs become slow first, so that there is something to lose.
            Fault::PowerCut => {
                for host in &self.hosts {
                    let slow = Duration::from_millis(random.random_range(10..400));
                    host.machine().disk.slow((slow / 8, slow));
                }
            }
            Fault::Crash(node) => {
                let loses_all = random.random_bool(0.5);
                self.hosts[node].crash(sim, until, loses_all);
            }
            Fault::LogError(node) | Fault::FileError(node) | Fault::Full(node, _) => {
                self.hosts[node].doomed = true;
                fault.begin(sim, &self.hosts[node].machine(), self.hosts.len());
            }
            Fault::SlowSync(node, _) | Fault::Clock(node, ..) => {
                fault.begin(sim, &self.hosts[node].machine(), self.hosts.len());
            }
            Fault::Link(..) => fault.begin(sim, &self.hosts[0].machine(), self.hosts.len()),
        }
        self.active.push(Active {
            closes_at: fault.cut_off().map(|_| now + CERTAIN),
            closure: None,
            until,
            recorded,
            fault,
        });
    }

    fn end(&mut self, sim: &mut Sim<'static>, active: &Active) {
        let mut record = self.record.borrow_mut();
        if let (Some(closure), Some(node)) = (active.closure, active.fault.cut_off()) {
            record.opens(node, closure);
        }
        record.mended(active.fault.kind(), active.recorded);
        drop(record);
        if active.fault == Fault::PowerCut {
            let loses_all = self.random.random_bool(0.5);
            for host in self.hosts.iter_mut().filter(|host| host.up) {
                let back = Duration::from_millis(self.random.random_range(100..1_500));
                host.crash(sim, sim.elapsed() + back, loses_all);
            }
        }
        let machine = self.hosts[active.fault.host().unwrap_or(0)].machine();
        active.fault.end(sim, &machine, self.hosts.len());
    }

    /// Gives the operator something to do.
    fn order(&mut self) {
        let standing = self.membership.clone();
        let with = |membership| {
            let nodes = 0..standing.len();
            let nodes = nodes.filter(|node| standing[*node] == membership);
            nodes.collect::<Vec<_>>()
        };
        let (members, out, uncertain) = (
            with(Membership::In),
            with(Membership::Out),
            with(Membership::Uncertain),
        );
        let order = match self.random.random_range(0..3_u8) {
            0 if !out.is_empty() || !uncertain.is_empty() => {
                let mut addable = out;
                // To add one again that may be a member goes on where it broke off.
                addable.extend(uncertain);
                Order::Add(*addable.choose(&mut self.random).unwrap())
            }
            1 if members.len() > 3 => Order::Remove(*members.choose(&mut self.random).unwrap()),
            _ => Order::Transfer,
        };
        let kind = match order {
            Order::Transfer => "transfer",
            Order::Add(_) => "add",
            Order::Remove(_) => "remove",
        };
        if !self.wanted.contains(&kind) {
            return;
        }
        let mut record = self.record.borrow_mut();
        let recorded = record.fault(kind, format_args!("{order:?}"));
        record.orders.push_back(order.clone());
        self.ordered = Some((order, kind, recorded));
    }

    /// A fault that is wanted, and fits beside those that are going on.
    fn draw(&mut self) -> Option<Fault> {
        // Where nothing but orders is wanted there is none.
        for _ in 0..1_000 {
            let fault = self.any()?;
            if self.wanted.contains(&fault.kind()) {
                return Some(fault);
            }
        }
        None
    }

    fn any(&mut self) -> Option<Fault> {
        let busy = |node: usize| self.active.iter().any(|it| it.fault.host() == Some(node));
        let free = self.hosts.iter().filter(|it| it.up && !busy(it.node));
        let free: Vec<usize> = free.map(|it| it.node).collect();
        let link = self
            .active
            .iter()
            .any(|it| matches!(it.fault, Fault::Link(..)));
        let node = *free.choose(&mut self.random)?;
        let others: Vec<usize> = (0..self.hosts.len()).filter(|it| *it != node).collect();
        let other = *others.choose(&mut self.random)?;
        let random = &mut self.random;
        let fault = match random.random_range(0..100) {
            0..9 => Fault::Link(Way::Isolated, node, other),
            9..17 => Fault::Link(Way::Deaf, node, other),
            17..25 => Fault::Link(Way::Mute, node, other),
            25..31 => Fault::Link(Way::Split, node, other),
            31..37 => Fault::Link(Way::HalfDeaf, node, other),
            37..42 => Fault::Link(Way::Held, node, other),
            42..49 => {
                let slow = Duration::from_millis(random.random_range(100..2_000));
                Fault::Link(Way::Slow(slow), node, other)
            }
            49..61 => Fault::Crash(node),
            61..69 => Fault::PowerCut,
            69..79 => {
                let slow = Duration::from_millis(random.random_range(50..800));
                Fault::SlowSync(node, slow)
            }
            79..84 => Fault::LogError(node),
            84..88 => Fault::FileError(node),
            88..93 => Fault::Full(node, [0, 1_000, 32 << 20][random.random_range(0..3)]),
            _ => {
                let off = random.random_range(-30_000..30_000);
                Fault::Clock(node, off, random.random_range(500..2_000))
            }
        };
        (!link || !matches!(fault, Fault::Link(..))).then_some(fault)
    }
}

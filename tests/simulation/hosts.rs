//! The hosts of a simulation: their machines, and their lives and deaths.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use refrain::config::Config;
use turmoil::Sim;

use crate::random::stream;
use crate::world::{Machine, name};

/// One host.
pub struct Host {
    /// Its place.
    pub node: usize,
    /// Whether it runs.
    pub up: bool,
    /// When it comes back.
    pub back_at: Option<Duration>,
    /// Whether its disk has been made to fail: its node may die of that, and of nothing else.
    pub doomed: bool,
    seed: u64,
    machine: Rc<RefCell<Machine>>,
    died: Rc<RefCell<Option<String>>>,
    lives: Rc<Cell<u64>>,
}

impl Host {
    /// Puts a host into a simulation and starts its node.
    pub fn start(
        sim: &mut Sim<'static>,
        seed: u64,
        node: usize,
        compaction: Option<(u64, u64)>,
        configure: fn(&mut Config),
    ) -> Self {
        let mut machine = Machine::new(seed, node);
        machine.compaction = compaction;
        machine.configure = configure;
        let machine = Rc::new(RefCell::new(machine));
        let died = Rc::new(RefCell::new(None));
        let lives = Rc::new(Cell::new(0));
        let (current, word, life) = (machine.clone(), died.clone(), lives.clone());
        sim.host(name(node), move || {
            let machine = current.borrow().clone();
            let word = word.clone();
            life.set(life.get() + 1);
            let life = life.get();
            async move {
                let why = match machine.run(life).await {
                    Ok(()) => "it stopped by itself".to_owned(),
                    Err(error) => format!("{error:#}"),
                };
                *word.borrow_mut() = Some(why);
                // The simulation ends the host as soon as it sees that.
                std::future::pending::<()>().await;
                Ok(())
            }
        });
        Self {
            node,
            up: true,
            back_at: None,
            doomed: false,
            seed,
            machine,
            died,
            lives,
        }
    }

    /// Its machine.
    pub fn machine(&self) -> Machine {
        self.machine.borrow().clone()
    }

    /// Ends it without a word, and cuts the power of its disk, which may lose all that was not synced.
    pub fn crash(&mut self, sim: &mut Sim<'static>, back_at: Duration, loses_all: bool) {
        sim.crash(name(self.node));
        self.machine.borrow().disk.crash(loses_all);
        self.died.borrow_mut().take();
        self.up = false;
        self.back_at = Some(back_at);
    }

    /// Starts it on a healthy disk.
    pub fn restart(&mut self, sim: &mut Sim<'static>) {
        self.machine.borrow().disk.heal();
        self.doomed = false;
        self.up = true;
        self.back_at = None;
        sim.bounce(name(self.node));
    }

    /// Gives it an empty disk. Only while it does not run.
    pub fn wipe(&self) {
        let mut fresh = Machine::new(self.seed, self.node);
        let mut machine = self.machine.borrow_mut();
        let user = format!("disk {} after life {}", self.node, self.lives.get());
        fresh.disk = crate::disk::SimulatedDisk::new(stream(self.seed, &user));
        fresh.clock = machine.clock.clone();
        fresh.compaction = machine.compaction;
        fresh.configure = machine.configure;
        *machine = fresh;
    }

    /// Why its node has come to an end by itself, where it has.
    pub fn died(&self) -> Option<String> {
        self.died.borrow_mut().take()
    }
}

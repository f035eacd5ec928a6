//! Recording a history while it happens: each record is a moment of its own.

use super::history::{
    Call, Closed, Closure, Fault, History, Node, Operation, Outcome, Tick, Waited,
};

/// A call that has begun.
#[derive(Debug, Clone, Copy)]
#[must_use = "its outcome has to be recorded"]
pub struct Begun(usize);

impl Begun {
    /// Its place among the operations.
    pub fn place(self) -> usize {
        self.0
    }
}

impl History {
    /// A moment later than all before.
    pub fn tick(&mut self) -> Tick {
        self.ticks += 1;
        self.ticks
    }

    /// Records a call, before it is sent. Until it ends, its outcome is unknown.
    pub fn begin(&mut self, client: usize, node: Node, call: Call) -> Begun {
        let begun = self.tick();
        self.operations.push(Operation {
            client,
            node,
            begun,
            ended: None,
            call,
            outcome: Outcome::Unknown,
            waited: None,
        });
        Begun(self.operations.len() - 1)
    }

    /// Records what came of a call, after it came.
    pub fn end(&mut self, begun: Begun, outcome: Outcome, waited: Option<Waited>) {
        let ended = self.tick();
        let operation = &mut self.operations[begun.0];
        operation.ended = Some(ended);
        operation.outcome = outcome;
        operation.waited = waited;
    }

    /// Records that a fault begins; the answer is for [`History::mended`].
    pub fn fault(&mut self, kind: &'static str) -> usize {
        let from = self.tick();
        let until = None;
        self.faults.push(Fault { kind, from, until });
        self.faults.len() - 1
    }

    /// Records that a fault is over.
    pub fn mended(&mut self, fault: usize) {
        self.faults[fault].until = Some(self.tick());
    }

    /// Records that from here on a node cannot know, once that is certain; the answer is for [`History::opens`].
    pub fn closes(&mut self, node: Node, why: Closed) -> usize {
        let from = self.tick();
        self.closures.push(Closure {
            node,
            why,
            from,
            until: None,
        });
        self.closures.len() - 1
    }

    /// Records that a node may know again, before that can be so.
    pub fn opens(&mut self, closure: usize) {
        self.closures[closure].until = Some(self.tick());
    }
}

//! Histories told by hand: one line for each thing that happened, on a cluster of three nodes.

use crate::invariants::history::{
    Call, Change, Entry, History, Journal, Key, Node, Outcome, Revision, Rule,
};
use crate::invariants::judge;
use crate::invariants::record::Begun;

/// A history that is being told.
pub struct Tale(pub History);

/// The purposes of every tale: `p` with `p.q` beneath it allows by default, `d` denies, `e` is essential.
pub const PURPOSES: [(&str, Rule); 4] = [
    ("p", Rule::DefaultAllow),
    ("p.q", Rule::DefaultAllow),
    ("d", Rule::DefaultDeny),
    ("e", Rule::Essential),
];

/// A history in which nothing has happened yet.
pub fn blank() -> History {
    let journals = (0..3).map(|node| Journal {
        node,
        entries: Vec::new(),
    });
    History {
        rules: PURPOSES.map(|(name, rule)| (name.to_owned(), rule)).into(),
        journals: journals.collect(),
        ..History::default()
    }
}

/// An event that sets what a call asks for.
pub fn event(revision: Revision, call: &Call) -> Entry {
    let Call::Set { changes, .. } = call else {
        panic!("{call} makes no event");
    };
    Entry {
        revision,
        event_id: format!("e{revision}"),
        namespace: Some("n".to_owned()),
        purposes: changes.keys().map(|key| key.purpose.clone()).collect(),
        changes: changes.clone(),
        request_id: None,
    }
}

/// `token/purpose`.
pub fn key(at: &str) -> Key {
    let (token, purpose) = at.split_once('/').unwrap();
    Key::new("n", token, purpose)
}

pub fn done(revision: Revision) -> Outcome {
    Outcome::Done {
        revision,
        event_id: format!("e{revision}"),
        changed: true,
    }
}

pub fn stood(revision: Revision) -> Outcome {
    Outcome::Done {
        revision,
        event_id: format!("e{revision}"),
        changed: false,
    }
}

impl Tale {
    pub fn new() -> Self {
        Self(blank())
    }

    /// An opt-out with a request of its own.
    pub fn out(&self, at: &str) -> Call {
        let id = format!("r{}", self.0.operations.len());
        Call::set(id, Change::OptOut, [key(at)])
    }

    /// An opt-in with a request of its own.
    pub fn in_(&self, at: &str) -> Call {
        let id = format!("r{}", self.0.operations.len());
        Call::set(id, Change::OptIn, [key(at)])
    }

    /// A call to a node begins.
    pub fn begin(&mut self, node: Node, call: &Call) -> Begun {
        self.0.begin(node, node, call.clone())
    }

    /// It ends.
    pub fn end(&mut self, begun: Begun, outcome: Outcome) {
        self.0.end(begun, outcome, None);
    }

    /// A whole call, while no other begins or ends.
    pub fn call(&mut self, node: Node, call: &Call, outcome: Outcome) {
        let begun = self.begin(node, call);
        self.end(begun, outcome);
    }

    /// The event of a call is in every journal.
    pub fn commit(&mut self, call: &Call) -> Revision {
        let revision = self.0.journal().len() as Revision + 1;
        for journal in &mut self.0.journals {
            journal.entries.push(event(revision, call));
        }
        revision
    }

    /// A whole change, acknowledged and in every journal.
    pub fn set(&mut self, call: &Call) -> Revision {
        let revision = self.commit(call);
        self.call(0, call, done(revision));
        revision
    }

    /// A whole check.
    pub fn check(&mut self, node: Node, at: &str, allow: bool, revision: Revision) {
        let call = Call::check(&key(at));
        self.call(node, &call, Outcome::Decided { allow, revision });
    }

    /// Nothing is violated, and everything was judged.
    #[track_caller]
    pub fn holds(&self) {
        let report = judge(&self.0);
        report.assert_holds();
        assert_eq!(report.gave_up(), 0, "{report}");
    }

    /// Exactly these are violated.
    #[track_caller]
    pub fn violates(&self, expected: &[&str]) {
        let report = judge(&self.0);
        assert_eq!(report.violated(), expected, "{report}");
    }
}

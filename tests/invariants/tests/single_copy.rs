//! A single copy that cannot lie, and clients that lose its answers: it makes correct histories out of any script.
//!
//! Every change and every answer happens at one moment, between the two at which its client begins and ends; some clients never hear, some
//! messages arrive long after, some requests are sent again.

use std::collections::BTreeMap;

use super::tale::{blank, done, event, stood};
use crate::invariants::fold::Fold;
use crate::invariants::history::{
    Call, Change, Closed, Entry, Filter, History, Key, Outcome, Revision, Seen, State, Watch,
};
use crate::invariants::record::Begun;

/// What happens next, to whom; read off numbers, so that any script means something.
pub type Step = [usize; 4];

const CLIENTS: usize = 4;
const NODES: usize = 3;
const PURPOSES: [&str; 5] = ["*", "p", "p.q", "d", "e"];

/// A message on its way.
struct Sent {
    begun: Begun,
    call: Call,
    answer: Option<Outcome>,
}

struct SingleCopy {
    history: History,
    fold: Fold,
    /// What was answered to each request.
    answered: BTreeMap<String, Outcome>,
    clients: [Option<Sent>; CLIENTS],
    /// Calls that their clients gave up on, and that may still arrive.
    stray: Vec<Call>,
    given_up: Vec<Call>,
    closed: [Option<usize>; NODES],
}

/// Runs a script.
pub fn run(script: &[Step]) -> History {
    let mut copy = SingleCopy {
        history: blank(),
        fold: Fold::default(),
        answered: BTreeMap::new(),
        clients: [const { None }; CLIENTS],
        stray: Vec::new(),
        given_up: Vec::new(),
        closed: [None; NODES],
    };
    for step in script {
        copy.step(*step);
    }
    copy.finish()
}

impl SingleCopy {
    fn step(&mut self, [client, what, subject, purpose]: Step) {
        let client = client % CLIENTS;
        match (self.clients[client].take(), what % 16) {
            // Something that was long given up on arrives.
            (sent, 14) if !self.stray.is_empty() => {
                let call = self.stray.swap_remove(subject % self.stray.len());
                self.take(&call);
                self.clients[client] = sent;
            }
            (sent, 15) => {
                self.toggle(subject % NODES);
                self.clients[client] = sent;
            }
            (None, _) => {
                let call = self.question(what, subject, purpose);
                let node = (subject + purpose) % NODES;
                let begun = self.history.begin(client, node, call.clone());
                let answer = None;
                self.clients[client] = Some(Sent {
                    begun,
                    call,
                    answer,
                });
            }
            (Some(sent), 0..=8) => self.deliver(client, sent),
            // Nobody hears of it again, unless it arrives one day.
            (Some(sent), 9..=11) => {
                if sent.answer.is_none() {
                    self.stray.push(sent.call.clone());
                }
                self.given_up.push(sent.call);
                self.history.end(sent.begun, Outcome::Unknown, None);
            }
            (Some(sent), 12) if sent.answer.is_none() => {
                self.history.end(sent.begun, Outcome::Failed, None);
            }
            (Some(sent), _) => self.clients[client] = Some(sent),
        }
    }

    /// A message arrives, or the answer to it does.
    fn deliver(&mut self, client: usize, mut sent: Sent) {
        if let Some(answer) = sent.answer {
            self.history.end(sent.begun, answer, None);
            return;
        }
        if self.closed[self.node_of(&sent)].is_some() {
            self.history.end(sent.begun, Outcome::Failed, None);
            return;
        }
        sent.answer = Some(self.take(&sent.call));
        self.clients[client] = Some(sent);
    }

    fn node_of(&self, sent: &Sent) -> usize {
        self.history.operations[sent.begun.place()].node
    }

    /// A node is cut off, or is no more. What it has answered by then is on its way, and certain.
    fn toggle(&mut self, node: usize) {
        match self.closed[node].take() {
            Some(closure) => self.history.opens(closure),
            None => self.closed[node] = Some(self.history.closes(node, Closed::NoQuorum)),
        }
    }

    fn question(&mut self, what: usize, subject: usize, purpose: usize) -> Call {
        let tokens = ["ada", "bob"];
        let token = tokens[subject % 2];
        let key = Key::new("n", token, PURPOSES[purpose % 4]);
        let id = format!("r{}", self.history.operations.len());
        match what % 12 {
            0..=2 => Call::set(id, Change::OptOut, [key]),
            3..=4 => Call::set(id, Change::OptIn, [key]),
            5 => {
                let mut changes = BTreeMap::from([(key, Change::OptOut)]);
                changes.insert(Key::new("n", token, "p.q"), Change::OptIn);
                let request_id = id;
                Call::Set {
                    request_id,
                    changes,
                }
            }
            6 if !self.given_up.is_empty() => {
                self.given_up[(subject + purpose) % self.given_up.len()].clone()
            }
            7 => Call::Preferences {
                namespace: "n".to_owned(),
                tokens: vec![token.to_owned()],
            },
            8 if subject % 8 == 7 => Call::Check {
                namespace: "n".to_owned(),
                tokens: tokens.map(str::to_owned).into(),
                purpose: "p.q".to_owned(),
            },
            _ => Call::check(&Key::new("n", token, PURPOSES[1 + purpose % 4])),
        }
    }

    /// The one moment at which a call has its effect.
    fn take(&mut self, call: &Call) -> Outcome {
        let revision = self.history.journal().len() as Revision;
        match call {
            Call::Set {
                request_id,
                changes,
            } => {
                if let Some(before) = self.answered.get(request_id) {
                    return before.clone();
                }
                let mut each = changes.iter();
                let answer = if each.all(|(key, change)| self.fold.stands(key, *change)) {
                    let since = changes.keys().filter_map(|key| self.fold.at(key));
                    stood(since.map(|(_, revision)| revision).max().unwrap())
                } else {
                    let event = event(revision + 1, call);
                    self.fold.apply(&event);
                    for journal in &mut self.history.journals {
                        journal.entries.push(event.clone());
                    }
                    done(revision + 1)
                };
                let id = request_id.clone();
                self.answered.insert(id, answer.clone());
                answer
            }
            Call::Check {
                namespace,
                tokens,
                purpose,
            } => Outcome::Decided {
                allow: {
                    let rule = self.history.rules[purpose];
                    self.fold.allows(namespace, tokens, purpose, rule)
                },
                revision,
            },
            Call::Preferences { namespace, tokens } => Outcome::Stands {
                records: self.fold.of(namespace, tokens),
                revision,
            },
        }
    }

    /// What is on its way is lost; the nodes are read, and watchers have seen all.
    fn finish(mut self) -> History {
        let journal = self.history.journal().to_vec();
        let last = journal.len() as Revision;
        let purposes = ["p", "p.q", "d"];
        for (at, purpose) in purposes.into_iter().enumerate() {
            let filter = Filter {
                purposes: vec![purpose.to_owned()],
                ..Filter::default()
            };
            let filter = if at == 0 { Filter::default() } else { filter };
            self.history.watches.push(watch(filter, &journal, at));
        }
        for revision in 1..=last {
            for node in 0..NODES {
                self.history.states.push(State {
                    node,
                    revision,
                    hash: Some(format!("state {revision}")),
                    root: Some(format!("root {revision}")),
                });
            }
        }
        self.history
    }
}

/// A watcher that sees all that it wants, breaking off now and then.
fn watch(filter: Filter, journal: &[Entry], at: usize) -> Watch {
    let mut seen = vec![Seen::Asked { node: at, from: 1 }];
    for entry in journal {
        let touches = |wanted: &String| {
            let mut touched = entry.purposes.iter();
            touched.any(|it| {
                it == "*"
                    || it == wanted
                    || it.starts_with(&format!("{wanted}."))
                    || wanted.starts_with(&format!("{it}."))
            })
        };
        if filter.purposes.is_empty() || filter.purposes.iter().any(touches) {
            seen.push(Seen::Event(entry.clone()));
        } else {
            seen.push(Seen::Heartbeat(entry.revision));
        }
        if entry.revision % 3 == 0 {
            let (node, from) = (at, entry.revision + 1);
            seen.push(Seen::Asked { node, from });
        }
    }
    Watch {
        filter,
        seen,
        reaches: journal.len() as Revision,
    }
}

//! The oracle: what stands after a journal's first so many events, and what is decided then, written without a look at the product's
//! own state.
//!
//! The rule: an opt-out at a purpose covers what lies beneath, unless a newer opt-in stands at it or between it and the purpose asked;
//! over several tokens the least permissive wins; who said nothing gets the purpose's default.

use std::collections::BTreeMap;

use super::history::{Change, Changes, Entry, Key, Revision, Rule};

/// What stands.
#[derive(Debug, Default)]
pub struct Fold {
    records: BTreeMap<Key, (Change, Revision)>,
}

/// A purpose's line of ancestors: `*` first, itself last.
pub fn path(purpose: &str) -> Vec<&str> {
    let dots = purpose.match_indices('.').map(|(at, _)| &purpose[..at]);
    let mut path = vec!["*"];
    if purpose != "*" {
        path.extend(dots.chain([purpose]));
    }
    path
}

impl Fold {
    /// Takes the next event in.
    pub fn apply(&mut self, entry: &Entry) {
        self.set(&entry.changes, entry.revision);
    }

    /// Takes in what an event sets.
    pub fn set(&mut self, changes: &Changes, revision: Revision) {
        for (key, change) in changes {
            self.records.insert(key.clone(), (*change, revision));
        }
    }

    /// What stands at a key.
    pub fn at(&self, key: &Key) -> Option<(Change, Revision)> {
        self.records.get(key).copied()
    }

    /// Whether a change would change nothing: it stands, and nothing newer takes from it.
    pub fn stands(&self, key: &Key, change: Change) -> bool {
        let Some((stands, since)) = self.at(key) else {
            return false;
        };
        let (namespace, token) = key.subject();
        let undone = match change {
            Change::OptOut => {
                let all = self.of(namespace, std::slice::from_ref(&key.token));
                all.iter().any(|(other, (change, revision))| {
                    let beneath = path(&other.purpose).contains(&key.purpose.as_str());
                    beneath && *change == Change::OptIn && *revision > since
                })
            }
            Change::OptIn => self.said(namespace, token, &key.purpose) != Some(Change::OptIn),
        };
        stands == change && !undone
    }

    /// What stands for some tokens.
    pub fn of(&self, namespace: &str, tokens: &[String]) -> BTreeMap<Key, (Change, Revision)> {
        let mut found = BTreeMap::new();
        for token in tokens {
            let first = Key::new(namespace, token, "");
            let own = self.records.range(first..);
            let own = own.take_while(|(key, _)| key.subject() == (namespace, token));
            found.extend(own.map(|(key, record)| (key.clone(), *record)));
        }
        found
    }

    /// Whether processing is allowed.
    pub fn allows(&self, namespace: &str, tokens: &[String], purpose: &str, rule: Rule) -> bool {
        if rule == Rule::Essential {
            return true;
        }
        let said = |token: &String| self.said(namespace, token, purpose);
        let said: Vec<Option<Change>> = tokens.iter().map(said).collect();
        let unsaid = rule == Rule::DefaultAllow;
        said.iter()
            .all(|said| said.map_or(unsaid, |change| change == Change::OptIn))
    }

    /// What one token's records come to.
    fn said(&self, namespace: &str, token: &str, purpose: &str) -> Option<Change> {
        let mut newest_opt_in = None;
        // From the purpose up, so that the opt-ins met so far lie between a record and the purpose.
        for step in path(purpose).into_iter().rev() {
            match self.at(&Key::new(namespace, token, step)) {
                Some((Change::OptIn, revision)) => {
                    newest_opt_in = newest_opt_in.max(Some(revision));
                }
                Some((Change::OptOut, revision)) if newest_opt_in <= Some(revision) => {
                    return Some(Change::OptOut);
                }
                Some(_) | None => {}
            }
        }
        newest_opt_in.map(|_| Change::OptIn)
    }
}

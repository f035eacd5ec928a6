//! What stands, for the search: the rule of who decides, written once more by scanning, so that an error in the other checker's is not
//! shared.

use std::collections::{BTreeMap, BTreeSet};

use super::super::history::{Change, Changes, Key};

/// Changes in layers, one for each call that made them, the newest last.
#[derive(Debug, Clone, Default)]
pub struct Standing<'a>(Vec<Vec<(&'a Key, Change)>>);

/// All of it that can ever matter: what stands where, and which opt-ins lift which opt-outs above them.
pub type Meaning<'a> = (BTreeMap<&'a Key, Change>, BTreeSet<(&'a Key, &'a Key)>);

impl<'a> Standing<'a> {
    /// What stands after some more changes.
    pub fn with(&self, changes: &'a Changes) -> Self {
        let mut layers = self.0.clone();
        for layer in &mut layers {
            layer.retain(|(key, _)| !changes.contains_key(*key));
        }
        layers.retain(|layer| !layer.is_empty());
        layers.push(changes.iter().map(|(key, change)| (key, *change)).collect());
        Self(layers)
    }

    fn records(&self) -> impl Iterator<Item = (usize, &'a Key, Change)> {
        let layers = self.0.iter().enumerate();
        layers.flat_map(|(layer, set)| set.iter().map(move |(key, change)| (layer, *key, *change)))
    }

    /// What two histories have to have in common to have the same future.
    pub fn meaning(&self) -> Meaning<'a> {
        let records = self.records().map(|(_, key, change)| (key, change));
        let opt_outs = self
            .records()
            .filter(|(.., change)| *change == Change::OptOut);
        let lifts = opt_outs.flat_map(|(out, above, _)| {
            let beneath = move |(layer, key, change): &(usize, &Key, Change)| {
                let same = key.namespace == above.namespace && key.token == above.token;
                *change == Change::OptIn && *layer > out && same && covers(above, &key.purpose)
            };
            self.records()
                .filter(beneath)
                .map(move |(_, key, _)| (above, key))
        });
        (records.collect(), lifts.collect())
    }

    /// What stands for some tokens.
    pub fn of(&self, namespace: &str, tokens: &[String]) -> BTreeMap<&'a Key, Change> {
        let wanted = |key: &Key| key.namespace == namespace && tokens.contains(&key.token);
        let own = self.records().filter(|(_, key, _)| wanted(key));
        own.map(|(_, key, change)| (key, change)).collect()
    }

    /// What a token's records come to: an opt-out that no later opt-in lifts, or else an opt-in.
    pub fn said(&self, namespace: &str, token: &str, purpose: &str) -> Option<Change> {
        let own = self.records().filter(|(_, key, _)| {
            key.namespace == namespace && key.token == token && covers(key, purpose)
        });
        let own: Vec<(usize, &Key, Change)> = own.collect();
        let lifted = |out: usize, above: &Key| {
            own.iter().any(|(layer, key, change)| {
                *change == Change::OptIn && *layer > out && covers(above, &key.purpose)
            })
        };
        let denies = own
            .iter()
            .any(|(layer, key, change)| *change == Change::OptOut && !lifted(*layer, key));
        match own.first() {
            None => None,
            Some(_) if denies => Some(Change::OptOut),
            Some(_) => Some(Change::OptIn),
        }
    }
}

/// Whether a purpose is the key's own or lies beneath it.
fn covers(key: &Key, purpose: &str) -> bool {
    let beneath = purpose.strip_prefix(&key.purpose);
    let below = beneath.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    below || key.purpose == "*"
}

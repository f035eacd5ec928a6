//! Members whose settings in force are not those of the others.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::NodeId;
use crate::proto::peer::Setting;

/// What one node says.
#[derive(Clone, Copy)]
pub struct Told<'a> {
    /// The node.
    pub node: u64,
    /// Its settings in force; none from a version that does not tell.
    pub settings: &'a [Setting],
}

/// A setting of a node that most of the others have otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// The node.
    pub node: u64,
    /// The setting.
    pub name: String,
    /// What it is there.
    pub value: String,
    /// What more of the members have; none where no value has more than this one.
    pub most: Option<String>,
}

impl Drift {
    /// What is wrong and what to do.
    pub fn alarm(&self) -> String {
        let Self {
            node, name, value, ..
        } = self;
        let node = NodeId(*node);
        match &self.most {
            Some(most) => format!(
                "the configuration drifts: {name} is `{value}` on {node} and `{most}` on most members: set it there as elsewhere, and restart that node"
            ),
            None => format!(
                "the configuration drifts: {name} is `{value}` on {node}, and the members do not agree: set it alike on all"
            ),
        }
    }
}

/// Every setting that is not alike on all nodes, for each node that is not with the most. Where no value has the most, every node.
pub fn drift(nodes: &[Told<'_>]) -> Vec<Drift> {
    let common = |told: &Told<'_>| {
        let settings = told.settings.iter().filter(|one| !one.own);
        settings
            .map(|one| (one.name.clone(), one.value.clone()))
            .collect::<BTreeMap<_, _>>()
    };
    let told: Vec<_> = nodes
        .iter()
        .filter(|node| !node.settings.is_empty())
        .map(|node| (node.node, common(node)))
        .collect();
    let names: BTreeSet<&String> = told.iter().flat_map(|(_, it)| it.keys()).collect();
    let mut found = Vec::new();
    for name in names {
        // A node of another version may not know the setting.
        let values: Vec<_> = told
            .iter()
            .filter_map(|(node, it)| Some((*node, it.get(name)?)))
            .collect();
        let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
        for (_, value) in &values {
            *counts.entry(value).or_default() += 1;
        }
        if counts.len() < 2 {
            continue;
        }
        let top = counts.values().copied().max().unwrap_or_default();
        let mut leading = counts.iter().filter(|(_, count)| **count == top);
        let most = match (leading.next(), leading.next()) {
            (Some((value, _)), None) => Some((*value).clone()),
            _ => None,
        };
        for (node, value) in values {
            if most.as_ref() != Some(value) {
                found.push(Drift {
                    node,
                    name: name.clone(),
                    value: value.clone(),
                    most: most.clone(),
                });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(some: &[(&str, &str)]) -> Vec<Setting> {
        let setting = |(name, value): &(&str, &str)| Setting {
            name: (*name).to_owned(),
            value: (*value).to_owned(),
            own: *name == "listen",
        };
        some.iter().map(setting).collect()
    }

    fn found(nodes: &[&[(&str, &str)]]) -> Vec<(u64, String, Option<String>)> {
        let nodes: Vec<_> = nodes.iter().map(|some| settings(some)).collect();
        let told: Vec<Told<'_>> = (1..)
            .zip(&nodes)
            .map(|(node, settings)| Told { node, settings })
            .collect();
        let found = drift(&told).into_iter();
        found.map(|it| (it.node, it.name, it.most)).collect()
    }

    #[test]
    fn the_odd_one_is_named_and_addresses_may_differ() {
        let usual = [("listen", "a"), ("max_calls", "64")];
        let same = found(&[&usual, &[("listen", "b"), ("max_calls", "64")], &usual]);
        assert_eq!(same, []);
        let odd = found(&[&usual, &[("listen", "b"), ("max_calls", "8")], &usual]);
        let most = Some("64".to_owned());
        assert_eq!(odd, [(2, "max_calls".to_owned(), most)]);
    }

    #[test]
    fn where_nobody_is_with_the_most_all_are_named() {
        let odd = found(&[&[("log", "info")], &[("log", "debug")]]);
        assert_eq!(odd.len(), 2);
        assert!(odd.iter().all(|(_, _, most)| most.is_none()));
    }

    #[test]
    fn a_version_that_does_not_tell_has_no_say() {
        let node: &[(&str, &str)] = &[("log", "info"), ("new", "1")];
        assert_eq!(found(&[node, &[], &[("log", "info")]]), []);
    }
}

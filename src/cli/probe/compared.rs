//! What nodes told at revisions, held against each other: who differs, and who was never compared with the others.

use std::collections::{BTreeMap, BTreeSet};

/// What each node told at each revision.
#[derive(Debug, Default)]
pub struct Compared {
    told: BTreeMap<u64, BTreeMap<String, BTreeSet<String>>>,
}

impl Compared {
    /// Notes what a node told.
    pub fn note(&mut self, node: &str, revision: u64, value: String) {
        let at = self.told.entry(revision).or_default();
        at.entry(value).or_default().insert(node.to_owned());
    }

    /// The first revision at which not all told the same, and a node for each thing that was told.
    pub fn difference(&self) -> Option<(u64, Vec<&str>)> {
        let mut differ = self.told.iter().filter(|(_, said)| said.len() > 1);
        let (revision, said) = differ.next()?;
        let nodes = said.values().filter_map(|nodes| nodes.first());
        Some((*revision, nodes.map(String::as_str).collect()))
    }

    /// Those of these nodes that told nothing at a revision at which the first of them did, or one that was compared with it.
    pub fn apart<'a>(&self, nodes: &[&'a str]) -> Vec<&'a str> {
        let mut joined: BTreeSet<&str> = nodes.first().copied().into_iter().collect();
        loop {
            let before = joined.len();
            for said in self.told.values() {
                let here = || said.values().flatten().map(String::as_str);
                if here().any(|node| joined.contains(node)) {
                    joined.extend(here());
                }
            }
            if joined.len() == before {
                break;
            }
        }
        let nodes = nodes.iter().copied();
        nodes.filter(|node| !joined.contains(node)).collect()
    }

    /// The highest revision at which a node told something.
    pub fn reached(&self, node: &str) -> Option<u64> {
        let tell = |said: &BTreeMap<String, BTreeSet<String>>| {
            said.values().any(|nodes| nodes.contains(node))
        };
        let mut told = self.told.iter().rev();
        told.find(|(_, said)| tell(said)).map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(told: &[(&str, u64, &str)]) -> Compared {
        let mut compared = Compared::default();
        for (node, revision, value) in told {
            compared.note(node, *revision, (*value).to_owned());
        }
        compared
    }

    #[test]
    fn what_differs_is_found_at_its_revision() {
        let alike = of(&[("a", 1, "x"), ("b", 2, "y"), ("b", 1, "x")]);
        assert_eq!(alike.difference(), None);
        let differ = of(&[("a", 1, "x"), ("b", 2, "y"), ("a", 2, "z"), ("c", 2, "z")]);
        assert_eq!(differ.difference(), Some((2, vec!["b", "a"])));
    }

    #[test]
    fn who_met_nobody_was_not_compared() {
        let nodes = ["a", "b", "c", "d"];
        assert_eq!(of(&[]).apart(&nodes), ["b", "c", "d"]);
        // Not all at once, but each with one that another was compared with.
        let chain = [
            ("c", 1, "x"),
            ("b", 1, "x"),
            ("a", 2, "x"),
            ("b", 2, "x"),
            ("d", 3, "x"),
        ];
        assert_eq!(of(&chain).apart(&nodes), ["d"]);
        assert_eq!(of(&[]).apart(&nodes[..1]), [""; 0]);
        // Two pairs are not four that were compared.
        let pairs = [("a", 1, "x"), ("b", 1, "x"), ("c", 2, "x"), ("d", 2, "x")];
        assert_eq!(of(&pairs).apart(&nodes), ["c", "d"]);
    }

    #[test]
    fn how_far_a_node_came_is_known() {
        let compared = of(&[("a", 1, "x"), ("a", 7, "x"), ("b", 9, "x")]);
        assert_eq!(compared.reached("a"), Some(7));
        assert_eq!(compared.reached("c"), None);
    }
}

//! I8: the same revision has the same state hash and the same journal root on all nodes, also after a snapshot was installed.
//!
//! State machine safety of Raft (Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm", USENIX ATC 2014, figure 3),
//! checked as TigerBeetle's simulator checks its replicas: by a checksum of the whole state at each commit that two of them tell of
//! (`src/testing/cluster/state_checker.zig`).

use std::collections::BTreeMap;

use super::history::{Entry, History, Node, Revision};
use super::verdict::Findings;

/// Judges a history.
pub fn check(history: &History) -> Findings {
    let mut findings = Findings::default();
    let mut known: BTreeMap<(Revision, &str), (&str, Node)> = BTreeMap::new();
    for state in &history.states {
        let told = [("state hash", &state.hash), ("journal root", &state.root)];
        for (what, value) in told {
            let Some(value) = value else { continue };
            let at = (state.revision, what);
            let (first, node) = *known.entry(at).or_insert((value, state.node));
            if first != value {
                findings.violation(
                    format!("two {what}es at revision {}", state.revision)
                        .replace("rootes", "roots"),
                    [
                        format!("node {node}: {first}"),
                        format!("node {}: {value}", state.node),
                    ],
                );
            }
        }
    }
    let mut entries: BTreeMap<Revision, (&Entry, Node)> = BTreeMap::new();
    for journal in &history.journals {
        let differs = journal.entries.iter().find_map(|entry| {
            let first = (entry, journal.node);
            let (other, node) = *entries.entry(entry.revision).or_insert(first);
            (!entry.agrees(other)).then(|| {
                let here = format!("node {}: {entry}", journal.node);
                (entry.revision, [format!("node {node}: {other}"), here])
            })
        });
        // What follows the first difference differs too.
        if let Some((revision, shown)) = differs {
            findings.violation(format!("two events at revision {revision}"), shown);
        }
    }
    findings
}

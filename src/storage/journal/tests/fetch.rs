//! A node that installed a snapshot fetches the bundles before it, and takes nothing that does not verify.

use bytes::Bytes;
use proptest::prelude::*;

use super::{JournalEdge, assert_straight, fill, leaf, open, replay::fates, straight};
use crate::storage::{
    files::Files,
    journal::{Journal, JournalError, path, tree::WIDTH},
    memory::MemoryFiles,
};

/// A fresh node on which a leader's snapshot was installed.
fn installed(leader: &Journal) -> (MemoryFiles, Journal) {
    let (disk, journal) = straight(0);
    journal.install(&leader.sync().unwrap()).unwrap();
    (disk, journal)
}

fn supply_from(leader: &Journal, journal: &Journal, bundle: u64) {
    let (entries, evidence) = leader.bundle(bundle).unwrap();
    journal.supply(bundle, entries, evidence).unwrap();
}

#[test]
fn a_fresh_node_fetches_what_it_misses() {
    let size = 5 * WIDTH + 30;
    let (_, leader) = straight(size);
    let (disk, journal) = installed(&leader);
    assert_eq!((journal.size(), journal.root()), (size, leader.root()));
    assert_eq!(journal.missing_bundles(10), [4, 3, 2, 1, 0]);
    assert_eq!(journal.missing_bundles(2), [4, 3]);
    assert_eq!(journal.earliest(), 5 * WIDTH + 1);
    let is_missing = |error| {
        let JournalError::Missing { earliest } = error else {
            panic!("{error}");
        };
        assert_eq!(earliest, 5 * WIDTH + 1);
    };
    is_missing(journal.read(1, 10, 100).unwrap_err());
    is_missing(journal.root_at(300).unwrap_err());
    is_missing(journal.bundle(3).unwrap_err());
    assert_eq!(
        journal.root_at(2 * WIDTH).unwrap(),
        leader.root_at(2 * WIDTH).unwrap()
    );
    assert_eq!(
        journal.read(5 * WIDTH + 1, size, 1 << 20).unwrap().len(),
        30
    );

    // It goes on applying meanwhile.
    fill(&journal, size + 300);
    fill(&leader, size + 300);
    supply_from(&leader, &journal, 4);
    supply_from(&leader, &journal, 2);
    assert_eq!(journal.earliest(), 4 * WIDTH + 1);
    assert_eq!(journal.missing_bundles(10), [3, 1, 0]);
    // A page ends before a gap.
    let page = journal.read(2 * WIDTH + 200, size, usize::MAX).unwrap();
    assert_eq!(page.last().unwrap().0, 3 * WIDTH);
    for bundle in [3, 0, 1, 1] {
        supply_from(&leader, &journal, bundle);
    }
    assert_straight(&journal, &disk, size + 300);
}

#[test]
fn what_has_been_fetched_is_durable_with_the_last_bundle() {
    let (_, leader) = straight(4 * WIDTH + 1);
    let edge = leader.sync().unwrap();
    let (disk, journal) = installed(&leader);
    for bundle in [0, 1, 2] {
        supply_from(&leader, &journal, bundle);
    }
    // A process that dies leaves them to the next one.
    let journal = open(&disk.copy(), &edge).unwrap();
    assert_eq!(journal.missing_bundles(10), [3]);
    // With the power some may be lost before the last one has come; then they are fetched again.
    let before = disk.paths();
    disk.crash();
    assert!(disk.paths().len() < before.len());
    let journal = open(&disk, &edge).unwrap();
    assert_eq!(journal.missing_bundles(10), [3, 2, 1, 0]);
    for bundle in journal.missing_bundles(10) {
        supply_from(&leader, &journal, bundle);
    }
    disk.crash();
    assert_straight(&open(&disk, &edge).unwrap(), &disk, 4 * WIDTH + 1);
    // From then on a lost bundle is damage.
    disk.remove(&path::entries(2)).unwrap();
    assert!(matches!(
        open(&disk, &edge),
        Err(JournalError::Damaged { .. })
    ));
}

#[test]
fn upper_tiles_are_written_when_the_last_bundle_below_them_comes() {
    let bundles = 257;
    let (leader_disk, leader) = straight(bundles * WIDTH);
    let (disk, journal) = installed(&leader);
    let tile = path::tile(1, 0);
    for bundle in journal.missing_bundles(1000) {
        assert_eq!(disk.read(&tile).unwrap(), None);
        supply_from(&leader, &journal, bundle);
    }
    assert_eq!(disk.read(&tile).unwrap(), leader_disk.read(&tile).unwrap());
    disk.crash();
    let journal = open(&disk, &leader.edge()).unwrap();
    assert_straight(&journal, &disk, bundles * WIDTH);
}

#[test]
fn nothing_that_does_not_verify_is_taken() {
    let (_, leader) = straight(2 * WIDTH);
    let (disk, journal) = installed(&leader);
    let before = disk.paths();
    let (entries, evidence) = leader.bundle(0).unwrap();
    assert!(!evidence.is_empty(), "or this would test little");
    let (other_entries, other_evidence) = leader.bundle(1).unwrap();
    assert!(other_evidence.is_empty());
    let flipped = |bytes: &Bytes, at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 1;
        Bytes::from(bytes)
    };
    let longer = |bytes: &Bytes| Bytes::from([bytes, &b"\0\0"[..]].concat());
    let mut tampered = vec![
        (other_entries, other_evidence),
        (Bytes::new(), evidence.clone()),
        (longer(&entries), evidence.clone()),
        (entries.slice(..entries.len() - 1), evidence.clone()),
        (entries.clone(), Bytes::new()),
        (entries.clone(), longer(&evidence)),
        (entries.clone(), evidence.slice(1..)),
    ];
    tampered.extend(
        (0..entries.len())
            .step_by(29)
            .map(|at| (flipped(&entries, at), evidence.clone())),
    );
    tampered.extend((0..evidence.len()).map(|at| (entries.clone(), flipped(&evidence, at))));
    for (entries, evidence) in tampered {
        let error = journal.supply(0, entries, evidence).unwrap_err();
        assert!(matches!(error, JournalError::Refused(_)), "{error}");
    }
    // Evidence for a bundle that has none.
    let (one, _) = leader.bundle(1).unwrap();
    assert!(journal.supply(1, one, evidence.clone()).is_err());
    assert!(
        journal
            .supply(2, entries.clone(), evidence.clone())
            .is_err(),
        "no such bundle"
    );
    assert!(journal.bundle(2).is_err());
    assert_eq!(disk.paths(), before);
    assert_eq!(journal.missing_bundles(10), [1, 0]);
    journal.supply(0, entries, evidence).unwrap();
    assert_eq!(journal.missing_bundles(10), [1]);
}

#[test]
fn a_node_that_fell_behind_keeps_what_it_has() {
    let (_, leader) = straight(6 * WIDTH + 9);
    let (disk, journal) = straight(2 * WIDTH + 50);
    journal.install(&leader.sync().unwrap()).unwrap();
    assert_eq!(journal.missing_bundles(10), [5, 4, 3, 2]);
    for bundle in journal.missing_bundles(10) {
        supply_from(&leader, &journal, bundle);
    }
    assert_straight(&journal, &disk, 6 * WIDTH + 9);

    // Leftovers from an earlier life, beyond what was applied, are kept where they fit; that they were once synced
    // does not count.
    let (disk, old_life) = straight(5 * WIDTH);
    old_life.sync().unwrap();
    drop(old_life);
    disk.write(&path::entries(3), b"torn").unwrap();
    let journal = open(&disk, &JournalEdge::default()).unwrap();
    fill(&journal, WIDTH + 1);
    journal.install(&leader.edge()).unwrap();
    assert_eq!(journal.missing_bundles(10), [5, 3]);
}

#[test]
fn a_snapshot_that_does_not_continue_the_journal_is_refused() {
    let (_, leader) = straight(3 * WIDTH);
    let (_, behind) = straight(WIDTH);
    let refused = leader.install(&behind.edge()).unwrap_err();
    assert!(matches!(refused, JournalError::Refused(_)), "{refused}");

    let diverged = |own: &Journal, theirs: &Journal| {
        let error = own.install(&theirs.edge()).unwrap_err();
        assert!(matches!(error, JournalError::Diverged { .. }), "{error}");
    };
    let (_, other) = straight(0);
    other.append(b"something else", None).unwrap();
    let (_, short) = straight(1);
    diverged(&other, &short);
    fill(&other, 2 * WIDTH);
    diverged(&other, &leader);
    let (_, other) = straight(0);
    for revision in 1..=WIDTH {
        other
            .append(&leaf(revision), Some(b"other evidence"))
            .unwrap();
    }
    diverged(&other, &leader);
    leader.install(&leader.edge()).unwrap();
}

#[derive(Debug, Clone)]
enum Step {
    /// The leader and, by its log, this node apply so many events.
    Apply(u64),
    /// The leader applies so many alone, and sends a snapshot; the node may crash before it publishes that.
    Install(u64, Option<u64>),
    /// Fetch one missing bundle: this one of them.
    Supply(usize),
    /// The node syncs and publishes a snapshot of its own.
    Snapshot,
    Crash(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1_u64..400).prop_map(Step::Apply),
        2 => (1_u64..900, prop::option::of(any::<u64>())).prop_map(|(n, seed)| Step::Install(n, seed)),
        5 => any::<usize>().prop_map(Step::Supply),
        1 => Just(Step::Snapshot),
        2 => any::<u64>().prop_map(Step::Crash),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn fetching_can_be_cut_off_anywhere(steps in prop::collection::vec(step(), 1..20)) {
        let (_, leader) = straight(0);
        let disk = MemoryFiles::new();
        let mut journal = open(&disk, &JournalEdge::default()).unwrap();
        let mut published = JournalEdge::default();
        let restart = |seed, published: &JournalEdge| {
            disk.crash_with(fates(seed));
            let journal = open(&disk, published).unwrap();
            fill(&journal, leader.size());
            journal
        };
        for step in steps {
            match step {
                Step::Apply(events) => {
                    fill(&leader, leader.size() + events);
                    fill(&journal, leader.size());
                }
                Step::Install(events, crash) => {
                    fill(&leader, leader.size() + events);
                    let edge = leader.sync().unwrap();
                    // The new snapshot is published before or after the journal goes on from it.
                    if crash.is_some_and(|seed| seed % 2 == 0) {
                        published = edge.clone();
                    } else {
                        journal.install(&edge).unwrap();
                        published = edge;
                    }
                    if let Some(seed) = crash {
                        journal = restart(seed, &published);
                    }
                }
                Step::Supply(which) => {
                    let missing = journal.missing_bundles(usize::MAX);
                    if !missing.is_empty() {
                        supply_from(&leader, &journal, missing[which % missing.len()]);
                    }
                }
                Step::Snapshot => published = journal.sync().unwrap(),
                Step::Crash(seed) => journal = restart(seed, &published),
            }
            prop_assert_eq!(journal.root(), leader.root());
        }
        for bundle in journal.missing_bundles(usize::MAX) {
            supply_from(&leader, &journal, bundle);
        }
        assert_straight(&journal, &disk, leader.size());
        let edge = journal.sync().unwrap();
        disk.crash();
        assert_straight(&open(&disk, &edge).unwrap(), &disk, leader.size());
    }
}

//! Random appends, syncs, crashes and replays give what a straight run gives.

use proptest::prelude::*;

use super::{JournalEdge, assert_straight, fill, open};
use crate::storage::memory::{Fate, MemoryFiles};

#[derive(Debug, Clone)]
enum Step {
    /// Apply this many events.
    Apply(u64),
    /// Sync, and publish a snapshot with the edge.
    Snapshot,
    /// Sync, and crash before the snapshot is published.
    SyncOnly,
    /// The power goes; what was not synced meets fates drawn from this seed.
    Crash(u64),
    /// The process dies, the kernel lives.
    Kill,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_u64..700).prop_map(Step::Apply),
        2 => Just(Step::Snapshot),
        1 => Just(Step::SyncOnly),
        2 => any::<u64>().prop_map(Step::Crash),
        1 => Just(Step::Kill),
    ]
}

/// Draws fates: every way to lose, keep or tear a file.
pub(super) fn fates(mut seed: u64) -> impl FnMut(&std::path::Path) -> Fate {
    move |_| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let length = usize::try_from(seed >> 40).unwrap() % 9000;
        match seed >> 33 & 3 {
            0 => Fate::Lost,
            1 => Fate::Kept,
            2 => Fate::Torn(length),
            _ => Fate::Zeroed(length),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn crashes_lose_nothing(steps in prop::collection::vec(step(), 1..14)) {
        let disk = MemoryFiles::new();
        let mut journal = open(&disk, &JournalEdge::default()).unwrap();
        // What the Raft log and the latest snapshot hold.
        let mut size = 0;
        let mut published = JournalEdge::default();
        for step in steps {
            match step {
                Step::Apply(events) => {
                    size += events;
                    fill(&journal, size);
                }
                Step::Snapshot => {
                    published = JournalEdge::decode(&journal.sync().unwrap().encode()).unwrap();
                    prop_assert_eq!(published.size(), size);
                }
                Step::SyncOnly => {
                    journal.sync().unwrap();
                    disk.crash();
                    journal = open(&disk, &published).unwrap();
                    fill(&journal, size);
                }
                Step::Crash(seed) => {
                    disk.crash_with(fates(seed));
                    journal = open(&disk, &published).unwrap();
                    fill(&journal, size);
                }
                Step::Kill => {
                    journal = open(&disk, &published).unwrap();
                    // And dies again in the middle of the replay.
                    fill(&journal, u64::midpoint(journal.size(), size));
                    journal = open(&disk, &published).unwrap();
                    fill(&journal, size);
                }
            }
        }
        assert_straight(&journal, &disk, size);
        let edge = journal.sync().unwrap();
        disk.crash();
        assert_straight(&open(&disk, &edge).unwrap(), &disk, size);
    }
}

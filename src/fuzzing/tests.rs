//! Every kept input of `tests/fuzz/corpus` goes through its target.

use std::{collections::BTreeSet, fs, path::PathBuf};

type Target = fn(&[u8]);

/// The targets, by the names of their folders.
const TARGETS: [(&str, Target); 16] = [
    ("bodies", super::bodies),
    ("commands", super::commands),
    ("encodings", super::encodings),
    ("identifiers", super::identifiers),
    ("journal", super::journal),
    ("key_sets", super::key_sets),
    ("links", super::links),
    ("log_records", super::log_records),
    ("notes", super::notes),
    ("receipts", super::receipts),
    ("requests", super::requests),
    ("settings", super::settings),
    ("small_files", super::small_files),
    ("snapshots", super::snapshots),
    ("stamps", super::stamps),
    ("state_chunks", super::state_chunks),
];

/// The one that belongs to the program, which replays it.
const OF_THE_PROGRAM: &str = "tables";

fn folder(of: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    folder.join("tests/fuzz").join(of)
}

#[test]
fn no_target_is_forgotten() {
    let known = TARGETS.map(|(name, _)| name).into_iter();
    let known: BTreeSet<String> = known.chain([OF_THE_PROGRAM]).map(str::to_owned).collect();
    for place in ["targets", "corpus"] {
        let there = fs::read_dir(folder(place)).expect("a folder").map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_stem().expect("a name");
            name.to_string_lossy().into_owned()
        });
        assert_eq!(there.collect::<BTreeSet<_>>(), known, "{place}");
    }
}

#[test]
fn every_kept_input_holds() {
    for (name, target) in TARGETS {
        let folder = folder("corpus").join(name);
        let inputs = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        let mut count = 0;
        for input in inputs {
            let path = input.expect("an input").path();
            let bytes = fs::read(&path).expect("an input");
            let held = std::panic::catch_unwind(|| target(&bytes));
            assert!(held.is_ok(), "{} does not hold", path.display());
            count += 1;
        }
        assert!(count > 0, "no inputs are kept for {name}");
    }
}

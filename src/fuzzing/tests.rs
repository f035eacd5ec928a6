//! Every kept input of `tests/fuzz/corpus` goes through its target.

use std::{fs, path::PathBuf};

type Target = fn(&[u8]);

/// The targets, by the names of their folders.
const TARGETS: [(&str, Target); 14] = [
    ("bodies", super::bodies),
    ("commands", super::commands),
    ("encodings", super::encodings),
    ("identifiers", super::identifiers),
    ("journal", super::journal),
    ("key_sets", super::key_sets),
    ("links", super::links),
    ("log_records", super::log_records),
    ("requests", super::requests),
    ("settings", super::settings),
    ("small_files", super::small_files),
    ("snapshots", super::snapshots),
    ("stamps", super::stamps),
    ("state_chunks", super::state_chunks),
];

fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus")
}

#[test]
fn every_kept_input_holds() {
    for (name, target) in TARGETS {
        let folder = corpus().join(name);
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

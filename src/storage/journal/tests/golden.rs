//! The formats on disk are what they were: change one, and an older journal must still be read.

use std::path::Path;

use super::{JournalEdge, open, straight};
use crate::proof::merkle::leaf_hash;
use crate::storage::{
    files::Files,
    journal::{
        mark,
        path::{self, MARK},
        ranges::Ranges,
        tree::WIDTH,
    },
    memory::MemoryFiles,
};

fn read(disk: &MemoryFiles, path: &Path) -> String {
    hex::encode(disk.read(path).unwrap().unwrap())
}

#[test]
fn the_mark() {
    let mut complete = Ranges::default();
    complete.insert_range(0, 3);
    complete.insert_range(7, 258);
    let golden = concat!(
        "52464a43",
        "00000001",
        "00000000000000000000000000000003",
        "00000000000000070000000000000102",
        "f4ea9f42",
    );
    assert_eq!(hex::encode(mark::encode(&complete)), golden);
    assert_eq!(
        mark::decode(&hex::decode(golden).unwrap()).unwrap(),
        complete
    );
}

#[test]
fn the_files_of_a_bundle() {
    let (disk, journal) = straight(0);
    for revision in 1..=WIDTH {
        let leaf = b"leaf".repeat(64);
        let leaf = &leaf[..usize::try_from(revision - 1).unwrap()];
        let evidence = [2, 256].contains(&revision).then_some(&b"proof"[..]);
        journal.append(leaf, evidence).unwrap();
    }
    let entries = read(&disk, &path::entries(0));
    assert!(entries.starts_with(concat!("0000", "00016c", "00026c65")));
    assert_eq!(entries.len() / 2, 256 * 2 + 255 * 256 / 2);
    let tile = read(&disk, &path::tile(0, 0));
    assert_eq!(tile.len() / 2, 8192);
    assert!(tile.starts_with(&hex::encode(leaf_hash(b""))));
    assert!(tile[64..].starts_with(&hex::encode(leaf_hash(b"l"))));
    assert_eq!(
        read(&disk, &path::evidence(0)),
        concat!(
            "52464a56",
            "00000001",
            "00010000000570726f6f66",
            "00ff0000000570726f6f66",
            "e2816e0a",
        )
    );
    assert_eq!(
        hex::encode(journal.root()),
        "9f1fcd4b804cb055b93a09c0644a192ba59ed5aca9abb1df3e0ee3522de07e89"
    );
    let edge = journal.sync().unwrap();
    assert_eq!(
        read(&disk, Path::new(MARK)),
        concat!(
            "52464a43",
            "00000001",
            "00000000000000000000000000000001",
            "a409346f"
        )
    );
    let golden = concat!(
        "52464a45",
        "00000001",
        "0000000000000100",
        "9f1fcd4b804cb055b93a09c0644a192ba59ed5aca9abb1df3e0ee3522de07e89",
        "9f1fcd4b804cb055b93a09c0644a192ba59ed5aca9abb1df3e0ee3522de07e89",
        "0000000000000001",
        "0000000000000000",
        "7697b1ce41498d3c263f26a131c7a5cdcbc089f07e0a4dc09ad2f80ed9c91c64",
        "42ce3054",
    );
    assert_eq!(hex::encode(edge.encode()), golden);
    let decoded = JournalEdge::decode(&hex::decode(golden).unwrap()).unwrap();
    assert_eq!(open(&disk, &decoded).unwrap().root(), journal.root());
}

#[test]
fn the_edge_of_an_unfinished_bundle() {
    let (_, journal) = straight(0);
    journal.append(b"one", None).unwrap();
    journal.append(b"two", Some(b"proof")).unwrap();
    let golden = concat!(
        "52464a45",
        "00000001",
        "0000000000000002",
        "4f55f619d9215235778b2b9f17d6f4915b16171214d152381293669764de722e",
        "0000000000000000",
        "00036f6e6500",
        "000374776f010000000570726f6f66",
        "4d10f853",
    );
    assert_eq!(hex::encode(journal.edge().encode()), golden);
}

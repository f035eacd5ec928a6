//! A disk that fails: the journal stops, and what it said was synced is.

use std::io::ErrorKind;

use super::{assert_straight, fill, open, straight, try_fill};
use crate::storage::{
    journal::{JournalEdge, JournalError, path, tree::WIDTH},
    memory::Operation,
};

#[test]
fn a_failed_write_stops_the_journal_until_it_is_opened_again() {
    for part in ["entries", "tile/0", "evidence"] {
        let (disk, journal) = straight(WIDTH + 200);
        let edge = journal.sync().unwrap();
        disk.fail(move |operation, path| {
            let hit = operation == Operation::Write && path.to_string_lossy().contains(part);
            hit.then_some(ErrorKind::StorageFull)
        });
        let error = try_fill(&journal, 3 * WIDTH).unwrap_err();
        assert!(matches!(error, JournalError::Io(_)), "{error}");
        disk.heal();
        let error = journal.append(b"x", None).unwrap_err();
        assert!(matches!(error, JournalError::Stopped(_)), "{error}");
        assert!(journal.sync().is_err());
        assert!(
            !journal.read(1, 10, 1000).unwrap().is_empty(),
            "reads go on"
        );

        disk.crash();
        let journal = open(&disk, &edge).unwrap();
        fill(&journal, 3 * WIDTH);
        assert_straight(&journal, &disk, 3 * WIDTH);
    }
}

#[test]
fn a_failed_sync_is_never_tried_again() {
    for part in ["entries", path::MARK] {
        let (disk, journal) = straight(2 * WIDTH);
        disk.fail(move |operation, path| {
            let hit = operation == Operation::Sync && path.to_string_lossy().contains(part);
            hit.then_some(ErrorKind::Other)
        });
        assert!(matches!(journal.sync(), Err(JournalError::Io(_))));
        disk.heal();
        assert!(matches!(journal.sync(), Err(JournalError::Stopped(_))));
        assert!(matches!(
            journal.append(b"x", None),
            Err(JournalError::Stopped(_))
        ));

        disk.crash();
        let journal = open(&disk, &JournalEdge::default()).unwrap();
        fill(&journal, 2 * WIDTH);
        assert_straight(&journal, &disk, 2 * WIDTH);
    }
}

#[test]
fn a_disk_that_cannot_be_read_is_not_taken_for_an_empty_one() {
    let (disk, journal) = straight(WIDTH);
    let edge = journal.sync().unwrap();
    disk.fail(|operation, _| (operation == Operation::Read).then_some(ErrorKind::Other));
    assert!(matches!(open(&disk, &edge), Err(JournalError::Io(_))));
    assert!(matches!(
        open(&disk, &JournalEdge::default()),
        Err(JournalError::Io(_))
    ));
    disk.heal();
    open(&disk, &edge).unwrap();
}

#[test]
fn errors_become_io_errors_that_tell_the_same() {
    let (_, journal) = straight(0);
    let refused = journal.append(&vec![0; 70_000], None).unwrap_err();
    let text = refused.to_string();
    let error = std::io::Error::from(refused);
    assert_eq!(
        (error.kind(), error.to_string()),
        (ErrorKind::InvalidInput, text)
    );
    let damaged = JournalError::damaged("journal/x", "it is gone");
    assert_eq!(std::io::Error::from(damaged).kind(), ErrorKind::InvalidData);
}

//! Whether a folder without an identity is new, or what is left of a node that was somebody.

use std::path::Path;

use anyhow::Context as _;

use crate::storage::{Refused, files::Files, identity::IDENTITY_FILE};

/// Stands in the folder from the first start's first step until the node has its identity, so that a first start that
/// was cut short is told from a folder that has lost its identity.
const MARKER: &str = "first-start";

/// What a node with an identity leaves on its disk, and no first start does.
const HISTORY: [&str; 3] = ["vote", "journal", "snapshots"];
/// What a first start lays down before it has an identity.
const LOG: [&str; 2] = ["log", "log.mark"];
/// What an incomplete wipe leaves: none of it is worth anything to a cluster.
const REMAINS: [&str; 6] = [
    "sealing.key",
    "token.key",
    "ballast",
    "evidence_secrets",
    "stamp_secrets",
    "journal_secrets",
];

/// Refuses a folder without an identity that a node has lived in; marks one that is new. `join`: whether the node waits
/// to be taken into a cluster.
///
/// # Errors
/// When the data of a former node is there; when its keys are there and this one would form a cluster of its own; or
/// whatever the disk says.
pub(super) fn begin(files: &dyn Files, folder: &Path, join: bool) -> anyhow::Result<()> {
    let lies = |name: &&str| folder.join(name).exists();
    let cut_short = lies(&MARKER);
    let history = HISTORY.iter().find(|name| lies(name));
    let log = LOG.iter().find(|name| !cut_short && lies(name));
    if let Some(left) = history.or(log) {
        let what = format!("it is missing, though `{left}` shows that a node has lived here");
        return Err(Refused::damaged(IDENTITY_FILE, what)
            .in_folder(folder)
            .into());
    }
    if cut_short {
        return Ok(());
    }
    let remains: Vec<&str> = REMAINS.into_iter().filter(|name| lies(name)).collect();
    if !join && !remains.is_empty() {
        anyhow::bail!(
            "refusing to start: {} holds what a former node has left ({}), and no node. Without --join this one would \
             form an empty cluster of its own, which allows what people have refused.\n  \
             To go back to its cluster: start it with --join, and run `refrain cluster add` on a healthy node.\n  \
             To form a new, empty cluster all the same: move these files away, and name a key that is to stay with \
             --token-key-file or --sealing-key-file.",
            folder.display(),
            remains.join(", ")
        );
    }
    files
        .write_durably(Path::new(MARKER), b"")
        .with_context(|| format!("cannot begin in {}", folder.display()))
}

/// Takes the mark away: the node has its identity.
///
/// # Errors
/// Whatever the disk says.
pub(super) fn end(files: &dyn Files) -> std::io::Result<()> {
    files.remove(Path::new(MARKER))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemEntropy;
    use crate::server::disk::Disk;

    /// How a start on a folder ends, with the text of the refusal.
    fn start(folder: &Path, join: bool) -> Result<(), String> {
        let disk =
            Disk::open(folder, join, &SystemEntropy).map_err(|error| format!("{error:#}"))?;
        disk.settle().map_err(|error| format!("{error:#}"))?;
        Ok(())
    }

    #[test]
    fn a_lost_identity_is_refused_whether_the_node_joins_or_not() {
        let dir = tempfile::tempdir().unwrap();
        start(dir.path(), false).unwrap();
        start(dir.path(), false).unwrap();
        std::fs::remove_file(dir.path().join("identity")).unwrap();
        for join in [false, true] {
            let said = start(dir.path(), join).unwrap_err();
            assert!(
                said.contains("identity is damaged: it is missing") && said.contains("--join"),
                "{said}"
            );
        }
    }

    #[test]
    fn each_piece_of_a_former_node_is_seen() {
        for name in HISTORY.into_iter().chain(LOG) {
            for cut_short in [false, true] {
                let dir = tempfile::tempdir().unwrap();
                std::fs::write(dir.path().join(name), "").unwrap();
                if cut_short {
                    std::fs::write(dir.path().join(MARKER), "").unwrap();
                }
                let files = crate::storage::data_folder::DataFolder::open(dir.path()).unwrap();
                let begun = begin(&files, dir.path(), true);
                let expected = cut_short && LOG.contains(&name);
                assert_eq!(begun.is_ok(), expected, "{name}, cut short: {cut_short}");
            }
        }
    }

    #[test]
    fn what_a_wipe_left_forms_no_cluster_and_may_join_one() {
        for name in REMAINS {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join(name), "").unwrap();
            let said = start(dir.path(), false).unwrap_err();
            assert!(said.contains(name) && said.contains("--join"), "{said}");
            assert!(!dir.path().join("identity").exists());
            start(dir.path(), true).unwrap();
        }
    }

    #[test]
    fn a_first_start_that_was_cut_short_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::open(dir.path(), false, &SystemEntropy).unwrap();
        std::fs::write(dir.path().join("sealing.key"), "").unwrap();
        drop(disk);
        start(dir.path(), false).unwrap();
        assert!(!dir.path().join(MARKER).exists());
    }
}

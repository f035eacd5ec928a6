//! The one clear refusal to start: what is wrong, where, and how the node comes back.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::journal::JournalError;
use super::snapshot::SnapshotError;
use crate::domain::NodeId;

/// Why a node does not start on this data folder. Its text is meant for the operator, whole.
#[derive(Debug)]
pub struct Refused {
    cause: Cause,
    place: PathBuf,
    folder: Option<PathBuf>,
    node_id: Option<u64>,
}

/// What is wrong.
#[derive(Debug)]
pub enum Cause {
    /// What is on disk is not what was written there; says what does not fit.
    Damaged(String),
    /// Opening it made no step forward for this long: a stuck disk, or damage that the database cannot get over.
    Hung(Duration),
    /// Another process has it open.
    InUse,
    /// There is no room to open it.
    DiskFull(io::Error),
    /// It was written by a later version; says which format was met.
    LaterFormat(u16),
    /// The operating system failed the call.
    Io(io::Error),
}

impl Refused {
    /// Refuses for `cause`, met in `place` (a file or folder, relative to the data folder where that is known).
    pub fn new(place: impl Into<PathBuf>, cause: Cause) -> Self {
        Self {
            cause,
            place: place.into(),
            folder: None,
            node_id: None,
        }
    }

    /// Refuses because what lies in `place` is damaged; `what` says what does not fit.
    pub fn damaged(place: impl Into<PathBuf>, what: impl Into<String>) -> Self {
        Self::new(place, Cause::Damaged(what.into()))
    }

    /// Refuses for an error of the operating system, with advice that fits it.
    pub fn io(place: impl Into<PathBuf>, error: io::Error) -> Self {
        let cause = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Cause::DiskFull(error),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => {
                if let Some((file, what)) = named(&error) {
                    return Self::damaged(file, what);
                }
                Cause::Damaged(error.to_string())
            }
            _ => Cause::Io(error),
        };
        Self::new(place, cause)
    }

    /// Adds the data folder's path, for the text.
    #[must_use]
    pub fn in_folder(mut self, folder: &Path) -> Self {
        self.folder.get_or_insert_with(|| folder.to_owned());
        self
    }

    /// Adds the id of the node that the folder belongs to, for the text.
    #[must_use]
    pub fn of_node(mut self, node_id: u64) -> Self {
        self.node_id.get_or_insert(node_id);
        self
    }

    /// What is wrong.
    pub fn cause(&self) -> &Cause {
        &self.cause
    }

    /// Whether the data is damaged, so that starting again cannot help.
    pub fn is_damage(&self) -> bool {
        matches!(self.cause, Cause::Damaged(_))
    }

    /// The file or folder, as an absolute path where the data folder is known.
    fn full_place(&self) -> PathBuf {
        self.folder
            .as_ref()
            .map_or_else(|| self.place.clone(), |folder| folder.join(&self.place))
    }
}

/// The damaged file, relative to the data folder, and what is wrong with it, where the error names them.
fn named(error: &io::Error) -> Option<(PathBuf, String)> {
    let inner = error.get_ref()?;
    if let Some(JournalError::Damaged { file, what }) = inner.downcast_ref() {
        return Some((file.clone(), what.clone()));
    }
    match inner.downcast_ref()? {
        SnapshotError::Damaged { file, what } => Some((file.clone(), what.clone())),
        _ => None,
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.full_place();
        let place = place.display();
        match &self.cause {
            Cause::Damaged(what) => {
                writeln!(f, "refusing to start: {place} is damaged: {what}.")?;
                write!(f, "{}", Rejoin(self))
            }
            Cause::Hung(patience) => {
                writeln!(
                    f,
                    "refusing to start: opening {place} made no step forward for {} s. \
                     Check the disk and start again first; if it stays so, the data is damaged.",
                    patience.as_secs()
                )?;
                write!(f, "{}", Rejoin(self))
            }
            Cause::InUse => write!(
                f,
                "refusing to start: {place} is in use by another process. \
                 Stop that one first, or give this one a data folder of its own."
            ),
            Cause::DiskFull(error) => write!(
                f,
                "refusing to start: the disk has no room to open {place}: {error}. \
                 Nothing is damaged: free some space and start again."
            ),
            Cause::LaterFormat(format) => write!(
                f,
                "refusing to start: {place} has format {format}, which this version does not know. \
                 Nothing is damaged: start the version that wrote it, or a later one."
            ),
            Cause::Io(error) => write!(
                f,
                "refusing to start: cannot open {place}: {error}. \
                 Put that right (permissions, mount, disk) and start again; keep the folder as it is."
            ),
        }
    }
}

impl std::error::Error for Refused {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.cause {
            Cause::DiskFull(error) | Cause::Io(error) => Some(error),
            Cause::Damaged(_) | Cause::Hung(_) | Cause::InUse | Cause::LaterFormat(_) => None,
        }
    }
}

/// How a node whose data is damaged comes back.
struct Rejoin<'a>(&'a Refused);

impl fmt::Display for Rejoin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let folder = self.0.folder.as_ref().map_or_else(
            || "the data folder".to_owned(),
            |folder| folder.display().to_string(),
        );
        let id = self
            .0
            .node_id
            .map_or_else(|| "<its old id>".to_owned(), |id| NodeId(id).to_string());
        writeln!(
            f,
            "Acknowledged changes may be missing, so this node must not take part with what is left."
        )?;
        writeln!(
            f,
            "Where the other nodes are healthy, it rejoins empty, as a new node:"
        )?;
        writeln!(f, "  1. keep this node stopped")?;
        writeln!(f, "  2. wipe its data: move {folder} away, or delete it")?;
        writeln!(f, "  3. on a healthy node: refrain cluster remove {id}")?;
        writeln!(
            f,
            "  4. start this node with --join; it makes itself a new id (without --join it would form an empty \
             cluster of its own, which allows what people have refused)"
        )?;
        writeln!(
            f,
            "  5. on a healthy node: refrain cluster add, with this node's address"
        )?;
        write!(
            f,
            "Where no other node holds the data, do not wipe: restore a backup of the folder."
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_names_the_place_and_every_step_back() {
        let text = Refused::damaged("vote", "its checksum does not match its content")
            .in_folder(Path::new("/data"))
            .of_node(0x2a)
            .to_string();
        for part in [
            "/data/vote is damaged: its checksum",
            "stopped",
            "move /data away",
            "refrain cluster remove 000000000000002a",
            "start this node with --join",
            "refrain cluster add",
        ] {
            assert!(text.contains(part), "{part:?} is missing in:\n{text}");
        }
    }

    #[test]
    fn what_is_no_damage_never_advises_to_wipe() {
        for refused in [
            Refused::new("log", Cause::InUse),
            Refused::new("log", Cause::LaterFormat(9)),
            Refused::io("log", io::Error::from(io::ErrorKind::StorageFull)),
            Refused::io("log", io::Error::from(io::ErrorKind::PermissionDenied)),
        ] {
            let text = refused.to_string();
            assert!(!refused.is_damage(), "{text}");
            assert!(!text.contains("wipe"), "{text}");
            assert!(text.starts_with("refusing to start"), "{text}");
        }
    }

    #[test]
    fn a_damaged_journal_or_snapshot_is_named_by_its_file_and_once() {
        let (file, what) = (PathBuf::from("journal/mark"), "it is odd".to_owned());
        let journal = JournalError::Damaged {
            file: file.clone(),
            what: what.clone(),
        };
        let snapshot = SnapshotError::Damaged { file, what };
        for error in [io::Error::from(journal), io::Error::from(snapshot)] {
            let refused = Refused::io("somewhere", error).in_folder(Path::new("/data"));
            let text = refused.to_string();
            assert!(
                text.starts_with("refusing to start: /data/journal/mark is damaged: it is odd.\n"),
                "{text}"
            );
            assert_eq!(text.matches("damaged").count(), 1, "{text}");
        }
    }

    #[test]
    fn a_short_file_is_damage() {
        assert!(Refused::io("log", io::Error::from(io::ErrorKind::UnexpectedEof)).is_damage());
    }
}

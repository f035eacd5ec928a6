//! Opening the log: guarded, read through, and held against the mark, or refused.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::assemble::Assembler;
use super::disk::Disk;
use super::guard::{Heartbeat, NoResult, watched};
use super::mark::{Mark, MarkFile};
use super::record::Header;
use super::view::View;
use super::{LogOptions, Position};
use crate::storage::files::Files;
use crate::storage::identity::{self, VOTE_FILE};
use crate::storage::refused::{Cause, Refused};

/// The database's folder in the data folder.
pub(super) const LOG_FOLDER: &str = "log";
/// The mark's file, outside the database's folder: it has to notice that folder's loss.
pub(super) const MARK_FILE: &str = "log.mark";
/// How many records are read between two heartbeats.
const BEAT_EVERY: usize = 64;

/// A log that was opened and found whole.
pub(super) struct Opened {
    pub disk: Arc<Disk>,
    pub view: View,
    pub mark_file: MarkFile,
    pub mark: Mark,
    /// Records before this index are left to remove.
    pub purging: Option<u64>,
}

/// What reading all of it found.
struct Found {
    disk: Disk,
    view: View,
    leftovers: bool,
}

/// Opens the log in the data folder `folder`, or makes one.
pub(super) fn open(
    files: &dyn Files,
    folder: &Path,
    options: &LogOptions,
) -> Result<Opened, Refused> {
    open_in(files, folder, options).map_err(|refused| refused.in_folder(folder))
}

fn open_in(files: &dyn Files, folder: &Path, options: &LogOptions) -> Result<Opened, Refused> {
    let vote = identity::load_vote(files)?;
    let log_folder = folder.join(LOG_FOLDER);
    let in_use = options.must_exist || vote.is_some();
    let (mut mark_file, mark) = open_mark(folder, &log_folder, !in_use)?;
    if !mark.creating && !log_folder.join("db").exists() {
        return Err(Refused::damaged(LOG_FOLDER, "its file `db` is missing"));
    }
    let found = {
        let (folder, options, voted) = (folder.to_owned(), options.clone(), vote.is_some());
        watched(options.patience, move |heart| {
            let found = read_all(&log_folder, &options, heart)?;
            check(&found.view, &mark, voted)?;
            finish(&found, &folder, &log_folder).map_err(|error| Refused::io(LOG_FOLDER, error))?;
            Ok(found)
        })
    };
    let Found {
        disk,
        mut view,
        leftovers,
    } = found.map_err(no_result)??;
    let ends = view.ends();
    let mark = Mark {
        last: ends.last,
        committed: clamp(mark.committed, ends.purged, ends.last),
        creating: false,
    };
    mark_file
        .write(&mark)
        .map_err(|error| Refused::io(MARK_FILE, error))?;
    view.vote = vote;
    view.committed = mark.committed;
    Ok(Opened {
        disk: Arc::new(disk),
        purging: ends
            .purged
            .filter(|_| leftovers)
            .map(|(_, index)| index + 1),
        view,
        mark_file,
        mark,
    })
}

/// Opens the mark. Where there is none and may be none, begins to create a log; a creation that was cut short is
/// begun anew, since nobody was given that log.
fn open_mark(
    folder: &Path,
    log_folder: &Path,
    may_create: bool,
) -> Result<(MarkFile, Mark), Refused> {
    let path = folder.join(MARK_FILE);
    let (file, mark) = match MarkFile::open(&path)? {
        Some(found) => found,
        None if !may_create || log_folder.join("db").exists() => {
            return Err(Refused::damaged(
                MARK_FILE,
                "it is missing, though this node has been in use",
            ));
        }
        None => {
            let create = || {
                fs::create_dir_all(folder)?;
                let file = MarkFile::create(&path)?;
                folder.parent().map_or(Ok(()), sync_folder)?;
                Ok(file)
            };
            let file = create().map_err(|error: io::Error| Refused::io(MARK_FILE, error))?;
            let mark = Mark {
                creating: true,
                ..Mark::default()
            };
            (file, mark)
        }
    };
    if mark.creating {
        if !may_create {
            return Err(Refused::damaged(
                LOG_FOLDER,
                "it was never fully made, though this node has been in use",
            ));
        }
        match fs::remove_dir_all(log_folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Refused::io(LOG_FOLDER, error));
            }
            _ => {}
        }
    }
    Ok((file, mark))
}

/// Opens the database and reads every record. It may panic or hang: it runs watched.
fn read_all(folder: &Path, options: &LogOptions, heart: &Heartbeat) -> Result<Found, Refused> {
    before_open(folder).map_err(|error| Refused::io(LOG_FOLDER, error))?;
    let disk = Disk::open(folder, options).map_err(sled_refusal)?;
    heart.beat();
    disk.no_blobs()
        .map_err(|error| Refused::damaged(LOG_FOLDER, error.to_string()))?;
    let damaged = |what: String| Refused::damaged(LOG_FOLDER, what);
    let purged = disk.purged().map_err(damaged)?;

    let mut view = View::new(options.recent_bytes);
    view.begin_after(purged);
    let first = view.next();
    let mut assembler: Option<Assembler> = None;
    let mut entries = Vec::new();
    let mut leftovers = false;
    for (count, item) in disk.scan().enumerate() {
        let (key, value) = item.map_err(|error| Refused::io(LOG_FOLDER, error))?;
        disk.count(value.len());
        if count % BEAT_EVERY == 0 {
            heart.beat();
        }
        let header = Header::read(&value)
            .map_err(|error| damaged(format!("record number {count}: {error}")))?;
        if header.last < first {
            // What a purge had not come to. It has to be whole all the same, but need not join up.
            Assembler::check_alone(&key, &value).map_err(damaged)?;
            leftovers = true;
            continue;
        }
        assembler
            .get_or_insert_with(|| Assembler::new(Some(header.first.min(first))))
            .accept(&key, &value, &mut entries)
            .map_err(damaged)?;
        for entry in entries.drain(..).filter(|entry| entry.index >= first) {
            if let Some((term, index)) = view.ends().last
                && term > entry.term
            {
                return Err(damaged(format!(
                    "the term falls from {term} at entry {index} to {} at entry {}",
                    entry.term, entry.index
                )));
            }
            view.found(entry);
        }
    }
    Ok(Found {
        disk,
        view,
        leftovers,
    })
}

/// Removes what a killed process left half-made, and makes durable what it left in the page cache, because the
/// database is about to write files that refer to it.
fn before_open(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            fs::remove_file(entry.path())?;
        }
    }
    match File::open(folder.join("db")) {
        Ok(file) => file.sync_all(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Holds what was found against the mark and the vote.
fn check(view: &View, mark: &Mark, voted: bool) -> Result<(), Refused> {
    let ends = view.ends();
    if let Some((term, index)) = mark.last {
        let end = ends.last.map(|(_, last)| last);
        if end.is_none_or(|end| end < index) {
            let end = end.map_or("is empty".to_owned(), |end| format!("ends at entry {end}"));
            return Err(Refused::damaged(
                LOG_FOLDER,
                format!("it {end}, but entry {index} had been made durable"),
            ));
        }
        match view.term_at(index) {
            Some(found) if found != term => {
                return Err(Refused::damaged(
                    LOG_FOLDER,
                    format!("entry {index} has term {found}, but was durable with term {term}"),
                ));
            }
            // Purged since, or as it was.
            _ => {}
        }
    }
    // A node votes before it takes an entry of any term but the first membership's, which is 0.
    if !voted && ends.last.is_some_and(|(term, _)| term > 0) {
        return Err(Refused::damaged(
            VOTE_FILE,
            "it is missing, though the log has entries of an elected leader",
        ));
    }
    Ok(())
}

/// Drops the pieces of a large entry that never became whole, and makes durable all that was found, so that what is
/// answered from it holds: a killed process leaves entries that can be read and yet be lost with the power.
fn finish(found: &Found, folder: &Path, log_folder: &Path) -> io::Result<()> {
    found.disk.cut_from(found.view.next())?;
    found.disk.sync_all()?;
    File::open(log_folder.join("conf"))?.sync_all()?;
    sync_folder(log_folder)?;
    sync_folder(folder)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() {
        PathBuf::from(".")
    } else {
        folder.to_owned()
    };
    File::open(folder)?.sync_all()
}

/// The hint, kept between what was purged and the end.
fn clamp(
    committed: Option<Position>,
    purged: Option<Position>,
    last: Option<Position>,
) -> Option<Position> {
    let index = |position: Option<Position>| position.map(|(_, index)| index);
    if index(committed) > index(last) {
        last
    } else if index(committed) < index(purged) {
        purged
    } else {
        committed
    }
}

fn no_result(reason: NoResult) -> Refused {
    match reason {
        NoResult::Hung(patience) => Refused::new(LOG_FOLDER, Cause::Hung(patience)),
        NoResult::Panicked(text) => {
            Refused::damaged(LOG_FOLDER, format!("the database gave up on it: {text}"))
        }
        NoResult::NoThread(error) => Refused::io(LOG_FOLDER, error),
    }
}

fn sled_refusal(error: sled::Error) -> Refused {
    match error {
        sled::Error::Io(error) if error.to_string().contains("could not acquire lock") => {
            Refused::new(LOG_FOLDER, Cause::InUse)
        }
        sled::Error::Io(error) => Refused::io(LOG_FOLDER, error),
        error => Refused::damaged(
            LOG_FOLDER,
            format!("the database does not open it: {error}"),
        ),
    }
}

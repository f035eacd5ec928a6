//! A disk that is told the recorded steps, and what it may hold when the power goes.
//!
//! What was synced is there. Of the rest (a block's bytes, a file's length, a name given or taken) any part may have reached
//! the disk in any order, whatever came before it: an `fsync` of a file says nothing of its name, nor a name of what the
//! file holds. Only this is kept: a rename is one change, one block is never torn, and the names in one folder change in
//! their order, as on every filesystem with a journal (sled counts on that: it renames its new snapshot, then removes
//! the old one, and syncs the folder in between as little as after; without either the log is refused).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use super::trace::{FileId, Step};

/// A change in the cache.
#[derive(Clone)]
enum Change {
    Block(FileId, usize, Vec<u8>),
    Length(FileId, usize),
    Name(PathBuf, Option<FileId>),
}

/// The disk with its cache.
#[derive(Default)]
pub struct CrashDisk {
    contents: HashMap<FileId, Vec<u8>>,
    names: BTreeMap<PathBuf, FileId>,
    cache: Vec<Change>,
    told: usize,
}

/// What is left of it.
pub struct CrashState {
    files: BTreeMap<PathBuf, Vec<u8>>,
    told: usize,
}

impl CrashDisk {
    /// Takes the next step.
    pub fn apply(&mut self, step: &Step) {
        match step {
            Step::Block { file, at, bytes } => {
                self.cache.push(Change::Block(*file, *at, bytes.clone()));
            }
            Step::Length { file, length } => self.cache.push(Change::Length(*file, *length)),
            Step::Named { path, file } => {
                self.cache.push(Change::Name(path.clone(), Some(*file)));
            }
            Step::Removed { path } => self.cache.push(Change::Name(path.clone(), None)),
            Step::Synced { file } => self.write_back(|change| match change {
                Change::Block(of, ..) | Change::Length(of, _) => of == file,
                Change::Name(..) => false,
            }),
            Step::FolderSynced { folder } => self.write_back(|change| match change {
                Change::Block(..) | Change::Length(..) => false,
                Change::Name(path, _) => path.parent() == Some(folder),
            }),
            Step::Told => self.told += 1,
            Step::Later => {}
        }
    }

    /// Makes the chosen changes durable.
    fn write_back(&mut self, chosen: impl Fn(&Change) -> bool) {
        let (durable, left) = std::mem::take(&mut self.cache)
            .into_iter()
            .partition(chosen);
        self.cache = left;
        let changes: Vec<Change> = durable;
        reach(&mut self.contents, &mut self.names, changes.iter());
        // What has no name any more, nor may get one, can never be seen again.
        if changes
            .iter()
            .any(|change| matches!(change, Change::Name(..)))
        {
            let named: BTreeSet<FileId> = self
                .names
                .values()
                .copied()
                .chain(self.cache.iter().filter_map(|change| match change {
                    Change::Name(_, file) => *file,
                    _ => None,
                }))
                .collect();
            self.contents.retain(|file, _| named.contains(file));
        }
    }

    /// The changes in the cache that would be seen: those to files with a name, now or by another change.
    fn visible(&self) -> impl Iterator<Item = &Change> {
        let mut named: BTreeSet<FileId> = self.names.values().copied().collect();
        named.extend(self.cache.iter().filter_map(|change| match change {
            Change::Name(_, file) => *file,
            _ => None,
        }));
        self.cache.iter().filter(move |change| match change {
            Change::Block(file, ..) | Change::Length(file, _) => named.contains(file),
            Change::Name(..) => true,
        })
    }

    /// How many changes are in the cache.
    pub fn pending(&self) -> usize {
        self.visible().count()
    }

    /// Cuts the power; `kept` tells which of the changes in the cache, in their order, have reached the disk.
    pub fn crash(&self, mut kept: impl FnMut(usize) -> bool) -> CrashState {
        let (mut contents, mut names) = (self.contents.clone(), self.names.clone());
        let mut behind = BTreeSet::new();
        let changes = self.visible().enumerate();
        let changes: Vec<&Change> = changes
            .filter(|(number, change)| match change {
                Change::Name(path, _) => {
                    let folder = path.parent();
                    let reaches = kept(*number) && !behind.contains(&folder);
                    if !reaches {
                        behind.insert(folder);
                    }
                    reaches
                }
                Change::Block(..) | Change::Length(..) => kept(*number),
            })
            .map(|(_, change)| change)
            .collect();
        reach(&mut contents, &mut names, changes.into_iter());
        let files = names
            .into_iter()
            .map(|(path, file)| (path, contents.get(&file).cloned().unwrap_or_default()))
            .collect();
        CrashState {
            files,
            told: self.told,
        }
    }
}

/// Lets changes reach the disk.
fn reach<'a>(
    contents: &mut HashMap<FileId, Vec<u8>>,
    names: &mut BTreeMap<PathBuf, FileId>,
    changes: impl Iterator<Item = &'a Change>,
) {
    // Bytes past a length that was lost are lost with it, whatever their order.
    let changes: Vec<&Change> = changes.collect();
    for change in &changes {
        match change {
            Change::Length(file, length) => contents.entry(*file).or_default().resize(*length, 0),
            Change::Name(path, Some(file)) => {
                names.insert(path.clone(), *file);
            }
            Change::Name(path, None) => {
                names.remove(path);
            }
            Change::Block(..) => {}
        }
    }
    for change in changes {
        if let Change::Block(file, at, bytes) = change
            && let Some(room) = contents.entry(*file).or_default().get_mut(*at..)
        {
            let part = bytes.len().min(room.len());
            room[..part].copy_from_slice(&bytes[..part]);
        }
    }
}

impl CrashState {
    /// How many operations had been acknowledged.
    pub fn told(&self) -> usize {
        self.told
    }

    /// A number that differs from that of other states.
    pub fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.files, self.told).hash(&mut hasher);
        hasher.finish()
    }

    /// Makes a data folder of it.
    pub fn write_to(&self, root: &Path) {
        fs::create_dir_all(root.join("log/blobs")).unwrap();
        for (path, bytes) in &self.files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }
}

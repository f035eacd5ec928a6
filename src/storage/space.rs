//! How much disk is left: when to refuse writes, and a ballast that lets a node start on a full disk.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::files::Files;

/// Below this many free bytes new writes are refused.
pub const REFUSE_BELOW: u64 = 64 << 20;
/// Refused writes are taken again from this many free bytes on, so that the answer does not flutter.
pub const ACCEPT_FROM: u64 = 96 << 20;
/// The ballast's size in bytes. The log's database rewrites and extends by up to two segments of 8 MiB to open.
pub const BALLAST_BYTES: u64 = 32 << 20;
/// With less than this many bytes free, a start gives the ballast up first.
pub const RELEASE_BELOW: u64 = 32 << 20;
/// How long one look at the disk is good for.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The ballast's name in the data folder.
const BALLAST_FILE: &str = "ballast";

/// Watches the free space of the data folder's disk.
pub struct Space {
    files: Arc<dyn Files>,
    ballast: Option<PathBuf>,
    seen: Mutex<Seen>,
}

#[derive(Clone, Copy)]
struct Seen {
    at: Option<Instant>,
    enough: bool,
}

impl Space {
    /// Watches the disk behind `files`; `folder`, where the data folder is a real one, gets a ballast file.
    pub fn new(files: Arc<dyn Files>, folder: Option<&Path>) -> Self {
        Self {
            files,
            ballast: folder.map(|folder| folder.join(BALLAST_FILE)),
            seen: Mutex::new(Seen {
                at: None,
                enough: true,
            }),
        }
    }

    /// To be called at start, before the log is opened: gives the ballast up where the disk is nearly full,
    /// and lays it down where there is room.
    ///
    /// # Errors
    ///
    /// Whatever the disk says.
    pub fn prepare(&self) -> io::Result<()> {
        let Some(ballast) = &self.ballast else {
            return Ok(());
        };
        if self.files.free_bytes()? < RELEASE_BELOW {
            return remove(ballast);
        }
        self.lay_down()
    }

    /// Whether there is room for new writes. Cheap: the disk is asked at most twice a second.
    pub fn enough_space(&self) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.at.is_some_and(|at| at.elapsed() < LOOK_EVERY) {
            return seen.enough;
        }
        let before = seen.enough;
        // A disk that does not even tell its free space is not one to write to.
        seen.enough = self
            .files
            .free_bytes()
            .is_ok_and(|free| free >= if before { REFUSE_BELOW } else { ACCEPT_FROM });
        seen.at = Some(Instant::now());
        seen.enough
    }

    /// Whether a file of so many bytes fits, with so much left beside it that writes are still taken.
    pub fn fits(&self, bytes: u64) -> bool {
        let free = self.files.free_bytes();
        free.is_ok_and(|free| free >= bytes.saturating_add(ACCEPT_FROM))
    }

    /// Whether a file that is being written may grow on: not into what writes and a start need.
    pub fn may_grow(&self) -> bool {
        self.files
            .free_bytes()
            .is_ok_and(|free| free >= REFUSE_BELOW)
    }

    /// Lays the ballast down if it is not there whole and enough room stays free beside it. Call it now and then.
    ///
    /// # Errors
    ///
    /// Whatever the disk says.
    pub fn lay_down(&self) -> io::Result<()> {
        let Some(ballast) = &self.ballast else {
            return Ok(());
        };
        let length = match fs::metadata(ballast) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        if length == BALLAST_BYTES || self.files.free_bytes()? < ACCEPT_FROM + BALLAST_BYTES {
            return Ok(());
        }
        let file = File::create(ballast)?;
        if let Err(error) = reserve(&file) {
            // A ballast that could not be laid whole takes room and gives none.
            drop(file);
            remove(ballast)?;
            return Err(error);
        }
        Ok(())
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Takes real blocks, not a sparse length.
#[cfg(target_os = "linux")]
fn reserve(file: &File) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    match fallocate(file, FallocateFlags::empty(), 0, BALLAST_BYTES) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::OPNOTSUPP) => fill(file),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn reserve(file: &File) -> io::Result<()> {
    fill(file)
}

fn fill(mut file: &File) -> io::Result<()> {
    use std::io::Write as _;
    let block = vec![0x5a; 1 << 20];
    let mut left = BALLAST_BYTES;
    while left > 0 {
        let part = usize::try_from(left).map_or(block.len(), |left| left.min(block.len()));
        file.write_all(&block[..part])?;
        left -= part as u64;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::storage::files::FileWriter;

    /// A disk that only tells its free space.
    struct Gauge(AtomicU64);

    impl Gauge {
        fn set(&self, free: u64) {
            self.0.store(free, Ordering::SeqCst);
        }
    }

    impl Files for Gauge {
        fn free_bytes(&self) -> io::Result<u64> {
            match self.0.load(Ordering::SeqCst) {
                u64::MAX => Err(io::Error::other("no answer")),
                free => Ok(free),
            }
        }
        fn read(&self, _: &Path) -> io::Result<Option<Vec<u8>>> {
            unreachable!()
        }
        fn write(&self, _: &Path, _: &[u8]) -> io::Result<()> {
            unreachable!()
        }
        fn write_durably(&self, _: &Path, _: &[u8]) -> io::Result<()> {
            unreachable!()
        }
        fn sync(&self, _: &[PathBuf]) -> io::Result<()> {
            unreachable!()
        }
        fn create(&self, _: &Path) -> io::Result<Box<dyn FileWriter>> {
            unreachable!()
        }
        fn open(&self, _: &Path) -> io::Result<Option<Box<dyn Read + Send>>> {
            unreachable!()
        }
        fn size(&self, _: &Path) -> io::Result<Option<u64>> {
            unreachable!()
        }
        fn list(&self, _: &Path) -> io::Result<Vec<String>> {
            unreachable!()
        }
        fn remove(&self, _: &Path) -> io::Result<()> {
            unreachable!()
        }
    }

    fn space(free: u64, folder: Option<&Path>) -> (Arc<Gauge>, Space) {
        let gauge = Arc::new(Gauge(AtomicU64::new(free)));
        let space = Space::new(gauge.clone(), folder);
        (gauge, space)
    }

    fn look(space: &Space) -> bool {
        space.seen.lock().unwrap().at = None;
        space.enough_space()
    }

    #[test]
    fn writes_stop_at_the_limit_and_resume_with_a_margin() {
        let (gauge, space) = space(REFUSE_BELOW, None);
        assert!(look(&space));
        gauge.set(REFUSE_BELOW - 1);
        assert!(!look(&space));
        gauge.set(ACCEPT_FROM - 1);
        assert!(!look(&space), "no flutter just above the limit");
        gauge.set(ACCEPT_FROM);
        assert!(look(&space));
        gauge.set(u64::MAX);
        assert!(!look(&space), "no answer is no room");
    }

    #[test]
    fn a_file_fits_that_leaves_room_for_writes() {
        let (gauge, space) = space(ACCEPT_FROM + 7, None);
        assert!(space.fits(7));
        assert!(!space.fits(8));
        assert!(!space.fits(u64::MAX));
        gauge.set(REFUSE_BELOW);
        assert!(space.may_grow());
        gauge.set(REFUSE_BELOW - 1);
        assert!(!space.may_grow());
        gauge.set(u64::MAX);
        assert!(!space.fits(0) && !space.may_grow(), "no answer is no room");
    }

    #[test]
    fn between_two_looks_the_answer_stands() {
        let (gauge, space) = space(REFUSE_BELOW, None);
        assert!(look(&space));
        gauge.set(0);
        assert!(space.enough_space());
    }

    #[test]
    fn the_ballast_is_laid_with_room_and_released_without() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(BALLAST_FILE);
        let (gauge, space) = space(ACCEPT_FROM + BALLAST_BYTES - 1, Some(dir.path()));
        space.prepare().unwrap();
        assert!(!path.exists(), "too little room beside it");
        gauge.set(ACCEPT_FROM + BALLAST_BYTES);
        space.prepare().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), BALLAST_BYTES);
        #[cfg(target_os = "linux")]
        {
            use std::os::unix::fs::MetadataExt as _;
            let blocks = fs::metadata(&path).unwrap().blocks();
            assert!(blocks * 512 >= BALLAST_BYTES, "real blocks, not a hole");
        }
        gauge.set(RELEASE_BELOW);
        space.prepare().unwrap();
        assert!(path.exists());
        gauge.set(RELEASE_BELOW - 1);
        space.prepare().unwrap();
        assert!(!path.exists());
        space.prepare().unwrap();
    }
}

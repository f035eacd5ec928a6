//! The injected disk for whole files, and the real one.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// A folder of whole files; every path is relative to it.
pub trait Files: Send + Sync + 'static {
    /// The file's bytes; `None` where there is no such file.
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>>;
    /// Replaces the file at once (written aside, renamed); creates folders; **not** synced.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Replaces the file at once and durably: written aside, fsync, rename, fsync of the folder.
    fn write_durably(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Makes the files and their folders durable, each folder once.
    fn sync(&self, paths: &[PathBuf]) -> io::Result<()>;
    /// Starts a file that is written in a stream.
    fn create(&self, path: &Path) -> io::Result<Box<dyn FileWriter>>;
    /// Opens a file for reading; `None` where there is no such file.
    fn open(&self, path: &Path) -> io::Result<Option<Box<dyn Read + Send>>>;
    /// The file's length in bytes; `None` where there is no such file.
    fn size(&self, path: &Path) -> io::Result<Option<u64>>;
    /// The names in a folder, sorted; none where there is no such folder.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Removes a file; a file that is not there is no error.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// How many bytes the disk has left for us.
    fn free_bytes(&self) -> io::Result<u64>;
}

/// A file that is being written; dropped unfinished, it leaves nothing behind.
pub trait FileWriter: Write + Send {
    /// Makes the file durable and lets it appear under its name.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// The real disk: one data folder.
#[derive(Debug)]
pub struct DataFolder {
    root: PathBuf,
}

impl DataFolder {
    /// Opens the folder, which is made where it is missing.
    pub fn open(root: &Path) -> io::Result<Self> {
        fs::create_dir_all(root)?;
        Ok(Self {
            root: root.to_owned(),
        })
    }

    fn aside(&self, path: &Path) -> PathBuf {
        let mut name = self.root.join(path).into_os_string();
        name.push(".aside");
        name.into()
    }

    fn folder_of(&self, path: &Path) -> PathBuf {
        let full = self.root.join(path);
        full.parent().map_or(full.clone(), Path::to_owned)
    }
}

impl Files for DataFolder {
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.root.join(path)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        fs::create_dir_all(self.folder_of(path))?;
        fs::write(self.aside(path), bytes)?;
        fs::rename(self.aside(path), self.root.join(path))
    }

    fn write_durably(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        fs::create_dir_all(self.folder_of(path))?;
        let mut file = File::create(self.aside(path))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(self.aside(path), self.root.join(path))?;
        File::open(self.folder_of(path))?.sync_all()
    }

    fn sync(&self, paths: &[PathBuf]) -> io::Result<()> {
        for path in paths {
            File::open(self.root.join(path))?.sync_all()?;
            File::open(self.folder_of(path))?.sync_all()?;
        }
        Ok(())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn FileWriter>> {
        fs::create_dir_all(self.folder_of(path))?;
        let aside = self.aside(path);
        Ok(Box::new(Unfinished {
            file: File::create(&aside)?,
            aside,
            path: self.root.join(path),
            folder: self.folder_of(path),
        }))
    }

    fn open(&self, path: &Path) -> io::Result<Option<Box<dyn Read + Send>>> {
        match File::open(self.root.join(path)) {
            Ok(file) => Ok(Some(Box::new(file))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn size(&self, path: &Path) -> io::Result<Option<u64>> {
        match fs::metadata(self.root.join(path)) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.root.join(dir)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in entries {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        match fs::remove_file(self.root.join(path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(&self.root)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

struct Unfinished {
    file: File,
    aside: PathBuf,
    path: PathBuf,
    folder: PathBuf,
}

impl Write for Unfinished {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl FileWriter for Unfinished {
    fn finish(self: Box<Self>) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.aside, &self.path)?;
        File::open(&self.folder)?.sync_all()
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // After `finish` there is nothing aside any more, and this finds nothing.
        let _ = fs::remove_file(&self.aside);
    }
}

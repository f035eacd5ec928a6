//! A disk in a file, mounted through a loop device, whose power can be cut.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// What calls the kernel's shutdown: the library and its tests have no unsafe code, and a call to `ioctl` is.
const SHUTDOWN: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/processes/power_cuts/shutdown.c"
);

/// Room for a node with its ballast, above the free space below which it takes no writes. Sparse.
const IMAGE_BYTES: u64 = 512 << 20;

/// How the filesystem goes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Its own journal is still written: names and lengths may be ahead of the bytes.
    WithJournal = 1,
    /// Nothing more is written.
    AtOnce = 2,
}

/// An ext4 filesystem in a file.
pub struct LoopDisk {
    image: PathBuf,
    mountpoint: PathBuf,
    shutdown: PathBuf,
    mounted: bool,
    /// Removed last.
    folder: TempDir,
}

impl LoopDisk {
    /// Makes the filesystem and mounts it, or says why that cannot be done here.
    pub fn make() -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("mounting a loop device needs root".to_owned());
        }
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let path = |name: &str| folder.path().join(name);
        let mut disk = Self {
            image: path("image"),
            mountpoint: path("node"),
            shutdown: path("shutdown"),
            mounted: false,
            folder,
        };
        run(Command::new("cc")
            .args([SHUTDOWN, "-o"])
            .arg(&disk.shutdown))?;
        std::fs::create_dir(&disk.mountpoint).map_err(|error| error.to_string())?;
        disk.format()?;
        Ok(disk)
    }

    /// Makes the filesystem anew, empty, and mounts it.
    pub fn format(&mut self) -> Result<(), String> {
        self.unmount()?;
        let image = std::fs::File::create(&self.image).and_then(|file| file.set_len(IMAGE_BYTES));
        image.map_err(|error| error.to_string())?;
        run(Command::new("mkfs.ext4")
            .args(["-q", "-F"])
            .arg(&self.image))?;
        self.mount()
    }

    /// Mounts what is on the disk; the filesystem's own recovery runs.
    pub fn mount(&mut self) -> Result<(), String> {
        run(Command::new("mount")
            .args(["-t", "ext4", "-o", "loop"])
            .args([&self.image, &self.mountpoint]))?;
        self.mounted = true;
        Ok(())
    }

    /// Takes the disk away; nothing may have a file of it open.
    pub fn unmount(&mut self) -> Result<(), String> {
        if self.mounted {
            run(Command::new("umount").arg(&self.mountpoint))?;
            self.mounted = false;
        }
        Ok(())
    }

    /// Cuts the power. What is in the page cache and was not synced is lost with the mount.
    pub fn cut(&self, cut: Cut) -> Result<(), String> {
        run(Command::new(&self.shutdown)
            .arg(&self.mountpoint)
            .arg((cut as u32).to_string()))
    }

    /// Where the disk is mounted.
    pub fn mountpoint(&self) -> &Path {
        &self.mountpoint
    }

    /// A folder on another disk.
    pub fn beside(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for LoopDisk {
    fn drop(&mut self) {
        if self.mounted {
            // Lazily: a test that failed may have left a process there, which is on its way out.
            let _ = run(Command::new("umount").arg("-l").arg(&self.mountpoint));
        }
    }
}

/// Runs a command to its end; the error says what it said.
fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{name}: {}: {}", output.status, said.trim()))
}

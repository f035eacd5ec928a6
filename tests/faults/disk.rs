//! Disks that fail: one that is full when the test says so, and a sync that fails once, syncs that take long.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A disk in memory, as large as the test wants it; gone when dropped.
pub struct Disk {
    at: PathBuf,
}

/// What a disk has while nothing is wrong: enough for a node that takes snapshots beside what it keeps free.
const ROOM: u64 = 1 << 30;

impl Disk {
    /// A disk at a folder, which is made.
    ///
    /// # Errors
    /// With what hinders it: this takes root, on Linux.
    pub fn mount(at: &Path) -> Result<Self, String> {
        std::fs::create_dir_all(at).map_err(|error| error.to_string())?;
        mount(&["-t", "tmpfs", "-o", &format!("size={ROOM}"), "none"], at)?;
        Ok(Self { at: at.to_owned() })
    }

    /// Leaves so many bytes.
    pub fn leave(&self, bytes: u64) {
        let used = || {
            let disk = rustix::fs::statvfs(&self.at).unwrap();
            (disk.f_blocks - disk.f_bfree) * disk.f_frsize
        };
        // A node that writes meanwhile may have taken what is left: then more is used.
        for _ in 0..100 {
            if self.resize(used() + bytes).is_ok() {
                return;
            }
        }
        panic!("{} could not be made smaller", self.at.display());
    }

    /// Gives the room back.
    pub fn free(&self) {
        self.resize(ROOM).unwrap();
    }

    fn resize(&self, bytes: u64) -> Result<(), String> {
        mount(&["-o", &format!("remount,size={bytes}")], &self.at)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // What lies in memory would be gone with it, and somebody wants to look at it.
            let kept = self.at.with_extension("kept");
            let _ = Command::new("cp")
                .args(["-a", "-T"])
                .args([&self.at, &kept])
                .status();
        }
        // Lazily: a node that ends may still hold a file.
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}

fn mount(args: &[&str], at: &Path) -> Result<(), String> {
    let mount = Command::new("mount")
        .args(args)
        .arg(at)
        .stdin(Stdio::null())
        .output();
    let output = mount.map_err(|error| format!("mount: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

/// What is preloaded into nodes whose syncs are to fail.
pub struct Shim {
    library: PathBuf,
}

impl Shim {
    /// Compiles it into a folder.
    ///
    /// # Errors
    /// With what hinders it: there may be no C compiler.
    pub fn compile(folder: &Path) -> Result<Self, String> {
        let library = folder.join("fail_sync.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults/fail_sync.c");
        let output = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .arg(&library)
            .arg(source)
            .arg("-ldl")
            .output()
            .map_err(|error| format!("cc: {error}"))?;
        if output.status.success() {
            return Ok(Self { library });
        }
        // A compiler that is there and does not take it is an error of ours, and no reason to leave anything out.
        panic!("{}", String::from_utf8_lossy(&output.stderr));
    }

    /// The environment of a node whose next sync fails once `asked` is there, and whose syncs take long while `slow` is.
    pub fn environment(&self, asked: &Path, slow: &Path) -> Vec<(String, String)> {
        let text = |path: &Path| path.display().to_string();
        vec![
            ("LD_PRELOAD".to_owned(), text(&self.library)),
            ("FAIL_SYNC".to_owned(), text(asked)),
            ("SLOW_SYNC".to_owned(), text(slow)),
        ]
    }
}

//! The folder that holds all that the demonstration writes; gone when it ends.

use std::{
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use refrain::clock::{Entropy as _, SystemEntropy};

/// A folder under the system's temporary one, readable by nobody else.
pub struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Folder {
    /// Makes it.
    pub fn make(keep: bool) -> io::Result<Self> {
        let mut random = [0; 6];
        SystemEntropy.fill(&mut random);
        let name = format!("refrain-demo-{}", hex::encode(random));
        let path = std::env::temp_dir().join(name);
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self { path, keep })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the token key that the nodes share.
    pub fn write_token_key(&self) -> io::Result<PathBuf> {
        let mut key = [0; 32];
        SystemEntropy.fill(&mut key);
        let path = self.path.join("token.key");
        std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?
            .write_all(format!("{}\n", hex::encode(key)).as_bytes())?;
        Ok(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.keep {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

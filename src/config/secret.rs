//! Secrets of 32 bytes: where they come from, how they are made, and that nothing prints them.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use zeroize::{Zeroize as _, Zeroizing};

use super::problem::ConfigError;
use crate::clock::Entropy;

/// What a secret must look like.
pub(super) const WANTED: &str =
    "64 hex digits (32 bytes) would do, such as `openssl rand -hex 32` makes";

/// 32 secret bytes. Overwritten when dropped, and `Debug` does not show them.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; 32]);

impl Secret {
    /// Takes the bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for whoever makes a key of them.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads 64 hex digits, and the checksum behind them where there is one. White space around them is allowed, as an
    /// editor's last line end is.
    pub(super) fn parse(text: &str) -> Result<Self, NoSecret> {
        let mut words = text.split_whitespace();
        let mut bytes = Zeroizing::new([0; 32]);
        let digits = words.next().unwrap_or_default();
        hex::decode_to_slice(digits, &mut *bytes).map_err(|_| NoSecret::Other)?;
        let secret = Self(*bytes);
        match (words.next(), words.next()) {
            (None, _) => Ok(secret),
            (Some(checksum), None) if checksum == secret.checksum() => Ok(secret),
            _ => Err(NoSecret::Damaged),
        }
    }

    /// What stands behind a secret that a node made, because any other 64 digits would be a key, too.
    fn checksum(&self) -> String {
        format!("crc32c:{:08x}", crc32c::crc32c(&self.0))
    }
}

/// Why a text holds no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoSecret {
    /// It never did.
    Other,
    /// It did, as its checksum shows.
    Damaged,
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Where a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// It is here already.
    Given(Secret),
    /// In this file, which must be there.
    File(PathBuf),
    /// In this file, which is made with mode 0600 where it is missing.
    Made(PathBuf),
}

impl SecretSource {
    /// Gets the secret, and makes it where that was asked for.
    ///
    /// # Errors
    /// The file is missing, cannot be read or written, may be read by everybody, or holds anything but 64 hex digits
    /// and their checksum.
    pub fn resolve(&self, entropy: &dyn Entropy) -> Result<Secret, ConfigError> {
        match self {
            Self::Given(secret) => Ok(secret.clone()),
            Self::File(path) => read(path).and_then(|found| {
                found.ok_or_else(|| {
                    ConfigError::one(
                        place(path),
                        "it is not there",
                        "name the file that holds the key",
                    )
                })
            }),
            Self::Made(path) => match read(path)? {
                Some(secret) => Ok(secret),
                None => make(path, entropy),
            },
        }
    }
}

/// Reads a secret's file; `None` where there is none.
fn read(path: &Path) -> Result<Option<Secret>, ConfigError> {
    let unreadable = |error: io::Error| {
        ConfigError::one(
            place(path),
            format!("cannot be read: {error}"),
            "let the program's user read it (mode 0600)",
        )
    };
    let text = match fs::read_to_string(path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let mode = fs::metadata(path).map_err(unreadable)?.permissions().mode();
    if mode & 0o007 != 0 {
        return Err(ConfigError::one(
            place(path),
            format!(
                "everybody on this machine may use it (mode {:04o})",
                mode & 0o7777
            ),
            format!("`chmod 600 {}`", path.display()),
        ));
    }
    // The text itself may be most of a secret: its length says enough.
    let (read, wanted) = match Secret::parse(&text) {
        Ok(secret) => return Ok(Some(secret)),
        Err(NoSecret::Other) => (
            format!("holds {} bytes that are no key", text.len()),
            WANTED,
        ),
        Err(NoSecret::Damaged) => (
            "is damaged: its key does not match its checksum".to_owned(),
            "put the file back from a backup; another key would not fit the data",
        ),
    };
    Err(ConfigError::one(place(path), read, wanted))
}

/// Makes a secret and its file: durable before it is used, because what is made with it would outlive it otherwise.
fn make(path: &Path, entropy: &dyn Entropy) -> Result<Secret, ConfigError> {
    let mut secret = Secret([0; 32]);
    entropy.fill(&mut secret.0);
    write(path, &secret).map_err(|error| {
        ConfigError::one(
            place(path),
            format!("cannot be made: {error}"),
            "let the program's user write to that folder, or name a file that is there",
        )
    })?;
    Ok(secret)
}

fn write(path: &Path, secret: &Secret) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    // Aside first: a stop in between must not leave half a key under the real name.
    let aside = path.with_extension("key.new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&aside)?;
    let text = Zeroizing::new(format!(
        "{}\n{}\n",
        hex::encode(secret.0),
        secret.checksum()
    ));
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&aside, path)?;
    File::open(folder)?.sync_all()
}

fn place(path: &Path) -> String {
    format!("key file {}", path.display())
}

//! The ways to damage a file.

use std::fs;
use std::path::Path;

/// A way to damage a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    Removed,
    /// Cut off after so many thousandths.
    Cut(u64),
    /// One bit is another, after so many thousandths.
    Flipped(u64),
    /// Zeros from so many thousandths on.
    Zeroed(u64),
}

/// Those that are tried each time.
pub const THREE: [Damage; 3] = [Damage::Removed, Damage::Cut(500), Damage::Flipped(501)];
/// All of them.
pub const ALL: [Damage; 12] = [
    Damage::Removed,
    Damage::Cut(0),
    Damage::Cut(500),
    Damage::Cut(999),
    Damage::Flipped(0),
    Damage::Flipped(3),
    Damage::Flipped(250),
    Damage::Flipped(501),
    Damage::Flipped(777),
    Damage::Flipped(1000),
    Damage::Zeroed(0),
    Damage::Zeroed(500),
];

impl Damage {
    /// Damages the file. False where it is left as it was.
    pub fn strike(self, path: &Path) -> bool {
        let whole = fs::read(path).unwrap();
        let length = whole.len() as u64;
        let place =
            |thousandths| usize::try_from(length.saturating_sub(1) * thousandths / 1_000).unwrap();
        let mut bytes = whole.clone();
        match self {
            Self::Removed => {
                fs::remove_file(path).unwrap();
                return true;
            }
            Self::Cut(at) => bytes.truncate(place(at)),
            Self::Flipped(at) => bytes
                .get_mut(place(at))
                .into_iter()
                .for_each(|byte| *byte ^= 1),
            Self::Zeroed(at) => bytes[place(at)..].fill(0),
        }
        // In place, so that the file keeps its mode.
        fs::write(path, &bytes).unwrap();
        bytes != whole
    }
}

//! What is wrong with a configuration: the place, what was read there, and what would do.

use std::{fmt, path::Path};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where: a flag, a variable, a file and key.
    pub place: String,
    /// What was found there. Never a secret.
    pub read: String,
    /// What would do.
    pub wanted: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.place, self.read, self.wanted)
    }
}

/// A configuration that cannot be used, with all that is wrong with it. The program ends with
/// [`ConfigError::EXIT_STATUS`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// At least one, in the order in which they were found.
    pub problems: Vec<Problem>,
}

impl ConfigError {
    /// The exit status for a bad configuration: `EX_USAGE` of `sysexits.h`.
    pub const EXIT_STATUS: u8 = 64;

    /// A key that a node once made is gone.
    pub(crate) fn lost_key(path: &Path) -> Self {
        Self::one(
            format!("key file {}", path.display()),
            "it is gone, but the data that needs it is there",
            "put the key back, or name where it lies now; another one would not fit the data",
        )
    }

    /// An error of one problem.
    pub(super) fn one(
        place: impl Into<String>,
        read: impl Into<String>,
        wanted: impl Into<String>,
    ) -> Self {
        let problem = Problem {
            place: place.into(),
            read: read.into(),
            wanted: wanted.into(),
        };
        Self {
            problems: vec![problem],
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.problems.iter().enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

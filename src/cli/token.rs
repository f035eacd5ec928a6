//! The token that the client commands call with: from a file or from the environment, never from the line itself.

use std::{fs::File, io::Read as _, os::unix::fs::PermissionsExt as _, path::Path};

use zeroize::Zeroizing;

use super::failure::Failure;

/// The variable that may hold the token.
const VARIABLE: &str = "REFRAIN_TOKEN";

/// The most bytes of a token's file: more is no token.
const FILE_BYTES: u64 = 4_096;

/// The token in the file, else in the environment.
pub fn find(file: Option<&Path>) -> Result<Option<Zeroizing<String>>, Failure> {
    match file {
        Some(file) => read(file).map(Some),
        None => from_environment(),
    }
}

/// The token in the environment. What is set to nothing counts as not set.
fn from_environment() -> Result<Option<Zeroizing<String>>, Failure> {
    let Some(value) = std::env::var_os(VARIABLE).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let token = value
        .into_string()
        .map_err(|_| Failure::usage(format!("{VARIABLE} holds no token: it is not UTF-8")))?;
    Ok(Some(Zeroizing::new(token)))
}

fn read(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let bad = |why: String| Failure::usage(format!("token file {}: {why}", path.display()));
    let unreadable = |error: std::io::Error| bad(format!("cannot be read: {error}"));
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_file() && metadata.permissions().mode() & 0o004 != 0 {
        let what_to_do = format!("take that away: chmod 600 {}", path.display());
        return Err(bad("everybody may read it".to_owned()).advise(what_to_do));
    }
    let mut text = Zeroizing::new(String::new());
    let read = file.take(FILE_BYTES).read_to_string(&mut text);
    read.map_err(unreadable)?;
    let token = text.trim();
    if token.is_empty() {
        return Err(bad("it is empty".to_owned()));
    }
    Ok(Zeroizing::new(token.to_owned()))
}

//! Where the journal's files lie: the paths of C2SP tlog-tiles (see [`proof::path`](crate::proof::path)), under `journal/`.

use std::path::PathBuf;

use crate::proof::path::index;

/// The file of the durable mark, see [`super::mark`].
pub(super) const MARK: &str = "journal/complete";

/// The path of a full hash tile.
pub fn tile(level: u8, number: u64) -> PathBuf {
    format!("journal/tile/{level}/{}", index(number)).into()
}

/// The path of a full entry bundle.
pub fn entries(number: u64) -> PathBuf {
    format!("journal/tile/entries/{}", index(number)).into()
}

/// The path of the sealed evidence that belongs to an entry bundle. Not a part of the specification: evidence lies
/// beside the log, so that it can be erased without breaking a hash.
pub fn evidence(number: u64) -> PathBuf {
    format!("journal/evidence/{}", index(number)).into()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn paths_are_those_of_the_specification() {
        assert_eq!(
            super::tile(1, 1_234_067),
            Path::new("journal/tile/1/x001/x234/067")
        );
        assert_eq!(
            super::entries(1_234_067),
            Path::new("journal/tile/entries/x001/x234/067")
        );
        assert_eq!(super::evidence(5), Path::new("journal/evidence/005"));
    }
}

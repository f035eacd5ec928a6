//! Where the journal's files lie: the paths of C2SP tlog-tiles, under `journal/`.

use std::path::PathBuf;

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

/// A number in path elements of three digits; all but the last begin with an `x`.
fn index(number: u64) -> String {
    let last = format!("{:03}", number % 1000);
    let mut rest = number / 1000;
    let mut path = last;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    path
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn paths_are_those_of_the_specification() {
        for (number, path) in [
            (0, "000"),
            (67, "067"),
            (999, "999"),
            (1000, "x001/000"),
            (1_234_067, "x001/x234/067"),
            (u64::MAX, "x018/x446/x744/x073/x709/x551/615"),
        ] {
            assert_eq!(super::index(number), path);
        }
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

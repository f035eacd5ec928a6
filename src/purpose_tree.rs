//! The tree that the dotted names of purposes form: what each lies under, for server and client alike.

use std::iter::successors;

/// The purpose right above one, where there is one: the name before the last dot.
pub fn parent(purpose: &str) -> Option<&str> {
    purpose.rsplit_once('.').map(|(parent, _)| parent)
}

/// A purpose, and each that it lies under, the nearest first; `*`, above all of them, is not named.
pub fn path(purpose: &str) -> impl Iterator<Item = &str> {
    successors(Some(purpose), |name| parent(name))
}

/// Whether a purpose is another, or lies under it.
pub fn is_within(purpose: &str, other: &str) -> bool {
    path(purpose).any(|name| name == other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_up_dot_by_dot() {
        let up = |name| path(name).collect::<Vec<_>>();
        assert_eq!(up("a.b.c"), ["a.b.c", "a.b", "a"]);
        assert_eq!(up("a"), ["a"]);
        assert_eq!(up("*"), ["*"]);
        assert_eq!(parent("a.b.c"), Some("a.b"));
        assert_eq!(parent("a"), None);
    }

    #[test]
    fn only_whole_words_count() {
        for (purpose, other, within) in [
            ("a.b", "a.b", true),
            ("a.b", "a", true),
            ("a", "a.b", false),
            ("ab", "a", false),
            ("a.bc", "a.b", false),
        ] {
            assert_eq!(is_within(purpose, other), within, "{purpose} in {other}");
        }
    }
}

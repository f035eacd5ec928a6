//! The token that a call carries: `authorization: Bearer TOKEN`, as RFC 6750 has it.

use std::fmt;

/// What the `authorization` of a call holds. `Debug` does not show it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Bearer<'a> {
    /// Nothing.
    Missing,
    /// A token.
    Token(&'a [u8]),
    /// Something else, or more than one thing: it is not guessed which of them counts.
    Unreadable,
}

impl<'a> Bearer<'a> {
    /// Reads all `authorization` values of a call.
    pub fn of(mut values: impl Iterator<Item = &'a [u8]>) -> Self {
        match (values.next(), values.next()) {
            (None, _) => Self::Missing,
            (Some(value), None) => Self::read(value),
            (Some(_), Some(_)) => Self::Unreadable,
        }
    }

    fn read(value: &'a [u8]) -> Self {
        let space = value.iter().position(|byte| *byte == b' ');
        let (scheme, rest) = value.split_at(space.unwrap_or(value.len()));
        let token = rest.trim_ascii();
        let fits = scheme.eq_ignore_ascii_case(b"bearer")
            && !token.is_empty()
            && token.iter().all(u8::is_ascii_graphic);
        if fits {
            Self::Token(token)
        } else {
            Self::Unreadable
        }
    }
}

impl fmt::Debug for Bearer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "Missing",
            Self::Token(_) => "Token(..)",
            Self::Unreadable => "Unreadable",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&'static str]) -> Bearer<'static> {
        Bearer::of(values.iter().map(|value| value.as_bytes()))
    }

    #[test]
    fn one_bearer_token_is_read_and_nothing_else() {
        assert_eq!(of(&[]), Bearer::Missing);
        for good in ["Bearer abc", "bearer abc", "BEARER   abc", "Bearer abc "] {
            assert_eq!(of(&[good]), Bearer::Token(b"abc"), "{good}");
        }
        for bad in [
            "",
            "abc",
            "Bearer",
            "Bearer ",
            "Bearerabc",
            "Basic abc",
            "Bearer a b",
            "Bearer a\tb",
            "Bearer \u{e4}",
            " Bearer abc",
        ] {
            assert_eq!(of(&[bad]), Bearer::Unreadable, "{bad}");
        }
        assert_eq!(of(&["Bearer abc", "Bearer abc"]), Bearer::Unreadable);
    }

    #[test]
    fn nothing_shows_a_token() {
        assert_eq!(format!("{:?}", Bearer::Token(b"secret")), "Token(..)");
    }
}

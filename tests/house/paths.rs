//! The paths that Rust code names: every branch of every `use`, and what is written out in place.

use crate::source::Token;

/// A path as written, such as `crate`, `storage`, `Files`.
#[derive(Debug, PartialEq, Eq)]
pub struct Named {
    /// The line on which it ends.
    pub line: usize,
    /// Its parts.
    pub parts: Vec<String>,
    /// How many modules within the file stand around it.
    pub nested: usize,
}

/// All paths of more than one part, and all that a `use` names.
pub fn paths(tokens: &[Token]) -> Vec<Named> {
    let mut found = Vec::new();
    let mut braces = 0_usize;
    let mut modules: Vec<usize> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let text = tokens[at].text.as_str();
        match text {
            "{" => braces += 1,
            "}" => {
                braces = braces.saturating_sub(1);
                modules.retain(|depth| *depth <= braces);
            }
            "mod" if tokens.get(at + 2).is_some_and(|token| token.text == "{") => {
                modules.push(braces + 1);
            }
            // `use<'_>` in a type captures lifetimes and imports nothing.
            "use" if tokens.get(at + 1).is_some_and(|token| token.text != "<") => {
                at = tree(tokens, at + 1, &[], modules.len(), &mut found);
                continue;
            }
            _ if tokens[at].is_word() => {
                let end = path_end(tokens, at);
                if end > at {
                    found.push(Named {
                        line: tokens[end].line,
                        parts: words(&tokens[at..=end]),
                        nested: modules.len(),
                    });
                }
                at = end;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// The last word of the path that begins at `at`.
fn path_end(tokens: &[Token], at: usize) -> usize {
    let mut end = at;
    while tokens.get(end + 1).is_some_and(|token| token.text == "::")
        && tokens.get(end + 2).is_some_and(Token::is_word)
    {
        end += 2;
    }
    end
}

fn words(tokens: &[Token]) -> Vec<String> {
    let words = tokens.iter().filter(|token| token.is_word());
    words.map(|token| token.text.clone()).collect()
}

/// Reads one tree of a `use` and returns where the reading goes on.
fn tree(
    tokens: &[Token],
    mut at: usize,
    before: &[String],
    nested: usize,
    found: &mut Vec<Named>,
) -> usize {
    let mut parts = before.to_vec();
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token.text != "}") {
                    // What stops a branch is a comma, or no tree at all: either way it is passed over.
                    at = tree(tokens, at, &parts, nested, found);
                    if tokens.get(at).is_some_and(|token| token.text != "}") {
                        at += 1;
                    }
                }
                return at + 1;
            }
            "," | "}" | ";" => break,
            // What follows is a new name, not a part.
            "as" => at += 1,
            "self" if !parts.is_empty() => {}
            "*" => parts.push("*".to_owned()),
            _ if token.is_word() => parts.push(token.text.clone()),
            _ => {}
        }
        at += 1;
    }
    let line = tokens
        .get(at.saturating_sub(1))
        .map_or(0, |token| token.line);
    found.push(Named {
        line,
        parts,
        nested,
    });
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::tokens;

    fn found(text: &str) -> Vec<String> {
        let named = paths(&tokens(text));
        named.iter().map(|path| path.parts.join("::")).collect()
    }

    #[test]
    fn every_branch_of_a_use_is_seen() {
        assert_eq!(
            found("pub use crate::{a::{self, b as c}, d::*};\nuse std::io;"),
            ["crate::a", "crate::a::b", "crate::d::*", "std::io"]
        );
        assert_eq!(found("use {crate::a, sled}; x"), ["crate::a", "sled"]);
        let captured = "fn f() -> impl Sized + use<'_> { crate::a(); x.use; }";
        assert_eq!(found(captured)[0], "crate::a");
        // What is no Rust still ends.
        assert!(!found("use {;{,;} crate::b").is_empty());
    }

    #[test]
    fn paths_in_place_are_seen() {
        assert_eq!(
            found("let x: Vec<crate::a::B> = super::c::d(y, z.sled, ::openraft::Raft);"),
            ["crate::a::B", "super::c::d", "openraft::Raft"]
        );
    }

    #[test]
    fn modules_within_a_file_are_counted() {
        let named = paths(&tokens(
            "use super::a; mod t { use super::b; } fn f() { super::c() }",
        ));
        let depths: Vec<usize> = named.iter().map(|path| path.nested).collect();
        assert_eq!(depths, [0, 1, 0]);
    }
}

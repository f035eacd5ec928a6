//! Finds the project's files, and reads Rust far enough to tell code from comments and text.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Folders that hold nothing of ours to judge.
const NOT_OURS: [&str; 4] = ["target", ".git", "refrain-data", "node_modules"];

/// A file of the project.
pub struct File {
    /// Its path from the project's root, with `/`.
    pub path: String,
    /// What it says.
    pub text: String,
}

/// The project's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every text file of the project, by path.
pub fn files() -> Vec<File> {
    let mut found = Vec::new();
    walk(root(), &mut found);
    found.sort();
    found
        .into_iter()
        .filter_map(|path| {
            // What is not UTF-8 is no text of ours.
            let text = fs::read_to_string(&path).ok()?;
            let path = path.strip_prefix(root()).expect("beneath the root");
            let path = path.to_str().expect("a path in UTF-8").to_owned();
            Some(File { path, text })
        })
        .collect()
}

/// Every Rust file of the project, by path.
pub fn rust_files() -> Vec<File> {
    let mut files = files();
    files.retain(|file| {
        let (top, rest) = file.path.split_once('/').unwrap_or((&file.path, ""));
        let judged = ["src", "tests", "benches", "examples"].contains(&top) || rest.is_empty();
        judged && has_extension(&file.path, "rs")
    });
    files
}

/// Whether a path ends in `.` and this.
pub fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path)
        .extension()
        .is_some_and(|found| found == extension)
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder that can be read") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str());
        if name.is_none_or(|name| NOT_OURS.contains(&name)) {
            continue;
        }
        if path.is_dir() {
            walk(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// A piece of code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The line that it begins on, from 1.
    pub line: usize,
    /// A word (a name or a keyword, a number too), a sign, or `"` for any literal text.
    pub text: String,
}

impl Token {
    /// Whether it is a name or a keyword.
    pub fn is_word(&self) -> bool {
        self.text
            .starts_with(|c: char| c.is_alphabetic() || c == '_')
    }
}

/// The code of a Rust file: no comments, and the inside of literals left out. `::` is one sign.
pub fn tokens(text: &str) -> Vec<Token> {
    let mut rest = text;
    let mut line = 1;
    let mut tokens = Vec::new();
    while let Some(first) = rest.chars().next() {
        let (length, token) = if first.is_whitespace() {
            (first.len_utf8(), None)
        } else if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), None)
        } else if rest.starts_with("/*") {
            (block_comment(rest), None)
        } else if let Some(length) = literal(rest) {
            (length, Some("\""))
        } else if first.is_alphanumeric() || first == '_' {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
            let length = end.unwrap_or(rest.len());
            (length, Some(&rest[..length]))
        } else if rest.starts_with("::") {
            (2, Some("::"))
        } else {
            (first.len_utf8(), Some(&rest[..first.len_utf8()]))
        };
        if let Some(token) = token {
            tokens.push(Token {
                line,
                text: token.to_owned(),
            });
        }
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    tokens
}

/// The length of the block comment that `text` begins with; they nest.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        let here = &text.as_bytes()[at..];
        if here.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// The length of the literal text that `text` begins with, if it does.
fn literal(text: &str) -> Option<usize> {
    let unprefixed = text
        .strip_prefix("br")
        .or_else(|| text.strip_prefix("cr"))
        .or_else(|| text.strip_prefix('r'))
        .filter(|rest| rest.trim_start_matches('#').starts_with('"'));
    if let Some(rest) = unprefixed {
        let fence = rest.len() - rest.trim_start_matches('#').len();
        let end = format!("\"{}", "#".repeat(fence));
        let opened = text.len() - rest.len() + fence + 1;
        let closed = text[opened..].find(&end)?;
        return Some(opened + closed + end.len());
    }
    let rest = text
        .strip_prefix('b')
        .filter(|rest| rest.starts_with(['"', '\'']))
        .unwrap_or(text);
    let before = text.len() - rest.len();
    match rest.as_bytes().first()? {
        b'"' => Some(before + escaped(rest, b'"')?),
        b'\'' => {
            // A character, or the lifetime that the same sign begins?
            let second = rest[1..].chars().next()?;
            let quote = 1 + second.len_utf8();
            if second == '\\' {
                Some(before + escaped(rest, b'\'')?)
            } else if rest[quote..].starts_with('\'') {
                Some(before + quote + 1)
            } else {
                None
            }
        }
        _ => None,
    }
}

/// The length up to and with the closing `quote`, which may stand escaped before.
fn escaped(text: &str, quote: u8) -> Option<usize> {
    let mut bytes = text.bytes().enumerate().skip(1);
    while let Some((at, byte)) = bytes.next() {
        if byte == b'\\' {
            bytes.next();
        } else if byte == quote {
            return Some(at + 1);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        tokens(text).into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn comments_and_literals_are_not_code() {
        assert_eq!(words("a // use x\n/* b /* c */ d */ e"), ["a", "e"]);
        assert_eq!(
            words(r##"f("sled::x", r#"a " b"#, b"\"y", 'z', '\'', '"')"##).len(),
            14
        );
        assert_eq!(words("&'a str"), ["&", "'", "a", "str"]);
        assert_eq!(words("r#type::x"), ["r", "#", "type", "::", "x"]);
    }

    #[test]
    fn lines_are_counted_through_everything() {
        let found = tokens("a\n/*\n*/ b \"\n\n\" c");
        let lines: Vec<usize> = found.iter().map(|token| token.line).collect();
        assert_eq!(lines, [1, 3, 3, 5]);
    }

    #[test]
    fn this_file_is_found() {
        let files = rust_files();
        assert!(
            files
                .iter()
                .any(|file| file.path == "tests/house/source.rs")
        );
        assert!(files.iter().all(|file| !file.path.starts_with("target/")));
    }
}

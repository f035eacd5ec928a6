//! What every source file keeps to: its opening line, its length, its names, and a few things that it leaves alone.

use crate::source::{File, Token, tokens};

/// The most lines of a file; past that it is two rooms.
const LINES_MAX: usize = 400;

/// Names that say nothing of what is inside.
const EMPTY_NAMES: [&str; 7] = [
    "utils", "util", "common", "manager", "helpers", "helper", "misc",
];

/// Folders that exist on somebody's machine only. Put together here, so that this file does not hold them.
const MACHINES: [&str; 4] = [
    concat!("/wo", "rk/"),
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/Us", "ers/"),
];

/// The file must open with one sentence of documentation, which may run over several lines.
pub fn opening(file: &File) -> Vec<String> {
    // Inner attributes and a shebang may come before it.
    let after = |line: &&str| line.trim().is_empty() || line.starts_with("#!");
    let lines = file.text.lines().skip_while(after);
    let sentence: Vec<&str> = lines.map_while(|line| line.strip_prefix("//! ")).collect();
    let sentence = sentence.join(" ");
    let fault = if sentence.is_empty() {
        "does not open with a `//!` line"
    } else if !sentence.ends_with(['.', '?', '!']) {
        "opens with lines that end no sentence"
    } else if sentences(&sentence) > 1 {
        "opens with more than one sentence"
    } else {
        return Vec::new();
    };
    vec![format!("{}: {fault}", file.path)]
}

/// How many sentences a text holds: an end, a space and a capital make another.
fn sentences(text: &str) -> usize {
    let ends = text.match_indices(['.', '?', '!']);
    1 + ends
        .filter(|(at, _)| {
            let mut after = text[at + 1..].chars();
            after.next() == Some(' ') && after.next().is_some_and(char::is_uppercase)
        })
        .count()
}

/// The file must not be too long.
pub fn length(file: &File) -> Vec<String> {
    let lines = file.text.lines().count();
    if lines <= LINES_MAX {
        return Vec::new();
    }
    vec![format!(
        "{}: {lines} lines are more than {LINES_MAX}",
        file.path
    )]
}

/// Its name, and those of its folders, must say what is inside.
pub fn name(file: &File) -> Vec<String> {
    let parts = file.path.trim_end_matches(".rs").split('/');
    let bad = parts.filter(|part| {
        let words = || part.split('_');
        let numbered = |word: &str| {
            let digits = word.strip_prefix('v').unwrap_or_default();
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
        };
        words().any(|word| EMPTY_NAMES.contains(&word)) || words().any(numbered)
    });
    bad.map(|part| format!("{}: `{part}` says nothing of what is inside", file.path))
        .collect()
}

/// No type is a `Manager`, and the wall clock is read in one file only.
pub fn words(file: &File) -> Vec<String> {
    let tokens = tokens(&file.text);
    let mut bad = Vec::new();
    for token in &tokens {
        if token.is_word() && token.text.ends_with("Manager") {
            let line = token.line;
            bad.push(format!(
                "{}:{line}: `{}` says nothing",
                file.path, token.text
            ));
        }
    }
    if file.path.starts_with("src/") && file.path != "src/clock.rs" {
        for clock in ["SystemTime", "Utc", "Local"] {
            for line in sequences(&tokens, &[clock, "::", "now"]) {
                bad.push(format!(
                    "{}:{line}: reads the wall clock; take a `Clock` instead",
                    file.path
                ));
            }
        }
    }
    bad
}

/// No channel of the product grows without bound; what a test waits for may.
pub fn channels(file: &File) -> Vec<String> {
    let tests = file.path.contains("/tests/") || file.path.ends_with("tests.rs");
    if tests || !file.path.starts_with("src/") {
        return Vec::new();
    }
    let tokens = tokens(&file.text);
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let grows = |at: usize| {
        let from_mpsc = at >= 2 && text(at - 1) == "::" && text(at - 2) == "mpsc";
        match text(at) {
            "unbounded_channel" => true,
            "unbounded" => from_mpsc || text(at + 1) == "(",
            // The standard library's own has no bound, and takes no argument.
            "channel" => {
                let alone = at == 0 || !["::", ".", "fn"].contains(&text(at - 1));
                let mut open = at + 1;
                if text(open) == "::" && text(open + 1) == "<" {
                    while !["(", ""].contains(&text(open)) {
                        open += 1;
                    }
                }
                (from_mpsc || alone) && text(open) == "(" && text(open + 1) == ")"
            }
            _ => false,
        }
    };
    (0..tokens.len())
        .filter(|at| grows(*at))
        .map(|at| {
            format!(
                "{}:{}: a channel without a bound",
                file.path, tokens[at].line
            )
        })
        .collect()
}

/// No text names a folder of somebody's machine.
pub fn machine(file: &File) -> Vec<String> {
    let mut bad = Vec::new();
    for (at, line) in file.text.lines().enumerate() {
        for folder in MACHINES {
            let foreign = line.match_indices(folder).any(|(start, _)| {
                // `https://example.org/home/` is no folder here, and `network/` none at all.
                !line[..start].ends_with(|c: char| c.is_alphanumeric() || ".-_/".contains(c))
            });
            if foreign {
                bad.push(format!(
                    "{}:{}: names a folder in {folder}",
                    file.path,
                    at + 1
                ));
            }
        }
    }
    bad
}

/// The lines on which these signs follow each other.
fn sequences(tokens: &[Token], signs: &[&str]) -> Vec<usize> {
    tokens
        .windows(signs.len())
        .filter(|window| {
            window
                .iter()
                .zip(signs)
                .all(|(token, sign)| token.text == *sign)
        })
        .map(|window| window[0].line)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> File {
        File {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn an_opening_that_is_no_sentence_is_found() {
        for text in [
            "",
            "use std::io;",
            "// A comment.",
            "//! no end",
            "//! One. Two.",
            "//! One.\n//! Two.",
            "#![allow(x)]\nfn f() {}",
        ] {
            assert_eq!(opening(&file("src/a.rs", text)).len(), 1, "{text}");
        }
        for text in [
            "//! One.",
            "#![allow(x)]\n\n//! As in `a.b`, e.g. this.\n//!\n//! More. More.",
        ] {
            assert!(opening(&file("src/a.rs", text)).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_long_file_is_found() {
        assert!(length(&file("src/a.rs", &"\n".repeat(400))).is_empty());
        assert_eq!(length(&file("src/a.rs", &"\n".repeat(401))).len(), 1);
    }

    #[test]
    fn an_empty_name_is_found() {
        for path in [
            "src/utils.rs",
            "src/common/mod.rs",
            "src/log_manager.rs",
            "src/codec_v2.rs",
        ] {
            assert_eq!(name(&file(path, "")).len(), 1, "{path}");
        }
        for path in [
            "src/storage/log/mod.rs",
            "src/uncommon.rs",
            "src/view.rs",
            "src/vote.rs",
        ] {
            assert!(name(&file(path, "")).is_empty(), "{path}");
        }
    }

    #[test]
    fn a_second_clock_is_found() {
        let reads = "fn f() { std::time::SystemTime::now(); }";
        assert_eq!(words(&file("src/feed.rs", reads)).len(), 1);
        assert_eq!(
            words(&file("src/feed.rs", "let t = chrono::Utc::now();")).len(),
            1
        );
        assert!(words(&file("src/clock.rs", reads)).is_empty());
        assert!(words(&file("src/feed.rs", "// SystemTime::now()\nInstant::now()")).is_empty());
    }

    #[test]
    fn a_type_that_says_nothing_is_found() {
        assert_eq!(words(&file("src/feed.rs", "struct FeedManager;")).len(), 1);
        assert!(words(&file("src/feed.rs", "struct Manage;")).is_empty());
    }

    #[test]
    fn a_channel_without_a_bound_is_found() {
        for text in [
            "mpsc::unbounded_channel()",
            "use futures::channel::mpsc::unbounded;",
            "let (a, b) = unbounded();",
            "std::sync::mpsc::channel()",
            "mpsc::channel::<u8>()",
            "let (a, b) = channel();",
        ] {
            assert_eq!(channels(&file("src/a.rs", text)).len(), 1, "{text}");
        }
        for text in [
            "mpsc::channel(8)",
            "mpsc::channel::<u8>(8)",
            "sync_channel(1)",
            "x.channel()",
            "// unbounded()",
        ] {
            assert!(channels(&file("src/a.rs", text)).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_folder_of_a_machine_is_found() {
        let ours = format!("see `{}x`", MACHINES[0]);
        assert_eq!(machine(&file("README.md", &ours)).len(), 1);
        let other = format!("{}ada/refrain", MACHINES[1]);
        assert_eq!(machine(&file("a.toml", &other)).len(), 1);
        let address = format!("https://example.org{}", MACHINES[1]);
        assert!(machine(&file("README.md", &address)).is_empty());
    }
}

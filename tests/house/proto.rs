//! The public contract explains itself: each thing that a proto file declares has a comment above it.

use crate::source::File;

/// What is declared without a comment right above; one line each.
pub fn uncommented(file: &File) -> Vec<String> {
    let mut bad = Vec::new();
    let mut before = "";
    for (at, line) in file.text.lines().enumerate() {
        let line = line.trim();
        if let Some(what) = declared(line)
            && !before.starts_with("//")
        {
            bad.push(format!(
                "{}:{}: {what} has no comment above it",
                file.path,
                at + 1
            ));
        }
        before = line;
    }
    bad
}

/// What a line declares, if anything.
fn declared(line: &str) -> Option<String> {
    let mut words = line.split(|c: char| c.is_whitespace() || "(){};".contains(c));
    let first = words.next()?;
    let name = words.next().unwrap_or_default();
    match first {
        "service" | "rpc" | "message" | "enum" => return Some(format!("{first} {name}")),
        "syntax" | "package" | "import" | "option" | "reserved" | "oneof" | "" => return None,
        _ if first.starts_with("//") => return None,
        _ => {}
    }
    // A field or a value of an enum: `... name = number`.
    let (left, right) = line.split_once('=')?;
    let name = left.split_whitespace().last()?;
    let number = right
        .trim()
        .split(|c: char| !c.is_ascii_digit() && c != '-')
        .next()?;
    (!number.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "
        syntax = \"proto3\";
        option java_package = \"x\";
        // What it does.
        service Ask {
          // Asks.
          // Twice.
          rpc May(Question) returns (stream Answer);
        }
        // A question.
        message Question {
          // The text, such as `a = 1`.
          string text = 1;
          oneof form {
            // Pairs.
            map<string, int32> pairs = 2 [deprecated = true];
          }
          reserved 3;
          // Inside.
          enum Kind {
            // None.
            KIND_UNSPECIFIED = 0;
          }
        }";

    fn judged(text: String) -> Vec<String> {
        let path = "proto/a.proto".to_owned();
        uncommented(&File { path, text })
    }

    #[test]
    fn what_is_commented_passes() {
        assert_eq!(judged(GOOD.to_owned()), [""; 0]);
    }

    #[test]
    fn each_missing_comment_is_found() {
        for (comment, what) in [
            ("// What it does.", "service Ask"),
            ("// Twice.", "rpc May"),
            ("// A question.", "message Question"),
            ("// The text, such as `a = 1`.", "text"),
            ("// Pairs.", "pairs"),
            ("// Inside.", "enum Kind"),
            ("// None.", "KIND_UNSPECIFIED"),
        ] {
            let bad = judged(GOOD.replace(comment, ""));
            assert_eq!(bad.len(), 1, "{comment}: {bad:?}");
            assert!(bad[0].contains(what), "{bad:?}");
        }
    }
}

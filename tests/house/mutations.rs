//! The breaks on purpose in `tests/mutations`: each still fits the tree and says what it breaks and who notices, and each invariant has one.

use std::io;
use std::path::Path;
use std::process::Command;

use crate::source::File;

/// The promises that are judged.
const INVARIANTS: [&str; 10] = ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9", "I10"];

/// A command that must notice a break, and what it must say.
struct Asked {
    command: String,
    says: Vec<String>,
}

/// What stands before a patch's first change.
#[derive(Default)]
struct Header {
    sentence: String,
    breaks: Vec<String>,
    asked: Vec<Asked>,
    other: Vec<String>,
}

impl Header {
    fn of(patch: &File) -> Self {
        let mut lines = patch.text.lines();
        let mut header = Self {
            sentence: lines.next().unwrap_or_default().to_owned(),
            ..Self::default()
        };
        for line in lines.take_while(|line| !line.starts_with("diff --git ")) {
            if let Some(breaks) = line.strip_prefix("Breaks: ") {
                let breaks = breaks.split(", ").map(str::to_owned);
                header.breaks.extend(breaks);
            } else if let Some(command) = line.strip_prefix("Noticed by: ") {
                header.asked.push(Asked {
                    command: command.to_owned(),
                    says: Vec::new(),
                });
            } else if let (Some(words), Some(last)) =
                (line.strip_prefix("Says: "), header.asked.last_mut())
            {
                last.says.push(words.to_owned());
            } else if !line.is_empty() {
                header.other.push(line.to_owned());
            }
        }
        header
    }

    /// Whether an invariant's own judge has to say that it is violated.
    fn shows(&self, invariant: &str) -> bool {
        let words = format!("{invariant} is violated");
        let mut says = self.asked.iter().flat_map(|asked| &asked.says);
        self.breaks.iter().any(|it| it == invariant) && says.any(|said| said.starts_with(&words))
    }
}

/// What is wrong with a patch's header. `read` gives the text of a file of the project.
pub fn malformed(patch: &File, read: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let header = Header::of(patch);
    let mut bad = Vec::new();
    if !header.sentence.ends_with('.') {
        bad.push("does not open with a sentence".to_owned());
    }
    for line in &header.other {
        bad.push(format!("`{line}` is no line of a header"));
    }
    if header.breaks.is_empty() || header.asked.is_empty() {
        bad.push("breaks nothing, or nobody notices".to_owned());
    }
    for invariant in &header.breaks {
        if !INVARIANTS.contains(&invariant.as_str()) {
            bad.push(format!("there is no {invariant}"));
        }
    }
    for asked in &header.asked {
        let command = &asked.command;
        if asked.says.is_empty() {
            bad.push(format!("`{command}` says nothing"));
        }
        if asked.says.iter().any(|words| words.contains('|')) {
            bad.push(format!("what `{command}` says has a `|` in it"));
        }
        if !is_there(command, read) {
            bad.push(format!("there is no test for `{command}`"));
        }
    }
    let whose = |what| format!("{}: {what}", patch.path);
    bad.into_iter().map(whose).collect()
}

/// Whether the test is there that `cargo test --test <binary> -- --exact <path>` runs.
fn is_there(command: &str, read: &dyn Fn(&str) -> Option<String>) -> bool {
    let after = |option: &str| {
        let (_, rest) = command.split_once(option)?;
        rest.split(' ').next()
    };
    let (Some(binary), Some(test)) = (after(" --test "), after(" --exact ")) else {
        return false;
    };
    let (module, name) = test.rsplit_once("::").unwrap_or(("main", test));
    let module = module.replace("::", "/");
    let declared = format!("fn {name}(");
    let ways = ["", "/mod"].map(|way| format!("tests/{binary}/{module}{way}.rs"));
    ways.iter()
        .filter_map(|path| read(path))
        .any(|text| text.contains(&declared))
}

/// The invariants that no patch shows to fail, in the words of their own judges.
pub fn never_shown(patches: &[File]) -> Vec<String> {
    let headers: Vec<Header> = patches.iter().map(Header::of).collect();
    let shown = |invariant: &str| headers.iter().any(|header| header.shows(invariant));
    let never = INVARIANTS.iter().filter(|invariant| !shown(invariant));
    never
        .map(|invariant| format!("nothing in tests/mutations shows that {invariant} can fail"))
        .collect()
}

/// Why a patch does not apply to the tree at `root`, where it does not.
///
/// # Errors
/// When git cannot be asked.
pub fn misfit(patch: &File, root: &Path) -> io::Result<Option<String>> {
    let output = Command::new("git")
        .args(["apply", "--check", &patch.path])
        .current_dir(root)
        // A copy of the tree within another repository is none itself: git would leave out all that the patch names.
        .env("GIT_CEILING_DIRECTORIES", root.parent().unwrap_or(root))
        .output()?;
    let why = String::from_utf8_lossy(&output.stderr);
    Ok((!output.status.success()).then(|| format!("{}: {}", patch.path, why.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "A node lies.\n\nBreaks: I6\nNoticed by: SEEDS=9 cargo test --test simulation -- --exact seeds::many\n\
                        Says: I6 is violated\n\ndiff --git a/src/x.rs b/src/x.rs\n";

    fn patch(text: &str) -> File {
        File {
            path: "tests/mutations/lie.patch".to_owned(),
            text: text.to_owned(),
        }
    }

    fn faults(text: &str) -> usize {
        let read =
            |path: &str| (path == "tests/simulation/seeds.rs").then(|| "fn many() {".to_owned());
        malformed(&patch(text), &read).len()
    }

    #[test]
    fn a_header_that_lacks_something_is_found() {
        assert_eq!(faults(GOOD), 0);
        assert_eq!(faults(&GOOD.replace("lies.", "lies")), 1);
        assert_eq!(faults(&GOOD.replace("Breaks: I6\n", "")), 1);
        assert_eq!(faults(&GOOD.replace("Breaks: I6", "Breaks: I11")), 1);
        assert_eq!(faults(&GOOD.replace("Says: I6 is violated\n", "")), 1);
        assert_eq!(faults(&GOOD.replace("violated", "violated|lost")), 1);
        assert_eq!(faults(&GOOD.replace("Says:", "Said:")), 2);
        assert_eq!(faults(&GOOD.replace("::many", "::few")), 1);
        assert_eq!(faults(&GOOD.replace("--test simulation ", "")), 1);
    }

    #[test]
    fn an_invariant_that_is_never_shown_to_fail_is_found() {
        let never = |text: &str| never_shown(&[patch(text)]).len();
        assert_eq!(never(GOOD), INVARIANTS.len() - 1);
        // A scenario's own words are no word of the judge.
        assert_eq!(
            never(&GOOD.replace("Says: I6", "Says: node 2 allows, and I6")),
            INVARIANTS.len()
        );
        assert_eq!(
            never(&GOOD.replace("Breaks: I6", "Breaks: I5")),
            INVARIANTS.len()
        );
    }

    #[test]
    fn a_patch_that_does_not_fit_is_found() {
        let folder = std::env::temp_dir().join(format!("house-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("tests/mutations")).expect("a folder");
        let lie =
            patch("A lie.\n\ndiff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-true\n+false\n");
        std::fs::write(folder.join(&lie.path), &lie.text).expect("the patch");
        let judged = |text: &str| {
            std::fs::write(folder.join("x"), text).expect("the file");
            misfit(&lie, &folder)
        };
        let (fits, does_not) = (judged("true\n"), judged("maybe\n"));
        std::fs::remove_dir_all(&folder).expect("removed");
        match (fits, does_not) {
            (Ok(fits), Ok(does_not)) => {
                assert_eq!(fits, None);
                assert!(does_not.is_some());
            }
            (fits, _) => crate::skip::skip("git", &format!("no patch can be tried: {fits:?}")),
        }
    }
}

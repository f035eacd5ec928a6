//! What the documents point at is there: files, headings, tests, and every setting in the example configuration.

use std::path::Path;

use crate::source::{File, has_extension};

/// Links of a document that lead nowhere. `read` gives the text of a file of the project, `exists` tells of any path.
pub fn dead_links(
    file: &File,
    exists: &dyn Fn(&str) -> bool,
    read: &dyn Fn(&str) -> Option<String>,
) -> Vec<String> {
    let mut bad = Vec::new();
    for (line, target) in links(&file.text) {
        if target.contains("://") || target.starts_with("mailto:") {
            continue;
        }
        let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
        let path = if path.is_empty() {
            file.path.clone()
        } else {
            beside(&file.path, path)
        };
        let fault = if !exists(&path) {
            "is not there"
        } else if !anchor.is_empty() && !read(&path).is_some_and(|text| has_heading(&text, anchor))
        {
            "has no such heading"
        } else {
            continue;
        };
        bad.push(format!("{}:{line}: {target} {fault}", file.path));
    }
    bad
}

/// Tests that a document names, as `tests/a.rs: name` in a code span, and that are not there.
pub fn missing_tests(file: &File, read: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let mut bad = Vec::new();
    for (at, line) in file.text.lines().enumerate() {
        for span in line.split('`').skip(1).step_by(2) {
            let Some((path, name)) = span.split_once(": ") else {
                continue;
            };
            if !has_extension(path, "rs") {
                continue;
            }
            let declared = format!("fn {name}(");
            if !read(path).is_some_and(|text| text.contains(&declared)) {
                bad.push(format!(
                    "{}:{}: there is no test `{span}`",
                    file.path,
                    at + 1
                ));
            }
        }
    }
    bad
}

/// Settings that the program reads, by one of its tables of them, and the example configuration does not show.
pub fn undocumented_settings(source: &str, table: &str, example: &str) -> Vec<String> {
    let keys = source
        .split_once(&format!(" {table}: ["))
        .and_then(|(_, rest)| rest.split_once("];"));
    let Some((keys, _)) = keys else {
        return vec![format!(
            "the table of settings, {table}, is not where it was"
        )];
    };
    let keys: Vec<&str> = keys.split('"').skip(1).step_by(2).collect();
    let shown = |key: &str| {
        let shows = |line: &str| {
            let line = line.trim_start_matches("# ");
            let table = line.trim_matches(['[', ']']);
            line.split_once(" = ").is_some_and(|(name, _)| name == key)
                // The head of a table, which may lie within another.
                || (line.starts_with("[[") && table.rsplit('.').next() == Some(key))
        };
        example.lines().any(shows)
    };
    keys.iter()
        .filter(|key| !shown(key))
        .map(|key| format!("the example configuration does not show `{key}`"))
        .collect()
}

/// The targets of a document's links, each with its line; what stands in code is none.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut fenced = false;
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        for (index, prose) in line.split('`').enumerate() {
            // A link's text may be code, its target stands in the prose after it.
            if index % 2 == 0 {
                let targets = prose.split("](").skip(1);
                found.extend(targets.filter_map(|rest| Some((at + 1, rest.split(')').next()?))));
            }
        }
    }
    found
}

/// The path of what a document names, from the project's root.
fn beside(document: &str, target: &str) -> String {
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    for part in Path::new(target).iter().filter_map(|part| part.to_str()) {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

fn has_heading(text: &str, anchor: &str) -> bool {
    text.lines()
        .filter(|line| line.starts_with('#'))
        .any(|line| slug(line.trim_start_matches('#').trim()) == anchor)
}

/// The anchor that the usual renderers give a heading.
fn slug(heading: &str) -> String {
    let kept = heading
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> File {
        File {
            path: "deploy/README.md".to_owned(),
            text: text.to_owned(),
        }
    }

    fn dead(text: &str) -> Vec<String> {
        let there = [
            "deploy/README.md",
            "deploy/compose.yaml",
            "README.md",
            "src",
        ];
        let read = |path: &str| there.contains(&path).then(|| "# Two `words`\n".to_owned());
        dead_links(&document(text), &|path| there.contains(&path), &read)
    }

    #[test]
    fn a_link_to_nothing_is_found() {
        assert_eq!(dead("[a](none.md)").len(), 1);
        assert_eq!(dead("[`a`](../none) and [b](compose.yaml)").len(), 1);
        assert_eq!(dead("[a](#nothing)").len(), 1);
        assert_eq!(dead("[a](../README.md#nothing)").len(), 1);
    }

    #[test]
    fn a_link_to_something_passes() {
        let text = "[a](compose.yaml) [b](../src/) [c](https://x.org/y) [d](#two-words)\n```\n[e](none)\n```\n`[f](none)`";
        assert_eq!(dead(text), [""; 0]);
    }

    #[test]
    fn a_test_that_is_not_there_is_found() {
        let read = |path: &str| (path == "tests/a.rs").then(|| "fn held() {}".to_owned());
        let judged = |text: &str| missing_tests(&document(text), &read);
        assert_eq!(judged("| x | `tests/a.rs: lost` |").len(), 1);
        assert_eq!(judged("| x | `tests/b.rs: held` |").len(), 1);
        assert_eq!(judged("| x | `tests/a.rs: held`, `a: b` |"), [""; 0]);
    }

    #[test]
    fn a_setting_that_is_not_shown_is_found() {
        let layers = "pub const KEYS: [&str; 2] = [\n \"data\",\n \"listen\",\n];";
        assert_eq!(
            undocumented_settings(layers, "KEYS", "# data = \"x\"\nlisten = \"y\""),
            [""; 0]
        );
        assert_eq!(
            undocumented_settings(layers, "KEYS", "listen_not = 1\ndata = 2").len(),
            1
        );
        assert_eq!(undocumented_settings("", "KEYS", "").len(), 1);
        let tables = "const TABLES: [&str; 2] = [\"principal\", \"grant\"];";
        let shown = "# [[principal]]\n# [[principal.grant]]";
        assert_eq!(undocumented_settings(tables, "TABLES", shown), [""; 0]);
        let beside = "[[principals]]\n# [grant]\n# a grant";
        assert_eq!(undocumented_settings(tables, "TABLES", beside).len(), 2);
    }
}

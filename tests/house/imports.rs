//! Who may import whom: the table of the rooms, and which of them may know a foreign crate.

use crate::{
    paths::{Named, paths},
    source::{File, tokens},
};

/// What a room may use of the others, besides itself. `domain` lets all of that room in, `proto::v1` only that part.
const ROOMS: [(&str, &[&str]); 23] = [
    // The leaves: anybody may stand on them, and they stand on nothing but each other.
    ("clock", &[]),
    ("limits", &[]),
    ("metrics", &[]),
    ("net", &[]),
    ("proof", &["limits"]),
    ("proto", &[]),
    ("purpose_tree", &[]),
    ("stamp", &["limits"]),
    ("traces", &["limits"]),
    // The core, from the inside out.
    // Of time, the domain knows the unit; no clock.
    (
        "domain",
        &[
            "clock::Millis",
            "limits",
            "proto::persisted",
            "purpose_tree",
        ],
    ),
    (
        "storage",
        &[
            "domain",
            "clock",
            "limits",
            "metrics",
            "proof",
            "proto::persisted",
        ],
    ),
    (
        "consensus",
        &[
            "storage",
            "domain",
            "clock",
            "limits",
            "metrics",
            "net",
            "proof",
            "proto::peer",
            "proto::persisted",
            "stamp",
            "traces",
        ],
    ),
    ("feed", &["domain", "storage", "limits", "proof"]),
    ("admission", &["domain", "clock", "limits", "traces"]),
    (
        "authority",
        &[
            "admission",
            "consensus",
            "domain",
            "clock",
            "limits",
            "proof",
            "traces",
        ],
    ),
    (
        "api",
        &[
            "admission",
            "authority",
            "feed",
            "domain",
            "clock",
            "limits",
            "metrics",
            "net",
            "proof",
            "proto::v1",
            "receipt",
            "stamp",
            "traces",
            // How long calls may take is a setting.
            "config::Deadlines",
        ],
    ),
    // An event with its proof, made by `api` and read by whoever verifies.
    ("receipt", &["domain", "limits", "proof", "proto::v1"]),
    // Around it.
    // Who may call is a setting.
    ("config", &["admission", "domain", "clock", "limits"]),
    (
        "client",
        &[
            "clock",
            "limits",
            "net",
            "proof",
            "proto::v1",
            "proto::health",
            "purpose_tree",
            "stamp",
        ],
    ),
    ("server", &["*"]),
    ("cli", &["*"]),
    ("demo", &["*"]),
    // Of no program: what the fuzz targets call.
    ("fuzzing", &["*"]),
];

/// Who may know a foreign crate: folders (with a `/` at the end) and files.
const CRATES: [(&str, &[&str]); 5] = [
    (
        "tonic",
        &[
            "src/api/",
            "src/client/",
            "src/cli/",
            "src/server.rs",
            "src/server/",
            "src/net/",
            "src/proto.rs",
            // What peers say to each other: both ends, and who calls them.
            "src/consensus/network.rs",
            "src/consensus/service.rs",
            "src/consensus/peers.rs",
            "src/consensus/members.rs",
            "src/consensus/administer.rs",
            "src/consensus/status.rs",
            "src/consensus/writes.rs",
            "src/consensus/tests/",
        ],
    ),
    ("openraft", &["src/consensus/"]),
    ("sled", &["src/storage/"]),
    // What a span may hold is decided in one place.
    (
        "opentelemetry",
        &[
            "src/traces.rs",
            "src/server/traces.rs",
            "src/server/traces/",
            "src/client/context.rs",
        ],
    ),
    (
        "tracing_opentelemetry",
        &["src/traces.rs", "src/server/traces.rs"],
    ),
];

/// What a file imports that it may not; one line each.
pub fn violations(file: &File) -> Vec<String> {
    let Some(within) = file.path.strip_prefix("src/") else {
        return Vec::new();
    };
    let named = paths(&tokens(&file.text));
    let mut bad = foreign(file, &named);
    // The two roots are wiring.
    if within == "main.rs" || within == "lib.rs" {
        return bad;
    }
    let room = within
        .split_once('/')
        .map_or(within.trim_end_matches(".rs"), |(room, _)| room);
    let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) else {
        bad.push(format!(
            "{}: the room `{room}` is not in the table of who may import whom",
            file.path
        ));
        return bad;
    };
    for path in &named {
        let Some(target) = from_root(within, path) else {
            continue;
        };
        if target.first().is_some_and(|first| *first == room) || permitted(allowed, &target) {
            continue;
        }
        bad.push(format!(
            "{}:{}: `{room}` may not import `{}`",
            file.path,
            path.line,
            target.join("::")
        ));
    }
    bad
}

/// The path from the crate's root, for one that leaves its module.
fn from_root<'a>(within: &str, path: &'a Named) -> Option<Vec<&'a str>> {
    let parts: Vec<&str> = path.parts.iter().map(String::as_str).collect();
    if parts.first() == Some(&"crate") {
        return Some(parts[1..].to_vec());
    }
    let depth = within.trim_end_matches("/mod.rs").split('/').count() + path.nested;
    let supers = parts.iter().take_while(|part| **part == "super").count();
    (supers > 0 && supers == depth).then(|| parts[supers..].to_vec())
}

fn permitted(allowed: &[&str], target: &[&str]) -> bool {
    // A macro of the crate stands at its root.
    let Some(first) = target.first() else {
        return true;
    };
    if !ROOMS.iter().any(|(room, _)| room == first) && *first != "*" {
        return true;
    }
    allowed.iter().any(|entry| {
        let mut target = target.iter();
        *entry == "*" || entry.split("::").all(|part| target.next() == Some(&part))
    })
}

fn foreign(file: &File, named: &[Named]) -> Vec<String> {
    let mut bad = Vec::new();
    for path in named {
        let Some(first) = path.parts.first() else {
            continue;
        };
        for (name, allowed) in CRATES {
            // `tonic_health` and the like count as tonic.
            let family = first == name || first.starts_with(&format!("{name}_"));
            let permitted = allowed.iter().any(|place| {
                file.path == *place || (place.ends_with('/') && file.path.starts_with(place))
            });
            if family && !permitted {
                bad.push(format!(
                    "{}:{}: `{first}` may not be used here",
                    file.path, path.line
                ));
            }
        }
    }
    bad
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(path: &str, text: &str) -> Vec<String> {
        violations(&File {
            path: path.to_owned(),
            text: text.to_owned(),
        })
    }

    #[test]
    fn a_wrong_import_is_found_however_it_is_written() {
        for text in [
            "use crate::storage::Files;",
            "use crate::{limits, storage::Files};",
            "fn f() { crate::storage::enough_space(); }",
            "mod inner { use crate::storage; }",
            "use crate::*;",
        ] {
            let bad = judged("src/domain/names.rs", text);
            assert_eq!(bad.len(), 1, "{text}: {bad:?}");
        }
        assert_eq!(judged("src/domain/mod.rs", "use super::storage;").len(), 1);
        assert_eq!(judged("src/net/mod.rs", "use super::storage;").len(), 1);
        assert_eq!(
            judged("src/domain/state/a.rs", "use super::super::super::feed;").len(),
            1
        );
    }

    #[test]
    fn only_the_permitted_part_of_a_room_is_let_in() {
        assert_eq!(
            judged("src/client/a.rs", "use crate::proto::v1::Event;"),
            [""; 0]
        );
        assert_eq!(
            judged("src/client/a.rs", "use crate::proto::peer::X;").len(),
            1
        );
        assert_eq!(judged("src/client/a.rs", "use crate::proto;").len(), 1);
        assert_eq!(
            judged("src/client/a.rs", "use crate::domain::Token;").len(),
            1
        );
        assert_eq!(
            judged("src/domain/a.rs", "use crate::clock::Millis;"),
            [""; 0]
        );
        assert_eq!(
            judged("src/domain/a.rs", "use crate::clock::SystemClock;").len(),
            1
        );
    }

    #[test]
    fn what_is_permitted_passes() {
        for (path, text) in [
            (
                "src/storage/log/mod.rs",
                "use crate::domain::State; use super::files;",
            ),
            (
                "src/domain/names.rs",
                "// use crate::storage\nuse super::refusal::Refusal;",
            ),
            (
                "src/domain/names.rs",
                "mod tests { use super::*; use super::super::token; }",
            ),
            ("src/server.rs", "use crate::{api, consensus, tell};"),
            ("src/main.rs", "use refrain::server;"),
            ("tests/house/main.rs", "use crate::anything;"),
        ] {
            assert_eq!(judged(path, text), [""; 0], "{path}");
        }
    }

    #[test]
    fn a_foreign_crate_stays_where_it_belongs() {
        assert_eq!(judged("src/domain/a.rs", "use tonic::Status;").len(), 1);
        assert_eq!(
            judged("src/consensus/reads.rs", "fn f(x: tonic::Code) {}").len(),
            1
        );
        assert_eq!(judged("src/storage/a.rs", "use openraft::Raft;").len(), 1);
        assert_eq!(judged("src/consensus/a.rs", "use sled;").len(), 1);
        assert_eq!(judged("src/feed.rs", "use tonic_health::pb;").len(), 1);
        assert_eq!(judged("src/net/a.rs", "use tonic::Code;"), [""; 0]);
        assert_eq!(judged("src/api/mod.rs", "use tonic::Status;"), [""; 0]);
        assert_eq!(
            judged("src/storage/log/a.rs", "let sled = sled::open(p);"),
            [""; 0]
        );
        assert_eq!(
            judged("src/consensus/network.rs", "use tonic::{Code, Status};"),
            [""; 0]
        );
    }

    #[test]
    fn a_room_that_nobody_knows_is_named() {
        assert_eq!(judged("src/attic/a.rs", "").len(), 1);
    }
}

//! Golden files: the stored encodings, byte for byte, in `tests/golden/domain/`.
//!
//! After a change that is meant, write them anew with `REFRAIN_WRITE_GOLDEN=1 cargo test --lib domain::golden`, and look at what git says.

use std::fmt::Debug;
use std::fs;
use std::path::PathBuf;

use super::fixtures::*;
use super::*;

/// Compares bytes with a golden file of hex lines.
fn hold(file: &str, bytes: &[u8]) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/domain");
    let path = folder.join(format!("{file}.hex"));
    let lines = bytes.chunks(32).map(|line| hex::encode(line) + "\n");
    let text: String = lines.collect();
    if std::env::var_os("REFRAIN_WRITE_GOLDEN").is_some() {
        fs::create_dir_all(&folder).unwrap();
        fs::write(&path, text).unwrap();
        return;
    }
    let golden = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    assert_eq!(
        text, golden,
        "{file} is encoded otherwise than it was: what is stored could not be read any more"
    );
}

/// Holds an encoding, and that it is read back.
fn hold_both<T: PartialEq + Debug>(
    file: &str,
    value: &T,
    bytes: &[u8],
    decode: impl Fn(&[u8]) -> Result<T, DecodeError>,
) {
    hold(file, bytes);
    assert_eq!(decode(bytes).as_ref(), Ok(value), "{file}");
}

/// A cluster with one of everything.
fn cluster() -> Driven {
    let mut driven = Driven::new();
    driven.add_namespace("other").unwrap();
    driven
        .put(Purpose {
            description: "Games.".to_owned(),
            ..purpose("games")
        })
        .unwrap();
    driven
        .opt_out(&[1, 2], &["sale", "marketing.email"])
        .unwrap();
    driven.now += 1_000;
    driven.opt_in(&[1], &["marketing.email"]).unwrap();
    driven.opt_out(&[3], &["*"]).unwrap();
    driven.opt_out(&[3], &["*"]).unwrap();
    driven.send(Body::ImportChunk(chunk())).unwrap();
    driven
}

fn chunk() -> ImportChunk {
    ImportChunk {
        import_id: request_id(START, 900),
        namespace: Namespace::default_namespace(),
        schema_version: 1,
        first_row: 0,
        rows: vec![
            ImportRow::OptOut {
                tokens: subjects(&[9]),
                purposes: names(&["sale"]),
            },
            ImportRow::Refused,
        ],
    }
}

#[test]
fn leaves() {
    let driven = cluster();
    let of = |kind| {
        driven
            .events
            .iter()
            .find(|event| event.kind == kind)
            .unwrap()
            .clone()
    };
    let mut level = of(EventKind::Namespace);
    level.kind = EventKind::FeatureLevel;
    level.namespace = None;
    level.detail = Detail::FeatureLevel(1);
    for (file, event) in [
        ("leaf-created", of(EventKind::Created)),
        ("leaf-opt-out", of(EventKind::OptOut)),
        ("leaf-opt-in", of(EventKind::OptIn)),
        ("leaf-import", driven.events.last().unwrap().clone()),
        ("leaf-purpose", of(EventKind::Purpose)),
        ("leaf-namespace", of(EventKind::Namespace)),
        ("leaf-feature-level", level),
    ] {
        hold_both(file, &event, &event.encode(), Event::decode);
    }
}

#[test]
fn commands() {
    let mut driven = Driven::empty();
    let opt_out = driven.preference(Change::OptOut, &[1, 2], &["sale", "*"]);
    let mut opt_in = driven.preference(Change::OptIn, &[1], &["sale"]);
    opt_in.schema_version = 3;
    opt_in.min_revision = 4;
    let put = PutPurpose {
        request_id: driven.next_request_id(),
        purpose: purpose("games"),
    };
    let add = AddNamespace {
        request_id: driven.next_request_id(),
        namespace: Namespace::parse("other").unwrap(),
    };
    for (file, body) in [
        ("command-create", creation()),
        ("command-opt-out", Body::SetPreference(opt_out)),
        ("command-opt-in", Body::SetPreference(opt_in)),
        ("command-import", Body::ImportChunk(chunk())),
        ("command-purpose", Body::PutPurpose(put)),
        ("command-namespace", Body::AddNamespace(add)),
        (
            "command-feature-level",
            Body::RaiseFeatureLevel(RaiseFeatureLevel { level: 1 }),
        ),
    ] {
        let command = driven.command(body.clone());
        hold_both(file, &command, &command.encode(), Command::decode);
        if file == "command-opt-out" {
            let proposal = Proposal {
                principal: principal(),
                body,
            };
            hold_both("proposal", &proposal, &proposal.encode(), Proposal::decode);
        }
    }
}

#[test]
fn replies() {
    let mut driven = Driven::new();
    let import = ImportChunk {
        rows: vec![
            ImportRow::OptOut {
                tokens: subjects(&[9]),
                purposes: names(&["sale"]),
            },
            ImportRow::OptOut {
                tokens: subjects(&[9]),
                purposes: names(&["nothing"]),
            },
        ],
        ..chunk()
    };
    for (file, reply) in [
        ("reply-preference", driven.opt_out(&[1], &["sale"])),
        ("reply-import", driven.send(Body::ImportChunk(import))),
        ("reply-registry", driven.put(purpose("games"))),
        ("reply-done", Ok(Outcome::Done { revision: 1 })),
        ("reply-refusal", driven.send(creation())),
    ] {
        hold_both(file, &reply, &encode_reply(&reply), decode_reply);
    }
}

#[test]
fn snapshot() {
    let driven = cluster();
    for (number, chunk) in driven.state.chunks().enumerate() {
        hold(&format!("snapshot-{number}"), &chunk);
    }
    hold("state-hash", &driven.state.hash());
}

#[test]
fn sealed_evidence() {
    let sealed = evidence("ticked the box");
    hold("sealed-evidence", &sealed.bytes);
    hold("evidence-digest", &sealed.digest);
}

#[test]
fn a_command_that_is_not_known_is_told_from_damage() {
    let mut driven = Driven::new();
    let command = driven.command(Body::RaiseFeatureLevel(RaiseFeatureLevel {
        level: FEATURE_LEVEL + 1,
    }));
    assert_eq!(
        Command::decode(&command.encode()),
        Err(DecodeError::UnknownCommand)
    );
    let mut create = Create::new([7; 16], KeyFingerprint([8; 16]));
    create.feature_level = FEATURE_LEVEL + 1;
    let command = driven.command(Body::Create(create));
    assert_eq!(
        Command::decode(&command.encode()),
        Err(DecodeError::UnknownCommand)
    );

    // A body (field 4) of a kind with number 15, which does not exist yet.
    let command = driven.command(Body::RaiseFeatureLevel(RaiseFeatureLevel { level: 1 }));
    let mut bytes = command.encode().to_vec();
    let body = bytes.iter().rposition(|byte| *byte == 0x32).unwrap();
    bytes[body] = 0x7A;
    assert_eq!(Command::decode(&bytes), Err(DecodeError::UnknownCommand));
    assert!(matches!(
        Command::decode(&bytes[..body]),
        Err(DecodeError::Damaged(_))
    ));
    assert!(matches!(Command::decode(&[]), Err(DecodeError::Damaged(_))));
}

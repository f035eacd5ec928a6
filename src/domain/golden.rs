//! Golden files: the stored encodings, byte for byte, in `tests/golden/domain/`.
//!
//! After a change that is meant, write them anew with `REFRAIN_WRITE_GOLDEN=1 cargo test --lib domain::golden`, and look at what git says.

use std::fmt::Debug;
use std::fs;
use std::path::PathBuf;

use super::fixtures::*;
use super::*;

/// Compares bytes with a golden file of hex lines.
pub(super) fn hold(file: &str, bytes: &[u8]) {
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
pub(super) fn hold_both<T: PartialEq + Debug>(
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

/// A cluster with one of everything that came later: floors, signals, settings, overrides, keys.
fn governed() -> Driven {
    let mut driven = Driven::new();
    driven.both(&[1, 2], &["sale"], &["analytics"]).unwrap();
    driven.gpc(&[2]).unwrap();
    for body in later(&mut driven) {
        let who = match &body {
            Body::Approve(_) => "bob",
            _ => "ann",
        };
        if let Body::ConfigureNamespace(configure) = &body {
            driven.state.forget_signals(&configure.namespace);
        }
        driven.send_as(who, body).unwrap();
    }
    driven
}

/// The commands that came later, such that each of them is accepted.
fn later(driven: &mut Driven) -> Vec<Body> {
    let namespace = Namespace::default_namespace();
    let configure = ConfigureNamespace {
        request_id: driven.next_request_id(),
        namespace,
        gpc_purposes: names(&["sale", "analytics"]),
    };
    let raise = SetSchemaFloor {
        request_id: driven.next_request_id(),
        floor: SchemaFloor {
            purpose: Some(name("marketing")),
            version: 1,
        },
    };
    let mut propose = |change| Propose {
        request_id: driven.next_request_id(),
        change,
        max_minutes: 60,
        credential: None,
    };
    let lift = propose(ProposedChange::Override(OverrideTerms {
        subject: Some(subject(1)),
        ..terms(START, 30, &["sale"])
    }));
    let open = propose(ProposedChange::Purpose(purpose("ai_training")));
    let lower = propose(ProposedChange::SchemaFloor(SchemaFloor {
        purpose: Some(name("marketing")),
        version: 0,
    }));
    let change_id = |driven: &Driven, ahead: u64| {
        // As `Driven::command` will make it.
        let mut random = [0; 10];
        random[2..].copy_from_slice(&(driven.commands() + ahead).to_be_bytes());
        EventId::new(Millis(START), random)
    };
    let approve = Approve {
        request_id: driven.next_request_id(),
        change_id: EventId::new(Millis(0), [0; 10]),
        kind: ChangeKind::Override,
        max_minutes: None,
        credential: None,
    };
    let withdraw = Withdraw {
        request_id: driven.next_request_id(),
        change_id: EventId::new(Millis(0), [0; 10]),
        kind: ChangeKind::Registry,
    };
    let approve = Approve {
        change_id: change_id(driven, 3),
        ..approve
    };
    let withdraw = Withdraw {
        change_id: change_id(driven, 4),
        ..withdraw
    };
    let report = ReportUsage {
        node_id: 0xFEED,
        start: 7,
        number: 1,
        services: vec![ServiceUsage {
            service: service("shop"),
            schema_version: 1,
            calls: 3,
            below_floor: 2,
        }],
        lifted: vec![Lifted {
            override_id: approve.change_id,
            service: service("shop"),
            count: 4,
        }],
    };
    vec![
        Body::ConfigureNamespace(configure),
        Body::SetSchemaFloor(raise),
        Body::Propose(lift),
        Body::Propose(open),
        Body::Propose(lower),
        Body::Approve(approve),
        Body::Withdraw(withdraw),
        Body::AddStampKey(AddStampKey {
            node_id: 0xFEED,
            public_key: [3; 32],
        }),
        Body::RetireStampKeys(RetireStampKeys { node_id: 0xFEED }),
        Body::ReportUsage(report),
    ]
}

#[test]
fn later_leaves() {
    let mut driven = governed();
    let change_id = driven.state.overrides().next().unwrap().id;
    driven
        .withdraw("ann", change_id, ChangeKind::Override)
        .unwrap();
    driven.now += 200_000;
    driven.opt_out(&[9], &["sale"]).unwrap();
    for (file, kind) in [
        ("leaf-preferences", EventKind::Preferences),
        ("leaf-signal", EventKind::OptOut),
        ("leaf-namespace-settings", EventKind::NamespaceSettings),
        ("leaf-schema-floor", EventKind::SchemaFloor),
        ("leaf-change-proposed", EventKind::ChangeProposed),
        ("leaf-change-withdrawn", EventKind::ChangeWithdrawn),
        ("leaf-override-began", EventKind::OverrideBegan),
        ("leaf-override-revoked", EventKind::OverrideRevoked),
        ("leaf-override-ended", EventKind::OverrideEnded),
        ("leaf-stamp-key", EventKind::StampKey),
    ] {
        let event = driven.events.iter().find(|event| event.kind == kind);
        let event = event.unwrap_or_else(|| panic!("no {kind:?}"));
        hold_both(file, event, &event.encode(), Event::decode);
    }
}

#[test]
fn later_commands() {
    let mut driven = Driven::new();
    let mut both = driven.preference(Change::OptIn, &[1], &["analytics"]);
    both.opt_out = names(&["sale"]);
    both.if_last_revision = Some(0);
    let signal = ReportSignal {
        request_id: driven.next_request_id(),
        namespace: Namespace::default_namespace(),
        tokens: subjects(&[1]),
        signal: Signal::Gpc,
        schema_version: 1,
        service: ServiceName::none(),
    };
    let mut bodies = vec![Body::SetPreference(both), Body::ReportSignal(signal)];
    bodies.extend(later(&mut driven));
    for (number, body) in bodies.into_iter().enumerate() {
        let command = driven.command(body);
        let file = format!("command-later-{number:02}");
        hold_both(&file, &command, &command.encode(), Command::decode);
    }
    let reply = driven.gpc(&[1]);
    hold_both("reply-signal", &reply, &encode_reply(&reply), decode_reply);
}

#[test]
fn later_snapshot() {
    let driven = governed();
    for (number, chunk) in driven.state.chunks().enumerate() {
        hold(&format!("snapshot-later-{number:02}"), &chunk);
    }
    hold("state-hash-later", &driven.state.hash());
    let restored = State::from_chunks(driven.state.chunks().map(Ok::<_, ()>)).unwrap();
    assert!(restored.chunks().eq(driven.state.chunks()));
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

    // A body (field 4) of a kind with number 127, which does not exist yet: its tag takes two bytes.
    let command = driven.command(Body::RaiseFeatureLevel(RaiseFeatureLevel { level: 1 }));
    let mut bytes = command.encode().to_vec();
    let body = bytes.iter().rposition(|byte| *byte == 0x32).unwrap();
    bytes.splice(body..=body, [0xFA, 0x07]);
    bytes[body - 1] += 1;
    assert_eq!(Command::decode(&bytes), Err(DecodeError::UnknownCommand));
    assert!(matches!(
        Command::decode(&bytes[..body]),
        Err(DecodeError::Damaged(_))
    ));
    assert!(matches!(Command::decode(&[]), Err(DecodeError::Damaged(_))));
}

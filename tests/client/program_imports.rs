//! `refrain import`, run as a process: refused rows, breaks, and going on.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::Stdio,
};

use tonic::Code;

use super::{
    fake::{Fake, Fault, refusal},
    program::{json, program, run, status, stderr, stdout},
};

/// A CSV in a folder of its own.
struct Csv {
    folder: tempfile::TempDir,
}

impl Csv {
    fn of(text: impl AsRef<[u8]>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("list.csv"), text).unwrap();
        Self { folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("list.csv")
    }

    fn sidecar(&self) -> PathBuf {
        self.folder.path().join("list.csv.refrain-import")
    }

    fn import(&self, node: &Fake, flags: &str) -> std::process::Output {
        run(node, &format!("import {} {flags}", self.path().display()))
    }
}

fn many(count: u32) -> String {
    let rows = (0..count).map(|number| format!("p{number}@example.com,marketing.email\n"));
    std::iter::once("email,purposes\n".to_owned())
        .chain(rows)
        .collect()
}

fn gone() -> Fault {
    Fault::Refuse(refusal(Code::PermissionDenied, "MADE_UP", "not_applied"))
}

#[test]
fn refused_rows_are_reported_by_their_lines_and_the_rest_is_taken() {
    let node = Fake::start();
    let csv = Csv::of(
        b"# a list\nemail,purposes,when\na@example.com,sale,x\nc@example.com,unknown.thing,x\n\
          b@example.com\n\xff,sale,x\nd@example.com,sale;sharing,x\n",
    );
    let report = csv.folder.path().join("refused.csv");
    let output = csv.import(&node, &format!("--report {}", report.display()));
    assert_eq!(status(&output), 65);
    let text = stdout(&output);
    assert!(text.starts_with("imported 2 of 5 rows: 2 new"), "{text}");
    for part in [
        "line 4: no such purpose (PURPOSE_UNKNOWN)",
        "line 5: ",
        "line 6: ",
    ] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    assert!(stderr(&output).contains("ignored columns: when"));
    let report = std::fs::read_to_string(report).unwrap();
    let lines = report.lines().skip(1).map(|row| row.split(',').next());
    let lines: Vec<_> = lines.flatten().collect();
    assert_eq!(lines, ["4", "5", "6"], "{report}");
    assert!(!csv.sidecar().exists());
    assert_eq!(node.model().events.len(), 2);

    let output = csv.import(&node, "--output json");
    let result = json(&output.stdout);
    assert_eq!(
        (&result["rows"], &result["refused"]),
        (&5.into(), &3.into())
    );
    assert_eq!(result["refusals"][0]["line"], 4);
}

#[test]
fn an_import_that_broke_off_goes_on_with_the_same_command() {
    let node = Fake::start();
    let mut text = many(2_500);
    text.insert_str(
        "email,purposes\n".len(),
        "bad line\nq@example.com,unknown.thing\n",
    );
    let csv = Csv::of(text);
    // The client asks where the import is, the first step is taken, the second is taken too and its answer lost.
    let lost = refusal(Code::Internal, "MADE_UP", "unknown");
    node.fail([Fault::None, Fault::None, Fault::DoAndSay(lost)]);
    let broken = csv.import(&node, "");
    assert_eq!(status(&broken), 1, "{}", stderr(&broken));
    assert!(stderr(&broken).contains("run the same command again"));
    assert!(csv.sidecar().exists());

    let changed = std::fs::read_to_string(csv.path()).unwrap();
    std::fs::write(csv.path(), format!("{changed}more@example.com,sale\n")).unwrap();
    assert_eq!(status(&csv.import(&node, "")), 65);
    std::fs::write(csv.path(), changed).unwrap();
    assert_eq!(status(&csv.import(&node, "--purpose sale")), 65);

    let output = csv.import(&node, "");
    let text = stdout(&output);
    assert_eq!(status(&output), 65, "{}", stderr(&output));
    assert!(
        stderr(&output).contains("going on after row 2,000"),
        "{}",
        stderr(&output)
    );
    // The refusal that an earlier run told of, and the one that was read again.
    assert!(
        text.contains("line 2: ") && text.contains("line 3: "),
        "{text}"
    );
    assert!(text.contains("1,000 taken by an earlier run"), "{text}");
    assert!(!csv.sidecar().exists());
    assert_eq!(node.model().events.len(), 2_500);
}

#[test]
fn an_id_that_is_none_is_an_argument_that_is_wrong() {
    let node = Fake::start();
    let csv = Csv::of(many(1));
    let bad = refusal(Code::InvalidArgument, "REQUEST_ID_INVALID", "not_applied");
    node.fail([Fault::Refuse(bad)]);
    let output = csv.import(&node, "--import-id x");
    assert_eq!(status(&output), 64);
    assert!(
        stderr(&output).contains("--import-id is no UUID"),
        "{}",
        stderr(&output)
    );
    assert!(!stderr(&output).contains("stays so"), "{}", stderr(&output));
}

#[test]
fn a_file_that_changed_behind_its_beginning_is_not_gone_on_with() {
    let node = Fake::start();
    let text = many(6_000);
    let place = text.find("p4000@").unwrap();
    assert!(place > 64 << 10, "within what is looked at first");
    let csv = Csv::of(&text);
    node.fail((0..6).map(|_| Fault::None).chain([gone()]));
    assert_eq!(status(&csv.import(&node, "")), 77);
    assert_eq!(node.model().events.len(), 5_000);

    let mut changed = text.clone();
    changed.replace_range(place..=place, "q");
    // As long as before, and with fewer rows than were taken.
    let shorter = format!("{}#{}", &text[..place], "x".repeat(text.len() - place - 1));
    for other in [changed, shorter] {
        std::fs::write(csv.path(), other).unwrap();
        let output = csv.import(&node, "");
        assert_eq!(status(&output), 65, "{}", stdout(&output));
        let text = stderr(&output);
        assert!(text.contains("the file has changed"), "{text}");
        assert!(text.contains("--restart"), "{text}");
        assert_eq!(node.model().events.len(), 5_000);
    }
    std::fs::write(csv.path(), text).unwrap();
    let output = csv.import(&node, "");
    assert_eq!(status(&output), 0, "{}", stderr(&output));
    assert_eq!(node.model().events.len(), 6_000);
}

#[test]
fn what_came_to_nothing_is_corrected_and_run_again() {
    let node = Fake::start();
    let csv = Csv::of("email\nada@example.com\n");
    let output = csv.import(&node, "");
    assert_eq!(status(&output), 65);
    assert!(stderr(&output).contains("--purpose"));
    assert!(!csv.sidecar().exists());
    node.fail([Fault::None, gone()]);
    let output = csv.import(&node, "--purpose sale --namespace nowhere");
    assert_eq!(status(&output), 77);
    assert!(csv.sidecar().exists());
    let output = csv.import(&node, "--purpose sale");
    assert_eq!(status(&output), 0, "{}", stderr(&output));
    assert!(!stderr(&output).contains("row 0"), "{}", stderr(&output));
    assert!(!csv.sidecar().exists());
}

#[test]
fn a_cluster_that_forgot_the_import_gets_it_from_the_start() {
    let node = Fake::start();
    let csv = Csv::of(many(1_500));
    node.fail([Fault::None, Fault::None, gone()]);
    assert_eq!(status(&csv.import(&node, "")), 77);
    node.model().imports.clear();
    let output = csv.import(&node, "");
    assert_eq!(status(&output), 0);
    assert!(
        stderr(&output).contains("beginning anew"),
        "{}",
        stderr(&output)
    );

    node.fail([Fault::None, Fault::None, gone()]);
    assert_eq!(status(&csv.import(&node, "")), 77);
    assert_eq!(status(&csv.import(&node, "--restart")), 0);
    assert!(!csv.sidecar().exists());
}

#[test]
fn standard_input_goes_on_by_its_id() {
    let node = Fake::start();
    let import = |flags: &str| {
        let mut child = program(&node)
            .args(["import", "-"])
            .args(flags.split_whitespace())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(many(1_500).as_bytes())
            .unwrap();
        child.wait_with_output().unwrap()
    };
    node.fail([Fault::None, Fault::None, gone()]);
    let broken = import("");
    assert_eq!(status(&broken), 77);
    let text = stderr(&broken);
    let id = text.split("--import-id ").nth(1).unwrap();
    let id = id.split_whitespace().next().unwrap();
    let output = import(&format!("--import-id {id}"));
    assert_eq!(status(&output), 0, "{}", stderr(&output));
    assert!(stdout(&output).contains("500 new"), "{}", stdout(&output));
    assert_eq!(node.model().events.len(), 1_500);
}

#[test]
fn files_that_cannot_be_imported_say_why() {
    let node = Fake::start();
    let missing = run(&node, "import /nowhere/at/all.csv");
    assert_eq!(status(&missing), 65);
    assert!(stderr(&missing).contains("/nowhere/at/all.csv"));
    for text in ["", "ada@example.com,sale\n", "email\nada@example.com\n"] {
        let csv = Csv::of(text);
        let output = csv.import(&node, "");
        assert_eq!(status(&output), 65, "{text:?}");
        assert!(
            !stderr(&output).contains("ada@example.com"),
            "{}",
            stderr(&output)
        );
    }
    let csv = Csv::of("email\nada@example.com\n");
    assert_eq!(status(&csv.import(&node, "--purpose sale")), 0);
    assert_eq!(
        status(&csv.import(&node, "--purpose sale --report /nowhere/at/all.csv")),
        64
    );
}

#[test]
fn the_list_that_ships_is_taken_whole() {
    let node = Fake::start();
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/suppression-list.csv");
    let mut command = program(&node);
    // The sidecar would lie among the sources.
    command.args(["import", "-", "--output", "json"]);
    let output = command
        .stdin(std::fs::File::open(list).unwrap())
        .output()
        .unwrap();
    assert_eq!(status(&output), 0, "{}", stderr(&output));
    assert_eq!(json(&output.stdout)["rows"], 12_000);
    let check = run(
        &node,
        "check --email grace@example.com --purpose marketing.email",
    );
    assert_eq!(status(&check), 3);
}

//! The probe, on three nodes: all that it holds, what it makes, and that it tells of a node that is down.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{PATIENCE, REFRAIN, expect};
use crate::ways_in::trio::{ADA, STEADY, Trio};

fn step<'a>(pass: &'a Value, name: &str) -> &'a Value {
    let steps = pass["steps"].as_array().unwrap();
    let found = steps.iter().find(|it| it["step"] == name);
    found.unwrap_or_else(|| panic!("no step {name} in {pass}"))
}

/// How many events there are.
fn size(trio: &Trio, place: usize) -> u64 {
    let told = trio.run(place, ADA, &["journal", "checkpoint"]);
    let text = told["checkpoint"].as_str().unwrap();
    text.lines().nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pass_holds_every_promise_and_tells_of_a_node_that_is_down() {
    let mut trio = Trio::start(&STEADY).await;
    let [leader, follower, _] = trio.places().await;
    let unprepared = trio.output(leader, ADA, &["probe"]);
    assert!(expect(&unprepared, 1).contains("--prepare"));
    let mut before = 0;
    for round in 0..3 {
        let words: &[&str] = if round == 0 {
            &["probe", "--prepare"]
        } else {
            &["probe"]
        };
        let pass = trio.run(leader, ADA, words);
        assert_eq!(pass["ok"], true, "{pass}");
        assert_eq!(
            (&pass["nodes"], &pass["events"]),
            (&3.into(), &2.into()),
            "{pass}"
        );
        assert_eq!(step(&pass, "read")["times"], 3);
        // Every node is told what it must not take.
        assert!(step(&pass, "falsehoods")["times"].as_u64().unwrap() >= 3 * 6);
        // The first pass has the nodes make their keys, too.
        let size = size(&trio, leader);
        assert!(round == 0 || size == before + 2, "{before} and {size}");
        before = size;
    }
    trio.nodes[follower].kill();
    let output = trio.output(leader, ADA, &["probe"]);
    expect(&output, 1);
    let pass: Value = serde_json::from_slice(&output.stdout).unwrap();
    let faults = step(&pass, "members")["faults"].to_string();
    assert!(faults.contains(&trio.nodes[follower].client), "{faults}");
    // The others keep their promises.
    for name in [
        "opt out",
        "read",
        "falsehoods",
        "opt in",
        "watch",
        "states",
        "journals",
    ] {
        assert_eq!(step(&pass, name)["ok"], true, "{pass}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_goes_on_and_serves_what_its_passes_came_to() {
    let trio = Trio::start(&STEADY).await;
    let mut probe = Command::new(REFRAIN)
        .args([
            "probe",
            "--prepare",
            "--every",
            "200ms",
            "--metrics-listen",
            "127.0.0.1:0",
        ])
        .env("REFRAIN_ENDPOINT", &trio.nodes[0].client)
        .env("REFRAIN_TOKEN", ADA)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(probe.stderr.take().unwrap()).lines();
    let line = said.find_map(|line| {
        let line = line.unwrap();
        line.strip_prefix("metrics at http://").map(str::to_owned)
    });
    let address = line.unwrap();
    let address = address.strip_suffix("/metrics").unwrap();
    let page = crate::support::eventually("two passes", || async {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).unwrap();
        let held = page
            .lines()
            .find_map(|it| it.strip_prefix(r#"refrain_probe_passes{outcome="held"} "#));
        let held: f64 = held?.parse().unwrap();
        (held >= 2.0).then_some(page)
    })
    .await;
    assert!(page.contains("refrain_probe_ok 1.0"), "{page}");
    assert!(
        page.contains(r#"refrain_probe_step_seconds{step="opt_out"}"#),
        "{page}"
    );
    let pid = rustix::process::Pid::from_child(&probe);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(probe.wait().unwrap().code(), Some(0));
}

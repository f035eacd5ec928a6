//! The program's commands for floors, services, changes by two principals and overrides.

use refrain::proto::v1::{NamespaceSettings, ServiceCount, ServiceSeen};
use serde_json::Value;
use tonic::Code;

use super::{
    fake::{Fake, Fault, noon, refusal},
    program::{json, run, status, stderr, stdout},
};

/// What a command prints for programs, where it ends well.
fn told(node: &Fake, line: &str) -> Value {
    let output = run(node, &format!("{line} --output json"));
    assert_eq!(status(&output), 0, "{line}: {}", stderr(&output));
    json(&output.stdout)
}

/// What a command prints for people, where it ends well.
fn read(node: &Fake, line: &str) -> String {
    let output = run(node, line);
    assert_eq!(status(&output), 0, "{line}: {}", stderr(&output));
    stdout(&output)
}

fn seen(service: &str, schema_version: u32) -> ServiceSeen {
    ServiceSeen {
        service: service.to_owned(),
        schema_version,
        calls: 12_345,
        below_floor: 6,
        first_seen: Some(noon()),
        last_seen: Some(noon()),
    }
}

#[test]
fn a_floor_is_tried_first_and_then_set() {
    let node = Fake::start();
    assert!(read(&node, "services").contains("No service"));
    node.model().services = vec![seen("", 0), seen("mailer", 2), seen("recall", 3)];

    let text = read(&node, "schema floor 3 --dry-run");
    for part in ["nothing was changed", "(none named)", "mailer", "12,345"] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    assert!(!text.contains("recall"), "{text}");
    let tried = told(&node, "schema floor 3 --dry-run");
    assert_eq!(
        (&tried["changed"], &tried["dry_run"]),
        (&false.into(), &true.into())
    );
    assert_eq!(tried["refused"][1]["service"], "mailer");
    assert!(node.model().floors.is_empty());

    let text = read(&node, "schema floor 3 --purpose marketing");
    assert!(
        text.contains("of marketing stands at 3") && text.contains("where they ask"),
        "{text}"
    );
    let text = read(&node, "schema floor 1");
    assert!(
        text.contains("(none named)") && !text.contains("mailer"),
        "{text}"
    );
    assert!(read(&node, "schema floor 1").contains("already"));
    assert!(read(&node, "purpose list").contains("floor 1"));

    let services = told(&node, "services");
    assert_eq!(services["services"][1]["below_floor"], 6);
    let text = read(&node, "services");
    assert!(
        text.contains("BELOW FLOOR") && text.contains("2026-"),
        "{text}"
    );
}

#[test]
fn what_widens_is_refused_with_the_way_to_propose_it() {
    let node = Fake::start();
    read(&node, "schema floor 3");
    for line in ["schema floor 2", "purpose put marketing.push --essential"] {
        if line.starts_with("purpose") {
            // It asks what stands, and then is refused.
            let widens = refusal(Code::FailedPrecondition, "WIDENS_ALLOW", "not_applied");
            node.fail([Fault::None, Fault::Refuse(widens)]);
        }
        let refused = run(&node, line);
        assert_eq!(status(&refused), 77, "{line}");
        assert!(
            stderr(&refused).contains("--propose"),
            "{}",
            stderr(&refused)
        );
    }
    assert_eq!(read(&node, "changes list").lines().count(), 1);

    let floor = told(&node, "schema floor 2 --propose")["change_id"].clone();
    let text = read(&node, "purpose put marketing.push --essential --propose");
    let purpose = node.model().pending[1].change_id.clone();
    assert!(
        text.contains(&format!("refrain changes approve {purpose}")),
        "{text}"
    );

    let text = read(&node, "changes list");
    for part in [
        "schema floor of the cluster: 2",
        "purpose marketing.push: always allowed (essential)",
        floor.as_str().unwrap(),
    ] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    let waiting = told(&node, "changes list");
    assert_eq!(waiting["changes"][0]["schema_floor"]["version"], 2);
    assert_eq!(waiting["changes"][1]["purpose"]["essential"], true);

    // The same principal; then as if another had proposed them.
    let own = run(&node, &format!("changes approve {purpose}"));
    assert_eq!(status(&own), 77);
    for pending in &mut node.model().pending {
        pending.proposed_by = "ada".to_owned();
    }
    read(&node, &format!("changes approve {purpose}"));
    assert!(node.model().purposes["marketing.push"].essential);
    let gone = told(
        &node,
        &format!("changes withdraw {}", floor.as_str().unwrap()),
    );
    assert_eq!(gone["event_id"], "made-up");
    assert_eq!(status(&run(&node, "changes withdraw no-such-change")), 65);
    assert!(read(&node, "changes list").contains("No change"));
}

const PROPOSE: &str =
    "override propose --purpose sale --service recall --service mailer --reason recall";

#[test]
fn an_override_is_proposed_shown_and_ended() {
    let node = Fake::start();
    assert!(read(&node, "override list").contains("No override"));
    let line =
        format!("{PROPOSE} --until 2030-01-31T12:00:00Z --email ada@example.com --namespace acme");
    let proposed = told(&node, &line);
    assert_eq!(proposed["expires_at"], "2030-01-31T12:00:00Z");
    let id = proposed["override_id"].as_str().unwrap().to_owned();
    let text = read(&node, "override list");
    for part in [
        "PROPOSED",
        "2030-01-31T12:00:00Z",
        "by nobody yet",
        "acme",
        "recall, mailer",
    ] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    assert!(!text.contains("ada@example.com"), "{text}");

    assert_eq!(status(&run(&node, &format!("override approve {id}"))), 77);
    node.model().overrides[0].proposed_by = "grace".to_owned();
    let text = read(&node, &format!("override approve {id}"));
    assert!(text.contains(&format!("override revoke {id}")), "{text}");
    {
        let mut model = node.model();
        let it = &mut model.overrides[0];
        let count = |service: &str, count| ServiceCount {
            service: service.to_owned(),
            count,
        };
        it.lifted = vec![count("recall", 1_200), count("", 34)];
        it.reason = "a\u{1b}[2K recall".to_owned();
        it.approved_by = "ada".to_owned();
    }
    let text = read(&node, "override list");
    for part in [
        "ACTIVE",
        "1,234 decisions: recall 1,200, (none named) 34",
        "grace",
        "ada",
    ] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    assert!(!text.contains('\u{1b}'), "{text}");
    let all = told(&node, "override list");
    assert_eq!(all["overrides"][0]["lifted"][0]["count"], 1_200);
    assert_eq!(all["overrides"][0]["subject"]["type"], "email");

    assert!(read(&node, &format!("override revoke {id}")).contains("nothing any more"));
    assert!(read(&node, &format!("override revoke {id}")).contains("already"));
    assert_eq!(status(&run(&node, "override revoke no-such-override")), 65);
    assert!(read(&node, "override list").contains("REVOKED"));
}

#[test]
fn a_proposal_of_which_nobody_knows_can_be_made_again() {
    let node = Fake::start();
    let lost = || {
        let unknown = refusal(Code::DeadlineExceeded, "OUTCOME_UNKNOWN", "unknown");
        Fault::DoAndSay(unknown)
    };
    node.fail((0..1_000).map(|_| lost()));
    let output = run(&node, &format!("{PROPOSE} --for 2h --timeout 200ms"));
    assert_eq!(status(&output), 75);
    // The end stays where it was: with `--for` it would be another request.
    let (end, id) = {
        let model = node.model();
        let end = model.overrides[0].expires_at.unwrap().to_string();
        (end, model.request_ids[0].clone())
    };
    let again = format!("--until {end} --request-id {id}");
    assert!(stderr(&output).contains(&again), "{}", stderr(&output));
}

#[test]
fn a_namespace_is_configured() {
    let node = Fake::start();
    let line = "namespace configure acme --gpc-purpose sale --gpc-purpose sharing";
    assert_eq!(status(&run(&node, line)), 65);
    read(&node, "namespace add acme");
    let text = read(&node, line);
    assert!(text.contains("sale, sharing"), "{text}");
    let settings = NamespaceSettings {
        gpc_purposes: vec!["sale".to_owned(), "sharing".to_owned()],
    };
    assert_eq!(node.model().settings["acme"], settings);
    let all = told(&node, "namespace list");
    assert_eq!(all["settings"][0]["gpc_purposes"][1], "sharing");
    assert!(read(&node, "namespace list").contains("sale sharing"));

    let line = "namespace configure acme --gpc-purpose sale --propose";
    let id = told(&node, line)["change_id"].clone();
    let text = read(&node, "changes list");
    assert!(text.contains("in acme: opts out of sale and"), "{text}");
    let waiting = told(&node, "changes list");
    let settings = serde_json::json!({ "namespace": "acme", "gpc_purposes": ["sale"] });
    assert_eq!(waiting["changes"][0]["settings"], settings);
    for pending in &mut node.model().pending {
        pending.proposed_by = "ada".to_owned();
    }
    read(&node, &format!("changes approve {}", id.as_str().unwrap()));
    assert_eq!(node.model().settings["acme"].gpc_purposes, ["sale"]);
}

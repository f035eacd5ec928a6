//! The calls beside checking and changing: signals, links, floors, changes by two principals, overrides, stamps.

use futures::StreamExt as _;
use refrain::{
    client::{Client, Outcome, identifier, reason},
    proto::v1::{
        ApproveChangeRequest, ApproveOverrideRequest, ConfigureNamespaceRequest, CreateLinkRequest,
        EraseEvidenceRequest, GetTokensRequest, NamespaceSettings, OverrideScope, OverrideState,
        PendingChange, ProposeChangeRequest, ProposeOverrideRequest, Purpose, ReportSignalRequest,
        RevokeOverrideRequest, SchemaFloor, SetPreferencesRequest, SetSchemaFloorRequest, Signal,
        VerifyStampRequest, WatchRequest, WithdrawChangeRequest, identifier::Form, pending_change,
    },
    stamp::{Claims, Stamped},
};
use tonic::Code;

use super::{
    calls::{question, stop},
    fake::{CLUSTER, Fake, Fault, key, noon, refusal},
};

/// A client that asks as this principal.
fn principal(node: &Fake, name: &str) -> Client {
    Fake::client_of(&[node]).bearer(name).build().unwrap()
}

fn lost() -> Fault {
    Fault::DoAndSay(refusal(Code::Unavailable, "OUTCOME_UNKNOWN", "unknown"))
}

#[tokio::test]
async fn every_call_carries_the_token() {
    let node = Fake::start();
    let client = principal(&node, "s3cret");
    client.check(question("ada@example.com")).await.unwrap();
    client.batch_check(vec![question("ada@example.com")]).await;
    client.opt_out(stop("ada@example.com")).await.unwrap();
    client.health("").await.unwrap();
    let mut feed = client.watch(WatchRequest::default());
    feed.next().await.unwrap().unwrap();
    assert_eq!(node.model().authorizations, ["s3cret"; 5]);
    node.client().purposes().await.unwrap();
    assert_eq!(node.model().authorizations.pop().unwrap(), "");

    let bad = Client::builder()
        .endpoint(node.uri())
        .bearer("two words")
        .build();
    let error = bad.err().unwrap();
    assert_eq!(error.reason(), reason::SETTING_INVALID);
    assert!(!error.to_string().contains("two"), "{error}");
}

#[tokio::test]
async fn changes_are_sent_again_under_one_id() {
    let node = Fake::start();
    let client = principal(&node, "ada");
    node.fail([lost(), lost()]);
    let who = vec![identifier::email("ada@example.com")];
    let both = SetPreferencesRequest {
        identifiers: who.clone(),
        opt_out: vec!["marketing.email".to_owned()],
        ..Default::default()
    };
    let done = client.set_preferences(both).await.unwrap();
    assert_eq!((done.revision, node.model().events.len()), (1, 1));

    node.fail([lost()]);
    let signal = ReportSignalRequest {
        identifiers: who.clone(),
        signal: Signal::Gpc.into(),
        ..Default::default()
    };
    let done = client.report_signal(signal).await.unwrap();
    assert_eq!(
        (done.revision, done.purposes.as_slice()),
        (2, &["sale".to_owned()][..])
    );

    // A request whose answer was lost is the same one when it is sent again.
    node.fail([lost()]);
    let erase = EraseEvidenceRequest {
        identifiers: who,
        ..Default::default()
    };
    let done = client.erase_evidence(erase).await.unwrap();
    assert_eq!((done.revision, done.erased, done.remaining), (3, 1, 0));

    node.fail([lost()]);
    let done = client.propose_change(widening()).await.unwrap();
    assert_eq!(node.model().pending.len(), 1);
    node.fail([lost()]);
    let proposed = client.propose_override(lifting()).await.unwrap();
    assert_eq!(node.model().overrides.len(), 1);

    let ids = node.model().request_ids.clone();
    assert_eq!(ids.len(), 11);
    for attempts in [&ids[..3], &ids[3..5], &ids[5..7]] {
        assert!(attempts.iter().all(|it| *it == attempts[0]), "{ids:?}");
    }
    assert_eq!(ids[7..9], [done.request_id.clone(), done.request_id]);
    assert_eq!(ids[9..], [proposed.request_id.clone(), proposed.request_id]);
}

fn widening() -> ProposeChangeRequest {
    let purpose = Purpose {
        name: "marketing.push".to_owned(),
        essential: true,
        ..Default::default()
    };
    let change = Some(pending_change::Change::Purpose(purpose));
    ProposeChangeRequest {
        change: Some(PendingChange { change }),
        ..Default::default()
    }
}

fn lifting() -> ProposeOverrideRequest {
    ProposeOverrideRequest {
        scope: Some(OverrideScope {
            purposes: vec!["marketing.email".to_owned()],
            services: vec!["recall".to_owned()],
            ..Default::default()
        }),
        reason: "a recall".to_owned(),
        expires_at: Some(noon()),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_change_that_widens_needs_two() {
    let node = Fake::start();
    let (ada, grace) = (principal(&node, "ada"), principal(&node, "grace"));
    let proposed = ada.propose_change(widening()).await.unwrap();
    let approval = ApproveChangeRequest {
        change_id: proposed.change_id,
        ..Default::default()
    };
    let refused = ada.approve_change(approval.clone()).await.unwrap_err();
    assert_eq!(refused.reason(), "SECOND_PRINCIPAL_REQUIRED");
    let waiting = ada.pending_changes().await.unwrap().changes;
    assert_eq!(waiting[0].proposed_by, "ada");
    grace.approve_change(approval.clone()).await.unwrap();
    assert!(node.model().purposes["marketing.push"].essential);

    let withdrawal = WithdrawChangeRequest {
        change_id: approval.change_id,
        ..Default::default()
    };
    let refused = grace.withdraw_change(withdrawal).await.unwrap_err();
    assert_eq!(
        (refused.reason(), refused.outcome()),
        ("CHANGE_UNKNOWN", Outcome::NotApplied)
    );
}

#[tokio::test]
async fn an_override_needs_two_and_ends_by_one() {
    let node = Fake::start();
    let ada = Fake::client_of(&[&node])
        .bearer("ada")
        .namespace("acme")
        .build()
        .unwrap();
    let proposed = ada.propose_override(lifting()).await.unwrap();
    let approval = ApproveOverrideRequest {
        override_id: proposed.override_id.clone(),
        ..Default::default()
    };
    let refused = ada.approve_override(approval.clone()).await.unwrap_err();
    assert_eq!(refused.reason(), "SECOND_PRINCIPAL_REQUIRED");
    principal(&node, "grace")
        .approve_override(approval)
        .await
        .unwrap();
    let active = ada.overrides().await.unwrap().overrides.remove(0);
    assert_eq!(
        (active.state(), active.approved_by.as_str()),
        (OverrideState::Active, "grace")
    );
    assert_eq!(active.scope.unwrap().namespace, "acme");
    let revocation = RevokeOverrideRequest {
        override_id: proposed.override_id,
        ..Default::default()
    };
    assert!(
        !ada.revoke_override(revocation.clone())
            .await
            .unwrap()
            .event_id
            .is_empty()
    );
    assert!(
        ada.revoke_override(revocation)
            .await
            .unwrap()
            .event_id
            .is_empty()
    );
}

#[tokio::test]
async fn floors_settings_tokens_and_links_are_asked_for() {
    let node = Fake::start();
    let client = Fake::client_of(&[&node]).namespace("acme").build().unwrap();
    let floor = |version, dry_run| SetSchemaFloorRequest {
        floor: Some(SchemaFloor {
            purpose: "marketing".to_owned(),
            version,
        }),
        dry_run,
        ..Default::default()
    };
    let tried = client.set_schema_floor(floor(3, true)).await.unwrap();
    assert!(!tried.changed && tried.request_id.is_empty());
    let done = client.set_schema_floor(floor(3, false)).await.unwrap();
    assert!(done.changed && !done.request_id.is_empty());
    let refused = client.set_schema_floor(floor(2, false)).await.unwrap_err();
    assert_eq!(refused.reason(), "WIDENS_ALLOW");
    assert!(client.services().await.unwrap().services.is_empty());

    client.add_namespace("acme").await.unwrap();
    let settings = NamespaceSettings {
        gpc_purposes: vec!["sale".to_owned()],
    };
    let configured = ConfigureNamespaceRequest {
        settings: Some(settings.clone()),
        ..Default::default()
    };
    client.configure_namespace(configured).await.unwrap();
    assert_eq!(client.namespaces().await.unwrap().settings, [settings]);

    let identifiers = vec![
        identifier::email("ada@example.com"),
        identifier::phone("+1"),
    ];
    let asked = GetTokensRequest {
        identifiers: identifiers.clone(),
        ..Default::default()
    };
    let tokens = client.get_tokens(asked).await.unwrap().tokens;
    assert!(
        tokens
            .iter()
            .all(|it| matches!(it.form, Some(Form::Token(_))))
    );
    let asked = CreateLinkRequest {
        identifiers,
        purposes: vec!["marketing".to_owned()],
        ..Default::default()
    };
    assert_eq!(
        client.create_link(asked).await.unwrap().path,
        "/u/acme.marketing"
    );
}

#[tokio::test]
async fn a_stamp_is_verified_by_a_fresh_answer_alone() {
    let node = Fake::start();
    node.model().stamp_keys.push(key().public());
    let client = Fake::client_of(&[&node]).service("mailer").build().unwrap();
    let token = format!("1:{}", "0f".repeat(16));
    let issued_at = u64::try_from(noon().seconds).unwrap();
    let stamp = |revision| {
        let claims = Claims {
            cluster_id: hex::encode(CLUSTER),
            subject: token.clone(),
            tokens: vec![token.clone()],
            namespace: "default".to_owned(),
            purposes: vec!["marketing.email".to_owned()],
            decision: Stamped::Allow,
            revision,
            service: "mailer".to_owned(),
            issued_at,
            expires_at: issued_at + 900,
            decision_id: "made-up".to_owned(),
        };
        VerifyStampRequest {
            stamp: key().sign(&claims).unwrap(),
            purpose: "marketing.email".to_owned(),
            ..Default::default()
        }
    };
    client.opt_out(stop("grace@example.com")).await.unwrap();
    let allowed = client.verify_stamp(stamp(1)).await.unwrap();
    assert_eq!(
        (
            allowed.answer().revision,
            node.model().last_caller.1.as_str()
        ),
        (1, "mailer")
    );

    // An answer that is older than the stamp is no answer.
    let denied = client.verify_stamp(stamp(2)).await.unwrap_err();
    assert_eq!(denied.error().unwrap().reason(), reason::ANSWER_INVALID);
    node.model().decision = Some(1);
    let denied = client.verify_stamp(stamp(1)).await.unwrap_err();
    assert!(denied.answer().is_some());
    for decision in [0, 3] {
        node.model().decision = Some(decision);
        let denied = client.verify_stamp(stamp(1)).await.unwrap_err();
        assert_eq!(denied.error().unwrap().reason(), reason::ANSWER_INVALID);
    }
    node.model().stamp_keys.clear();
    let denied = client.verify_stamp(stamp(1)).await.unwrap_err();
    assert_eq!(denied.error().unwrap().reason(), "STAMP_INVALID");
    assert!(client.stamp_keys().await.unwrap().keys.is_empty());
}

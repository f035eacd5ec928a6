//! What takes two principals: overrides and changes that widen ALLOW, with tokens.

use std::time::{Duration, SystemTime};

use refrain::{
    admission::Permission,
    proto::v1::{
        ApproveChangeRequest, ApproveOverrideRequest, CheckRequest, Decision, Event, EventKind,
        ExportRequest, ListOverridesRequest, OverrideScope, PendingChange, ProposeChangeRequest,
        ProposeOverrideRequest, ProposeOverrideResponse, Purpose, Reason, RevokeOverrideRequest,
        audit_service_client::AuditServiceClient, override_service_client::OverrideServiceClient,
        pending_change::Change,
    },
};
use tonic::{Code, Status, transport::Channel};

use super::{
    principals::{ADA, by, grant, with_principals},
    support::{Node, assert_refused, opt_out, question},
};

fn overrides(node: &Node) -> OverrideServiceClient<Channel> {
    OverrideServiceClient::new(node.channel.clone())
}

async fn propose(
    node: &Node,
    token: &str,
    purpose: &str,
) -> Result<ProposeOverrideResponse, Status> {
    let expires_at = SystemTime::now() + Duration::from_secs(600);
    let request = ProposeOverrideRequest {
        scope: Some(OverrideScope {
            purposes: vec![purpose.to_owned()],
            services: vec!["recall".to_owned()],
            ..OverrideScope::default()
        }),
        reason: "a product recall".to_owned(),
        expires_at: Some(expires_at.into()),
        ..ProposeOverrideRequest::default()
    };
    let answer = overrides(node).propose_override(by(token, request)).await;
    answer.map(tonic::Response::into_inner)
}

async fn approve(node: &Node, token: &str, id: &str) -> Result<(), Status> {
    let request = ApproveOverrideRequest {
        override_id: id.to_owned(),
        ..ApproveOverrideRequest::default()
    };
    let answer = overrides(node).approve_override(by(token, request)).await;
    answer.map(drop)
}

#[tokio::test]
async fn an_override_takes_two_principals_and_one_ends_it() {
    let may = [Permission::Override];
    let all = [Permission::Check, Permission::OptOut];
    let node = with_principals([
        ("first".to_owned(), vec![grant(&may, None, None)]),
        ("second".to_owned(), vec![grant(&may, None, None)]),
        (
            "limited".to_owned(),
            vec![grant(&may, None, Some(&["marketing"]))],
        ),
        ("recall".to_owned(), vec![grant(&all, None, None)]),
        (
            "auditor".to_owned(),
            vec![grant(&[Permission::Audit], None, None)],
        ),
    ])
    .await;
    let mut preferences = node.preferences();
    let out = preferences.set_opt_out(by("recall", opt_out(ADA, "marketing")));
    out.await.expect("opt out");
    let check = || async {
        let ask = CheckRequest {
            service: "recall".to_owned(),
            want_stamp: true,
            ..question(ADA, "marketing.email")
        };
        let answer = node.decisions().check(by("recall", ask)).await;
        answer.expect("check").into_inner()
    };

    assert_refused(
        propose(&node, "limited", "sale").await,
        Code::PermissionDenied,
        "PERMISSION_DENIED",
    );
    let proposed = propose(&node, "first", "marketing").await.expect("granted");
    let id = proposed.override_id;
    assert_eq!(check().await.decision(), Decision::Deny);
    assert_refused(
        approve(&node, "first", &id).await,
        Code::FailedPrecondition,
        "SECOND_PRINCIPAL_REQUIRED",
    );
    assert_refused(
        approve(&node, "limited", &id).await,
        Code::PermissionDenied,
        "PERMISSION_DENIED",
    );
    approve(&node, "second", &id).await.expect("the second");
    let lifted = check().await;
    assert_eq!(
        (lifted.decision(), lifted.reason()),
        (Decision::Allow, Reason::Overridden)
    );
    assert_eq!(lifted.override_id, id);
    assert_eq!(lifted.stamp, "", "an override is asked for each time");

    let mut client = overrides(&node);
    let list = client.list_overrides(by("second", ListOverridesRequest {}));
    let standing = list.await.expect("list").into_inner().overrides;
    assert_eq!(
        (
            standing[0].proposed_by.as_str(),
            standing[0].approved_by.as_str()
        ),
        ("first", "second")
    );
    let revoke = RevokeOverrideRequest {
        override_id: id,
        ..RevokeOverrideRequest::default()
    };
    let revoked = client.revoke_override(by("limited", revoke));
    revoked.await.expect("one is enough");
    let denied = check().await;
    assert_eq!(denied.decision(), Decision::Deny);
    assert!(!denied.stamp.is_empty());

    // An auditor who asks for a service sees what was done for it from the proposal to the end, wherever the export begins.
    let whole = [
        EventKind::ChangeProposed,
        EventKind::OverrideBegan,
        EventKind::OverrideRevoked,
    ];
    let all = of_service(&node, "recall", 0).await;
    let kinds: Vec<EventKind> = all.iter().map(Event::kind).collect();
    assert_eq!(kinds, whole);
    let rest = of_service(&node, "recall", all[1].revision).await;
    assert_eq!(rest, all[1..]);
    assert_eq!(of_service(&node, "mailer", 0).await, []);
}

async fn of_service(node: &Node, service: &str, from_revision: u64) -> Vec<Event> {
    let request = ExportRequest {
        service: service.to_owned(),
        from_revision,
        ..ExportRequest::default()
    };
    let mut client = AuditServiceClient::new(node.channel.clone());
    let pieces = client.export(by("auditor", request)).await.expect("begun");
    let mut pieces = pieces.into_inner();
    let mut events = Vec::new();
    while let Some(piece) = pieces.message().await.expect("a piece") {
        events.extend(piece.events);
    }
    events
}

#[tokio::test]
async fn with_one_principal_that_may_override_nothing_is_overridden() {
    let may = [Permission::Override];
    let node = with_principals([("alone".to_owned(), vec![grant(&may, None, None)])]).await;
    let off = Code::FailedPrecondition;
    let refused = propose(&node, "alone", "sale").await;
    assert_refused(refused, off, "OVERRIDES_OFF");
    let nothing = uuid::Uuid::now_v7().to_string();
    let refused = approve(&node, "alone", &nothing).await;
    assert_refused(refused, off, "OVERRIDES_OFF");
    let mut client = overrides(&node);
    let list = client.list_overrides(by("alone", ListOverridesRequest {}));
    assert!(list.await.expect("list").into_inner().overrides.is_empty());
}

#[tokio::test]
async fn without_principals_nobody_overrides_proposes_or_approves() {
    let node = Node::start().await;
    let refused = propose(&node, "nobody's", "sale").await;
    assert_refused(refused, Code::PermissionDenied, "PERMISSION_DENIED");
    let profiling = Purpose {
        name: "profiling".to_owned(),
        default_deny: Some(false),
        ..Purpose::default()
    };
    let change = ProposeChangeRequest {
        change: Some(PendingChange {
            change: Some(Change::Purpose(profiling)),
        }),
        ..ProposeChangeRequest::default()
    };
    // Whoever it is might have a token elsewhere, and be the second too.
    let mut registry = node.registry();
    assert_refused(
        registry.propose_change(change).await,
        Code::FailedPrecondition,
        "SECOND_PRINCIPAL_REQUIRED",
    );
    let approval = ApproveChangeRequest {
        change_id: uuid::Uuid::now_v7().to_string(),
        ..ApproveChangeRequest::default()
    };
    assert_refused(
        registry.approve_change(approval).await,
        Code::FailedPrecondition,
        "SECOND_PRINCIPAL_REQUIRED",
    );
    assert_eq!(
        node.check(ADA, "profiling").await.decision(),
        Decision::Deny
    );
}

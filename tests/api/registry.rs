//! `RegistryService`.

use refrain::proto::v1::{
    AddNamespaceRequest, Decision, ListNamespacesRequest, ListPurposesRequest, Purpose,
    PutPurposeRequest,
};
use tonic::Code;

use super::support::{Node, assert_refused, question, request_id};

fn put(name: &str) -> PutPurposeRequest {
    PutPurposeRequest {
        purpose: Some(Purpose {
            name: name.to_owned(),
            description: "For a test.".to_owned(),
            default_deny: Some(false),
            ..Purpose::default()
        }),
        ..PutPurposeRequest::default()
    }
}

#[tokio::test]
async fn purposes_ship_and_can_be_added() {
    let node = Node::start().await;
    let before = node.registry().list_purposes(ListPurposesRequest {}).await;
    let before = before.expect("list").into_inner();
    let names: Vec<&str> = before
        .purposes
        .iter()
        .map(|purpose| purpose.name.as_str())
        .collect();
    for shipped in [
        "analytics",
        "personalization",
        "advertising.targeted",
        "sale",
        "sharing",
        "marketing.email",
        "marketing.sms",
        "marketing.phone",
        "profiling",
        "ai_training",
    ] {
        assert!(names.contains(&shipped), "{shipped}");
    }
    assert!(names.is_sorted() && !names.contains(&"*"));

    let request = PutPurposeRequest {
        request_id: request_id(),
        ..put("marketing.email.weekly")
    };
    let done = node
        .registry()
        .put_purpose(request.clone())
        .await
        .expect("put")
        .into_inner();
    assert!(done.changed && !done.event_id.is_empty());
    assert_eq!((done.revision, &done.request_id), (2, &request.request_id));
    let purpose = done.purpose.clone().expect("purpose");
    assert_eq!(purpose.schema_version, before.schema_version + 1);
    let retried = node
        .registry()
        .put_purpose(request)
        .await
        .expect("retry")
        .into_inner();
    assert_eq!(retried, done);
    let repeated = node
        .registry()
        .put_purpose(put("marketing.email.weekly"))
        .await;
    let repeated = repeated.expect("repeat").into_inner();
    assert!(!repeated.changed && repeated.event_id.is_empty());

    let answer = node
        .check("ada@example.com", "marketing.email.weekly")
        .await;
    assert_eq!(answer.decision(), Decision::Allow);
    let mut newer = question("ada@example.com", "sale");
    newer.schema_version = purpose.schema_version;
    node.decisions()
        .check(newer)
        .await
        .expect("the registry is that new");
}

#[tokio::test]
async fn bad_purposes_get_a_reason() {
    let node = Node::start().await;
    let with = |change: fn(&mut Purpose), name: &str| {
        let mut request = put(name);
        request.purpose.as_mut().map(change);
        request
    };
    let invalid = Code::InvalidArgument;
    let precondition = Code::FailedPrecondition;
    for (request, code, reason) in [
        (PutPurposeRequest::default(), invalid, "PURPOSE_REQUIRED"),
        (put(""), invalid, "PURPOSE_INVALID"),
        (put("*"), invalid, "PURPOSE_INVALID"),
        (put("a.b.c.d.e.f.g.h.i"), invalid, "PURPOSE_INVALID"),
        (
            with(|it| it.description = "d".repeat(1_025), "fresh"),
            invalid,
            "PURPOSE_INVALID",
        ),
        (
            with(|it| it.schema_version = 1, "fresh"),
            invalid,
            "PURPOSE_INVALID",
        ),
        (
            with(|it| it.default_deny = None, "fresh"),
            invalid,
            "DEFAULT_REQUIRED",
        ),
        (
            with(|it| it.default_deny = None, "sale"),
            invalid,
            "DEFAULT_REQUIRED",
        ),
        (put("ai_training.images"), precondition, "WIDENS_ALLOW"),
        (put("nothing.below"), precondition, "PARENT_UNKNOWN"),
        (
            with(|it| it.essential = true, "sale"),
            precondition,
            "WIDENS_ALLOW",
        ),
        (put("ai_training"), precondition, "WIDENS_ALLOW"),
        (
            with(|it| it.essential = true, "marketing.legal"),
            precondition,
            "ESSENTIAL_MISPLACED",
        ),
    ] {
        let answer = node.registry().put_purpose(request).await;
        assert_refused(answer, code, reason);
    }
}

#[tokio::test]
async fn namespaces_are_added_once() {
    let node = Node::start().await;
    let add = |namespace: &str| {
        let request = AddNamespaceRequest {
            namespace: namespace.to_owned(),
            ..AddNamespaceRequest::default()
        };
        async { node.registry().add_namespace(request).await }
    };
    let first = add("brand-2").await.expect("add").into_inner();
    assert!(first.changed && !first.event_id.is_empty() && !first.request_id.is_empty());
    let again = add("brand-2").await.expect("again").into_inner();
    assert!(!again.changed && again.event_id.is_empty());
    let found = node
        .registry()
        .list_namespaces(ListNamespacesRequest {})
        .await;
    let found = found.expect("list").into_inner();
    assert_eq!(
        (found.namespaces, found.revision),
        (vec!["brand-2".to_owned(), "default".to_owned()], 2)
    );
    for bad in ["", "Brand", "a b", "-a", &"a".repeat(65)] {
        assert_refused(add(bad).await, Code::InvalidArgument, "NAMESPACE_INVALID");
    }
}

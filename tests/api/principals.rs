//! Who may ask what: tokens, and grants by namespace and purpose.

use refrain::{
    admission::{Entry, Grant, Permission, Permissions, TokenHash},
    domain::{Namespace, Principal, PurposeName},
    proto::v1::{
        AddNamespaceRequest, BatchCheckRequest, CheckRequest, CheckStreamRequest, Evidence,
        GetPreferencesRequest, ImportHeader, ImportOptOutsRequest, ImportRow, ImportRows,
        InitRequest, ItemError, ListEventsRequest, ListNamespacesRequest, ListPurposesRequest,
        Purpose, PutPurposeRequest, SetOptInRequest, SetOptOutRequest, WatchRequest,
        batch_check_item, check_stream_response, import_opt_outs_request::Part,
    },
};
use tonic::{Code, Request};

use super::support::{Node, assert_refused, email, opt_out, question, request_id};

/// A grant.
pub fn grant(
    permissions: &[Permission],
    namespaces: Option<&[&str]>,
    purposes: Option<&[&str]>,
) -> Grant {
    let namespace = |name: &&str| Namespace::parse(name).expect("namespace");
    let purpose = |name: &&str| PurposeName::parse(name).expect("purpose");
    Grant {
        permissions: Permissions::of(permissions),
        namespaces: namespaces.map(|names| names.iter().map(namespace).collect()),
        purposes: purposes.map(|names| names.iter().map(purpose).collect()),
    }
}

/// A node that knows these principals, each by its name for a token.
pub async fn with_principals(principals: impl IntoIterator<Item = (String, Vec<Grant>)>) -> Node {
    Node::start_with(|config| {
        for (name, grants) in principals {
            let entry = Entry {
                name: Principal::parse(&name).expect("name"),
                tokens: vec![TokenHash::of(name.as_bytes())],
                grants,
            };
            config.principals.add(entry).expect("principal");
        }
    })
    .await
}

/// A message with a token beside it.
pub fn by<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let value = format!("Bearer {token}").parse().expect("value");
    request.metadata_mut().insert("authorization", value);
    request
}

fn named(namespace: &str, request: SetOptOutRequest) -> SetOptOutRequest {
    SetOptOutRequest {
        namespace: namespace.to_owned(),
        ..request
    }
}

#[track_caller]
fn assert_denied<T: std::fmt::Debug>(answer: Result<T, tonic::Status>) {
    assert_refused(answer, Code::PermissionDenied, "PERMISSION_DENIED");
}

pub const ADA: &str = "ada@example.com";

/// A mailer that may ask and opt out for marketing in one namespace, and somebody who may do everything.
pub async fn mailer_and_root() -> Node {
    let may = [
        Permission::Check,
        Permission::OptOut,
        Permission::Watch,
        Permission::Import,
    ];
    let node = with_principals([
        (
            "mailer".to_owned(),
            vec![grant(&may, Some(&["shop"]), Some(&["marketing"]))],
        ),
        ("root".to_owned(), vec![grant(&Permission::ALL, None, None)]),
    ])
    .await;
    for namespace in ["shop", "bank"] {
        let add = AddNamespaceRequest {
            namespace: namespace.to_owned(),
            ..AddNamespaceRequest::default()
        };
        node.registry()
            .add_namespace(by("root", add))
            .await
            .expect("namespace");
    }
    node
}

#[tokio::test]
async fn a_grant_holds_for_its_namespace_and_purposes() {
    let node = mailer_and_root().await;
    let ask = |namespace: &str, purpose: &str| {
        let question = CheckRequest {
            namespace: namespace.to_owned(),
            ..question(ADA, purpose)
        };
        let mut client = node.decisions();
        async move { client.check(by("mailer", question)).await }
    };
    ask("shop", "marketing").await.expect("granted");
    ask("shop", "marketing.email")
        .await
        .expect("under what was granted");
    assert_denied(ask("shop", "sale").await);
    assert_denied(ask("shop", "*").await);
    assert_denied(ask("bank", "marketing.email").await);
    // None named means `default`.
    assert_denied(ask("", "marketing.email").await);
    // Whether a purpose is known is nothing that a stranger to it is told.
    assert_denied(ask("shop", "unheard_of").await);

    let mut preferences = node.preferences();
    let done = preferences
        .set_opt_out(by("mailer", named("shop", opt_out(ADA, "marketing.email"))))
        .await;
    assert!(done.expect("granted").into_inner().changed);
    for (namespace, purpose) in [("shop", "*"), ("shop", "sale"), ("bank", "marketing")] {
        let request = by("mailer", named(namespace, opt_out(ADA, purpose)));
        assert_denied(preferences.set_opt_out(request).await);
    }
    let mixed = SetOptOutRequest {
        purposes: vec!["marketing.sms".to_owned(), "sale".to_owned()],
        ..named("shop", opt_out(ADA, "sale"))
    };
    let answer = preferences.set_opt_out(by("mailer", mixed)).await;
    let status = answer.as_ref().expect_err("one of two").clone();
    assert_denied(answer);
    assert!(
        status
            .message()
            .contains("`opt_out` for `sale` in the namespace `shop`"),
        "{status:?}"
    );

    let opt_in = SetOptInRequest {
        namespace: "shop".to_owned(),
        identifiers: vec![email(ADA)],
        purposes: vec!["marketing.email".to_owned()],
        evidence: Some(Evidence {
            statement: "asked".to_owned(),
            ..Evidence::default()
        }),
        ..SetOptInRequest::default()
    };
    assert_denied(preferences.set_opt_in(by("mailer", opt_in.clone())).await);
    // All that was refused has changed nothing: the one opt-out is the one event of Ada's, by the one who made it.
    let history = ListEventsRequest {
        namespace: "shop".to_owned(),
        identifiers: vec![email(ADA)],
        ..ListEventsRequest::default()
    };
    let events = preferences.list_events(by("root", history.clone())).await;
    let events = events.expect("history").into_inner().events;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].principal, "mailer");

    // What tells of every purpose, or of every tenant, takes a grant for all of them.
    assert_denied(preferences.list_events(by("mailer", history)).await);
    let all = GetPreferencesRequest {
        namespace: "shop".to_owned(),
        identifiers: vec![email(ADA)],
        ..GetPreferencesRequest::default()
    };
    assert_denied(preferences.get_preferences(by("mailer", all)).await);
    let mut registry = node.registry();
    assert_denied(
        registry
            .list_namespaces(by("mailer", ListNamespacesRequest {}))
            .await,
    );
    let purposes = registry
        .list_purposes(by("mailer", ListPurposesRequest {}))
        .await;
    purposes.expect("whoever may ask may know the purposes");
}

#[tokio::test]
async fn a_batch_answers_what_may_be_asked() {
    let node = mailer_and_root().await;
    let ask = |purpose: &str| CheckRequest {
        namespace: "shop".to_owned(),
        ..question(ADA, purpose)
    };
    let denied = |error: &ItemError| {
        assert_eq!(
            (error.code, error.reason.as_str()),
            (Code::PermissionDenied.into(), "PERMISSION_DENIED")
        );
    };
    let items = ["marketing.email", "sale", "marketing.sms"]
        .map(ask)
        .to_vec();
    let request = by("mailer", BatchCheckRequest { items });
    let answer = node.decisions().batch_check(request).await;
    let results = answer.expect("batch").into_inner().results;
    let results: Vec<_> = results
        .into_iter()
        .map(|it| it.result.expect("result"))
        .collect();
    match &results[..] {
        [
            batch_check_item::Result::Ok(_),
            batch_check_item::Result::Error(error),
            batch_check_item::Result::Ok(_),
        ] => {
            denied(error);
        }
        other => panic!("{other:?}"),
    }
    let refused = BatchCheckRequest {
        items: vec![ask("sale")],
    };
    let answer = node.decisions().batch_check(by("mailer", refused)).await;
    let results = answer.expect("batch").into_inner().results;
    assert!(matches!(
        results[0].result,
        Some(batch_check_item::Result::Error(_))
    ));

    let questions = ["sale", "marketing.email"].map(|purpose| CheckStreamRequest {
        correlation_id: purpose.to_owned(),
        check: Some(ask(purpose)),
    });
    let answers = node
        .decisions()
        .check_stream(by("mailer", tokio_stream::iter(questions)))
        .await;
    let mut answers = answers.expect("stream").into_inner();
    for _ in 0..2 {
        let answer = answers.message().await.expect("answer").expect("one");
        match (
            answer.correlation_id.as_str(),
            answer.result.expect("result"),
        ) {
            ("sale", check_stream_response::Result::Error(error)) => denied(&error),
            ("marketing.email", check_stream_response::Result::Ok(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_feed_shows_no_more_than_was_granted() {
    let node = mailer_and_root().await;
    let follow = |namespaces: &[&str], purposes: &[&str]| {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let request = WatchRequest {
            namespaces: owned(namespaces),
            purposes: owned(purposes),
            ..WatchRequest::default()
        };
        let mut client = node.watches();
        async move { client.watch(by("mailer", request)).await.map(drop) }
    };
    follow(&["shop"], &["marketing.email"])
        .await
        .expect("granted");
    for (namespaces, purposes) in [
        (&[][..], &[][..]),
        (&["shop"], &[]),
        (&[], &["marketing"]),
        (&["shop", "bank"], &["marketing"]),
        (&["shop"], &["marketing", "sale"]),
        (&["shop"], &["*"]),
    ] {
        assert_denied(follow(namespaces, purposes).await);
    }
}

#[tokio::test]
async fn an_import_takes_the_grant_for_each_of_its_purposes() {
    let node = mailer_and_root().await;
    let import = |purposes: [&str; 2]| {
        let header = Part::Header(ImportHeader {
            import_id: request_id(),
            namespace: "shop".to_owned(),
            ..ImportHeader::default()
        });
        let row = |purpose: &str| ImportRow {
            identifiers: vec![email(ADA)],
            purposes: vec![purpose.to_owned()],
        };
        let rows = Part::Rows(ImportRows {
            first_row: 0,
            rows: purposes.map(row).to_vec(),
        });
        let messages = [header, rows].map(|part| ImportOptOutsRequest { part: Some(part) });
        let mut client = node.preferences();
        async move {
            let messages = by("mailer", tokio_stream::iter(messages));
            client.import_opt_outs(messages).await
        }
    };
    assert_denied(import(["marketing.email", "sale"]).await);
    let report = import(["marketing.email", "marketing.sms"]).await;
    assert_eq!(report.expect("granted").into_inner().changed, 2);
}

#[tokio::test]
async fn a_registrar_of_one_namespace_changes_nothing_for_the_others() {
    let may = [Permission::Registry, Permission::Cluster];
    let node =
        with_principals([("shop".to_owned(), vec![grant(&may, Some(&["shop"]), None)])]).await;
    let mut registry = node.registry();
    let add = |namespace: &str| {
        let add = AddNamespaceRequest {
            namespace: namespace.to_owned(),
            ..AddNamespaceRequest::default()
        };
        let mut registry = node.registry();
        async move { registry.add_namespace(by("shop", add)).await }
    };
    add("shop").await.expect("its own");
    assert_denied(add("bank").await);
    let put = PutPurposeRequest {
        purpose: Some(Purpose {
            name: "marketing.push".to_owned(),
            default_deny: Some(false),
            ..Purpose::default()
        }),
        ..PutPurposeRequest::default()
    };
    assert_denied(registry.put_purpose(by("shop", put)).await);
    assert_denied(node.cluster().init(by("shop", InitRequest {})).await);
}

//! What is open to everybody: the `OpenAPI` document, the page that shows it, and what a site tells of GPC.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    super::{principals::with_principals, support::Node},
    wire::get,
};

/// Every operation that the document describes: its method, its path, and whether it is open to everybody.
pub fn operations(document: &Value) -> Vec<(String, String, bool)> {
    let paths = document["paths"].as_object().expect("paths");
    let methods = paths.iter().flat_map(|(path, item)| {
        let item = item.as_object().expect("item").iter();
        item.map(move |(method, operation)| {
            let open = operation.get("security") == Some(&json!([{}]));
            (method.to_uppercase(), path.clone(), open)
        })
    });
    methods.collect()
}

#[tokio::test]
async fn the_document_describes_every_route() {
    let node = Node::start().await;
    let document = get(&node, "/openapi.json").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    let described: BTreeSet<String> = operations(&document)
        .into_iter()
        .map(|(method, path, _)| format!("{method} {path}"))
        .collect();
    let expected: BTreeSet<String> = [
        "PATCH /v1/{namespace}/preferences",
        "POST /v1/{namespace}/check",
        "POST /v1/{namespace}/batch-check",
        "POST /v1/{namespace}/stamps/verify",
        "POST /v1/{namespace}/preferences:query",
        "DELETE /v1/{namespace}/subjects/{token}/permissions/{purpose}",
        "GET /v1/{namespace}/subjects/{token}/preferences",
        "GET /v1/{namespace}/subjects/{token}/events",
        "POST /v1/{namespace}/tokens",
        "POST /v1/{namespace}/signals",
        "POST /v1/{namespace}/links",
        "GET /v1/{namespace}/changes",
        "GET /admin/v1/purposes",
        "PUT /admin/v1/purposes/{name}",
        "GET /admin/v1/overrides",
        "POST /admin/v1/overrides",
        "POST /admin/v1/overrides/{id}/approve",
        "POST /admin/v1/overrides/{id}/revoke",
        "GET /admin/v1/schema-floors",
        "PUT /admin/v1/schema-floors",
        "GET /admin/v1/services",
        "GET /admin/v1/changes",
        "POST /admin/v1/changes",
        "POST /admin/v1/changes/{id}/approve",
        "POST /admin/v1/changes/{id}/withdraw",
        "GET /admin/v1/namespaces",
        "PUT /admin/v1/namespaces/{namespace}",
        "GET /.well-known/gpc.json",
        "GET /.well-known/jwks.json",
        "GET /u/{link}",
        "POST /u/{link}",
    ]
    .into_iter()
    .map(str::to_owned)
    .collect();
    let missing: Vec<_> = expected.difference(&described).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[tokio::test]
async fn every_reference_in_the_document_leads_somewhere() {
    let node = Node::start().await;
    let answer = get(&node, "/openapi.json").await;
    let document = answer.json();
    let mut references = 0;
    for reference in answer.text.split("\"$ref\":\"").skip(1) {
        let reference = reference.split('"').next().expect("end");
        let pointer = reference.strip_prefix('#').expect("local");
        assert!(document.pointer(pointer).is_some(), "{reference}");
        references += 1;
    }
    assert!(references > 50, "{references}");
}

#[tokio::test]
async fn the_page_shows_the_document_with_nothing_from_elsewhere() {
    let node = with_principals([("nothing".to_owned(), Vec::new())]).await;
    let moved = get(&node, "/docs").await;
    assert_eq!(
        (moved.status.as_u16(), moved.header("location")),
        (308, "/docs/")
    );
    let page = get(&node, "/docs/").await;
    assert_eq!(page.status.as_u16(), 200);
    assert!(page.header("content-type").starts_with("text/html"));
    assert!(
        page.header("content-security-policy")
            .contains("default-src 'none'")
    );
    assert!(
        !page.text.contains("https://") && !page.text.contains("http://"),
        "{}",
        page.text
    );
    let scripts = page
        .text
        .split("src=\"")
        .skip(1)
        .map(|it| it.split('"').next().expect("end"));
    let scripts: Vec<&str> = scripts.collect();
    assert!(!scripts.is_empty(), "{}", page.text);
    for script in scripts {
        let path = format!("/docs/{}", script.trim_start_matches("./"));
        let script = get(&node, &path).await;
        assert_eq!(script.status.as_u16(), 200, "{path}");
        assert!(
            script.header("content-type").contains("javascript"),
            "{path}"
        );
    }
    let begin = get(&node, "/docs/swagger-initializer.js").await;
    assert!(begin.text.contains("/openapi.json"), "{}", begin.text);
}

#[tokio::test]
async fn gpc_is_told_of() {
    let node = with_principals([("nothing".to_owned(), Vec::new())]).await;
    let told = get(&node, "/.well-known/gpc.json").await.ok();
    assert_eq!(told["gpc"], true);
    let date = told["lastUpdate"].as_str().expect("date");
    assert!(date.len() == 10 && date.starts_with("20"), "{date}");
}

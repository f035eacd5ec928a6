//! The journal to those who verify: checkpoints, keys, tiles, receipts, over both codecs.

use refrain::{
    admission::Permission,
    proof::{
        Checkpoint, VerifierKeys,
        merkle::leaf_hash,
        path::Resource,
        tiles,
        tree::{Part, consistency, extends, parts, range_root},
    },
    proto::v1::{
        GetCheckpointRequest, GetReceiptRequest, ListJournalKeysRequest, SetOptOutRequest,
        journal_service_client::JournalServiceClient,
    },
    receipt,
};
use tonic::{Code, transport::Channel};

use super::{
    principals::{by, grant, with_principals},
    rest::wire::{Answer, get, json, send},
    support::{Node, assert_refused, email, opt_out, request_id},
};

fn journal(node: &Node) -> JournalServiceClient<Channel> {
    JournalServiceClient::new(node.channel.clone())
}

/// The keys of a node, as a verifier would keep them.
async fn keys(node: &Node) -> VerifierKeys {
    let text = get(node, "/journal/keys").await;
    assert_eq!(text.header("content-type"), "text/plain; charset=utf-8");
    VerifierKeys::read(&text.text).expect("keys")
}

/// A node's checkpoint, over both codecs until they are of one moment.
async fn checkpoint(node: &Node) -> Checkpoint {
    loop {
        let over_http = get(node, "/checkpoint").await;
        assert_eq!(over_http.status, 200, "{over_http:?}");
        assert_eq!(over_http.header("cache-control"), "no-store");
        let over_grpc = journal(node)
            .get_checkpoint(GetCheckpointRequest {})
            .await
            .expect("a checkpoint")
            .into_inner();
        if over_grpc.checkpoint == over_http.text {
            let keys = keys(node).await;
            return Checkpoint::verify(&over_http.text, &keys)
                .expect("signed")
                .0;
        }
    }
}

fn wanting(address: &str) -> SetOptOutRequest {
    SetOptOutRequest {
        receipt: true,
        ..opt_out(address, "analytics")
    }
}

async fn bytes(node: &Node, resource: Resource) -> Vec<u8> {
    use http_body_util::BodyExt as _;
    let path = format!("/{}", resource.path());
    let request = super::rest::wire::request("GET", &path, &[], "");
    let answer = super::rest::wire::raw(node, request).await;
    assert_eq!(answer.status(), 200, "{path}");
    assert_eq!(answer.headers()["content-type"], "application/octet-stream");
    let full = resource.is_full();
    let cached = answer.headers()["cache-control"].to_str().expect("text");
    assert_eq!(cached.contains("immutable"), full, "{path}: {cached}");
    answer
        .into_body()
        .collect()
        .await
        .expect("body")
        .to_bytes()
        .to_vec()
}

#[tokio::test]
async fn what_is_signed_was_read_before_its_key_was_judged() {
    // The other way round, a key that is retired in between would sign a journal that holds its retirement. It shows where a key is made
    // to sign: what it signs first is the journal of before it was added.
    let node = Node::start().await;
    let first = get(&node, "/checkpoint").await.text;
    let listed = journal(&node)
        .list_journal_keys(ListJournalKeysRequest {})
        .await
        .expect("keys")
        .into_inner();
    let (first, _) = Checkpoint::verify(&first, &keys(&node).await).expect("signed");
    assert!(first.size < listed.keys[0].added_at, "{first:?}");

    let node = Node::start().await;
    let wanting = wanting("ada@example.com");
    let changed = node.preferences().set_opt_out(wanting).await;
    let receipt = changed.expect("done").into_inner().receipt;
    let verified = receipt::verify(&receipt.expect("a receipt"), &keys(&node).await);
    let checkpoint = verified.expect("whole").checkpoint;
    let listed = journal(&node)
        .list_journal_keys(ListJournalKeysRequest {})
        .await
        .expect("keys")
        .into_inner();
    assert!(checkpoint.size < listed.keys[0].added_at, "{checkpoint:?}");
}

#[tokio::test]
async fn a_checkpoint_is_signed_by_a_key_that_the_cluster_knows() {
    let node = Node::start().await;
    let first = checkpoint(&node).await;
    assert!(first.origin.starts_with("refrain/"));
    let listed = journal(&node)
        .list_journal_keys(ListJournalKeysRequest {})
        .await
        .expect("keys")
        .into_inner();
    assert_eq!(listed.origin, first.origin);
    let key = &listed.keys[0];
    assert_eq!((listed.keys.len(), key.retired_at), (1, 0));
    assert!((1..=first.size).contains(&key.added_at));
    node.preferences()
        .set_opt_out(opt_out("ada@example.com", "sale"))
        .await
        .expect("done");
    let second = checkpoint(&node).await;
    assert_eq!(second.size, first.size + 1);
    assert_ne!(second.root, first.root);
}

#[tokio::test]
async fn tiles_and_bundles_give_the_root_of_the_checkpoint() {
    let node = Node::start().await;
    let before = checkpoint(&node).await;
    node.opt_out_many(600).await;
    let after = checkpoint(&node).await;
    assert!(after.size > 600);
    let mut leaves = Vec::new();
    for number in 0..after.size.div_ceil(256) {
        let width = u16::try_from((after.size - number * 256).min(256)).expect("width");
        let resource = Resource {
            level: None,
            number,
            width,
        };
        let bundle = bytes(&node, resource).await;
        let entries = tiles::entries(&bundle, width).expect("whole");
        leaves.extend(entries.into_iter().map(leaf_hash));
        let tile = Resource {
            level: Some(0),
            ..resource
        };
        let hashes = tiles::hashes(&bytes(&node, tile).await, width).expect("whole");
        assert!(leaves.ends_with(&hashes));
    }
    let mut peaks = refrain::proof::merkle::Peaks::default();
    peaks.extend(&leaves);
    assert_eq!(peaks.root(), after.root);
    let mut proof = Vec::new();
    for range in consistency(before.size, after.size) {
        let mut hashes = Vec::new();
        for part in parts(&range) {
            hashes.push(fetched(&node, &part, after.size).await);
        }
        proof.push(range_root(hashes.iter().map(Vec::as_slice)));
    }
    assert!(extends(
        (before.size, &before.root),
        (after.size, &after.root),
        &proof
    ));
}

async fn fetched(node: &Node, part: &Part, size: u64) -> Vec<[u8; 32]> {
    let tile = part.tile(size);
    let bytes = bytes(node, tile).await;
    tiles::hashes(&bytes, tile.width).expect("whole")[part.within()].to_vec()
}

#[tokio::test]
async fn what_is_no_tile_is_not_found() {
    let node = Node::start().await;
    for path in [
        "/tile/0/000",
        "/tile/0/000.p/200",
        "/tile/0/000.p/0",
        "/tile/0/0",
        "/tile/entries/000",
        "/tile/entries/x001/000",
        "/tile/9/000",
        "/tile/-1/000",
        "/tile/0/000/",
        "/tile/entries/..%2f000",
    ] {
        get(&node, path).await.refused(404, "TILE_UNKNOWN");
    }
    get(&node, "/tile/%ff").await.refused(400, "PATH_INVALID");
}

#[tokio::test]
async fn a_change_comes_with_its_receipt_where_one_is_wanted() {
    let node = Node::start().await;
    let done = node
        .preferences()
        .set_opt_out(opt_out("eve@example.com", "sale"))
        .await;
    let done = done.expect("done").into_inner();
    assert_eq!((done.receipt, done.receipt_missing), (None, String::new()));

    let mut client = node.preferences();
    let done = client.set_opt_out(wanting("ada@example.com")).await;
    let done = done.expect("done").into_inner();
    assert_eq!(done.receipt_missing, "");
    let keys = keys(&node).await;
    let verified = receipt::verify(&done.receipt.expect("a receipt"), &keys).expect("whole");
    assert_eq!(verified.event.id.to_string(), done.event_id);
    assert_eq!(verified.event.revision, done.revision);
    // A repeat changes nothing, and has the receipt of the event that stands.
    let again = client.set_opt_out(wanting("ada@example.com")).await;
    let again = again.expect("done").into_inner();
    assert!(!again.changed);
    let same = receipt::verify(&again.receipt.expect("a receipt"), &keys).expect("whole");
    assert_eq!(same.event, verified.event);

    let wish = serde_json::json!({
        "identifiers": [{ "type": "email", "value": "bob@example.com" }],
        "preferences": { "sale": "out" },
        "receipt": true,
    });
    let changed = json(&node, "PATCH", "/v1/default/preferences", &wish)
        .await
        .ok();
    let document = changed["receipt"].to_string();
    let verified = receipt::verify_json(document.as_bytes(), &keys).expect("whole");
    assert_eq!(verified.event.id.to_string(), changed["event_id"]);
    assert!(!document.contains("bob"));
}

/// A repeat is answered with the event that stands, which may name more of a person than who repeats it knows.
#[tokio::test]
async fn the_receipt_of_anothers_event_is_given_to_who_may_audit_it_alone() {
    let may = [Permission::OptOut];
    let narrow = grant(&may, None, Some(&["marketing"]));
    let audit = grant(&[Permission::Audit], Some(&["default"]), None);
    let node = with_principals([
        ("shop".to_owned(), vec![grant(&may, None, None)]),
        ("mailer".to_owned(), vec![narrow]),
        ("officer".to_owned(), vec![grant(&may, None, None), audit]),
    ])
    .await;
    let mut first = wanting("ada@example.com");
    first.purposes = vec!["marketing".to_owned(), "sale".to_owned()];
    first.identifiers.push(email("lovelace@example.com"));
    let mut client = node.preferences();
    let first = client.set_opt_out(by("shop", first)).await;
    let first = first.expect("done").into_inner();
    assert!(first.receipt.is_some());

    let mut again = wanting("ada@example.com");
    again.purposes = vec!["marketing".to_owned()];
    for (name, gets) in [("mailer", false), ("officer", true), ("shop", true)] {
        let again = SetOptOutRequest {
            request_id: request_id(),
            ..again.clone()
        };
        let again = client.set_opt_out(by(name, again)).await;
        let again = again.expect("done").into_inner();
        assert!(!again.changed);
        assert_eq!(again.event_id, first.event_id);
        assert_eq!(again.receipt.is_some(), gets, "{name}");
        let missing = if gets { "" } else { "PERMISSION_DENIED" };
        assert_eq!(again.receipt_missing, missing, "{name}");
    }
}

#[tokio::test]
async fn the_receipt_of_an_earlier_event_is_given_to_who_may_audit_it() {
    let audit = |namespaces: Option<&[&str]>| vec![grant(&[Permission::Audit], namespaces, None)];
    let all = vec![grant(&Permission::ALL, None, None)];
    let node = with_principals([
        ("root".to_owned(), all),
        ("auditor".to_owned(), audit(None)),
        ("tenant".to_owned(), audit(Some(&["default"]))),
    ])
    .await;
    let set = by("root", opt_out("ada@example.com", "sale"));
    let set = node.preferences().set_opt_out(set).await;
    let revision = set.expect("done").into_inner().revision;
    let ask = |token: &'static str, namespace: &str, revision| {
        let request = GetReceiptRequest {
            namespace: namespace.to_owned(),
            revision,
        };
        let mut client = journal(&node);
        async move { client.get_receipt(by(token, request)).await }
    };
    for token in ["auditor", "tenant"] {
        let made = ask(token, "default", revision)
            .await
            .expect("a receipt")
            .into_inner();
        let verified = receipt::verify(&made.receipt.expect("one"), &keys(&node).await);
        assert_eq!(verified.expect("whole").event.revision, revision);
    }
    // The first event concerns the whole cluster.
    ask("auditor", "", 1).await.expect("a receipt");
    assert_refused(
        ask("tenant", "", 1).await,
        Code::PermissionDenied,
        "PERMISSION_DENIED",
    );
    assert_refused(
        ask("tenant", "default", 1).await,
        Code::NotFound,
        "EVENT_UNKNOWN",
    );
    assert_refused(
        ask("auditor", "", revision).await,
        Code::NotFound,
        "EVENT_UNKNOWN",
    );
    assert_refused(
        ask("auditor", "default", 0).await,
        Code::InvalidArgument,
        "REVISION_INVALID",
    );
    let ahead = ask("auditor", "default", 99).await;
    assert_refused(ahead, Code::FailedPrecondition, "REVISION_AHEAD");

    let told = |path: String, token: &'static str| {
        let node = &node;
        async move {
            let bearer = format!("Bearer {token}");
            send(node, "GET", &path, &[("authorization", &bearer)], "").await
        }
    };
    let document: Answer = told(format!("/v1/default/receipts/{revision}"), "tenant").await;
    let document = document.ok().to_string();
    receipt::verify_json(document.as_bytes(), &keys(&node).await).expect("whole");
    told("/admin/v1/receipts/1".to_owned(), "auditor")
        .await
        .ok();
    let denied = told("/admin/v1/receipts/1".to_owned(), "tenant").await;
    denied.refused(403, "PERMISSION_DENIED");
    // Tiles hold the events of every namespace.
    let tile = told("/tile/entries/000.p/1".to_owned(), "tenant").await;
    tile.refused(403, "PERMISSION_DENIED");
    let tile = told("/tile/0/000.p/1".to_owned(), "auditor").await;
    assert_eq!(tile.status, 200);
}

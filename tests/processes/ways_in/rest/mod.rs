//! REST on a cluster of three: each route of the document is called, and what it did is seen through another node.

mod administration;
mod monitor;
mod open;
mod people;
mod proof;

use serde_json::{Value, json};

use super::http::{Answer, Calls};
use super::trio::{ADA, STEADY, Trio};

/// The cluster, and what was called of it.
struct Site {
    trio: Trio,
    calls: Calls,
    /// The places of the nodes: the leader, and the two that follow.
    leader: usize,
    near: usize,
    far: usize,
}

impl Site {
    async fn start() -> Self {
        let trio = Trio::start(&STEADY).await;
        let [leader, near, far] = trio.places().await;
        Self {
            trio,
            calls: Calls::default(),
            leader,
            near,
            far,
        }
    }

    fn address(&self, place: usize) -> &str {
        &self.trio.nodes[place].client
    }

    /// Calls a route with headers of one's own.
    async fn call(
        &self,
        place: usize,
        (method, path): (&str, &str),
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let node = self.address(place);
        self.calls.call(node, method, path, headers, body).await
    }

    /// Calls a route as somebody, with JSON.
    async fn ask(&self, place: usize, who: &str, route: (&str, &str), body: &Value) -> Answer {
        self.ask_with(place, who, route, &[], body).await
    }

    /// The same, with more headers.
    async fn ask_with(
        &self,
        place: usize,
        who: &str,
        route: (&str, &str),
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Answer {
        let token = format!("Bearer {who}");
        let mut with = vec![("authorization", token.as_str())];
        with.extend(headers);
        if body.is_null() {
            return self.call(place, route, &with, "").await;
        }
        with.push(("content-type", "application/json"));
        self.call(place, route, &with, &body.to_string()).await
    }

    /// Reads a route as somebody who may do everything.
    async fn read(&self, place: usize, path: &str) -> Value {
        self.ask(place, ADA, ("GET", path), &json!(null)).await.ok()
    }

    /// Holds that somebody may not call a route, and that the cluster is what it was.
    async fn forbidden(&self, place: usize, who: &str, route: (&str, &str), body: &Value) {
        let gpc = [("sec-gpc", "1")];
        let unchanged = async {
            let refused = self.ask_with(place, who, route, &gpc, body).await;
            refused.refused(403, "PERMISSION_DENIED");
        };
        self.unchanged(unchanged).await;
    }

    /// Holds that something makes no event, as another node tells.
    async fn unchanged<T>(&self, done: impl Future<Output = T>) -> T {
        let before = self.revision().await;
        let done = done.await;
        assert_eq!(self.revision().await, before, "nothing may have changed");
        done
    }

    /// The cluster's revision: a linearizable read, on the leader.
    async fn revision(&self) -> Value {
        self.read(self.leader, "/admin/v1/purposes").await["revision"].clone()
    }

    /// Asks one node whether something may be done.
    async fn check(&self, place: usize, address: &str, purpose: &str) -> Value {
        let question = json!({ "identifiers": [email(address)], "purpose": purpose });
        let route = ("POST", "/v1/default/check");
        self.ask(place, ADA, route, &question).await.ok()
    }
}

fn email(address: &str) -> Value {
    json!({ "type": "email", "value": address })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_does_what_another_node_sees() {
    let site = Site::start().await;
    people::are_asked_about_and_change_their_minds(&site).await;
    people::have_their_evidence_erased(&site).await;
    people::signal_and_unsubscribe(&site).await;
    people::are_followed(&site).await;
    proof::is_given(&site).await;
    monitor::is_judged(&site).await;
    administration::of_namespaces_and_purposes(&site).await;
    administration::of_floors_and_services(&site).await;
    administration::by_two_principals(&site).await;
    let document = open::documents(&site).await;

    let well = |_: &Value, status: u16| (200..300).contains(&status);
    let never = site.calls.missing(&document, well);
    assert!(never.is_empty(), "never answered well: {never:?}");
    // Where the document says that nobody has to be known, there is nobody to refuse.
    let refused = |operation: &Value, status: u16| {
        let open = operation.get("security") == Some(&json!([{}]));
        open || status == 403
    };
    let never = site.calls.missing(&document, refused);
    assert!(never.is_empty(), "never refused to anybody: {never:?}");
}

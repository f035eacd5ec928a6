//! A stamp that one node signed is read by all, outlives its key and its signer, and ends with an opt-out.

use std::path::Path;

use refrain::client::Client;
use refrain::client::stamps::{LiveStamps, NoGoAhead, Whose};
use refrain::clock::{Clock as _, SystemClock};
use refrain::proto::v1::{
    CheckResponse, Decision, ListStampKeysRequest, Reason, StampKey, VerifyStampRequest,
    VerifyStampResponse, stamp_service_client::StampServiceClient,
};
use refrain::stamp::{KeySet, Offline, Wanted};
use refrain::storage::secrets::STAMPS;
use tokio::time::timeout;

use super::http::Calls;
use super::trio::{ADA, Trio, question, unless_away};
use crate::support::{PATIENCE, eventually};

const GRACE: &str = "grace@example.com";
const PURPOSE: &str = "analytics";
const WANTED: Wanted<'_> = Wanted {
    namespace: "default",
    purpose: PURPOSE,
};

/// An answer with a stamp, which the node that is asked signs.
async fn signed(trio: &Trio, place: usize) -> CheckResponse {
    let mut asked = question(GRACE, PURPOSE);
    asked.want_stamp = true;
    eventually("a stamp", || async {
        let answer = unless_away(trio.check(place, ADA, asked.clone()).await)?;
        (!answer.stamp.is_empty()).then_some(answer)
    })
    .await
}

/// What a node says of a stamp now.
async fn verified(trio: &Trio, place: usize, stamp: &str) -> VerifyStampResponse {
    let verify = VerifyStampRequest {
        stamp: stamp.to_owned(),
        purpose: PURPOSE.to_owned(),
        ..VerifyStampRequest::default()
    };
    let answer = eventually("a stamp is verified", || async {
        let mut client = StampServiceClient::new(trio.line(place, ADA));
        unless_away(client.verify(verify.clone()).await)
    })
    .await;
    answer.into_inner()
}

/// The public keys that a node serves, as anybody can read them.
async fn jwks(trio: &Trio, place: usize) -> KeySet {
    let node = &trio.nodes[place].client;
    let route = "/.well-known/jwks.json";
    let set = eventually("the keys are served", || async {
        let answer = Calls::default().call(node, "GET", route, &[], "").await;
        (answer.status == 200).then_some(answer.text)
    })
    .await;
    KeySet::from_json(set.as_bytes()).unwrap()
}

/// Holds that these nodes allow by a stamp, and that their keys alone show it to be genuine.
async fn good_at(trio: &Trio, places: &[usize], answer: &CheckResponse) {
    for place in places {
        let now = verified(trio, *place, &answer.stamp).await;
        assert_eq!(now.decision(), Decision::Allow, "node {place}: {now:?}");
        assert_eq!(now.stamped_revision, answer.revision);
        let seconds = SystemClock.now().0 / 1_000;
        match jwks(trio, *place)
            .await
            .judge(&answer.stamp, WANTED, seconds)
        {
            Offline::AllowedAsOf(allowed) => assert_eq!(allowed.revision(), answer.revision),
            Offline::Deny(why) => panic!("node {place}: {why}"),
        }
    }
}

async fn keys_of(trio: &Trio, place: usize, node: &str) -> Vec<StampKey> {
    let keys = eventually("the keys are listed", || async {
        let mut client = StampServiceClient::new(trio.line(place, ADA));
        unless_away(client.list_keys(ListStampKeysRequest {}).await)
    })
    .await;
    let keys = keys.into_inner().keys.into_iter();
    keys.filter(|key| key.node_id == node).collect()
}

/// Waits until a stamp is a go-ahead for who follows the cluster.
async fn go_ahead(stamps: &LiveStamps, stamp: &str) {
    eventually("a go-ahead", || async {
        let judged = stamps.check(stamp, WANTED, Whose::TheStamps).await;
        judged.ok().map(|allowed| assert!(allowed.age() < PATIENCE))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stamp_outlives_its_key_and_its_signer_and_not_an_opt_out() {
    let mut trio = Trio::start(&[]).await;
    let [signer, near, far] = trio.places().await;
    let client = Client::builder()
        .endpoints([near, far].map(|place| trio.nodes[place].client.clone()))
        .bearer(ADA)
        .build()
        .unwrap();
    let live = client.live_stamps().start().unwrap();
    timeout(PATIENCE, live.until_live()).await.unwrap();

    let first = signed(&trio, signer).await;
    good_at(&trio, &[near, far, signer], &first).await;
    go_ahead(&live, &first.stamp).await;

    // The signer loses its key: it signs with another, and what it signed before is still good.
    trio.nodes[signer].terminate().await;
    let secrets = trio.nodes[signer].data.join(Path::new(STAMPS.name));
    std::fs::remove_file(&secrets).unwrap();
    trio.nodes[signer].restart().await;
    let second = eventually("another key signs", || async {
        let answer = signed(&trio, signer).await;
        let header = |stamp: &str| stamp.split('.').next().map(str::to_owned);
        (header(&answer.stamp) != header(&first.stamp)).then_some(answer)
    })
    .await;
    let keys = keys_of(&trio, near, &trio.nodes[signer].id).await;
    let retired = keys.iter().map(|key| key.accepted_until.is_some());
    assert_eq!(retired.collect::<Vec<_>>(), [true, false], "{keys:?}");
    for stamp in [&first, &second] {
        good_at(&trio, &[near, far, signer], stamp).await;
        go_ahead(&live, &stamp.stamp).await;
    }

    // It is killed: whoever is left vouches for it.
    trio.nodes[signer].kill();
    for stamp in [&first, &second] {
        good_at(&trio, &[near, far], stamp).await;
        go_ahead(&live, &stamp.stamp).await;
    }

    // The person opts out through one node: the other denies, and so does who follows.
    let done = trio.opt_out(far, GRACE, PURPOSE).await;
    for stamp in [&first, &second] {
        let now = verified(&trio, near, &stamp.stamp).await;
        assert_eq!(
            (now.decision(), now.reason()),
            (Decision::Deny, Reason::OptedOut)
        );
        assert_eq!(now.stamped_decision(), Decision::Allow);
    }
    eventually("the watch comes to the opt-out", || async {
        (live.revision() >= done.revision).then_some(())
    })
    .await;
    let changed = done.revision;
    for CheckResponse {
        stamp, revision, ..
    } in [first, second]
    {
        let why = NoGoAhead::SubjectChanged { revision, changed };
        eventually("the follower knows why it denies", || async {
            let no = live.check(&stamp, WANTED, Whose::TheStamps).await;
            // On a slow machine it may deny for its own silence first; it never allows.
            (no.expect_err("a go-ahead after the opt-out") == why).then_some(())
        })
        .await;
    }
}

//! An override whose leader crashes ends at its time on every node, and its last event tells what it let through.

use std::time::{Duration, SystemTime};

use refrain::admission::{Entry, Grant, Permission, Permissions, TokenHash};
use refrain::clock::Clock as _;
use refrain::config::Config;
use refrain::domain::Principal;
use refrain::proto::v1::watch_response::Item;
use refrain::proto::v1::{
    ApproveOverrideRequest, CheckRequest, CheckResponse, Decision, Event, EventKind,
    ListOverridesRequest, ListOverridesResponse, OverrideScope, ProposeOverrideRequest, Reason,
    ServiceCount, SetOptOutRequest, WatchRequest, decision_service_client::DecisionServiceClient,
    override_service_client::OverrideServiceClient,
    preference_service_client::PreferenceServiceClient, watch_service_client::WatchServiceClient,
};
use tokio::time::sleep;
use tonic::Status;

use super::principals::{by, form, leader};
use super::stage::{Hands, PATIENCE, tell_configured};
use crate::calls::identifiers;
use crate::clock::SimulatedClock;
use crate::operator::until;
use crate::world::channel;

const ADA: &str = "ada";
const BOB: &str = "bob";
const SERVICE: &str = "newsletter";
const PURPOSE: &str = "analytics";
/// How long the override lasts.
const LASTING: Duration = Duration::from_secs(20);

/// Two who may do everything, and what was counted is reported soon.
fn configure(config: &mut Config) {
    config.usage_report = Duration::from_secs(1);
    for name in [ADA, BOB] {
        let all = Grant::unlimited(Permissions::of(&Permission::ALL));
        let entry = Entry {
            name: Principal::parse(name).unwrap(),
            tokens: vec![TokenHash::of(name.as_bytes())],
            grants: vec![all],
        };
        config.principals.add(entry).unwrap();
    }
}

async fn check(place: usize) -> Result<CheckResponse, Status> {
    let question = CheckRequest {
        identifiers: identifiers(&["s1".to_owned()]),
        purpose: PURPOSE.to_owned(),
        service: SERVICE.to_owned(),
        ..CheckRequest::default()
    };
    let mut client = DecisionServiceClient::new(channel(place));
    Ok(client.check(by(ADA, question)).await?.into_inner())
}

/// What the story knows of the override.
struct Standing {
    id: String,
    ends: SystemTime,
    /// How often a node said that it lifts.
    lifted: u64,
}

impl Standing {
    /// Asks a node until it answers, and holds that it lifts until its end and not a moment longer.
    async fn asked(&mut self, place: usize) -> Decision {
        let answer = until("a check is answered", PATIENCE, || async {
            check(place).await.ok()
        })
        .await;
        let at = SystemTime::try_from(answer.evaluated_at.unwrap()).unwrap();
        if at < self.ends {
            assert_eq!(answer.reason(), Reason::Overridden, "{answer:?}");
            assert_eq!(answer.override_id, self.id);
            self.lifted += 1;
        } else {
            assert_eq!(answer.reason(), Reason::OptedOut, "{answer:?}");
        }
        answer.decision()
    }

    fn totals(&self) -> Vec<ServiceCount> {
        vec![ServiceCount {
            service: SERVICE.to_owned(),
            count: self.lifted,
        }]
    }

    /// Waits until a node lists all that was let through so far.
    async fn counted(&self, place: usize) {
        until("what was counted is reported", PATIENCE, || async {
            let listed = list(place).await?;
            (listed.overrides[0].lifted == self.totals()).then_some(())
        })
        .await;
    }
}

async fn list(place: usize) -> Option<ListOverridesResponse> {
    let mut client = OverrideServiceClient::new(channel(place));
    let listed = client.list_overrides(by(BOB, ListOverridesRequest {}));
    Some(listed.await.ok()?.into_inner())
}

/// Opts the subject out, and has that lifted by two.
async fn lift(near: usize, far: usize) -> Standing {
    let out = SetOptOutRequest {
        identifiers: identifiers(&["s1".to_owned()]),
        purposes: vec![PURPOSE.to_owned()],
        ..SetOptOutRequest::default()
    };
    let mut preferences = PreferenceServiceClient::new(channel(near));
    preferences.set_opt_out(by(ADA, out)).await.unwrap();
    let now = Duration::from_millis(SimulatedClock::default().now().0);
    let ends = SystemTime::UNIX_EPOCH + now + LASTING;
    let propose = ProposeOverrideRequest {
        scope: Some(OverrideScope {
            purposes: vec![PURPOSE.to_owned()],
            services: vec![SERVICE.to_owned()],
            ..OverrideScope::default()
        }),
        reason: "a recall of a dangerous toy".to_owned(),
        expires_at: Some(ends.into()),
        ..ProposeOverrideRequest::default()
    };
    let mut overrides = OverrideServiceClient::new(channel(near));
    let proposed = overrides.propose_override(by(ADA, propose)).await.unwrap();
    let id = proposed.into_inner().override_id;
    let denied = check(far).await.unwrap();
    assert_eq!(denied.decision(), Decision::Deny, "only proposed");
    let approve = ApproveOverrideRequest {
        override_id: id.clone(),
        ..ApproveOverrideRequest::default()
    };
    let mut overrides = OverrideServiceClient::new(channel(far));
    overrides.approve_override(by(BOB, approve)).await.unwrap();
    Standing {
        id,
        ends,
        lifted: 0,
    }
}

/// The event that ends an override, once it comes; however often the connection to the node breaks.
async fn ended(place: usize) -> Event {
    loop {
        let mut client = WatchServiceClient::new(channel(place));
        let follow = WatchRequest {
            from_revision: 1,
            ..WatchRequest::default()
        };
        let Ok(news) = client.watch(by(ADA, follow)).await else {
            sleep(Duration::from_secs(1)).await;
            continue;
        };
        let mut news = news.into_inner();
        while let Ok(Some(sent)) = news.message().await {
            if let Some(Item::Event(event)) = sent.item
                && event.kind() == EventKind::OverrideEnded
            {
                return event;
            }
        }
    }
}

async fn story(hands: Hands) {
    form(ADA).await;
    for place in 0..3 {
        until("a node serves", PATIENCE, || async {
            check(place).await.ok()
        })
        .await;
    }
    let old = leader(0, ADA).await;
    let (near, far) = ((old + 1) % 3, (old + 2) % 3);
    let mut standing = lift(near, far).await;
    for place in [old, near, far, old] {
        assert_eq!(standing.asked(place).await, Decision::Allow);
    }
    standing.counted(near).await;

    hands.crash(old).await;
    for place in [near, far] {
        assert_eq!(standing.asked(place).await, Decision::Allow);
    }
    standing.counted(far).await;
    // To its end and past it, on those that are left; then on the one that comes back.
    let mut lifts = true;
    while lifts {
        sleep(Duration::from_millis(500)).await;
        lifts = standing.asked(near).await == Decision::Allow;
        standing.asked(far).await;
    }
    hands.restart(old).await;
    assert_eq!(standing.asked(old).await, Decision::Deny, "a restart");
    let event = ended(old).await;
    assert_eq!(event.change_id, standing.id);
    assert_eq!(event.lifted, standing.totals());
    assert_eq!(event, ended(far).await);
    for place in 0..3 {
        let left = until("a node lists", PATIENCE, || list(place)).await;
        assert!(left.overrides.is_empty(), "{left:?}");
        assert_eq!(standing.asked(place).await, Decision::Deny);
    }
}

#[test]
fn an_override_ends_at_its_time_with_what_it_let_through() {
    tell_configured(4_711, 3, None, configure, story);
}

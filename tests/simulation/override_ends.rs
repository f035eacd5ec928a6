//! An override whose leader crashes ends at its time on every node, and its last event tells what it let through.

use std::sync::{Arc, Mutex};
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

use crate::cluster::{NODES, by, email, form, leader, simulation, until};
use crate::world::{Platter, SimulatedClock, channel, node};

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

/// Which node is down, as the story wants it.
type Down = Arc<Mutex<Option<usize>>>;

async fn check(place: usize) -> Result<CheckResponse, Status> {
    let question = CheckRequest {
        identifiers: email(1),
        purpose: PURPOSE.to_owned(),
        service: SERVICE.to_owned(),
        ..CheckRequest::default()
    };
    let mut client = DecisionServiceClient::new(channel(NODES[place]));
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
        let answer = until("a check is answered", || async { check(place).await.ok() }).await;
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
        until("what was counted is reported", || async {
            let listed = list(place).await?;
            (listed.overrides[0].lifted == self.totals()).then_some(())
        })
        .await;
    }
}

async fn list(place: usize) -> Option<ListOverridesResponse> {
    let mut client = OverrideServiceClient::new(channel(NODES[place]));
    let listed = client.list_overrides(by(BOB, ListOverridesRequest {}));
    Some(listed.await.ok()?.into_inner())
}

/// Opts the subject out, and has that lifted by two.
async fn lift(near: usize, far: usize) -> Standing {
    let out = SetOptOutRequest {
        identifiers: email(1),
        purposes: vec![PURPOSE.to_owned()],
        ..SetOptOutRequest::default()
    };
    let mut preferences = PreferenceServiceClient::new(channel(NODES[near]));
    preferences.set_opt_out(by(ADA, out)).await.unwrap();
    let now = Duration::from_millis(SimulatedClock.now().0);
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
    let mut overrides = OverrideServiceClient::new(channel(NODES[near]));
    let proposed = overrides.propose_override(by(ADA, propose)).await.unwrap();
    let id = proposed.into_inner().override_id;
    let denied = check(far).await.unwrap();
    assert_eq!(denied.decision(), Decision::Deny, "only proposed");
    let approve = ApproveOverrideRequest {
        override_id: id.clone(),
        ..ApproveOverrideRequest::default()
    };
    let mut overrides = OverrideServiceClient::new(channel(NODES[far]));
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
        let mut client = WatchServiceClient::new(channel(NODES[place]));
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

async fn story(down: Down) {
    form(ADA).await;
    for place in 0..NODES.len() {
        until("a node serves", || async { check(place).await.ok() }).await;
    }
    let old = leader(NODES[0], ADA).await;
    let (near, far) = ((old + 1) % 3, (old + 2) % 3);
    let mut standing = lift(near, far).await;
    for place in [old, near, far, old] {
        assert_eq!(standing.asked(place).await, Decision::Allow);
    }
    standing.counted(near).await;

    *down.lock().unwrap() = Some(old);
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
    *down.lock().unwrap() = None;
    assert_eq!(standing.asked(old).await, Decision::Deny, "a restart");
    let event = ended(old).await;
    assert_eq!(event.change_id, standing.id);
    assert_eq!(event.lifted, standing.totals());
    assert_eq!(event, ended(far).await);
    for place in 0..NODES.len() {
        let left = until("a node lists", || list(place)).await;
        assert!(left.overrides.is_empty(), "{left:?}");
        assert_eq!(standing.asked(place).await, Decision::Deny);
    }
}

#[test]
fn an_override_ends_at_its_time_with_what_it_let_through() {
    let mut simulation = simulation(Duration::from_secs(900));
    for name in NODES {
        let platter = Platter::default();
        simulation.host(name, move || {
            let platter = platter.clone();
            async move { node(name, platter, configure).await }
        });
    }
    let down = Down::default();
    let wanted = Arc::clone(&down);
    simulation.client("client", async {
        story(wanted).await;
        Ok(())
    });
    let mut is_down = None;
    while !simulation.step().unwrap() {
        let wanted = *down.lock().unwrap();
        if wanted == is_down {
            continue;
        }
        match (is_down, wanted) {
            (_, Some(place)) => simulation.crash(NODES[place]),
            (Some(place), None) => simulation.bounce(NODES[place]),
            (None, None) => {}
        }
        is_down = wanted;
    }
}

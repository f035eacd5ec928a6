//! Stamps without a call for each: read by their signature, or held against a watch.

mod fitting;
mod following;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use refrain::{
    client::{
        Client, ClientBuilder,
        stamps::{GoAhead, LiveStamps, NoGoAhead, Whose},
    },
    clock::{Clock, Millis},
    proto::v1::{EventKind, Purpose},
    stamp::{Claims, Denied, SigningKey, StampError, Stamped, Wanted},
};
use tonic::Code;

use super::fake::{CLUSTER, Fake, Fault, key, noon, refusal, refusal_with};

const BEAT: Duration = Duration::from_millis(100);
const BOUND: Duration = Duration::from_millis(300);
const PURPOSE: &str = "marketing.email";
const WANTED: Wanted<'_> = Wanted {
    namespace: "",
    purpose: PURPOSE,
};

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// The wall clock of the client, in milliseconds.
#[derive(Clone)]
struct Wall(Arc<AtomicU64>);

impl Wall {
    fn at_noon() -> Self {
        Self(Arc::new(AtomicU64::new(seconds() * 1_000)))
    }

    fn turn(&self, seconds: i64) {
        let now = self.0.load(Ordering::SeqCst);
        self.0
            .store(now.saturating_add_signed(seconds * 1_000), Ordering::SeqCst);
    }
}

impl Clock for Wall {
    fn now(&self) -> Millis {
        Millis(self.0.load(Ordering::SeqCst))
    }
}

fn seconds() -> u64 {
    u64::try_from(noon().seconds).unwrap()
}

fn token(number: u8) -> String {
    format!("1:{}", hex::encode([number; 16]))
}

/// A stamp by the made-up cluster.
fn stamp(number: u8, revision: u64, alter: impl FnOnce(&mut Claims)) -> String {
    let mut claims = Claims {
        cluster_id: hex::encode(CLUSTER),
        subject: token(number),
        tokens: vec![token(number)],
        namespace: "default".to_owned(),
        purposes: vec![PURPOSE.to_owned()],
        decision: Stamped::Allow,
        revision,
        service: String::new(),
        issued_at: seconds(),
        expires_at: seconds() + 900,
        decision_id: "made-up".to_owned(),
    };
    alter(&mut claims);
    key().sign(&claims).unwrap()
}

fn ready(node: &Fake) {
    let mut model = node.model();
    model.stamp_keys.push(key().public());
    let purpose = Purpose {
        name: PURPOSE.to_owned(),
        ..Purpose::default()
    };
    model.purposes.insert(PURPOSE.to_owned(), purpose);
    model.record(EventKind::Created.into(), &[]);
}

fn builder(nodes: &[&Fake], wall: &Wall) -> ClientBuilder {
    Fake::client_of(nodes)
        .deadline(Duration::from_secs(2))
        .clock(Arc::new(wall.clone()))
}

/// Held against a watch that may be silent for three seconds: long enough for a busy machine.
async fn live(client: &Client) -> LiveStamps {
    watching(client, Duration::from_secs(1)).await
}

/// Held against a watch that may be silent for three tenths of one.
async fn quick(client: &Client) -> LiveStamps {
    watching(client, BEAT).await
}

async fn watching(client: &Client, heartbeat: Duration) -> LiveStamps {
    let live = client.live_stamps().heartbeat(heartbeat).start().unwrap();
    let is_live = tokio::time::timeout(PATIENCE, live.until_live());
    is_live.await.unwrap();
    live
}

fn judge(live: &LiveStamps, number: u8, revision: u64) -> Result<GoAhead, NoGoAhead> {
    live.check_now(
        &stamp(number, revision, |_| ()),
        WANTED,
        Whose::Token(&token(number)),
    )
}

/// Judges until it comes out so, and tells how.
async fn until<T>(what: &str, mut judged: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = judged() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Waits until a stamp is a go-ahead.
async fn goes_ahead(live: &LiveStamps, number: u8, revision: u64) {
    until("it goes ahead", || {
        judge(live, number, revision).ok().map(drop)
    })
    .await;
}

/// Waits until a stamp is denied for a cause.
async fn denied(live: &LiveStamps, number: u8, revision: u64, cause: fn(&NoGoAhead) -> bool) {
    let why = || judge(live, number, revision).err().filter(cause);
    until("it is denied", why).await;
}

fn opt_out(node: &Fake, number: u8) -> u64 {
    node.model()
        .record(EventKind::OptOut.into(), &[token(number)])
}

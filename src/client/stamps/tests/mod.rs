//! What a watch shows, in every order, and that only the right stamps are a go-ahead by it.

mod kinds;
mod ledger;
mod properties;

use std::time::Duration;

use tokio::time::Instant;

use super::ledger::{Ledger, Moment, Terms};
use crate::{
    client::Seen,
    clock::Millis,
    proto::v1::{Event, EventKind, EventToken, Heartbeat},
};

const BOUND: Duration = Duration::from_secs(3);
const REMEMBERED: usize = 100;

/// Noon on some day, by the wall clock.
const NOON: u64 = 1_800_000_000_000;

/// The moments of a test, counted from its beginning, by two clocks that agree.
#[derive(Clone, Copy)]
struct Time(Instant);

impl Time {
    fn new() -> Self {
        Self(Instant::now())
    }

    fn at(self, millis: u64) -> Moment {
        Moment {
            at: self.0 + Duration::from_millis(millis),
            wall: Millis(NOON + millis),
        }
    }
}

fn ledger(dense: bool) -> Ledger {
    Ledger::new(Terms {
        bound: BOUND,
        remembered: REMEMBERED,
        dense,
    })
}

fn token(number: u8) -> String {
    format!("1:{}", hex::encode([number; 16]))
}

fn event(revision: u64, kind: i32, tokens: &[u8]) -> Seen {
    let tokens = tokens.iter().map(|&number| EventToken {
        r#type: "email".to_owned(),
        token: token(number),
        previous_revision: 0,
    });
    Seen::Event(Event {
        revision,
        kind,
        tokens: tokens.collect(),
        ..Event::default()
    })
}

fn opt_out(revision: u64, number: u8) -> Seen {
    event(revision, EventKind::OptOut.into(), &[number])
}

fn heartbeat(revision: u64) -> Seen {
    Seen::Heartbeat(Heartbeat {
        revision,
        sent_at: None,
    })
}

fn broken() -> Seen {
    Seen::Interrupted {
        why: "made up".to_owned(),
        from_the_start: false,
    }
}

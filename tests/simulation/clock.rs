//! A node's wall clock, which can be set wrong and can run at a rate of its own.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use refrain::{clock::Clock, domain::Millis};

/// 2026-01-01, when every simulation begins.
pub const BEGINNING_MS: u64 = 1_767_225_600_000;

/// A clock in a simulation. Clones are the same clock: the nemesis keeps one.
#[derive(Clone)]
pub struct SimulatedClock(Arc<Mutex<Course>>);

/// What the clock shows from a moment on.
#[derive(Clone, Copy)]
struct Course {
    /// The moment, in simulated time.
    since: Duration,
    /// What it showed then.
    shown_ms: i64,
    /// How far it goes in a second.
    rate_permille: i64,
}

impl Default for SimulatedClock {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Course {
            since: Duration::ZERO,
            shown_ms: BEGINNING_MS.cast_signed(),
            rate_permille: 1_000,
        })))
    }
}

impl Course {
    fn at(&self, now: Duration) -> i64 {
        let passed = now.saturating_sub(self.since).as_millis();
        let passed = i64::try_from(passed).unwrap_or(i64::MAX);
        self.shown_ms + passed * self.rate_permille / 1_000
    }
}

impl SimulatedClock {
    /// Sets the clock off from what is right, and lets it run at a rate.
    pub fn set(&self, now: Duration, off_ms: i64, rate_permille: i64) {
        let right = Course {
            since: Duration::ZERO,
            shown_ms: BEGINNING_MS.cast_signed(),
            rate_permille: 1_000,
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Course {
            since: now,
            shown_ms: right.at(now) + off_ms,
            rate_permille,
        };
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Millis {
        let now = turmoil::sim_elapsed().unwrap_or_default();
        let course = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Millis(course.at(now).max(0).cast_unsigned())
    }
}

//! The wall clock and the random source, injected so that a simulation can bring its own.

use std::time::{SystemTime, UNIX_EPOCH};

use prost_types::Timestamp;
use rand::RngCore as _;

/// Milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Millis(pub u64);

impl Millis {
    /// The latest time that can be kept: 48 bits, as in a `UUIDv7`; past the year 10,000.
    pub const MAX: Self = Self((1 << 48) - 1);
}

/// Reads a time in RFC 3339. The parser beneath also takes a bare date, and a time that does not say how far it is from UTC; a
/// time that something ends at must not be guessed.
pub fn moment(text: &str) -> Option<Timestamp> {
    let time = text.get(10..)?.strip_prefix(['T', 't'])?;
    let told = time.ends_with(['Z', 'z']) || {
        let at = time.len().checked_sub(6)?;
        let offset = time.get(at..)?.as_bytes();
        matches!(offset, [b'+' | b'-', _, _, b':', _, _])
    };
    if told { text.parse().ok() } else { None }
}

/// Tells the time of day. The only place of the program that reads a wall clock is its [`SystemClock`].
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since the Unix epoch.
    fn now(&self) -> Millis;
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Millis {
        // A clock before 1970 counts as 1970: nothing of ours can tell such times apart.
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// A source of random bytes, fit for ids and keys.
pub trait Entropy: Send + Sync + 'static {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// The operating system's random source, by way of the thread's generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        rand::rng().fill_bytes(bytes);
    }
}

//! The model and its rules: pure, synchronous and deterministic.

/// Milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Millis(pub u64);

/// How many events there are: dense, 1-based, the same on every node. Also the feed's cursor, and a leaf's index in the
/// journal plus one.
pub type Revision = u64;

//! The limits of what is judged after the fact.

use std::time::Duration;

/// How long after it was received an opt-out counts against what was processed, in milliseconds: the service's clock is not the
/// cluster's, and what was asked just before may still be under way.
pub const PROCESSED_GRACE_MS: u64 = 5_000;

/// How far ahead of the cluster's time a report may say that something was processed, in milliseconds. Later: refused.
pub const PROCESSED_AHEAD_MS: u64 = 60_000;

/// Services that are counted by name for their scores. More are counted together, under no name.
pub const MONITOR_SERVICES: usize = 256;

/// Hours for which the counts behind the scores are kept: two spans of a week.
pub const MONITOR_HOURS: u64 = 2 * 7 * 24;

/// Samples that an event of violations holds.
pub const VIOLATION_SAMPLES: usize = 4;

/// Kinds of violations, by service and purpose, that one command tells of. More wait for the next.
pub const VIOLATIONS_PER_REPORT: usize = 64;

/// Events of violations that can be listed without reading the journal from its beginning; older ones are in the journal.
pub const VIOLATIONS_LISTED: usize = 10_000;

/// Kinds of violations, by service and purpose, that a node gathers before they are committed. More: `OVERLOADED`.
pub const FOUND_KINDS: usize = 4_096;

/// Batches of reports that wait until their violations are committed. More: `OVERLOADED`.
pub const FOUND_WAITING: usize = 1_024;

/// How long a node gathers violations that are alike before it commits them.
pub const FOUND_INTERVAL: Duration = Duration::from_secs(1);

/// Reports in a batch.
pub const REPORTS: usize = 1_000;

/// Reports that are judged while the state is locked.
pub const REPORTS_AT_ONCE: usize = 100;

/// For each moment that judging takes, the node leaves so many to others before it judges again.
pub const REPORT_PAUSE: u32 = 19;

/// Events of a subject that are read to judge what was processed before its last change. More: `HISTORY_TOO_LONG`.
pub const JUDGED_EVENTS: usize = 1_000;

/// Overrides that are over and still known, to tell what was processed under one.
pub const OVERRIDES_ENDED: usize = 256;

/// Milliseconds for which a retired key is known after its stamps are accepted no more, to judge what was done under them: as long as
/// counts are kept.
pub const STAMP_KEYS_KEPT_MS: u64 = MONITOR_HOURS * 60 * 60 * 1_000;

/// Keys whose stamps are accepted no more and that are still known. Past that the one that was added first is forgotten.
pub const STAMP_KEYS_KEPT: usize = 256;

/// Events of anomalies that can be listed without reading the journal from its beginning; older ones are in the journal.
pub const ANOMALIES_LISTED: usize = 10_000;

/// How long no rows of an import have come when it counts as over, in milliseconds.
pub const IMPORT_OVER_MS: u64 = 10 * 60 * 1_000;

/// Imports whose length is followed at once. Where one more begins, the one that began first counts as over.
pub const IMPORTS_MEASURED: usize = 64;

/// Callers in namespaces whose last import is remembered, to compare the next with it.
pub const IMPORTERS_MEASURED: usize = 1_024;

/// Reads of the journal for one answer of an export, where nothing is found.
pub const EXPORT_READS: usize = 64;

/// Pieces of evidence whose keys are kept, about 250 bytes of memory each. More: `EVIDENCE_FULL`, for opt-ins alone.
pub const EVIDENCE_KEPT: u64 = 1 << 24;

/// Events of a subject whose evidence one request erases; it tells how many are left.
pub const ERASED_AT_ONCE: usize = 1_024;

/// Keys of evidence that one command wraps anew.
pub const REWRAPPED_KEYS: usize = 256;

/// Keys of evidence that are looked at while the state is locked, to find those that are wrapped under something.
pub const KEYS_LOOKED_AT: usize = 16_384;

/// Wrapping keys that are no more and still known, so that what comes late is refused.
pub const RETIRED_WRAPPING_KEYS: usize = 1_024;

/// Wrapping keys that a node holds at once: one in use, and those that are being replaced.
pub const WRAPPING_KEYS_HELD: usize = 64;

/// Nodes of which is known when they last replaced their wrapping key.
pub const ROTATIONS: usize = 1_024;

/// How long a node waits between two rounds of a snapshot and a new wrapping key that it makes only because evidence was erased; the
/// first erasure waits for nothing.
pub const ERASURE_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// How long a command may take by which keys of evidence are wrapped anew, and the pause after one that failed.
pub const REWRAP_TIMEOUT: Duration = Duration::from_secs(5);
